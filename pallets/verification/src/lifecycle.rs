// SPDX-License-Identifier: Apache-2.0
//! Open claims in storage: opening, draws and deadlines, verdicts.

use crate::{
    claim::{Claim, ClaimInput, ClaimRefusal, Outcome, Phase, Transition, MAX_MEMBERS},
    Claims, Config, Due, Error, Event, OpenClaimOf, Pallet,
};
use agorai_primitives::{
    receipt::ClaimDigest,
    traits::{ClaimVerifier, CommitteeRule, Fault, JobHandler, JobKind, SessionMembers, Slash, Verdict},
    JobId,
};
use alloc::vec::Vec;
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{
    ensure,
    traits::{Get, Randomness},
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_support::{storage::remove_from_list, SignedReports};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::{
    traits::{One, Saturating, Zero},
    DispatchError,
};

/// An open claim and the block that processes it next.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct OpenClaim<AccountId, BlockNumber> {
    /// The kind of the job; selects the pallet that receives the verdict.
    pub kind: JobKind,
    /// The block of the next step of the draw, or in which the deadline expires.
    pub due: BlockNumber,
    /// The state of the claim.
    pub claim: Claim<AccountId>,
}

impl<T: Config> Pallet<T> {
    /// Processes the claims that are due. Returns their number.
    pub(crate) fn process_due(now: BlockNumberFor<T>) -> u32 {
        let mut jobs = Due::<T>::take(now).into_inner();
        let max = T::MaxDuePerBlock::get() as usize;
        let postponed = jobs.split_off(max.min(jobs.len()));
        for job in postponed {
            if let Some(mut open) = Claims::<T>::get(job) {
                Self::schedule(job, &mut open, now.saturating_add(One::one()));
            }
        }
        for job in &jobs {
            if let Some(open) = Claims::<T>::get(job) {
                Self::process(*job, open);
            }
        }
        jobs.len() as u32
    }

    fn process(job: JobId, mut open: OpenClaimOf<T>) {
        let input = if open.claim.accepts_answers() {
            Self::note_missed_duty(job, open.claim.unanswered().cloned().collect());
            ClaimInput::DeadlineExpired
        } else {
            ClaimInput::Randomness(Self::block_randomness())
        };
        match open.claim.step(input) {
            Ok(transition) => Self::apply(job, &mut open, transition),
            // Unreachable: the input matches the phase. A claim must end nevertheless.
            Err(refusal) => {
                log::error!(target: Self::LOG_TARGET, "claim on {job:?} refuses its input: {refusal:?}");
                Self::finish(job, open, Outcome::Unresolved);
            }
        }
    }

    /// The randomness of this block for draws.
    fn block_randomness() -> H256 {
        let (value, _) = T::Randomness::random(b"agorai/committee");
        value.unwrap_or_else(|| {
            let parent = frame_system::Pallet::<T>::parent_hash();
            (b"agorai/committee", parent).using_encoded(blake2_256).into()
        })
    }

    /// Stores a claim after a transition, and emits the events of the transition.
    pub(crate) fn apply(job: JobId, open: &mut OpenClaimOf<T>, transition: Transition<T::AccountId>) {
        let now = frame_system::Pallet::<T>::block_number();
        match transition {
            Transition::Unchanged if open.claim.accepts_answers() => Claims::<T>::insert(job, &*open),
            Transition::Unchanged => Self::schedule(job, open, now.saturating_add(One::one())),
            Transition::Drawn => {
                Self::announce_committee(job, open);
                Self::schedule(job, open, now.saturating_add(T::CheckPeriod::get()));
            }
            Transition::Widened => {
                Self::deposit_event(Event::Widened { job });
                Self::schedule(job, open, now.saturating_add(T::WidenedPeriod::get()));
            }
            Transition::Ended(outcome) => Self::finish(job, open.clone(), outcome),
        }
    }

    fn announce_committee(job: JobId, open: &OpenClaimOf<T>) {
        let members = open.claim.assigned().map(|voter| voter.account.clone()).collect();
        Self::deposit_event(Event::CommitteeDrawn { job, members });
    }

    /// Stores the claim as due in block `at` only.
    fn schedule(job: JobId, open: &mut OpenClaimOf<T>, at: BlockNumberFor<T>) {
        remove_from_list::<Due<T>, _, _, _>(open.due, &job);
        open.due = at;
        Due::<T>::mutate(at, |jobs| {
            // The list has room: it can hold all open claims, and each is due once.
            if jobs.try_push(job).is_err() {
                log::error!(target: Self::LOG_TARGET, "more claims are due than open");
            }
        });
        Claims::<T>::insert(job, &*open);
    }

    /// Ends a claim: slashes, emits events, and notifies the pallet of the job.
    fn finish(job: JobId, open: OpenClaimOf<T>, outcome: Outcome<T::AccountId>) {
        remove_from_list::<Due<T>, _, _, _>(open.due, &job);
        // Before the verdict, because its handler may open a new claim on the job.
        Claims::<T>::remove(job);
        let executor = open.claim.executor;
        let verdict = match outcome {
            Outcome::Settled {
                checkers,
                disputers,
                missed,
            } => {
                for member in &disputers {
                    T::Slash::slash(member, T::WrongDisputeSlash::get(), Fault::WrongDispute);
                }
                Self::note_missed_duty(job, missed);
                Self::deposit_event(Event::ClaimSettled {
                    job,
                    executor,
                    checkers: checkers.clone(),
                });
                Verdict::Settled { checkers }
            }
            Outcome::Refused { missed } => {
                T::Slash::slash(&executor, T::WrongClaimSlash::get(), Fault::WrongClaim);
                Self::note_missed_duty(job, missed);
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

    fn note_missed_duty(job: JobId, members: Vec<T::AccountId>) {
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
        ensure!(
            members.len() <= MAX_MEMBERS as usize,
            Error::<T>::Claim(ClaimRefusal::TooManyMembers)
        );
        let executor_bond = members
            .iter()
            .find(|member| member.account == *executor)
            .ok_or(Error::<T>::ExecutorNotEligible)?
            .bond;
        let others = members
            .into_iter()
            .map(|member| (member.account, member.bond))
            .collect();
        // The seed does not contain the digest: the executor could try several.
        let seed = (b"agorai/draw/seed/1", job, executor).using_encoded(blake2_256).into();
        let state = Claim::new(
            executor.clone(),
            executor_bond,
            claim,
            others,
            rule,
            seed,
            T::DrawBlocks::get(),
        )
        .map_err(Error::<T>::Claim)?;
        let now = frame_system::Pallet::<T>::block_number();
        let delay = match state.phase {
            // This block produces the randomness of the next block: the draw starts one block later.
            Phase::Drawing { .. } => 2u32.into(),
            Phase::Checking => T::CheckPeriod::get(),
            Phase::Widened => T::WidenedPeriod::get(),
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
        if open.claim.accepts_answers() {
            Self::announce_committee(job, &open);
        }
        Self::schedule(job, &mut open, now.saturating_add(delay));
        Ok(())
    }
}
