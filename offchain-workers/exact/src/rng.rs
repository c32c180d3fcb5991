// SPDX-License-Identifier: Apache-2.0
//! Counter-based random numbers: ChaCha20 (RFC 8439) with the seed as key and the position as nonce.
//!
//! Any word can be computed without the others, so checking one position needs no other position.

use crate::error::Result;
use crate::simd::{Lanes, LANES};
use crate::Isa;

/// Returns the state of ChaCha20 before its rounds (RFC 8439, section 2.3).
fn initial(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> [u32; 16] {
    let mut input = [0u32; 16];
    // "expand 32-byte k"
    input[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    for (to, from) in input[4..12].iter_mut().zip(key.chunks_exact(4)) {
        *to = word(from);
    }
    input[12] = counter;
    for (to, from) in input[13..].iter_mut().zip(nonce.chunks_exact(4)) {
        *to = word(from);
    }
    input
}

/// Returns the sixteen words of a ChaCha20 block (RFC 8439, section 2.3).
pub fn chacha20_block(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> [u32; 16] {
    let input = initial(key, counter, nonce);
    let mut state = input;
    for _ in 0..10 {
        for column in 0..4 {
            quarter_round(&mut state, [column, column + 4, column + 8, column + 12]);
        }
        for d in 0..4 {
            quarter_round(&mut state, [d, 4 + (d + 1) % 4, 8 + (d + 2) % 4, 12 + (d + 3) % 4]);
        }
    }
    for (word, start) in state.iter_mut().zip(input) {
        *word = word.wrapping_add(start);
    }
    state
}

#[inline(always)]
fn quarter_round(s: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    s[a] = s[a].wrapping_add(s[b]);
    s[d] = (s[d] ^ s[a]).rotate_left(16);
    s[c] = s[c].wrapping_add(s[d]);
    s[b] = (s[b] ^ s[c]).rotate_left(12);
    s[a] = s[a].wrapping_add(s[b]);
    s[d] = (s[d] ^ s[a]).rotate_left(8);
    s[c] = s[c].wrapping_add(s[d]);
    s[b] = (s[b] ^ s[c]).rotate_left(7);
}

/// Returns sixteen blocks with consecutive counters: word w of block b at `[w][b]`. Each lane computes
/// [`chacha20_block`]; in this form the compiler vectorises each statement.
#[inline(always)]
fn blocks(input: &[u32; 16]) -> [[u32; LANES]; 16] {
    let mut first = input.map(|word| [word; LANES]);
    for (lane, counter) in first[12].iter_mut().enumerate() {
        *counter = counter.wrapping_add(lane as u32);
    }
    let mut s = first;
    for _ in 0..10 {
        for column in 0..4 {
            quarter_rounds(&mut s, [column, column + 4, column + 8, column + 12]);
        }
        for d in 0..4 {
            quarter_rounds(&mut s, [d, 4 + (d + 1) % 4, 8 + (d + 2) % 4, 12 + (d + 3) % 4]);
        }
    }
    for (words, first) in s.iter_mut().zip(&first) {
        for (word, first) in words.iter_mut().zip(first) {
            *word = word.wrapping_add(*first);
        }
    }
    s
}

/// [`quarter_round`] in every lane.
#[inline(always)]
fn quarter_rounds(s: &mut [[u32; LANES]; 16], [a, b, c, d]: [usize; 4]) {
    for (x, y, z, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        let (mut sum, mut mixed) = (s[x], s[z]);
        for ((sum, mixed), add) in sum.iter_mut().zip(&mut mixed).zip(s[y]) {
            *sum = sum.wrapping_add(add);
            *mixed = (*mixed ^ *sum).rotate_left(by);
        }
        s[x] = sum;
        s[z] = mixed;
    }
}

/// Returns the number strictly between 0 and 1 of a word: (its upper 23 bits + 1/2) * 2^-23, exact in binary32.
#[inline(always)]
fn uniform(word: u32) -> f32 {
    (((word >> 9) << 1) | 1) as i32 as f32 * (1.0 / 16_777_216.0)
}

/// Writes [`Words::uniform`] of the indices `first`, `first + 1`, ... to `out`; `first` is a multiple of 256.
pub(crate) fn uniforms(isa: Isa, seed: &[u8; 32], position: u64, first: u32, out: &mut [f32]) {
    #[inline(always)]
    fn body<V: Lanes>(mut input: [u32; 16], out: &mut [f32]) -> Result<()> {
        for out in out.chunks_mut(16 * LANES) {
            let words = blocks(&input);
            for (block, out) in out.chunks_mut(16).enumerate() {
                for (to, words) in out.iter_mut().zip(&words) {
                    *to = uniform(words[block]);
                }
            }
            input[12] = input[12].wrapping_add(LANES as u32);
        }
        Ok(())
    }
    let input = initial(seed, first / 16, &nonce(position));
    // The body always succeeds.
    let _ = dispatch!(isa, body(input: [u32; 16], out: &mut [f32]) -> Result<()>);
}

/// Returns the nonce of a position: four zero bytes and the position, little endian.
fn nonce(position: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&position.to_le_bytes());
    nonce
}

/// The random words of one position: word `i` is word `i mod 16` of ChaCha20 block `i / 16`.
#[derive(Clone, Debug)]
pub struct Words {
    seed: [u8; 32],
    nonce: [u8; 12],
    block: Option<(u32, [u32; 16])>,
}

impl Words {
    /// Creates the generator of a position: the key is the seed, the nonce four zero bytes and the position, little
    /// endian.
    pub fn new(seed: [u8; 32], position: u64) -> Words {
        Words {
            seed,
            nonce: nonce(position),
            block: None,
        }
    }

    /// Returns the word with this index.
    pub fn word(&mut self, index: u32) -> u32 {
        let counter = index / 16;
        let block = match self.block {
            Some((at, block)) if at == counter => block,
            _ => chacha20_block(&self.seed, counter, &self.nonce),
        };
        self.block = Some((counter, block));
        block[index as usize % 16]
    }

    /// Returns a number strictly between 0 and 1 from the word with this index: (its upper 23 bits + 1/2) * 2^-23,
    /// exact in binary32.
    pub fn uniform(&mut self, index: u32) -> f32 {
        uniform(self.word(index))
    }
}
