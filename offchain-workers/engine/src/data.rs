// SPDX-License-Identifier: Apache-2.0
//! The sequences of a corpus.

use crate::{
    access::{fetch, BlobAccess},
    error::{Error, Result},
};
use agorai_primitives::{
    assignment::{Assignment, Permutation},
    training::{Corpus, Recipe, MAX_WORKERS},
    BlobId,
};
use sp_core::H256;
use std::collections::BTreeMap;

/// Maximum number of shards of a corpus.
const MAX_SHARDS: usize = 8 * 256;

/// Tokens of one sequence and, for each of them, the token that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Input tokens.
    pub tokens: Vec<u32>,
    /// The token that follows each input token.
    pub targets: Vec<u32>,
}

/// The data of a round.
pub struct Data<'a> {
    blobs: &'a dyn BlobAccess,
    corpus: &'a Corpus,
    recipe: &'a Recipe,
    assignment: Assignment,
    shards: BTreeMap<BlobId, Vec<u8>>,
}

impl<'a> Data<'a> {
    /// Returns the data of a round.
    ///
    /// Errors: no or too many workers, too many shards, a corpus without a whole sequence.
    pub fn new(
        blobs: &'a dyn BlobAccess,
        corpus: &'a Corpus,
        recipe: &'a Recipe,
        seed: H256,
        workers: u32,
    ) -> Result<Self> {
        if workers == 0 || workers > MAX_WORKERS {
            return Err(Error::Spec("the number of workers is out of bounds"));
        }
        if corpus.shards.len() > MAX_SHARDS {
            return Err(Error::Spec("too many shards"));
        }
        let mut bytes = 0u64;
        for shard in &corpus.shards {
            bytes = bytes
                .checked_add(shard.bytes)
                .ok_or(Error::Spec("the size of the corpus exceeds 64 bits"))?;
        }
        let assignment = Assignment::new(
            seed,
            corpus.sequences(recipe.sequence),
            workers,
            recipe.sequences_per_worker(),
        )
        .ok_or(Error::Spec("the corpus has no whole sequence"))?;
        Ok(Self {
            blobs,
            corpus,
            recipe,
            assignment,
            shards: BTreeMap::new(),
        })
    }

    /// Returns the sequences of a worker's inner step.
    pub fn step(&mut self, worker: u32, step: u32) -> Result<Vec<Example>> {
        let batch = u64::from(self.recipe.batch);
        let first = u64::from(step) * batch;
        (first..first + batch)
            .map(|at| self.example(self.assignment.sequence(worker, at)))
            .collect()
    }

    /// Returns the held-out sequences that `draw` selects.
    ///
    /// Errors: a corpus without held-out sequences.
    pub fn held_out(&mut self, draw: H256) -> Result<Vec<Example>> {
        let chosen = self.assignment.held_out(draw, self.recipe.held_out);
        if chosen.is_empty() {
            return Err(Error::Spec("the corpus has no held-out sequence"));
        }
        chosen.into_iter().map(|at| self.example(at)).collect()
    }

    /// Returns as many of a worker's own sequences as are held out, selected by `draw`.
    pub fn own(&mut self, worker: u32, draw: H256) -> Result<Vec<Example>> {
        let all = self.recipe.sequences_per_worker();
        let permutation = Permutation::new(draw, all).ok_or(Error::Spec("the recipe has no sequences"))?;
        (0..all.min(u64::from(self.recipe.held_out)))
            .map(|i| self.example(self.assignment.sequence(worker, permutation.apply(i))))
            .collect()
    }

    fn example(&mut self, sequence: u64) -> Result<Example> {
        let (index, offset) = self
            .corpus
            .locate(self.recipe.sequence, sequence)
            .ok_or(Error::Spec("a sequence is outside the corpus"))?;
        let shard = self.corpus.shards[index];
        if !self.shards.contains_key(&shard.blob) {
            let bytes = fetch(self.blobs, &shard.blob)?;
            self.shards.insert(shard.blob, bytes);
        }
        let bytes = &self.shards[&shard.blob];
        if bytes.len() as u64 != shard.bytes {
            return Err(Error::Spec("the length of a shard differs from its blob"));
        }
        let length = self.recipe.sequence as usize;
        let run = usize::try_from(offset)
            .ok()
            .and_then(|from| bytes.get(from..)?.get(..length + 1))
            .ok_or(Error::Spec("a sequence is outside its shard"))?;
        let token = |byte: &u8| u32::from(*byte);
        Ok(Example {
            tokens: run[..length].iter().map(token).collect(),
            targets: run[1..].iter().map(token).collect(),
        })
    }
}
