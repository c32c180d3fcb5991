// SPDX-License-Identifier: Apache-2.0
//! What must hold after every block.

use crate::{
    types::RequestStatus, Config, Deadlines, Finished, FinishedPlaces, HoldReason, NextRequest, OpenJobs, Overdue,
    Pallet, Requests,
};
use agorai_primitives::Balance;
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// - There are at most [`Config::MaxOpenRequests`] open requests, each found by its job, and the counter
    ///   is right.
    /// - What is held of an account is the sum of its open requests' escrows.
    /// - Each waiting request has one deadline, and nothing else has one.
    /// - Who has failed a request is not its executor.
    /// - Each finished request will be forgotten, once.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut held: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let (mut open, mut waiting, mut finished) = (0u32, 0usize, 0u64);
        for (request, record) in Requests::<T>::iter() {
            ensure!(request < NextRequest::<T>::get(), "a request from the future");
            let escrow = held.entry(record.who.clone()).or_default();
            let found = OpenJobs::<T>::get(record.job) == Some(request);
            ensure!(found == record.is_open(), "a job that is not where its request is");
            match &record.status {
                RequestStatus::Waiting { executor, due } => {
                    ensure!(!record.failed.contains(executor), "an executor that has failed");
                    let at = Deadlines::<T>::get(due);
                    let overdue = Overdue::<T>::get();
                    let times = at.iter().chain(overdue.iter());
                    ensure!(
                        times.filter(|other| **other == request).count() == 1,
                        "a waiting request without its deadline"
                    );
                    waiting = waiting.saturating_add(1);
                }
                RequestStatus::Claimed { executor, .. } => {
                    ensure!(!record.failed.contains(executor), "an executor that has failed")
                }
                RequestStatus::Settled { fee, .. } => {
                    ensure!(*fee <= record.max_fee, "more was paid than was offered");
                    finished = finished.saturating_add(1);
                }
                RequestStatus::Refunded => finished = finished.saturating_add(1),
            }
            if record.is_open() {
                open = open.saturating_add(1);
                *escrow = escrow.saturating_add(record.max_fee);
            }
        }
        for (who, escrow) in held {
            let balance = T::Currency::balance_on_hold(&HoldReason::Escrow.into(), &who);
            ensure!(balance == escrow, "a hold that is not the sum of escrows");
        }
        ensure!(
            open == OpenJobs::<T>::count() && open as usize == OpenJobs::<T>::iter().count(),
            "open requests are miscounted"
        );
        ensure!(open <= T::MaxOpenRequests::get(), "too many open requests");
        let deadlines = Deadlines::<T>::iter_values()
            .map(|requests| requests.len())
            .fold(Overdue::<T>::get().len(), usize::saturating_add);
        ensure!(deadlines == waiting, "a deadline of no waiting request");
        Self::check_finished(finished)
    }

    fn check_finished(count: u64) -> Result<(), TryRuntimeError> {
        let (first, next) = FinishedPlaces::<T>::get();
        ensure!(
            next.checked_sub(first) == Some(count),
            "finished requests are miscounted"
        );
        let mut places: Vec<_> = Finished::<T>::iter().collect();
        places.sort_by_key(|(place, _)| *place);
        ensure!(
            places.iter().map(|(place, _)| *place).eq(first..next),
            "a hole in the queue of finished requests"
        );
        for (_, (_, request)) in places {
            let status = Requests::<T>::get(request).map(|record| record.is_open());
            ensure!(status == Some(false), "a place of no finished request");
        }
        Ok(())
    }
}
