// SPDX-License-Identifier: Apache-2.0
//! The cases as a wasm module: no standard library, no fused multiply-add, no square root of the host.
//!
//! An instance answers one call: its memory is never given back.
#![no_std]

extern crate alloc;

mod cases;

use agorai_exact::Isa;
use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The digest of a case, which exists, from a seed.
#[no_mangle]
pub extern "C" fn digest(case: u32, seed: u64) -> u64 {
    cases::run(case as usize, Isa::Scalar, seed).digest
}

const PAGE: usize = 65_536;

/// Memory from the end of the module's own on, growing.
struct Growing {
    next: AtomicUsize,
    end: AtomicUsize,
}

#[global_allocator]
static MEMORY: Growing = Growing {
    next: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
};

// SAFETY: every answer is a fresh, aligned range of memory that the module has grown by itself.
unsafe impl GlobalAlloc for Growing {
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
