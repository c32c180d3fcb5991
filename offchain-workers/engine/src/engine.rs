// SPDX-License-Identifier: Apache-2.0
//! Admission and execution of jobs.

use crate::{
    access::{fetch, BlobAccess},
    aggregate,
    error::{Error, Result},
    generate, memory,
    model::Model,
    parallel::ComputeConfig,
    progress::Progress,
    score,
    text::Tokenizer,
    train,
    weights::Weights,
};
use agorai_exact::Isa;
use agorai_primitives::{
    job::{GenerateSpec, JobFailure, JobResult, JobSpec},
    model::Architecture,
    training::Recipe,
    BlobId,
};
use std::sync::{Arc, Mutex, PoisonError};

/// The resources of an engine. They do not change a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Number of threads of a job, at least 1.
    pub threads: usize,
    /// Instruction set; `None` = the fastest that this CPU supports.
    pub isa: Option<Isa>,
    /// Maximum memory of a job in bytes; larger jobs are refused. Training uses
    /// [checkpointing](crate::model::Checkpointing) if it exceeds the maximum otherwise.
    pub memory: u64,
}

impl Default for EngineConfig {
    /// Returns a configuration of one thread, the fastest instruction set and 4 GiB.
    fn default() -> Self {
        Self {
            threads: 1,
            isa: None,
            memory: 4 << 30,
        }
    }
}

/// The model that stays loaded for the next job.
struct Loaded {
    id: BlobId,
    model: Arc<Model>,
    tokenizer: Option<Arc<Tokenizer>>,
}

/// Executes jobs. An engine may execute several jobs concurrently; they share the last loaded model.
pub struct Engine {
    compute: ComputeConfig,
    memory: u64,
    loaded: Mutex<Option<Loaded>>,
}

impl Engine {
    /// Returns an engine without a loaded model.
    pub fn new(config: EngineConfig) -> Self {
        Self {
            compute: ComputeConfig {
                isa: config.isa.unwrap_or_else(Isa::detect),
                threads: config.threads.max(1),
            },
            memory: config.memory,
            loaded: Mutex::new(None),
        }
    }

    /// Executes a job on the configured number of threads; blocks until it ends. Other threads may observe `progress`
    /// and cancel the job.
    ///
    /// | failure | condition |
    /// |---|---|
    /// | `BlobUnavailable` | a blob is unavailable, or the stored copy is damaged |
    /// | `Invalid` | the spec or a blob it names is malformed, or the job needs too much memory |
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

    /// As [`Engine::run`], with the error that the operator logs.
    pub fn perform(&self, spec: &JobSpec, blobs: &dyn BlobAccess, progress: &Progress) -> Result<JobResult> {
        self.admit(spec)?;
        progress.check()?;
        self.compute.with_pool(|| self.compute(spec, blobs, progress))
    }

    fn compute(&self, spec: &JobSpec, blobs: &dyn BlobAccess, progress: &Progress) -> Result<JobResult> {
        let compute = self.compute;
        Ok(match spec {
            JobSpec::Generate(spec) => {
                let (model, tokenizer) = self.model_and_tokenizer(spec, blobs)?;
                let done = generate::generate(compute, spec, model.decoder(), &tokenizer, progress)?;
                JobResult::Generated {
                    output: done.output,
                    tokens: done.tokens,
                    trace: done.trace,
                }
            }
            JobSpec::Check(spec) => {
                let (model, tokenizer) = self.model_and_tokenizer(&spec.generate, blobs)?;
                JobResult::Checked {
                    trace: generate::check(compute, spec, model.decoder(), &tokenizer, progress)?,
                }
            }
            JobSpec::Train(spec) => {
                let base = self.model(&spec.architecture, &spec.base, blobs)?;
                let checkpointing = memory::checkpointing(spec, self.memory);
                let base = base.weights();
                JobResult::Trained(train::train(compute, checkpointing, spec, base, blobs, progress)?)
            }
            JobSpec::Audit(spec) => {
                let base = self.model(&spec.train.architecture, &spec.train.base, blobs)?;
                let checkpointing = memory::checkpointing(&spec.train, self.memory);
                JobResult::Audited {
                    matches: train::audit(compute, checkpointing, spec, base.weights(), blobs, progress)?,
                }
            }
            JobSpec::Score(spec) => {
                let base = self.model(&spec.architecture, &spec.base, blobs)?;
                let (scores, trace) = score::score(compute, spec, &base, blobs, progress)?;
                JobResult::Scored { scores, trace }
            }
            JobSpec::Aggregate(spec) => {
                let base = self.model(&spec.score.architecture, &spec.score.base, blobs)?;
                let done = aggregate::aggregate(compute, spec, &base, blobs, progress)?;
                JobResult::Aggregated {
                    weights: done.weights,
                    loss_before: done.loss_before,
                    loss_after: done.loss_after,
                    trace: done.trace,
                }
            }
        })
    }

    /// Refuses a job that this engine cannot execute, before anything is fetched or allocated.
    fn admit(&self, spec: &JobSpec) -> Result<()> {
        let (architecture, recipe) = architecture_and_recipe(spec);
        architecture.validate()?;
        if let Some(recipe) = recipe {
            recipe.validate()?;
            if architecture.vocab != 256 {
                return Err(Error::Spec("training requires a byte-level model"));
            }
            if recipe.sequence > architecture.context {
                return Err(Error::Spec("sequences exceed the context of the model"));
            }
        }
        let needed = memory::needed(spec, self.compute.threads);
        if needed > self.memory {
            return Err(Error::Memory {
                needed,
                limit: self.memory,
            });
        }
        Ok(())
    }

    /// Returns the model with the given weights; the last one stays loaded.
    fn model(&self, architecture: &Architecture, id: &BlobId, blobs: &dyn BlobAccess) -> Result<Arc<Model>> {
        let cached = |loaded: &Loaded| {
            (loaded.id == *id && loaded.model.weights().architecture == *architecture).then(|| loaded.model.clone())
        };
        if let Some(model) = self.lock().as_ref().and_then(cached) {
            return Ok(model);
        }
        let weights = Weights::from_safetensors(architecture, &fetch(blobs, id)?)?;
        let model = Arc::new(Model::new(self.compute, weights)?);
        *self.lock() = Some(Loaded {
            id: *id,
            model: model.clone(),
            tokenizer: None,
        });
        Ok(model)
    }

    /// Returns the model and the tokenizer of a generation.
    fn model_and_tokenizer(&self, spec: &GenerateSpec, blobs: &dyn BlobAccess) -> Result<(Arc<Model>, Arc<Tokenizer>)> {
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

/// Returns the architecture of a job, and its recipe if it belongs to a training round.
fn architecture_and_recipe(spec: &JobSpec) -> (&Architecture, Option<&Recipe>) {
    match spec {
        JobSpec::Generate(spec) => (&spec.architecture, None),
        JobSpec::Check(spec) => (&spec.generate.architecture, None),
        JobSpec::Train(spec) => (&spec.architecture, Some(&spec.recipe)),
        JobSpec::Audit(spec) => (&spec.train.architecture, Some(&spec.train.recipe)),
        JobSpec::Score(spec) => (&spec.architecture, Some(&spec.recipe)),
        JobSpec::Aggregate(spec) => (&spec.score.architecture, Some(&spec.score.recipe)),
    }
}
