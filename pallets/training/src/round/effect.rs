// SPDX-License-Identifier: Apache-2.0
//! The effects of a step outside the round.

use super::{claim_attempt::NewWeights, phase::VoidReason, worker::DropReason};
use agorai_primitives::traits::Fault;
use alloc::vec::Vec;

/// An effect of a step outside the round.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect<AccountId> {
    /// A bond has to be slashed.
    Slash {
        /// The member.
        who: AccountId,
        /// The offence.
        fault: Fault,
    },
    /// A contribution was dropped.
    Dropped {
        /// The worker.
        who: AccountId,
        /// Why.
        reason: DropReason,
    },
    /// An executor was drawn for the claim of the phase.
    Executor {
        /// The executor.
        who: AccountId,
    },
    /// The round has ended without new weights.
    Void {
        /// Why.
        reason: VoidReason,
    },
    /// The round has ended with new weights.
    Finished {
        /// The weights and losses.
        weights: NewWeights,
    },
}

/// The effects of a step, in order.
pub type Effects<AccountId> = Vec<Effect<AccountId>>;
