// SPDX-License-Identifier: Apache-2.0

use crate::{
    fees::FeeSplit,
    mock::*,
    types::{ClaimRefusal, Reason, RequestStatus},
    Event, OpenJobs,
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

const ALICE: AccountId = 60;
const BOB: AccountId = 61;

parameter_types! {
    static Before: Vec<(AccountId, Balance)> = Vec::new();
}

fn note_balances() {
    let known = (0..100).map(|who| (who, total_balance(who)));
    Before::set(known.collect());
}

fn total_balance(who: AccountId) -> Balance {
    <Balances as Inspect<AccountId>>::total_balance(&who)
}

/// What an account has gained since.
fn gained(who: AccountId) -> Balance {
    total_balance(who) - Before::get()[who as usize].1
}

/// The dataset 8 of [`ALICE`] and, with three times her weight, [`BOB`], who have an account.
fn with_data() {
    Lineage::set(vec![8]);
    Contributors::set(vec![(8, vec![(ALICE, 1), (BOB, 3)])]);
    for who in [ALICE, BOB] {
        Balances::mint_into(&who, EXISTENTIAL).unwrap();
    }
}

fn claimed() -> u64 {
    let request = Draft::default().ask();
    assert_ok!(claim(request));
    request
}

/// Like [`test`], with contributors.
fn with_contributors(members: AccountId, story: impl FnOnce()) {
    new_test_ext(members).execute_with(|| {
        with_data();
        let issuance = Balances::total_issuance();
        note_balances();
        story();
        Inference::do_try_state().unwrap();
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

#[test]
fn confirmed_answer_is_kept_and_its_fee_split() {
    with_contributors(4, || {
        let request = Draft {
            max_fee: FEE + 500,
            ..Draft::default()
        }
        .ask();
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
        let output: crate::types::Output = OUTPUT.to_vec().try_into().unwrap();
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
        // All but the fee is free again.
        assert_eq!(on_hold(USER), 0);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
        assert_eq!(OpenJobs::<Test>::count(), 0);
    });
}

#[test]
fn fee_counts_the_tokens_of_the_answer_at_the_price_of_the_request() {
    with_contributors(4, || {
        let request = Draft::default().ask();
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
fn holders_get_the_part_of_data_when_the_model_was_only_uploaded() {
    test(4, || {
        let request = claimed();
        confirm(request);
        assert_eq!(Income::get(), [(MODEL, 1_800 + 450)]);
    });
}

#[test]
fn part_goes_to_the_treasury_when_it_is_too_little_for_a_new_account() {
    with_contributors(4, || {
        // Of 450 the newcomer has a part of 4, less than an account must have.
        Contributors::set(vec![(8, vec![(ALICE, 100), (70, 1)])]);
        let request = claimed();
        confirm(request);
        assert_eq!((gained(ALICE), gained(70)), (445, 0));
        assert_eq!(gained(TREASURY), 450 + 4);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
    });
}

#[test]
fn new_account_is_made_when_its_part_is_enough() {
    with_contributors(4, || {
        Contributors::set(vec![(8, vec![(70, 1)])]);
        let request = claimed();
        confirm(request);
        assert_eq!(gained(70), 450);
    });
}

#[test]
fn datasets_are_paid_in_turn_when_the_lineage_is_long() {
    with_contributors(4, || {
        // Two for each request.
        Lineage::set(vec![1, 2, 3]);
        Contributors::set((1..=3).map(|d| (d, vec![(70 + u64::from(d), 1)])).collect());
        for _ in 0..3 {
            let request = claimed();
            confirm(request);
        }
        for who in 71..=73 {
            assert_eq!(gained(who), 450);
        }
    });
}

#[test]
fn requester_may_be_paid_out_of_its_own_fee() {
    with_contributors(4, || {
        Contributors::set(vec![(8, vec![(USER, 1)])]);
        let request = claimed();
        confirm(request);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE + 450);
    });
}

#[test]
fn fee_is_paid_when_the_requesters_balance_is_frozen() {
    with_contributors(4, || {
        let request = claimed();
        assert_ok!(Balances::set_freeze(&(), &USER, FUNDS));
        confirm(request);
        assert_eq!(Balances::free_balance(USER), FUNDS - FEE);
    });
}

#[test]
fn request_goes_to_another_member_when_its_claim_is_refused() {
    with_contributors(4, || {
        let request = Draft::default().ask();
        let (from, first) = (executor(request), claim_message(request));
        assert_ok!(submit_message(first.clone()));
        decide(request, Verdict::Refused);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: Reason::Refused
        }));
        assert_eq!(gained(from), 0);
        assert_eq!(on_hold(USER), FEE);
        assert_eq!(submit_message(first), refused(ClaimRefusal::NotExecutor));
        // The second one has a whole period, and answers.
        assert_ok!(claim(request));
        confirm(request);
        assert_eq!(executor(request), to);
        assert_eq!(gained(to), 4_501);
        assert_eq!(Claims::get().len(), 2);
    });
}

#[test]
fn request_goes_to_another_member_when_its_claim_is_unresolved() {
    test(4, || {
        let request = claimed();
        let from = executor(request);
        decide(request, Verdict::Unresolved);
        let to = executor(request);
        assert_ne!(to, from);
        assert!(emitted(Event::Reassigned {
            request,
            from,
            to,
            reason: Reason::Unresolved
        }));
    });
}

#[test]
fn request_is_refunded_in_full_when_every_claim_is_refused() {
    test(4, || {
        let request = Draft::default().ask();
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
fn verdict_changes_nothing_when_it_is_about_no_claim_of_this_pallet() {
    test(4, || {
        let request = claimed();
        let before = record(request);
        Inference::on_verdict(JobKind::Score, before.job, Verdict::Refused);
        Inference::on_verdict(JobKind::Inference, JobId::zero(), Verdict::Refused);
        assert_eq!(record(request), before);
        decide(request, Verdict::Refused);
        // It waits for another claim now.
        let before = record(request);
        confirm(request);
        assert_eq!(record(request), before);
    });
}

/// What can happen next to a chain.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(u8),
    Claim(u8),
    Decide(u8, u8),
    Blocks(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<u8>().prop_map(Step::Ask),
        any::<u8>().prop_map(Step::Claim),
        any::<(u8, u8)>().prop_map(|(request, verdict)| Step::Decide(request, verdict)),
        (1u8..12).prop_map(Step::Blocks),
    ]
}

fn take(step: Step) {
    let newest = crate::NextRequest::<Test>::get();
    let pick = |at: u8| newest.checked_sub(1 + u64::from(at % 6));
    let open = |at: u8| {
        let known = pick(at).and_then(crate::Requests::<Test>::get);
        known.filter(|record| record.is_open()).and(pick(at))
    };
    match step {
        Step::Ask(extra) => {
            let draft = Draft {
                who: if extra % 2 == 0 { USER } else { OTHER_USER },
                max_fee: FEE + Balance::from(extra),
                ..Draft::default()
            };
            // May be refused: too many are open.
            let _ = draft.send();
        }
        Step::Claim(at) => {
            if let Some(request) = open(at) {
                let _ = claim(request);
            }
        }
        Step::Decide(at, verdict) => {
            let claimed = |request: &u64| matches!(record(*request).status, RequestStatus::Claimed { .. });
            if let Some(request) = open(at).filter(claimed) {
                match verdict % 5 {
                    0 => decide(request, Verdict::Refused),
                    1 => decide(request, Verdict::Unresolved),
                    2 => decide(request, Verdict::Settled { checkers: vec![] }),
                    _ => confirm(request),
                }
            }
        }
        Step::Blocks(count) => run_to(System::block_number() + u64::from(count)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tokens_are_conserved_whatever_happens(
        steps in prop::collection::vec(step(), 1..60),
        price in 1..2_000 as Balance,
        members in 2u64..6,
    ) {
        with_contributors(members, || {
            CurrentPrice::set(price.min(PRICE));
            Contributors::set(vec![(8, vec![(ALICE, 1), (70, 1), (USER, 2)])]);
            for one in steps {
                take(one);
                Inference::do_try_state().unwrap();
            }
        });
    }
}
