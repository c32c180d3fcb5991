// SPDX-License-Identifier: Apache-2.0
//! The operations on sixteen lanes of binary32 that each instruction set implements.

/// Lanes in a vector, and partial sums in a canonical sum.
pub(crate) const LANES: usize = 16;

/// What one `f32` can do, exactly. Implemented by `f32` and by the vectors, lane by lane.
pub(crate) trait Num: Copy {
    /// Every lane `x`.
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
    /// Bitwise or of two.
    fn or(self, other: Self) -> Self;
    /// Bitwise exclusive or of two.
    fn xor(self, other: Self) -> Self;
    /// The bits plus other bits, wrapping.
    fn add_bits(self, other: Self) -> Self;
    /// The bits minus other bits, wrapping.
    fn sub_bits(self, other: Self) -> Self;
    /// The bits shifted left.
    fn shl(self, by: u32) -> Self;
    /// The bits shifted right, as a signed number.
    fn sar(self, by: u32) -> Self;
    /// The bits, a signed number of less than 24 bits, as a float.
    fn int_to_float(self) -> Self;

    /// Every lane these bits.
    #[inline(always)]
    fn splat_bits(bits: u32) -> Self {
        Self::splat(f32::from_bits(bits))
    }

    /// The sign flipped.
    #[inline(always)]
    fn neg(self) -> Self {
        self.xor(Self::splat_bits(0x8000_0000))
    }

    /// The sign cleared.
    #[inline(always)]
    fn abs(self) -> Self {
        self.and(0x7fff_ffff)
    }
}

/// Sixteen lanes.
pub(crate) trait Lanes: Num {
    /// The first sixteen elements of a slice that has them.
    fn load(from: &[f32]) -> Self;
    /// Writes the first sixteen elements of a slice that has them.
    fn store(self, to: &mut [f32]);
    /// The lanes, in order.
    fn to_array(self) -> [f32; LANES];
    /// A bit for each lane that is not a number.
    fn nan_lanes(self) -> u16;
    /// Up to sixteen elements, the other lanes +0.0.
    #[inline(always)]
    fn load_tail(from: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        let n = from.len().min(LANES);
        lanes[..n].copy_from_slice(&from[..n]);
        Self::load(&lanes)
    }

    /// Writes as many lanes as the slice takes.
    #[inline(always)]
    fn store_tail(self, to: &mut [f32]) {
        let n = to.len().min(LANES);
        to[..n].copy_from_slice(&self.to_array()[..n]);
    }
}

/// Sixteen lanes behind a pointer: what the kernels of products read and write.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) trait PointerLanes: Lanes {
    /// Sixteen elements at a pointer.
    ///
    /// # Safety
    /// Sixteen elements must be readable there.
    unsafe fn load_at(from: *const f32) -> Self;
    /// Writes sixteen elements at a pointer.
    ///
    /// # Safety
    /// Sixteen elements must be writable there.
    unsafe fn store_at(self, to: *mut f32);
}

/// The tree that folds sixteen partials pairwise, 8-4-2-1.
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
