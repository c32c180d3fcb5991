// SPDX-License-Identifier: Apache-2.0
//! Assignment of the sequences of a corpus to the workers of a round by a keyed permutation. Any party can recompute
//! it; workers get disjoint data and cannot choose it.
//!
//! The permutation of `0..n` is a four-round Feistel network over the smallest even number of bits that represents
//! `n - 1`, with cycle walking (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). The round function is
//! BLAKE2b over (seed, round, half).

use alloc::vec::Vec;
use codec::Encode;
use sp_core::H256;
use sp_crypto_hashing::blake2_64;

/// A permutation of `0..n` keyed by a seed.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    seed: H256,
    n: u64,
    half_bits: u32,
}

impl Permutation {
    /// Returns the permutation of `0..n` under `seed`, or `None` if n = 0 or n > 2^62.
    pub fn new(seed: H256, n: u64) -> Option<Self> {
        if n == 0 || n > 1 << 62 {
            return None;
        }
        let bits = 64 - (n - 1).leading_zeros();
        Some(Self {
            seed,
            n,
            half_bits: bits.div_ceil(2).max(1),
        })
    }

    /// Applies the Feistel network once. The result can be `n` or more.
    fn feistel(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for round in 0u8..4 {
            let mixed = u64::from_le_bytes((self.seed, round, right).using_encoded(blake2_64)) & mask;
            (left, right) = (right, left ^ mixed);
        }
        left << self.half_bits | right
    }

    /// Returns the image of `index` modulo n.
    pub fn apply(&self, index: u64) -> u64 {
        let mut value = self.feistel(index % self.n);
        while value >= self.n {
            value = self.feistel(value);
        }
        value
    }
}

/// The sequences that one round uses. Worker w has the images of the indices w * m .. (w + 1) * m under the permutation,
/// where m is the number of sequences per worker; held-out sequences are images of later indices. All of them are
/// disjoint if the corpus is large enough.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    permutation: Permutation,
    workers: u64,
    per_worker: u64,
}

impl Assignment {
    /// Returns the assignment of a round, or `None` if the corpus is empty or too large. `sequences`: number of
    /// sequences in the corpus; `per_worker`: number of sequences of each worker.
    pub fn new(seed: H256, sequences: u64, workers: u32, per_worker: u64) -> Option<Self> {
        let permutation = Permutation::new(seed, sequences)?;
        Some(Self {
            permutation,
            workers: u64::from(workers),
            per_worker,
        })
    }

    /// Returns the index of the `at`-th sequence of worker `worker`, both from 0.
    pub fn sequence(&self, worker: u32, at: u64) -> u64 {
        self.permutation
            .apply(u64::from(worker) * self.per_worker + at % self.per_worker.max(1))
    }

    /// Returns the indices of `count` held-out sequences, selected by the seed `draw` among those that no worker has;
    /// fewer if there are fewer.
    pub fn held_out(&self, draw: H256, count: u32) -> Vec<u64> {
        let used = self.workers * self.per_worker;
        let free = self.permutation.n.saturating_sub(used);
        let Some(selection) = Permutation::new(draw, free) else {
            return Vec::new();
        };
        (0..u64::from(count).min(free))
            .map(|i| self.permutation.apply(used + selection.apply(i)))
            .collect()
    }

    /// Returns the hash of everything that determines the sequences of a worker.
    pub fn commitment(&self, worker: u32) -> H256 {
        let p = &self.permutation;
        (
            b"agorai/assignment/1",
            p.seed,
            p.n,
            self.workers,
            self.per_worker,
            worker,
        )
            .using_encoded(sp_crypto_hashing::blake2_256)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn permutation_hits_every_value_once(n in 1u64..700, seed in any::<[u8; 32]>()) {
            let permutation = Permutation::new(H256(seed), n).unwrap();
            let seen: BTreeSet<_> = (0..n).map(|i| permutation.apply(i)).collect();
            prop_assert_eq!(seen.len() as u64, n);
            prop_assert!(seen.iter().all(|v| *v < n));
        }

        #[test]
        fn workers_and_held_out_data_are_disjoint(workers in 1u32..6, per in 1u64..20, spare in 5u64..50, seed in any::<[u8; 32]>()) {
            let n = u64::from(workers) * per + spare;
            let assignment = Assignment::new(H256(seed), n, workers, per).unwrap();
            let mut seen = BTreeSet::new();
            for worker in 0..workers {
                for at in 0..per {
                    prop_assert!(seen.insert(assignment.sequence(worker, at)));
                }
            }
            for held in assignment.held_out(H256([5; 32]), 5) {
                prop_assert!(seen.insert(held));
            }
        }
    }

    #[test]
    fn empty_permutation_is_refused() {
        assert!(Permutation::new(H256::zero(), 0).is_none());
        assert!(Permutation::new(H256::zero(), 1).is_some());
    }
}
