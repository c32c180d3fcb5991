// SPDX-License-Identifier: Apache-2.0
//! The operations of a block that a trace covers or reveals.

use crate::config::ModelConfig;
use std::ops::Range;

/// An operation of a block whose result at a position is traced, in the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Rotated queries.
    Query,
    /// Rotated keys.
    Key,
    /// Values.
    Value,
    /// The weighted sums of the values.
    Attended,
    /// The residual stream after attention.
    Middle,
    /// `activation(gate) * up`.
    Gated,
    /// The residual stream after the block.
    Out,
}

impl Operation {
    /// The outputs of a block at a position, which its leaf of the trace covers: keys and values are read by later
    /// positions, the residual stream by the next block. The other operations follow from the outputs of other leaves.
    pub const OUTPUTS: [Operation; 3] = [Operation::Key, Operation::Value, Operation::Out];

    /// All operations, in order.
    pub const ALL: [Operation; 7] = [
        Operation::Query,
        Operation::Key,
        Operation::Value,
        Operation::Attended,
        Operation::Middle,
        Operation::Gated,
        Operation::Out,
    ];

    /// Returns the range of this operation's elements among the rows of all operations, one after the other.
    pub fn elements(self, config: &ModelConfig) -> Range<usize> {
        let width = |operation: Operation| match operation {
            Operation::Query | Operation::Attended => config.query_width(),
            Operation::Key | Operation::Value => config.key_width(),
            Operation::Middle | Operation::Out => config.dim,
            Operation::Gated => config.ff,
        };
        let before = Operation::ALL.iter().take_while(|other| **other != self);
        let first: usize = before.map(|other| width(*other)).sum();
        first..first + width(self)
    }

    /// Selects the bytes of the outputs from the bytes of the rows of all operations, little-endian binary32. A leaf
    /// that covers other bytes does not belong to these operations. Returns `None` if `operations` has another length
    /// than these rows.
    pub fn outputs(config: &ModelConfig, operations: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        if operations.len() != 4 * Operation::Out.elements(config).end {
            return None;
        }
        for operation in Self::OUTPUTS {
            let elements = operation.elements(config);
            bytes.extend_from_slice(operations.get(4 * elements.start..4 * elements.end)?);
        }
        Some(bytes)
    }
}
