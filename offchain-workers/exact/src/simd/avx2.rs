// SPDX-License-Identifier: Apache-2.0
//! Sixteen lanes in two AVX2 registers.
//!
//! Every `unsafe` block here calls intrinsics, which is sound because values of this type exist only
//! behind `dispatch!`, on a processor that has AVX2 and FMA (see the parent module).
#![allow(clippy::undocumented_unsafe_blocks)]

use core::arch::x86_64::*;

use super::lanes::{Lanes, Num, PointerLanes, LANES};

/// Sixteen lanes: the first eight and the last eight.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256, __m256);

#[inline(always)]
fn bits(x: __m256) -> __m256i {
    unsafe { _mm256_castps_si256(x) }
}

#[inline(always)]
fn float(x: __m256i) -> __m256 {
    unsafe { _mm256_castsi256_ps(x) }
}

/// Applies an intrinsic to both halves.
macro_rules! halves {
    ($f:ident, $a:expr) => {
        unsafe { Avx2($f($a.0), $f($a.1)) }
    };
    ($f:ident, $a:expr, $b:expr) => {
        unsafe { Avx2($f($a.0, $b.0), $f($a.1, $b.1)) }
    };
}

/// Applies an integer intrinsic to both halves.
macro_rules! int_halves {
    ($f:ident, $a:expr, $b:expr) => {
        unsafe { Avx2(float($f(bits($a.0), bits($b.0))), float($f(bits($a.1), bits($b.1)))) }
    };
}

impl Num for Avx2 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        unsafe { Avx2(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        halves!(_mm256_add_ps, self, other)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        halves!(_mm256_sub_ps, self, other)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        halves!(_mm256_mul_ps, self, other)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        halves!(_mm256_div_ps, self, other)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        halves!(_mm256_sqrt_ps, self)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        unsafe { Avx2(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        halves!(_mm256_max_ps, self, other)
    }
    #[inline(always)]
    fn select_lt(a: Self, b: Self, yes: Self, no: Self) -> Self {
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_LT_OQ>(a.0, b.0);
            let high = _mm256_cmp_ps::<_CMP_LT_OQ>(a.1, b.1);
            Avx2(_mm256_blendv_ps(no.0, yes.0, low), _mm256_blendv_ps(no.1, yes.1, high))
        }
    }
    #[inline(always)]
    fn and(self, constant: u32) -> Self {
        int_halves!(_mm256_and_si256, self, Avx2::splat_bits(constant))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        int_halves!(_mm256_or_si256, self, other)
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        int_halves!(_mm256_xor_si256, self, other)
    }
    #[inline(always)]
    fn add_bits(self, other: Self) -> Self {
        int_halves!(_mm256_add_epi32, self, other)
    }
    #[inline(always)]
    fn sub_bits(self, other: Self) -> Self {
        int_halves!(_mm256_sub_epi32, self, other)
    }
    #[inline(always)]
    fn shl(self, by: u32) -> Self {
        int_halves!(_mm256_sllv_epi32, self, Avx2::splat_bits(by))
    }
    #[inline(always)]
    fn sar(self, by: u32) -> Self {
        int_halves!(_mm256_srav_epi32, self, Avx2::splat_bits(by))
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        unsafe { Avx2(_mm256_cvtepi32_ps(bits(self.0)), _mm256_cvtepi32_ps(bits(self.1))) }
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..LANES];
        unsafe { Self::load_at(from.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..LANES];
        unsafe { self.store_at(to.as_mut_ptr()) }
    }
    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }
    #[inline(always)]
    fn nan_lanes(self) -> u16 {
        unsafe {
            let low = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0));
            let high = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(self.1, self.1));
            (low | (high << 8)) as u16
        }
    }
}

impl PointerLanes for Avx2 {
    #[inline(always)]
    unsafe fn load_at(from: *const f32) -> Self {
        unsafe { Avx2(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store_at(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }
}
