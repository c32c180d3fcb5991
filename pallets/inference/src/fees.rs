// SPDX-License-Identifier: Apache-2.0
//! How a fee is split. Pure arithmetic that does not access storage. Amounts are in plancks.
//!
//! | part | receivers |
//! |---|---|
//! | executor | the executor, who also receives the remainders of all divisions |
//! | checkers | the checkers whose receipts were valid, in equal parts; without checkers, the executor |
//! | holders | the model's pot, for its holders |
//! | contributors | the datasets of the version's lineage in equal parts, each split by its contributors' weights; without contributors, the holders |
//! | treasury | the treasury |

use agorai_primitives::Balance;
use alloc::{collections::BTreeMap, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;
use sp_runtime::{PerThing, Perbill};

/// The parts of a fee, which add up to 1. The executor receives what remains after the other parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct FeeShares {
    /// Part of the executor.
    pub executor: Perbill,
    /// Part of all checkers.
    pub checkers: Perbill,
    /// Part of all holders of the model.
    pub holders: Perbill,
    /// Part of all contributors of the model's data.
    pub contributors: Perbill,
    /// Part of the treasury.
    pub treasury: Perbill,
}

impl FeeShares {
    /// 50% for the executor, 20% each for checkers and holders, 5% each for contributors and treasury.
    pub const STANDARD: Self = Self {
        executor: Perbill::from_percent(50),
        checkers: Perbill::from_percent(20),
        holders: Perbill::from_percent(20),
        contributors: Perbill::from_percent(5),
        treasury: Perbill::from_percent(5),
    };

    /// Whether the parts add up to 1.
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

/// The role in which an account is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The executor.
    Executor,
    /// A checker.
    Checker,
    /// The holders of the model, through its pot.
    Holders,
    /// A contributor of the model's data.
    Contributor,
    /// The treasury.
    Treasury,
}

/// The payments of a fee by role, in plancks.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct FeeSplit {
    /// Paid to the executor.
    pub executor: Balance,
    /// Paid to all checkers.
    pub checkers: Balance,
    /// Paid to the model's pot, for its holders.
    pub holders: Balance,
    /// Paid to all contributors of the model's data.
    pub contributors: Balance,
    /// Paid to the treasury.
    pub treasury: Balance,
}

impl FeeSplit {
    /// Adds a payment of `amount` plancks.
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

    /// The sum of all payments.
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

/// The receivers of a fee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parties<AccountId> {
    /// The executor.
    pub executor: AccountId,
    /// The checkers whose receipts were valid.
    pub checkers: Vec<AccountId>,
    /// The account that receives the model's income.
    pub pot: AccountId,
    /// The contributors of each paid dataset, with their weights.
    pub datasets: Vec<Vec<(AccountId, u32)>>,
    /// The treasury.
    pub treasury: AccountId,
}

/// One payment from a fee.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment<AccountId> {
    /// The role in which the account is paid.
    pub role: Role,
    /// The account.
    pub to: AccountId,
    /// The amount in plancks; not zero.
    pub amount: Balance,
}

/// Splits a fee of `fee` plancks. The payments add up to exactly the fee; no account occurs twice in the same role.
pub fn payments<AccountId: Clone + Ord>(
    fee: Balance,
    shares: &FeeShares,
    parties: &Parties<AccountId>,
) -> Vec<Payment<AccountId>> {
    let mut all = Vec::new();
    let mut pay = |role, to: &AccountId, amount: Balance| {
        if amount > 0 {
            all.push(Payment {
                role,
                to: to.clone(),
                amount,
            });
        }
    };
    let mut unassigned = fee;
    // Limits each part to what is unassigned, in case a runtime's shares add up to more than 1.
    let mut reserve = |part: Perbill| {
        let amount = part.mul_floor(fee).min(unassigned);
        unassigned = unassigned.saturating_sub(amount);
        amount
    };
    let treasury = reserve(shares.treasury);
    let checkers = reserve(shares.checkers);
    let contributors = reserve(shares.contributors);
    let mut holders = reserve(shares.holders);

    let mut paid_to_checkers: Balance = 0;
    let per_checker = checkers.checked_div(parties.checkers.len() as Balance).unwrap_or(0);
    for checker in &parties.checkers {
        pay(Role::Checker, checker, per_checker);
        paid_to_checkers = paid_to_checkers.saturating_add(per_checker);
    }
    let mut executor = unassigned.saturating_add(checkers.saturating_sub(paid_to_checkers));

    match split_by_weight(contributors, &parties.datasets) {
        Some(amounts) => {
            let mut paid_to_contributors: Balance = 0;
            for (contributor, amount) in &amounts {
                pay(Role::Contributor, contributor, *amount);
                paid_to_contributors = paid_to_contributors.saturating_add(*amount);
            }
            executor = executor.saturating_add(contributors.saturating_sub(paid_to_contributors));
        }
        None => holders = holders.saturating_add(contributors),
    }
    pay(Role::Holders, &parties.pot, holders);
    pay(Role::Treasury, &parties.treasury, treasury);
    pay(Role::Executor, &parties.executor, executor);
    all
}

/// Splits `amount` into equal parts for the datasets and each part by its contributors' weights. Returns the amount of
/// each account, rounded down; `None` if all weights are zero. Datasets whose weights are all zero are skipped.
fn split_by_weight<AccountId: Clone + Ord>(
    amount: Balance,
    datasets: &[Vec<(AccountId, u32)>],
) -> Option<BTreeMap<AccountId, Balance>> {
    let total_weight = |dataset: &Vec<(AccountId, u32)>| -> u64 {
        dataset
            .iter()
            .fold(0, |sum, (_, weight)| sum.saturating_add((*weight).into()))
    };
    let count = datasets.iter().filter(|dataset| total_weight(dataset) > 0).count();
    let per_dataset = amount.checked_div(count as Balance)?;
    let mut sums = BTreeMap::new();
    for dataset in datasets {
        let total = total_weight(dataset);
        for (account, weight) in dataset {
            let part = proportion(per_dataset, (*weight).into(), total);
            let sum: &mut Balance = sums.entry(account.clone()).or_default();
            *sum = sum.saturating_add(part);
        }
    }
    Some(sums)
}

/// `floor(amount * weight / total)`; 0 if `total` is 0.
fn proportion(amount: Balance, weight: u64, total: u64) -> Balance {
    // Does not saturate: 128 bits times 64 bits fit into 256.
    U256::from(amount)
        .saturating_mul(weight.into())
        .checked_div(total.into())
        .and_then(|part| part.try_into().ok())
        .unwrap_or(0)
}

/// Up to `count` of `items`, cyclically from position `start` modulo their number. Calls with consecutive values of
/// `start` return each item equally often.
pub fn rotate<Item: Clone>(items: &[Item], start: u64, count: usize) -> Vec<Item> {
    let Some(start) = start.checked_rem(items.len() as u64) else {
        return Vec::new();
    };
    items
        .iter()
        .cycle()
        .skip(start as usize)
        .take(count.min(items.len()))
        .cloned()
        .collect()
}
