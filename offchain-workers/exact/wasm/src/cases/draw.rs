// SPDX-License-Identifier: Apache-2.0
//! The random generator of the cases' inputs, and the digest of their results.

use alloc::vec::Vec;

/// Pseudorandom sizes and numbers from a seed (SplitMix64), independent of the machine's word size.
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
    /// Creates the generator of a seed.
    pub fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    /// Returns a random word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns an integer below a positive limit.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit as u64) as usize
    }

    /// Returns an integer in `low..=high`.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high + 1 - low)
    }

    /// Returns a random key.
    pub fn key(&mut self) -> [u8; 32] {
        core::array::from_fn(|_| self.word() as u8)
    }

    /// Returns random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.word() as u8).collect()
    }

    /// Returns a multiple of 2^-24 in [0, 1).
    pub fn fraction(&mut self) -> f32 {
        (self.word() >> 40) as f32 / 16_777_216.0
    }

    /// Returns a number in [-4, 4), sometimes a zero, a denormal or another edge case.
    fn moderate_number(&mut self) -> f32 {
        match self.below(12) {
            0 => f32::from_bits(SPECIAL[self.below(SPECIAL.len())]),
            1 => f32::from_bits(self.word() as u32 & 0x807f_ffff),
            _ => (self.fraction() - 0.5) * 8.0,
        }
    }

    /// Returns numbers in [-4, 4) and some edge cases.
    pub fn moderate(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.moderate_number()).collect()
    }

    /// Returns numbers of one of four kinds: moderate ones (the most frequent kind), numbers of all exponents around 1,
    /// moderate ones mixed with huge and infinite ones, or moderate ones and one NaN.
    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        let kind = self.below(24);
        let mut numbers = self.moderate(count);
        match kind {
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

    /// Returns positive numbers less than 2, sometimes 0.
    pub fn positive(&mut self, count: usize) -> Vec<f32> {
        let number = |_| match self.below(20) {
            0 => 0.0,
            _ => 2.0 * self.fraction(),
        };
        (0..count).map(number).collect()
    }

    /// Returns indices below a positive limit.
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

    /// Adds the bytes of a text.
    pub fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.word(u64::from(byte)));
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

    /// Returns the digest of everything that was added.
    pub fn finish(&self) -> u64 {
        self.0
    }
}
