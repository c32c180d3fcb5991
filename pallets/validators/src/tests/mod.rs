// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one per thing that happens without a call.

mod bond;
mod bond_extra;
mod chill;
mod eligibility;
mod rejoin;
mod sessions;
mod slashing;
mod unbond;
mod withdraw_unbonded;
