// SPDX-License-Identifier: Apache-2.0
//! One file per call.

mod publish;
mod withdraw;
