// SPDX-License-Identifier: Apache-2.0
//! Recipes of training and the contributions of a round.

use crate::{BlobId, Shard};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Most workers in one round.
pub const MAX_WORKERS: u32 = 32;
/// Most audited segments in one round of one worker.
pub const MAX_SEGMENTS: u32 = 64;

/// How one worker trains in one round. Rates are in millionths, so that they are exact on the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Recipe {
    /// Inner AdamW steps of a round (H).
    pub inner_steps: u32,
    /// Inner steps after which the full training state is hashed; divides `inner_steps`.
    pub segment_steps: u32,
    /// Sequences of a step.
    pub batch: u32,
    /// Tokens of a sequence.
    pub sequence: u32,
    /// Highest inner learning rate, in millionths.
    pub rate_micros: u32,
    /// Steps of linear warm-up at the start of the plan.
    pub warmup_steps: u32,
    /// Sequences on which a contribution is scored.
    pub held_out: u32,
    /// How the pseudo-gradient is compressed.
    pub compression: Compression,
    /// Outer learning rate, in millionths; 1_000_000 = averaging.
    pub outer_rate_micros: u32,
}

/// How a pseudo-gradient is compressed (SparseLoCo-shaped; the source is in the engine's `compress`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Compression {
    /// All values in binary32.
    Dense,
    /// The `top` largest of every chunk of 4096, in 2 bits each, with error feedback.
    TopK {
        /// Values kept of each chunk of 4096.
        top: u16,
    },
}

/// What is wrong with a [`Recipe`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum RecipeError {
    /// A size is zero.
    Zero,
    /// A size is beyond what this network computes.
    TooLarge,
    /// `segment_steps` does not divide `inner_steps`, or makes more than [`MAX_SEGMENTS`].
    SegmentsDoNotDivideSteps,
    /// A rate is zero or above 10.
    RateOutOfRange,
}

impl Recipe {
    /// The recipe of the demonstration.
    pub const SMALL: Self = Self {
        inner_steps: 16,
        segment_steps: 8,
        batch: 4,
        sequence: 64,
        rate_micros: 3_000,
        warmup_steps: 4,
        held_out: 16,
        compression: Compression::TopK { top: 512 },
        outer_rate_micros: 1_000_000,
    };

    /// Refuses recipes that no engine could run.
    pub fn validate(&self) -> Result<(), RecipeError> {
        use RecipeError::*;
        let top = match self.compression {
            Compression::Dense => 1,
            Compression::TopK { top } => u32::from(top),
        };
        let sizes = [
            (self.inner_steps, 10_000),
            (self.segment_steps, 10_000),
            (self.batch, 1_024),
            (self.sequence, 1 << 15),
            (self.held_out, 1_024),
            (top, 4_096),
        ];
        if sizes.iter().any(|(size, _)| *size == 0) {
            return Err(Zero);
        }
        if sizes.iter().any(|(size, most)| size > most) || self.warmup_steps > 1_000_000 {
            return Err(TooLarge);
        }
        if !self.inner_steps.is_multiple_of(self.segment_steps) || self.segments() > MAX_SEGMENTS {
            return Err(SegmentsDoNotDivideSteps);
        }
        if [self.rate_micros, self.outer_rate_micros]
            .iter()
            .any(|r| *r == 0 || *r > 10_000_000)
        {
            return Err(RateOutOfRange);
        }
        Ok(())
    }

    /// Audited segments of a round.
    pub fn segments(&self) -> u32 {
        self.inner_steps / self.segment_steps.max(1)
    }

    /// Sequences that one worker uses in one round.
    pub fn sequences_per_worker(&self) -> u64 {
        u64::from(self.inner_steps) * u64::from(self.batch)
    }
}

/// The data of a plan: shards in order, read as one run of bytes per shard.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Corpus {
    /// Shards in order.
    pub shards: Vec<Shard>,
}

impl Corpus {
    /// Whole sequences of `tokens` + 1 bytes (input and shifted target) in the corpus; none crosses a shard.
    pub fn sequences(&self, tokens: u32) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.bytes / (u64::from(tokens) + 1))
            .sum()
    }

    /// Shard index and byte offset of a sequence, or `None` beyond the end.
    pub fn locate(&self, tokens: u32, sequence: u64) -> Option<(usize, u64)> {
        let bytes = u64::from(tokens) + 1;
        let mut left = sequence;
        for (index, shard) in self.shards.iter().enumerate() {
            let here = shard.bytes / bytes;
            if left < here {
                return Some((index, left * bytes));
            }
            left -= here;
        }
        None
    }
}

/// What a worker commits to at the end of a round's training.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Contribution {
    /// The compressed pseudo-gradient.
    pub payload: BlobId,
    /// Its length.
    pub payload_bytes: u64,
    /// The error-feedback buffer after this round, as a blob.
    pub error_feedback: BlobId,
    /// The full training state (parameters and moments) after every segment; each hash is the name of
    /// the state's blob, which the worker serves until the round is over.
    pub states: Vec<BlobId>,
    /// Mean loss of the first inner step, in micro-nats per token.
    pub loss_first: u64,
    /// Mean loss of the last inner step, in micro-nats per token.
    pub loss_last: u64,
}

impl Contribution {
    /// The root that commits to all of it, to the weights it started from and to the assigned indices.
    pub fn root(&self, base: &BlobId, assigned: &H256) -> H256 {
        let mut leaves: Vec<H256> = Vec::with_capacity(self.states.len() + 4);
        leaves.push(crate::merkle::leaf(&base.0));
        leaves.push(crate::merkle::leaf(assigned.as_bytes()));
        leaves.extend(self.states.iter().map(|state| crate::merkle::leaf(&state.0)));
        leaves.push(crate::merkle::leaf(&self.error_feedback.0));
        leaves.push(crate::merkle::leaf(&self.payload.0));
        crate::merkle::root(&leaves)
    }
}

/// What a contribution is worth: the held-out loss before it minus the loss after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Score {
    /// Index of the worker in its round.
    pub worker: u32,
    /// Loss reduction on held-out data, in micro-nats per token.
    pub held_out: i64,
    /// Loss reduction on the worker's own data, in micro-nats per token.
    pub own: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipe_is_refused_when_segments_do_not_divide_steps() {
        assert_eq!(Recipe::SMALL.validate(), Ok(()));
        let bad = Recipe {
            segment_steps: 5,
            ..Recipe::SMALL
        };
        assert_eq!(bad.validate(), Err(RecipeError::SegmentsDoNotDivideSteps));
        assert_eq!(
            Recipe {
                batch: 0,
                ..Recipe::SMALL
            }
            .validate(),
            Err(RecipeError::Zero)
        );
        assert_eq!(
            Recipe {
                rate_micros: 0,
                ..Recipe::SMALL
            }
            .validate(),
            Err(RecipeError::RateOutOfRange)
        );
    }

    #[test]
    fn sequences_never_cross_a_shard() {
        let shard = |bytes| Shard {
            blob: BlobId::default(),
            bytes,
        };
        let corpus = Corpus {
            shards: alloc::vec![shard(25), shard(9), shard(30)],
        };
        assert_eq!(corpus.sequences(9), 2 + 3);
        assert_eq!(corpus.locate(9, 1), Some((0, 10)));
        assert_eq!(corpus.locate(9, 2), Some((2, 0)));
        assert_eq!(corpus.locate(9, 5), None);
    }
}
