// SPDX-License-Identifier: Apache-2.0
//! How each pallet is set up.
//!
//! | file | concern |
//! |---|---|
//! | `system` | blocks, their limits, and how transactions are made |
//! | `consensus` | BABE, GRANDPA, sessions, offences, authority discovery |
//! | `validators` | bonds and slashing |
//! | `models` | datasets and models |
//! | `jobs` | inference, training, and the verification of both |
//! | `money` | balances, fees, the treasury's account |
//! | `utilities` | batches, proxies, multisigs, preimages, the scheduler |

mod consensus;
mod jobs;
mod models;
mod money;
mod system;
mod utilities;
mod validators;

pub use consensus::MaxAuthorities;
pub use money::TreasuryAccount;
pub use system::{RuntimeBlockLength, RuntimeBlockWeights};
