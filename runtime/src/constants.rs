// SPDX-License-Identifier: Apache-2.0
//! Units of money and time.

use agorai_primitives::{Balance, BlockNumber, SessionIndex};

/// One token, with 12 decimals.
pub const UNIT: Balance = 1_000_000_000_000;
/// A thousandth of a token.
pub const MILLI: Balance = UNIT / 1_000;
/// A millionth of a token.
pub const MICRO: Balance = UNIT / 1_000_000;
/// The least that an account must own.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLI;

/// What is held for so many items and bytes that a call puts on the chain.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
    items as Balance * 100 * MILLI + bytes as Balance * MILLI
}

/// A slot, and so the time between two blocks, in milliseconds.
pub const SLOT_MILLIS: u64 = 3_000;
/// Slots of an epoch, which is a session: two minutes.
pub const EPOCH_SLOTS: u32 = 40;

/// A minute in blocks.
pub const MINUTES: BlockNumber = 60_000 / SLOT_MILLIS as BlockNumber;
/// An hour in blocks.
pub const HOURS: BlockNumber = 60 * MINUTES;

/// Sessions during which an offence can be reported: 24 hours.
pub const REPORTING_SESSIONS: SessionIndex = 24 * HOURS / EPOCH_SLOTS;
/// Sessions between leaving and withdrawing a bond: 25 hours, longer than what can be reported.
pub const UNBONDING_SESSIONS: SessionIndex = 25 * HOURS / EPOCH_SLOTS;
/// Sessions that a slashed validator stays out: one hour.
pub const CHILL_SESSIONS: SessionIndex = HOURS / EPOCH_SLOTS;
