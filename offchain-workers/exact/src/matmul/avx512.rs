// SPDX-License-Identifier: Apache-2.0
//! AVX-512: tiles of 12 rows and 32 columns.

use super::{kernel, Product, Products};
use crate::simd::Avx512;

impl Products for Avx512 {
    #[inline(always)]
    unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize) {
        // SAFETY: the caller's promise; this type exists only on processors with the features.
        unsafe { product(p, out, stride) }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize) {
    // SAFETY: the caller's promise.
    unsafe { kernel::product::<Avx512, 12, 2, 8>(p, out, stride) }
}
