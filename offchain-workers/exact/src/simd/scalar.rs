// SPDX-License-Identifier: Apache-2.0
//! The scalar reference: one `f32`, and a vector of sixteen.

use super::lanes::{Lanes, Num, LANES};
use crate::fma;

impl Num for f32 {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        x
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        fma::sqrt(self)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        fma::fma(self, b, c)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        if self > other {
            self
        } else {
            other
        }
    }
    #[inline(always)]
    fn select_lt(a: Self, b: Self, yes: Self, no: Self) -> Self {
        if a < b {
            yes
        } else {
            no
        }
    }
    #[inline(always)]
    fn and(self, bits: u32) -> Self {
        f32::from_bits(self.to_bits() & bits)
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        f32::from_bits(self.to_bits() | other.to_bits())
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        f32::from_bits(self.to_bits() ^ other.to_bits())
    }
    #[inline(always)]
    fn add_bits(self, other: Self) -> Self {
        f32::from_bits(self.to_bits().wrapping_add(other.to_bits()))
    }
    #[inline(always)]
    fn sub_bits(self, other: Self) -> Self {
        f32::from_bits(self.to_bits().wrapping_sub(other.to_bits()))
    }
    #[inline(always)]
    fn shl(self, by: u32) -> Self {
        f32::from_bits(self.to_bits() << by)
    }
    #[inline(always)]
    fn sar(self, by: u32) -> Self {
        f32::from_bits(((self.to_bits() as i32) >> by) as u32)
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        self.to_bits() as i32 as f32
    }
}

/// Sixteen lanes, computed one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([f32; LANES]);

impl Scalar {
    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Self {
        Scalar(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for (a, b) in out.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        out
    }
}

impl Num for Scalar {
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Scalar([x; LANES])
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, Num::add)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, Num::sub)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, Num::mul)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, Num::div)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(Num::sqrt)
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        let mut out = c;
        for i in 0..LANES {
            out.0[i] = fma::fma(self.0[i], b.0[i], c.0[i]);
        }
        out
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, Num::max)
    }
    #[inline(always)]
    fn select_lt(a: Self, b: Self, yes: Self, no: Self) -> Self {
        let mut out = no;
        for i in 0..LANES {
            out.0[i] = f32::select_lt(a.0[i], b.0[i], yes.0[i], no.0[i]);
        }
        out
    }
    #[inline(always)]
    fn and(self, bits: u32) -> Self {
        self.map(|x| x.and(bits))
    }
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, Num::or)
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.zip(other, Num::xor)
    }
    #[inline(always)]
    fn add_bits(self, other: Self) -> Self {
        self.zip(other, Num::add_bits)
    }
    #[inline(always)]
    fn sub_bits(self, other: Self) -> Self {
        self.zip(other, Num::sub_bits)
    }
    #[inline(always)]
    fn shl(self, by: u32) -> Self {
        self.map(|x| x.shl(by))
    }
    #[inline(always)]
    fn sar(self, by: u32) -> Self {
        self.map(|x| x.sar(by))
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        self.map(Num::int_to_float)
    }
}

impl Lanes for Scalar {
    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&from[..LANES]);
        Scalar(lanes)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[..LANES].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        self.0
    }
    #[inline(always)]
    fn nan_lanes(self) -> u16 {
        let mut mask = 0;
        for (i, x) in self.0.iter().enumerate() {
            mask |= u16::from(x.is_nan()) << i;
        }
        mask
    }
}
