// SPDX-License-Identifier: GPL-3.0-only
//! What runs a job: the engine, or what a test puts in its place.

use crate::states::States;
use agorai_blobs::Blobs;
use agorai_engine::{BlobAccess, Engine, EngineConfig, Missing, Progress};
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec},
    BlobId,
};
use parking_lot::Mutex;
use std::io;

/// A running job seen from outside.
pub trait Watch: Send + Sync + 'static {
    /// The provisional output so far, in the encoding of the final output.
    fn partial(&self) -> Vec<u8>;
    /// Asks the job to stop.
    fn cancel(&self);
}

/// Runs jobs, several at once, each on the calling thread.
pub trait Run: Send + Sync + 'static {
    /// How a running job is watched.
    type Progress: Watch + Default;

    /// Runs a job to its end.
    fn run(&self, spec: &JobSpec, progress: &Self::Progress) -> Result<JobResult, JobFailure>;
}

impl Watch for Progress {
    fn partial(&self) -> Vec<u8> {
        Progress::partial(self).output
    }

    fn cancel(&self) {
        Progress::cancel(self);
    }
}

/// The engine on a node's blobs.
pub struct EngineRun {
    engine: Engine,
    blobs: Access,
    states: Mutex<States>,
}

impl EngineRun {
    /// An engine that takes its blobs from `blobs`.
    pub fn new(config: EngineConfig, blobs: Blobs) -> Self {
        Self {
            engine: Engine::new(config),
            blobs: Access(blobs),
            states: Mutex::default(),
        }
    }
}

impl Run for EngineRun {
    type Progress = Progress;

    fn run(&self, spec: &JobSpec, progress: &Progress) -> Result<JobResult, JobFailure> {
        let result = self.engine.perform(spec, &self.blobs, progress).map_err(|error| {
            log::warn!(target: "compute", "job {:?} failed: {error}", spec.id());
            JobFailure::from(&error)
        })?;
        for state in self.states.lock().after(spec, &result) {
            if let Err(error) = self.blobs.delete(&state) {
                log::warn!(target: "compute", "state {state} stays on the disk: {error}");
            }
        }
        Ok(result)
    }
}

/// Blobs for the threads of the engine, which may block.
struct Access(Blobs);

impl BlobAccess for Access {
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
