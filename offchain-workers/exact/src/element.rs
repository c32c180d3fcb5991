// SPDX-License-Identifier: Apache-2.0
//! Element types of stored tensors: plain floating point, and the block formats of the ggml library.
//!
//! This module knows names, sizes and plain values. The codes and scales inside a block are decoded in
//! [`crate::quant`].

use alloc::vec::Vec;

use crate::error::{Operation, Result};

/// A block format: consecutive weights of a row that share scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockFormat {
    /// 32 codes of 4 bits with zero point 8, one scale.
    Q4_0,
    /// 32 codes of 4 bits, one scale and one minimum.
    Q4_1,
    /// 32 codes of 5 bits with zero point 16, one scale.
    Q5_0,
    /// 32 codes of 5 bits, one scale and one minimum.
    Q5_1,
    /// 32 signed codes of 8 bits, one scale.
    Q8_0,
    /// 256 codes of 4 bits, a scale and a minimum of 6 bits for each 32.
    Q4K,
    /// 256 codes of 5 bits, a scale and a minimum of 6 bits for each 32.
    Q5K,
    /// 256 codes of 6 bits with zero point 32, a scale of 8 bits for each 16.
    Q6K,
}

impl BlockFormat {
    /// All block formats.
    pub const ALL: [BlockFormat; 8] = [
        BlockFormat::Q4_0,
        BlockFormat::Q4_1,
        BlockFormat::Q5_0,
        BlockFormat::Q5_1,
        BlockFormat::Q8_0,
        BlockFormat::Q4K,
        BlockFormat::Q5K,
        BlockFormat::Q6K,
    ];

    /// The name in ggml and GGUF.
    pub fn name(self) -> &'static str {
        match self {
            BlockFormat::Q4_0 => "Q4_0",
            BlockFormat::Q4_1 => "Q4_1",
            BlockFormat::Q5_0 => "Q5_0",
            BlockFormat::Q5_1 => "Q5_1",
            BlockFormat::Q8_0 => "Q8_0",
            BlockFormat::Q4K => "Q4_K",
            BlockFormat::Q5K => "Q5_K",
            BlockFormat::Q6K => "Q6_K",
        }
    }

    /// The number of weights in a block: 32 or 256.
    #[inline(always)]
    pub fn block_len(self) -> usize {
        match self {
            BlockFormat::Q4_0 | BlockFormat::Q4_1 | BlockFormat::Q5_0 | BlockFormat::Q5_1 | BlockFormat::Q8_0 => 32,
            BlockFormat::Q4K | BlockFormat::Q5K | BlockFormat::Q6K => 256,
        }
    }

    /// The size of a block in bytes.
    pub fn block_bytes(self) -> usize {
        match self {
            BlockFormat::Q4_0 => 18,
            BlockFormat::Q4_1 => 20,
            BlockFormat::Q5_0 => 22,
            BlockFormat::Q5_1 => 24,
            BlockFormat::Q8_0 => 34,
            BlockFormat::Q4K => 144,
            BlockFormat::Q5K => 176,
            BlockFormat::Q6K => 210,
        }
    }

    /// Returns the size in bytes of a row of `k` weights; [`Error::Shape`](crate::Error::Shape) unless `k` is a
    /// multiple of the block length.
    pub fn row_bytes(self, k: usize) -> Result<usize> {
        let operation = Operation("row_bytes");
        operation.multiple_of("weights of a row", self.block_len(), k)?;
        operation.area("blocks of a row", self.block_bytes(), k / self.block_len())
    }
}

/// The type of a stored tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// IEEE-754 binary32.
    F32,
    /// IEEE-754 binary16.
    F16,
    /// bfloat16, the upper half of a binary32.
    Bf16,
    /// Quantised in blocks.
    Block(BlockFormat),
}

impl ElementType {
    /// All element types.
    pub const ALL: [ElementType; 11] = [
        ElementType::F32,
        ElementType::F16,
        ElementType::Bf16,
        ElementType::Block(BlockFormat::Q4_0),
        ElementType::Block(BlockFormat::Q4_1),
        ElementType::Block(BlockFormat::Q5_0),
        ElementType::Block(BlockFormat::Q5_1),
        ElementType::Block(BlockFormat::Q8_0),
        ElementType::Block(BlockFormat::Q4K),
        ElementType::Block(BlockFormat::Q5K),
        ElementType::Block(BlockFormat::Q6K),
    ];

    /// The name in ggml and GGUF.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::F32 => "F32",
            ElementType::F16 => "F16",
            ElementType::Bf16 => "BF16",
            ElementType::Block(format) => format.name(),
        }
    }

    /// The number of elements in a block; 1 for plain types.
    pub fn block_len(self) -> usize {
        match self {
            ElementType::F32 | ElementType::F16 | ElementType::Bf16 => 1,
            ElementType::Block(format) => format.block_len(),
        }
    }

    /// The size of a block in bytes; that of an element for plain types.
    pub fn block_bytes(self) -> usize {
        match self {
            ElementType::F32 => 4,
            ElementType::F16 | ElementType::Bf16 => 2,
            ElementType::Block(format) => format.block_bytes(),
        }
    }

    /// Whether elements are stored as single numbers, not in blocks.
    pub fn is_plain(self) -> bool {
        !matches!(self, ElementType::Block(_))
    }

    /// The size in bytes of `elements` elements; `None` unless they are whole blocks and the size fits 64 bits.
    pub fn bytes(self, elements: u64) -> Option<u64> {
        let block = self.block_len() as u64;
        if !elements.is_multiple_of(block) {
            return None;
        }
        (elements / block).checked_mul(self.block_bytes() as u64)
    }

    /// Replaces the contents of `out` by the values of little-endian plain elements, exactly; an incomplete last
    /// element is ignored. Returns `false` and leaves `out` unchanged for block formats.
    pub fn decode_plain(self, bytes: &[u8], out: &mut Vec<f32>) -> bool {
        if !self.is_plain() {
            return false;
        }
        out.clear();
        match self {
            ElementType::F16 => out.extend(halves(bytes).map(f16_to_f32)),
            ElementType::Bf16 => out.extend(halves(bytes).map(bf16_to_f32)),
            _ => out.extend(singles(bytes)),
        }
        true
    }

    /// Whether all plain elements are finite; `true` for block formats, whose scales
    /// [`QuantMatrix::set_rows`](crate::quant::QuantMatrix::set_rows) checks.
    pub fn is_finite(self, bytes: &[u8]) -> bool {
        match self {
            ElementType::F32 => singles(bytes).all(f32::is_finite),
            ElementType::F16 => halves(bytes).all(f16_is_finite),
            ElementType::Bf16 => halves(bytes).all(|bits| bits & BF16_EXPONENT != BF16_EXPONENT),
            ElementType::Block(_) => true,
        }
    }
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]))
}

fn singles(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let values = bytes.chunks_exact(4);
    values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// The exponent's bits of a binary16; all are set in infinities and NaN.
const F16_EXPONENT: u16 = 0x7c00;
/// The exponent's bits of a bfloat16.
const BF16_EXPONENT: u16 = 0x7f80;

/// Whether a binary16 is neither an infinity nor NaN.
#[inline(always)]
pub fn f16_is_finite(bits: u16) -> bool {
    bits & F16_EXPONENT != F16_EXPONENT
}

/// The value of a binary16, exactly.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    if f16_is_finite(bits) {
        return finite_f16_to_f32(bits);
    }
    let bits = u32::from(bits);
    f32::from_bits((bits & 0x8000) << 16 | 0x7f80_0000 | (bits & 0x03ff) << 13)
}

/// The value of a finite binary16, exactly; unspecified for others.
///
/// The fields are moved into place and the difference of the biases, 112, is added to the exponent. A denormal first
/// gets a leading bit, which is then subtracted. (A product by 2^112 is exact too, but slow: its operand is denormal.)
#[inline(always)]
pub(crate) fn finite_f16_to_f32(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let moved = (bits & 0x7fff) << 13;
    let normal = moved + (112 << 23);
    let denormal = f32::from_bits(moved + (113 << 23)) - f32::from_bits(113 << 23);
    let magnitude = match bits & u32::from(F16_EXPONENT) {
        0 => denormal.to_bits(),
        _ => normal,
    };
    f32::from_bits(magnitude | (bits & 0x8000) << 16)
}

/// The binary16 nearest to a number of magnitude below 65520, ties to even.
pub(crate) fn f32_to_f16(x: f32) -> u16 {
    let sign = (x.to_bits() >> 16 & 0x8000) as u16;
    let magnitude = f32::from_bits(x.to_bits() & 0x7fff_ffff);
    // Adding a number 2^13 ulp larger rounds to a binary16's precision, ties to even; below the normal
    // numbers that precision is 2^-24.
    let exponent = (magnitude.to_bits() >> 23).max(113);
    let large = f32::from_bits((exponent + 13) << 23);
    let rounded = (magnitude + large) - large;
    let exact = rounded * f32::from_bits(0x0780_0000);
    sign | (exact.to_bits() >> 13) as u16
}

/// The value of a bfloat16, exactly.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value by IEEE-754's definition: sign, exponent, fraction.
    fn value(bits: u16) -> f64 {
        let fraction = f64::from(bits & 0x3ff);
        let magnitude = match bits >> 10 & 31 {
            31 if fraction == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            0 => fraction * 2f64.powi(-24),
            exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
        };
        if bits & 0x8000 == 0 {
            magnitude
        } else {
            -magnitude
        }
    }

    #[test]
    fn every_binary16_has_the_value_of_its_definition() {
        for bits in 0..=u16::MAX {
            let (found, expected) = (f16_to_f32(bits), value(bits));
            assert!(f64::from(found) == expected || (found.is_nan() && expected.is_nan()));
            assert_eq!(found.is_sign_negative(), bits >> 15 == 1);
            assert_eq!(f16_is_finite(bits), expected.is_finite());
        }
    }

    #[test]
    fn every_finite_binary16_is_the_nearest_to_its_value() {
        for bits in (0..=u16::MAX).filter(|bits| f16_is_finite(*bits)) {
            assert_eq!(f32_to_f16(f16_to_f32(bits)), bits);
        }
    }

    #[test]
    fn nearest_binary16_is_found_and_ties_go_to_even() {
        for bits in 0..0x7bff {
            let (low, high) = (f16_to_f32(bits), f16_to_f32(bits + 1));
            let middle = low + (high - low) / 2.0;
            assert_eq!(f32_to_f16(middle), bits + (bits & 1));
            assert_eq!(f32_to_f16(f32::from_bits(middle.to_bits() - 1)), bits);
            assert_eq!(f32_to_f16(f32::from_bits(middle.to_bits() + 1)), bits + 1);
        }
    }

    #[test]
    fn plain_elements_are_decoded_and_blocks_are_not() {
        let mut out = alloc::vec![7.0];
        assert!(!ElementType::Block(BlockFormat::Q8_0).decode_plain(&[0; 34], &mut out));
        assert_eq!(out, [7.0]);
        assert!(ElementType::F32.decode_plain(&1.5f32.to_le_bytes(), &mut out));
        assert_eq!(out, [1.5]);
        assert!(ElementType::F16.decode_plain(&[0x00, 0x3c, 0x00, 0xc0], &mut out));
        assert_eq!(out, [1.0, -2.0]);
        assert!(ElementType::Bf16.decode_plain(&[0x80, 0x3f, 0x00, 0xc0], &mut out));
        assert_eq!(out, [1.0, -2.0]);
    }

    #[test]
    fn infinities_and_nan_are_not_finite() {
        assert!(ElementType::F32.is_finite(&f32::MAX.to_le_bytes()));
        assert!(!ElementType::F32.is_finite(&f32::NAN.to_le_bytes()));
        assert!(ElementType::F16.is_finite(&[0xff, 0x7b]));
        assert!(!ElementType::F16.is_finite(&[0xff, 0x7b, 0x00, 0xfc]));
        assert!(ElementType::Bf16.is_finite(&[0x7f, 0x7f]));
        assert!(!ElementType::Bf16.is_finite(&[0x80, 0x7f]));
    }

    #[test]
    fn sizes_are_those_of_whole_blocks() {
        for element in ElementType::ALL {
            let block = element.block_len() as u64;
            assert_eq!(element.bytes(3 * block), Some(3 * element.block_bytes() as u64));
            assert_eq!(element.bytes(block + 1).is_some(), element.is_plain());
        }
        assert_eq!(ElementType::F32.bytes(u64::MAX), None);
    }
}
