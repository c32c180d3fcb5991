// SPDX-License-Identifier: Apache-2.0
//! The instruction sets that the kernels support.

/// An instruction set. The choice changes the speed of an operation, never the bits of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isa {
    /// Portable Rust, one lane at a time.
    Scalar,
    /// AVX2 and FMA, eight lanes.
    Avx2,
    /// AVX-512F, sixteen lanes.
    Avx512,
    /// AVX-512 with VNNI, and AMX tiles for products of 8-bit integers.
    Amx,
}

impl Isa {
    /// All instruction sets, slowest first.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Amx];

    /// Returns the fastest instruction set of this processor; [`Isa::Scalar`] without the `std` feature.
    pub fn detect() -> Isa {
        Isa::available().last().unwrap_or(Isa::Scalar)
    }

    /// Returns the instruction sets of this processor, slowest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// Returns whether this processor has the instruction set.
    #[inline]
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Isa::Avx2 => std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma"),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Isa::Avx512 => std::arch::is_x86_feature_detected!("avx512f"),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Isa::Amx => crate::cpu::has_amx(),
            #[cfg(not(all(feature = "std", target_arch = "x86_64")))]
            Isa::Avx2 | Isa::Avx512 | Isa::Amx => false,
        }
    }

    /// Returns this instruction set, or [`Isa::Scalar`] if the processor lacks it.
    ///
    /// Every dispatch to vector code calls this function; the soundness of that code relies on it.
    #[inline]
    pub fn or_scalar(self) -> Isa {
        if self.is_available() {
            self
        } else {
            Isa::Scalar
        }
    }
}
