// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event};
use agorai_primitives::traits::ModelRegistry as _;
use frame_support::{assert_noop, assert_ok};

type E = Error<Test>;

#[test]
fn income_remains_collectable_when_a_model_is_retired() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_ok!(add_trained(0, &[1], (100, 90)));
        earn(5_000);
        assert_noop!(Models::retire(signed(BOB), 0), E::NotOwner);
        assert_ok!(Models::retire(signed(ALICE), 0));
        System::assert_last_event(Event::Retired { model: 0 }.into());
        assert_eq!(Models::live(0), Err(E::ModelRetired.into()));
        assert_eq!(add_trained(1, &[1], (90, 80)), Err(E::ModelRetired.into()));
        assert_noop!(Models::promote(signed(ALICE), 0, 1), E::ModelRetired);
        assert_noop!(Models::set_price(signed(ALICE), 0, 1), E::ModelRetired);
        assert_noop!(Models::retire(signed(ALICE), 0), E::ModelRetired);
        assert_eq!(Models::version(0, 1).unwrap().weights, weights(100));
        assert_ok!(Models::collect(signed(ALICE), 0));
    });
}
