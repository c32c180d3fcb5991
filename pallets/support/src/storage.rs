// SPDX-License-Identifier: Apache-2.0
//! Operations on lists in storage.

use codec::{EncodeLike, FullCodec};
use frame_support::{traits::Get, BoundedVec, StorageMap};

/// Removes `item` from the list under `key`, and the key when its list becomes empty.
pub fn remove_from_list<Map, Key, Item, Bound>(key: impl EncodeLike<Key>, item: &Item)
where
    Map: StorageMap<Key, BoundedVec<Item, Bound>>,
    Key: FullCodec,
    Item: PartialEq + FullCodec,
    Bound: Get<u32>,
{
    Map::mutate_exists(key, |list| {
        if let Some(items) = list {
            items.retain(|other| other != item);
            if items.is_empty() {
                *list = None;
            }
        }
    });
}
