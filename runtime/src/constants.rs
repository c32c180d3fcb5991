// SPDX-License-Identifier: Apache-2.0
//! Units of the currency and of time, and the treasury account.

use crate::AccountId;
use agorai_primitives::{Balance, BlockNumber, SessionIndex};
use frame_support::PalletId;
use sp_runtime::traits::AccountIdConversion;

/// Identifier of the treasury account.
const TREASURY: PalletId = PalletId(*b"agora/ty");

frame_support::parameter_types! {
    /// The account that receives slashes, dust and the treasury's share of fees.
    pub TreasuryAccount: AccountId = TREASURY.into_account_truncating();
}

/// One token in the smallest unit: 12 decimals.
pub const UNIT: Balance = 1_000_000_000_000;
/// A thousandth of a token.
pub const MILLI: Balance = UNIT / 1_000;
/// A millionth of a token.
pub const MICRO: Balance = UNIT / 1_000_000;
/// Minimum balance of an account.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI;

/// Returns the deposit for a number of storage items and bytes.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
    items as Balance * 100 * MILLI + bytes as Balance * MILLI
}

/// Duration of a slot, which is the block time, in milliseconds.
pub const SLOT_MILLIS: u64 = 3_000;
/// Number of slots of an epoch, which is a session: two minutes.
pub const EPOCH_SLOTS: u32 = 40;

/// Number of blocks in a minute.
pub const MINUTES: BlockNumber = 60_000 / SLOT_MILLIS as BlockNumber;
/// Number of blocks in an hour.
pub const HOURS: BlockNumber = 60 * MINUTES;

/// Number of sessions in which an offence can be reported: 24 hours.
pub const REPORTING_SESSIONS: SessionIndex = 24 * HOURS / EPOCH_SLOTS;
/// Number of sessions between unbonding and withdrawal: 25 hours, longer than an offence can be reported.
pub const UNBONDING_SESSIONS: SessionIndex = 25 * HOURS / EPOCH_SLOTS;
/// Number of sessions for which a slashed validator is chilled: one hour.
pub const CHILL_SESSIONS: SessionIndex = HOURS / EPOCH_SLOTS;
