// SPDX-License-Identifier: Apache-2.0
//! The architecture of a model.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Shape of a Llama-style decoder: RMS norm, rotary position embedding, grouped-query attention, SwiGLU, untied output
/// head.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Architecture {
    /// Size of the vocabulary; 256 for byte-level models.
    pub vocab: u32,
    /// Width of the residual stream.
    pub dim: u32,
    /// Number of decoder blocks.
    pub layers: u32,
    /// Number of attention heads; divides `dim`.
    pub heads: u32,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of the feed-forward layer.
    pub ff: u32,
    /// Maximum number of positions of a sequence.
    pub context: u32,
    /// Base of the rotary position embedding.
    pub rope_theta: u32,
}

/// Why an [`Architecture`] is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[scale_info(capture_docs = "always")]
pub enum ArchitectureError {
    /// A size is zero.
    Zero,
    /// A size exceeds the limit of this network.
    TooLarge,
    /// `heads` does not divide `dim`, or the head width is odd.
    HeadsDoNotDivideDim,
    /// `kv_heads` does not divide `heads`.
    KvHeadsDoNotDivideHeads,
}

impl Architecture {
    /// The demo model: byte-level, about 0.9 million parameters.
    pub const SMALL: Self = Self {
        vocab: 256,
        dim: 128,
        layers: 4,
        heads: 4,
        kv_heads: 4,
        ff: 384,
        context: 256,
        rope_theta: 10_000,
    };

    /// Checks that an engine can compute and hold the shape.
    pub fn validate(&self) -> Result<(), ArchitectureError> {
        use ArchitectureError::*;
        let sizes = [
            (self.vocab, 1 << 18),
            (self.dim, 1 << 14),
            (self.layers, 256),
            (self.heads, 256),
            (self.kv_heads, 256),
            (self.ff, 1 << 16),
            (self.context, 1 << 17),
            (self.rope_theta, u32::MAX),
        ];
        if sizes.iter().any(|(size, _)| *size == 0) {
            return Err(Zero);
        }
        if sizes.iter().any(|(size, max)| size > max) {
            return Err(TooLarge);
        }
        if !self.dim.is_multiple_of(self.heads) || !self.head_dim().is_multiple_of(2) {
            return Err(HeadsDoNotDivideDim);
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(KvHeadsDoNotDivideHeads);
        }
        Ok(())
    }

    /// Returns the width of a head.
    pub fn head_dim(&self) -> u32 {
        self.dim / self.heads.max(1)
    }

    /// Returns the number of parameters.
    pub fn parameters(&self) -> u64 {
        let [vocab, dim, layers, ff] = [self.vocab, self.dim, self.layers, self.ff].map(u64::from);
        let kv = u64::from(self.head_dim()) * u64::from(self.kv_heads);
        let block = 2 * dim * dim + 2 * dim * kv + 3 * dim * ff + 2 * dim;
        layers * block + 2 * vocab * dim + dim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_model_is_valid_and_has_about_a_million_parameters() {
        assert_eq!(Architecture::SMALL.validate(), Ok(()));
        assert_eq!(Architecture::SMALL.parameters(), 918_656);
    }

    #[test]
    fn architecture_is_refused_when_heads_do_not_divide() {
        let bad = Architecture {
            heads: 3,
            ..Architecture::SMALL
        };
        assert_eq!(bad.validate(), Err(ArchitectureError::HeadsDoNotDivideDim));
        let bad = Architecture {
            kv_heads: 3,
            ..Architecture::SMALL
        };
        assert_eq!(bad.validate(), Err(ArchitectureError::KvHeadsDoNotDivideHeads));
        let bad = Architecture {
            layers: 0,
            ..Architecture::SMALL
        };
        assert_eq!(bad.validate(), Err(ArchitectureError::Zero));
    }
}
