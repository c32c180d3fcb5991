// SPDX-License-Identifier: Apache-2.0
//! What cases are drawn from, and what their results are written to.

use alloc::vec::Vec;

/// Sizes and numbers from a seed, the same on machines of any word size (SplitMix64).
pub struct Draw(u64);

const SPECIAL: [u32; 16] = [
    0x0000_0000, // +0.0
    0x8000_0000, // -0.0
    0x0000_0001, // the smallest denormals
    0x8000_0001,
    0x007f_ffff, // the largest denormals
    0x807f_ffff,
    0x0080_0000, // the smallest normal numbers
    0x8080_0000,
    0x3f80_0000, // 1 and its neighbours
    0x3f80_0001,
    0x3f7f_ffff,
    0xbf80_0000, // -1
    0x3f00_0000, // 1/2
    0x4b7f_ffff, // 2^24 - 1
    0x4b80_0000, // 2^24
    0x3400_0000, // 2^-23
];

const EXTREME: [u32; 6] = [
    0x7f7f_ffff, // the largest numbers
    0xff7f_ffff,
    0x7f80_0000, // infinities
    0xff80_0000,
    0x60ad_78ec, // 1e20, whose square overflows
    0x1e3c_e508, // 1e-20, whose square is denormal
];

impl Draw {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// Any bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a positive limit.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit as u64) as usize
    }

    /// A number from `low` to `high`, both possible.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// A key.
    pub fn key(&mut self) -> [u8; 32] {
        core::array::from_fn(|_| self.word() as u8)
    }

    /// Any bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.word() as u8).collect()
    }

    /// One of [0, 1), a multiple of 2^-24.
    pub fn fraction(&mut self) -> f32 {
        (self.word() >> 40) as f32 / 16_777_216.0
    }

    /// One of [-4, 4), or now and then a zero, a denormal, or another number with edges.
    fn moderate_number(&mut self) -> f32 {
        match self.below(12) {
            0 => f32::from_bits(SPECIAL[self.below(SPECIAL.len())]),
            1 => f32::from_bits(self.word() as u32 & 0x807f_ffff),
            _ => (self.fraction() - 0.5) * 8.0,
        }
    }

    /// Moderate numbers.
    pub fn moderate(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.moderate_number()).collect()
    }

    /// Numbers of one of four sorts: mostly moderate ones, or of all exponents around 1, or huge and
    /// infinite ones among the moderate, or one that is not a number.
    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        let sort = self.below(24);
        let mut numbers = self.moderate(count);
        match sort {
            0..=15 => {}
            16..=21 => {
                for x in &mut numbers {
                    let exponent = self.within(127 - 30, 127 + 30) as u32;
                    let bits = (self.word() as u32 & 0x807f_ffff) | (exponent << 23);
                    *x = f32::from_bits(bits);
                }
            }
            22 => {
                for x in &mut numbers {
                    match self.below(8) {
                        0 => *x = f32::from_bits(EXTREME[self.below(EXTREME.len())]),
                        1 => *x = f32::from_bits(self.word() as u32 & 0xff7f_ffff),
                        _ => {}
                    }
                }
            }
            _ => {
                if count > 0 {
                    let at = self.below(count);
                    let payload = self.word() as u32 & 0x807f_ffff;
                    numbers[at] = f32::from_bits(0x7f80_0001 | payload);
                }
            }
        }
        numbers
    }

    /// Positive numbers of less than 2, and 0 now and then.
    pub fn positive(&mut self, count: usize) -> Vec<f32> {
        let number = |_| match self.below(20) {
            0 => 0.0,
            _ => 2.0 * self.fraction(),
        };
        (0..count).map(number).collect()
    }

    /// Indices below a positive limit.
    pub fn indices(&mut self, count: usize, limit: usize) -> Vec<u32> {
        (0..count).map(|_| self.below(limit) as u32).collect()
    }
}

/// FNV-1a, 64 bits, over words.
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds a word.
    pub fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds the bits of numbers.
    pub fn numbers(&mut self, numbers: &[f32]) {
        for x in numbers {
            self.word(u64::from(x.to_bits()));
        }
    }

    /// Adds the bits of several vectors.
    pub fn vectors(&mut self, vectors: &[&[f32]]) {
        vectors.iter().for_each(|x| self.numbers(x));
    }

    /// The digest of all that was added.
    pub fn finish(&self) -> u64 {
        self.0
    }
}
