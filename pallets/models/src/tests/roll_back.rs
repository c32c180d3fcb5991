// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error};
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn rollback_is_refused_when_the_caller_is_not_the_owner_or_the_version_is_unknown() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(add_trained(0, &[], (100, 90)));
        assert_noop!(Models::roll_back(signed(BOB), 0, 1), E::NotOwner);
        assert_noop!(Models::roll_back(signed(ALICE), 0, 9), E::UnknownVersion);
    });
}
