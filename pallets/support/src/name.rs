// SPDX-License-Identifier: Apache-2.0
//! Names of records.

use frame_support::{traits::ConstU32, BoundedVec};

/// The name of a record: UTF-8 text of at most 64 bytes.
pub type Name = BoundedVec<u8, ConstU32<64>>;

/// Whether a name is UTF-8 without control characters.
pub fn is_printable(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_printable_when_it_is_utf8_without_control_characters() {
        assert!(is_printable("Märchen".as_bytes()));
        assert!(!is_printable(b"a\0b"));
        assert!(!is_printable(&[0xff, 0xfe]));
    }
}
