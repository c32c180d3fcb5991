// SPDX-License-Identifier: Apache-2.0
//! The test cases as a WebAssembly module without the standard library and without host functions.
//!
//! Each instance serves one call, because its memory is never freed.
#![no_std]

extern crate alloc;

mod cases;

use agorai_exact::Isa;
use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Returns the digest of an existing case with a seed.
#[no_mangle]
pub extern "C" fn digest(case: u32, seed: u64) -> u64 {
    cases::run(case as usize, Isa::Scalar, seed).digest
}

const PAGE: usize = 65_536;

/// A bump allocator that starts at the end of the module's data and grows the memory.
struct BumpAllocator {
    next: AtomicUsize,
    end: AtomicUsize,
}

#[global_allocator]
static MEMORY: BumpAllocator = BumpAllocator {
    next: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
};

// SAFETY: every allocation is a new, aligned range within the memory of the module.
unsafe impl GlobalAlloc for BumpAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (mut next, mut end) = (self.next.load(Ordering::Relaxed), self.end.load(Ordering::Relaxed));
        if end == 0 {
            end = wasm32::memory_size(0) * PAGE;
            next = end;
        }
        let start = next.next_multiple_of(layout.align());
        let Some(next) = start.checked_add(layout.size()) else {
            return core::ptr::null_mut();
        };
        if next > end {
            let pages = (next - end).div_ceil(PAGE);
            if wasm32::memory_grow(0, pages) == usize::MAX {
                return core::ptr::null_mut();
            }
            end += pages * PAGE;
        }
        self.next.store(next, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
