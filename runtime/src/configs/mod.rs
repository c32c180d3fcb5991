// SPDX-License-Identifier: Apache-2.0
//! Configuration of each pallet.
//!
//! | file | concern |
//! |---|---|
//! | `system` | blocks, their limits, and creation of transactions |
//! | `consensus` | BABE, GRANDPA, sessions, offences, authority discovery |
//! | `validators` | bonds and slashing |
//! | `models` | datasets and models |
//! | `jobs` | verification, inference, training |
//! | `money` | balances and fees |
//! | `utilities` | batches, proxies, multisigs, preimages, the scheduler |

mod consensus;
mod jobs;
mod models;
mod money;
mod system;
mod utilities;
mod validators;

pub use consensus::MaxAuthorities;
pub use system::{RuntimeBlockLength, RuntimeBlockWeights};
