// SPDX-License-Identifier: Apache-2.0
//! The events of the pallet, as a section that `lib.rs` imports.

use frame_support::pallet_macros::pallet_section;

/// The events.
#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A plan was created and its first round began.
        PlanCreated {
            /// The plan.
            plan: PlanId,
            /// The model that it trains.
            model: ModelId,
            /// Number of rounds.
            rounds: u32,
        },
        /// A plan was cancelled and ends with its current round.
        PlanStopping {
            /// The plan.
            plan: PlanId,
        },
        /// A plan ended because its owner cancelled it or because the model refused a version.
        PlanCancelled {
            /// The plan.
            plan: PlanId,
            /// The part of the escrow released to the owner, in plancks.
            released: Balance,
        },
        /// A plan ended because too many consecutive rounds were void.
        PlanAbandoned {
            /// The plan.
            plan: PlanId,
            /// The part of the escrow released to the owner, in plancks.
            released: Balance,
        },
        /// All rounds of a plan have ended.
        PlanCompleted {
            /// The plan.
            plan: PlanId,
            /// The weights after its last round.
            weights: BlobId,
        },
        /// A round entered another phase.
        PhaseChanged {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The new phase.
            phase: Phase,
        },
        /// A member enrolled as a worker.
        Enrolled {
            /// The plan.
            plan: PlanId,
            /// The first round in which it trains.
            round: RoundIndex,
            /// The worker.
            worker: T::AccountId,
        },
        /// A worker committed to its contribution.
        Contributed {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The worker.
            worker: T::AccountId,
            /// Mean loss of its first inner step, in micro-nats per token.
            loss_first: u64,
            /// Mean loss of its last inner step, in micro-nats per token.
            loss_last: u64,
            /// The compressed pseudo-gradient.
            payload: BlobId,
        },
        /// An auditor re-executed a segment of a contribution.
        Audited {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The worker.
            worker: T::AccountId,
            /// The auditor.
            auditor: T::AccountId,
            /// Whether re-execution yields what the worker committed to.
            matches: bool,
        },
        /// A contribution was dropped.
        Dropped {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The worker.
            worker: T::AccountId,
            /// Why it was dropped.
            reason: DropReason,
        },
        /// An executor was drawn for the claim of a phase.
        ExecutorDrawn {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The phase: `Score` or `Aggregate`.
            phase: Phase,
            /// The executor.
            executor: T::AccountId,
        },
        /// The executor submitted its claim, which is checked now.
        Claimed {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The executor.
            executor: T::AccountId,
            /// The job of the claim.
            job: JobId,
        },
        /// A worker was paid for its contribution.
        Paid {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The worker.
            worker: T::AccountId,
            /// The amount paid, in plancks.
            amount: Balance,
            /// Number of new shares of the model issued to the worker.
            shares: Balance,
        },
        /// A round ended with new weights.
        RoundCompleted {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// The new weights.
            weights: BlobId,
            /// The new version of the model.
            version: VersionIndex,
            /// Held-out loss before the round, in micro-nats per token.
            loss_before: u64,
            /// Held-out loss after the round, in micro-nats per token.
            loss_after: u64,
        },
        /// A round ended without new weights.
        RoundVoid {
            /// The plan.
            plan: PlanId,
            /// The round.
            round: RoundIndex,
            /// Why it is void.
            reason: VoidReason,
        },
    }
}
