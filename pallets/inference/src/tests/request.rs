// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, types::RequestStatus, Deadlines, Error, Event, NextRequest, OpenJobs};
use agorai_primitives::{
    job::{JobSpec, Sampling, MAX_TOKENS},
    model::Architecture,
    Balance,
};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;
use sp_runtime::{DispatchError, TokenError};

#[test]
fn request_holds_the_offer_and_waits_for_a_member() {
    test(4, || {
        let max_fee = FEE + 1;
        let request = Draft {
            max_fee,
            ..Draft::default()
        }
        .ask();
        assert_eq!(request, 0);
        assert_eq!(on_hold(USER), max_fee);
        let executor = executor(request);
        assert!((1..=4).contains(&executor));
        let record = record(request);
        let due = 1 + ANSWER;
        assert_eq!(record.status, RequestStatus::Waiting { executor, due });
        assert_eq!(Deadlines::<Test>::get(due).to_vec(), [request]);
        assert!(emitted(Event::Requested {
            request,
            who: USER,
            model: MODEL,
            executor,
            max_fee
        }));
    });
}

#[test]
fn equal_requests_are_different_jobs() {
    test(4, || {
        let (first, second) = (Draft::default().ask(), Draft::default().ask());
        let job = record(first).job;
        assert_ne!(job, record(second).job);
        assert_eq!(on_hold(USER), 2 * FEE);
        assert_eq!(Inference::job_of(first), Some(job));
        assert_eq!(Inference::job_of(9), None);
        let spec = record(first).generate(first);
        assert_eq!(spec.nonce, first);
        assert_eq!(JobSpec::Generate(spec).id(), job);
    });
}

#[test]
fn members_are_drawn_by_the_blocks_value() {
    test(4, || {
        let mut drawn = std::collections::BTreeSet::new();
        for value in 0..OPEN {
            BlockValue::set(Some(H256::from_low_u64_be(value.into())));
            drawn.insert(executor(Draft::default().ask()));
        }
        assert!(drawn.len() > 1);
    });
}

#[test]
fn model_without_a_price_answers_for_nothing() {
    test(4, || {
        CurrentPrice::set(0);
        Draft {
            max_fee: 0,
            ..Draft::default()
        }
        .ask();
        assert_eq!(on_hold(USER), 0);
    });
}

#[test]
fn request_is_refused_when_there_is_no_prompt() {
    test(4, || {
        let draft = Draft {
            prompt: prompt(b""),
            ..Draft::default()
        };
        assert_noop!(draft.send(), Error::<Test>::EmptyPrompt);
    });
}

#[test]
fn request_is_refused_when_the_model_is_unknown_or_retired() {
    test(4, || {
        let draft = Draft {
            model: MODEL + 1,
            ..Draft::default()
        };
        assert_noop!(draft.send(), DispatchError::Other("UnknownModel"));
        Retired::set(true);
        assert_noop!(Draft::default().send(), DispatchError::Other("ModelRetired"));
    });
}

#[test]
fn request_is_refused_when_sampling_makes_no_sense() {
    test(4, || {
        let good = sampling();
        let bad: [(Sampling, Error<Test>); 5] = [
            (Sampling { max_tokens: 0, ..good }, Error::NoTokens),
            (
                Sampling {
                    max_tokens: MAX_TOKENS + 1,
                    ..good
                },
                Error::TooManyTokens,
            ),
            (
                Sampling {
                    temperature_milli: 10_001,
                    ..good
                },
                Error::TemperatureTooHigh,
            ),
            (
                Sampling {
                    top_p_milli: 1_001,
                    ..good
                },
                Error::TopPTooHigh,
            ),
            (
                Sampling {
                    stop: Some(256),
                    ..good
                },
                Error::StopNotAToken,
            ),
        ];
        for (sampling, error) in bad {
            let draft = Draft {
                sampling,
                max_fee: FUNDS / 2,
                ..Draft::default()
            };
            assert_noop!(draft.send(), error);
        }
        let edge = Sampling {
            temperature_milli: 10_000,
            top_p_milli: 1_000,
            stop: Some(255),
            ..good
        };
        assert_ok!(Draft {
            sampling: edge,
            ..Draft::default()
        }
        .send());
    });
}

#[test]
fn request_is_refused_when_the_context_is_too_short() {
    test(4, || {
        let draft = |letters| Draft {
            prompt: prompt(&vec![b'a'; letters]),
            max_fee: FUNDS / 2,
            ..Draft::default()
        };
        let most = Architecture::SMALL.context as usize - 4;
        assert_noop!(draft(most + 1).send(), Error::<Test>::ContextExceeded);
        assert_ok!(draft(most).send());
    });
}

#[test]
fn request_is_refused_when_the_offer_is_below_the_worst_price() {
    test(4, || {
        let draft = Draft {
            max_fee: FEE - 1,
            ..Draft::default()
        };
        assert_noop!(draft.send(), Error::<Test>::FeeBelowPrice);
        // A price that nobody could pay.
        CurrentPrice::set(Balance::MAX);
        let draft = Draft {
            max_fee: Balance::MAX,
            ..Draft::default()
        };
        assert_noop!(draft.send(), Error::<Test>::FeeBelowPrice);
    });
}

#[test]
fn request_is_refused_when_the_account_cannot_pay() {
    test(4, || {
        let draft = Draft {
            max_fee: FUNDS,
            ..Draft::default()
        };
        assert_noop!(draft.send(), TokenError::FundsUnavailable);
    });
}

#[test]
fn request_is_refused_when_nobody_could_answer_or_check() {
    for members in [0, 1] {
        test(members, || {
            assert_noop!(Draft::default().send(), Error::<Test>::NoExecutor);
        });
    }
    test(3, || {
        Set::mutate(|members| members.iter_mut().skip(1).for_each(|member| member.bond = 0));
        assert_noop!(Draft::default().send(), Error::<Test>::NoExecutor);
    });
}

#[test]
fn request_is_refused_when_too_many_are_open() {
    test(4, || {
        for _ in 0..OPEN {
            Draft::default().ask();
        }
        assert_noop!(Draft::default().send(), Error::<Test>::TooManyRequests);
        assert_ok!(claim(0));
        confirm(0);
        Draft::default().ask();
        assert_eq!(OpenJobs::<Test>::count(), OPEN);
    });
}

#[test]
fn request_is_refused_when_the_indices_are_used_up() {
    test(4, || {
        NextRequest::<Test>::put(u64::MAX);
        assert_noop!(Draft::default().send(), Error::<Test>::TooManyRequests);
    });
}
