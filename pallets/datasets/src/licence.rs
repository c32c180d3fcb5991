// SPDX-License-Identifier: Apache-2.0
//! The licence of a dataset as an SPDX expression.

use frame_support::{traits::ConstU32, BoundedVec};

/// An SPDX licence expression of at most 64 bytes.
pub type Licence = BoundedVec<u8, ConstU32<64>>;

/// Whether `text` uses only the characters of an SPDX licence expression (SPDX 2.3, annex D): words of letters, digits
/// and `-.+:`, parentheses, and single spaces between words. Does not check that the identifiers exist.
pub fn is_spdx_expression(text: &[u8]) -> bool {
    let allowed = |c: &u8| c.is_ascii_alphanumeric() || b"-.+:() ".contains(c);
    let single_spaces = text.split(|c| *c == b' ').all(|word| !word.is_empty());
    single_spaces && text.iter().all(allowed) && text.iter().any(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_is_refused_when_it_is_not_an_spdx_expression() {
        for valid in [
            "MIT",
            "Apache-2.0",
            "GPL-2.0+",
            "(MIT OR Apache-2.0)",
            "LicenseRef-my.own",
        ] {
            assert!(is_spdx_expression(valid.as_bytes()), "{valid}");
        }
        for invalid in ["", " MIT", "MIT ", "MIT  OR X", "MIT/X11", "M\nT", "()", "§"] {
            assert!(!is_spdx_expression(invalid.as_bytes()), "{invalid}");
        }
    }
}
