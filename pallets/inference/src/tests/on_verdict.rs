// SPDX-License-Identifier: Apache-2.0
//! Settlement and reassignment after a verdict.

use crate::{
    fees::FeeSplit,
    mock::*,
    request::{Output, ReassignReason, RequestStatus},
    Error, Event, OpenJobs,
};
use agorai_primitives::{
    traits::{JobHandler, JobKind, Verdict},
    Balance, JobId,
};
use frame_support::{
    assert_ok, parameter_types,
    traits::fungible::{Inspect, Mutate, MutateFreeze},
};
use proptest::prelude::*;

type E = Error<Test>;

const ALICE: AccountId = 60;
const BOB: AccountId = 61;

parameter_types! {
    static InitialBalances: Vec<(AccountId, Balance)> = Vec::new();
}

fn record_balances() {
    let balances = (0..100).map(|who| (who, total_balance(who)));
    InitialBalances::set(balances.collect());
}

fn total_balance(who: AccountId) -> Balance {
    <Balances as Inspect<AccountId>>::total_balance(&who)
}

/// The increase of an account's balance since [`record_balances`].
fn gained(who: AccountId) -> Balance {
    total_balance(who) - InitialBalances::get()[who as usize].1
}

/// Adds dataset 8 to the lineage, with the contributors [`ALICE`] of weight 1 and [`BOB`] of weight 3.
fn add_dataset() {
    Lineage::set(vec![8]);
    Contributors::set(vec![(8, vec![(ALICE, 1), (BOB, 3)])]);
    for who in [ALICE, BOB] {
        Balances::mint_into(&who, EXISTENTIAL_DEPOSIT).unwrap();
    }
}

fn claimed_request() -> u64 {
    let request = request();
    assert_ok!(claim(request));
    request
}

/// [`run_test`] with a dataset in the model's lineage.
fn run_test_with_dataset(members: AccountId, test: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        add_dataset();
        let issuance = Balances::total_issuance();
        record_balances();
        test();
        Inference::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

#[test]
fn fee_is_split_and_answer_stored_when_the_claim_is_settled() {
    run_test_with_dataset(4, || {
        let request = RequestCall {
            max_fee: FEE + 500,
            ..RequestCall::default()
        }
        .request();
        let executor = executor(request);
        assert_ok!(claim(request));
        confirm(request);
        let split = FeeSplit {
            executor: 4_501,
            checkers: 1_800,
            holders: 1_800,
            contributors: 449,
            treasury: 450,
        };
        let output: Output = OUTPUT.to_vec().try_into().unwrap();
        assert!(emitted(Event::Settled {
            request,
            executor,
            output: output.clone(),
            tokens: TOKENS,
            fee: FEE,
            split,
            receipts: 3,
        }));
        assert_eq!(
            record(request).status,
            RequestStatus::Settled {
                executor,
                output,
                tokens: TOKENS,
                fee: FEE,
                checkers: 3
            }
        );
        assert_eq!(gained(executor), 4_501);
        for checker in (1..=4).filter(|member| *member != executor) {
            assert_eq!(gained(checker), 600);
        }
        assert_eq!((gained(ALICE), gained(BOB)), (112, 337));
        assert_eq!((gained(POT), gained(TREASURY)), (1_800, 450));
        assert_eq!(Income::get(), [(MODEL, 1_800)]);
        // The rest of the escrow is released.
        assert_eq!(on_hold(USER), 0);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
        assert_eq!(OpenJobs::<Test>::count(), 0);
    });
}

#[test]
fn fee_is_the_tokens_of_prompt_and_answer_at_the_price_of_the_request() {
    run_test_with_dataset(4, || {
        let request = request();
        CurrentPrice::set(10 * PRICE);
        let mut message = claim_message(request);
        message.body.output = b"m".to_vec().try_into().unwrap();
        message.body.tokens = 6;
        message.body.claim = trace(b"m", 6).claim();
        assert_ok!(submit_message(message));
        confirm(request);
        assert_eq!(Balances::free_balance(USER), FUNDS - 6 * PRICE);
    });
}

#[test]
fn holders_receive_the_part_of_contributors_when_the_lineage_is_empty() {
    run_test(4, || {
        let request = claimed_request();
        confirm(request);
        assert_eq!(Income::get(), [(MODEL, 1_800 + 450)]);
    });
}

#[test]
fn treasury_receives_a_part_that_is_too_small_for_a_new_account() {
    run_test_with_dataset(4, || {
        // The part of account 70 is 4 of 450, below the existential deposit.
        Contributors::set(vec![(8, vec![(ALICE, 100), (70, 1)])]);
        let request = claimed_request();
        confirm(request);
        assert_eq!((gained(ALICE), gained(70)), (445, 0));
        assert_eq!(gained(TREASURY), 450 + 4);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
    });
}

#[test]
fn part_creates_a_new_account_when_it_is_large_enough() {
    run_test_with_dataset(4, || {
        Contributors::set(vec![(8, vec![(70, 1)])]);
        let request = claimed_request();
        confirm(request);
        assert_eq!(gained(70), 450);
    });
}

#[test]
fn datasets_are_paid_in_rotation_when_they_exceed_the_limit() {
    run_test_with_dataset(4, || {
        // Each request pays two datasets.
        Lineage::set(vec![1, 2, 3]);
        Contributors::set((1..=3).map(|d| (d, vec![(70 + u64::from(d), 1)])).collect());
        for _ in 0..3 {
            let request = claimed_request();
            confirm(request);
        }
        for who in 71..=73 {
            assert_eq!(gained(who), 450);
        }
    });
}

#[test]
fn requester_is_paid_from_its_own_fee_when_it_is_a_contributor() {
    run_test_with_dataset(4, || {
        Contributors::set(vec![(8, vec![(USER, 1)])]);
        let request = claimed_request();
        confirm(request);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE + 450);
    });
}

#[test]
fn fee_is_paid_when_the_requesters_balance_is_frozen() {
    run_test_with_dataset(4, || {
        let request = claimed_request();
        assert_ok!(Balances::set_freeze(&(), &USER, FUNDS));
        confirm(request);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
    });
}

#[test]
fn request_is_reassigned_when_its_claim_is_refused() {
    run_test_with_dataset(4, || {
        let request = request();
        let (from, first) = (executor(request), claim_message(request));
        assert_ok!(submit_message(first.clone()));
        decide(request, Verdict::Refused);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: ReassignReason::Refused
        }));
        assert_eq!(gained(from), 0);
        assert_eq!(on_hold(USER), FEE);
        assert_eq!(submit_message(first), refused(E::NotExecutor));
        // The second executor has a new deadline.
        assert_ok!(claim(request));
        confirm(request);
        assert_eq!(executor(request), to);
        assert_eq!(gained(to), 4_501);
        assert_eq!(OpenClaims::get().len(), 2);
    });
}

#[test]
fn request_is_reassigned_when_its_claim_is_unresolved() {
    run_test(4, || {
        let request = claimed_request();
        let from = executor(request);
        decide(request, Verdict::Unresolved);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: ReassignReason::Unresolved
        }));
    });
}

#[test]
fn request_is_refunded_in_full_when_every_claim_is_refused() {
    run_test(4, || {
        let request = request();
        for _ in 0..3 {
            assert_ok!(claim(request));
            decide(request, Verdict::Refused);
        }
        assert_eq!(record(request).status, RequestStatus::Refunded);
        assert_eq!(Balances::free_balance(USER), FUNDS);
        assert!(Income::get().is_empty());
    });
}

#[test]
fn verdict_is_ignored_when_it_has_no_open_claim() {
    run_test(4, || {
        let request = claimed_request();
        let before = record(request);
        Inference::on_verdict(JobKind::Score, before.job, Verdict::Refused);
        Inference::on_verdict(JobKind::Inference, JobId::zero(), Verdict::Refused);
        assert_eq!(record(request), before);
        decide(request, Verdict::Refused);
        // The request waits for another claim.
        let before = record(request);
        confirm(request);
        assert_eq!(record(request), before);
    });
}

/// One operation of the property test.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request(u8),
    Claim(u8),
    Decide(u8, u8),
    Blocks(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Request),
        any::<u8>().prop_map(Step::Claim),
        any::<(u8, u8)>().prop_map(|(request, verdict)| Step::Decide(request, verdict)),
        (1u8..12).prop_map(Step::Blocks),
    ]
}

fn apply(step: Step) {
    let next = crate::NextRequest::<Test>::get();
    let recent = |index: u8| next.checked_sub(1 + u64::from(index % 6));
    let open = |index: u8| {
        let record = recent(index).and_then(crate::Requests::<Test>::get);
        record.filter(|record| record.is_open()).and(recent(index))
    };
    match step {
        Step::Request(extra) => {
            let call = RequestCall {
                who: if extra % 2 == 0 { USER } else { OTHER_USER },
                max_fee: FEE + Balance::from(extra),
                ..RequestCall::default()
            };
            // Fails if too many requests are open.
            let _ = call.dispatch();
        }
        Step::Claim(index) => {
            if let Some(request) = open(index) {
                let _ = claim(request);
            }
        }
        Step::Decide(index, verdict) => {
            let claimed = |request: &u64| matches!(record(*request).status, RequestStatus::Claimed { .. });
            if let Some(request) = open(index).filter(claimed) {
                match verdict % 5 {
                    0 => decide(request, Verdict::Refused),
                    1 => decide(request, Verdict::Unresolved),
                    2 => decide(request, Verdict::Settled { checkers: vec![] }),
                    _ => confirm(request),
                }
            }
        }
        Step::Blocks(count) => run_to_block(System::block_number() + u64::from(count)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn issuance_is_conserved_under_any_operations(
        steps in prop::collection::vec(step(), 1..60),
        price in 1..2_000 as Balance,
        members in 2u64..6,
    ) {
        run_test_with_dataset(members, || {
            CurrentPrice::set(price.min(PRICE));
            Contributors::set(vec![(8, vec![(ALICE, 1), (70, 1), (USER, 2)])]);
            for step in steps {
                apply(step);
                Inference::do_try_state().unwrap();
            }
        });
    }
}
