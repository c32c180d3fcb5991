// SPDX-License-Identifier: Apache-2.0
//! The round as a state machine, without a chain.

use crate::round::{
    DropReason, Effect, Output, Phase, Round, RoundInput, RoundRefusal, Rules, Scores, StepContext, VoidReason,
    WorkerStatus,
};
use agorai_primitives::{Balance, BlobId};
use proptest::prelude::*;
use sp_core::H256;

const RULES: Rules = Rules {
    minimum_workers: 1,
    sequences: 1_000_000,
    sequences_per_worker: 10,
    held_out: 10,
    segments: 4,
    auditors: 2,
    attempts: 3,
    enrol_blocks: 3,
    train_blocks: 10,
    audit_blocks: 5,
    claim_blocks: 5,
    verdict_blocks: 20,
};

/// A round with its context and the effects so far.
struct Simulation {
    round: Round<u32>,
    members: Vec<(u32, Balance)>,
    block: u32,
    rules: Rules,
    effects: Vec<Effect<u32>>,
}

impl Simulation {
    fn new(members: u32, rules: Rules) -> Self {
        Self {
            round: Round::new(Vec::new(), 0, &rules),
            members: (0..members).map(|who| (who, 10)).collect(),
            block: 0,
            rules,
            effects: Vec::new(),
        }
    }

    fn step(&mut self, input: RoundInput<u32>) -> Result<(), RoundRefusal> {
        let context = StepContext {
            block: self.block,
            members: &self.members,
            randomness: H256([self.block as u8; 32]),
            rules: &self.rules,
        };
        let transition = self.round.clone().step(input, &context)?;
        self.round = transition.round;
        self.effects.extend(transition.effects);
        Ok(())
    }

    fn tick(&mut self) {
        self.block += 1;
        self.step(RoundInput::Tick).unwrap();
    }

    fn run_to_audit(&mut self) {
        for who in 0..self.members.len() as u32 {
            self.step(RoundInput::Enrol { who }).unwrap();
        }
        self.tick();
        for who in 0..self.members.len() as u32 {
            let payload = BlobId([who as u8 + 1; 32]);
            self.step(RoundInput::Contribute { who, payload }).unwrap();
        }
        self.tick();
        self.tick();
        assert_eq!(self.round.phase, Phase::Audit);
    }

    fn void_reason(&self) -> Option<VoidReason> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Void { reason } => Some(*reason),
            _ => None,
        })
    }
}

#[test]
fn round_is_void_when_the_data_does_not_suffice_for_its_workers() {
    for (sequences, reason) in [(50, None), (49, Some(VoidReason::TooLittleData))] {
        let mut simulation = Simulation::new(4, Rules { sequences, ..RULES });
        for who in 0..4 {
            simulation.step(RoundInput::Enrol { who }).unwrap();
        }
        simulation.tick();
        assert_eq!(simulation.void_reason(), reason);
    }
}

#[test]
fn worker_is_removed_when_it_is_no_longer_a_member() {
    let mut simulation = Simulation::new(4, RULES);
    for who in 0..4 {
        simulation.step(RoundInput::Enrol { who }).unwrap();
    }
    simulation.members.remove(1);
    simulation.tick();
    assert_eq!(simulation.round.retained_workers(), [0, 2, 3]);
    let payload = BlobId([1; 32]);
    let result = simulation.step(RoundInput::Contribute { who: 1, payload });
    assert_eq!(result, Err(RoundRefusal::NotAWorker));
}

#[test]
fn enrolment_is_refused_when_the_round_is_full() {
    let mut simulation = Simulation::new(40, RULES);
    for who in 0..32 {
        simulation.step(RoundInput::Enrol { who }).unwrap();
    }
    assert_eq!(
        simulation.step(RoundInput::Enrol { who: 32 }),
        Err(RoundRefusal::RoundFull)
    );
    simulation.tick();
    assert_eq!(simulation.round.phase, Phase::Train);
}

#[test]
fn round_is_void_when_no_other_member_can_audit() {
    let mut simulation = Simulation::new(1, RULES);
    simulation.run_to_audit();
    for _ in 0..5 {
        simulation.tick();
    }
    assert_eq!(simulation.void_reason(), Some(VoidReason::NothingAudited));
}

#[test]
fn widened_audits_end_in_time_when_mismatches_are_reported_late() {
    let mut simulation = Simulation::new(7, RULES);
    simulation.run_to_audit();
    let end = simulation.round.deadline;
    // In each block before the deadline, an auditor of another contribution reports a mismatch.
    for worker in 0..7 {
        if simulation.block + 1 < end {
            simulation.tick();
        }
        let auditor = (0..7).find(|by| simulation.round.owes_audit(by, worker));
        if let Some(by) = auditor {
            simulation
                .step(RoundInput::Audit {
                    by,
                    worker,
                    matches: false,
                })
                .unwrap();
        }
    }
    while simulation.round.phase == Phase::Audit {
        simulation.tick();
    }
    assert!(simulation.block <= end + RULES.audit_blocks);
    assert_eq!(simulation.void_reason(), Some(VoidReason::NothingAudited));
}

fn any_input() -> impl Strategy<Value = RoundInput<u32>> {
    prop_oneof![
        3 => Just(RoundInput::Tick),
        1 => (0u32..6).prop_map(|who| RoundInput::Enrol { who }),
        1 => (0u32..6, any::<u8>())
            .prop_map(|(who, seed)| RoundInput::Contribute { who, payload: BlobId([seed; 32]) }),
        2 => (0u32..6, 0u32..6, any::<bool>())
            .prop_map(|(by, worker, matches)| RoundInput::Audit { by, worker, matches }),
        1 => (0u32..6, 0u32..4).prop_map(|(by, attempt)| {
            let output = Output::Scores(Scores::new());
            RoundInput::Claim { by, attempt, output }
        }),
        1 => any::<bool>().prop_map(|settled| RoundInput::Verdict { settled }),
    ]
}

proptest! {
    #[test]
    fn round_ends_exactly_once_and_in_time(inputs in prop::collection::vec(any_input(), 0..300)) {
        let mut simulation = Simulation::new(6, RULES);
        for input in inputs {
            match input {
                RoundInput::Tick => simulation.tick(),
                other => { let _ = simulation.step(other); }
            }
        }
        // The maximum duration is 3 + 10 + 2 * 5 + 2 * 3 * 20 blocks and one block between phases.
        for _ in 0..200 {
            simulation.tick();
        }
        prop_assert_eq!(simulation.round.phase, Phase::Done);
        let ends = simulation.effects.iter().filter(|effect| {
            matches!(effect, Effect::Void { .. } | Effect::Finished { .. })
        });
        prop_assert_eq!(ends.count(), 1);
    }

    #[test]
    fn slashes_are_correct_while_less_than_a_third_is_dishonest(
        members in 4u32..12,
        fewer in 0u32..4,
        answers in prop::collection::vec((any::<bool>(), any::<bool>()), 600),
    ) {
        let dishonest = ((members - 1) / 3).saturating_sub(fewer);
        let mut simulation = Simulation::new(members, RULES);
        simulation.run_to_audit();
        let mut answers = answers.into_iter().cycle();
        for _ in 0..12 {
            if simulation.round.phase != Phase::Audit {
                break;
            }
            for worker in 0..members {
                for by in 0..members {
                    if !simulation.round.owes_audit(&by, worker) {
                        continue;
                    }
                    let (reports, reported) = answers.next().unwrap();
                    let honest = by >= dishonest;
                    let truth = worker >= dishonest;
                    if honest || reports {
                        let matches = if honest { truth } else { reported };
                        simulation.step(RoundInput::Audit { by, worker, matches }).unwrap();
                    }
                }
            }
            simulation.tick();
        }
        for effect in &simulation.effects {
            if let Effect::Slash { who, .. } = effect {
                prop_assert!(*who < dishonest, "honest member {who} is slashed");
            }
        }
        for (index, worker) in simulation.round.workers.iter().enumerate() {
            let dropped = |reason| worker.status == WorkerStatus::Dropped { reason };
            if index as u32 >= dishonest {
                // Unaudited if both drawn auditors were dishonest and silent.
                prop_assert!(worker.status == WorkerStatus::Accepted || dropped(DropReason::Unaudited));
            } else if worker.audit.widened && worker.audit.differs != 0 {
                prop_assert!(dropped(DropReason::Cheated));
            }
        }
    }
}
