// SPDX-License-Identifier: GPL-3.0-only
//! Computes jobs with the engine, on the blobs of a node.

use crate::{retention::StateRetention, runner::JobRunner};
use agorai_blobs::Blobs;
use agorai_engine::{BlobAccess, Engine, EngineConfig, Missing, Progress};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec},
    BlobId,
};
use parking_lot::Mutex;
use std::io;

/// The engine with the blobs of a node.
pub struct EngineRunner {
    engine: Engine,
    blobs: BlockingBlobs,
    retention: Mutex<StateRetention>,
}

impl EngineRunner {
    /// Creates an engine that reads and writes `blobs`.
    pub fn new(config: EngineConfig, blobs: Blobs) -> Self {
        Self {
            engine: Engine::new(config),
            blobs: BlockingBlobs(blobs),
            retention: Mutex::default(),
        }
    }
}

impl JobRunner for EngineRunner {
    type Progress = Progress;

    fn run(&self, spec: &JobSpec, progress: &Progress) -> Result<JobResult, JobFailure> {
        let result = self.engine.perform(spec, &self.blobs, progress).map_err(|error| {
            log::warn!(target: "compute", "job {:?} failed: {error}", spec.id());
            JobFailure::from(&error)
        })?;
        for state in self.retention.lock().record(spec, &result) {
            if let Err(error) = self.blobs.delete(&state) {
                log::warn!(target: "compute", "cannot delete training state {state}: {error}");
            }
        }
        Ok(result)
    }
}

/// Blob access for the threads of the engine, which may block.
struct BlockingBlobs(Blobs);

impl BlobAccess for BlockingBlobs {
    fn get(&self, id: &BlobId) -> Result<Vec<u8>, Missing> {
        self.0.get_blocking(*id).map_err(|error| {
            log::warn!(target: "compute", "{error}");
            Missing(*id)
        })
    }

    fn put(&self, bytes: &[u8]) -> io::Result<BlobId> {
        Ok(self.0.put(bytes)?)
    }

    fn delete(&self, id: &BlobId) -> io::Result<()> {
        self.0.delete(id)?;
        Ok(())
    }
}
