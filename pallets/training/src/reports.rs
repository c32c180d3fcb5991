// SPDX-License-Identifier: Apache-2.0
//! The reports of members and the jobs under which they are signed.

use crate::{contribution::ContributionRecord, round::Output, Config, Contributions, Pallet, PlanOf, RoundOf};
use agorai_primitives::{
    receipt::{scores_result, weights_result, ClaimDigest},
    JobId, PlanId, RoundIndex,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Domain of the signatures of enrolments.
pub const ENROL_DOMAIN: &[u8] = b"training/enrol";
/// Domain of the signatures of contributions.
pub const CONTRIBUTION_DOMAIN: &[u8] = b"training/contribution";
/// Domain of the signatures of audits.
pub const AUDIT_DOMAIN: &[u8] = b"training/audit";
/// Domain of the signatures of claims.
pub const CLAIM_DOMAIN: &[u8] = b"training/claim";

/// The enrolment of a member as a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct EnrolBody {
    /// The plan.
    pub plan: PlanId,
    /// The first round in which the member trains.
    pub round: RoundIndex,
}

/// The contribution of a worker.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ContributionBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// The hashes to which the worker commits.
    pub contribution: ContributionRecord,
}

/// The result of the re-execution of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct AuditBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// Index of the audited worker.
    pub worker: u32,
    /// Whether re-execution yields what the worker committed to.
    pub matches: bool,
}

/// The claim of an executor on the scores or the new weights of a round.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ClaimBody {
    /// The plan.
    pub plan: PlanId,
    /// The round.
    pub round: RoundIndex,
    /// Number of executors that were drawn earlier.
    pub attempt: u32,
    /// The output.
    pub output: Output,
    /// The hashes to which the executor commits; `claim.result` is the hash of `output`.
    pub claim: ClaimDigest,
}

/// The job under which members enrol for a round.
pub fn enrolment_job(plan: PlanId, round: RoundIndex) -> JobId {
    (b"agorai/round/1", plan, round).using_encoded(blake2_256).into()
}

/// The result hash of an output.
pub(crate) fn result_hash(output: &Output) -> H256 {
    match output {
        Output::Scores(scores) => scores_result(scores),
        Output::Weights(new) => weights_result(&new.weights, new.loss_before, new.loss_after),
    }
}

impl<T: Config> Pallet<T> {
    /// The job under which workers contribute. It binds everything that determines their work, so that a contribution
    /// made on one fork is invalid on another.
    pub(crate) fn training_job(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>) -> JobId {
        let workers: Vec<_> = round.workers.iter().map(|worker| &worker.account).collect();
        (b"agorai/training/1", id, plan.round, plan.weights, round.seed, workers)
            .using_encoded(blake2_256)
            .into()
    }

    /// The job under which auditors report on the worker with index `worker`. It binds what they re-executed.
    pub(crate) fn audit_job(id: PlanId, plan: &PlanOf<T>, round: &RoundOf<T>, worker: u32) -> JobId {
        let segment = round.workers.get(worker as usize).map(|worker| worker.audit.segment);
        let contribution = Contributions::<T>::get(id, worker);
        let training = Self::training_job(id, plan, round);
        (b"agorai/audit/1", training, worker, segment, contribution)
            .using_encoded(blake2_256)
            .into()
    }
}
