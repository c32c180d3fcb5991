// SPDX-License-Identifier: Apache-2.0
//! The promise of the design, on arbitrary sets, cheats and orders of events.

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

/// What a cheat does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Trick {
    Silent,
    Unable,
    /// Whatever is claimed.
    Agree,
    /// A receipt made without S.
    Bluff,
    /// A truth that was not claimed, or the coalition's lie.
    Differ,
    /// An alternative of its own.
    Noise,
}

fn trick() -> impl Strategy<Value = Trick> {
    prop_oneof![
        Just(Trick::Silent),
        Just(Trick::Unable),
        Just(Trick::Agree),
        Just(Trick::Bluff),
        Just(Trick::Differ),
        Just(Trick::Noise),
    ]
}

#[derive(Clone, Debug)]
struct Member {
    bond: Balance,
    /// Taken as a cheat as long as the cheats stay below a third.
    cheats: Option<Trick>,
    /// When it answers, among those that are asked.
    turn: u16,
}

#[derive(Clone, Debug)]
struct World {
    members: Vec<Member>,
    rule: CommitteeRule,
    seed: H256,
    claimed: Trace,
}

fn world() -> impl Strategy<Value = World> {
    let member = (1u64..1_000_000, prop::option::of(trick()), any::<u16>()).prop_map(|(bond, cheats, turn)| Member {
        bond: bond.into(),
        cheats,
        turn,
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
        .prop_map(|(members, rule, seed, lies)| World::new(members, rule, H256(seed), lies))
}

impl World {
    /// Member 0 executes. Cheats beyond a third of the bond become honest; who lies must be a cheat.
    fn new(mut members: Vec<Member>, rule: CommitteeRule, seed: H256, lies: bool) -> Self {
        let total: Balance = members.iter().map(|member| member.bond).sum();
        let mut cheating = 0;
        for member in &mut members {
            if member.cheats.is_some() && 3 * (cheating + member.bond) < total {
                cheating += member.bond;
            } else {
                member.cheats = None;
            }
        }
        let claimed = if lies && members[0].cheats.is_some() {
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
        Some(match self.members[account as usize].cheats {
            None if self.claimed == TRUTH => honest(TRUTH),
            None => differ(TRUTH),
            Some(Trick::Silent) => return None,
            Some(Trick::Unable) => Answer::Unable(JobFailure::NoEngine),
            Some(Trick::Agree) => honest(self.claimed),
            Some(Trick::Bluff) => Answer::Agree(H256::from_low_u64_be(account)),
            Some(Trick::Differ) => differ(other),
            Some(Trick::Noise) => Answer::Differ {
                result: H256::from_low_u64_be(account),
                root: H256::zero(),
            },
        })
    }

    /// Plays the claim to its end: who owes an answer gives it, in its turn; after each event somebody
    /// who knows S tries to open it; when nobody moves any more, the deadline strikes.
    fn play(&self) -> (Claim<u64>, Outcome<u64>) {
        let mut claim = self.claim();
        while !claim.is_asking() {
            claim.step(ClaimInput::Randomness(self.seed)).unwrap();
        }
        loop {
            let mut owing: Vec<u64> = claim
                .silent()
                .copied()
                .filter(|account| self.answer(*account).is_some())
                .collect();
            owing.sort_by_key(|account| self.members[*account as usize].turn);
            let next = match owing.first() {
                Some(member) => {
                    let answer = self.answer(*member).unwrap();
                    claim.step(ClaimInput::Answered { member, answer }).unwrap()
                }
                None => claim.step(ClaimInput::Deadline).unwrap(),
            };
            if let Transition::Ended(end) = next {
                return (claim, end);
            }
            let opening = ClaimInput::Opened {
                job: &JOB,
                secret: &self.claimed.secret,
            };
            if let Ok(Transition::Ended(end)) = claim.step(opening) {
                return (claim, end);
            }
        }
    }

    fn is_honest(&self, account: u64) -> bool {
        self.members[account as usize].cheats.is_none()
    }

    /// Whether the drawn committee is in the hands of cheats: what a larger one makes improbable.
    fn is_captured(&self, claim: &Claim<u64>) -> bool {
        let weigh = |honest: bool| -> Balance {
            let asked = claim.asked().filter(|voter| !honest || self.is_honest(voter.account));
            asked.map(|voter| voter.bond).sum()
        };
        claim.phase == Phase::Checking && is_quorum(weigh(false) - weigh(true), weigh(false))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nobody_honest_is_slashed_whatever_committee_is_drawn(world in world()) {
        match world.play().1 {
            Outcome::Settled { wrong, checkers, .. } => {
                prop_assert!(wrong.iter().all(|account| !world.is_honest(*account)));
                prop_assert!(!checkers.is_empty());
            }
            Outcome::Refused { .. } => prop_assert!(!world.is_honest(0)),
            Outcome::Unresolved => {}
        }
    }

    #[test]
    fn no_wrong_result_settles(world in world()) {
        let (claim, end) = world.play();
        if world.claimed != TRUTH && !world.is_captured(&claim) {
            // Every honest member has answered, so it is even refused.
            prop_assert!(matches!(end, Outcome::Refused { .. }), "{:?}", end);
        }
    }

    #[test]
    fn honest_claim_settles_when_all_honest_answer(world in world()) {
        // The executor's word alone never settles: somebody honest must be there to check.
        if world.claimed == TRUTH && (1..world.members.len()).any(|other| world.is_honest(other as u64)) {
            let end = world.play().1;
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
fn claim_is_refused_when_nobody_could_check() {
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
    let opening = || ClaimInput::Opened {
        job: &JOB,
        secret: &TRUTH.secret,
    };
    assert_eq!(claim.step(opening()), Err(ClaimRefusal::NoQuorum));
}

#[test]
fn claim_is_widened_when_a_quorum_of_the_committee_is_out_of_reach() {
    let mut claim = claim(&[10; 9], CommitteeRule::Drawn { size: 3 }).unwrap();
    assert_eq!(claim.step(ClaimInput::Deadline), Err(ClaimRefusal::NotDrawn));
    assert_eq!(claim.step(ClaimInput::Randomness(H256::zero())), Ok(Transition::Stay));
    assert_eq!(claim.step(ClaimInput::Randomness(H256::zero())), Ok(Transition::Drawn));
    assert_eq!(
        claim.step(ClaimInput::Randomness(H256::zero())),
        Err(ClaimRefusal::Drawn)
    );
    assert_eq!(claim.asked().count(), 3);
    let member = *claim.silent().next().unwrap();
    let unable = ClaimInput::Answered {
        member: &member,
        answer: Answer::Unable(JobFailure::Busy),
    };
    assert_eq!(claim.step(unable), Ok(Transition::Widened));
    assert_eq!(claim.asked().count(), 9);
}

#[test]
fn claim_is_unresolved_at_once_when_nothing_can_reach_a_quorum() {
    let mut claim = claim(&[10; 3], CommitteeRule::Everyone).unwrap();
    let unable = Answer::Unable(JobFailure::BlobUnavailable);
    assert_eq!(
        claim.step(ClaimInput::Answered {
            member: &1,
            answer: unable
        }),
        Ok(Transition::Stay)
    );
    let next = claim.step(ClaimInput::Answered {
        member: &2,
        answer: unable,
    });
    assert_eq!(next, Ok(Transition::Ended(Outcome::Unresolved)));
}
