// SPDX-License-Identifier: Apache-2.0
//! # Inference
//!
//! Who answers a request, what it may cost, and who is paid when the answer has been checked.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | request | a prompt for a model, how to sample, and the most that it may cost |
//! | escrow | that amount, held on the requester's account until the request is over |
//! | executor | the member that has to answer, drawn by bond |
//! | attempt | one executor's turn; who has failed a request is not drawn for it again |
//! | claim | the executor's answer under its bond, checked by pallet `verification` |
//! | fee | price × tokens of prompt and answer, at the price of the moment of the request |
//! | finished | settled or refunded; forgotten some time later |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `request` | anyone who can pay | the escrow is held, an executor is drawn |
//! | `submit_claim` | the executor, once | its answer is put before a committee |
//!
//! `submit_claim` is an authorized transaction that the offchain worker of a validator makes by itself.
//!
//! ## The life of a request
//!
//! ```text
//!                     late, refused or unresolved: the next executor
//!             .------------------------------------------------.
//!             v                                                |
//! request -> waiting -- claim --> claimed -- verdict ----------+--> settled: fee split, rest released
//!             |                                                |
//!             `------------- nobody is left to try ------------+--> refunded in full
//! ```
//!
//! ## Assumptions
//!
//! - Every claim that `verification` has opened ends with one verdict; only a waiting request has a
//!   deadline of its own.
//! - The author of a block has some influence on who executes a request in it, by its place in the block.
//!   It has none on who checks: that is drawn after the claim.
//! - A prompt has no more tokens than bytes. Where tokens are bytes their number is exact.
//! - The job does not depend on the attempt, so an engine that has answered it before need not do so again.
//! - The treasury's account exists. What is too little for a new account goes there instead; while the
//!   treasury cannot take it either, it stays with the requester.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod fees;
mod offchain;
pub mod runtime_api;
mod settlement;
pub mod types;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use pallet::*;
pub use weights::WeightInfo;

/// Target of this pallet's log lines.
pub(crate) const LOG_TARGET: &str = "runtime::inference";

/// What a claim message is signed for.
pub const CLAIM_DOMAIN: &[u8] = b"inference/claim";

#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        draw::draw_one,
        job::{JobSpec, Sampling},
        message::Message,
        receipt::output_result,
        traits::{
            ClaimVerifier, CommitteeRule, DatasetRegistry, JobHandler, JobKind, ModelRegistry, SessionMembers, Verdict,
        },
        Balance, CommitteeSignature, JobId, ModelId, RequestId,
    };
    use alloc::vec::Vec;
    use codec::Encode;
    use fees::{FeeShares, FeeSplit};
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{Inspect, MutateHold},
            tokens::Precision,
            Randomness,
        },
    };
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use sp_core::H256;
    use sp_crypto_hashing::blake2_256;
    use sp_runtime::{
        traits::{Saturating, Zero},
        transaction_validity::TransactionValidityWithRefund,
    };
    use types::{
        most_tokens, validate_sampling, Certainty, ClaimBody, ClaimRefusal, Output, Prompt, Reason, RequestRecord,
        RequestStatus, SamplingError, MAX_ATTEMPTS,
    };

    /// A message of an executor.
    pub type ClaimMessage<T> = Message<<T as frame_system::Config>::AccountId, ClaimBody>;
    /// A request as this runtime keeps it.
    pub type RecordOf<T> = RequestRecord<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

    /// Blocks that a claim stays in the pool. Short: a node that could not take one when it first heard of
    /// it gets a fresh one soon after.
    pub(crate) const LONGEVITY: u64 = 5;

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

        /// What is served.
        type Models: ModelRegistry<Self::AccountId>;

        /// Whose data the models have seen.
        type Datasets: DatasetRegistry<Self::AccountId>;

        /// Checks the answers.
        type Verification: ClaimVerifier<Self::AccountId>;

        /// The value of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// The account of the treasury.
        type Treasury: Get<Self::AccountId>;

        /// Most requests that are open at once.
        #[pallet::constant]
        type MaxOpenRequests: Get<u32>;

        /// Most requests that a block passes on because their deadline has struck; the rest waits for the
        /// next block.
        #[pallet::constant]
        type MaxDuePerBlock: Get<u32>;

        /// Most finished requests that a block forgets; the rest waits for the next.
        #[pallet::constant]
        type MaxPrunedPerBlock: Get<u32>;

        /// Most executors that try one request.
        #[pallet::constant]
        type MaxAttempts: Get<u32>;

        /// How many check an answer.
        #[pallet::constant]
        type CommitteeSize: Get<u32>;

        /// Blocks that an executor has.
        #[pallet::constant]
        type AnswerPeriod: Get<BlockNumberFor<Self>>;

        /// Blocks for which a finished request is kept.
        #[pallet::constant]
        type RetainPeriod: Get<BlockNumberFor<Self>>;

        /// Most datasets whose contributors are paid out of one fee. A version whose lineage has more of
        /// them pays out to so many in turn.
        #[pallet::constant]
        type MaxPaidDatasets: Get<u32>;

        /// How a fee is split.
        #[pallet::constant]
        type FeeShares: Get<FeeShares>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// Why the pallet holds tokens.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// The most that the open requests of an account may cost.
        #[codec(index = 0)]
        Escrow,
    }

    /// The requests that are open or have finished not long ago.
    #[pallet::storage]
    pub type Requests<T: Config> = StorageMap<_, Twox64Concat, RequestId, RecordOf<T>, OptionQuery>;

    /// The index of the next request.
    #[pallet::storage]
    pub type NextRequest<T: Config> = StorageValue<_, RequestId, ValueQuery>;

    /// The open requests by the jobs that answer them.
    #[pallet::storage]
    pub type OpenJobs<T: Config> = CountedStorageMap<_, Blake2_128Concat, JobId, RequestId, OptionQuery>;

    /// The waiting requests by the block in which it is too late to answer.
    #[pallet::storage]
    pub type Deadlines<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumberFor<T>, BoundedVec<RequestId, T::MaxOpenRequests>, ValueQuery>;

    /// The waiting requests whose deadline has struck in a block that had no room for them. Each waiting
    /// request is either here or, once, in [`Deadlines`].
    #[pallet::storage]
    pub type Overdue<T: Config> = StorageValue<_, BoundedVec<RequestId, T::MaxOpenRequests>, ValueQuery>;

    /// The finished requests in the order in which they finished, and the block in which each is forgotten.
    #[pallet::storage]
    pub type Finished<T: Config> = StorageMap<_, Twox64Concat, u64, (BlockNumberFor<T>, RequestId), OptionQuery>;

    /// The first place of [`Finished`] and the one after the last.
    #[pallet::storage]
    pub type FinishedPlaces<T: Config> = StorageValue<_, (u64, u64), ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Somebody asks, and an executor has to answer.
        Requested {
            request: RequestId,
            who: T::AccountId,
            model: ModelId,
            executor: T::AccountId,
            max_fee: Balance,
        },
        /// The executor has answered; now it is checked.
        Claimed {
            request: RequestId,
            executor: T::AccountId,
            job: JobId,
        },
        /// The answer was confirmed by as many as there are receipts, and paid.
        Settled {
            request: RequestId,
            executor: T::AccountId,
            output: Output,
            tokens: u32,
            fee: Balance,
            split: FeeSplit,
            receipts: u32,
        },
        /// Another executor has to answer.
        Reassigned {
            request: RequestId,
            from: T::AccountId,
            to: T::AccountId,
            reason: Reason,
        },
        /// Nobody is left to try: the whole escrow is released.
        Refunded { request: RequestId, amount: Balance },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// There is no prompt.
        EmptyPrompt,
        /// No token may be generated.
        NoTokens,
        /// More tokens are asked for than a request may have.
        TooManyTokens,
        /// Prompt and longest answer are longer than the model's context.
        ContextExceeded,
        /// The temperature is above 10.
        TemperatureTooHigh,
        /// The top-p is above 1.
        TopPTooHigh,
        /// The stop token is not the model's.
        StopNotAToken,
        /// The offer is below what prompt and longest answer cost.
        FeeBelowPrice,
        /// As many requests are open as may be.
        TooManyRequests,
        /// No member could answer and be checked.
        NoExecutor,
        /// The claim is signed for another session.
        WrongSession,
        /// No open request has this job.
        NoRequest,
        /// The request has a claim already.
        AlreadyClaimed,
        /// The member is not the request's executor.
        NotExecutor,
        /// The claim is for another attempt.
        WrongAttempt,
        /// Output and tokens cannot come out of the job.
        ImpossibleAnswer,
        /// The claim is about another output.
        WrongResult,
        /// The account is no member in this session.
        NotAMember,
        /// The signature is not the member's.
        BadSignature,
    }

    impl<T> From<SamplingError> for Error<T> {
        fn from(error: SamplingError) -> Self {
            match error {
                SamplingError::NoTokens => Self::NoTokens,
                SamplingError::TooManyTokens => Self::TooManyTokens,
                SamplingError::Temperature => Self::TemperatureTooHigh,
                SamplingError::TopP => Self::TopPTooHigh,
                SamplingError::Stop => Self::StopNotAToken,
            }
        }
    }

    impl<T> From<ClaimRefusal> for Error<T> {
        fn from(refusal: ClaimRefusal) -> Self {
            match refusal {
                ClaimRefusal::WrongSession => Self::WrongSession,
                ClaimRefusal::NoRequest => Self::NoRequest,
                ClaimRefusal::AlreadyClaimed => Self::AlreadyClaimed,
                ClaimRefusal::NotExecutor => Self::NotExecutor,
                ClaimRefusal::WrongAttempt => Self::WrongAttempt,
                ClaimRefusal::ImpossibleAnswer => Self::ImpossibleAnswer,
                ClaimRefusal::WrongResult => Self::WrongResult,
                ClaimRefusal::NotAMember => Self::NotAMember,
                ClaimRefusal::BadSignature => Self::BadSignature,
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            let late = Self::pass_on_overdue(now);
            let forgotten = Self::prune(now);
            T::WeightInfo::on_initialize(late, forgotten)
        }

        fn offchain_worker(_: BlockNumberFor<T>) {
            Self::answer_requests();
        }

        fn integrity_test() {
            assert!(T::FeeShares::get().is_whole(), "the shares of a fee are not the whole");
            assert!(T::MaxOpenRequests::get() > 0, "no request could be made");
            assert!(T::MaxDuePerBlock::get() > 0, "no request would be passed on");
            assert!(T::MaxPrunedPerBlock::get() > 0, "no request would be forgotten");
            assert!(
                (1..=MAX_ATTEMPTS).contains(&T::MaxAttempts::get()),
                "a record cannot hold so many executors"
            );
            assert!(T::CommitteeSize::get() > 0, "nobody would check");
            assert!(T::MaxPaidDatasets::get() > 0, "no data would be paid for");
            assert!(!T::AnswerPeriod::get().is_zero(), "no time to answer");
            assert!(!T::RetainPeriod::get().is_zero(), "no answer could be read");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Asks the live version of a model.
        ///
        /// Any account may call it. Holds `max_fee`, which must cover the price of the prompt's bytes and
        /// `sampling.max_tokens`. Emits [`Event::Requested`]. What the answer costs is paid when it has been
        /// checked; the rest, or all if nobody answers, is released.
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
            let served = T::Models::live(model)?;
            validate_sampling(&sampling, &served.architecture).map_err(Error::<T>::from)?;
            let tokens = most_tokens(&prompt, &sampling);
            ensure!(
                tokens <= served.architecture.context.into(),
                Error::<T>::ContextExceeded
            );
            let price = served.price;
            let worst = price.checked_mul(tokens.into());
            ensure!(worst.is_some_and(|worst| worst <= max_fee), Error::<T>::FeeBelowPrice);
            ensure!(
                OpenJobs::<T>::count() < T::MaxOpenRequests::get(),
                Error::<T>::TooManyRequests
            );
            let request = NextRequest::<T>::get();
            let next = request.checked_add(1).ok_or(Error::<T>::TooManyRequests)?;
            let executor = Self::draw(request, &[]).ok_or(Error::<T>::NoExecutor)?;
            if max_fee > 0 {
                T::Currency::hold(&HoldReason::Escrow.into(), &who, max_fee)?;
            }

            let mut record = RequestRecord {
                who: who.clone(),
                model,
                version: served.version,
                architecture: served.architecture,
                weights: served.weights,
                price,
                prompt,
                sampling,
                certainty,
                max_fee,
                job: JobId::zero(),
                failed: BoundedVec::new(),
                status: RequestStatus::Refunded,
            };
            record.job = JobSpec::Generate(record.generate(request)).id();
            NextRequest::<T>::put(next);
            OpenJobs::<T>::insert(record.job, request);
            Self::wait_for(request, record, executor.clone());
            Self::deposit_event(Event::Requested {
                request,
                who,
                model,
                executor,
                max_fee,
            });
            Ok(())
        }

        /// Claims the answer to a request.
        ///
        /// Authorized: the `cmte` key of the request's executor has signed the message, the attempt is the
        /// current one, and the answer could come out of the job. Emits [`Event::Claimed`].
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
            let (request, mut record) = Self::claimed_request(&message).map_err(Error::<T>::from)?;
            let Message {
                member: executor,
                job,
                body,
                ..
            } = message;
            Self::forget_deadline(request, &record);
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

    impl<T: Config> Pallet<T> {
        /// The job that answers a request; `None` for an unknown or forgotten one.
        pub fn job_of(request: RequestId) -> Option<JobId> {
            Requests::<T>::get(request).map(|record| record.job)
        }

        fn authorize_claim(
            _source: TransactionSource,
            message: &ClaimMessage<T>,
            signature: &CommitteeSignature,
        ) -> TransactionValidityWithRefund {
            Self::claimed_request(message)?;
            // Expensive, so last.
            let member = T::Members::member(&message.member).ok_or(ClaimRefusal::NotAMember)?;
            if !message.verify(CLAIM_DOMAIN, &Self::genesis(), &member.key, signature) {
                return Err(ClaimRefusal::BadSignature.into());
            }
            ValidTransaction::with_tag_prefix("AgoraiInference")
                .priority(TransactionPriority::MAX / 2)
                .and_provides((CLAIM_DOMAIN, message.job, message.body.attempt, &message.member))
                .longevity(LONGEVITY)
                .propagate(true)
                .build()
                .map(|valid| (valid, Weight::zero()))
        }

        /// The waiting request that a claim answers, if all but its signature is right.
        pub(crate) fn claimed_request(message: &ClaimMessage<T>) -> Result<(RequestId, RecordOf<T>), ClaimRefusal> {
            if message.session != T::Members::session() {
                return Err(ClaimRefusal::WrongSession);
            }
            let request = OpenJobs::<T>::get(message.job).ok_or(ClaimRefusal::NoRequest)?;
            let record = Requests::<T>::get(request).ok_or(ClaimRefusal::NoRequest)?;
            let RequestStatus::Waiting { executor, .. } = &record.status else {
                return Err(ClaimRefusal::AlreadyClaimed);
            };
            if *executor != message.member {
                return Err(ClaimRefusal::NotExecutor);
            }
            let body = &message.body;
            if record.attempt() != body.attempt {
                return Err(ClaimRefusal::WrongAttempt);
            }
            if !record.could_yield(body.output.len(), body.tokens) {
                return Err(ClaimRefusal::ImpossibleAnswer);
            }
            if body.claim.result != output_result(&body.output, body.tokens) {
                return Err(ClaimRefusal::WrongResult);
            }
            Ok((request, record))
        }

        /// The hash of the first block, which makes a signature worthless on another chain.
        pub(crate) fn genesis() -> H256 {
            frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
        }

        /// An executor for a request that `failed` have failed.
        fn draw(request: RequestId, failed: &[T::AccountId]) -> Option<T::AccountId> {
            let members = T::Members::members();
            // An answer that nobody else can check cannot settle.
            if members.iter().filter(|member| member.bond > 0).count() < 2 {
                return None;
            }
            let eligible: Vec<_> = members
                .into_iter()
                .filter(|member| !failed.contains(&member.account))
                .collect();
            let bonds: Vec<_> = eligible.iter().map(|member| member.bond).collect();
            let seed = (Self::block_value(), request, failed.len() as u32)
                .using_encoded(blake2_256)
                .into();
            let place = draw_one(&seed, &bonds)?;
            eligible.into_iter().nth(place).map(|member| member.account)
        }

        /// This block's value for draws.
        fn block_value() -> H256 {
            let (value, _) = T::Randomness::random(b"agorai/executor");
            value.unwrap_or_else(frame_system::Pallet::<T>::parent_hash)
        }

        /// Writes the request as waiting for `executor`, whose time begins now.
        fn wait_for(request: RequestId, mut record: RecordOf<T>, executor: T::AccountId) {
            let now = frame_system::Pallet::<T>::block_number();
            let due = now.saturating_add(T::AnswerPeriod::get());
            Deadlines::<T>::mutate(due, |requests| {
                // Each open request has one deadline, so there is room for all of them in one block.
                if requests.try_push(request).is_err() {
                    log::error!(target: LOG_TARGET, "more requests wait than are open");
                }
            });
            record.status = RequestStatus::Waiting { executor, due };
            Requests::<T>::insert(request, record);
        }

        fn forget_deadline(request: RequestId, record: &RecordOf<T>) {
            let RequestStatus::Waiting { due, .. } = record.status else {
                return;
            };
            Deadlines::<T>::mutate_exists(due, |deadline| {
                if let Some(requests) = deadline {
                    requests.retain(|other| *other != request);
                    if requests.is_empty() {
                        *deadline = None;
                    }
                }
            });
            if due <= frame_system::Pallet::<T>::block_number() {
                Overdue::<T>::mutate(|requests| requests.retain(|other| *other != request));
            }
        }

        /// Passes on the requests whose executors are late. Returns how many.
        fn pass_on_overdue(now: BlockNumberFor<T>) -> u32 {
            let overdue = Overdue::<T>::take();
            let mut late = overdue.into_inner();
            late.extend(Deadlines::<T>::take(now));
            let most = T::MaxDuePerBlock::get() as usize;
            let later = late.split_off(most.min(late.len()));
            if !later.is_empty() {
                Overdue::<T>::put(BoundedVec::truncate_from(later));
            }
            for request in &late {
                if let Some(record) = Requests::<T>::get(request) {
                    if let RequestStatus::Waiting { executor, .. } = record.status.clone() {
                        Self::pass_on(*request, record, executor, Reason::Late);
                    }
                }
            }
            late.len() as u32
        }

        /// Passes a request on from an executor that has failed it, or refunds it.
        fn pass_on(request: RequestId, mut record: RecordOf<T>, from: T::AccountId, reason: Reason) {
            let noted = record.failed.try_push(from.clone()).is_ok();
            let next = if noted && record.attempt() < T::MaxAttempts::get() {
                Self::draw(request, &record.failed)
            } else {
                None
            };
            match next {
                Some(to) => {
                    Self::wait_for(request, record, to.clone());
                    Self::deposit_event(Event::Reassigned {
                        request,
                        from,
                        to,
                        reason,
                    });
                }
                None => {
                    let amount = Self::release(&record, record.max_fee);
                    Self::finish(request, record, RequestStatus::Refunded);
                    Self::deposit_event(Event::Refunded { request, amount });
                }
            }
        }

        fn settle(
            request: RequestId,
            record: RecordOf<T>,
            executor: T::AccountId,
            (output, tokens): (Output, u32),
            checkers: Vec<T::AccountId>,
        ) {
            let receipts = checkers.len() as u32;
            let split = Self::pay(request, &record, &executor, tokens, checkers);
            let fee = split.total();
            Self::release(&record, record.max_fee.saturating_sub(fee));
            let status = RequestStatus::Settled {
                executor: executor.clone(),
                output: output.clone(),
                tokens,
                fee,
                checkers: receipts,
            };
            Self::finish(request, record, status);
            Self::deposit_event(Event::Settled {
                request,
                executor,
                output,
                tokens,
                fee,
                split,
                receipts,
            });
        }

        /// Gives the requester so much of its escrow back. Returns how much that was.
        fn release(record: &RecordOf<T>, amount: Balance) -> Balance {
            if amount == 0 {
                return 0;
            }
            let reason = HoldReason::Escrow.into();
            let released = T::Currency::release(&reason, &record.who, amount, Precision::BestEffort);
            // Only an account without any balance could not take it, and who has a hold has one.
            released.unwrap_or_else(|error| {
                log::error!(target: LOG_TARGET, "escrow is not released: {error:?}");
                0
            })
        }

        fn finish(request: RequestId, mut record: RecordOf<T>, status: RequestStatus<T::AccountId, BlockNumberFor<T>>) {
            OpenJobs::<T>::remove(record.job);
            record.status = status;
            Requests::<T>::insert(request, record);
            let now = frame_system::Pallet::<T>::block_number();
            let until = now.saturating_add(T::RetainPeriod::get());
            FinishedPlaces::<T>::mutate(|(_, next)| {
                Finished::<T>::insert(*next, (until, request));
                *next = next.saturating_add(1);
            });
        }

        /// Forgets requests that have finished long enough ago. Returns how many.
        fn prune(now: BlockNumberFor<T>) -> u32 {
            let (first, next) = FinishedPlaces::<T>::get();
            let mut place = first;
            let last = next.min(first.saturating_add(T::MaxPrunedPerBlock::get().into()));
            while place < last {
                match Finished::<T>::get(place) {
                    Some((until, _)) if until > now => break,
                    Some((_, request)) => Requests::<T>::remove(request),
                    None => log::error!(target: LOG_TARGET, "no request finished as {place}"),
                }
                Finished::<T>::remove(place);
                place = place.saturating_add(1);
            }
            if place > first {
                FinishedPlaces::<T>::put((place, next));
            }
            place.saturating_sub(first) as u32
        }
    }

    impl<T: Config> JobHandler<T::AccountId> for Pallet<T> {
        fn check_spec(kind: JobKind, job: JobId) -> Option<JobSpec> {
            if kind != JobKind::Inference {
                return None;
            }
            let request = OpenJobs::<T>::get(job)?;
            Requests::<T>::get(request)?.check(request).map(JobSpec::Check)
        }

        fn on_verdict(kind: JobKind, job: JobId, verdict: Verdict<T::AccountId>) {
            if kind != JobKind::Inference {
                return;
            }
            let open = OpenJobs::<T>::get(job).and_then(|request| Some((request, Requests::<T>::get(request)?)));
            let Some((request, record)) = open else {
                log::error!(target: LOG_TARGET, "a verdict on {job:?}, which nobody asked for");
                return;
            };
            let RequestStatus::Claimed {
                executor,
                output,
                tokens,
            } = record.status.clone()
            else {
                log::error!(target: LOG_TARGET, "a verdict on {job:?}, which nobody claimed");
                return;
            };
            match verdict {
                Verdict::Settled { checkers } => Self::settle(request, record, executor, (output, tokens), checkers),
                Verdict::Refused => Self::pass_on(request, record, executor, Reason::Refused),
                Verdict::Unresolved => Self::pass_on(request, record, executor, Reason::Unresolved),
            }
        }
    }
}
