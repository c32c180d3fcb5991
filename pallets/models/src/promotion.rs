// SPDX-License-Identifier: Apache-2.0
//! Which version of a model is live.

use crate::{
    version::{Source, VersionStatus},
    Config, Error, Models, Pallet, RecordOf, Versions,
};
use agorai_primitives::{BlobId, ModelId, VersionIndex};
use frame_support::ensure;
use sp_runtime::DispatchError;

/// Maximum number of rounds between a candidate and the live version that the promotion rule sums over.
const MAX_ROUNDS_SINCE_LIVE: u32 = 64;

impl<T: Config> Pallet<T> {
    /// Makes a version live and returns its weights. Fails with `otherwise` if the version's status is not `expected`.
    pub(crate) fn set_live(
        model: ModelId,
        mut record: RecordOf<T>,
        version: VersionIndex,
        expected: VersionStatus,
        otherwise: Error<T>,
    ) -> Result<BlobId, DispatchError> {
        let mut next = Versions::<T>::get(model, version).ok_or(Error::<T>::UnknownVersion)?;
        ensure!(next.status == expected, otherwise);
        Versions::<T>::mutate(model, record.live, |live| {
            if let Some(live) = live {
                live.status = VersionStatus::Former;
            }
        });
        next.status = VersionStatus::Live;
        let weights = next.weights;
        Versions::<T>::insert(model, version, next);
        record.live = version;
        Models::<T>::insert(model, record);
        Ok(weights)
    }

    /// Whether `version` descends from the live version and the held-out loss fell in the sum over the rounds between
    /// them. The sum, because a round that raised the loss a little must not block the promotion of all later versions.
    pub(crate) fn loss_fell(model: ModelId, live: VersionIndex, version: VersionIndex) -> bool {
        let (mut ancestor, mut gain) = (version, 0i128);
        for _ in 0..MAX_ROUNDS_SINCE_LIVE {
            if ancestor == live {
                return gain > 0;
            }
            let Some(Source::Round {
                parent,
                loss_before,
                loss_after,
                ..
            }) = Versions::<T>::get(model, ancestor).map(|record| record.source)
            else {
                return false;
            };
            let round_gain = i128::from(loss_before).saturating_sub(i128::from(loss_after));
            gain = gain.saturating_add(round_gain);
            ancestor = parent;
        }
        false
    }
}
