// SPDX-License-Identifier: Apache-2.0
//! One round as a pure state machine: [`Round::step`] takes an input and returns the next state and its effects. It
//! accesses no storage.
//!
//! | phase | ends when | next |
//! |---|---|---|
//! | `Enrol` | every member is a worker, or the deadline expires | `Train`, or void: too few workers, too little data |
//! | `Train` | every worker has contributed, or the deadline expires | one block later `Audit`, or void: too few contributions |
//! | `Audit` | every contribution is accepted or dropped | `Score`, or void: nothing accepted |
//! | `Score` | a claim on the scores is settled | `Aggregate`, or void: no gain, no executor |
//! | `Aggregate` | a claim on the new weights is settled | `Done`, or void: no executor |
//!
//! **Audit.** Two members, drawn after the commitments, re-execute one drawn segment of each contribution. If both find
//! what the worker committed to, the contribution is accepted. The audit is widened to all members, once, when an
//! auditor reports a mismatch or when only some of the auditors have reported at the deadline. More than 2/3 of the
//! bond then decide, where the worker's own bond counts for its commitment. If less than a third of the bond is
//! dishonest or silent, no honest worker and no honest auditor is slashed, and a dishonest worker is slashed if an
//! honest auditor reports it. If no drawn auditor reports, either the worker withholds the data that they need or they
//! are offline: the contribution is dropped, and no account is slashed.
//!
//! **Claims.** A drawn executor claims the result under its bond. If its claim is not settled or its deadline expires,
//! the next executor is drawn, up to a maximum number of attempts.
//!
//! | file | contents |
//! |---|---|
//! | `phase`, `worker`, `claim_attempt` | the parts of a round's state |
//! | `rules` | parameters of a round and context of a step |
//! | `input`, `effect` | what a step takes and returns |
//! | `draws`, `scores` | seeds of draws; the evaluation of scores |
//! | `state` | [`Round`] |
//! | `enrolment`, `contributions`, `auditing`, `claiming` | the transitions of each phase |
//! | `step` | [`Round::step`] |

mod auditing;
mod claim_attempt;
mod claiming;
mod contributions;
mod draws;
mod effect;
mod enrolment;
mod input;
mod phase;
mod rules;
mod scores;
mod state;
mod step;
mod worker;

pub use claim_attempt::{ClaimAttempt, ClaimStatus, NewWeights, Output, Scores};
pub use effect::Effect;
pub use input::{RoundInput, RoundRefusal};
pub use phase::{Phase, VoidReason};
pub use rules::{Rules, StepContext, MAX_ATTEMPTS, MAX_VOTERS};
pub use state::Round;
pub use step::Transition;
pub use worker::{Audit, DropReason, Worker, WorkerStatus};
