// SPDX-License-Identifier: Apache-2.0
//! # Verification
//!
//! Consensus on what the machines off the chain have computed: claims, committees, receipts, disputes.
//!
//! ## Words
//!
//! | word | meaning |
//! |---|---|
//! | job | a unit of work with a fully determined result |
//! | claim | an executor's bonded statement: job -> result hash, trace root, `H(S)` |
//! | S | a second digest of the trace; only who has computed the job knows it |
//! | set | the members and their bonds at the moment of the claim |
//! | committee | the members that are asked: drawn by bond after the claim, or everybody |
//! | receipt | `H(account, job, S)`: binds its author, cannot be copied, cannot be made without S |
//! | opening | publishing S: all receipts are checked at once |
//! | quorum | more than 2/3 of the weight of those that are asked |
//!
//! ## Calls
//!
//! | call | who | effect |
//! |---|---|---|
//! | `submit_receipt` | a member that is asked, once | agrees, differs, or was unable |
//! | `submit_opening` | any member that knows S | settles the claim if the receipts that open are a quorum |
//!
//! Both are authorized transactions that the offchain worker of a validator makes by itself. Claims are
//! opened by other pallets through [`agorai_primitives::traits::ClaimVerifier`].
//!
//! ## How a claim ends
//!
//! A drawn committee settles a claim that nobody in it disputes. On a dispute, on a quorum that has become
//! impossible, or at the deadline it is widened, once, to the whole set, in which the executor's own bond
//! stands for its claim. There more than 2/3 of the bond decide: *settled* (who disputed is slashed),
//! *refused* (the executor is slashed), or *unresolved* (nobody is).
//!
//! ## Assumptions
//!
//! - Less than a third of the set's bond cheats or is silent. Then nobody honest is slashed, whatever
//!   committee is drawn, and an honest claim settles. That no wrong claim settles holds for every committee
//!   of which less than 2/3 cheat: the larger, the surer; with [`CommitteeRule::Everyone`] always.
//! - Results are exact: honest members get the same bits.
//! - The randomness of blocks after the one of the claim cannot be chosen by its executor. Each value is
//!   that of the parent block, so the first block after the claim, whose value the claim's own block has
//!   produced, does not count.
//! - [`Config::Jobs`] never fails on a verdict.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod claim;
mod offchain;
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
pub(crate) const LOG_TARGET: &str = "runtime::verification";

/// What a receipt message is signed for.
pub const RECEIPT_DOMAIN: &[u8] = b"verification/receipt";
/// What an opening message is signed for.
pub const OPENING_DOMAIN: &[u8] = b"verification/opening";

#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        message::Message,
        receipt::ClaimDigest,
        traits::{ClaimVerifier, CommitteeRule, Fault, JobHandler, JobKind, SessionMembers, Slash, Verdict},
        CommitteeSignature, JobId,
    };
    use alloc::vec::Vec;
    use claim::{Claim, ClaimInput, ClaimRefusal, Outcome, Transition, MAX_MEMBERS};
    use codec::Encode;
    use frame_support::{pallet_prelude::*, traits::Randomness};
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use sp_core::H256;
    use sp_crypto_hashing::blake2_256;
    use sp_runtime::{
        traits::{One, Saturating, Zero},
        transaction_validity::TransactionValidityWithRefund,
        Perbill,
    };
    use types::{OpenClaim, Report, ReportRefusal};

    /// A message of a member that is asked.
    pub type ReceiptMessage<T> = Message<<T as frame_system::Config>::AccountId, Report>;
    /// A message of who knows S.
    pub type OpeningMessage<T> = Message<<T as frame_system::Config>::AccountId, H256>;
    /// A claim as this runtime keeps it.
    pub type OpenClaimOf<T> = OpenClaim<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

    /// Blocks that a report stays in the pool. Short: a node that could not take one when it first heard of
    /// it gets a fresh one, with a new signature, soon after.
    pub(crate) const LONGEVITY: u64 = 5;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<Hash = H256, RuntimeEvent: From<Event<Self>>> + CreateAuthorizedTransaction<Call<Self>>
    {
        /// Who may do jobs.
        type Members: SessionMembers<Self::AccountId>;

        /// Cuts bonds.
        type Slash: Slash<Self::AccountId>;

        /// The pallets whose jobs are claimed.
        type Jobs: JobHandler<Self::AccountId>;

        /// The value of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// Most claims that are open at once.
        #[pallet::constant]
        type MaxOpenClaims: Get<u32>;

        /// Most claims that a block moves on because their time has come; the rest waits for the next.
        #[pallet::constant]
        type MaxDuePerBlock: Get<u32>;

        /// Blocks after the claim whose randomness goes into a draw.
        #[pallet::constant]
        type DrawBlocks: Get<u32>;

        /// Blocks that a drawn committee has.
        #[pallet::constant]
        type CheckPeriod: Get<BlockNumberFor<Self>>;

        /// Blocks that the whole set has.
        #[pallet::constant]
        type WidenedPeriod: Get<BlockNumberFor<Self>>;

        /// Blocks before a deadline from which a failed check is reported as such.
        #[pallet::constant]
        type GiveUpBlocks: Get<BlockNumberFor<Self>>;

        /// The part of an executor's bond that a refused claim costs.
        #[pallet::constant]
        type WrongClaimSlash: Get<Perbill>;

        /// The part of a checker's bond that a dispute of a settled claim costs.
        #[pallet::constant]
        type WrongDisputeSlash: Get<Perbill>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The open claims.
    #[pallet::storage]
    pub type Claims<T: Config> = CountedStorageMap<_, Blake2_128Concat, JobId, OpenClaimOf<T>, OptionQuery>;

    /// The claims for which a block has something to do: a draw or a deadline. Each open claim is in it once.
    #[pallet::storage]
    pub type Due<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumberFor<T>, BoundedVec<JobId, T::MaxOpenClaims>, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An executor has claimed the result of a job.
        ClaimOpened {
            job: JobId,
            kind: JobKind,
            executor: T::AccountId,
            claim: ClaimDigest,
        },
        /// These have to check the claim.
        CommitteeDrawn { job: JobId, members: Vec<T::AccountId> },
        /// A member has answered.
        Answered { job: JobId, member: T::AccountId },
        /// Now the whole set has to check the claim.
        Widened { job: JobId },
        /// These were silent to the end, or their receipts did not open. Nobody is slashed for it.
        DutyMissed { job: JobId, members: Vec<T::AccountId> },
        /// A quorum has computed the same.
        ClaimSettled {
            job: JobId,
            executor: T::AccountId,
            checkers: Vec<T::AccountId>,
        },
        /// A quorum has computed something else, and the same.
        ClaimRefused { job: JobId, executor: T::AccountId },
        /// Too few have answered in time.
        ClaimUnresolved { job: JobId },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// There is no open claim on this job.
        NoClaim,
        /// There is one already.
        AlreadyClaimed,
        /// As many claims are open as may be.
        TooManyClaims,
        /// The report is about another claim on this job.
        OtherClaim,
        /// The account is no member in this session.
        NotAMember,
        /// The report is signed for another session.
        WrongSession,
        /// The signature is not the member's.
        BadSignature,
        /// The committee has not been drawn yet.
        NotDrawn,
        /// The committee has been drawn already.
        Drawn,
        /// This member is not asked about this claim.
        NotAsked,
        /// This member has answered.
        AnsweredAlready,
        /// This is not the claim's S.
        WrongSecret,
        /// The receipts that open are no quorum.
        NoQuorum,
        /// There is no other member that could check.
        NoCheckers,
        /// The set is larger than a claim can hold.
        TooManyMembers,
    }

    impl<T> From<ClaimRefusal> for Error<T> {
        fn from(refusal: ClaimRefusal) -> Self {
            match refusal {
                ClaimRefusal::NotDrawn => Self::NotDrawn,
                ClaimRefusal::Drawn => Self::Drawn,
                ClaimRefusal::NotAsked => Self::NotAsked,
                ClaimRefusal::AnsweredAlready => Self::AnsweredAlready,
                ClaimRefusal::WrongSecret => Self::WrongSecret,
                ClaimRefusal::NoQuorum => Self::NoQuorum,
                ClaimRefusal::NoCheckers => Self::NoCheckers,
                ClaimRefusal::TooManyMembers => Self::TooManyMembers,
            }
        }
    }

    impl<T> From<ReportRefusal> for Error<T> {
        fn from(refusal: ReportRefusal) -> Self {
            match refusal {
                ReportRefusal::WrongSession => Self::WrongSession,
                ReportRefusal::NoClaim => Self::NoClaim,
                ReportRefusal::OtherClaim => Self::OtherClaim,
                ReportRefusal::NotAMember => Self::NotAMember,
                ReportRefusal::BadSignature => Self::BadSignature,
                ReportRefusal::Claim(refusal) => refusal.into(),
            }
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            T::WeightInfo::due(Self::move_due(now))
        }

        fn offchain_worker(now: BlockNumberFor<T>) {
            Self::check_claims(now);
        }

        fn integrity_test() {
            assert!(T::MaxOpenClaims::get() > 0, "no claim could be opened");
            assert!(T::MaxDuePerBlock::get() > 0, "no claim would ever end");
            assert!(T::DrawBlocks::get() > 0, "a draw needs randomness from after the claim");
            assert!(T::CheckPeriod::get() > T::GiveUpBlocks::get(), "no time to check");
            assert!(T::WidenedPeriod::get() > T::GiveUpBlocks::get(), "no time to check");
            assert!(!T::WrongClaimSlash::get().is_zero(), "a wrong claim would cost nothing");
            assert!(
                !T::WrongDisputeSlash::get().is_zero(),
                "a wrong dispute would cost nothing"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Says what a member found when it checked a claim.
        ///
        /// Authorized: the member's `cmte` key has signed the message, the member is asked and has not
        /// answered. Emits [`Event::Answered`], and [`Event::Widened`] or how the claim ended.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit_receipt())]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_receipt())]
        #[pallet::authorize(Self::authorize_receipt)]
        pub fn submit_receipt(
            origin: OriginFor<T>,
            message: ReceiptMessage<T>,
            // Verified by `authorize`.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (mut open, next) = Self::after_receipt(&message).map_err(Error::<T>::from)?;
            let (job, member) = (message.job, message.member);
            Self::deposit_event(Event::Answered { job, member });
            Self::follow(job, &mut open, next);
            Ok(())
        }

        /// Opens S of a claim.
        ///
        /// Authorized: a member's `cmte` key has signed the message, S is the claim's, and the receipts that
        /// it opens are a quorum. Emits [`Event::ClaimSettled`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::submit_opening())]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_opening())]
        #[pallet::authorize(Self::authorize_opening)]
        pub fn submit_opening(
            origin: OriginFor<T>,
            message: OpeningMessage<T>,
            // Verified by `authorize`.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (mut open, next) = Self::after_opening(&message).map_err(Error::<T>::from)?;
            Self::follow(message.job, &mut open, next);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        fn authorize_receipt(
            _source: TransactionSource,
            message: &ReceiptMessage<T>,
            signature: &CommitteeSignature,
        ) -> TransactionValidityWithRefund {
            Self::after_receipt(message)?;
            Self::verify(RECEIPT_DOMAIN, message, signature)?;
            let body = &message.body;
            Self::valid((RECEIPT_DOMAIN, message.job, body.claim, &message.member))
        }

        fn authorize_opening(
            _source: TransactionSource,
            message: &OpeningMessage<T>,
            signature: &CommitteeSignature,
        ) -> TransactionValidityWithRefund {
            let (open, _) = Self::after_opening(message)?;
            Self::verify(OPENING_DOMAIN, message, signature)?;
            // Whoever sends it, one opening is enough.
            Self::valid((OPENING_DOMAIN, message.job, open.claim.id()))
        }

        fn valid(tag: impl Encode) -> TransactionValidityWithRefund {
            ValidTransaction::with_tag_prefix("AgoraiVerification")
                .priority(TransactionPriority::MAX / 2)
                .and_provides(tag)
                .longevity(LONGEVITY)
                .propagate(true)
                .build()
                .map(|valid| (valid, Weight::zero()))
        }

        /// The claim and what follows for it from a receipt; nothing is written.
        fn after_receipt(
            message: &ReceiptMessage<T>,
        ) -> Result<(OpenClaimOf<T>, Transition<T::AccountId>), ReportRefusal> {
            let mut open = Self::claim_of(message)?;
            if open.claim.id() != message.body.claim {
                return Err(ReportRefusal::OtherClaim);
            }
            let (member, answer) = (&message.member, message.body.answer);
            let next = open.claim.step(ClaimInput::Answered { member, answer });
            Ok((open, next.map_err(ReportRefusal::Claim)?))
        }

        /// The claim and what follows for it from an opening; nothing is written.
        fn after_opening(
            message: &OpeningMessage<T>,
        ) -> Result<(OpenClaimOf<T>, Transition<T::AccountId>), ReportRefusal> {
            let mut open = Self::claim_of(message)?;
            let (job, secret) = (&message.job, &message.body);
            let next = open.claim.step(ClaimInput::Opened { job, secret });
            Ok((open, next.map_err(ReportRefusal::Claim)?))
        }

        fn claim_of<Body>(message: &Message<T::AccountId, Body>) -> Result<OpenClaimOf<T>, ReportRefusal> {
            if message.session != T::Members::session() {
                return Err(ReportRefusal::WrongSession);
            }
            Claims::<T>::get(message.job).ok_or(ReportRefusal::NoClaim)
        }

        /// Expensive, so last.
        fn verify<Body: Encode>(
            domain: &[u8],
            message: &Message<T::AccountId, Body>,
            signature: &CommitteeSignature,
        ) -> Result<(), ReportRefusal> {
            let member = T::Members::member(&message.member).ok_or(ReportRefusal::NotAMember)?;
            if message.verify(domain, &Self::genesis(), &member.key, signature) {
                Ok(())
            } else {
                Err(ReportRefusal::BadSignature)
            }
        }

        /// The hash of the first block, which makes a signature worthless on another chain.
        pub(crate) fn genesis() -> H256 {
            frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
        }

        /// Moves on the claims whose time has come. Returns how many.
        fn move_due(now: BlockNumberFor<T>) -> u32 {
            let mut jobs = Due::<T>::take(now).into_inner();
            let most = T::MaxDuePerBlock::get() as usize;
            let later = jobs.split_off(most.min(jobs.len()));
            for job in later {
                if let Some(mut open) = Claims::<T>::get(job) {
                    Self::keep(job, &mut open, now.saturating_add(One::one()));
                }
            }
            for job in &jobs {
                if let Some(open) = Claims::<T>::get(job) {
                    Self::wake(*job, open);
                }
            }
            jobs.len() as u32
        }

        fn wake(job: JobId, mut open: OpenClaimOf<T>) {
            let event = if open.claim.is_asking() {
                let members: Vec<_> = open.claim.silent().cloned().collect();
                if !members.is_empty() {
                    Self::deposit_event(Event::DutyMissed { job, members });
                }
                ClaimInput::Deadline
            } else {
                ClaimInput::Randomness(Self::block_value())
            };
            match open.claim.step(event) {
                Ok(next) => Self::follow(job, &mut open, next),
                // A claim takes the event of its own phase; if one ever does not, it must still end.
                Err(refusal) => {
                    log::error!(target: LOG_TARGET, "claim on {job:?} is stuck: {refusal:?}");
                    Self::finish(job, open, Outcome::Unresolved);
                }
            }
        }

        /// This block's value for draws.
        fn block_value() -> H256 {
            let (value, _) = T::Randomness::random(b"agorai/committee");
            value.unwrap_or_else(|| {
                let parent = frame_system::Pallet::<T>::parent_hash();
                (b"agorai/committee", parent).using_encoded(blake2_256).into()
            })
        }

        /// Does what a step asks for.
        fn follow(job: JobId, open: &mut OpenClaimOf<T>, next: Transition<T::AccountId>) {
            let now = frame_system::Pallet::<T>::block_number();
            match next {
                Transition::Stay if open.claim.is_asking() => Claims::<T>::insert(job, &*open),
                Transition::Stay => Self::keep(job, open, now.saturating_add(One::one())),
                Transition::Drawn => {
                    Self::announce(job, open);
                    Self::keep(job, open, now.saturating_add(T::CheckPeriod::get()));
                }
                Transition::Widened => {
                    Self::deposit_event(Event::Widened { job });
                    Self::keep(job, open, now.saturating_add(T::WidenedPeriod::get()));
                }
                Transition::Ended(end) => Self::finish(job, open.clone(), end),
            }
        }

        fn announce(job: JobId, open: &OpenClaimOf<T>) {
            let asked = open.claim.asked().map(|voter| voter.account.clone());
            let members = asked.collect();
            Self::deposit_event(Event::CommitteeDrawn { job, members });
        }

        /// Writes the claim, due at `at` and at no other time.
        fn keep(job: JobId, open: &mut OpenClaimOf<T>, at: BlockNumberFor<T>) {
            Self::forget_due(job, open.due);
            open.due = at;
            Due::<T>::mutate(at, |jobs| {
                // Each open claim is due once, so there is room for all of them in one block.
                if jobs.try_push(job).is_err() {
                    log::error!(target: LOG_TARGET, "more is due than claims are open");
                }
            });
            Claims::<T>::insert(job, &*open);
        }

        fn forget_due(job: JobId, at: BlockNumberFor<T>) {
            Due::<T>::mutate_exists(at, |due| {
                if let Some(jobs) = due {
                    jobs.retain(|other| *other != job);
                    if jobs.is_empty() {
                        *due = None;
                    }
                }
            });
        }

        fn finish(job: JobId, open: OpenClaimOf<T>, end: Outcome<T::AccountId>) {
            Self::forget_due(job, open.due);
            // Before the verdict is told: the job may be claimed again at once.
            Claims::<T>::remove(job);
            let executor = open.claim.executor;
            let verdict = match end {
                Outcome::Settled {
                    checkers,
                    wrong,
                    missed,
                } => {
                    for member in &wrong {
                        let part = T::WrongDisputeSlash::get();
                        T::Slash::slash(member, part, Fault::WrongDispute);
                    }
                    Self::note_missed(job, missed);
                    let members = checkers.clone();
                    Self::deposit_event(Event::ClaimSettled {
                        job,
                        executor,
                        checkers: members,
                    });
                    Verdict::Settled { checkers }
                }
                Outcome::Refused { missed } => {
                    T::Slash::slash(&executor, T::WrongClaimSlash::get(), Fault::WrongClaim);
                    Self::note_missed(job, missed);
                    Self::deposit_event(Event::ClaimRefused { job, executor });
                    Verdict::Refused
                }
                Outcome::Unresolved => {
                    Self::deposit_event(Event::ClaimUnresolved { job });
                    Verdict::Unresolved
                }
            };
            T::Jobs::on_verdict(open.kind, job, verdict);
        }

        fn note_missed(job: JobId, members: Vec<T::AccountId>) {
            if !members.is_empty() {
                Self::deposit_event(Event::DutyMissed { job, members });
            }
        }
    }

    impl<T: Config> ClaimVerifier<T::AccountId> for Pallet<T> {
        fn open(
            kind: JobKind,
            job: JobId,
            executor: &T::AccountId,
            claim: ClaimDigest,
            rule: CommitteeRule,
        ) -> Result<(), DispatchError> {
            ensure!(!Claims::<T>::contains_key(job), Error::<T>::AlreadyClaimed);
            ensure!(
                Claims::<T>::count() < T::MaxOpenClaims::get(),
                Error::<T>::TooManyClaims
            );
            let members = T::Members::members();
            ensure!(members.len() <= MAX_MEMBERS as usize, Error::<T>::TooManyMembers);
            let own = members
                .iter()
                .find(|member| member.account == *executor)
                .ok_or(Error::<T>::NotAMember)?;
            let own_bond = own.bond;
            let others = members
                .into_iter()
                .map(|member| (member.account, member.bond))
                .collect();
            // Without the claim, of which the executor could try several.
            let seed = (b"agorai/draw/seed/1", job, executor).using_encoded(blake2_256).into();
            let state = Claim::new(
                executor.clone(),
                own_bond,
                claim,
                others,
                rule,
                seed,
                T::DrawBlocks::get(),
            )
            .map_err(Error::<T>::from)?;
            let now = frame_system::Pallet::<T>::block_number();
            let time = match state.phase {
                // The next block's value was made by this block: the draw begins with the one after.
                claim::Phase::Drawing { .. } => 2u32.into(),
                claim::Phase::Checking => T::CheckPeriod::get(),
                claim::Phase::Widened => T::WidenedPeriod::get(),
            };
            let mut open = OpenClaim {
                kind,
                due: Zero::zero(),
                claim: state,
            };
            Self::deposit_event(Event::ClaimOpened {
                job,
                kind,
                executor: executor.clone(),
                claim,
            });
            if open.claim.is_asking() {
                Self::announce(job, &open);
            }
            Self::keep(job, &mut open, now.saturating_add(time));
            Ok(())
        }
    }
}
