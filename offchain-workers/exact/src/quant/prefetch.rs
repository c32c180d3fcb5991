// SPDX-License-Identifier: Apache-2.0
//! Bringing weights into the cache before they are needed.

use core::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};

use super::matrix::{Line, PackedBlocks};

/// Brings a part whose use is near into the cache. Its scales at once; its codes a few for each of so many steps:
/// all together they would fill the buffers that wait for memory, and the processor with them.
pub(super) struct Prefetch<'a>(core::slice::Chunks<'a, Line>);

impl<'a> Prefetch<'a> {
    #[inline(always)]
    pub fn new(next: &PackedBlocks<'a>, steps: usize) -> Self {
        next.halves.iter().for_each(prefetch);
        next.integers.iter().for_each(prefetch);
        let lines = next.lines;
        Prefetch(lines.chunks(lines.len().div_ceil(steps.max(1)).max(1)))
    }

    #[inline(always)]
    pub fn step(&mut self) {
        self.0.next().unwrap_or(&[]).iter().for_each(prefetch);
    }
}

#[inline(always)]
fn prefetch<T>(what: &T) {
    // SAFETY: a hint; it reads nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(what).cast()) };
}
