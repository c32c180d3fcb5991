// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one each for sessions, slashing and eligibility.

mod bond;
mod bond_extra;
mod chill;
mod eligibility;
mod rejoin;
mod sessions;
mod slashing;
mod unbond;
mod withdraw_unbonded;
