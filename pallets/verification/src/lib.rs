// SPDX-License-Identifier: Apache-2.0
//! # Verification
//!
//! Consensus on results that are computed off chain: claims, committees, receipts, disputes.
//!
//! ## Terminology
//!
//! | term | meaning |
//! |---|---|
//! | job | a unit of work with a fully determined result |
//! | claim | an executor's bonded statement about a job: result hash, trace root, commitment to the trace secret |
//! | trace secret | a second digest of the trace, known only to those that computed the job |
//! | set | the eligible members and their bonds when the claim is made |
//! | committee | the members assigned to check the claim: drawn by bond after the claim, or the whole set |
//! | receipt | `H(account, job, trace secret)`: proves that its author knows the trace; another account cannot copy it |
//! | reveal | publication of the trace secret, with which the chain verifies all receipts at once |
//! | quorum | more than 2/3 of the bond of the assigned members |
//!
//! ## Calls
//!
//! | call | caller | effect |
//! |---|---|---|
//! | `submit_receipt` | an assigned member, once | records its answer: agrees, differs, or unable |
//! | `reveal_secret` | any member that knows the trace secret | settles the claim if the receipts that verify are a quorum |
//!
//! Both are authorized transactions that the offchain worker of a validator submits. Other pallets open claims
//! through [`agorai_primitives::traits::ClaimVerifier`].
//!
//! ## How a claim ends
//!
//! A drawn committee settles a claim that none of its members disputes. On a dispute, when a quorum is out of reach,
//! or at the deadline, the claim is widened, once, to the whole set, in which the executor's bond counts as
//! agreement. More than 2/3 of that bond decide: the claim is *settled* (its disputers are slashed), *refused* (the
//! executor is slashed) or *unresolved* (no one is slashed).
//!
//! ## Assumptions
//!
//! - Less than 1/3 of the bond of the set is dishonest or does not answer. Then no honest member is slashed, whatever
//!   committee is drawn, and an honest claim settles. A wrong claim does not settle if less than 2/3 of its committee
//!   is dishonest: the probability of the contrary falls with the size of the committee, and is zero with
//!   [`CommitteeRule::Everyone`](agorai_primitives::traits::CommitteeRule::Everyone).
//! - Results are exact: honest members compute the same bits.
//! - The executor of a claim cannot choose the randomness of later blocks. A block provides the randomness of its
//!   parent, so the first block after the claim does not count: the block of the claim has produced its value.
//! - [`Config::Jobs`] does not fail on a verdict.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod claim;
mod lifecycle;
mod offchain;
mod reports;
pub mod weights;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;

pub use lifecycle::OpenClaim;
pub use pallet::*;
pub use reports::{ReceiptBody, RECEIPT_DOMAIN, REVEAL_DOMAIN};
pub use weights::WeightInfo;

// The macros of `pallet` generate items without documentation.
#[allow(missing_docs)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use agorai_primitives::{
        message::Message,
        receipt::ClaimDigest,
        traits::{JobHandler, JobKind, SessionMembers, Slash},
        CommitteeSignature, JobId,
    };
    use alloc::vec::Vec;
    use claim::ClaimRefusal;
    use frame_support::{pallet_prelude::*, traits::Randomness};
    use frame_system::{offchain::CreateAuthorizedTransaction, pallet_prelude::*};
    use pallet_support::ReportRefusal;
    use sp_core::H256;
    use sp_runtime::Perbill;

    /// The report of an assigned member.
    pub type ReceiptMessage<T> = Message<<T as frame_system::Config>::AccountId, ReceiptBody>;
    /// The report of a member that reveals the trace secret.
    pub type RevealMessage<T> = Message<<T as frame_system::Config>::AccountId, H256>;
    /// An open claim with the types of the runtime.
    pub type OpenClaimOf<T> = OpenClaim<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config:
        frame_system::Config<Hash = H256, RuntimeEvent: From<Event<Self>>> + CreateAuthorizedTransaction<Call<Self>>
    {
        /// The members of the session that are eligible for jobs.
        type Members: SessionMembers<Self::AccountId>;

        /// Slashes bonds.
        type Slash: Slash<Self::AccountId>;

        /// The pallets whose jobs are claimed.
        type Jobs: JobHandler<Self::AccountId>;

        /// The randomness of the parent block, for draws.
        type Randomness: Randomness<Option<H256>, BlockNumberFor<Self>>;

        /// Maximum number of open claims.
        #[pallet::constant]
        type MaxOpenClaims: Get<u32>;

        /// Maximum number of due claims that a block processes. The others become due in the next block.
        #[pallet::constant]
        type MaxDuePerBlock: Get<u32>;

        /// Number of blocks after the claim whose randomness determines a draw.
        #[pallet::constant]
        type DrawBlocks: Get<u32>;

        /// Time for a drawn committee to check a claim, in blocks.
        #[pallet::constant]
        type CheckPeriod: Get<BlockNumberFor<Self>>;

        /// Time for the whole set to check a widened claim, in blocks.
        #[pallet::constant]
        type WidenedPeriod: Get<BlockNumberFor<Self>>;

        /// Number of blocks before a deadline in which a failed check is reported; before, it is retried.
        #[pallet::constant]
        type FailureReportPeriod: Get<BlockNumberFor<Self>>;

        /// Fraction of the executor's bond that is slashed for a refused claim.
        #[pallet::constant]
        type WrongClaimSlash: Get<Perbill>;

        /// Fraction of a checker's bond that is slashed for a dispute of a settled claim.
        #[pallet::constant]
        type WrongDisputeSlash: Get<Perbill>;

        /// Weights of the calls.
        type WeightInfo: WeightInfo;
    }

    /// The open claims by job.
    #[pallet::storage]
    pub type Claims<T: Config> = CountedStorageMap<_, Blake2_128Concat, JobId, OpenClaimOf<T>, OptionQuery>;

    /// The claims that a block processes: a step of the draw or a deadline. Contains each open claim once.
    #[pallet::storage]
    pub type Due<T: Config> =
        StorageMap<_, Twox64Concat, BlockNumberFor<T>, BoundedVec<JobId, T::MaxOpenClaims>, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An executor claimed the result of a job.
        ClaimOpened {
            /// The job.
            job: JobId,
            /// The kind of the job.
            kind: JobKind,
            /// Account of the executor.
            executor: T::AccountId,
            /// The claimed result hash, trace root and commitment to the trace secret.
            claim: ClaimDigest,
        },
        /// The members that must check a claim are known.
        CommitteeDrawn {
            /// The job of the claim.
            job: JobId,
            /// Accounts of the members, in the order of the session.
            members: Vec<T::AccountId>,
        },
        /// A member answered a claim.
        Answered {
            /// The job of the claim.
            job: JobId,
            /// Account of the member.
            member: T::AccountId,
        },
        /// A claim was widened: the whole set must check it.
        Widened {
            /// The job of the claim.
            job: JobId,
        },
        /// Members did not answer before a deadline, or their receipts did not verify. They are not slashed.
        DutyMissed {
            /// The job of the claim.
            job: JobId,
            /// Accounts of the members.
            members: Vec<T::AccountId>,
        },
        /// A quorum computed the claimed trace.
        ClaimSettled {
            /// The job of the claim.
            job: JobId,
            /// Account of the executor.
            executor: T::AccountId,
            /// Accounts of the members whose receipts verified.
            checkers: Vec<T::AccountId>,
        },
        /// A quorum computed the same other trace. The executor was slashed.
        ClaimRefused {
            /// The job of the claim.
            job: JobId,
            /// Account of the executor.
            executor: T::AccountId,
        },
        /// No quorum was reached before the deadline. No one was slashed.
        ClaimUnresolved {
            /// The job of the claim.
            job: JobId,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The job has no open claim.
        NoClaim,
        /// The job already has an open claim.
        AlreadyClaimed,
        /// The maximum number of open claims is reached.
        TooManyClaims,
        /// The report names another claim on the same job.
        OtherClaim,
        /// The executor is not an eligible member of the current session.
        ExecutorNotEligible,
        /// The signature of the report is not accepted.
        Report(ReportRefusal),
        /// The claim does not accept the input.
        Claim(ClaimRefusal),
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            T::WeightInfo::due(Self::process_due(now))
        }

        fn offchain_worker(now: BlockNumberFor<T>) {
            Self::check_claims(now);
        }

        fn integrity_test() {
            assert!(T::MaxOpenClaims::get() > 0, "no claim can be opened");
            assert!(T::MaxDuePerBlock::get() > 0, "claims never end");
            assert!(T::DrawBlocks::get() > 0, "a draw needs randomness from after the claim");
            assert!(
                T::CheckPeriod::get() > T::FailureReportPeriod::get(),
                "no time to check"
            );
            assert!(
                T::WidenedPeriod::get() > T::FailureReportPeriod::get(),
                "no time to check"
            );
            assert!(!T::WrongClaimSlash::get().is_zero(), "a wrong claim costs nothing");
            assert!(!T::WrongDisputeSlash::get().is_zero(), "a wrong dispute costs nothing");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Records the answer of a member to a claim.
        ///
        /// Authorized by the signature of the member's `cmte` key, if the member is assigned and has not answered.
        /// Emits [`Event::Answered`], and [`Event::Widened`] or the end of the claim if the answer causes it.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit_receipt())]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_receipt())]
        #[pallet::authorize(Self::authorize_receipt)]
        pub fn submit_receipt(
            origin: OriginFor<T>,
            message: ReceiptMessage<T>,
            // Verified by `authorize_receipt`.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (mut open, transition) = Self::after_receipt(&message)?;
            let (job, member) = (message.job, message.member);
            Self::deposit_event(Event::Answered { job, member });
            Self::apply(job, &mut open, transition);
            Ok(())
        }

        /// Reveals the trace secret of a claim and settles it.
        ///
        /// Authorized by the signature of any member's `cmte` key, if the secret matches the commitment of the claim
        /// and the receipts that verify under it are a quorum. Emits [`Event::ClaimSettled`].
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::reveal_secret())]
        #[pallet::weight_of_authorize(T::WeightInfo::authorize_reveal())]
        #[pallet::authorize(Self::authorize_reveal)]
        pub fn reveal_secret(
            origin: OriginFor<T>,
            message: RevealMessage<T>,
            // Verified by `authorize_reveal`.
            _signature: CommitteeSignature,
        ) -> DispatchResult {
            ensure_authorized(origin)?;
            let (mut open, transition) = Self::after_reveal(&message)?;
            Self::apply(message.job, &mut open, transition);
            Ok(())
        }
    }
}
