// SPDX-License-Identifier: Apache-2.0
//! Income per share in O(1), exact: no income is lost to rounding, and nobody gains by it.
//!
//! Every income raises one number, what a share has earned since the beginning; a holder's part is
//! settled when its number of shares changes or it collects ("scalable reward distribution", Batog,
//! Boca and Johnson, 2018). Amounts are kept in units of 2^-64 of the smallest unit of the token,
//! and what does not divide by the number of shares is carried to the next income, so that at any
//! time
//!
//! ```text
//! sum over holders of (settled + shares * (earned - seen)) + carry = (income - collected) * 2^64
//! ```

use agorai_primitives::Balance;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;

/// Fractions of the smallest unit of the token: 2^64.
pub const FRACTION_BITS: usize = 64;

/// What a share ledger refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SharesError {
    /// The holder has fewer shares than that.
    TooFewShares,
    /// A sum is beyond what the ledger counts.
    Overflow,
}

/// The shares of a model and what one of them has earned.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Ledger {
    /// Shares that exist.
    pub issued: Balance,
    /// All income since the beginning, in the smallest unit of the token.
    pub income: Balance,
    /// What has been collected of it.
    pub collected: Balance,
    /// Number of holders.
    pub holders: u32,
    earned: U256,
    carry: U256,
}

/// The shares of one holder.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Holding {
    /// How many.
    pub shares: Balance,
    seen: U256,
    settled: U256,
}

impl Holding {
    /// Whether nothing would be lost if it were forgotten.
    pub fn is_empty(&self) -> bool {
        self.shares == 0 && self.settled.is_zero()
    }
}

impl Ledger {
    /// Shares `amount` out among all shares.
    pub fn accrue(&mut self, amount: Balance) -> Result<(), SharesError> {
        let income = self.income.checked_add(amount).ok_or(SharesError::Overflow)?;
        // At most (2^128 - 1) * 2^64 in all, because the sum of incomes fits 128 bits.
        let units = self.carry.saturating_add(U256::from(amount) << FRACTION_BITS);
        let (each, carry) = match self.issued {
            0 => (U256::zero(), units),
            issued => units.div_mod(U256::from(issued)),
        };
        self.earned = self.earned.saturating_add(each);
        self.carry = carry;
        self.income = income;
        Ok(())
    }

    /// Makes new shares. They earn from now on.
    pub fn issue(&mut self, to: &mut Holding, amount: Balance) -> Result<(), SharesError> {
        let issued = self.issued.checked_add(amount).ok_or(SharesError::Overflow)?;
        self.settle(to);
        // Cannot overflow: it is a part of `issued`.
        to.shares = to.shares.saturating_add(amount);
        self.issued = issued;
        Ok(())
    }

    /// Moves shares. What they have earned so far stays with the giver.
    pub fn transfer(&self, from: &mut Holding, to: &mut Holding, amount: Balance) -> Result<(), SharesError> {
        let rest = from.shares.checked_sub(amount).ok_or(SharesError::TooFewShares)?;
        self.settle(from);
        self.settle(to);
        from.shares = rest;
        to.shares = to.shares.saturating_add(amount);
        Ok(())
    }

    /// Takes what a holder may collect, in whole units of the token; the fraction stays its own.
    pub fn collect(&mut self, holding: &mut Holding) -> Balance {
        self.settle(holding);
        // Whole units fit 128 bits, because the sum of incomes does.
        let amount = (holding.settled >> FRACTION_BITS).low_u128();
        holding.settled = holding.settled.saturating_sub(U256::from(amount) << FRACTION_BITS);
        self.collected = self.collected.saturating_add(amount);
        amount
    }

    /// What a holder could collect now, in whole units of the token.
    pub fn collectable(&self, holding: &Holding) -> Balance {
        (self.owed(holding) >> FRACTION_BITS).low_u128()
    }

    /// What a holder is owed, in units of 2^-64.
    pub fn owed(&self, holding: &Holding) -> U256 {
        let since = self.earned.saturating_sub(holding.seen);
        holding
            .settled
            .saturating_add(since.saturating_mul(U256::from(holding.shares)))
    }

    /// What waits for the next income, in units of 2^-64: after an income, less than one per share.
    pub fn carry(&self) -> U256 {
        self.carry
    }

    fn settle(&self, holding: &mut Holding) {
        holding.settled = self.owed(holding);
        holding.seen = self.earned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOLDERS: usize = 5;

    #[derive(Clone, Debug)]
    enum Step {
        Accrue(Balance),
        Issue(usize, Balance),
        Transfer(usize, usize, Balance),
        Collect(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let holder = 0..HOLDERS;
        prop_oneof![
            (0u128..1 << 100).prop_map(Step::Accrue),
            (0u128..1000).prop_map(Step::Accrue),
            (holder.clone(), 1u128..1 << 90).prop_map(|(to, n)| Step::Issue(to, n)),
            (holder.clone(), 1u128..50).prop_map(|(to, n)| Step::Issue(to, n)),
            (holder.clone(), 1..HOLDERS, 0u128..1 << 90).prop_map(|(from, by, n)| Step::Transfer(
                from,
                (from + by) % HOLDERS,
                n
            )),
            holder.prop_map(Step::Collect),
        ]
    }

    proptest! {
        #[test]
        fn every_fraction_of_income_is_owed_carried_or_collected(
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut ledger = Ledger::default();
            let mut holdings = [Holding::default(); HOLDERS];
            for step in steps {
                let owed_before = holdings.map(|holding| ledger.owed(&holding));
                match step {
                    Step::Accrue(amount) => ledger.accrue(amount).unwrap(),
                    Step::Issue(to, amount) => ledger.issue(&mut holdings[to], amount).unwrap(),
                    Step::Transfer(from, to, amount) => {
                        let (mut a, mut b) = (holdings[from], holdings[to]);
                        let enough = a.shares >= amount;
                        let moved = ledger.transfer(&mut a, &mut b, amount);
                        prop_assert_eq!(moved.is_ok(), enough);
                        (holdings[from], holdings[to]) = (a, b);
                    }
                    Step::Collect(who) => {
                        let may = ledger.collectable(&holdings[who]);
                        prop_assert_eq!(ledger.collect(&mut holdings[who]), may);
                    }
                }
                // Nobody loses by what another does.
                if matches!(step, Step::Accrue(_)) && ledger.issued > 0 {
                    prop_assert!(ledger.carry() < U256::from(ledger.issued));
                }
                if !matches!(step, Step::Collect(_)) {
                    for (holding, before) in holdings.iter().zip(owed_before) {
                        prop_assert!(ledger.owed(holding) >= before);
                    }
                }
                let shares: Balance = holdings.iter().map(|holding| holding.shares).sum();
                prop_assert_eq!(shares, ledger.issued);
                let owed = holdings
                    .iter()
                    .fold(ledger.carry(), |sum, holding| sum + ledger.owed(holding));
                let left = U256::from(ledger.income - ledger.collected) << FRACTION_BITS;
                prop_assert_eq!(owed, left);
            }
        }

        #[test]
        fn income_is_in_proportion_to_shares(a in 1u128..1 << 40, b in 1u128..1 << 40, income in 0u128..1 << 80) {
            let mut ledger = Ledger::default();
            let [mut first, mut second] = [Holding::default(); 2];
            ledger.issue(&mut first, a).unwrap();
            ledger.issue(&mut second, b).unwrap();
            ledger.accrue(income).unwrap();
            let fair = (U256::from(income) * U256::from(a) / U256::from(a + b)).low_u128();
            let got = ledger.collect(&mut first);
            prop_assert!(got == fair || got + 1 == fair, "{got} of a fair {fair}");
            prop_assert!(got + ledger.collect(&mut second) <= income);
        }
    }

    #[test]
    fn income_waits_while_there_are_no_shares() {
        let mut ledger = Ledger::default();
        let mut holding = Holding::default();
        ledger.accrue(10).unwrap();
        ledger.issue(&mut holding, 4).unwrap();
        assert_eq!(ledger.collectable(&holding), 0);
        ledger.accrue(6).unwrap();
        assert_eq!(ledger.collect(&mut holding), 16);
        assert_eq!(ledger.collect(&mut holding), 0);
    }

    #[test]
    fn ledger_refuses_what_it_cannot_count() {
        let mut ledger = Ledger::default();
        let mut holding = Holding::default();
        ledger.issue(&mut holding, Balance::MAX).unwrap();
        assert_eq!(ledger.issue(&mut holding, 1), Err(SharesError::Overflow));
        ledger.accrue(Balance::MAX).unwrap();
        assert_eq!(ledger.accrue(1), Err(SharesError::Overflow));
        assert_eq!(ledger.collect(&mut holding), Balance::MAX);
    }
}
