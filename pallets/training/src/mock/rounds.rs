// SPDX-License-Identifier: Apache-2.0
//! The reports of members, and whole phases of the current round of [`PLAN`].

use super::{next_block, run_to_phase, AccountId, Failed, Members, OpenClaims, RuntimeCall, Test, Training, PLAN};
use crate::{
    contribution::ContributionRecord,
    reports::{
        enrolment_job, result_hash, AuditBody, ClaimBody, ContributionBody, EnrolBody, AUDIT_DOMAIN, CLAIM_DOMAIN,
        CONTRIBUTION_DOMAIN, ENROL_DOMAIN,
    },
    round::{NewWeights, Output, Phase},
    Call, CurrentRounds, Plans,
};
use agorai_primitives::{
    message::Message,
    receipt::ClaimDigest,
    training::Score,
    traits::{JobHandler as _, Verdict},
    BlobId, CommitteeSignature, JobId,
};
use codec::Encode;
use pallet_support::SignedReports;
use pallet_testing::{self as testing, key_pair, SESSION};
use sp_core::{Pair, H256};

/// Authorizes and dispatches a call.
pub fn submit(call: impl Into<RuntimeCall>) -> Result<(), Failed> {
    testing::submit(call.into())
}

/// A report of a member for the current session.
pub fn message<Body>(member: AccountId, job: JobId, body: Body) -> Message<AccountId, Body> {
    Message {
        member,
        session: SESSION,
        job,
        body,
    }
}

/// Signs a report with the key of `by`.
pub fn sign<Body: Encode>(by: AccountId, domain: &[u8], message: &Message<AccountId, Body>) -> CommitteeSignature {
    key_pair(by).sign(&message.digest(domain, &Training::genesis_hash()))
}

/// The job under which members enrol for the current round.
pub fn current_enrolment_job() -> JobId {
    enrolment_job(PLAN, current_index())
}

/// The job under which workers contribute to the current round.
pub fn training_job() -> JobId {
    let plan = Plans::<Test>::get(PLAN).unwrap();
    Training::training_job(PLAN, &plan, &current_round())
}

/// The job under which auditors report on a worker.
pub fn audit_job(worker: u32) -> JobId {
    let plan = Plans::<Test>::get(PLAN).unwrap();
    Training::audit_job(PLAN, &plan, &current_round(), worker)
}

/// Index of the current round.
pub fn current_index() -> u32 {
    Plans::<Test>::get(PLAN).unwrap().round
}

/// The member enrols for the current round.
pub fn enrol(member: AccountId) -> Result<(), Failed> {
    let message = message(
        member,
        current_enrolment_job(),
        EnrolBody {
            plan: PLAN,
            round: current_index(),
        },
    );
    let signature = sign(member, ENROL_DOMAIN, &message);
    submit(Call::submit_enrol { message, signature })
}

/// The contribution of a member to the current round. It differs by member and round.
pub fn contribution(member: AccountId) -> ContributionRecord {
    let blob = |kind: u8| {
        BlobId(
            [kind, member as u8, current_index() as u8].repeat(11)[..32]
                .try_into()
                .unwrap(),
        )
    };
    ContributionRecord {
        payload: blob(1),
        payload_bytes: 1_000,
        error_feedback: blob(2),
        states: (0..4)
            .map(|segment| blob(3 + segment))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
        loss_first: 5_000_000,
        loss_last: 4_000_000,
    }
}

/// The worker commits to its [`contribution`].
pub fn contribute(member: AccountId) -> Result<(), Failed> {
    contribute_with(member, contribution(member))
}

/// The worker commits to another contribution.
pub fn contribute_with(member: AccountId, contribution: ContributionRecord) -> Result<(), Failed> {
    let body = ContributionBody {
        plan: PLAN,
        round: current_index(),
        contribution,
    };
    let message = message(member, training_job(), body);
    let signature = sign(member, CONTRIBUTION_DOMAIN, &message);
    submit(Call::submit_contribution { message, signature })
}

/// The member reports the re-execution of a segment of the worker with index `worker`.
pub fn audit(member: AccountId, worker: u32, matches: bool) -> Result<(), Failed> {
    let body = AuditBody {
        plan: PLAN,
        round: current_index(),
        worker,
        matches,
    };
    let message = message(member, audit_job(worker), body);
    let signature = sign(member, AUDIT_DOMAIN, &message);
    submit(Call::submit_audit { message, signature })
}

/// A claim whose result is the hash of its output.
pub fn digest(output: &Output) -> ClaimDigest {
    ClaimDigest {
        result: result_hash(output),
        root: H256([1; 32]),
        secret_commitment: H256([2; 32]),
    }
}

/// The member claims an output in the current attempt.
pub fn claim(member: AccountId, output: Output) -> Result<(), Failed> {
    let round = current_round();
    let claim = digest(&output);
    let attempt = round.executor().map_or(0, |(_, attempt)| attempt);
    let body = ClaimBody {
        plan: PLAN,
        round: current_index(),
        attempt,
        output,
        claim,
    };
    let message = message(member, round.claim_attempt.job, body);
    let signature = sign(member, CLAIM_DOMAIN, &message);
    submit(Call::submit_claim { message, signature })
}

/// The current executor.
pub fn executor() -> AccountId {
    *current_round().executor().unwrap().0
}

pub fn current_round() -> crate::RoundOf<Test> {
    CurrentRounds::<Test>::get(PLAN).unwrap()
}

/// All members enrol that are not workers.
pub fn enrol_all() {
    for member in Members::get() {
        if current_round().worker_index(&member.account).is_none() {
            enrol(member.account).unwrap();
        }
    }
}

/// All members enrol, and all workers but `silent` contribute.
pub fn train_without(silent: &[AccountId]) {
    enrol_all();
    run_to_phase(Phase::Train);
    for worker in current_round().workers {
        if !silent.contains(&worker.account) {
            contribute(worker.account).unwrap();
        }
    }
    run_to_phase(Phase::Audit);
}

/// All auditors report on all contributions until the phase ends; the contributions of `dishonest` do not match.
pub fn audit_all(dishonest: &[AccountId]) {
    while current_round().phase == Phase::Audit {
        for (index, worker) in current_round().workers.iter().enumerate() {
            for member in Members::get() {
                if current_round().owes_audit(&member.account, index as u32) {
                    let matches = !dishonest.contains(&worker.account);
                    audit(member.account, index as u32, matches).unwrap();
                }
            }
        }
        next_block();
    }
}

/// Scores of the accepted contributions: the worker with index i has a gain of (i + 1) * 100.
pub fn scores() -> Output {
    let score = |(worker, _): (u32, BlobId)| Score {
        worker,
        held_out: i64::from(worker + 1) * 100,
        own: 10,
    };
    Output::Scores(
        current_round()
            .accepted()
            .into_iter()
            .map(score)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
    )
}

/// The new weights of the current round.
pub fn new_weights() -> NewWeights {
    NewWeights {
        weights: BlobId([201 + current_index() as u8; 32]),
        loss_before: 5_000_000,
        loss_after: 4_500_000,
    }
}

/// Ends the last open claim: settled, or refused.
pub fn settle(settled: bool) {
    let (kind, job, ..) = *OpenClaims::get().last().unwrap();
    assert!(Training::check_spec(kind, job).is_some());
    let verdict = match settled {
        true => Verdict::Settled { checkers: Vec::new() },
        false => Verdict::Refused,
    };
    Training::on_verdict(kind, job, verdict);
    assert!(Training::check_spec(kind, job).is_none());
}

/// Executors claim the scores and the new weights; both claims are settled.
pub fn score_and_aggregate() {
    run_to_phase(Phase::Score);
    claim(executor(), scores()).unwrap();
    settle(true);
    run_to_phase(Phase::Aggregate);
    claim(executor(), Output::Weights(new_weights())).unwrap();
    settle(true);
    next_block();
}

/// A whole round in which all members are honest.
pub fn honest_round() {
    train_without(&[]);
    audit_all(&[]);
    score_and_aggregate();
}
