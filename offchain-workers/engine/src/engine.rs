// SPDX-License-Identifier: Apache-2.0
//! The engine: from a job's spec to its result.

use crate::{
    access::{fetch, BlobAccess},
    aggregate, generate, memory,
    model::Model,
    parallel::Means,
    progress::Progress,
    score,
    text::Tokenizer,
    train,
    weights::Weights,
    Error, Result,
};
use agorai_exact::Isa;
use agorai_primitives::{
    job::{GenerateSpec, JobFailure, JobResult, JobSpec},
    model::Architecture,
    training::Recipe,
    BlobId,
};
use std::sync::{Arc, Mutex, PoisonError};

/// How an engine computes. Nothing here changes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Threads of one job, at least 1.
    pub threads: usize,
    /// Instruction set; `None` = the fastest of this processor.
    pub isa: Option<Isa>,
    /// Most bytes that a job may take; larger jobs are refused. Training keeps less and computes more where
    /// that is needed to stay below.
    pub memory: u64,
}

impl Default for EngineConfig {
    /// One thread, the fastest instruction set, 4 GiB.
    fn default() -> Self {
        Self {
            threads: 1,
            isa: None,
            memory: 4 << 30,
        }
    }
}

/// A model that stays loaded for the next job.
struct Loaded {
    id: BlobId,
    model: Arc<Model>,
    tokenizer: Option<Arc<Tokenizer>>,
}

/// Runs jobs. One engine may run several at once; they share the last loaded model.
pub struct Engine {
    means: Means,
    memory: u64,
    loaded: Mutex<Option<Loaded>>,
}

impl Engine {
    /// An engine without a loaded model.
    pub fn new(config: EngineConfig) -> Self {
        Self {
            means: Means {
                isa: config.isa.unwrap_or_else(Isa::detect),
                threads: config.threads.max(1),
            },
            memory: config.memory,
            loaded: Mutex::new(None),
        }
    }

    /// Runs a job to its end on the calling thread (and the configured number of others). `progress` may be
    /// watched and cancelled from elsewhere.
    ///
    /// | failure | when |
    /// |---|---|
    /// | `BlobUnavailable` | a blob cannot be had, or the store's copy is damaged |
    /// | `Invalid` | the spec or a blob it names makes no sense, or the job needs too much memory |
    /// | `Interrupted` | the job was cancelled, or a result could not be stored |
    pub fn run(
        &self,
        spec: &JobSpec,
        blobs: &dyn BlobAccess,
        progress: &Progress,
    ) -> core::result::Result<JobResult, JobFailure> {
        self.perform(spec, blobs, progress)
            .map_err(|error| JobFailure::from(&error))
    }

    /// As [`Engine::run`], with the reason of a failure in words, for the operator's log.
    pub fn perform(&self, spec: &JobSpec, blobs: &dyn BlobAccess, progress: &Progress) -> Result<JobResult> {
        self.admit(spec)?;
        progress.check()?;
        self.means.job(|| self.compute(spec, blobs, progress))
    }

    fn compute(&self, spec: &JobSpec, blobs: &dyn BlobAccess, progress: &Progress) -> Result<JobResult> {
        let means = self.means;
        Ok(match spec {
            JobSpec::Generate(spec) => {
                let (model, tokenizer) = self.reader(spec, blobs)?;
                let done = generate::generate(means, spec, model.decoder(), &tokenizer, progress)?;
                JobResult::Generated {
                    output: done.output,
                    tokens: done.tokens,
                    trace: done.trace,
                }
            }
            JobSpec::Check(spec) => {
                let (model, tokenizer) = self.reader(&spec.generate, blobs)?;
                JobResult::Checked {
                    trace: generate::check(means, spec, model.decoder(), &tokenizer, progress)?,
                }
            }
            JobSpec::Train(spec) => {
                let base = self.model(&spec.architecture, &spec.base, blobs)?;
                let keep = memory::keep(spec, self.memory);
                let base = base.weights();
                JobResult::Trained(train::train(means, keep, spec, base, blobs, progress)?)
            }
            JobSpec::Audit(spec) => {
                let base = self.model(&spec.train.architecture, &spec.train.base, blobs)?;
                let keep = memory::keep(&spec.train, self.memory);
                JobResult::Audited {
                    matches: train::audit(means, keep, spec, base.weights(), blobs, progress)?,
                }
            }
            JobSpec::Score(spec) => {
                let base = self.model(&spec.architecture, &spec.base, blobs)?;
                let (scores, trace) = score::score(means, spec, &base, blobs, progress)?;
                JobResult::Scored { scores, trace }
            }
            JobSpec::Aggregate(spec) => {
                let base = self.model(&spec.score.architecture, &spec.score.base, blobs)?;
                let done = aggregate::aggregate(means, spec, &base, blobs, progress)?;
                JobResult::Aggregated {
                    weights: done.weights,
                    loss_before: done.loss_before,
                    loss_after: done.loss_after,
                    trace: done.trace,
                }
            }
        })
    }

    /// Refuses what cannot be computed here, before anything is fetched or allocated.
    fn admit(&self, spec: &JobSpec) -> Result<()> {
        let (architecture, recipe) = parts(spec);
        architecture.validate()?;
        if let Some(recipe) = recipe {
            recipe.validate()?;
            if architecture.vocab != 256 {
                return Err(Error::Spec("training needs a model whose tokens are bytes"));
            }
            if recipe.sequence > architecture.context {
                return Err(Error::Spec("sequences longer than the model's context"));
            }
        }
        let needed = memory::needed(spec, self.means.threads);
        if needed > self.memory {
            return Err(Error::Memory {
                needed,
                limit: self.memory,
            });
        }
        Ok(())
    }

    /// The model with these weights; the last one stays loaded.
    fn model(&self, architecture: &Architecture, id: &BlobId, blobs: &dyn BlobAccess) -> Result<Arc<Model>> {
        let cached = |loaded: &Loaded| {
            (loaded.id == *id && loaded.model.weights().architecture == *architecture).then(|| loaded.model.clone())
        };
        if let Some(model) = self.lock().as_ref().and_then(cached) {
            return Ok(model);
        }
        let weights = Weights::from_safetensors(architecture, &fetch(blobs, id)?)?;
        let model = Arc::new(Model::new(self.means, weights)?);
        *self.lock() = Some(Loaded {
            id: *id,
            model: model.clone(),
            tokenizer: None,
        });
        Ok(model)
    }

    /// The model of a generation and its tokenizer.
    fn reader(&self, spec: &GenerateSpec, blobs: &dyn BlobAccess) -> Result<(Arc<Model>, Arc<Tokenizer>)> {
        let model = self.model(&spec.architecture, &spec.weights, blobs)?;
        if let Some(loaded) = &*self.lock() {
            if let (true, Some(tokenizer)) = (loaded.id == spec.weights, &loaded.tokenizer) {
                return Ok((model, tokenizer.clone()));
            }
        }
        let vocab = spec.architecture.vocab;
        let tokenizer = Arc::new(match &model.weights().tokenizer {
            None => Tokenizer::bytes(vocab)?,
            Some(id) => Tokenizer::from_json(&fetch(blobs, id)?, vocab)?,
        });
        if let Some(loaded) = &mut *self.lock() {
            if loaded.id == spec.weights {
                loaded.tokenizer = Some(tokenizer.clone());
            }
        }
        Ok((model, tokenizer))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The architecture of a job, and its recipe if it is one of a round.
fn parts(spec: &JobSpec) -> (&Architecture, Option<&Recipe>) {
    match spec {
        JobSpec::Generate(spec) => (&spec.architecture, None),
        JobSpec::Check(spec) => (&spec.generate.architecture, None),
        JobSpec::Train(spec) => (&spec.architecture, Some(&spec.recipe)),
        JobSpec::Audit(spec) => (&spec.train.architecture, Some(&spec.train.recipe)),
        JobSpec::Score(spec) => (&spec.architecture, Some(&spec.recipe)),
        JobSpec::Aggregate(spec) => (&spec.score.architecture, Some(&spec.score.recipe)),
    }
}
