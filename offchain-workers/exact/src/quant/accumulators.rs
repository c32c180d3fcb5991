// SPDX-License-Identifier: Apache-2.0
//! Where the sums of a product's part come from and where they go. A panel is multiplied part by part along k; the first
//! part begins the chains or continues the product's, the last one writes to the product, and in between the sums are
//! kept where they are near.

use crate::matmul::PANEL;

/// Where the sums of some rows with a panel come from and go to.
pub(super) struct Accumulators<'a> {
    /// Between the parts of the panel.
    pub kept: &'a mut [[f32; PANEL]],
    /// The product from the first row's first output of the panel on, rows `stride` elements apart.
    pub out: &'a mut [f32],
    pub stride: usize,
    /// What a part continues.
    pub before: Initial,
    /// Whether they go to the product, complete, and not to `kept`.
    pub complete: bool,
}

/// What sums continue.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Initial {
    Zero,
    Product,
    Kept,
}

impl Accumulators<'_> {
    /// Rows.
    #[inline(always)]
    pub fn rows(&self) -> usize {
        self.kept.len()
    }

    /// The sums that a row continues.
    #[inline(always)]
    pub fn get(&self, row: usize) -> [f32; PANEL] {
        let mut sums = [0.0; PANEL];
        match self.before {
            Initial::Zero => {}
            Initial::Product => sums.copy_from_slice(&self.out[row * self.stride..][..PANEL]),
            Initial::Kept => sums = self.kept[row],
        }
        sums
    }

    /// Puts a row's sums where they go; whether there is a complete one that is NaN.
    #[inline(always)]
    pub fn set(&mut self, row: usize, sums: [f32; PANEL]) -> bool {
        match self.complete {
            true => self.out[row * self.stride..][..PANEL].copy_from_slice(&sums),
            false => self.kept[row] = sums,
        }
        self.complete && sums.iter().fold(false, |nan, sum| nan | sum.is_nan())
    }

    /// For a panel of which the product has only some outputs: they become what the sums continue.
    #[cold]
    #[inline(never)]
    pub fn take(&mut self, valid: usize) {
        for (kept, out) in self.kept.iter_mut().zip(self.out.chunks(self.stride)) {
            *kept = [0.0; PANEL];
            kept[..valid].copy_from_slice(&out[..valid]);
        }
        self.before = Initial::Kept;
    }

    /// For such a panel: its sums go to the product. Whether there is a NaN among them.
    #[cold]
    #[inline(never)]
    pub fn put(&mut self, valid: usize) -> bool {
        let mut nan = false;
        for (kept, out) in self.kept.iter().zip(self.out.chunks_mut(self.stride)) {
            out[..valid].copy_from_slice(&kept[..valid]);
            nan |= kept[..valid].iter().any(|sum| sum.is_nan());
        }
        nan
    }
}

/// The same for kernels that read and write at pointers: those of the first row, and how far apart rows are.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(super) struct AccumulatorPtrs {
    pub from: *const f32,
    pub from_row: usize,
    pub to: *mut f32,
    pub to_row: usize,
    pub complete: bool,
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
impl AccumulatorPtrs {
    /// Pointers at which [`PANEL`] sums of each row can be read and written, while the borrow lasts.
    #[inline(always)]
    pub fn of(sums: &mut Accumulators<'_>) -> AccumulatorPtrs {
        static ZEROS: [f32; PANEL] = [0.0; PANEL];
        if sums.before == Initial::Product || sums.complete {
            let last = (sums.rows() - 1) * sums.stride;
            assert!(sums.stride >= PANEL && sums.out.len() >= last + PANEL);
        }
        let (kept, out) = (sums.kept.as_mut_ptr().cast::<f32>(), sums.out.as_mut_ptr());
        let (from, from_row) = match sums.before {
            Initial::Zero => (ZEROS.as_ptr(), 0),
            Initial::Product => (out.cast_const(), sums.stride),
            Initial::Kept => (kept.cast_const(), PANEL),
        };
        let (to, to_row) = match sums.complete {
            true => (out, sums.stride),
            false => (kept, PANEL),
        };
        AccumulatorPtrs {
            from,
            from_row,
            to,
            to_row,
            complete: sums.complete,
        }
    }
}
