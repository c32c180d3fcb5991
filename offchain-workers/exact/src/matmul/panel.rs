// SPDX-License-Identifier: Apache-2.0
//! The layout of packed weights.

/// The number of columns of a panel.
pub const PANEL: usize = 32;
