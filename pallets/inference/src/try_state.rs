// SPDX-License-Identifier: Apache-2.0
//! The storage invariants.

use crate::{
    request::RequestStatus, Config, Deadlines, Finished, FinishedRange, HoldReason, NextRequest, OpenJobs, Overdue,
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
    /// Checks that
    /// - at most [`Config::MaxOpenRequests`] requests are open, and [`OpenJobs`] contains exactly their jobs;
    /// - the hold on an account is the sum of the escrows of its open requests;
    /// - each waiting request has exactly one deadline, and no other request has one;
    /// - the executor of a request has not failed it before;
    /// - each finished request is exactly once in the queue of finished requests.
    pub(crate) fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut held: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let (mut open, mut waiting, mut finished) = (0u32, 0usize, 0u64);
        for (request, record) in Requests::<T>::iter() {
            ensure!(
                request < NextRequest::<T>::get(),
                "a request's id is not below the next id"
            );
            let escrow = held.entry(record.who.clone()).or_default();
            let indexed = OpenJobs::<T>::get(record.job) == Some(request);
            ensure!(
                indexed == record.is_open(),
                "the job of an open request is missing, or that of a finished request remains"
            );
            match &record.status {
                RequestStatus::Waiting { executor, due } => {
                    ensure!(
                        !record.failed.contains(executor),
                        "the executor of a request has failed it before"
                    );
                    let at = Deadlines::<T>::get(due);
                    let overdue = Overdue::<T>::get();
                    let all = at.iter().chain(overdue.iter());
                    ensure!(
                        all.filter(|other| **other == request).count() == 1,
                        "a waiting request does not have exactly one deadline"
                    );
                    waiting = waiting.saturating_add(1);
                }
                RequestStatus::Claimed { executor, .. } => {
                    ensure!(
                        !record.failed.contains(executor),
                        "the executor of a request has failed it before"
                    )
                }
                RequestStatus::Settled { fee, .. } => {
                    ensure!(*fee <= record.max_fee, "a fee exceeds its escrow");
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
            ensure!(balance == escrow, "a hold is not the sum of the escrows");
        }
        ensure!(
            open == OpenJobs::<T>::count() && open as usize == OpenJobs::<T>::iter().count(),
            "the number of open requests is wrong"
        );
        ensure!(
            open <= T::MaxOpenRequests::get(),
            "the number of open requests exceeds the limit"
        );
        let deadlines = Deadlines::<T>::iter_values()
            .map(|requests| requests.len())
            .fold(Overdue::<T>::get().len(), usize::saturating_add);
        ensure!(deadlines == waiting, "a deadline has no waiting request");
        Self::check_finished(finished)
    }

    /// Checks the queue of finished requests against their number.
    fn check_finished(count: u64) -> Result<(), TryRuntimeError> {
        let (start, end) = FinishedRange::<T>::get();
        ensure!(
            end.checked_sub(start) == Some(count),
            "the length of the queue is not the number of finished requests"
        );
        let mut queue: Vec<_> = Finished::<T>::iter().collect();
        queue.sort_by_key(|(position, _)| *position);
        ensure!(
            queue.iter().map(|(position, _)| *position).eq(start..end),
            "the positions of the queue are not consecutive"
        );
        for (_, (_, request)) in queue {
            let open = Requests::<T>::get(request).map(|record| record.is_open());
            ensure!(open == Some(false), "the queue contains a request that is not finished");
        }
        Ok(())
    }
}
