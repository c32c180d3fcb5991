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
mod lanes;
mod scalar;

#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use avx2::Avx2;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use avx512::Avx512;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use lanes::PointerLanes;
pub(crate) use lanes::{fold, Lanes, Num, LANES};
pub(crate) use scalar::Scalar;

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
