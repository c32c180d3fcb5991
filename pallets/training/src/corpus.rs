// SPDX-License-Identifier: Apache-2.0
//! The data of a plan.

use crate::{plan::PlanDatasets, Config, Corpora, Error, Pallet};
use agorai_primitives::{
    training::{Corpus, Recipe},
    traits::{DatasetRegistry, SessionMembers},
    PlanId, Shard,
};
use frame_support::{
    ensure,
    traits::{ConstU32, Contains},
    BoundedVec,
};
use sp_runtime::DispatchError;

/// Maximum number of shards of a plan, over all its datasets. The spec of each job contains all of them.
pub const MAX_SHARDS: u32 = 1_024;

/// The shards of a plan's datasets in order.
pub type Shards = BoundedVec<Shard, ConstU32<MAX_SHARDS>>;

impl<T: Config> Pallet<T> {
    /// The shards of a new plan's datasets in order, and the number of sequences in them. Fails unless the owner may
    /// train on all datasets and the data suffices for all members.
    pub(crate) fn collect_corpus(
        owner: &T::AccountId,
        datasets: &PlanDatasets,
        recipe: &Recipe,
    ) -> Result<(Shards, u64), DispatchError> {
        ensure!(!datasets.is_empty(), Error::<T>::NoDatasets);
        let mut corpus = Corpus::default();
        for (index, dataset) in datasets.iter().enumerate() {
            ensure!(!datasets[..index].contains(dataset), Error::<T>::DuplicateDataset);
            let shards = T::Datasets::usable_shards(*dataset)?;
            ensure!(
                T::Access::contains(&(*dataset, owner.clone())),
                Error::<T>::AccessDenied
            );
            corpus.shards.extend(shards);
        }
        let sequences = corpus.sequences(recipe.sequence);
        let members = T::Members::members().len().max(1) as u64;
        let required = recipe
            .sequences_per_worker()
            .saturating_mul(members)
            .saturating_add(u64::from(recipe.held_out));
        ensure!(sequences >= required, Error::<T>::TooLittleData);
        let shards = corpus.shards.try_into().map_err(|_| Error::<T>::TooManyShards)?;
        Ok((shards, sequences))
    }

    /// The data of a running plan.
    pub(crate) fn corpus(id: PlanId) -> Corpus {
        Corpus {
            shards: Corpora::<T>::get(id).into_inner(),
        }
    }
}
