// SPDX-License-Identifier: Apache-2.0

use crate::{
    claim::ClaimBody,
    mock::*,
    request::{Output, RequestStatus},
    Call, Deadlines, Error, Event,
};
use agorai_primitives::{
    job::{JobSpec, MAX_OUTPUT},
    message::Message,
    traits::{CommitteeRule, JobHandler, JobKind},
    JobId,
};
use codec::{Decode, Encode};
use frame_support::{assert_err, assert_noop, assert_ok, traits::Authorize};
use frame_system::RawOrigin;
use pallet_support::{reports::LONGEVITY, ReportRefusal};
use sp_runtime::{
    traits::BadOrigin,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, UnknownTransaction},
    DispatchError,
};

type E = Error<Test>;

type ClaimMessage = Message<AccountId, ClaimBody>;

/// The claim with another answer.
fn with_answer(message: ClaimMessage, output: &[u8], tokens: u32) -> ClaimMessage {
    Message {
        body: ClaimBody {
            output: output.to_vec().try_into().unwrap(),
            tokens,
            claim: trace(output, tokens).claim(),
            ..message.body
        },
        ..message
    }
}

#[test]
fn claim_of_the_executor_is_opened() {
    run_test(4, || {
        let request = request();
        let executor = executor(request);
        let record = record(request);
        let job = record.job;
        assert_eq!(Inference::check_spec(JobKind::Inference, job), None);
        assert_ok!(claim(request));
        let status = RequestStatus::Claimed {
            executor,
            output: OUTPUT.to_vec().try_into().unwrap(),
            tokens: TOKENS,
        };
        assert_eq!(crate::mock::record(request).status, status);
        assert!(emitted(Event::Claimed { request, executor, job }));
        let rule = CommitteeRule::Drawn { size: 3 };
        let claim = trace(OUTPUT, TOKENS).claim();
        assert_eq!(OpenClaims::get(), [(JobKind::Inference, job, executor, claim, rule)]);
        assert!(Deadlines::<Test>::get(1 + ANSWER_PERIOD).is_empty());
    });
}

#[test]
fn check_spec_contains_prompt_and_output_while_the_claim_is_open() {
    run_test(4, || {
        let request = request();
        let job = record(request).job;
        assert_ok!(claim(request));
        let Some(JobSpec::Check(check)) = Inference::check_spec(JobKind::Inference, job) else {
            panic!("no job to check");
        };
        assert_eq!(check.output, OUTPUT);
        assert_eq!(JobSpec::Generate(check.generate).id(), job);
        assert_eq!(Inference::check_spec(JobKind::Score, job), None);
        assert_eq!(Inference::check_spec(JobKind::Inference, JobId::zero()), None);
        confirm(request);
        assert_eq!(Inference::check_spec(JobKind::Inference, job), None);
    });
}

#[test]
fn claim_is_refused_when_another_member_signed_it() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        let signature = sign(executor(request) % 4 + 1, &message);
        let call = Call::submit_claim { message, signature };
        assert_eq!(submit(call), refused(E::Report(ReportRefusal::BadSignature)));
    });
}

#[test]
fn claim_is_refused_when_it_was_changed_after_signing() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        let signature = sign(message.member, &message);
        let message = with_answer(message, b"mneM", TOKENS);
        let call = Call::submit_claim { message, signature };
        assert_eq!(submit(call), refused(E::Report(ReportRefusal::BadSignature)));
    });
}

#[test]
fn claim_is_refused_when_the_member_is_not_the_executor() {
    run_test(4, || {
        let request = request();
        let message = Message {
            member: executor(request) % 4 + 1,
            ..claim_message(request)
        };
        assert_eq!(submit_message(message), refused(E::NotExecutor));
    });
}

#[test]
fn claim_is_refused_when_the_executor_is_no_longer_a_member() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        Members::mutate(|members| members.retain(|member| member.account != message.member));
        assert_eq!(submit_message(message), refused(E::Report(ReportRefusal::NotAMember)));
    });
}

#[test]
fn claim_is_refused_when_signed_for_another_session() {
    run_test(4, || {
        let request = request();
        for session in [SESSION - 1, SESSION + 1] {
            let message = Message {
                session,
                ..claim_message(request)
            };
            assert_eq!(submit_message(message), refused(E::Report(ReportRefusal::WrongSession)));
        }
    });
}

#[test]
fn claim_is_refused_when_it_is_for_another_attempt() {
    run_test(4, || {
        let request = request();
        let mut message = claim_message(request);
        message.body.attempt = 1;
        assert_eq!(submit_message(message), refused(E::WrongAttempt));
    });
}

#[test]
fn claim_is_refused_when_no_request_has_its_job() {
    run_test(4, || {
        let request = request();
        let message = Message {
            job: JobId::zero(),
            ..claim_message(request)
        };
        assert_eq!(submit_message(message), refused(E::NoRequest));
    });
}

#[test]
fn claim_is_refused_when_the_job_cannot_have_the_answer() {
    run_test(4, || {
        let request = request();
        let impossible: [(&[u8], u32); 5] = [
            (b"", 5),
            (b"mnemo", 10),
            (b"mnem", 8),
            (b"mnem", 10),
            (b"mnem", u32::MAX),
        ];
        for (output, tokens) in impossible {
            let message = with_answer(claim_message(request), output, tokens);
            assert_eq!(submit_message(message), refused(E::ImpossibleAnswer));
        }
        // An answer can be shorter than `max_tokens`.
        let message = with_answer(claim_message(request), b"m", 6);
        assert_ok!(submit_message(message));
    });
}

#[test]
fn output_does_not_decode_when_it_is_too_long() {
    let longest = vec![0u8; MAX_OUTPUT as usize];
    assert!(Output::decode(&mut &longest.encode()[..]).is_ok());
    let too_long = vec![0u8; MAX_OUTPUT as usize + 1];
    assert!(Output::decode(&mut &too_long.encode()[..]).is_err());
}

#[test]
fn claim_is_refused_when_its_result_is_not_the_hash_of_its_output() {
    run_test(4, || {
        let request = request();
        let mut message = claim_message(request);
        message.body.claim = trace(b"mneM", TOKENS).claim();
        assert_eq!(submit_message(message), refused(E::WrongResult));
    });
}

#[test]
fn claim_is_refused_when_the_request_is_claimed() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        assert_ok!(submit_message(message.clone()));
        assert_eq!(submit_message(message.clone()), refused(E::AlreadyClaimed));
        // The call checks again: a block can contain two claims that were both authorized before it.
        let signature = sign(message.member, &message);
        assert_noop!(
            Inference::submit_claim(RawOrigin::Authorized.into(), message, signature),
            E::AlreadyClaimed
        );
        assert_eq!(OpenClaims::get().len(), 1);
    });
}

#[test]
fn claim_is_refused_when_the_request_is_settled() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        assert_ok!(submit_message(message.clone()));
        confirm(request);
        assert_eq!(submit_message(message), refused(E::NoRequest));
    });
}

#[test]
fn request_keeps_waiting_when_the_claim_cannot_be_opened() {
    run_test(4, || {
        let request = request();
        VerifierIsFull::set(true);
        let message = claim_message(request);
        let signature = sign(message.member, &message);
        assert_noop!(
            Inference::submit_claim(RawOrigin::Authorized.into(), message, signature),
            DispatchError::Other("TooManyClaims")
        );
        VerifierIsFull::set(false);
        assert_ok!(claim(request));
    });
}

#[test]
fn claim_requires_the_authorized_origin() {
    run_test(4, || {
        let request = request();
        let message = claim_message(request);
        let signature = sign(message.member, &message);
        for origin in [RuntimeOrigin::signed(1), RuntimeOrigin::none()] {
            assert_err!(
                Inference::submit_claim(origin, message.clone(), signature.clone()),
                BadOrigin
            );
        }
    });
}

#[test]
fn pool_holds_one_claim_per_attempt_for_a_few_blocks() {
    run_test(4, || {
        let request = request();
        let valid = |message: ClaimMessage| {
            let signature = sign(message.member, &message);
            let call = RuntimeCall::from(Call::submit_claim { message, signature });
            let (valid, _) = call.authorize(TransactionSource::External).unwrap().unwrap();
            valid
        };
        let one = valid(claim_message(request));
        assert_eq!(one.longevity, LONGEVITY);
        assert!(one.propagate);
        let other = valid(with_answer(claim_message(request), b"mneM", TOKENS));
        assert_eq!(one.provides, other.provides);
    });
}

#[test]
fn pool_bans_only_claims_that_cannot_become_valid() {
    for refusal in [E::NoRequest, E::NotExecutor, E::WrongAttempt] {
        assert!(matches!(
            refusal.into(),
            TransactionValidityError::Unknown(UnknownTransaction::Custom(_))
        ));
    }
    for refusal in [E::AlreadyClaimed, E::ImpossibleAnswer, E::WrongResult] {
        assert!(matches!(
            refusal.into(),
            TransactionValidityError::Invalid(InvalidTransaction::Custom(_))
        ));
    }
    for (refusal, expected) in [
        (ReportRefusal::WrongSession, InvalidTransaction::Stale),
        (ReportRefusal::NotAMember, InvalidTransaction::BadSigner),
        (ReportRefusal::BadSignature, InvalidTransaction::BadProof),
    ] {
        assert_eq!(TransactionValidityError::from(E::Report(refusal)), expected.into());
    }
}
