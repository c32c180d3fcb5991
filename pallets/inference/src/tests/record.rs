// SPDX-License-Identifier: Apache-2.0

use crate::mock::*;
use agorai_primitives::model::Architecture;

#[test]
fn tokenised_answer_has_four_bytes_for_each_token() {
    test(4, || {
        Shape::set(Architecture {
            vocab: 32_000,
            ..Architecture::SMALL
        });
        let record = record(Draft::default().ask());
        // Up to 4 tokens of answer after 1 to 5 of prompt.
        for (bytes, tokens) in [(4, 2), (4, 6), (16, 5), (16, 9)] {
            assert!(record.could_yield(bytes, tokens), "{bytes} {tokens}");
        }
        for (bytes, tokens) in [(0, 3), (5, 3), (4, 1), (4, 7), (16, 4), (16, 10), (20, 9)] {
            assert!(!record.could_yield(bytes, tokens), "{bytes} {tokens}");
        }
    });
}

#[test]
fn fee_is_never_more_than_the_escrow() {
    test(4, || {
        let record = record(Draft::default().ask());
        assert_eq!(record.fee(6), 6 * PRICE);
        assert_eq!(record.fee(TOKENS), FEE);
        assert_eq!(record.fee(u32::MAX), FEE);
    });
}
