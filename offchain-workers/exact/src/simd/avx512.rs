// SPDX-License-Identifier: Apache-2.0
//! Sixteen lanes in one AVX-512 register (AVX-512F only).
//!
//! Every `unsafe` block here calls intrinsics, which is sound because values of this type exist only
//! behind `dispatch!`, on a processor that has AVX-512F (see the parent module).
#![allow(clippy::undocumented_unsafe_blocks)]

use core::arch::x86_64::*;

use super::lanes::{Lanes, Num, PointerLanes, LANES};

/// Sixteen lanes.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

#[inline(always)]
fn bits(x: Avx512) -> __m512i {
    unsafe { _mm512_castps_si512(x.0) }
}

#[inline(always)]
fn float(x: __m512i) -> Avx512 {
    Avx512(unsafe { _mm512_castsi512_ps(x) })
}

impl Num for Avx512 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Avx512(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Avx512(unsafe { _mm512_sqrt_ps(self.0) })
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Avx512(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_max_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn select_lt(a: Self, b: Self, yes: Self, no: Self) -> Self {
        Avx512(unsafe {
            let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a.0, b.0);
            _mm512_mask_blend_ps(less, no.0, yes.0)
        })
    }
    #[inline(always)]
    fn and(self, constant: u32) -> Self {
        float(unsafe { _mm512_and_si512(bits(self), _mm512_set1_epi32(constant as i32)) })
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        float(unsafe { _mm512_or_si512(bits(self), bits(other)) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        float(unsafe { _mm512_xor_si512(bits(self), bits(other)) })
    }
    #[inline(always)]
    fn add_bits(self, other: Self) -> Self {
        float(unsafe { _mm512_add_epi32(bits(self), bits(other)) })
    }
    #[inline(always)]
    fn sub_bits(self, other: Self) -> Self {
        float(unsafe { _mm512_sub_epi32(bits(self), bits(other)) })
    }
    #[inline(always)]
    fn shl(self, by: u32) -> Self {
        float(unsafe { _mm512_sllv_epi32(bits(self), _mm512_set1_epi32(by as i32)) })
    }
    #[inline(always)]
    fn sar(self, by: u32) -> Self {
        float(unsafe { _mm512_srav_epi32(bits(self), _mm512_set1_epi32(by as i32)) })
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        Avx512(unsafe { _mm512_cvtepi32_ps(bits(self)) })
    }
}

impl Lanes for Avx512 {
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let from = &from[..LANES];
        Avx512(unsafe { _mm512_loadu_ps(from.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..LANES];
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }
    #[inline(always)]
    fn nan_lanes(self) -> u16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0) }
    }
    #[inline(always)]
    fn load_tail(from: &[f32]) -> Self {
        let n = from.len().min(LANES);
        // Masked lanes past the end of the slice are not accessed.
        Avx512(unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as u16, from.as_ptr()) })
    }
    #[inline(always)]
    fn store_tail(self, to: &mut [f32]) {
        let n = to.len().min(LANES);
        // Masked lanes past the end of the slice are not accessed.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), ((1u32 << n) - 1) as u16, self.0) }
    }
}

impl PointerLanes for Avx512 {
    #[inline(always)]
    unsafe fn load_at(from: *const f32) -> Self {
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store_at(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
}
