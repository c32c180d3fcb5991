// SPDX-License-Identifier: Apache-2.0
//! Decoding of one block of each [`BlockFormat`].

use alloc::vec::Vec;

use super::block::BLOCK;
use crate::element::{f16_is_finite, f32_to_f16, finite_f16_to_f32, BlockFormat};
use crate::error::{Error, Operation, Result};

/// The number of bits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codes {
    U4,
    U5,
    U6,
    U8,
}

/// The encoding of the scales of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scales {
    /// A binary16 scale for each block.
    Half,
    /// A binary16 scale and minimum for each block.
    HalfMin,
    /// For each 256 weights a binary16 factor of the scales and one of the minima; for each 32 an integer scale and
    /// minimum.
    Super,
    /// For each 256 weights a binary16 factor of the scales; for each 16 a signed integer scale.
    Super16,
}

/// The number of weights of the longest block.
pub(super) const MAX_BLOCK: usize = 256;

/// A decoded block.
pub(super) struct Decoded {
    /// Unsigned codes; those of Q8_0 plus 128.
    pub codes: [u8; MAX_BLOCK],
    /// The binary16 scale and minimum.
    pub d: u16,
    pub min: u16,
    /// The integer scales (the bits of an i8 in Q6_K) and minima of the groups.
    pub scales: [u8; 16],
    pub mins: [u8; 8],
}

impl Decoded {
    /// Returns scale and minimum of a group of a block of this format.
    pub(super) fn scale(&self, format: BlockFormat, group: usize) -> (f32, f32) {
        let (d, min) = (finite_f16_to_f32(self.d), finite_f16_to_f32(self.min));
        match format.scales() {
            Scales::Half => (d, 0.0),
            Scales::HalfMin => (d, -min),
            Scales::Super => (d * f32::from(self.scales[group]), min * f32::from(self.mins[group])),
            Scales::Super16 => (d * f32::from(self.scales[group] as i8), 0.0),
        }
    }
}

impl BlockFormat {
    /// Returns the zero point: the code of zero.
    pub(super) fn zero_point(self) -> i32 {
        match self {
            BlockFormat::Q4_0 => 8,
            BlockFormat::Q5_0 => 16,
            BlockFormat::Q6K => 32,
            BlockFormat::Q8_0 => 128,
            _ => 0,
        }
    }

    /// Returns the number of weights that share a scale.
    pub(super) fn group_len(self) -> usize {
        match self.scales() {
            Scales::Super16 => 16,
            _ => BLOCK,
        }
    }

    /// Returns whether groups have a minimum besides the scale.
    pub(super) fn has_mins(self) -> bool {
        matches!(self.scales(), Scales::HalfMin | Scales::Super)
    }

    /// Returns the encoding of the codes.
    pub(super) fn codes(self) -> Codes {
        match self {
            BlockFormat::Q4_0 | BlockFormat::Q4_1 | BlockFormat::Q4K => Codes::U4,
            BlockFormat::Q5_0 | BlockFormat::Q5_1 | BlockFormat::Q5K => Codes::U5,
            BlockFormat::Q6K => Codes::U6,
            BlockFormat::Q8_0 => Codes::U8,
        }
    }

    /// Returns the encoding of the scales.
    pub(super) fn scales(self) -> Scales {
        match self {
            BlockFormat::Q4_0 | BlockFormat::Q5_0 | BlockFormat::Q8_0 => Scales::Half,
            BlockFormat::Q4_1 | BlockFormat::Q5_1 => Scales::HalfMin,
            BlockFormat::Q4K | BlockFormat::Q5K => Scales::Super,
            BlockFormat::Q6K => Scales::Super16,
        }
    }

    /// Decodes a block of [`BlockFormat::block_bytes`]; [`Error::NotFinite`] if its scale or minimum is not finite.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Decoded> {
        Operation("decode").exactly("bytes of a block", self.block_bytes(), bytes.len())?;
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let mut block = Decoded {
            codes: [0; MAX_BLOCK],
            d: half(0),
            min: 0,
            scales: [0; 16],
            mins: [0; 8],
        };
        match self {
            BlockFormat::Q4_0 => nibbles(&bytes[2..18], &mut block.codes),
            BlockFormat::Q4_1 => {
                block.min = half(2);
                nibbles(&bytes[4..20], &mut block.codes);
            }
            BlockFormat::Q5_0 => {
                nibbles(&bytes[6..22], &mut block.codes);
                fifth_bits(&bytes[2..6], &mut block.codes);
            }
            BlockFormat::Q5_1 => {
                block.min = half(2);
                nibbles(&bytes[8..24], &mut block.codes);
                fifth_bits(&bytes[4..8], &mut block.codes);
            }
            BlockFormat::Q8_0 => {
                for (code, byte) in block.codes.iter_mut().zip(&bytes[2..]) {
                    *code = byte ^ 0x80;
                }
            }
            BlockFormat::Q4K | BlockFormat::Q5K => {
                block.min = half(2);
                six_bits(&bytes[4..16], &mut block);
                let fifths = self == BlockFormat::Q5K;
                let (high, low) = bytes[16..].split_at(if fifths { 32 } else { 0 });
                for (pair, low) in low.chunks_exact(32).enumerate() {
                    let codes = &mut block.codes[64 * pair..][..64];
                    nibbles(low, codes);
                    for (i, code) in codes.iter_mut().enumerate().take(64 * usize::from(fifths)) {
                        *code |= (high[i % 32] >> (2 * pair + i / 32) & 1) << 4;
                    }
                }
            }
            BlockFormat::Q6K => {
                block.d = half(208);
                block.scales.copy_from_slice(&bytes[192..208]);
                for half in 0..2 {
                    let low = &bytes[64 * half..][..64];
                    let high = &bytes[128 + 32 * half..][..32];
                    for i in 0..128 {
                        let nibble = low[i % 64] >> (4 * (i / 64)) & 15;
                        let bits = high[i % 32] >> (2 * (i / 32)) & 3;
                        block.codes[128 * half + i] = nibble | bits << 4;
                    }
                }
            }
        }
        if f16_is_finite(block.d) && f16_is_finite(block.min) {
            Ok(block)
        } else {
            Err(Error::NotFinite)
        }
    }
}

/// Unpacks nibbles: the low ones are the first half of the codes, the high ones the second half.
fn nibbles(bytes: &[u8], codes: &mut [u8]) {
    let (low, high) = codes[..2 * bytes.len()].split_at_mut(bytes.len());
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = byte & 15;
        *high = byte >> 4;
    }
}

/// Sets the fifth bit of code i to bit i.
fn fifth_bits(bytes: &[u8], codes: &mut [u8]) {
    for (i, code) in codes.iter_mut().take(32).enumerate() {
        *code |= (bytes[i / 8] >> (i % 8) & 1) << 4;
    }
}

/// Unpacks eight scales and eight minima of six bits from twelve bytes: the first four of each are the low bits
/// of bytes 0..4 and 4..8; of the others, the low four bits are the nibbles of bytes 8..12 and the high two bits
/// the high bits of bytes 0..4 and 4..8.
fn six_bits(bytes: &[u8], block: &mut Decoded) {
    for i in 0..4 {
        block.scales[i] = bytes[i] & 63;
        block.mins[i] = bytes[i + 4] & 63;
        block.scales[i + 4] = bytes[i + 8] & 15 | bytes[i] >> 6 << 4;
        block.mins[i + 4] = bytes[i + 8] >> 4 | bytes[i + 4] >> 6 << 4;
    }
}

/// Encodes `x`, a multiple of 32 elements, as Q8_0. For each block of 32 with largest magnitude `amax` the scale is the
/// binary16 nearest to `amax / 127`, and the codes are `x / scale` rounded to the nearest integer, ties to even,
/// clamped to 127 in magnitude. [`Error::NotFinite`] unless all elements and scales are finite.
pub fn quantise_q8_0(x: &[f32]) -> Result<Vec<u8>> {
    Operation("quantise_q8_0").multiple_of("elements of x", BLOCK, x.len())?;
    let mut bytes = Vec::with_capacity(x.len() / BLOCK * BlockFormat::Q8_0.block_bytes());
    for block in x.chunks_exact(BLOCK) {
        let mut amax = 0.0f32;
        for x in block {
            if !x.is_finite() {
                return Err(Error::NotFinite);
            }
            amax = amax.max(f32::from_bits(x.to_bits() & 0x7fff_ffff));
        }
        let scale = amax / 127.0;
        if scale >= 65_504.0 {
            return Err(Error::NotFinite);
        }
        let half = f32_to_f16(scale);
        let scale = finite_f16_to_f32(half);
        bytes.extend_from_slice(&half.to_le_bytes());
        for x in block {
            let ratio = if scale == 0.0 { 0.0 } else { x / scale };
            let ratio = ratio.clamp(-127.0, 127.0);
            let rounded = (ratio + 12_582_912.0) - 12_582_912.0;
            bytes.push(rounded as i8 as u8);
        }
    }
    Ok(bytes)
}
