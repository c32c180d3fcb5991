// SPDX-License-Identifier: Apache-2.0
//! Language models on the exact kernels: generate, check, train, audit, score, aggregate.
//!
//! [`Engine::run`] turns a [`JobSpec`](agorai_primitives::job::JobSpec) into its result. The result is fully
//! determined by the spec and the blobs it names: the same bits on every machine, for every number of
//! threads and every instruction set.
//!
//! | module | what is in it |
//! |---|---|
//! | [`engine`] | admission, the loaded model, one arm for each kind of job |
//! | [`access`] | how blobs are reached |
//! | [`progress`] | what others see of a running job, and how they stop it |
//! | [`files`] | published models: GGUF, safetensors |
//! | [`weights`] | parameters: layout, safetensors, fresh ones from a seed |
//! | [`text`] | text to tokens and back |
//! | [`backend`] | where a model's numbers live and who computes with them |
//! | [`decoder`] | decoders of the Llama, Qwen and Gemma families |
//! | [`model`] | a chain model, and its forward and backward in training |
//! | [`generate`] | answers, and their check by one prefill |
//! | [`trace`] | the Merkle root of a computation, and S |
//! | [`data`] | the sequences of a corpus |
//! | [`train`] | a worker's share of a round, and its audit |
//! | [`compress`] | pseudo-gradients as payloads |
//! | [`evaluate`], [`loss`] | losses on sequences |
//! | [`score`] | what each contribution is worth |
//! | [`aggregate`] | the next weights |
//! | [`memory`] | how much a job takes |
//! | [`parallel`] | work spread over threads |
#![forbid(unsafe_code)]

pub mod access;
pub mod aggregate;
pub mod backend;
pub mod compress;
pub mod data;
pub mod decoder;
pub mod engine;
mod error;
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
