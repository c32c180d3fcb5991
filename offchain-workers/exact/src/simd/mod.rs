// SPDX-License-Identifier: Apache-2.0
//! Vectors of sixteen binary32 lanes for every instruction set.
//!
//! The body of an operation is written once, generic over [`Lanes`], and instantiated for each
//! instruction set by `dispatch!`. A lane computes exactly what one `f32` does: the
//! vector types offer only operations that IEEE-754 rounds correctly, and bit operations.
//!
//! The methods are safe to call because the vector types are private to the crate and only
//! `dispatch!` instantiates a body with them, after [`Isa::or_scalar`](crate::Isa::or_scalar) has
//! checked that the processor has the instructions.

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
/// The wrappers enable the target features; the body and all its callees are inlined into them.
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
            // SAFETY: `or_scalar` returns an instruction set only if the processor has it.
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            crate::Isa::Avx2 => unsafe { on_avx2($($arg),*) },
            // SAFETY: as above.
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            crate::Isa::Avx512 | crate::Isa::Amx => unsafe { on_avx512($($arg),*) },
            _ => $body::<crate::simd::Scalar>($($arg),*),
        }
    }};
}

/// Runs a body on sixteen elements at a time: the names in the first list are bound to lanes loaded from
/// its slices, those in the second list are stored to its slices after the body. The last vector is zero
/// padded. Evaluates to the mask of lanes in which a NaN was stored.
///
/// This is a macro because a closure does not inherit the target features.
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

/// Runs a body on sixteen elements at a time without storing anything, the last vector zero padded: the
/// body accumulates in the caller's variables.
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
