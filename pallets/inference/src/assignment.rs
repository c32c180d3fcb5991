// SPDX-License-Identifier: Apache-2.0
//! The executor of a request: its draw, its deadline, and the reassignment of requests whose executor failed.

use crate::{
    request::{ReassignReason, RequestStatus},
    Config, Deadlines, Event, Overdue, Pallet, RecordOf, Requests, LOG_TARGET,
};
use agorai_primitives::{draw::draw_one, traits::SessionMembers, RequestId};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    traits::{Get, Randomness},
    BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_support::storage::remove_from_list;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use sp_runtime::traits::Saturating;

impl<T: Config> Pallet<T> {
    /// Draws an executor among the members that have not failed the request, with their bonds as weights. `None` if
    /// fewer than two members have a bond, because no member could check the claim, or if every member has failed.
    pub(crate) fn draw_executor(request: RequestId, failed: &[T::AccountId]) -> Option<T::AccountId> {
        let members = T::Members::members();
        if members.iter().filter(|member| member.bond > 0).count() < 2 {
            return None;
        }
        let eligible: Vec<_> = members
            .into_iter()
            .filter(|member| !failed.contains(&member.account))
            .collect();
        let bonds: Vec<_> = eligible.iter().map(|member| member.bond).collect();
        let seed = (Self::draw_randomness(), request, failed.len() as u32)
            .using_encoded(blake2_256)
            .into();
        let index = draw_one(&seed, &bonds)?;
        eligible.into_iter().nth(index).map(|member| member.account)
    }

    /// The randomness for draws in this block.
    fn draw_randomness() -> H256 {
        let (value, _) = T::Randomness::random(b"agorai/executor");
        value.unwrap_or_else(frame_system::Pallet::<T>::parent_hash)
    }

    /// Writes the request as waiting for `executor`, with a deadline one [`Config::AnswerPeriod`] from now.
    pub(crate) fn assign(request: RequestId, mut record: RecordOf<T>, executor: T::AccountId) {
        let now = frame_system::Pallet::<T>::block_number();
        let due = now.saturating_add(T::AnswerPeriod::get());
        Deadlines::<T>::mutate(due, |requests| {
            // Not reached: each open request has one deadline, and the list has room for all open requests.
            if requests.try_push(request).is_err() {
                log::error!(target: LOG_TARGET, "the list of deadlines in block {due:?} is full");
            }
        });
        record.status = RequestStatus::Waiting { executor, due };
        Requests::<T>::insert(request, record);
    }

    /// Removes the deadline of a waiting request.
    pub(crate) fn clear_deadline(request: RequestId, record: &RecordOf<T>) {
        let RequestStatus::Waiting { due, .. } = record.status else {
            return;
        };
        remove_from_list::<Deadlines<T>, _, _, _>(due, &request);
        if due <= frame_system::Pallet::<T>::block_number() {
            Overdue::<T>::mutate(|requests| requests.retain(|other| *other != request));
        }
    }

    /// Reassigns or refunds waiting requests whose deadline has expired, at most [`Config::MaxDuePerBlock`]. Returns
    /// their number.
    pub(crate) fn reassign_overdue(now: BlockNumberFor<T>) -> u32 {
        let mut expired = Overdue::<T>::take().into_inner();
        expired.extend(Deadlines::<T>::take(now));
        let limit = T::MaxDuePerBlock::get() as usize;
        let postponed = expired.split_off(limit.min(expired.len()));
        if !postponed.is_empty() {
            Overdue::<T>::put(BoundedVec::truncate_from(postponed));
        }
        for request in &expired {
            if let Some(record) = Requests::<T>::get(request) {
                if let RequestStatus::Waiting { executor, .. } = record.status.clone() {
                    Self::reassign(*request, record, executor, ReassignReason::Late);
                }
            }
        }
        expired.len() as u32
    }

    /// Reassigns a request from an executor that failed, or refunds it if no executor can be drawn or
    /// [`Config::MaxAttempts`] is reached.
    pub(crate) fn reassign(request: RequestId, mut record: RecordOf<T>, from: T::AccountId, reason: ReassignReason) {
        let recorded = record.failed.try_push(from.clone()).is_ok();
        let next = if recorded && record.attempt() < T::MaxAttempts::get() {
            Self::draw_executor(request, &record.failed)
        } else {
            None
        };
        match next {
            Some(to) => {
                Self::assign(request, record, to.clone());
                Self::deposit_event(Event::Reassigned {
                    request,
                    from,
                    to,
                    reason,
                });
            }
            None => Self::refund(request, record),
        }
    }
}
