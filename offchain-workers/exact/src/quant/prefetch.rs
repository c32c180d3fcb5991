// SPDX-License-Identifier: Apache-2.0
//! Software prefetching of weights.

use core::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};

use super::matrix::{Line, PackedBlocks};

/// Prefetches the next chunk of weights while the current one is multiplied: its scales at once, its codes a few lines
/// per step, because requests for all lines at once would fill the line-fill buffers and stall the loads.
pub(super) struct Prefetch<'a>(core::slice::Chunks<'a, Line>);

impl<'a> Prefetch<'a> {
    /// Prefetches the scales of `next` and divides its codes among `steps` steps.
    #[inline(always)]
    pub fn new(next: &PackedBlocks<'a>, steps: usize) -> Self {
        next.halves.iter().for_each(prefetch);
        next.integers.iter().for_each(prefetch);
        let lines = next.lines;
        Prefetch(lines.chunks(lines.len().div_ceil(steps.max(1)).max(1)))
    }

    /// Prefetches the codes of the next step.
    #[inline(always)]
    pub fn step(&mut self) {
        self.0.next().unwrap_or(&[]).iter().for_each(prefetch);
    }
}

#[inline(always)]
fn prefetch<T>(what: &T) {
    // SAFETY: a prefetch is a hint without effect on the program's memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(what).cast()) };
}
