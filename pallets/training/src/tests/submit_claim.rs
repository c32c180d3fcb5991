// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::{ClaimBody, CLAIM_DOMAIN},
    round::{NewWeights, Output, Phase, RoundRefusal, Scores, VoidReason},
    Call, Error, Event, Jobs, Rounds,
};
use agorai_primitives::{
    job::JobSpec,
    receipt::ClaimDigest,
    traits::{JobHandler as _, JobKind, Verdict},
    BlobId,
};
use frame_support::assert_ok;
use sp_core::H256;

type E = Error<Test>;

/// Begins phase `Score` with contributions of all members.
fn begin_scoring() {
    create_plan();
    train_without(&[]);
    audit_all(&[]);
    run_to_phase(Phase::Score);
}

#[test]
fn claim_of_the_executor_is_opened() {
    run_test(4, || {
        begin_scoring();
        let (who, job) = (executor(), current_round().claim_attempt.job);
        assert_eq!(Jobs::<Test>::get(job), Some(PLAN));
        assert!(Training::check_spec(JobKind::Score, job).is_none());
        assert_ok!(claim(who, scores()));
        assert!(emitted(Event::Claimed {
            plan: PLAN,
            round: 0,
            executor: who,
            job
        }));
        assert_eq!(OpenClaims::get(), [(JobKind::Score, job, who, digest(&scores()))]);
        let Some(JobSpec::Score(spec)) = Training::check_spec(JobKind::Score, job) else {
            panic!("no job to check");
        };
        assert_eq!(JobSpec::Score(spec.clone()).id(), job);
        assert_eq!(spec.contributions.len(), 4);
        assert_eq!(claim(who, scores()), refused(E::Round(RoundRefusal::AlreadyClaimed)));
    });
}

#[test]
fn claim_is_refused_when_it_is_not_the_executors_or_its_output_does_not_fit() {
    run_test(4, || {
        begin_scoring();
        let who = executor();
        let other = if who == 1 { 2 } else { 1 };
        assert_eq!(claim(other, scores()), refused(E::Round(RoundRefusal::NotExecutor)));
        let Output::Scores(mut fewer) = scores() else {
            unreachable!()
        };
        fewer.pop();
        assert_eq!(
            claim(who, Output::Scores(fewer)),
            refused(E::Round(RoundRefusal::WrongOutput))
        );
        let none = Output::Scores(Scores::new());
        assert_eq!(claim(who, none), refused(E::Round(RoundRefusal::WrongOutput)));
        let weights = Output::Weights(new_weights());
        assert_eq!(claim(who, weights), refused(E::Round(RoundRefusal::WrongOutput)));
    });
}

#[test]
fn claim_is_refused_when_its_result_is_not_the_hash_of_its_output() {
    run_test(4, || {
        begin_scoring();
        let who = executor();
        let round = current_round();
        let valid = ClaimBody {
            plan: PLAN,
            round: 0,
            attempt: 0,
            output: scores(),
            claim: digest(&scores()),
        };
        let submit_body = |job, body| {
            let message = message(who, job, body);
            let signature = sign(who, CLAIM_DOMAIN, &message);
            submit(Call::submit_claim { message, signature })
        };
        let claim = ClaimDigest {
            result: H256([9; 32]),
            ..valid.claim
        };
        let wrong_result = ClaimBody { claim, ..valid.clone() };
        assert_eq!(
            submit_body(round.claim_attempt.job, wrong_result),
            refused(E::WrongResult)
        );
        assert_eq!(submit_body(H256([9; 32]), valid.clone()), refused(E::WrongJob));
        let next_attempt = ClaimBody {
            attempt: 1,
            ..valid.clone()
        };
        assert_eq!(
            submit_body(round.claim_attempt.job, next_attempt),
            refused(E::Round(RoundRefusal::NotExecutor))
        );
        assert_ok!(submit_body(round.claim_attempt.job, valid));
    });
}

#[test]
fn next_executor_is_drawn_when_a_claim_is_refused_and_when_its_deadline_expires() {
    run_test(4, || {
        begin_scoring();
        let first = executor();
        assert_ok!(claim(first, scores()));
        settle(false);
        next_block();
        let second = executor();
        assert_ne!(first, second);
        assert!(emitted(Event::ExecutorDrawn {
            plan: PLAN,
            round: 0,
            phase: Phase::Score,
            executor: second
        }));
        // The second executor submits no claim.
        for _ in 0..6 {
            next_block();
        }
        let third = executor();
        assert!(![first, second].contains(&third));
        assert_ok!(claim(third, scores()));
        settle(true);
        run_to_phase(Phase::Aggregate);
    });
}

#[test]
fn round_is_void_when_no_claim_of_any_executor_is_settled() {
    run_test(4, || {
        begin_scoring();
        for _ in 0..3 {
            assert_ok!(claim(executor(), scores()));
            settle(false);
            next_block();
        }
        let reason = VoidReason::NoExecutor;
        assert!(emitted(Event::RoundVoid {
            plan: PLAN,
            round: 0,
            reason
        }));
        let summary = Rounds::<Test>::get(PLAN, 0).unwrap();
        assert_eq!((summary.void, summary.paid), (Some(reason), 0));
    });
}

#[test]
fn next_executor_is_drawn_when_a_verdict_does_not_arrive_and_a_late_verdict_is_ignored() {
    run_test(4, || {
        begin_scoring();
        let first = executor();
        assert_ok!(claim(first, scores()));
        for _ in 0..20 {
            next_block();
        }
        assert_ne!(executor(), first);
        let before = current_round();
        let checkers = Vec::new();
        Training::on_verdict(JobKind::Score, before.claim_attempt.job, Verdict::Settled { checkers });
        assert_eq!(current_round(), before);
        Training::on_verdict(JobKind::Score, H256([5; 32]), Verdict::Refused);
        assert_eq!(current_round(), before);
    });
}

#[test]
fn claim_is_refused_when_its_weights_are_zero_or_it_contains_scores() {
    run_test(4, || {
        begin_scoring();
        assert_ok!(claim(executor(), scores()));
        settle(true);
        run_to_phase(Phase::Aggregate);
        let none = NewWeights {
            weights: BlobId::default(),
            ..new_weights()
        };
        let refusal = refused(E::Round(RoundRefusal::WrongOutput));
        assert_eq!(claim(executor(), Output::Weights(none)), refusal);
        assert_eq!(claim(executor(), scores()), refusal);
        assert_ok!(claim(executor(), Output::Weights(new_weights())));
    });
}
