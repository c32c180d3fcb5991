// SPDX-License-Identifier: Apache-2.0
//! Types of a tensor's elements, with the numbers that GGUF gives them.

use crate::weights::extend_from_le_bytes;

/// How the elements of a tensor are stored: plain floating point, or in blocks that share scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// IEEE-754 binary32.
    F32,
    /// IEEE-754 binary16.
    F16,
    /// The upper half of a binary32.
    Bf16,
    /// 32 codes of 4 bits, one scale.
    Q4_0,
    /// 32 codes of 4 bits, one scale and one minimum.
    Q4_1,
    /// 32 codes of 5 bits, one scale.
    Q5_0,
    /// 32 codes of 5 bits, one scale and one minimum.
    Q5_1,
    /// 32 codes of 8 bits, one scale.
    Q8_0,
    /// 256 codes of 4 bits, scales and minima of 6 bits for each 32.
    Q4K,
    /// 256 codes of 5 bits, scales and minima of 6 bits for each 32.
    Q5K,
    /// 256 codes of 6 bits, scales of 8 bits for each 16.
    Q6K,
}

use ElementType::*;

/// All types: GGUF's number, name, elements and bytes of a block.
const TYPES: [(ElementType, u32, &str, usize, usize); 11] = [
    (F32, 0, "F32", 1, 4),
    (F16, 1, "F16", 1, 2),
    (Bf16, 30, "BF16", 1, 2),
    (Q4_0, 2, "Q4_0", 32, 18),
    (Q4_1, 3, "Q4_1", 32, 20),
    (Q5_0, 6, "Q5_0", 32, 22),
    (Q5_1, 7, "Q5_1", 32, 24),
    (Q8_0, 8, "Q8_0", 32, 34),
    (Q4K, 12, "Q4_K", 256, 144),
    (Q5K, 13, "Q5_K", 256, 176),
    (Q6K, 14, "Q6_K", 256, 210),
];

impl ElementType {
    fn row(self) -> (ElementType, u32, &'static str, usize, usize) {
        // The order of TYPES is that of the variants; a test compares them.
        TYPES[self as usize]
    }

    /// The type with GGUF's number.
    pub fn from_number(number: u32) -> Option<Self> {
        TYPES.iter().find(|t| t.1 == number).map(|t| t.0)
    }

    /// The plain type with a name of safetensors.
    pub fn from_name(name: &str) -> Option<Self> {
        TYPES[..3].iter().find(|t| t.2 == name).map(|t| t.0)
    }

    /// GGUF's number.
    pub fn number(self) -> u32 {
        self.row().1
    }

    /// The usual name.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Elements of a block; 1 for plain types.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Whether each element stands for itself.
    pub fn is_plain(self) -> bool {
        self.block_len() == 1
    }

    /// Bytes of so many elements, where they are whole blocks and fit 64 bits.
    pub fn bytes(self, elements: u64) -> Option<u64> {
        let block = self.block_len() as u64;
        if !elements.is_multiple_of(block) {
            return None;
        }
        (elements / block).checked_mul(self.block_bytes() as u64)
    }
}

impl ElementType {
    /// Replaces `out` by the values of plain elements, exactly; without effect, and false, for those in
    /// blocks.
    pub fn values(self, bytes: &[u8], out: &mut Vec<f32>) -> bool {
        let halves = || {
            let pairs = bytes.chunks_exact(2);
            pairs.map(|b| u16::from_le_bytes([b[0], b[1]]))
        };
        if !self.is_plain() {
            return false;
        }
        out.clear();
        match self {
            F16 => out.extend(halves().map(f16_to_f32)),
            Bf16 => out.extend(halves().map(bf16_to_f32)),
            _ => extend_from_le_bytes(out, bytes),
        }
        true
    }

    /// Whether no plain element is an infinity or not a number; true for those in blocks.
    pub fn is_finite(self, bytes: &[u8]) -> bool {
        // All bits of the exponent are set in what is not finite.
        let halves = |exponent: u16| {
            let mut pairs = bytes.chunks_exact(2);
            pairs.all(|b| u16::from_le_bytes([b[0], b[1]]) & exponent != exponent)
        };
        match self {
            F32 => bytes
                .chunks_exact(4)
                .all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite()),
            F16 => halves(0x7c00),
            Bf16 => halves(0x7f80),
            _ => true,
        }
    }
}

/// The value of a binary16, exactly.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    match exponent {
        // Denormals are multiples of 2^-24: the product is exact.
        0 => f32::from_bits(sign | (fraction as f32 * f32::from_bits(0x3380_0000)).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// The value of a bfloat16, exactly.
pub fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_their_numbers() {
        for (index, (element, number, name, ..)) in TYPES.into_iter().enumerate() {
            assert_eq!(element as usize, index);
            assert_eq!(ElementType::from_number(number), Some(element));
            assert_eq!((element.number(), element.name()), (number, name));
        }
        assert_eq!(ElementType::from_number(99), None);
        assert_eq!(ElementType::from_name("Q8_0"), None);
    }

    #[test]
    fn every_binary16_has_the_value_of_its_definition() {
        for bits in 0..=u16::MAX {
            let value = f16_to_f32(bits);
            let exponent = i32::from(bits >> 10 & 0x1f);
            let fraction = f64::from(bits & 0x3ff);
            let expected = match exponent {
                0x1f if fraction == 0.0 => f64::INFINITY,
                0x1f => f64::NAN,
                0 => fraction * 2f64.powi(-24),
                _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
            };
            assert!(f64::from(value.abs()) == expected || (value.is_nan() && expected.is_nan()));
            assert_eq!(value.is_sign_negative(), bits >> 15 == 1);
        }
    }
}
