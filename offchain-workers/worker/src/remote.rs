// SPDX-License-Identifier: GPL-3.0-only
//! Runs jobs in a worker process. Calls are answered from local state, which a background task synchronises with the
//! worker.
//!
//! The task reconnects whenever the connection fails, and sends jobs again that the worker does not know any more. A
//! worker without contact for [`RemoteConfig::grace_period`] counts as dead: its jobs fail as `Interrupted`, and new
//! ones are refused as `NoEngine`, until there is contact again.

use crate::{
    jobs::{Jobs, Priority},
    runner::JobProgress,
    wire::{from_hex, to_hex, WorkerJobStatus, ENQUEUE, MAX_BLOBS, MAX_JOBS, MAX_MESSAGE, MISSING_BLOBS, STATUS},
};
use agorai_blobs::Blobs;
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobFailure, JobResult, JobSpec, JobStatus},
    BlobId, JobId,
};
use jsonrpsee::{
    core::client::ClientT,
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc,
    },
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::Notify};

/// Configuration of a [`RemoteEngine`].
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// Address of the worker process: `ws://host:port`.
    pub url: String,
    /// Interval at which the status of jobs is requested.
    pub poll_interval: Duration,
    /// Timeout of connecting and of one request.
    pub request_timeout: Duration,
    /// Time without contact after which the worker counts as dead.
    pub grace_period: Duration,
    /// Maximum number of jobs that are queued in the node, and of unfinished jobs in the worker.
    pub max_queued: usize,
    /// Maximum number of retained outcomes.
    pub max_finished: usize,
}

impl RemoteConfig {
    /// Returns the default configuration for the worker at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            poll_interval: Duration::from_millis(200),
            request_timeout: Duration::from_secs(5),
            grace_period: Duration::from_secs(15),
            max_queued: 256,
            max_finished: 512,
        }
    }
}

/// An engine in a worker process, see the [module](self).
pub struct RemoteEngine {
    shared: Arc<Shared>,
}

struct Shared {
    config: RemoteConfig,
    jobs: Mutex<Jobs>,
    last_contact: Mutex<Instant>,
    wake: Notify,
    closed: AtomicBool,
}

/// The provisional output that the worker last reported.
#[derive(Default)]
struct ReportedOutput(Mutex<Vec<u8>>);

impl JobProgress for ReportedOutput {
    fn partial(&self) -> Vec<u8> {
        self.0.lock().clone()
    }

    /// Does nothing: another node, or this node after a restart, may need the result.
    fn cancel(&self) {}
}

impl RemoteEngine {
    /// Starts the background task on `handle`. Blobs that the worker misses are fetched through `blobs`, whose folder
    /// the worker shares.
    pub fn start(config: RemoteConfig, blobs: Blobs, handle: &Handle) -> Self {
        let shared = Arc::new(Shared {
            jobs: Mutex::new(Jobs::new(config.max_queued, config.max_finished)),
            config,
            last_contact: Mutex::new(Instant::now()),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
        });
        let task = SyncTask {
            shared: shared.clone(),
            blobs,
            sent: HashMap::new(),
            fetching: Arc::default(),
        };
        handle.spawn(task.run());
        Self { shared }
    }
}

impl Engine for RemoteEngine {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        if self.shared.is_dead() {
            return Err(JobFailure::NoEngine);
        }
        if self.shared.jobs.lock().enqueue(spec)? {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    fn poll(&self, job: JobId) -> JobStatus {
        self.shared.jobs.lock().status(&job)
    }

    fn partial(&self, job: JobId) -> Vec<u8> {
        let progress = self.shared.jobs.lock().progress(&job);
        progress.map_or_else(Vec::new, |progress| progress.partial())
    }
}

impl Drop for RemoteEngine {
    fn drop(&mut self) {
        self.shared.closed.store(true, Relaxed);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn is_dead(&self) -> bool {
        self.last_contact.lock().elapsed() > self.config.grace_period
    }

    fn record_contact(&self) {
        *self.last_contact.lock() = Instant::now();
    }

    fn is_open(&self) -> bool {
        !self.closed.load(Relaxed)
    }
}

/// Why a connection ended.
enum ConnectionError {
    Client(jsonrpsee::core::ClientError),
    /// The server accepted the connection, but did not complete the handshake.
    HandshakeTimeout,
    /// A response does not decode: the server is no worker, or a worker of another version.
    InvalidResponse,
}

impl std::fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(error) => write!(f, "{error}"),
            Self::HandshakeTimeout => f.write_str("no handshake"),
            Self::InvalidResponse => f.write_str("invalid response: the server is no worker of this version"),
        }
    }
}

impl From<jsonrpsee::core::ClientError> for ConnectionError {
    fn from(error: jsonrpsee::core::ClientError) -> Self {
        Self::Client(error)
    }
}

/// The background task that synchronises the jobs with the worker.
struct SyncTask {
    shared: Arc<Shared>,
    blobs: Blobs,
    /// Jobs that were sent to the worker and have not finished.
    sent: HashMap<JobId, (JobSpec, Arc<ReportedOutput>)>,
    /// Blobs that are being fetched for the worker.
    fetching: Arc<Mutex<HashSet<BlobId>>>,
}

impl SyncTask {
    async fn run(mut self) {
        while self.shared.is_open() {
            if let Err(error) = self.connect_and_sync().await {
                let url = &self.shared.config.url;
                log::debug!(target: "compute", "worker {url}: {error}");
            }
            if self.shared.is_dead() {
                self.fail_all();
            }
            tokio::time::sleep(self.shared.config.poll_interval).await;
        }
    }

    /// Connects and synchronises until the connection fails or the engine is dropped.
    async fn connect_and_sync(&mut self) -> Result<(), ConnectionError> {
        let config = self.shared.config.clone();
        let connecting = WsClientBuilder::new()
            .request_timeout(config.request_timeout)
            .max_request_size(MAX_MESSAGE)
            .max_response_size(MAX_MESSAGE)
            .build(&config.url);
        // The client's own timeout does not cover the handshake.
        let client = tokio::time::timeout(config.request_timeout, connecting)
            .await
            .map_err(|_| ConnectionError::HandshakeTimeout)??;
        while self.shared.is_open() {
            self.send_new(&client).await?;
            self.update_statuses(&client).await?;
            // Always sends a request, so it proves contact also when there is no job.
            self.fetch_missing(&client).await?;
            self.shared.record_contact();
            let woken = self.shared.wake.notified();
            // The next iteration starts after the interval, or earlier if there is a new job.
            let _ = tokio::time::timeout(config.poll_interval, woken).await;
        }
        Ok(())
    }

    async fn send_new(&mut self, client: &WsClient) -> Result<(), ConnectionError> {
        while self.sent.len() < self.shared.config.max_queued {
            let output = Arc::<ReportedOutput>::default();
            let next = self.shared.jobs.lock().start_next(Priority::Training, output.clone());
            let Some(spec) = next else {
                return Ok(());
            };
            // Inserted first: if sending fails, the worker does not know the job and it is sent again.
            self.sent.insert(spec.id(), (spec.clone(), output));
            self.send(client, spec).await?;
        }
        Ok(())
    }

    async fn send(&mut self, client: &WsClient, spec: JobSpec) -> Result<(), ConnectionError> {
        let accepted: Result<(), JobFailure> = request(client, ENQUEUE, Some(to_hex(&spec))).await?;
        if let Err(refusal) = accepted {
            self.finish(spec.id(), Err(refusal));
        }
        Ok(())
    }

    async fn update_statuses(&mut self, client: &WsClient) -> Result<(), ConnectionError> {
        let jobs: Vec<JobId> = self.sent.keys().copied().collect();
        for batch in jobs.chunks(MAX_JOBS) {
            let statuses: Vec<WorkerJobStatus> = request(client, STATUS, Some(to_hex(&batch.to_vec()))).await?;
            if statuses.len() != batch.len() {
                return Err(ConnectionError::InvalidResponse);
            }
            for (job, status) in batch.iter().zip(statuses) {
                match status.bounded() {
                    WorkerJobStatus::Done(result) => self.finish(*job, Ok(result)),
                    WorkerJobStatus::Failed(failure) => self.finish(*job, Err(failure)),
                    WorkerJobStatus::Pending(partial) => {
                        if let Some((_, output)) = self.sent.get(job) {
                            *output.0.lock() = partial;
                        }
                    }
                    WorkerJobStatus::Unknown => {
                        // The worker was restarted, or the connection failed before the job was sent.
                        let spec = self.sent.get(job).map(|(spec, _)| spec.clone());
                        if let Some(spec) = spec {
                            self.send(client, spec).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn fetch_missing(&self, client: &WsClient) -> Result<(), ConnectionError> {
        let missing: Vec<BlobId> = request(client, MISSING_BLOBS, None).await?;
        for blob in missing.into_iter().take(MAX_BLOBS) {
            if !self.fetching.lock().insert(blob) {
                continue;
            }
            let (blobs, fetching) = (self.blobs.clone(), self.fetching.clone());
            tokio::spawn(async move {
                if let Err(error) = blobs.ensure(blob).await {
                    log::warn!(target: "compute", "cannot fetch a blob for the worker: {error}");
                }
                fetching.lock().remove(&blob);
            });
        }
        Ok(())
    }

    fn finish(&mut self, job: JobId, outcome: Result<JobResult, JobFailure>) {
        self.sent.remove(&job);
        self.shared.jobs.lock().finish(job, outcome);
    }

    /// Fails all unfinished jobs of a dead worker.
    fn fail_all(&mut self) {
        let mut jobs = self.shared.jobs.lock();
        for (job, _) in self.sent.drain() {
            jobs.finish(job, Err(JobFailure::Interrupted));
        }
        while let Some(spec) = jobs.start_next(Priority::Training, Arc::new(ReportedOutput::default())) {
            jobs.finish(spec.id(), Err(JobFailure::NoEngine));
        }
    }
}

async fn request<T: codec::Decode>(
    client: &WsClient,
    method: &str,
    argument: Option<String>,
) -> Result<T, ConnectionError> {
    let text: String = match argument {
        Some(argument) => client.request(method, rpc_params![argument]).await?,
        None => client.request(method, rpc_params![]).await?,
    };
    from_hex(&text, MAX_MESSAGE as usize).ok_or(ConnectionError::InvalidResponse)
}

#[cfg(test)]
mod tests;
