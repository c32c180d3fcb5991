// SPDX-License-Identifier: Apache-2.0

use crate::{
    mock::*,
    types::{ClaimBody, ClaimRefusal, Output, RequestStatus},
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
use sp_runtime::{
    traits::BadOrigin,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, UnknownTransaction},
    DispatchError,
};

type ClaimMessage = Message<AccountId, ClaimBody>;

/// The message with another answer of which it is the claim.
fn answering(message: ClaimMessage, output: &[u8], tokens: u32) -> ClaimMessage {
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
fn claim_of_the_executor_is_put_before_a_committee() {
    test(4, || {
        let request = Draft::default().ask();
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
        assert_eq!(Claims::get(), [(JobKind::Inference, job, executor, claim, rule)]);
        assert!(Deadlines::<Test>::get(1 + ANSWER).is_empty());
    });
}

#[test]
fn checkers_get_prompt_and_output() {
    test(4, || {
        let request = Draft::default().ask();
        let job = record(request).job;
        assert_ok!(claim(request));
        let Some(JobSpec::Check(check)) = Inference::check_spec(JobKind::Inference, job) else {
            panic!("nothing to check");
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
fn claim_is_refused_when_signed_by_another() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        let signature = signed(executor(request) % 4 + 1, &message);
        let call = Call::submit_claim { message, signature };
        assert_eq!(submit(call), refused(ClaimRefusal::BadSignature));
    });
}

#[test]
fn claim_is_refused_when_it_was_changed_after_signing() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        let signature = signed(message.member, &message);
        let message = answering(message, b"mneM", TOKENS);
        let call = Call::submit_claim { message, signature };
        assert_eq!(submit(call), refused(ClaimRefusal::BadSignature));
    });
}

#[test]
fn claim_is_refused_when_the_member_is_not_the_executor() {
    test(4, || {
        let request = Draft::default().ask();
        let message = Message {
            member: executor(request) % 4 + 1,
            ..claim_message(request)
        };
        assert_eq!(submit_message(message), refused(ClaimRefusal::NotExecutor));
    });
}

#[test]
fn claim_is_refused_when_the_executor_is_no_member_any_more() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        Set::mutate(|members| members.retain(|member| member.account != message.member));
        assert_eq!(submit_message(message), refused(ClaimRefusal::NotAMember));
    });
}

#[test]
fn claim_is_refused_when_signed_for_another_session() {
    test(4, || {
        let request = Draft::default().ask();
        for session in [SESSION - 1, SESSION + 1] {
            let message = Message {
                session,
                ..claim_message(request)
            };
            assert_eq!(submit_message(message), refused(ClaimRefusal::WrongSession));
        }
    });
}

#[test]
fn claim_is_refused_when_the_attempt_is_another() {
    test(4, || {
        let request = Draft::default().ask();
        let mut message = claim_message(request);
        message.body.attempt = 1;
        assert_eq!(submit_message(message), refused(ClaimRefusal::WrongAttempt));
    });
}

#[test]
fn claim_is_refused_when_nobody_has_asked() {
    test(4, || {
        let request = Draft::default().ask();
        let message = Message {
            job: JobId::zero(),
            ..claim_message(request)
        };
        assert_eq!(submit_message(message), refused(ClaimRefusal::NoRequest));
    });
}

#[test]
fn claim_is_refused_when_the_answer_cannot_come_out_of_the_job() {
    test(4, || {
        let request = Draft::default().ask();
        let impossible: [(&[u8], u32); 5] = [
            (b"", 5),
            (b"mnemo", 10),
            (b"mnem", 8),
            (b"mnem", 10),
            (b"mnem", u32::MAX),
        ];
        for (output, tokens) in impossible {
            let message = answering(claim_message(request), output, tokens);
            assert_eq!(submit_message(message), refused(ClaimRefusal::ImpossibleAnswer));
        }
        // Shorter, because it stopped.
        let message = answering(claim_message(request), b"m", 6);
        assert_ok!(submit_message(message));
    });
}

#[test]
fn output_is_not_decoded_when_it_is_too_long() {
    let most = vec![0u8; MAX_OUTPUT as usize];
    assert!(Output::decode(&mut &most.encode()[..]).is_ok());
    let more = vec![0u8; MAX_OUTPUT as usize + 1];
    assert!(Output::decode(&mut &more.encode()[..]).is_err());
}

#[test]
fn claim_is_refused_when_it_is_about_another_output() {
    test(4, || {
        let request = Draft::default().ask();
        let mut message = claim_message(request);
        message.body.claim = trace(b"mneM", TOKENS).claim();
        assert_eq!(submit_message(message), refused(ClaimRefusal::WrongResult));
    });
}

#[test]
fn claim_is_refused_when_there_is_one_already() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        assert_ok!(submit_message(message.clone()));
        assert_eq!(submit_message(message.clone()), refused(ClaimRefusal::AlreadyClaimed));
        // Also past the authorization, as for a second one in the same block.
        let signature = signed(message.member, &message);
        assert_noop!(
            Inference::submit_claim(RawOrigin::Authorized.into(), message, signature),
            Error::<Test>::AlreadyClaimed
        );
        assert_eq!(Claims::get().len(), 1);
    });
}

#[test]
fn claim_is_refused_when_the_request_is_over() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        assert_ok!(submit_message(message.clone()));
        confirm(request);
        assert_eq!(submit_message(message), refused(ClaimRefusal::NoRequest));
    });
}

#[test]
fn request_waits_on_when_verification_has_no_room() {
    test(4, || {
        let request = Draft::default().ask();
        NoRoomForClaims::set(true);
        let message = claim_message(request);
        let signature = signed(message.member, &message);
        assert_noop!(
            Inference::submit_claim(RawOrigin::Authorized.into(), message, signature),
            DispatchError::Other("TooManyClaims")
        );
        NoRoomForClaims::set(false);
        assert_ok!(claim(request));
    });
}

#[test]
fn claim_needs_the_authorized_origin() {
    test(4, || {
        let request = Draft::default().ask();
        let message = claim_message(request);
        let signature = signed(message.member, &message);
        for origin in [RuntimeOrigin::signed(1), RuntimeOrigin::none()] {
            assert_err!(
                Inference::submit_claim(origin, message.clone(), signature.clone()),
                BadOrigin
            );
        }
    });
}

#[test]
fn claim_stays_in_the_pool_for_a_short_time_and_only_once() {
    test(4, || {
        let request = Draft::default().ask();
        let valid = |message: ClaimMessage| {
            let signature = signed(message.member, &message);
            let call = RuntimeCall::from(Call::submit_claim { message, signature });
            let (valid, _) = call.authorize(TransactionSource::External).unwrap().unwrap();
            valid
        };
        let one = valid(claim_message(request));
        assert!(one.longevity <= 32);
        assert!(one.propagate);
        let other = valid(answering(claim_message(request), b"mneM", TOKENS));
        assert_eq!(one.provides, other.provides);
    });
}

#[test]
fn pool_bans_only_what_will_never_be_right() {
    let unknown = |refusal: ClaimRefusal| {
        TransactionValidityError::from(refusal) == UnknownTransaction::Custom(refusal.code()).into()
    };
    for soon in [
        ClaimRefusal::NoRequest,
        ClaimRefusal::NotExecutor,
        ClaimRefusal::WrongAttempt,
    ] {
        assert!(unknown(soon));
    }
    for never in [
        ClaimRefusal::WrongSession,
        ClaimRefusal::AlreadyClaimed,
        ClaimRefusal::ImpossibleAnswer,
        ClaimRefusal::WrongResult,
        ClaimRefusal::NotAMember,
    ] {
        assert_eq!(
            TransactionValidityError::from(never),
            InvalidTransaction::Custom(never.code()).into()
        );
    }
    assert_eq!(
        TransactionValidityError::from(ClaimRefusal::BadSignature),
        InvalidTransaction::BadProof.into()
    );
}
