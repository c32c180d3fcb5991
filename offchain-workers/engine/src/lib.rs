// SPDX-License-Identifier: Apache-2.0
//! Inference and training of language models on the exact kernels of `agorai-exact`.
//!
//! [`Engine::run`] executes a [`JobSpec`](agorai_primitives::job::JobSpec): it generates an answer, checks one, trains
//! a worker's share of a round, audits it, scores contributions or aggregates them. The result is a function of the
//! spec and of the blobs it names: the same bits on every machine, for every number of threads and every instruction
//! set.
//!
//! Modules in the order of their dependencies; each imports from earlier ones only:
//!
//! | module | contents |
//! |---|---|
//! | `bytes` | little-endian bytes of binary32 values |
//! | [`config`] | the description of a model: sizes, settings, tensors |
//! | [`files`] | published models: GGUF, safetensors |
//! | [`access`] | access to blobs |
//! | [`error`](mod@error) | why a job fails |
//! | [`progress`] | progress, provisional output and cancellation of a job |
//! | [`parallel`] | thread pools and parallel tasks |
//! | [`backend`] | the operations of a model, and the devices that execute them |
//! | [`weights`] | parameters: layout, canonical file, initial values |
//! | [`trace`] | the Merkle root of a computation, and the trace secret |
//! | [`decoder`] | decoders of the Llama, Qwen and Gemma families |
//! | [`text`] | tokenizers and chat templates |
//! | [`data`] | the sequences of a corpus |
//! | [`model`] | a chain model, and its forward and backward pass in training |
//! | [`loss`], [`evaluate`] | losses on sequences |
//! | [`compress`] | the compression of pseudo-gradients |
//! | [`train`] | a worker's share of a round, and its audit |
//! | [`generate`] | generation and check of answers |
//! | [`score`] | the gains of contributions |
//! | [`aggregate`] | the next weights |
//! | [`memory`] | upper bounds of the memory of a job |
//! | [`engine`] | admission of jobs, the loaded model, execution |
//!
//! # Example
//!
//! Generate an answer of 4 tokens with an untrained model whose tokens are bytes:
//!
//! ```
//! use agorai_engine::{BlobAccess, Engine, EngineConfig, MemoryBlobs, Progress, Weights};
//! use agorai_primitives::{job::*, model::Architecture};
//!
//! let blobs = MemoryBlobs::default();
//! let architecture = Architecture::SMALL;
//! let weights = Weights::init(&architecture, 1)?;
//! let spec = JobSpec::Generate(GenerateSpec {
//!     nonce: 0,
//!     profile: Profile::ExactF32V1,
//!     architecture,
//!     weights: blobs.put(&weights.to_safetensors())?,
//!     prompt: b"agora".to_vec(),
//!     sampling: Sampling {
//!         max_tokens: 4,
//!         temperature_milli: 0,
//!         top_k: 0,
//!         top_p_milli: 0,
//!         seed: 0,
//!         stop: None,
//!     },
//! });
//! let engine = Engine::new(EngineConfig::default());
//! let JobResult::Generated { output, tokens, .. } = engine.perform(&spec, &blobs, &Progress::new())? else {
//!     unreachable!()
//! };
//! assert_eq!((output.len(), tokens), (4, 5 + 4));
//! # Ok::<(), agorai_engine::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod access;
pub mod aggregate;
pub mod backend;
mod bytes;
pub mod compress;
pub mod config;
pub mod data;
pub mod decoder;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod files;
pub mod generate;
pub mod loss;
pub mod memory;
pub mod model;
pub mod parallel;
pub mod progress;
pub mod score;
pub mod text;
pub mod trace;
pub mod train;
pub mod weights;

pub use access::{BlobAccess, MemoryBlobs, Missing};
pub use engine::{Engine, EngineConfig};
pub use error::{Error, Result};
pub use progress::{Partial, Progress};
pub use weights::Weights;
