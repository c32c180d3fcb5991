// SPDX-License-Identifier: Apache-2.0

use crate::{mock::*, request::RequestStatus, sampling::SamplingError, Deadlines, Error, Event, NextRequest, OpenJobs};
use agorai_primitives::{
    job::{JobSpec, Sampling, MAX_TOKENS},
    model::Architecture,
    Balance,
};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;
use sp_runtime::{DispatchError, TokenError};

#[test]
fn request_holds_the_escrow_and_waits_for_an_executor() {
    run_test(4, || {
        let max_fee = FEE + 1;
        let request = RequestCall {
            max_fee,
            ..RequestCall::default()
        }
        .request();
        assert_eq!(request, 0);
        assert_eq!(on_hold(USER), max_fee);
        let executor = executor(request);
        assert!((1..=4).contains(&executor));
        let record = record(request);
        let due = 1 + ANSWER_PERIOD;
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
fn equal_requests_have_different_jobs() {
    run_test(4, || {
        let (first, second) = (request(), request());
        let job = record(first).job;
        assert_ne!(job, record(second).job);
        assert_eq!(on_hold(USER), 2 * FEE);
        assert_eq!(Inference::job_of(first), Some(job));
        assert_eq!(Inference::job_of(9), None);
        let spec = record(first).generate_spec(first);
        assert_eq!(spec.nonce, first);
        assert_eq!(JobSpec::Generate(spec).id(), job);
    });
}

#[test]
fn executor_depends_on_the_randomness_of_the_block() {
    run_test(4, || {
        let mut drawn = std::collections::BTreeSet::new();
        for value in 0..MAX_OPEN_REQUESTS {
            BlockRandomness::set(Some(H256::from_low_u64_be(value.into())));
            drawn.insert(executor(request()));
        }
        assert!(drawn.len() > 1);
    });
}

#[test]
fn request_to_a_model_with_price_zero_needs_no_escrow() {
    run_test(4, || {
        CurrentPrice::set(0);
        RequestCall {
            max_fee: 0,
            ..RequestCall::default()
        }
        .request();
        assert_eq!(on_hold(USER), 0);
    });
}

#[test]
fn request_is_refused_when_the_prompt_is_empty() {
    run_test(4, || {
        let call = RequestCall {
            prompt: prompt(b""),
            ..RequestCall::default()
        };
        assert_noop!(call.dispatch(), Error::<Test>::EmptyPrompt);
    });
}

#[test]
fn request_is_refused_when_the_model_is_unknown_or_retired() {
    run_test(4, || {
        let call = RequestCall {
            model: MODEL + 1,
            ..RequestCall::default()
        };
        assert_noop!(call.dispatch(), DispatchError::Other("UnknownModel"));
        Retired::set(true);
        assert_noop!(RequestCall::default().dispatch(), DispatchError::Other("ModelRetired"));
    });
}

#[test]
fn request_is_refused_when_a_sampling_parameter_is_invalid() {
    run_test(4, || {
        let valid = sampling();
        let invalid: [(Sampling, SamplingError); 5] = [
            (Sampling { max_tokens: 0, ..valid }, SamplingError::NoTokens),
            (
                Sampling {
                    max_tokens: MAX_TOKENS + 1,
                    ..valid
                },
                SamplingError::TooManyTokens,
            ),
            (
                Sampling {
                    temperature_milli: 10_001,
                    ..valid
                },
                SamplingError::TemperatureTooHigh,
            ),
            (
                Sampling {
                    top_p_milli: 1_001,
                    ..valid
                },
                SamplingError::TopPTooHigh,
            ),
            (
                Sampling {
                    stop: Some(256),
                    ..valid
                },
                SamplingError::UnknownStopToken,
            ),
        ];
        for (sampling, error) in invalid {
            let call = RequestCall {
                sampling,
                max_fee: FUNDS / 2,
                ..RequestCall::default()
            };
            assert_noop!(call.dispatch(), Error::<Test>::Sampling(error));
        }
        let at_the_limits = Sampling {
            temperature_milli: 10_000,
            top_p_milli: 1_000,
            stop: Some(255),
            ..valid
        };
        assert_ok!(RequestCall {
            sampling: at_the_limits,
            ..RequestCall::default()
        }
        .dispatch());
    });
}

#[test]
fn request_is_refused_when_it_exceeds_the_context() {
    run_test(4, || {
        let with_prompt = |length| RequestCall {
            prompt: prompt(&vec![b'a'; length]),
            max_fee: FUNDS / 2,
            ..RequestCall::default()
        };
        let maximum = Architecture::SMALL.context as usize - 4;
        assert_noop!(with_prompt(maximum + 1).dispatch(), Error::<Test>::ContextExceeded);
        assert_ok!(with_prompt(maximum).dispatch());
    });
}

#[test]
fn request_is_refused_when_the_maximum_fee_is_below_the_maximum_price() {
    run_test(4, || {
        let call = RequestCall {
            max_fee: FEE - 1,
            ..RequestCall::default()
        };
        assert_noop!(call.dispatch(), Error::<Test>::FeeBelowPrice);
        // The price of the tokens exceeds 128 bits.
        CurrentPrice::set(Balance::MAX);
        let call = RequestCall {
            max_fee: Balance::MAX,
            ..RequestCall::default()
        };
        assert_noop!(call.dispatch(), Error::<Test>::FeeBelowPrice);
    });
}

#[test]
fn request_is_refused_when_the_escrow_cannot_be_held() {
    run_test(4, || {
        let call = RequestCall {
            max_fee: FUNDS,
            ..RequestCall::default()
        };
        assert_noop!(call.dispatch(), TokenError::FundsUnavailable);
    });
}

#[test]
fn request_is_refused_when_fewer_than_two_members_have_a_bond() {
    for members in [0, 1] {
        run_test(members, || {
            assert_noop!(RequestCall::default().dispatch(), Error::<Test>::NoExecutor);
        });
    }
    run_test(3, || {
        Members::mutate(|members| members.iter_mut().skip(1).for_each(|member| member.bond = 0));
        assert_noop!(RequestCall::default().dispatch(), Error::<Test>::NoExecutor);
    });
}

#[test]
fn request_is_refused_when_too_many_are_open() {
    run_test(4, || {
        for _ in 0..MAX_OPEN_REQUESTS {
            request();
        }
        assert_noop!(RequestCall::default().dispatch(), Error::<Test>::TooManyRequests);
        assert_ok!(claim(0));
        confirm(0);
        request();
        assert_eq!(OpenJobs::<Test>::count(), MAX_OPEN_REQUESTS);
    });
}

#[test]
fn request_is_refused_when_all_ids_are_in_use() {
    run_test(4, || {
        NextRequest::<Test>::put(u64::MAX);
        assert_noop!(RequestCall::default().dispatch(), Error::<Test>::TooManyRequests);
    });
}
