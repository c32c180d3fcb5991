// SPDX-License-Identifier: Apache-2.0
//! Byte-pair encoding: the pieces of a text are initially its characters; the pair of neighbours of lowest rank is
//! merged, the leftmost on ties, until no pair has a rank.
//!
//! Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units"; implemented with a heap in
//! O(n log n) for n characters.

use std::{cmp::Reverse, collections::BinaryHeap};

/// A piece of the text.
struct Piece {
    start: u32,
    /// Number of bytes; 0 after it was merged into its left neighbour.
    length: u32,
    left: u32,
    right: u32,
}

/// The index of no neighbour.
const NONE: u32 = u32::MAX;

/// Appends the pieces of a text to `out`. `rank` returns the rank of a pair of neighbours, given their concatenation
/// and the length of the first, or `None` if they must not be merged. A text of 4 GiB or more is one piece.
pub fn merge<'a>(text: &'a str, rank: impl Fn(&'a str, usize) -> Option<i64>, out: &mut Vec<&'a str>) {
    if u32::try_from(text.len()).is_err() {
        out.push(text);
        return;
    }
    let mut pieces: Vec<_> = text
        .char_indices()
        .enumerate()
        .map(|(number, (start, c))| Piece {
            start: start as u32,
            length: c.len_utf8() as u32,
            left: (number as u32).checked_sub(1).unwrap_or(NONE),
            right: number as u32 + 1,
        })
        .collect();
    let Some(last) = pieces.last_mut() else {
        return;
    };
    last.right = NONE;
    // Rank, left piece, right piece, length of both when the pair was pushed.
    let mut heap = BinaryHeap::new();
    let pair = |pieces: &[Piece], left: u32| {
        let a = pieces.get(left as usize)?;
        let b = pieces.get(a.right as usize)?;
        let from = a.start as usize;
        let both = &text[from..from + (a.length + b.length) as usize];
        let rank = rank(both, a.length as usize)?;
        Some(Reverse((rank, left, a.right, both.len() as u32)))
    };
    for left in 0..pieces.len() as u32 {
        heap.extend(pair(&pieces, left));
    }
    while let Some(Reverse((_, left, right, length))) = heap.pop() {
        let (a, b) = (&pieces[left as usize], &pieces[right as usize]);
        // Skip pairs whose pieces have changed since.
        if a.length == 0 || b.length == 0 || a.length + b.length != length || a.right != right {
            continue;
        }
        let after = b.right;
        pieces[right as usize].length = 0;
        let merged = &mut pieces[left as usize];
        merged.length = length;
        merged.right = after;
        let before = merged.left;
        if let Some(after) = pieces.get_mut(after as usize) {
            after.left = left;
        }
        heap.extend(pair(&pieces, before));
        heap.extend(pair(&pieces, left));
    }
    out.extend(pieces.iter().filter(|piece| piece.length > 0).map(|piece| {
        let from = piece.start as usize;
        &text[from..from + piece.length as usize]
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, ranks: &[(&str, i64)]) -> Vec<String> {
        let mut out = Vec::new();
        let rank = |both: &str, _| ranks.iter().find(|r| r.0 == both).map(|r| r.1);
        merge(text, rank, &mut out);
        out.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn neighbours_merge_by_rank_then_from_the_left() {
        assert_eq!(pieces("abc", &[("ab", 2), ("bc", 1)]), ["a", "bc"]);
        assert_eq!(pieces("abc", &[("ab", 1), ("bc", 1)]), ["ab", "c"]);
        assert_eq!(pieces("aaaa", &[("aa", 1), ("aaaa", 0)]), ["aaaa"]);
        assert_eq!(pieces("aaa", &[("aa", 1)]), ["aa", "a"]);
        assert_eq!(pieces("\u{2581}\u{e9}", &[]), ["\u{2581}", "\u{e9}"]);
        assert_eq!(pieces("", &[("a", 1)]), [""; 0]);
    }
}
