// SPDX-License-Identifier: Apache-2.0
//! Properties of claims for arbitrary sets, dishonest members and orders of inputs.

use crate::claim::{is_quorum, Answer, Claim, ClaimInput, ClaimRefusal, Outcome, Phase, Transition};
use agorai_primitives::{
    job::JobFailure,
    receipt::{receipt, Trace},
    traits::CommitteeRule,
    Balance, JobId,
};
use proptest::prelude::*;
use sp_core::H256;

const JOB: JobId = H256([9; 32]);
const TRUTH: Trace = Trace {
    result: H256([1; 32]),
    root: H256([2; 32]),
    secret: H256([3; 32]),
};
const LIE: Trace = Trace {
    result: H256([4; 32]),
    root: H256([5; 32]),
    secret: H256([6; 32]),
};

/// The behaviour of a dishonest member that is assigned.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Silent,
    Unable,
    /// Agrees to any claim.
    Agree,
    /// Submits a receipt made without the trace secret.
    ForgedReceipt,
    /// Submits the trace that is not claimed.
    Differ,
    /// Submits a trace of its own.
    OwnTrace,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Silent),
        Just(Behaviour::Unable),
        Just(Behaviour::Agree),
        Just(Behaviour::ForgedReceipt),
        Just(Behaviour::Differ),
        Just(Behaviour::OwnTrace),
    ]
}

#[derive(Clone, Debug)]
struct Member {
    bond: Balance,
    /// Its behaviour if it is dishonest.
    dishonest: Option<Behaviour>,
    /// Position of its answer among the assigned members.
    position: u16,
}

#[derive(Clone, Debug)]
struct Scenario {
    members: Vec<Member>,
    rule: CommitteeRule,
    seed: H256,
    claimed: Trace,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let member =
        (1u64..1_000_000, prop::option::of(behaviour()), any::<u16>()).prop_map(|(bond, dishonest, position)| Member {
            bond: bond.into(),
            dishonest,
            position,
        });
    let rule = prop_oneof![
        Just(CommitteeRule::Everyone),
        (1u32..12).prop_map(|size| CommitteeRule::Drawn { size }),
    ];
    (
        prop::collection::vec(member, 2..24),
        rule,
        any::<[u8; 32]>(),
        any::<bool>(),
    )
        .prop_map(|(members, rule, seed, lies)| Scenario::new(members, rule, H256(seed), lies))
}

impl Scenario {
    /// Member 0 is the executor. Members are dishonest in order while their bond stays below 1/3. Only a dishonest
    /// executor makes a wrong claim.
    fn new(mut members: Vec<Member>, rule: CommitteeRule, seed: H256, lies: bool) -> Self {
        let total: Balance = members.iter().map(|member| member.bond).sum();
        let mut dishonest_bond = 0;
        for member in &mut members {
            if member.dishonest.is_some() && 3 * (dishonest_bond + member.bond) < total {
                dishonest_bond += member.bond;
            } else {
                member.dishonest = None;
            }
        }
        let claimed = if lies && members[0].dishonest.is_some() {
            LIE
        } else {
            TRUTH
        };
        Self {
            members,
            rule,
            seed,
            claimed,
        }
    }

    fn claim(&self) -> Claim<u64> {
        let others = self.members.iter().zip(0u64..).skip(1);
        let others = others.map(|(member, account)| (account, member.bond)).collect();
        Claim::new(
            0,
            self.members[0].bond,
            self.claimed.claim(),
            others,
            self.rule,
            self.seed,
            2,
        )
        .unwrap()
    }

    fn answer(&self, account: u64) -> Option<Answer> {
        let honest = |trace: Trace| Answer::Agree(receipt(&account, &JOB, &trace.secret));
        let other = if self.claimed == TRUTH { LIE } else { TRUTH };
        let differ = |trace: Trace| Answer::Differ {
            result: trace.result,
            root: trace.root,
        };
        Some(match self.members[account as usize].dishonest {
            None if self.claimed == TRUTH => honest(TRUTH),
            None => differ(TRUTH),
            Some(Behaviour::Silent) => return None,
            Some(Behaviour::Unable) => Answer::Unable(JobFailure::NoEngine),
            Some(Behaviour::Agree) => honest(self.claimed),
            Some(Behaviour::ForgedReceipt) => Answer::Agree(H256::from_low_u64_be(account)),
            Some(Behaviour::Differ) => differ(other),
            Some(Behaviour::OwnTrace) => Answer::Differ {
                result: H256::from_low_u64_be(account),
                root: H256::zero(),
            },
        })
    }

    /// Runs the claim to its end: members answer in order; after each input the trace secret is revealed; when no
    /// member answers any more, the deadline expires.
    fn run(&self) -> (Claim<u64>, Outcome<u64>) {
        let mut claim = self.claim();
        while !claim.accepts_answers() {
            claim.step(ClaimInput::Randomness(self.seed)).unwrap();
        }
        loop {
            let mut unanswered: Vec<u64> = claim
                .unanswered()
                .copied()
                .filter(|account| self.answer(*account).is_some())
                .collect();
            unanswered.sort_by_key(|account| self.members[*account as usize].position);
            let next = match unanswered.first() {
                Some(member) => {
                    let answer = self.answer(*member).unwrap();
                    claim.step(ClaimInput::Answered { member, answer }).unwrap()
                }
                None => claim.step(ClaimInput::DeadlineExpired).unwrap(),
            };
            if let Transition::Ended(end) = next {
                return (claim, end);
            }
            let reveal = ClaimInput::Revealed {
                job: &JOB,
                secret: &self.claimed.secret,
            };
            if let Ok(Transition::Ended(end)) = claim.step(reveal) {
                return (claim, end);
            }
        }
    }

    fn is_honest(&self, account: u64) -> bool {
        self.members[account as usize].dishonest.is_none()
    }

    /// Whether dishonest members are a quorum of the drawn committee. Improbable for larger committees.
    fn is_captured(&self, claim: &Claim<u64>) -> bool {
        let weight = |honest: bool| -> Balance {
            let assigned = claim
                .assigned()
                .filter(|voter| !honest || self.is_honest(voter.account));
            assigned.map(|voter| voter.bond).sum()
        };
        claim.phase == Phase::Checking && is_quorum(weight(false) - weight(true), weight(false))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn honest_members_are_not_slashed_whatever_committee_is_drawn(scenario in scenario()) {
        match scenario.run().1 {
            Outcome::Settled { disputers, checkers, .. } => {
                prop_assert!(disputers.iter().all(|account| !scenario.is_honest(*account)));
                prop_assert!(!checkers.is_empty());
            }
            Outcome::Refused { .. } => prop_assert!(!scenario.is_honest(0)),
            Outcome::Unresolved => {}
        }
    }

    #[test]
    fn no_wrong_result_settles(scenario in scenario()) {
        let (claim, end) = scenario.run();
        if scenario.claimed != TRUTH && !scenario.is_captured(&claim) {
            // Every honest member answers, so the claim is refused.
            prop_assert!(matches!(end, Outcome::Refused { .. }), "{:?}", end);
        }
    }

    #[test]
    fn honest_claim_settles_when_all_honest_answer(scenario in scenario()) {
        // The executor's bond alone does not settle a claim: one other member must be honest.
        if scenario.claimed == TRUTH && (1..scenario.members.len()).any(|other| scenario.is_honest(other as u64)) {
            let end = scenario.run().1;
            prop_assert!(matches!(end, Outcome::Settled { .. }), "{:?}", end);
        }
    }

    #[test]
    fn quorum_is_more_than_two_thirds(part in 0u64.., total in 0u64..) {
        let exact = 3 * u128::from(part) > 2 * u128::from(total);
        prop_assert_eq!(is_quorum(part.into(), total.into()), exact);
    }
}

#[test]
fn quorum_does_not_overflow() {
    assert!(is_quorum(Balance::MAX, Balance::MAX));
    assert!(!is_quorum(Balance::MAX / 3 * 2, Balance::MAX));
    assert!(!is_quorum(0, 0));
}

fn claim(others: &[Balance], rule: CommitteeRule) -> Result<Claim<u64>, ClaimRefusal> {
    let others = (1u64..).zip(others.iter().copied()).collect();
    Claim::new(0, 10, TRUTH.claim(), others, rule, H256::zero(), 2)
}

#[test]
fn claim_is_refused_without_checkers() {
    assert_eq!(claim(&[], CommitteeRule::Everyone), Err(ClaimRefusal::NoCheckers));
    assert_eq!(claim(&[0, 0], CommitteeRule::Everyone), Err(ClaimRefusal::NoCheckers));
    assert_eq!(
        claim(&[1], CommitteeRule::Drawn { size: 0 }),
        Err(ClaimRefusal::NoCheckers)
    );
    assert_eq!(
        claim(&[1; 129], CommitteeRule::Everyone),
        Err(ClaimRefusal::TooManyMembers)
    );
}

#[test]
fn executor_alone_does_not_settle_however_large_its_bond() {
    let mut claim = claim(&[1, 1], CommitteeRule::Everyone).unwrap();
    let reveal = || ClaimInput::Revealed {
        job: &JOB,
        secret: &TRUTH.secret,
    };
    assert_eq!(claim.step(reveal()), Err(ClaimRefusal::NoQuorum));
}

#[test]
fn claim_is_widened_when_a_quorum_of_the_committee_is_out_of_reach() {
    let mut claim = claim(&[10; 9], CommitteeRule::Drawn { size: 3 }).unwrap();
    assert_eq!(claim.step(ClaimInput::DeadlineExpired), Err(ClaimRefusal::NotDrawn));
    assert_eq!(
        claim.step(ClaimInput::Randomness(H256::zero())),
        Ok(Transition::Unchanged)
    );
    assert_eq!(claim.step(ClaimInput::Randomness(H256::zero())), Ok(Transition::Drawn));
    assert_eq!(
        claim.step(ClaimInput::Randomness(H256::zero())),
        Err(ClaimRefusal::AlreadyDrawn)
    );
    assert_eq!(claim.assigned().count(), 3);
    let member = *claim.unanswered().next().unwrap();
    let unable = ClaimInput::Answered {
        member: &member,
        answer: Answer::Unable(JobFailure::Busy),
    };
    assert_eq!(claim.step(unable), Ok(Transition::Widened));
    assert_eq!(claim.assigned().count(), 9);
}

#[test]
fn claim_is_unresolved_immediately_when_no_trace_can_reach_a_quorum() {
    let mut claim = claim(&[10; 3], CommitteeRule::Everyone).unwrap();
    let unable = Answer::Unable(JobFailure::BlobUnavailable);
    assert_eq!(
        claim.step(ClaimInput::Answered {
            member: &1,
            answer: unable
        }),
        Ok(Transition::Unchanged)
    );
    let next = claim.step(ClaimInput::Answered {
        member: &2,
        answer: unable,
    });
    assert_eq!(next, Ok(Transition::Ended(Outcome::Unresolved)));
}
