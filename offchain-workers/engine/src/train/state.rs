// SPDX-License-Identifier: Apache-2.0
//! The state of training between two inner steps, and its encoding.
//!
//! The moments of AdamW start at zero in every round: a worker need not store them between rounds, and a round depends
//! on the base weights only.

use crate::bytes::{extend_from_le_bytes, extend_le_bytes};

const MAGIC: &[u8; 16] = b"agorai/state/1\0\0";
const HEADER: usize = MAGIC.len() + 4;

/// Parameters, optimiser moments and the number of inner steps of the round. `R`: the type that stores the values,
/// during training a backend's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct State<R = Vec<f32>> {
    /// The parameters.
    pub values: R,
    /// AdamW's first moments.
    pub first: R,
    /// AdamW's second moments.
    pub second: R,
    /// Number of completed inner steps.
    pub step: u32,
}

impl State {
    /// Returns the state at the start of a round.
    pub fn start(values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self {
            first: zeros.clone(),
            second: zeros,
            values,
            step: 0,
        }
    }

    /// Encodes the state: magic, step, parameters, first and second moments.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + 12 * self.values.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.step.to_le_bytes());
        for part in [&self.values, &self.first, &self.second] {
            extend_le_bytes(&mut bytes, part);
        }
        bytes
    }

    /// Decodes an untrusted state of `parameters` parameters after `step` steps. Returns `None` if the bytes are
    /// malformed or contain a value that is not finite.
    pub fn from_bytes(parameters: usize, step: u32, bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER)?;
        if !header.starts_with(MAGIC)
            || header[MAGIC.len()..] != step.to_le_bytes()
            || body.len() != parameters.checked_mul(12)?
        {
            return None;
        }
        let part = |index: usize| {
            let mut values = Vec::with_capacity(parameters);
            extend_from_le_bytes(&mut values, &body[4 * index * parameters..][..4 * parameters]);
            values.iter().all(|value| value.is_finite()).then_some(values)
        };
        Some(Self {
            values: part(0)?,
            first: part(1)?,
            second: part(2)?,
            step,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_survives_bytes_and_damage_is_refused() {
        let state = State {
            values: vec![1.0, -0.0],
            first: vec![0.5, 2.0],
            second: vec![3.0, 4.0],
            step: 7,
        };
        let bytes = state.to_bytes();
        assert_eq!(State::from_bytes(2, 7, &bytes), Some(state));
        assert_eq!(State::from_bytes(2, 8, &bytes), None);
        assert_eq!(State::from_bytes(3, 7, &bytes), None);
        assert_eq!(State::from_bytes(2, 7, &bytes[1..]), None);
        assert_eq!(State::from_bytes(2, 7, &[]), None);
        let mut nan = bytes.clone();
        nan[HEADER..HEADER + 4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert_eq!(State::from_bytes(2, 7, &nan), None);
    }
}
