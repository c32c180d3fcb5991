// SPDX-License-Identifier: Apache-2.0
//! The operations on sixteen lanes of binary32 that each instruction set implements.

/// The number of lanes of a vector, and of partial sums of a canonical sum.
pub(crate) const LANES: usize = 16;

/// The exact operations on one `f32`, implemented by `f32` and, lane by lane, by the vectors.
pub(crate) trait Num: Copy {
    /// Sets every lane to `x`.
    fn splat(x: f32) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn sub(self, other: Self) -> Self;
    /// `self * other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `self * b + c`, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    /// `if self > other { self } else { other }`.
    fn max(self, other: Self) -> Self;
    /// `if a < b { yes } else { no }`.
    fn select_lt(a: Self, b: Self, yes: Self, no: Self) -> Self;
    /// Bitwise and with a constant.
    fn and(self, bits: u32) -> Self;
    /// Bitwise or.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or.
    fn xor(self, other: Self) -> Self;
    /// The wrapping sum of the bits as integers.
    fn add_bits(self, other: Self) -> Self;
    /// The wrapping difference of the bits as integers.
    fn sub_bits(self, other: Self) -> Self;
    /// The bits shifted left.
    fn shl(self, by: u32) -> Self;
    /// The bits shifted right as a signed integer.
    fn sar(self, by: u32) -> Self;
    /// The bits, a signed integer of less than 24 bits, converted to binary32.
    fn int_to_float(self) -> Self;

    /// Sets every lane to the number with these bits.
    #[inline(always)]
    fn splat_bits(bits: u32) -> Self {
        Self::splat(f32::from_bits(bits))
    }

    /// Flips the sign.
    #[inline(always)]
    fn neg(self) -> Self {
        self.xor(Self::splat_bits(0x8000_0000))
    }

    /// Clears the sign.
    #[inline(always)]
    fn abs(self) -> Self {
        self.and(0x7fff_ffff)
    }
}

/// A vector of sixteen lanes.
pub(crate) trait Lanes: Num {
    /// Loads the first sixteen elements of a slice of at least sixteen.
    fn load(from: &[f32]) -> Self;
    /// Stores to the first sixteen elements of a slice of at least sixteen.
    fn store(self, to: &mut [f32]);
    /// The lanes, in order.
    fn to_array(self) -> [f32; LANES];
    /// Returns a mask of the lanes that are NaN.
    fn nan_lanes(self) -> u16;
    /// Loads up to sixteen elements; the other lanes are +0.0.
    #[inline(always)]
    fn load_tail(from: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        let n = from.len().min(LANES);
        lanes[..n].copy_from_slice(&from[..n]);
        Self::load(&lanes)
    }

    /// Stores as many lanes as the slice has elements.
    #[inline(always)]
    fn store_tail(self, to: &mut [f32]) {
        let n = to.len().min(LANES);
        to[..n].copy_from_slice(&self.to_array()[..n]);
    }
}

/// Loads and stores at pointers, for the kernels of products.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) trait PointerLanes: Lanes {
    /// Loads sixteen elements.
    ///
    /// # Safety
    /// Sixteen elements must be readable there.
    unsafe fn load_at(from: *const f32) -> Self;
    /// Stores sixteen elements.
    ///
    /// # Safety
    /// Sixteen elements must be writable there.
    unsafe fn store_at(self, to: *mut f32);
}

/// Folds sixteen lanes pairwise in a tree, 8-4-2-1.
#[inline(always)]
pub(crate) fn fold(mut lanes: [f32; LANES], pair: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = pair(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}
