// SPDX-License-Identifier: Apache-2.0
mod collect;
mod create;
mod promote;
mod retire;
mod set_price;
mod trained;
mod transfer_shares;
