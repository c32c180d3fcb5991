// SPDX-License-Identifier: Apache-2.0
//! # Inference
//!
//! Requests to models: which member executes a request, its escrow, and the payments when its answer has been checked.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | request | a prompt for a model with its sampling parameters and a maximum fee |
//! | escrow | the maximum fee, held on the requester's account while the request is open |
//! | executor | the member that has to answer a request, drawn with its bond as weight |
//! | attempt | the assignment of a request to one executor; an executor that failed is not drawn again for it |
//! | claim | the executor's bonded answer, checked by pallet `verification` |
//! | fee | price per token times the number of tokens of prompt and answer; the price is fixed by the request |
//! | open | waiting for a claim or for the verdict on one |
//! | finished | settled or refunded; removed after [`Config::RetainPeriod`] |
//!
//! ## Calls
//!
//! | call | origin | effect |
//! |---|---|---|
//! | `request` | any signed account that can pay | holds the escrow and draws an executor |
//! | `submit_claim` | authorized: the executor, once per attempt | opens the claim, which a committee then checks |
//!
//! `submit_claim` is an authorized transaction, which the offchain worker of a validator submits.
//!
//! ## The life cycle of a request
//!
//! ```text
//!                 late, refused or unresolved: the next executor
//!             .------------------------------------------------.
//!             v                                                |
//! request -> waiting -- claim --> claimed -- verdict ----------+--> settled: fee split, rest released
//!             |                                                |
//!             `------------- no executor is left --------------+--> refunded in full
//! ```
//!
//! ## Assumptions
//!
//! - Every claim that `verification` opens ends with exactly one verdict. Hence only a waiting request has a deadline.
//! - A block's author has some influence on which executor is drawn for a request in its block, by the request's
//!   position. It has no influence on the committee, which is drawn after the claim.
//! - A prompt has at most as many tokens as bytes. If tokens are bytes, their number is exact.
//! - The job does not depend on the attempt, so an engine computes it at most once.
//! - The account of the treasury exists. It receives payments that are too small to create their receiver's account. A
//!   payment that the treasury cannot receive either is released to the requester.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod assignment;
mod authorization;
pub mod claim;
mod escrow;
pub mod fees;
mod job_handler;
mod offchain;
pub mod request;
mod retention;
pub mod runtime_api;
pub mod sampling;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use weights::WeightInfo;

/// Log target of this pallet.
pub(crate) const LOG_TARGET: &str = "runtime::inference";

#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        job::{JobSpec, Sampling},
        message::Message,
        traits::{ClaimVerifier, CommitteeRule, DatasetRegistry, JobKind, ModelRegistry, SessionMembers},
        Balance, CommitteeSignature, JobId, ModelId, RequestId,
    };
    use claim::ClaimBody;
    use fees::{FeeShares, FeeSplit};
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            Randomness,
        },
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use pallet_support::ReportRefusal;
    use request::{Certainty, Output, Prompt, ReassignReason, RequestRecord, RequestStatus, MAX_ATTEMPTS};
    use sampling::{max_tokens, validate_sampling, SamplingError};
    use sp_core::H256;
    use sp_runtime::traits::Zero;

    /// The report of an executor that claims an answer.
    pub type ClaimMessage<T> = Message<<T as frame_system::Config>::AccountId, ClaimBody>;
    /// [`RequestRecord`] with the runtime's account and block number types.
    pub type RecordOf<T> = RequestRecord<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

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

        /// The members of the session, from which executors are drawn.
        type Members: SessionMembers<Self::AccountId>;

        /// The models.
        type Models: ModelRegistry<Self::AccountId>;

        /// The datasets on which the models were trained.
        type Datasets: DatasetRegistry<Self::AccountId>;

        /// Checks the claims.
        type Verification: ClaimVerifier<Self::AccountId>;

        /// Randomness of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// The account of the treasury.
        type Treasury: Get<Self::AccountId>;

        /// Maximum number of open requests.
        #[pallet::constant]
        type MaxOpenRequests: Get<u32>;

        /// Maximum number of requests with an expired deadline that one block reassigns. The following blocks reassign
        /// the others.
        #[pallet::constant]
        type MaxDuePerBlock: Get<u32>;

        /// Maximum number of finished requests that one block removes. The following blocks remove the others.
        #[pallet::constant]
        type MaxPrunedPerBlock: Get<u32>;

        /// Maximum number of executors that are drawn for one request.
        #[pallet::constant]
        type MaxAttempts: Get<u32>;

        /// Number of members that check a claim.
        #[pallet::constant]
        type CommitteeSize: Get<u32>;

        /// Number of blocks in which an executor has to submit its claim.
        #[pallet::constant]
        type AnswerPeriod: Get<BlockNumberFor<Self>>;

        /// Number of blocks after which a finished request is removed.
        #[pallet::constant]
        type RetainPeriod: Get<BlockNumberFor<Self>>;

        /// Maximum number of datasets whose contributors are paid from one fee. If the lineage of a version has more,
        /// its requests pay them in rotation.
        #[pallet::constant]
        type MaxPaidDatasets: Get<u32>;

        /// How a fee is split.
        #[pallet::constant]
        type FeeShares: Get<FeeShares>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The reasons for which the pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The maximum fees of an account's open requests.
        #[codec(index = 0)]
        Escrow,
    }

    /// The open requests, and the finished ones that have not been removed.
    #[pallet::storage]
    pub type Requests<T: Config> = StorageMap<_, Twox64Concat, RequestId, RecordOf<T>, OptionQuery>;

    /// The id of the next request.
    #[pallet::storage]
    pub type NextRequest<T: Config> = StorageValue<_, RequestId, ValueQuery>;

    /// The open requests by their jobs.
    #[pallet::storage]
    pub type OpenJobs<T: Config> = CountedStorageMap<_, Blake2_128Concat, JobId, RequestId, OptionQuery>;

    /// The waiting requests by the block in which their deadline expires.
    #[pallet::storage]
    pub type Deadlines<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumberFor<T>, BoundedVec<RequestId, T::MaxOpenRequests>, ValueQuery>;

    /// The waiting requests whose deadline expired in a block that had reached [`Config::MaxDuePerBlock`]. Each waiting
    /// request is once either here or in [`Deadlines`].
    #[pallet::storage]
    pub type Overdue<T: Config> = StorageValue<_, BoundedVec<RequestId, T::MaxOpenRequests>, ValueQuery>;

    /// The queue of finished requests, in the order in which they finished, each with the block in which it is removed.
    #[pallet::storage]
    pub type Finished<T: Config> = StorageMap<_, Twox64Concat, u64, (BlockNumberFor<T>, RequestId), OptionQuery>;

    /// The first position of the queue [`Finished`] and the position after its last.
    #[pallet::storage]
    pub type FinishedRange<T: Config> = StorageValue<_, (u64, u64), ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A request was created and its first executor drawn.
        Requested {
            /// The request.
            request: RequestId,
            /// The requester.
            who: T::AccountId,
            /// The model.
            model: ModelId,
            /// The first executor.
            executor: T::AccountId,
            /// The escrow, in plancks.
            max_fee: Balance,
        },
        /// The executor claimed an answer, which is checked now.
        Claimed {
            /// The request.
            request: RequestId,
            /// The executor.
            executor: T::AccountId,
            /// The job that answers the request.
            job: JobId,
        },
        /// The claim was settled and the fee paid.
        Settled {
            /// The request.
            request: RequestId,
            /// The executor.
            executor: T::AccountId,
            /// The answer, without the prompt.
            output: Output,
            /// Number of tokens of prompt and answer.
            tokens: u32,
            /// The fee paid, in plancks.
            fee: Balance,
            /// The fee by role, in plancks.
            split: FeeSplit,
            /// Number of checkers whose receipts were valid.
            receipts: u32,
        },
        /// The request was reassigned to another executor.
        Reassigned {
            /// The request.
            request: RequestId,
            /// The executor that failed.
            from: T::AccountId,
            /// The new executor.
            to: T::AccountId,
            /// Why the request was reassigned.
            reason: ReassignReason,
        },
        /// No executor was left, and the whole escrow was released.
        Refunded {
            /// The request.
            request: RequestId,
            /// The amount released, in plancks.
            amount: Balance,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The prompt is empty.
        EmptyPrompt,
        /// Prompt and maximum number of new tokens exceed the model's context.
        ContextExceeded,
        /// The maximum fee is below the price of the prompt and the maximum number of new tokens.
        FeeBelowPrice,
        /// `MaxOpenRequests` requests are open, or all request ids are in use.
        TooManyRequests,
        /// Fewer than two members with a bond are available.
        NoExecutor,
        /// A sampling parameter is invalid.
        Sampling(SamplingError),
        /// No open request has the job of the claim.
        NoRequest,
        /// The request is already claimed.
        AlreadyClaimed,
        /// The member is not the request's current executor.
        NotExecutor,
        /// The claim is for another attempt.
        WrongAttempt,
        /// The job cannot have an answer with this length and number of tokens.
        ImpossibleAnswer,
        /// The claim's result is not the hash of its output and number of tokens.
        WrongResult,
        /// The signature of the claim is not accepted.
        Report(ReportRefusal),
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            let reassigned = Self::reassign_overdue(now);
            let pruned = Self::prune(now);
            T::WeightInfo::on_initialize(reassigned, pruned)
        }

        fn offchain_worker(_: BlockNumberFor<T>) {
            Self::answer_requests();
        }

        fn integrity_test() {
            assert!(T::FeeShares::get().is_whole(), "the shares of a fee do not add up to 1");
            assert!(T::MaxOpenRequests::get() > 0, "MaxOpenRequests is zero");
            assert!(
                T::MaxDuePerBlock::get() > 0,
                "MaxDuePerBlock is zero: no request would be reassigned"
            );
            assert!(
                T::MaxPrunedPerBlock::get() > 0,
                "MaxPrunedPerBlock is zero: no request would be removed"
            );
            assert!(
                (1..=MAX_ATTEMPTS).contains(&T::MaxAttempts::get()),
                "MaxAttempts is zero or exceeds the capacity of a record"
            );
            assert!(
                T::CommitteeSize::get() > 0,
                "CommitteeSize is zero: no claim would be checked"
            );
            assert!(
                T::MaxPaidDatasets::get() > 0,
                "MaxPaidDatasets is zero: no contributor would be paid"
            );
            assert!(!T::AnswerPeriod::get().is_zero(), "AnswerPeriod is zero");
            assert!(!T::RetainPeriod::get().is_zero(), "RetainPeriod is zero");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Requests an answer to a prompt from the live version of a model.
        ///
        /// Origin: any signed account. Holds `max_fee` plancks, which must cover the price of as many tokens as the
        /// prompt has bytes and of `sampling.max_tokens`. The fee is paid when the answer has been checked; the rest of
        /// the escrow is released, or all of it if no executor answers. Emits [`Event::Requested`].
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::request())]
        pub fn request(
            origin: OriginFor<T>,
            model: ModelId,
            prompt: Prompt,
            sampling: Sampling,
            certainty: Certainty,
            max_fee: Balance,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(!prompt.is_empty(), Error::<T>::EmptyPrompt);
            let version = T::Models::live(model)?;
            validate_sampling(&sampling, &version.architecture).map_err(Error::<T>::Sampling)?;
            let tokens = max_tokens(&prompt, &sampling);
            ensure!(
                tokens <= version.architecture.context.into(),
                Error::<T>::ContextExceeded
            );
            let max_price = version.price.checked_mul(tokens.into());
            ensure!(
                max_price.is_some_and(|price| price <= max_fee),
                Error::<T>::FeeBelowPrice
            );
            ensure!(
                OpenJobs::<T>::count() < T::MaxOpenRequests::get(),
                Error::<T>::TooManyRequests
            );
            let request = NextRequest::<T>::get();
            let next = request.checked_add(1).ok_or(Error::<T>::TooManyRequests)?;
            let executor = Self::draw_executor(request, &[]).ok_or(Error::<T>::NoExecutor)?;
            if max_fee > 0 {
                T::Currency::hold(&HoldReason::Escrow.into(), &who, max_fee)?;
            }

            let mut record = RequestRecord {
                who: who.clone(),
                model,
                version: version.version,
                architecture: version.architecture,
                weights: version.weights,
                price: version.price,
                prompt,
                sampling,
                certainty,
                max_fee,
                job: JobId::zero(),
                failed: BoundedVec::new(),
                // Replaced by `assign`.
                status: RequestStatus::Refunded,
            };
            record.job = JobSpec::Generate(record.generate_spec(request)).id();
            NextRequest::<T>::put(next);
            OpenJobs::<T>::insert(record.job, request);
            Self::assign(request, record, executor.clone());
            Self::deposit_event(Event::Requested {
                request,
                who,
                model,
                executor,
                max_fee,
            });
            Ok(())
        }

        /// Claims the answer to a request under the executor's bond.
        ///
        /// Authorized: signed by the session key of the request's executor, for the current attempt, with an answer
        /// that the job can have. Emits [`Event::Claimed`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::submit_claim())]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_claim())]
        #[pallet::authorize(Self::authorize_claim)]
        pub fn submit_claim(
            origin: OriginFor<T>,
            message: ClaimMessage<T>,
            // Verified by `authorize`.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (request, mut record) = Self::check_claim(&message)?;
            let Message {
                member: executor,
                job,
                body,
                ..
            } = message;
            Self::clear_deadline(request, &record);
            record.status = RequestStatus::Claimed {
                executor: executor.clone(),
                output: body.output,
                tokens: body.tokens,
            };
            Requests::<T>::insert(request, record);
            Self::deposit_event(Event::Claimed {
                request,
                executor: executor.clone(),
                job,
            });
            let size = T::CommitteeSize::get();
            let rule = CommitteeRule::Drawn { size };
            T::Verification::open(JobKind::Inference, job, &executor, body.claim, rule)
        }
    }
}
