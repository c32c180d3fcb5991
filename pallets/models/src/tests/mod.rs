// SPDX-License-Identifier: Apache-2.0
//! One file per call, and one for the interface to other pallets.

mod collect;
mod create;
mod promote;
mod registry;
mod retire;
mod roll_back;
mod set_price;
mod transfer_shares;
