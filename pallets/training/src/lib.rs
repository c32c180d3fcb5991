// SPDX-License-Identifier: Apache-2.0
//! # Training
//!
//! Plans and their rounds: who trains on what, what it is worth, and the weights that come out of it.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | plan | so many rounds of training of a model, paid out of its owner's escrow |
//! | round | one outer step: the workers start from the same weights and yield new ones |
//! | worker | a member that trains in a round, on data that is assigned to it; its place is its index |
//! | contribution | a worker's compressed pseudo-gradient and the hashes that commit to how it was made |
//! | audit | the re-execution of one drawn segment of a contribution |
//! | executor | the member that claims the scores, or the new weights, of a round |
//! | void | a round without new weights: nobody is paid, nobody is slashed for it |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `create_plan` | the model's owner | the escrow is held, the first round begins |
//! | `cancel_plan` | who created the plan | it ends, at once or with the round that has begun |
//! | `submit_enrol` | a member | it is a worker from this round on |
//! | `submit_contribution` | a worker, once | it has committed to its contribution |
//! | `submit_audit` | a member that is asked, once | what it found in a segment |
//! | `submit_claim` | the executor | it claims the scores, or the new weights |
//!
//! The last four are authorized transactions that the offchain worker of a validator makes by itself. How
//! a round goes from phase to phase is a pure value: see [`round`].
//!
//! ## Assumptions
//!
//! - Less than a third of the members' bond cheats or is silent.
//! - Training is exact: who re-executes a segment gets the same bits.
//! - The randomness of a block is not known in the block before the last. An author knows the value of its
//!   own block ahead, so a worker that is also the author between the last commitment and the draw
//!   can foresee one draw; it cannot choose it.
//! - `Verification` tells the end of every claim; a claim that it forgot passes to the next executor.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod offchain;
mod plans;
mod reports;
pub mod round;
pub mod scores;
mod specs;
pub mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use reports::{round_job, ReportRefusal};
pub use weights::WeightInfo;

/// Target of this pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::training";

/// What an enrolment is signed for.
pub const ENROL_DOMAIN: &[u8] = b"training/enrol";
/// What a contribution is signed for.
pub const CONTRIBUTION_DOMAIN: &[u8] = b"training/contribution";
/// What an audit is signed for.
pub const AUDIT_DOMAIN: &[u8] = b"training/audit";
/// What a claim is signed for.
pub const CLAIM_DOMAIN: &[u8] = b"training/claim";

// A plan is one call, and what a plan is made of are its arguments.
#[allow(missing_docs, clippy::too_many_arguments)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        message::Message,
        training::{Recipe, RecipeError, MAX_WORKERS},
        traits::{ClaimVerifier, CommitteeRule, DatasetRegistry, JobKind, ModelRegistry, SessionMembers, Slash},
        Balance, BlobId, CommitteeSignature, DatasetId, JobId, ModelId, PlanId, RoundIndex, VersionIndex,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            Contains, Randomness,
        },
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use round::{Round, RoundInput, MAX_ATTEMPTS};
    use sp_core::H256;
    use sp_runtime::{Perbill, SaturatedConversion};
    use types::{
        AuditBody, ClaimBody, ContributionBody, ContributionRecord, DropReason, EnrolBody, Feedbacks, Output, Phase,
        PlanDatasets, PlanRecord, RoundSummary, Shards, VoidReason,
    };

    /// A report of a validator.
    pub type MessageOf<T, Body> = Message<<T as frame_system::Config>::AccountId, Body>;
    /// A plan as this runtime keeps it.
    pub type PlanOf<T> = PlanRecord<<T as frame_system::Config>::AccountId>;
    /// A round as this runtime keeps it.
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

        /// Who may do jobs.
        type Members: SessionMembers<Self::AccountId>;

        /// Cuts bonds.
        type Slash: Slash<Self::AccountId>;

        /// What may be trained on.
        type Datasets: DatasetRegistry<Self::AccountId>;

        /// Whether a dataset's access terms let an account train on it.
        type Access: Contains<(DatasetId, Self::AccountId)>;

        /// What is trained.
        type Models: ModelRegistry<Self::AccountId>;

        /// Consensus on claims.
        type Verification: ClaimVerifier<Self::AccountId>;

        /// The value of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// Most plans that run at once; each is moved on in every block.
        #[pallet::constant]
        type MaxPlans: Get<u32>;

        /// Most plans that are over and still kept.
        #[pallet::constant]
        type KeptPlans: Get<u32>;

        /// Most rounds of a plan.
        #[pallet::constant]
        type MaxRounds: Get<u32>;

        /// Most summaries that are kept of a plan's rounds, the latest ones.
        #[pallet::constant]
        type KeptRounds: Get<u32>;

        /// Void rounds in a row after which a plan is given up.
        #[pallet::constant]
        type MaxVoidRounds: Get<u32>;

        /// The least reward of a round: what a running plan costs at least.
        #[pallet::constant]
        type MinReward: Get<Balance>;

        /// Auditors that are drawn for each contribution.
        #[pallet::constant]
        type Auditors: Get<u32>;

        /// Executors that may try one claim.
        #[pallet::constant]
        type MaxAttempts: Get<u32>;

        /// Blocks of phase `Enrol`.
        #[pallet::constant]
        type EnrolBlocks: Get<u32>;

        /// Blocks of phase `Train`.
        #[pallet::constant]
        type TrainBlocks: Get<u32>;

        /// Blocks of an audit, and again of a widened one.
        #[pallet::constant]
        type AuditBlocks: Get<u32>;

        /// Blocks that an executor has for its claim.
        #[pallet::constant]
        type ClaimBlocks: Get<u32>;

        /// Blocks that a claim has for its verdict: more than `Verification` ever takes.
        #[pallet::constant]
        type VerdictBlocks: Get<u32>;

        /// The part of a worker's bond that a wrong contribution costs.
        #[pallet::constant]
        type WrongContributionSlash: Get<Perbill>;

        /// The part of an auditor's bond that a wrong accusation costs.
        #[pallet::constant]
        type WrongAuditSlash: Get<Perbill>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why the pallet holds tokens.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The rewards of a plan's rounds that are still to come.
        #[codec(index = 0)]
        Escrow,
    }

    /// The plans that run, and the latest that ran.
    #[pallet::storage]
    pub type Plans<T: Config> = StorageMap<_, Twox64Concat, PlanId, PlanOf<T>, OptionQuery>;

    /// The index of the next plan.
    #[pallet::storage]
    pub type NextPlan<T: Config> = StorageValue<_, PlanId, ValueQuery>;

    /// The plans that run.
    #[pallet::storage]
    pub type Running<T: Config> = StorageValue<_, BoundedVec<PlanId, T::MaxPlans>, ValueQuery>;

    /// The plans that are over and still kept, oldest first.
    #[pallet::storage]
    pub type Over<T: Config> = StorageValue<_, BoundedVec<PlanId, T::KeptPlans>, ValueQuery>;

    /// The data of the plans that run.
    #[pallet::storage]
    pub type Corpora<T: Config> = StorageMap<_, Twox64Concat, PlanId, Shards, ValueQuery>;

    /// The current round of the plans that run.
    #[pallet::storage]
    pub type Current<T: Config> = StorageMap<_, Twox64Concat, PlanId, RoundOf<T>, OptionQuery>;

    /// The contributions of the current round, by the places of the workers.
    #[pallet::storage]
    pub type Contributions<T: Config> =
        StorageDoubleMap<_, Twox64Concat, PlanId, Twox64Concat, u32, ContributionRecord, OptionQuery>;

    /// The error-feedback buffers that the accepted contributions of the round before left behind.
    #[pallet::storage]
    pub type Feedback<T: Config> = StorageMap<_, Twox64Concat, PlanId, Feedbacks<T::AccountId>, ValueQuery>;

    /// What became of the latest rounds of the plans that are kept.
    #[pallet::storage]
    pub type Rounds<T: Config> =
        StorageDoubleMap<_, Twox64Concat, PlanId, Twox64Concat, RoundIndex, RoundSummary, OptionQuery>;

    /// The plans to which the jobs that are to be claimed belong.
    #[pallet::storage]
    pub type Jobs<T: Config> = StorageMap<_, Blake2_128Concat, JobId, PlanId, OptionQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A plan runs.
        PlanCreated { plan: PlanId, model: ModelId, rounds: u32 },
        /// A plan ends with the round that has begun.
        PlanStopping { plan: PlanId },
        /// A plan's owner has ended it; `released` went back to it.
        PlanCancelled { plan: PlanId, released: Balance },
        /// Too many rounds in a row were void; `released` went back to the plan's owner.
        PlanGivenUp { plan: PlanId, released: Balance },
        /// All rounds of a plan are over.
        PlanCompleted { plan: PlanId, weights: BlobId },
        /// A round has come to another phase.
        PhaseChanged {
            plan: PlanId,
            round: RoundIndex,
            phase: Phase,
        },
        /// A member will train.
        Enrolled {
            plan: PlanId,
            round: RoundIndex,
            worker: T::AccountId,
        },
        /// A worker has committed to its contribution. Losses in micro-nats per token.
        Contributed {
            plan: PlanId,
            round: RoundIndex,
            worker: T::AccountId,
            loss_first: u64,
            loss_last: u64,
            payload: BlobId,
        },
        /// A member has re-executed a segment of the contribution of `worker`.
        Audited {
            plan: PlanId,
            round: RoundIndex,
            worker: T::AccountId,
            auditor: T::AccountId,
            matches: bool,
        },
        /// A contribution does not count.
        Dropped {
            plan: PlanId,
            round: RoundIndex,
            worker: T::AccountId,
            reason: DropReason,
        },
        /// This member has to claim the result of a phase.
        ExecutorDrawn {
            plan: PlanId,
            round: RoundIndex,
            phase: Phase,
            executor: T::AccountId,
        },
        /// The executor has made its claim.
        Claimed {
            plan: PlanId,
            round: RoundIndex,
            executor: T::AccountId,
            job: JobId,
        },
        /// A worker got its part of a round's reward and shares.
        Paid {
            plan: PlanId,
            round: RoundIndex,
            worker: T::AccountId,
            amount: Balance,
            shares: Balance,
        },
        /// A round has yielded new weights.
        RoundCompleted {
            plan: PlanId,
            round: RoundIndex,
            weights: BlobId,
            version: VersionIndex,
            loss_before: u64,
            loss_after: u64,
        },
        /// A round has yielded nothing.
        RoundVoid {
            plan: PlanId,
            round: RoundIndex,
            reason: VoidReason,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// Only the owner may do this.
        NotOwner,
        /// As many plans run as the chain allows.
        TooManyPlans,
        /// A plan of this model runs already.
        PlanRunning,
        /// The number of rounds is zero, or more than the chain allows.
        RoundsOutOfRange,
        /// The reward of a round is below `MinReward`.
        RewardTooSmall,
        /// Rewards or shares of all rounds are more than tokens are counted.
        AmountTooLarge,
        /// The minimum of workers is zero, or more than a round has.
        MinimumOutOfRange,
        /// A size in the recipe is zero.
        RecipeSizeIsZero,
        /// A size in the recipe is beyond what this network computes.
        RecipeTooLarge,
        /// The steps of a segment do not divide those of a round, or make too many segments.
        SegmentsDoNotDivideSteps,
        /// A rate in the recipe is zero, or above 10.
        RateOutOfRange,
        /// A sequence is longer than the model's context.
        SequenceTooLong,
        /// The model has fewer tokens than there are bytes.
        VocabTooSmall,
        /// There is no dataset.
        NoDatasets,
        /// A dataset is named twice.
        DatasetTwice,
        /// The dataset's access terms do not let the caller train on it.
        AccessDenied,
        /// The datasets have more shards than a plan holds.
        TooManyShards,
        /// The datasets have too few sequences for all members to train and be scored.
        TooLittleData,
        /// No plan has this index, or it is over.
        UnknownPlan,
        /// The plan ends with the round that has begun already.
        PlanStopping,
        /// The report is not about the plan's current round.
        WrongRound,
        /// The report is signed for another session.
        WrongSession,
        /// The report names another job.
        WrongJob,
        /// The account is no member in this session.
        NotAMember,
        /// The signature is not the member's.
        BadSignature,
        /// The report belongs to another phase.
        WrongPhase,
        /// The member is a worker already.
        AlreadyEnrolled,
        /// There are as many workers as there may be.
        RoundFull,
        /// The member is no worker of this round.
        NotAWorker,
        /// The worker has contributed already.
        AlreadyContributed,
        /// The contribution has not a state per segment, names no blob, or is too large.
        ContributionMalformed,
        /// There is no contribution at this place, or its audit is over.
        NoAudit,
        /// The member is not asked about this contribution.
        NotAnAuditor,
        /// The member has audited this contribution already.
        AlreadyAudited,
        /// The claim is another member's to make, or another attempt's.
        NotExecutor,
        /// The claim has been made already.
        AlreadyClaimed,
        /// The output is not one of this phase, or not about the contributions of this round.
        WrongOutput,
        /// The claim's result is not the hash of its output.
        WrongResult,
        /// There is no open claim.
        NoClaim,
    }

    impl<T> From<RecipeError> for Error<T> {
        fn from(error: RecipeError) -> Self {
            match error {
                RecipeError::Zero => Self::RecipeSizeIsZero,
                RecipeError::TooLarge => Self::RecipeTooLarge,
                RecipeError::SegmentsDoNotDivideSteps => Self::SegmentsDoNotDivideSteps,
                RecipeError::RateOutOfRange => Self::RateOutOfRange,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            let running = Running::<T>::get();
            if !running.is_empty() {
                let members = Self::voters();
                for plan in &running {
                    Self::tick(*plan, &members);
                }
            }
            T::WeightInfo::tick(running.len().saturated_into())
        }

        fn offchain_worker(_: BlockNumberFor<T>) {
            Self::work();
        }

        fn integrity_test() {
            assert!(T::MaxPlans::get() > 0, "no plan could run");
            assert!(T::KeptPlans::get() > 0, "the end of a plan is worth seeing");
            assert!(T::MaxRounds::get() > 0, "a plan has a round");
            assert!(T::KeptRounds::get() > 0, "the end of a round is worth seeing");
            assert!(T::MaxVoidRounds::get() > 0, "a plan may begin");
            assert!(T::MinReward::get() > 0, "a plan costs something");
            assert!(T::Auditors::get() > 0, "contributions are audited");
            assert!(
                (1..=MAX_ATTEMPTS).contains(&T::MaxAttempts::get()),
                "a claim is tried, and a round can note who tried it"
            );
            let blocks = [
                T::EnrolBlocks::get(),
                T::TrainBlocks::get(),
                T::AuditBlocks::get(),
                T::ClaimBlocks::get(),
            ];
            assert!(blocks.iter().all(|blocks| *blocks > 1), "an answer needs a block");
            assert!(T::VerdictBlocks::get() > T::ClaimBlocks::get(), "checking takes longer");
            assert!(
                !T::WrongContributionSlash::get().is_zero(),
                "cheating would cost nothing"
            );
            assert!(!T::WrongAuditSlash::get().is_zero(), "accusing would cost nothing");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight(<T as Config>::WeightInfo))]
    impl<T: Config> Pallet<T> {
        /// Starts training of a model, from `base` or from its live version.
        ///
        /// Only the model's owner may call it. Holds `reward_per_round` for every round; what void
        /// rounds leave over is released when the plan is over. Emits `PlanCreated`.
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
            let live = T::Models::live(model)?;
            ensure!(live.owner == owner, Error::<T>::NotOwner);
            let from = match base {
                Some(version) => T::Models::version(model, version)?,
                None => live,
            };
            ensure!(
                (1..=T::MaxRounds::get()).contains(&rounds),
                Error::<T>::RoundsOutOfRange
            );
            ensure!(reward_per_round >= T::MinReward::get(), Error::<T>::RewardTooSmall);
            let times = Balance::from(rounds);
            let escrow = reward_per_round.checked_mul(times).ok_or(Error::<T>::AmountTooLarge)?;
            ensure!(
                shares_per_round.checked_mul(times).is_some(),
                Error::<T>::AmountTooLarge
            );
            ensure!(
                (1..=MAX_WORKERS).contains(&minimum_workers),
                Error::<T>::MinimumOutOfRange
            );
            recipe.validate().map_err(Error::<T>::from)?;
            ensure!(
                recipe.sequence <= from.architecture.context,
                Error::<T>::SequenceTooLong
            );
            ensure!(from.architecture.vocab >= 256, Error::<T>::VocabTooSmall);
            let (corpus, sequences) = Self::corpus_of(&owner, &datasets, &recipe)?;

            let plan = PlanRecord {
                owner,
                model,
                architecture: from.architecture,
                version: from.version,
                weights: from.weights,
                datasets,
                sequences,
                recipe,
                rounds,
                reward_per_round,
                shares_per_round,
                minimum_workers,
                escrow,
                paid: 0,
                round: 0,
                phase: Phase::Enrol,
                deadline: 0,
                void_in_a_row: 0,
                status: types::PlanStatus::Running,
            };
            Self::start_plan(plan, corpus)
        }

        /// Ends a plan: at once while its round is in phase `Enrol`, else with that round, so that nobody
        /// has trained for nothing. What is left of the escrow is released then.
        ///
        /// Only who created the plan may call it. Emits `PlanCancelled` or `PlanStopping`.
        #[pallet::call_index(1)]
        pub fn cancel_plan(origin: OriginFor<T>, plan: PlanId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::stop_plan(who, plan)
        }

        /// Enrols a member as a worker, from the named round on.
        ///
        /// Authorized: the member's `cmte` key has signed the message, the round is in phase `Enrol`
        /// and the member is no worker yet. Emits `Enrolled`.
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
            let EnrolBody { plan, round } = message.body;
            let step = RoundInput::Enrol {
                who: message.member.clone(),
            };
            let (record, next) = Self::after(plan, round, step).map_err(Error::<T>::from)?;
            Self::deposit_event(Event::Enrolled {
                plan,
                round,
                worker: message.member,
            });
            Self::follow(plan, record, next);
            Ok(())
        }

        /// Commits a worker to its contribution.
        ///
        /// Authorized: the worker's `cmte` key has signed the message, the round is in phase `Train` and
        /// the worker has not contributed. Emits `Contributed`.
        #[pallet::call_index(3)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_contribution())]
        #[pallet::authorize(Self::authorize_contribution)]
        pub fn submit_contribution(
            origin: OriginFor<T>,
            message: MessageOf<T, ContributionBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let worker = message.member.clone();
            let (record, next) = Self::after_contribution(&message).map_err(Error::<T>::from)?;
            let ContributionBody {
                plan,
                round,
                contribution,
            } = message.body;
            let place = next.round.place(&worker).ok_or(Error::<T>::NotAWorker)?;
            Self::deposit_event(Event::Contributed {
                plan,
                round,
                worker,
                loss_first: contribution.loss_first,
                loss_last: contribution.loss_last,
                payload: contribution.payload,
            });
            Contributions::<T>::insert(plan, place, contribution);
            Self::follow(plan, record, next);
            Ok(())
        }

        /// Says what a member found when it re-executed the drawn segment of a contribution.
        ///
        /// Authorized: the member's `cmte` key has signed the message, it is asked about this contribution
        /// and has not answered. Emits `Audited`, and slashes who is found to be wrong.
        #[pallet::call_index(4)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_audit())]
        #[pallet::authorize(Self::authorize_audit)]
        pub fn submit_audit(
            origin: OriginFor<T>,
            message: MessageOf<T, AuditBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let AuditBody {
                plan,
                round,
                worker,
                matches,
            } = message.body;
            let auditor = message.member;
            let step = RoundInput::Audit {
                by: auditor.clone(),
                worker,
                matches,
            };
            let (record, next) = Self::after(plan, round, step).map_err(Error::<T>::from)?;
            let of = next.round.workers.get(worker as usize).ok_or(Error::<T>::NoAudit)?;
            Self::deposit_event(Event::Audited {
                plan,
                round,
                worker: of.account.clone(),
                auditor,
                matches,
            });
            Self::follow(plan, record, next);
            Ok(())
        }

        /// Claims the scores of a round, or its new weights, under the executor's bond.
        ///
        /// Authorized: the executor's `cmte` key has signed the message, the claim is its to make, and
        /// `claim.result` is the hash of the output. Every other member checks it. Emits `Claimed`.
        #[pallet::call_index(5)]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_claim())]
        #[pallet::authorize(Self::authorize_claim)]
        pub fn submit_claim(
            origin: OriginFor<T>,
            message: MessageOf<T, ClaimBody>,
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (record, next) = Self::after_claim(&message).map_err(Error::<T>::from)?;
            let Message {
                member: executor,
                job,
                body,
                ..
            } = message;
            let ClaimBody {
                plan,
                round,
                claim,
                output,
                ..
            } = body;
            let kind = match output {
                Output::Scores(_) => JobKind::Score,
                Output::Weights(_) => JobKind::Aggregate,
            };
            Self::deposit_event(Event::Claimed {
                plan,
                round,
                executor: executor.clone(),
                job,
            });
            // Before the claim opens: its end may be told at once.
            Self::follow(plan, record, next);
            T::Verification::open(kind, job, &executor, claim, CommitteeRule::Everyone)
        }
    }
}
