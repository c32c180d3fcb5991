// SPDX-License-Identifier: Apache-2.0
//! Panels: the layout of packed weights.

/// The columns of a panel.
pub const PANEL: usize = 32;
