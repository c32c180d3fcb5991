// SPDX-License-Identifier: Apache-2.0
//! # Training
//!
//! Training plans and their rounds: which members train on which data, the gain of each contribution, and the new
//! weights.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | plan | a number of training rounds of one model, paid from its owner's escrow |
//! | round | one outer step: the workers train from the same weights, and their contributions are aggregated |
//! | worker | a member enrolled in a round; it is identified by its index in the round |
//! | contribution | a worker's compressed pseudo-gradient and the hashes that commit to how it was computed |
//! | audit | the re-execution of one drawn segment of a contribution |
//! | gain | the reduction of the held-out loss by a contribution, in micro-nats per token |
//! | executor | the member drawn to claim the scores or the new weights of a round |
//! | void | of a round: ended without new weights; no account is paid or slashed for it |
//!
//! ## Calls
//!
//! | call | origin | effect |
//! |---|---|---|
//! | `create_plan` | the model's owner | holds the escrow and begins the first round |
//! | `cancel_plan` | the plan's owner | ends the plan, now or with its current round |
//! | `submit_enrol` | authorized: a member | enrols the member as a worker from this round on |
//! | `submit_contribution` | authorized: a worker, once per round | commits the worker to its contribution |
//! | `submit_audit` | authorized: an auditor, once per contribution | records whether re-execution matches |
//! | `submit_claim` | authorized: the executor, once per attempt | opens the claim on the scores or the new weights |
//!
//! The last four are authorized transactions, which the offchain worker of a validator submits. The phases of a round
//! are a pure state machine: see [`round`].
//!
//! ## Assumptions
//!
//! - Less than a third of the members' bond is dishonest or silent.
//! - Training is exact: re-execution of a segment yields the same bits.
//! - The randomness of a block is unpredictable two blocks earlier. The author of a block knows its own contribution to
//!   the randomness, so a worker that authors the block between the last commitment and the draw can predict that draw
//!   but not choose it.
//! - `verification` reports the end of every claim. If it does not, the claim is reassigned to the next executor after
//!   [`Config::VerdictBlocks`].
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod authorization;
pub mod contribution;
pub mod corpus;
mod dispatch;
mod events;
mod job_handler;
mod offchain;
pub mod plan;
mod plan_lifecycle;
pub mod reports;
mod rewards;
pub mod round;
mod round_lifecycle;
mod specs;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

use frame_support::pallet_macros::import_section;

pub use pallet::*;
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::training";

// `create_plan` takes the fields of a plan as its arguments.
#[allow(missing_docs, clippy::too_many_arguments)]
#[import_section(events::events)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        message::Message,
        training::{Recipe, RecipeError},
        traits::{ClaimVerifier, DatasetRegistry, ModelRegistry, SessionMembers, Slash},
        Balance, BlobId, CommitteeSignature, DatasetId, JobId, ModelId, PlanId, RoundIndex, VersionIndex,
    };
    use contribution::{ContributionRecord, Feedbacks};
    use corpus::Shards;
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            Contains, Randomness,
        },
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use pallet_support::{Nested, ReportRefusal};
    use plan::{NewPlan, PlanDatasets, PlanRecord, RoundSummary};
    use reports::{AuditBody, ClaimBody, ContributionBody, EnrolBody};
    use round::{DropReason, Phase, Round, RoundRefusal, VoidReason, MAX_ATTEMPTS};
    use sp_core::H256;
    use sp_runtime::{Perbill, SaturatedConversion};

    /// A report of a member.
    pub type MessageOf<T, Body> = Message<<T as frame_system::Config>::AccountId, Body>;
    /// [`PlanRecord`] with the runtime's account type.
    pub type PlanOf<T> = PlanRecord<<T as frame_system::Config>::AccountId>;
    /// [`Round`] with the runtime's account type.
    pub type RoundOf<T> = Round<<T as frame_system::Config>::AccountId>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<Hash = H256, RuntimeEvent: From<Event<Self>>> + CreateAuthorizedTransaction<Call<Self>>
    {
        /// The native token.
        type Currency: Inspect<Self::AccountId, Balance = Balance>
            + MutateHold<Self::AccountId, Reason: From<HoldReason>>;

        /// The members of the session.
        type Members: SessionMembers<Self::AccountId>;

        /// Slashes bonds.
        type Slash: Slash<Self::AccountId>;

        /// The datasets.
        type Datasets: DatasetRegistry<Self::AccountId>;

        /// Whether the access terms of a dataset permit an account to train on it.
        type Access: Contains<(DatasetId, Self::AccountId)>;

        /// The models.
        type Models: ModelRegistry<Self::AccountId>;

        /// Checks the claims.
        type Verification: ClaimVerifier<Self::AccountId>;

        /// Randomness of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// Maximum number of running plans. Every block advances each of them.
        #[pallet::constant]
        type MaxPlans: Get<u32>;

        /// Maximum number of ended plans in storage.
        #[pallet::constant]
        type RetainedPlans: Get<u32>;

        /// Maximum number of rounds of a plan.
        #[pallet::constant]
        type MaxRounds: Get<u32>;

        /// Maximum number of summaries of a plan's latest rounds in storage.
        #[pallet::constant]
        type RetainedRounds: Get<u32>;

        /// Number of consecutive void rounds after which a plan is abandoned.
        #[pallet::constant]
        type MaxVoidRounds: Get<u32>;

        /// Minimum reward of a round, in plancks.
        #[pallet::constant]
        type MinReward: Get<Balance>;

        /// Number of auditors drawn for each contribution.
        #[pallet::constant]
        type Auditors: Get<u32>;

        /// Maximum number of executors of one claim.
        #[pallet::constant]
        type MaxAttempts: Get<u32>;

        /// Duration of phase `Enrol`, in blocks.
        #[pallet::constant]
        type EnrolBlocks: Get<u32>;

        /// Duration of phase `Train`, in blocks.
        #[pallet::constant]
        type TrainBlocks: Get<u32>;

        /// Duration of an audit and of its widening, in blocks.
        #[pallet::constant]
        type AuditBlocks: Get<u32>;

        /// Number of blocks in which an executor has to submit its claim.
        #[pallet::constant]
        type ClaimBlocks: Get<u32>;

        /// Number of blocks after a claim in which its verdict has to arrive. Longer than `Verification` takes.
        #[pallet::constant]
        type VerdictBlocks: Get<u32>;

        /// Part of a worker's bond that is slashed for a wrong contribution.
        #[pallet::constant]
        type WrongContributionSlash: Get<Perbill>;

        /// Part of an auditor's bond that is slashed for reporting a mismatch of a correct contribution.
        #[pallet::constant]
        type WrongAuditSlash: Get<Perbill>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The reasons for which the pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The rewards of a plan's current and future rounds.
        #[codec(index = 0)]
        Escrow,
    }

    /// The running plans and the latest ended ones.
    #[pallet::storage]
    pub type Plans<T: Config> = StorageMap<_, Twox64Concat, PlanId, PlanOf<T>, OptionQuery>;

    /// The id of the next plan.
    #[pallet::storage]
    pub type NextPlan<T: Config> = StorageValue<_, PlanId, ValueQuery>;

    /// The running plans.
    #[pallet::storage]
    pub type RunningPlans<T: Config> = StorageValue<_, BoundedVec<PlanId, T::MaxPlans>, ValueQuery>;

    /// The ended plans in storage, oldest first.
    #[pallet::storage]
    pub type EndedPlans<T: Config> = StorageValue<_, BoundedVec<PlanId, T::RetainedPlans>, ValueQuery>;

    /// The shards of the running plans.
    #[pallet::storage]
    pub type Corpora<T: Config> = StorageMap<_, Twox64Concat, PlanId, Shards, ValueQuery>;

    /// The current rounds of the running plans.
    #[pallet::storage]
    pub type CurrentRounds<T: Config> = StorageMap<_, Twox64Concat, PlanId, RoundOf<T>, OptionQuery>;

    /// The contributions to the current rounds, by plan and index of the worker.
    #[pallet::storage]
    pub type Contributions<T: Config> =
        StorageDoubleMap<_, Twox64Concat, PlanId, Twox64Concat, u32, ContributionRecord, OptionQuery>;

    /// The error-feedback buffers of the accepted contributions of the previous rounds.
    #[pallet::storage]
    pub type Feedback<T: Config> = StorageMap<_, Twox64Concat, PlanId, Feedbacks<T::AccountId>, ValueQuery>;

    /// The summaries of the latest rounds of the plans in storage.
    #[pallet::storage]
    pub type Rounds<T: Config> =
        StorageDoubleMap<_, Twox64Concat, PlanId, Twox64Concat, RoundIndex, RoundSummary, OptionQuery>;

    /// The plans by the jobs of their current claims.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Blake2_128Concat, JobId, PlanId, OptionQuery>;

    #[pallet::error]
    pub enum Error<T> {
        /// The caller is not the owner of the model or of the plan.
        NotOwner,
        /// `MaxPlans` plans are running, or all plan ids are in use.
        TooManyPlans,
        /// Another plan of this model is running.
        PlanRunning,
        /// The number of rounds is zero or exceeds `MaxRounds`.
        RoundsOutOfRange,
        /// The reward of a round is below `MinReward`.
        RewardTooSmall,
        /// The sum of the rewards or of the shares of all rounds exceeds 128 bits.
        AmountTooLarge,
        /// The minimum number of workers is zero or exceeds the maximum number of workers.
        MinimumOutOfRange,
        /// The recipe is invalid.
        Recipe(Nested<RecipeError>),
        /// A sequence is longer than the model's context.
        SequenceTooLong,
        /// The model's vocabulary has fewer than 256 tokens, one for each byte.
        VocabTooSmall,
        /// The list of datasets is empty.
        NoDatasets,
        /// The list of datasets contains the same dataset twice.
        DuplicateDataset,
        /// The access terms of a dataset do not permit the caller to train on it.
        AccessDenied,
        /// The datasets have more shards than a plan can hold.
        TooManyShards,
        /// The datasets have too few sequences for all members and for scoring.
        TooLittleData,
        /// No running plan has this id.
        UnknownPlan,
        /// The plan is already ending with its current round.
        PlanStopping,
        /// The report is not for the plan's current round.
        WrongRound,
        /// The job of the report is not the expected one.
        WrongJob,
        /// The contribution does not have one state per segment, has a zero hash, or is too long.
        ContributionMalformed,
        /// The result of the claim is not the hash of its output.
        WrongResult,
        /// The round refuses the report.
        Round(RoundRefusal),
        /// The signature of the report is not accepted.
        Report(ReportRefusal),
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            let running = RunningPlans::<T>::get();
            if !running.is_empty() {
                let members = Self::voters();
                for plan in &running {
                    Self::tick(*plan, &members);
                }
            }
            T::WeightInfo::tick(running.len().saturated_into())
        }

        fn offchain_worker(_: BlockNumberFor<T>) {
            Self::submit_owed_reports();
        }

        fn integrity_test() {
            assert!(T::MaxPlans::get() > 0, "MaxPlans is zero");
            assert!(T::RetainedPlans::get() > 0, "RetainedPlans is zero");
            assert!(T::MaxRounds::get() > 0, "MaxRounds is zero");
            assert!(T::RetainedRounds::get() > 0, "RetainedRounds is zero");
            assert!(T::MaxVoidRounds::get() > 0, "MaxVoidRounds is zero");
            assert!(
                T::MinReward::get() > 0,
                "MinReward is zero: running plans would be free"
            );
            assert!(
                T::Auditors::get() > 0,
                "Auditors is zero: contributions would not be audited"
            );
            assert!(
                (1..=MAX_ATTEMPTS).contains(&T::MaxAttempts::get()),
                "MaxAttempts is zero or exceeds the capacity of a round"
            );
            let blocks = [
                T::EnrolBlocks::get(),
                T::TrainBlocks::get(),
                T::AuditBlocks::get(),
                T::ClaimBlocks::get(),
            ];
            assert!(
                blocks.iter().all(|blocks| *blocks > 1),
                "a phase has fewer than two blocks"
            );
            assert!(
                T::VerdictBlocks::get() > T::ClaimBlocks::get(),
                "VerdictBlocks is not longer than ClaimBlocks"
            );
            assert!(
                !T::WrongContributionSlash::get().is_zero(),
                "WrongContributionSlash is zero"
            );
            assert!(!T::WrongAuditSlash::get().is_zero(), "WrongAuditSlash is zero");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Creates a training plan for a model, from the version `base` or from the live version.
        ///
        /// Origin: the model's owner. Holds `reward_per_round` plancks for each round; the rewards of void rounds are
        /// released when the plan ends. Each round issues `shares_per_round` new shares of the model to its workers.
        /// Emits [`Event::PlanCreated`].
        #[pallet::call_index(0)]
        #[allow(clippy::too_many_arguments)]
        pub fn create_plan(
            origin: OriginFor<T>,
            model: ModelId,
            base: Option<VersionIndex>,
            datasets: PlanDatasets,
            rounds: u32,
            recipe: Recipe,
            reward_per_round: Balance,
            shares_per_round: Balance,
            minimum_workers: u32,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            let new = NewPlan {
                owner,
                model,
                base,
                datasets,
                rounds,
                recipe,
                reward_per_round,
                shares_per_round,
                minimum_workers,
            };
            Self::start_plan(new)
        }

        /// Cancels a plan. In phase `Enrol` it ends now, otherwise with its current round so that the workers are paid.
        /// The rest of the escrow is released when it ends.
        ///
        /// Origin: the plan's owner. Emits [`Event::PlanCancelled`] or [`Event::PlanStopping`].
        #[pallet::call_index(1)]
        pub fn cancel_plan(origin: OriginFor<T>, plan: PlanId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::stop_plan(who, plan)
        }

        /// Enrols a member as a worker from the current round on.
        ///
        /// Authorized: signed by the member's session key, in phase `Enrol`, if the member is not a worker. Emits
        /// [`Event::Enrolled`].
        #[pallet::call_index(2)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_enrol())]
        #[pallet::authorize(Self::authorize_enrol)]
        pub fn submit_enrol(
            origin: OriginFor<T>,
            message: MessageOf<T, EnrolBody>,
            // Verified by `authorize`, as in the calls below.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::apply_enrolment(message)
        }

        /// Commits a worker to its contribution.
        ///
        /// Authorized: signed by the worker's session key, in phase `Train`, if the worker has not contributed. Emits
        /// [`Event::Contributed`].
        #[pallet::call_index(3)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_contribution())]
        #[pallet::authorize(Self::authorize_contribution)]
        pub fn submit_contribution(
            origin: OriginFor<T>,
            message: MessageOf<T, ContributionBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::apply_contribution(message)
        }

        /// Records whether the re-execution of a contribution's drawn segment yields what the worker committed to.
        ///
        /// Authorized: signed by the session key of an auditor of the contribution that has not reported. Emits
        /// [`Event::Audited`]. A report that decides the audit slashes the worker or the auditors that were wrong.
        #[pallet::call_index(4)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_audit())]
        #[pallet::authorize(Self::authorize_audit)]
        pub fn submit_audit(
            origin: OriginFor<T>,
            message: MessageOf<T, AuditBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::apply_audit(message)
        }

        /// Claims the scores or the new weights of a round under the executor's bond. Every other member checks the
        /// claim.
        ///
        /// Authorized: signed by the session key of the current executor, for the current attempt, if `claim.result` is
        /// the hash of the output. Emits [`Event::Claimed`].
        #[pallet::call_index(5)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_claim())]
        #[pallet::authorize(Self::authorize_claim)]
        pub fn submit_claim(
            origin: OriginFor<T>,
            message: MessageOf<T, ClaimBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            Self::apply_claim(message)
        }
    }
}
