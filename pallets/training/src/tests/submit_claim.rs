// SPDX-License-Identifier: Apache-2.0
use crate::{
    mock::*,
    reports::ReportRefusal::*,
    round::RoundRefusal,
    types::{ClaimBody, NewWeights, Output, Phase, Scores, VoidReason},
    Call, Event, Jobs, Rounds, CLAIM_DOMAIN,
};
use agorai_primitives::{
    job::JobSpec,
    receipt::ClaimDigest,
    traits::{JobHandler as _, JobKind, Verdict},
    BlobId,
};
use frame_support::assert_ok;
use sp_core::H256;

fn scoring() {
    assert_ok!(Draft::default().create(OWNER));
    train_without(&[]);
    audit_all(&[]);
    wait_for(Phase::Score);
}

#[test]
fn claim_is_opened_when_the_executor_makes_it() {
    test(4, || {
        scoring();
        let (who, job) = (executor(), current().claim_attempt.job);
        assert_eq!(Jobs::<Test>::get(job), Some(PLAN));
        assert!(Training::check_spec(JobKind::Score, job).is_none());
        assert_ok!(claim(who, scores()));
        assert!(emitted(Event::Claimed {
            plan: PLAN,
            round: 0,
            executor: who,
            job
        }));
        assert_eq!(Opened::get(), [(JobKind::Score, job, who, digest(&scores()))]);
        let Some(JobSpec::Score(spec)) = Training::check_spec(JobKind::Score, job) else {
            panic!("what checkers compute");
        };
        assert_eq!(JobSpec::Score(spec.clone()).id(), job);
        assert_eq!(spec.contributions.len(), 4);
        assert_eq!(claim(who, scores()), refused(Round(RoundRefusal::AlreadyClaimed)));
    });
}

#[test]
fn claim_is_refused_when_it_is_anothers_or_about_something_else() {
    test(4, || {
        scoring();
        let who = executor();
        let other = if who == 1 { 2 } else { 1 };
        assert_eq!(claim(other, scores()), refused(Round(RoundRefusal::NotExecutor)));
        let Output::Scores(mut fewer) = scores() else {
            unreachable!()
        };
        fewer.pop();
        assert_eq!(
            claim(who, Output::Scores(fewer)),
            refused(Round(RoundRefusal::WrongOutput))
        );
        let none = Output::Scores(Scores::new());
        assert_eq!(claim(who, none), refused(Round(RoundRefusal::WrongOutput)));
        let weights = Output::Weights(new_weights());
        assert_eq!(claim(who, weights), refused(Round(RoundRefusal::WrongOutput)));
    });
}

#[test]
fn claim_is_refused_when_its_result_does_not_bind_its_output() {
    test(4, || {
        scoring();
        let who = executor();
        let round = current();
        let good = ClaimBody {
            plan: PLAN,
            round: 0,
            attempt: 0,
            output: scores(),
            claim: digest(&scores()),
        };
        let send = |job, body| {
            let message = message(who, job, body);
            let signature = sign(who, CLAIM_DOMAIN, &message);
            submit(Call::submit_claim { message, signature })
        };
        let claim = ClaimDigest {
            result: H256([9; 32]),
            ..good.claim
        };
        let loose = ClaimBody { claim, ..good.clone() };
        assert_eq!(send(round.claim_attempt.job, loose), refused(WrongResult));
        assert_eq!(send(H256([9; 32]), good.clone()), refused(WrongJob));
        let late = ClaimBody {
            attempt: 1,
            ..good.clone()
        };
        assert_eq!(
            send(round.claim_attempt.job, late),
            refused(Round(RoundRefusal::NotExecutor))
        );
        assert_ok!(send(round.claim_attempt.job, good));
    });
}

#[test]
fn next_executor_is_drawn_when_a_claim_is_refused_and_when_it_never_comes() {
    test(4, || {
        scoring();
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
        // The second is silent.
        for _ in 0..6 {
            next_block();
        }
        let third = executor();
        assert!(![first, second].contains(&third));
        assert_ok!(claim(third, scores()));
        settle(true);
        wait_for(Phase::Aggregate);
    });
}

#[test]
fn round_is_void_when_no_executor_makes_a_claim_that_settles() {
    test(4, || {
        scoring();
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
fn claim_passes_on_when_its_verdict_never_comes_and_a_late_one_changes_nothing() {
    test(4, || {
        scoring();
        let first = executor();
        assert_ok!(claim(first, scores()));
        for _ in 0..20 {
            next_block();
        }
        assert_ne!(executor(), first);
        let before = current();
        let checkers = Vec::new();
        Training::on_verdict(JobKind::Score, before.claim_attempt.job, Verdict::Settled { checkers });
        assert_eq!(current(), before);
        Training::on_verdict(JobKind::Score, H256([5; 32]), Verdict::Refused);
        assert_eq!(current(), before);
    });
}

#[test]
fn weights_are_refused_when_they_name_nothing() {
    test(4, || {
        scoring();
        assert_ok!(claim(executor(), scores()));
        settle(true);
        wait_for(Phase::Aggregate);
        let none = NewWeights {
            weights: BlobId::default(),
            ..new_weights()
        };
        let refusal = refused(Round(RoundRefusal::WrongOutput));
        assert_eq!(claim(executor(), Output::Weights(none)), refusal);
        assert_eq!(claim(executor(), scores()), refusal);
        assert_ok!(claim(executor(), Output::Weights(new_weights())));
    });
}
