// SPDX-License-Identifier: Apache-2.0
//! Sixteen lanes of binary32, on every instruction set.
//!
//! An operation's body is written once, generic over [`Lanes`], and instantiated for each
//! instruction set by [`dispatch!`]. A lane of a vector does exactly what one `f32` does: the
//! vector types offer only operations that IEEE-754 rounds correctly, and bit operations.
//!
//! Why the methods are safe to call: the vector types are private to the crate and only
//! `dispatch!` instantiates a body with them, after [`Isa::or_scalar`](crate::Isa::or_scalar) has
//! answered that the processor has the instructions.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod avx512;
mod scalar;

#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use avx2::Avx2;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use avx512::Avx512;
pub(crate) use scalar::Scalar;

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

/// Calls a body generic over [`Lanes`] with the vector type of an instruction set.
///
/// The wrappers carry the target features; the body and everything in it is inlined into them.
macro_rules! dispatch {
    ($isa:expr, $body:ident ( $($arg:ident : $ty:ty),* $(,)? ) -> $ret:ty) => {{
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        #[target_feature(enable = "avx2,fma")]
        #[allow(clippy::too_many_arguments)]
        fn on_avx2($($arg: $ty),*) -> $ret {
            $body::<crate::simd::Avx2>($($arg),*)
        }
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        #[target_feature(enable = "avx512f")]
        #[allow(clippy::too_many_arguments)]
        fn on_avx512($($arg: $ty),*) -> $ret {
            $body::<crate::simd::Avx512>($($arg),*)
        }
        match crate::Isa::or_scalar($isa) {
            // SAFETY: `or_scalar` names an instruction set only if the processor has it.
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            crate::Isa::Avx2 => unsafe { on_avx2($($arg),*) },
            // SAFETY: as above.
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            crate::Isa::Avx512 | crate::Isa::Amx => unsafe { on_avx512($($arg),*) },
            _ => $body::<crate::simd::Scalar>($($arg),*),
        }
    }};
}

/// Runs a body over sixteen elements at a time: the names on the left of the first list are bound
/// to lanes of its slices, those of the second list are stored to its slices after the body. The
/// end of the slices is zero padded. Gives a bit for each lane in which a stored NaN was seen.
///
/// A macro and not a function with a closure: a closure would not inherit the target features.
macro_rules! elementwise {
    ($v:ident, $n:expr, [$($x:ident : $xs:expr),*], [$($y:ident : $ys:expr),*], {$($body:tt)*}) => {{
        let n: usize = $n;
        let mut nan: u16 = 0;
        let mut at = 0;
        while at + crate::simd::LANES <= n {
            let end = at + crate::simd::LANES;
            $(let $x = $v::load(&$xs[at..end]);)*
            $($body)*
            $(nan |= $y.nan_lanes(); $y.store(&mut $ys[at..end]);)*
            at = end;
        }
        if at < n {
            $(let $x = $v::load_tail(&$xs[at..n]);)*
            $($body)*
            let valid = (1u16 << (n - at)) - 1;
            $(nan |= $y.nan_lanes() & valid; $y.store_tail(&mut $ys[at..n]);)*
        }
        nan
    }};
}

/// Runs a body over sixteen elements at a time without storing anything, the end zero padded: the
/// body accumulates into the caller's variables.
macro_rules! fold_lanes {
    ($v:ident, $n:expr, [$($x:ident : $xs:expr),*], {$($body:tt)*}) => {{
        let n: usize = $n;
        let mut at = 0;
        while at + crate::simd::LANES <= n {
            let end = at + crate::simd::LANES;
            $(let $x = $v::load(&$xs[at..end]);)*
            $($body)*
            at = end;
        }
        if at < n {
            $(let $x = $v::load_tail(&$xs[at..n]);)*
            $($body)*
        }
    }};
}
