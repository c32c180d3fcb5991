// SPDX-License-Identifier: Apache-2.0
//! Packed integers of a fixed number of bits, lowest bit first, padded with zeros to whole bytes.

/// Returns the bytes of `count` numbers of `bits` bits.
pub fn bytes(count: usize, bits: u32) -> usize {
    (count * bits as usize).div_ceil(8)
}

/// Appends numbers, each below 2^bits; `bits` at most 16.
pub fn write(out: &mut Vec<u8>, bits: u32, numbers: impl IntoIterator<Item = u32>) {
    let (mut pending, mut held) = (0u32, 0u32);
    for number in numbers {
        pending |= number << held;
        held += bits;
        while held >= 8 {
            out.push(pending as u8);
            pending >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(pending as u8);
    }
}

/// Reads `count` numbers from the bytes that [`write()`] appends. Returns `None` if the length differs or a padding bit
/// is set.
pub fn read(from: &[u8], bits: u32, count: usize) -> Option<Vec<u32>> {
    if from.len() != bytes(count, bits) {
        return None;
    }
    let mut numbers = Vec::with_capacity(count);
    let (mut pending, mut held) = (0u32, 0u32);
    for byte in from {
        pending |= u32::from(*byte) << held;
        held += 8;
        while held >= bits && numbers.len() < count {
            numbers.push(pending & ((1 << bits) - 1));
            pending >>= bits;
            held -= bits;
        }
    }
    (numbers.len() == count && pending == 0).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive_packing(bits in 1u32..=16, raw in prop::collection::vec(any::<u16>(), 0..50)) {
            let numbers: Vec<u32> = raw.iter().map(|n| u32::from(*n) & ((1 << bits) - 1)).collect();
            let mut out = Vec::new();
            write(&mut out, bits, numbers.iter().copied());
            prop_assert_eq!(read(&out, bits, numbers.len()), Some(numbers));
        }
    }

    #[test]
    fn padding_must_be_zero() {
        assert_eq!(read(&[0b0000_0001], 2, 3), Some(vec![1, 0, 0]));
        assert_eq!(read(&[0b1000_0001], 2, 3), None);
        assert_eq!(read(&[0, 0], 2, 3), None);
    }
}
