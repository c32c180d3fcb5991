// SPDX-License-Identifier: Apache-2.0
//! The round as a value, without a chain.
use crate::{
    round::{Effect, Round, RoundInput, RoundRefusal, Rules, StepContext},
    types::{DropReason, Output, Phase, Scores, VoidReason, WorkerStatus},
};
use agorai_primitives::{Balance, BlobId};
use proptest::prelude::*;
use sp_core::H256;

const RULES: Rules = Rules {
    minimum_workers: 1,
    sequences: 1_000_000,
    per_worker: 10,
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

/// A round with its surroundings.
struct Play {
    round: Round<u32>,
    members: Vec<(u32, Balance)>,
    block: u32,
    rules: Rules,
    effects: Vec<Effect<u32>>,
}

impl Play {
    fn new(members: u32, rules: Rules) -> Self {
        Self {
            round: Round::new(Vec::new(), 0, &rules),
            members: (0..members).map(|who| (who, 10)).collect(),
            block: 0,
            rules,
            effects: Vec::new(),
        }
    }

    fn step(&mut self, event: RoundInput<u32>) -> Result<(), RoundRefusal> {
        let at = StepContext {
            block: self.block,
            members: &self.members,
            randomness: H256([self.block as u8; 32]),
            rules: &self.rules,
        };
        let next = self.round.clone().step(event, &at)?;
        self.round = next.round;
        self.effects.extend(next.effects);
        Ok(())
    }

    fn tick(&mut self) {
        self.block += 1;
        self.step(RoundInput::Tick).unwrap();
    }

    fn go_to_audit(&mut self) {
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

    fn void(&self) -> Option<VoidReason> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Void { reason } => Some(*reason),
            _ => None,
        })
    }
}

#[test]
fn round_is_void_when_the_data_does_not_suffice_for_so_many_workers() {
    for (sequences, void) in [(50, None), (49, Some(VoidReason::TooLittleData))] {
        let mut play = Play::new(4, Rules { sequences, ..RULES });
        for who in 0..4 {
            play.step(RoundInput::Enrol { who }).unwrap();
        }
        play.tick();
        assert_eq!(play.void(), void);
    }
}

#[test]
fn worker_is_left_out_when_it_is_no_member_any_more() {
    let mut play = Play::new(4, RULES);
    for who in 0..4 {
        play.step(RoundInput::Enrol { who }).unwrap();
    }
    play.members.remove(1);
    play.tick();
    assert_eq!(play.round.stay(), [0, 2, 3]);
    let payload = BlobId([1; 32]);
    let late = play.step(RoundInput::Contribute { who: 1, payload });
    assert_eq!(late, Err(RoundRefusal::NotAWorker));
}

#[test]
fn enrolment_is_refused_when_the_round_is_full() {
    let mut play = Play::new(40, RULES);
    for who in 0..32 {
        play.step(RoundInput::Enrol { who }).unwrap();
    }
    assert_eq!(play.step(RoundInput::Enrol { who: 32 }), Err(RoundRefusal::RoundFull));
    play.tick();
    assert_eq!(play.round.phase, Phase::Train);
}

#[test]
fn nothing_is_accepted_when_there_is_nobody_else_to_audit() {
    let mut play = Play::new(1, RULES);
    play.go_to_audit();
    for _ in 0..5 {
        play.tick();
    }
    assert_eq!(play.void(), Some(VoidReason::NothingAudited));
}

#[test]
fn widened_audits_end_in_time_however_late_they_are_accused() {
    let mut play = Play::new(7, RULES);
    play.go_to_audit();
    let end = play.round.deadline;
    // In each block another contribution is accused, as late as possible.
    for worker in 0..7 {
        if play.block + 1 < end {
            play.tick();
        }
        let accuser = (0..7).find(|by| play.round.owes_audit(by, worker));
        if let Some(by) = accuser {
            play.step(RoundInput::Audit {
                by,
                worker,
                matches: false,
            })
            .unwrap();
        }
    }
    while play.round.phase == Phase::Audit {
        play.tick();
    }
    assert!(play.block <= end + RULES.audit_blocks);
    assert_eq!(play.void(), Some(VoidReason::NothingAudited));
}

fn any_event() -> impl Strategy<Value = RoundInput<u32>> {
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
    fn round_ends_once_and_in_time_whatever_happens(events in prop::collection::vec(any_event(), 0..300)) {
        let mut play = Play::new(6, RULES);
        for event in events {
            match event {
                RoundInput::Tick => play.tick(),
                other => { let _ = play.step(other); }
            }
        }
        // 3 + 10 + 2 * 5 + 2 * 3 * 20 and a few in between.
        for _ in 0..200 {
            play.tick();
        }
        prop_assert_eq!(play.round.phase, Phase::Done);
        let ends = play.effects.iter().filter(|effect| {
            matches!(effect, Effect::Void { .. } | Effect::Finished { .. })
        });
        prop_assert_eq!(ends.count(), 1);
    }

    #[test]
    fn nobody_honest_is_slashed_and_accused_cheats_are_while_less_than_a_third_cheats(
        members in 4u32..12,
        fewer in 0u32..4,
        answers in prop::collection::vec((any::<bool>(), any::<bool>()), 600),
    ) {
        let cheats = ((members - 1) / 3).saturating_sub(fewer);
        let mut play = Play::new(members, RULES);
        play.go_to_audit();
        let mut answers = answers.into_iter().cycle();
        for _ in 0..12 {
            if play.round.phase != Phase::Audit {
                break;
            }
            for worker in 0..members {
                for by in 0..members {
                    if !play.round.owes_audit(&by, worker) {
                        continue;
                    }
                    let (speaks, says) = answers.next().unwrap();
                    let honest = by >= cheats;
                    let truth = worker >= cheats;
                    if honest || speaks {
                        let matches = if honest { truth } else { says };
                        play.step(RoundInput::Audit { by, worker, matches }).unwrap();
                    }
                }
            }
            play.tick();
        }
        for effect in &play.effects {
            if let Effect::Slash { who, .. } = effect {
                prop_assert!(*who < cheats, "{who} is honest");
            }
        }
        for (place, worker) in play.round.workers.iter().enumerate() {
            let dropped = |reason| worker.status == WorkerStatus::Dropped { reason };
            if place as u32 >= cheats {
                // Unaudited: both drawn auditors were silent cheats.
                prop_assert!(worker.status == WorkerStatus::Accepted || dropped(DropReason::Unaudited));
            } else if worker.audit.widened && worker.audit.differs != 0 {
                prop_assert!(dropped(DropReason::Cheated));
            }
        }
    }
}
