// SPDX-License-Identifier: Apache-2.0
//! Detection of the processor's instructions for products of 8-bit integers.

use core::arch::x86_64::{__cpuid, __cpuid_count};
use std::sync::OnceLock;

/// Returns whether this processor has AVX-512 with VNNI.
#[inline]
pub(crate) fn has_vnni() -> bool {
    std::arch::is_x86_feature_detected!("avx512vnni")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512f")
}

/// Returns whether this processor has AVX-512 with VNNI and AMX-INT8, and the operating system permits tiles. The first
/// call requests the permission, which is needed because tiles enlarge the saved state of a thread.
pub(crate) fn has_amx() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_vnni() && has_tiles() && request_tiles())
}

/// Returns whether this processor has AMX-TILE and AMX-INT8.
fn has_tiles() -> bool {
    const TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
    if __cpuid(0).eax < 7 {
        return false;
    }
    __cpuid_count(7, 0).edx & TILE_AND_INT8 == TILE_AND_INT8
}

/// Requests the permission to use tiles: `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`. Returns whether Linux
/// grants it.
#[cfg(target_os = "linux")]
fn request_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let result: i64;
    // SAFETY: the call only changes the permission and accesses no memory of this process.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn request_tiles() -> bool {
    false
}
