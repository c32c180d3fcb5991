// SPDX-License-Identifier: Apache-2.0
//! AVX2: tiles of 6 rows and 16 columns.

use super::{kernel, Product, Products};
use crate::simd::Avx2;

impl Products for Avx2 {
    #[inline(always)]
    unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize) {
        // SAFETY: the caller's promise; this type exists only on processors with the features.
        unsafe { product(p, out, stride) }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn product(p: &Product<'_>, out: &mut [f32], stride: usize) {
    // SAFETY: the caller's promise.
    unsafe { kernel::product::<Avx2, 6, 1, 4>(p, out, stride) }
}
