// SPDX-License-Identifier: Apache-2.0
//! The accumulators of a panel while its product is computed in chunks along k. The first chunk begins at zero or at
//! the values in the output, the last one writes to the output, and in between the accumulators are in a buffer that
//! stays in the L1 cache.

use crate::matmul::{Accumulate, PANEL};

/// The accumulators of a block of rows with one panel.
pub(super) struct Accumulators<'a> {
    /// The accumulators of each row between two chunks.
    buffer: &'a mut [[f32; PANEL]],
    /// The product from the first row's first output of the panel on, rows `stride` elements apart.
    out: &'a mut [f32],
    stride: usize,
    /// The number of outputs of the panel that belong to the product; the others are padding.
    valid: usize,
    /// Where the next chunk begins.
    source: Source,
    /// Whether the next chunk writes its accumulators, then complete, to the product and not to the buffer.
    complete: bool,
}

/// The initial values of a chunk's accumulators.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Zero,
    Output,
    Buffer,
}

impl<'a> Accumulators<'a> {
    /// The accumulators before the first chunk. Those of a partial panel begin and end in the buffer, because the
    /// output has no room for its padding.
    #[inline(always)]
    pub fn new(
        accumulate: Accumulate,
        buffer: &'a mut [[f32; PANEL]],
        out: &'a mut [f32],
        stride: usize,
        valid: usize,
    ) -> Self {
        let source = match accumulate {
            Accumulate::Overwrite => Source::Zero,
            Accumulate::Add => Source::Output,
        };
        let mut accumulators = Accumulators {
            buffer,
            out,
            stride,
            valid,
            source,
            complete: false,
        };
        if valid < PANEL && source == Source::Output {
            accumulators.load_partial();
        }
        accumulators
    }

    /// Prepares the next chunk.
    #[inline(always)]
    pub fn begin_chunk(&mut self, is_first: bool, is_last: bool) {
        if !is_first {
            self.source = Source::Buffer;
        }
        self.complete = is_last && self.valid == PANEL;
    }

    /// Writes the accumulators of a partial panel to the product. Returns whether one of them is NaN; those of other
    /// panels are written and checked by the last chunk.
    #[inline(always)]
    pub fn finish(&mut self) -> bool {
        self.valid < PANEL && self.store_partial()
    }

    /// Returns the number of rows.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the initial accumulators of a row.
    #[inline(always)]
    pub fn load(&self, row: usize) -> [f32; PANEL] {
        let mut values = [0.0; PANEL];
        match self.source {
            Source::Zero => {}
            Source::Output => values.copy_from_slice(&self.out[row * self.stride..][..PANEL]),
            Source::Buffer => values = self.buffer[row],
        }
        values
    }

    /// Stores the accumulators of a row; returns whether one of them is complete and NaN.
    #[inline(always)]
    pub fn store(&mut self, row: usize, values: [f32; PANEL]) -> bool {
        match self.complete {
            true => self.out[row * self.stride..][..PANEL].copy_from_slice(&values),
            false => self.buffer[row] = values,
        }
        self.complete && values.iter().fold(false, |nan, value| nan | value.is_nan())
    }

    #[cold]
    #[inline(never)]
    fn load_partial(&mut self) {
        let valid = self.valid;
        for (buffer, out) in self.buffer.iter_mut().zip(self.out.chunks(self.stride)) {
            *buffer = [0.0; PANEL];
            buffer[..valid].copy_from_slice(&out[..valid]);
        }
        self.source = Source::Buffer;
    }

    #[cold]
    #[inline(never)]
    fn store_partial(&mut self) -> bool {
        let (valid, mut nan) = (self.valid, false);
        for (buffer, out) in self.buffer.iter().zip(self.out.chunks_mut(self.stride)) {
            out[..valid].copy_from_slice(&buffer[..valid]);
            nan |= buffer[..valid].iter().any(|value| value.is_nan());
        }
        nan
    }
}

/// The addresses of a chunk's accumulators: of the first row, and the distance of rows in elements.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(super) struct AccumulatorPtrs {
    pub from: *const f32,
    pub from_row: usize,
    pub to: *mut f32,
    pub to_row: usize,
    /// Whether the stored accumulators are complete.
    pub complete: bool,
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
impl AccumulatorPtrs {
    /// Returns pointers at which [`PANEL`] accumulators of each row can be read and written during the borrow.
    #[inline(always)]
    pub fn of(accumulators: &mut Accumulators<'_>) -> AccumulatorPtrs {
        static ZEROS: [f32; PANEL] = [0.0; PANEL];
        let Accumulators {
            buffer,
            out,
            stride,
            source,
            complete,
            ..
        } = accumulators;
        if *source == Source::Output || *complete {
            let last = (buffer.len() - 1) * *stride;
            assert!(*stride >= PANEL && out.len() >= last + PANEL);
        }
        let (buffer, out) = (buffer.as_mut_ptr().cast::<f32>(), out.as_mut_ptr());
        let (from, from_row) = match source {
            Source::Zero => (ZEROS.as_ptr(), 0),
            Source::Output => (out.cast_const(), *stride),
            Source::Buffer => (buffer.cast_const(), PANEL),
        };
        let (to, to_row) = match complete {
            true => (out, *stride),
            false => (buffer, PANEL),
        };
        AccumulatorPtrs {
            from,
            from_row,
            to,
            to_row,
            complete: *complete,
        }
    }
}
