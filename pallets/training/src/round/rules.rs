// SPDX-License-Identifier: Apache-2.0
//! The parameters of a round and the context of its steps.

use agorai_primitives::{Balance, BlockNumber};
use sp_core::H256;

/// Maximum number of members that can audit the contributions of a round: one bit of a mask for each.
pub const MAX_VOTERS: u32 = 64;
/// Maximum number of executors of one claim that a round can hold.
pub const MAX_ATTEMPTS: u32 = 8;

/// The parameters of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Minimum number of workers and of contributions.
    pub minimum_workers: u32,
    /// Number of sequences of the corpus.
    pub sequences: u64,
    /// Number of sequences for each worker.
    pub sequences_per_worker: u64,
    /// Number of sequences on which the contributions are scored.
    pub held_out: u64,
    /// Number of segments of a contribution.
    pub segments: u32,
    /// Number of auditors drawn for each contribution.
    pub auditors: u32,
    /// Maximum number of executors of one claim.
    pub attempts: u32,
    /// Duration of phase `Enrol`, in blocks.
    pub enrol_blocks: BlockNumber,
    /// Duration of phase `Train`, in blocks.
    pub train_blocks: BlockNumber,
    /// Duration of an audit and of its widening, in blocks.
    pub audit_blocks: BlockNumber,
    /// Number of blocks in which an executor has to submit its claim.
    pub claim_blocks: BlockNumber,
    /// Number of blocks after a claim in which its verdict has to arrive.
    pub verdict_blocks: BlockNumber,
}

/// The context of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepContext<'a, AccountId> {
    /// The current block.
    pub block: BlockNumber,
    /// The members and their bonds, at most [`MAX_VOTERS`].
    pub members: &'a [(AccountId, Balance)],
    /// Randomness that was unpredictable in the block before the previous one.
    pub randomness: H256,
    /// The parameters of the round.
    pub rules: &'a Rules,
}
