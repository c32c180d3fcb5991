// SPDX-License-Identifier: Apache-2.0
//! The record of a request.

use crate::mock::*;
use agorai_primitives::model::Architecture;

#[test]
fn answer_of_a_tokenizer_model_has_four_bytes_per_token() {
    run_test(4, || {
        ModelArchitecture::set(Architecture {
            vocab: 32_000,
            ..Architecture::SMALL
        });
        let record = record(request());
        // 1 to 4 tokens of the answer and 1 to 5 tokens of the prompt.
        for (bytes, tokens) in [(4, 2), (4, 6), (16, 5), (16, 9)] {
            assert!(record.is_possible_answer(bytes, tokens), "{bytes} {tokens}");
        }
        for (bytes, tokens) in [(0, 3), (5, 3), (4, 1), (4, 7), (16, 4), (16, 10), (20, 9)] {
            assert!(!record.is_possible_answer(bytes, tokens), "{bytes} {tokens}");
        }
    });
}

#[test]
fn fee_is_at_most_the_escrow() {
    run_test(4, || {
        let record = record(request());
        assert_eq!(record.fee(6), 6 * PRICE);
        assert_eq!(record.fee(TOKENS), FEE);
        assert_eq!(record.fee(u32::MAX), FEE);
    });
}
