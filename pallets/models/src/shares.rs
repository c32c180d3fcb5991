// SPDX-License-Identifier: Apache-2.0
//! The share ledger of a model: distributes income over all shares in O(1) without rounding losses.
//!
//! Each income increases one number, the cumulative earnings per share. A holder's part is computed when its number of
//! shares changes or when it collects ("Scalable Reward Distribution on the Ethereum Blockchain", Batog, Boca and
//! Johnson, 2018). Amounts are in units of 2^-64 planck. The remainder of the division by the number of shares is
//! carried to the next income. Hence at any time
//!
//! ```text
//! sum over holders of (settled + shares * (earned - seen)) + carry = (income - collected) * 2^64
//! ```

use agorai_primitives::Balance;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::PalletError;
use scale_info::TypeInfo;
use sp_core::U256;

/// Number of fractional bits of the ledger's amounts: one planck is 2^64 units.
pub const FRACTION_BITS: usize = 64;

/// Why the ledger refuses an operation.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, PalletError,
)]
#[scale_info(capture_docs = "always")]
pub enum SharesError {
    /// The holder has fewer shares than the amount.
    TooFewShares,
    /// The number of shares or the sum of incomes would exceed 128 bits.
    Overflow,
}

/// The number of shares of a model and the cumulative earnings of one share.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Ledger {
    /// Number of shares issued.
    pub issued: Balance,
    /// Income of all time, in plancks.
    pub income: Balance,
    /// The part of the income that holders have collected, in plancks.
    pub collected: Balance,
    /// Number of holders.
    pub holders: u32,
    /// Earnings of one share of all time, in units of 2^-64 planck.
    earned: U256,
    /// Income not distributed yet, in units of 2^-64 planck.
    carry: U256,
}

/// The shares of one holder.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Holding {
    /// Number of shares.
    pub shares: Balance,
    /// The ledger's `earned` when this holding was last settled.
    seen: U256,
    /// Income that the holder has not collected, as of `seen`, in units of 2^-64 planck.
    settled: U256,
}

impl Holding {
    /// Whether the holding has neither shares nor income, so that it can be removed.
    pub fn is_empty(&self) -> bool {
        self.shares == 0 && self.settled.is_zero()
    }
}

impl Ledger {
    /// Distributes an income of `amount` plancks over all shares. Without shares, the income is carried.
    pub fn accrue(&mut self, amount: Balance) -> Result<(), SharesError> {
        let income = self.income.checked_add(amount).ok_or(SharesError::Overflow)?;
        // Does not saturate: the sum of incomes fits into 128 bits, hence all units fit into 192.
        let units = self.carry.saturating_add(U256::from(amount) << FRACTION_BITS);
        let (per_share, carry) = match self.issued {
            0 => (U256::zero(), units),
            issued => units.div_mod(U256::from(issued)),
        };
        self.earned = self.earned.saturating_add(per_share);
        self.carry = carry;
        self.income = income;
        Ok(())
    }

    /// Issues `amount` new shares to a holding. They earn from the next income.
    pub fn issue(&mut self, to: &mut Holding, amount: Balance) -> Result<(), SharesError> {
        let issued = self.issued.checked_add(amount).ok_or(SharesError::Overflow)?;
        self.settle(to);
        // Does not saturate: a holding is at most `issued`.
        to.shares = to.shares.saturating_add(amount);
        self.issued = issued;
        Ok(())
    }

    /// Moves `amount` shares between two holdings. `from` keeps the income that they have earned so far.
    pub fn transfer(&self, from: &mut Holding, to: &mut Holding, amount: Balance) -> Result<(), SharesError> {
        let rest = from.shares.checked_sub(amount).ok_or(SharesError::TooFewShares)?;
        self.settle(from);
        self.settle(to);
        from.shares = rest;
        to.shares = to.shares.saturating_add(amount);
        Ok(())
    }

    /// Removes the collectable income from a holding and returns it, in plancks. A fraction of a planck remains.
    pub fn collect(&mut self, holding: &mut Holding) -> Balance {
        self.settle(holding);
        // Fits: the sum of incomes in plancks fits into 128 bits.
        let amount = (holding.settled >> FRACTION_BITS).low_u128();
        holding.settled = holding.settled.saturating_sub(U256::from(amount) << FRACTION_BITS);
        self.collected = self.collected.saturating_add(amount);
        amount
    }

    /// The income that [`Self::collect`] would return now, in plancks.
    pub fn collectable(&self, holding: &Holding) -> Balance {
        (self.owed(holding) >> FRACTION_BITS).low_u128()
    }

    /// The income of a holding that has not been collected, in units of 2^-64 planck.
    pub fn owed(&self, holding: &Holding) -> U256 {
        let since = self.earned.saturating_sub(holding.seen);
        holding
            .settled
            .saturating_add(since.saturating_mul(U256::from(holding.shares)))
    }

    /// The income not distributed yet, in units of 2^-64 planck; after an income less than one unit per share.
    pub fn carry(&self) -> U256 {
        self.carry
    }

    /// Adds the earnings since the holding was last settled.
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
        fn all_income_is_owed_carried_or_collected(
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
                        let sufficient = a.shares >= amount;
                        let moved = ledger.transfer(&mut a, &mut b, amount);
                        prop_assert_eq!(moved.is_ok(), sufficient);
                        (holdings[from], holdings[to]) = (a, b);
                    }
                    Step::Collect(who) => {
                        let expected = ledger.collectable(&holdings[who]);
                        prop_assert_eq!(ledger.collect(&mut holdings[who]), expected);
                    }
                }
                // Less than one unit per share is carried.
                if matches!(step, Step::Accrue(_)) && ledger.issued > 0 {
                    prop_assert!(ledger.carry() < U256::from(ledger.issued));
                }
                // No operation reduces the income of a holding but its own collection.
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
        fn income_is_proportional_to_shares(a in 1u128..1 << 40, b in 1u128..1 << 40, income in 0u128..1 << 80) {
            let mut ledger = Ledger::default();
            let [mut first, mut second] = [Holding::default(); 2];
            ledger.issue(&mut first, a).unwrap();
            ledger.issue(&mut second, b).unwrap();
            ledger.accrue(income).unwrap();
            let exact = (U256::from(income) * U256::from(a) / U256::from(a + b)).low_u128();
            let collected = ledger.collect(&mut first);
            prop_assert!(collected == exact || collected + 1 == exact, "{collected}, exact {exact}");
            prop_assert!(collected + ledger.collect(&mut second) <= income);
        }
    }

    #[test]
    fn income_is_carried_while_there_are_no_shares() {
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
    fn ledger_refuses_sums_beyond_128_bits() {
        let mut ledger = Ledger::default();
        let mut holding = Holding::default();
        ledger.issue(&mut holding, Balance::MAX).unwrap();
        assert_eq!(ledger.issue(&mut holding, 1), Err(SharesError::Overflow));
        ledger.accrue(Balance::MAX).unwrap();
        assert_eq!(ledger.accrue(1), Err(SharesError::Overflow));
        assert_eq!(ledger.collect(&mut holding), Balance::MAX);
    }
}
