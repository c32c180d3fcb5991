// SPDX-License-Identifier: Apache-2.0
//! Chunks of a blob and their proofs.
//!
//! A *slice* is a chunk together with the hash pairs on its path from the root, in the pre-order of the Bao encoding
//! (<https://github.com/oconnor663/bao/blob/master/docs/spec.md>) with chunk groups of 1 MiB. The *outboard* consists
//! of all hash pairs above the groups: 64 bytes for every chunk but one.
//!
//! Only the **last** chunk proves the size that is sent with a slice: the hash of a leaf covers its position and
//! length, and the path to the last chunk takes the right child at every node. A fetch therefore starts with the last
//! chunk.

use agorai_primitives::{BlobId, CHUNK_BYTES};
use bao_tree::{
    io::{
        outboard::PreOrderMemOutboard,
        sync::{encode_ranges_validated, outboard, DecodeResponseIter},
        BaoContentItem,
    },
    BaoTree, BlockSize, ChunkNum, ChunkRanges,
};
use std::{fs::File, io};

/// Size of a BLAKE3 chunk in bytes.
const BLAKE3_CHUNK: u64 = 1024;
/// Chunk groups of 2^10 BLAKE3 chunks: 1 MiB.
const CHUNK_GROUP: BlockSize = BlockSize::from_chunk_log(10);
/// Maximum size of a blob in bytes, whatever the configuration. Keeps all arithmetic in range.
pub const MAX_BLOB_SIZE: u64 = 1 << 48;
/// Maximum size of a slice in bytes: a chunk and a path of 28 hash pairs, which suffices for [`MAX_BLOB_SIZE`].
pub const MAX_SLICE: usize = CHUNK_BYTES as usize + 28 * 64;

/// A slice is not the requested chunk with its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the slice does not prove a chunk of this blob")]
pub struct InvalidChunk;

/// Returns the number of chunks of a blob of `size` bytes. The empty blob has one empty chunk.
pub fn count(size: u64) -> u64 {
    size.div_ceil(CHUNK_BYTES).max(1)
}

/// Returns the size in bytes of the chunk at `index`, or `None` beyond the last chunk.
pub fn length(size: u64, index: u64) -> Option<u64> {
    if index >= count(size) {
        return None;
    }
    Some((size - index * CHUNK_BYTES).min(CHUNK_BYTES))
}

fn ranges(index: u64) -> ChunkRanges {
    let per_group = CHUNK_BYTES / BLAKE3_CHUNK;
    ChunkRanges::from(ChunkNum(index * per_group)..ChunkNum((index + 1) * per_group))
}

/// Reads `size` bytes in one pass and returns their blob id and outboard.
///
/// Errors: `data` fails or ends before `size`, or `size` exceeds [`MAX_BLOB_SIZE`].
pub fn hash(data: impl io::Read, size: u64) -> io::Result<(BlobId, Vec<u8>)> {
    let tree = tree(size)?;
    let bytes = usize::try_from(tree.outboard_size()).map_err(|_| out_of_range())?;
    let mut pairs = PreOrderMemOutboard {
        root: blake3::Hash::from([0; 32]),
        tree,
        data: vec![0u8; bytes],
    };
    let root = outboard(data, tree, &mut pairs)?;
    Ok((BlobId(root.into()), pairs.data))
}

/// Returns the slice of the chunk at `index`, after verifying it.
///
/// Errors: `InvalidData` if data or outboard do not match `id`, or reading `data` fails.
pub fn encode(data: &File, id: &BlobId, size: u64, outboard: Vec<u8>, index: u64) -> io::Result<Vec<u8>> {
    let tree = tree(size)?;
    if outboard.len() as u64 != tree.outboard_size() || index >= count(size) {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let pairs = PreOrderMemOutboard {
        root: blake3::Hash::from(id.0),
        tree,
        data: outboard,
    };
    let mut slice = Vec::with_capacity(MAX_SLICE);
    encode_ranges_validated(data, &pairs, &ranges(index), &mut slice)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(slice)
}

/// Verifies a slice and returns the bytes of its chunk: the one at `index` of the blob `id` of `size` bytes.
///
/// Accepts only the exact bytes that [`encode`] returns.
pub fn verify(id: &BlobId, size: u64, index: u64, slice: &[u8]) -> Result<Vec<u8>, InvalidChunk> {
    let expected = length(size, index).ok_or(InvalidChunk)?;
    let tree = tree(size).map_err(|_| InvalidChunk)?;
    if slice.len() > MAX_SLICE {
        return Err(InvalidChunk);
    }
    let mut rest = slice;
    let wanted = ranges(index);
    let mut chunk = None;
    for item in DecodeResponseIter::new(blake3::Hash::from(id.0), tree, &mut rest, &wanted) {
        match item.map_err(|_| InvalidChunk)? {
            BaoContentItem::Parent(_) => {}
            BaoContentItem::Leaf(leaf) => {
                let fits = leaf.offset == index * CHUNK_BYTES && leaf.data.len() as u64 == expected;
                if chunk.is_some() || !fits {
                    return Err(InvalidChunk);
                }
                chunk = Some(leaf.data.to_vec());
            }
        }
    }
    if !rest.is_empty() {
        return Err(InvalidChunk);
    }
    chunk.ok_or(InvalidChunk)
}

fn tree(size: u64) -> io::Result<BaoTree> {
    if size > MAX_BLOB_SIZE {
        return Err(out_of_range());
    }
    Ok(BaoTree::new(size, CHUNK_GROUP))
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the size of the blob is out of range")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    const MIB: usize = CHUNK_BYTES as usize;

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i * 31 % 251) as u8).collect()
    }

    fn slices(bytes: &[u8]) -> (BlobId, Vec<Vec<u8>>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let size = bytes.len() as u64;
        let (id, outboard) = hash(bytes, size).unwrap();
        let slices = (0..count(size))
            .map(|index| encode(&file, &id, size, outboard.clone(), index).unwrap())
            .collect();
        (id, slices)
    }

    #[test]
    fn chunks_of_blobs_of_every_size_verify_and_concatenate() {
        let mib = MIB;
        for size in [
            0,
            1,
            1023,
            1024,
            1025,
            mib - 1,
            mib,
            mib + 1,
            2 * mib,
            3 * mib + 5,
            5 * mib + 1024,
        ] {
            let bytes = bytes(size);
            let (id, slices) = slices(&bytes);
            assert_eq!(id, BlobId::of(&bytes), "id of {size} bytes");
            let mut concatenated = Vec::new();
            for (index, slice) in slices.iter().enumerate() {
                assert!(slice.len() <= MAX_SLICE);
                concatenated.extend(verify(&id, size as u64, index as u64, slice).unwrap());
            }
            assert_eq!(concatenated, bytes);
        }
    }

    #[test]
    fn last_chunk_is_rejected_with_any_other_size() {
        for size in [1024, MIB, MIB + 1, 3 * MIB, 4 * MIB + 9] {
            let (id, slices) = slices(&bytes(size));
            let last = slices.last().unwrap();
            let wrong = [0, 1, size - 1, size + 1, size + 1024, size + MIB, size * 2];
            for claimed in wrong.into_iter().filter(|claimed| *claimed != size) {
                let index = count(claimed as u64) - 1;
                assert_eq!(verify(&id, claimed as u64, index, last), Err(InvalidChunk));
            }
        }
    }

    #[test]
    fn chunk_is_rejected_when_size_is_out_of_range() {
        let (id, slices) = slices(&bytes(10));
        for size in [u64::MAX, MAX_BLOB_SIZE + 1, MAX_BLOB_SIZE] {
            assert_eq!(verify(&id, size, 0, &slices[0]), Err(InvalidChunk));
            assert_eq!(verify(&id, size, count(size) - 1, &slices[0]), Err(InvalidChunk));
        }
    }

    #[test]
    fn chunk_is_rejected_at_another_index() {
        let size = 3 * MIB;
        let (id, slices) = slices(&bytes(size));
        assert_eq!(verify(&id, size as u64, 1, &slices[0]), Err(InvalidChunk));
        assert_eq!(verify(&id, size as u64, 3, &slices[2]), Err(InvalidChunk));
        assert_eq!(verify(&id, size as u64, 0, &[]), Err(InvalidChunk));
        let mut longer = slices[0].clone();
        longer.push(0);
        assert_eq!(verify(&id, size as u64, 0, &longer), Err(InvalidChunk));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn flipped_bit_is_rejected_at_any_position(
            size in 0usize..3 * MIB,
            index in any::<prop::sample::Index>(),
            position in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let (id, slices) = slices(&bytes(size));
            let index = index.index(slices.len());
            let mut slice = slices[index].clone();
            prop_assume!(!slice.is_empty());
            let position = position.index(slice.len());
            slice[position] ^= 1 << bit;
            prop_assert_eq!(verify(&id, size as u64, index as u64, &slice), Err(InvalidChunk));
        }

        #[test]
        fn random_slice_is_rejected_without_panic(
            id in any::<[u8; 32]>(),
            size in any::<u64>(),
            index in any::<u64>(),
            slice in proptest::collection::vec(any::<u8>(), 0..2048),
        ) {
            prop_assert_eq!(verify(&BlobId(id), size, index, &slice), Err(InvalidChunk));
        }
    }
}
