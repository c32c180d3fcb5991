// SPDX-License-Identifier: Apache-2.0
//! A hash table of strings that are stored elsewhere: 4 bytes for each slot.

use crate::files::metadata::Strings;
use std::hash::{BuildHasher, RandomState};

/// An empty slot.
const EMPTY: u32 = u32::MAX;

/// Finds strings by their bytes. The hash has a random key, so that a file cannot contain colliding strings; results do
/// not depend on it.
#[derive(Clone)]
pub(super) struct Index {
    slots: Vec<u32>,
    hasher: RandomState,
}

impl Index {
    /// Returns the index of all strings but empty ones, or the number of a duplicate.
    pub(super) fn new(strings: &Strings) -> Result<Self, usize> {
        let mut index = Self {
            slots: vec![EMPTY; (2 * strings.len()).next_power_of_two()],
            hasher: RandomState::new(),
        };
        for (number, string) in strings.iter().enumerate() {
            if string.is_empty() {
                continue;
            }
            match index.slot(strings, string) {
                (_, Some(_)) => return Err(number),
                (slot, None) => index.slots[slot] = number as u32,
            }
        }
        Ok(index)
    }

    /// Returns the number of a string.
    pub(super) fn find(&self, strings: &Strings, string: &[u8]) -> Option<u32> {
        self.slot(strings, string).1
    }

    /// Returns the slot of a string, or the empty slot for it, and its number.
    fn slot(&self, strings: &Strings, string: &[u8]) -> (usize, Option<u32>) {
        let mask = self.slots.len() - 1;
        let mut slot = self.hasher.hash_one(string) as usize & mask;
        // At most half of the slots are occupied, so the loop ends.
        loop {
            match self.slots[slot] {
                EMPTY => return (slot, None),
                number if strings.get(number as usize) == Some(string) => return (slot, Some(number)),
                _ => slot = (slot + 1) & mask,
            }
        }
    }
}
