// SPDX-License-Identifier: Apache-2.0
use crate::{mock::*, Error, Event};
use agorai_primitives::traits::ModelRegistry as _;
use frame_support::{assert_noop, assert_ok};

#[test]
fn only_the_owner_sets_the_price() {
    run_test(|| {
        assert_ok!(CreateCall::default().dispatch(ALICE));
        assert_noop!(Models::set_price(signed(BOB), 0, 9), Error::<Test>::NotOwner);
        assert_noop!(Models::set_price(signed(ALICE), 3, 9), Error::<Test>::UnknownModel);
        assert_ok!(Models::set_price(signed(ALICE), 0, 9));
        System::assert_last_event(Event::PriceSet { model: 0, price: 9 }.into());
        assert_eq!(Models::live(0).unwrap().price, 9);
    });
}
