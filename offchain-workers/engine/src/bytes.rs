// SPDX-License-Identifier: Apache-2.0
//! Little-endian bytes of binary32 values.

/// Appends the 4 little-endian bytes of each value to `bytes`.
pub fn extend_le_bytes(bytes: &mut Vec<u8>, values: &[f32]) {
    let start = bytes.len();
    // Copying into reserved space vectorises, appending value by value does not.
    bytes.resize(start + 4 * values.len(), 0);
    for (to, value) in bytes[start..].chunks_exact_mut(4).zip(values) {
        to.copy_from_slice(&value.to_le_bytes());
    }
}

/// Returns the 4 little-endian bytes of each value.
pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * values.len());
    extend_le_bytes(&mut bytes, values);
    bytes
}

/// Appends the values of little-endian `bytes` to `values`; a remainder of fewer than 4 bytes is ignored.
pub fn extend_from_le_bytes(values: &mut Vec<f32>, bytes: &[u8]) {
    values.extend(
        bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_bytes_and_a_remainder_is_ignored() {
        let mut bytes = le_bytes(&[1.0, -0.0]);
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x80]);
        bytes.push(1);
        let mut values = vec![3.0];
        extend_from_le_bytes(&mut values, &bytes);
        assert_eq!(
            values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            [3.0f32, 1.0, -0.0].map(f32::to_bits)
        );
    }
}
