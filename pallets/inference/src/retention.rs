// SPDX-License-Identifier: Apache-2.0
//! The queue of finished requests, which are readable for [`Config::RetainPeriod`] and then removed.

use crate::{
    request::RequestStatus, Config, Finished, FinishedRange, OpenJobs, Pallet, RecordOf, Requests, LOG_TARGET,
};
use agorai_primitives::RequestId;
use frame_support::traits::Get;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Saturating;

impl<T: Config> Pallet<T> {
    /// Writes a request with its final status and appends it to the queue of finished requests.
    pub(crate) fn finish(
        request: RequestId,
        mut record: RecordOf<T>,
        status: RequestStatus<T::AccountId, BlockNumberFor<T>>,
    ) {
        OpenJobs::<T>::remove(record.job);
        record.status = status;
        Requests::<T>::insert(request, record);
        let now = frame_system::Pallet::<T>::block_number();
        let until = now.saturating_add(T::RetainPeriod::get());
        FinishedRange::<T>::mutate(|(_, end)| {
            Finished::<T>::insert(*end, (until, request));
            *end = end.saturating_add(1);
        });
    }

    /// Removes requests whose retention has expired, at most [`Config::MaxPrunedPerBlock`]. Returns their number.
    pub(crate) fn prune(now: BlockNumberFor<T>) -> u32 {
        let (start, end) = FinishedRange::<T>::get();
        let mut position = start;
        let limit = end.min(start.saturating_add(T::MaxPrunedPerBlock::get().into()));
        while position < limit {
            match Finished::<T>::get(position) {
                Some((until, _)) if until > now => break,
                Some((_, request)) => Requests::<T>::remove(request),
                None => log::error!(target: LOG_TARGET, "no finished request at position {position}"),
            }
            Finished::<T>::remove(position);
            position = position.saturating_add(1);
        }
        if position > start {
            FinishedRange::<T>::put((position, end));
        }
        position.saturating_sub(start) as u32
    }
}
