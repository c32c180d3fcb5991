// SPDX-License-Identifier: Apache-2.0
//! Training recipes, contributions and scores.

use crate::{BlobId, Shard};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Maximum number of workers in a round.
pub const MAX_WORKERS: u32 = 32;
/// Maximum number of segments of a contribution.
pub const MAX_SEGMENTS: u32 = 64;

/// The hyperparameters of a round. Learning rates are integers in millionths, because the chain has no floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Recipe {
    /// Number of inner AdamW steps of a round (H).
    pub inner_steps: u32,
    /// Number of inner steps of a segment, after which the training state is hashed; divides `inner_steps`.
    pub segment_steps: u32,
    /// Number of sequences of a step.
    pub batch: u32,
    /// Number of tokens of a sequence.
    pub sequence: u32,
    /// Maximum inner learning rate, in millionths.
    pub rate_micros: u32,
    /// Number of steps of linear warm-up at the start of the plan.
    pub warmup_steps: u32,
    /// Number of held-out sequences on which contributions are scored.
    pub held_out: u32,
    /// Compression of the pseudo-gradient.
    pub compression: Compression,
    /// Outer learning rate, in millionths; 1_000_000 averages the contributions.
    pub outer_rate_micros: u32,
}

/// Compression of a pseudo-gradient, after SparseLoCo. The engine's module `compress` names the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Compression {
    /// All values, in binary32.
    Dense,
    /// The `top` largest values by magnitude of every chunk of 4096, in 2 bits each, with error feedback.
    TopK {
        /// Number of values retained of each chunk.
        top: u16,
    },
}

/// Why a [`Recipe`] is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub enum RecipeError {
    /// A size is zero.
    Zero,
    /// A size exceeds the limit of this network.
    TooLarge,
    /// `segment_steps` does not divide `inner_steps`, or there are more than [`MAX_SEGMENTS`] segments.
    SegmentsDoNotDivideSteps,
    /// A learning rate is zero or above 10.
    RateOutOfRange,
}

impl Recipe {
    /// The recipe of the demo.
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

    /// Checks that an engine can run the recipe.
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
        if sizes.iter().any(|(size, max)| size > max) || self.warmup_steps > 1_000_000 {
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

    /// Returns the number of segments of a contribution.
    pub fn segments(&self) -> u32 {
        self.inner_steps / self.segment_steps.max(1)
    }

    /// Returns the number of sequences of a worker in a round.
    pub fn sequences_per_worker(&self) -> u64 {
        u64::from(self.inner_steps) * u64::from(self.batch)
    }
}

/// The data of a plan. Sequences are read from each shard in order and do not cross shards.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Corpus {
    /// The shards, in order.
    pub shards: Vec<Shard>,
}

impl Corpus {
    /// Returns the number of sequences of `tokens` + 1 bytes (input and shifted target) in the corpus.
    pub fn sequences(&self, tokens: u32) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.bytes / (u64::from(tokens) + 1))
            .sum()
    }

    /// Returns the shard index and byte offset of a sequence, or `None` if there is no such sequence.
    pub fn locate(&self, tokens: u32, sequence: u64) -> Option<(usize, u64)> {
        let bytes = u64::from(tokens) + 1;
        let mut remaining = sequence;
        for (index, shard) in self.shards.iter().enumerate() {
            let in_shard = shard.bytes / bytes;
            if remaining < in_shard {
                return Some((index, remaining * bytes));
            }
            remaining -= in_shard;
        }
        None
    }
}

/// The commitment of a worker at the end of its training in a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Contribution {
    /// Identifier of the compressed pseudo-gradient.
    pub payload: BlobId,
    /// Size of the payload in bytes.
    pub payload_bytes: u64,
    /// Identifier of the error-feedback buffer after this round.
    pub error_feedback: BlobId,
    /// Identifiers of the training state (parameters and moments) after every segment. The worker serves these blobs
    /// until the round ends.
    pub states: Vec<BlobId>,
    /// Mean loss of the first inner step, in micro-nats per token.
    pub loss_first: u64,
    /// Mean loss of the last inner step, in micro-nats per token.
    pub loss_last: u64,
}

impl Contribution {
    /// Returns the Merkle root over the contribution, the weights at the start of the round and the commitment to the
    /// assigned sequences.
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

/// The score of a contribution: the loss before it minus the loss after it.
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
