// SPDX-License-Identifier: Apache-2.0
//! How a fee is split. Pure arithmetic: no storage, no accounts of a chain.
//!
//! | part | goes to |
//! |---|---|
//! | executor | who answered, and everything that rounding leaves over |
//! | checkers | those whose receipts opened, equally; without any to the executor |
//! | holders | the model's pot, for its holders |
//! | contributors | the datasets of the version's lineage, equally, and in each by weight; without any to the holders |
//! | treasury | the treasury |

use agorai_primitives::Balance;
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;
use sp_runtime::{PerThing, Perbill};

/// The parts of a fee. Together they are the whole; what is left after the others is the executor's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct FeeShares {
    /// Of the executor.
    pub executor: Perbill,
    /// Of the checkers together.
    pub checkers: Perbill,
    /// Of the model's holders together.
    pub holders: Perbill,
    /// Of the contributors of its data together.
    pub contributors: Perbill,
    /// Of the treasury.
    pub treasury: Perbill,
}

impl FeeShares {
    /// Half to the executor, a fifth each to checkers and holders, a twentieth each to data and treasury.
    pub const USUAL: Self = Self {
        executor: Perbill::from_percent(50),
        checkers: Perbill::from_percent(20),
        holders: Perbill::from_percent(20),
        contributors: Perbill::from_percent(5),
        treasury: Perbill::from_percent(5),
    };

    /// Whether the parts are the whole.
    pub fn is_whole(&self) -> bool {
        let parts = [
            self.executor,
            self.checkers,
            self.holders,
            self.contributors,
            self.treasury,
        ];
        let sum: u64 = parts.iter().map(|part| u64::from(part.deconstruct())).sum();
        sum == u64::from(Perbill::ACCURACY)
    }
}

/// As what somebody is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The executor.
    Executor,
    /// A checker.
    Checker,
    /// The holders, by their model's pot.
    Holders,
    /// A contributor of data.
    Contributor,
    /// The treasury.
    Treasury,
}

/// What was paid, by role.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct FeeSplit {
    /// To the executor.
    pub executor: Balance,
    /// To the checkers together.
    pub checkers: Balance,
    /// To the model's holders together.
    pub holders: Balance,
    /// To the contributors of its data together.
    pub contributors: Balance,
    /// To the treasury.
    pub treasury: Balance,
}

impl FeeSplit {
    /// Adds a payment.
    pub fn add(&mut self, role: Role, amount: Balance) {
        let part = match role {
            Role::Executor => &mut self.executor,
            Role::Checker => &mut self.checkers,
            Role::Holders => &mut self.holders,
            Role::Contributor => &mut self.contributors,
            Role::Treasury => &mut self.treasury,
        };
        *part = part.saturating_add(amount);
    }

    /// All of it.
    pub fn total(&self) -> Balance {
        [
            self.executor,
            self.checkers,
            self.holders,
            self.contributors,
            self.treasury,
        ]
        .into_iter()
        .fold(0, Balance::saturating_add)
    }
}

/// Who has a part in a fee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parties<AccountId> {
    /// Who answered.
    pub executor: AccountId,
    /// Who checked.
    pub checkers: Vec<AccountId>,
    /// The model's pot.
    pub pot: AccountId,
    /// For each dataset of the lineage its contributors and their weights.
    pub datasets: Vec<Vec<(AccountId, u32)>>,
    /// The treasury.
    pub treasury: AccountId,
}

/// A payment out of a fee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment<AccountId> {
    /// As what.
    pub role: Role,
    /// To whom.
    pub to: AccountId,
    /// How much; never zero.
    pub amount: Balance,
}

/// All payments of a fee. They add up to it exactly; nobody is paid twice in one role.
pub fn payments<AccountId: Clone + Ord>(
    fee: Balance,
    shares: &FeeShares,
    parties: &Parties<AccountId>,
) -> Vec<Payment<AccountId>> {
    let mut paid = Vec::new();
    let mut pay = |role, to: &AccountId, amount: Balance| {
        if amount > 0 {
            paid.push(Payment {
                role,
                to: to.clone(),
                amount,
            });
        }
    };
    let mut left = fee;
    // No part is larger than what is left, also if a runtime's shares were more than the whole.
    let mut take = |part: Perbill| {
        let amount = part.mul_floor(fee).min(left);
        left = left.saturating_sub(amount);
        amount
    };
    let treasury = take(shares.treasury);
    let checkers = take(shares.checkers);
    let data = take(shares.contributors);
    let holders = take(shares.holders);

    let mut dust = 0;
    let each = checkers.checked_div(parties.checkers.len() as Balance).unwrap_or(0);
    for checker in &parties.checkers {
        pay(Role::Checker, checker, each);
        dust = Balance::saturating_add(dust, each);
    }
    let mut rest = left.saturating_add(checkers.saturating_sub(dust));

    let by_account = by_weight(data, &parties.datasets);
    let mut holders = holders;
    match &by_account {
        Some(amounts) => {
            let mut given: Balance = 0;
            for (contributor, amount) in amounts {
                pay(Role::Contributor, contributor, *amount);
                given = given.saturating_add(*amount);
            }
            rest = rest.saturating_add(data.saturating_sub(given));
        }
        None => holders = holders.saturating_add(data),
    }
    pay(Role::Holders, &parties.pot, holders);
    pay(Role::Treasury, &parties.treasury, treasury);
    pay(Role::Executor, &parties.executor, rest);
    paid
}

/// `amount` over datasets equally and within each by weight, added up by account and rounded down;
/// `None` where nobody has a weight. A dataset without a weight is left out.
fn by_weight<AccountId: Clone + Ord>(
    amount: Balance,
    datasets: &[Vec<(AccountId, u32)>],
) -> Option<BTreeMap<AccountId, Balance>> {
    let weight = |dataset: &Vec<(AccountId, u32)>| -> u64 {
        dataset
            .iter()
            .fold(0, |sum, (_, weight)| sum.saturating_add((*weight).into()))
    };
    let count = datasets.iter().filter(|dataset| weight(dataset) > 0).count();
    let each = amount.checked_div(count as Balance)?;
    let mut sums = BTreeMap::new();
    for dataset in datasets {
        let total = weight(dataset);
        for (account, weight) in dataset {
            let part = part_of(each, (*weight).into(), total);
            let sum: &mut Balance = sums.entry(account.clone()).or_default();
            *sum = sum.saturating_add(part);
        }
    }
    Some(sums)
}

/// `floor(amount * weight / total)`; 0 for a total of 0.
fn part_of(amount: Balance, weight: u64, total: u64) -> Balance {
    // A balance times a weight of 64 bits always fits into 256.
    U256::from(amount)
        .saturating_mul(weight.into())
        .checked_div(total.into())
        .and_then(|part| part.try_into().ok())
        .unwrap_or(0)
}

/// `most` of `all`, in a ring from place `start` on: who pays out to few at a time, and starts one place
/// further each time, pays out to all alike.
pub fn in_turn<Item: Clone>(all: &[Item], start: u64, most: usize) -> Vec<Item> {
    let Some(start) = start.checked_rem(all.len() as u64) else {
        return Vec::new();
    };
    all.iter()
        .cycle()
        .skip(start as usize)
        .take(most.min(all.len()))
        .cloned()
        .collect()
}
