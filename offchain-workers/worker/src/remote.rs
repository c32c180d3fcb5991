// SPDX-License-Identifier: GPL-3.0-only
//! Jobs in a worker process. Calls are answered from what is known here; a task talks to the worker.
//!
//! The connection is made again whenever it breaks, and what the worker has forgotten is sent again.
//! A worker that is not heard of for [`RemoteConfig::grace`] is taken for dead: its jobs have failed
//! (`Interrupted`), and new ones are refused (`NoEngine`), until it is heard of again.

use crate::{
    jobs::{Class, Jobs},
    run::Watch,
    wire::{from_text, to_text, Standing, ENQUEUE, MAX_MESSAGE, MOST_JOBS, MOST_WANTED, STANDING, WANTED},
};
use agorai_blobs::Blobs;
use agorai_engine_interface::Engine;
use agorai_primitives::{
    job::{JobFailure, JobSpec, JobStatus},
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

/// How a worker process is reached.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// `ws://host:port`.
    pub url: String,
    /// How often its jobs are looked at.
    pub refresh: Duration,
    /// How long connecting or one question may take.
    pub question: Duration,
    /// How long it may not be heard of before it counts as dead.
    pub grace: Duration,
    /// Jobs that wait here or there.
    pub waiting: usize,
    /// Results that are remembered.
    pub finished: usize,
}

impl RemoteConfig {
    /// The worker at this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            refresh: Duration::from_millis(200),
            question: Duration::from_secs(5),
            grace: Duration::from_secs(15),
            waiting: 256,
            finished: 512,
        }
    }
}

/// A worker process as an engine, see the [module](self).
pub struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    config: RemoteConfig,
    jobs: Mutex<Jobs>,
    heard: Mutex<Instant>,
    wake: Notify,
    closed: AtomicBool,
}

/// The provisional output as it was last heard of.
#[derive(Default)]
struct Heard(Mutex<Vec<u8>>);

impl Watch for Heard {
    fn partial(&self) -> Vec<u8> {
        self.0.lock().clone()
    }

    /// The worker goes on: another node, or this one after a restart, may want the result.
    fn cancel(&self) {}
}

impl Remote {
    /// Starts the task that talks to the worker. Blobs that the worker lacks are obtained from `blobs`,
    /// whose folder the worker shares.
    pub fn start(config: RemoteConfig, blobs: Blobs, handle: &Handle) -> Self {
        let shared = Arc::new(Shared {
            jobs: Mutex::new(Jobs::new(config.waiting, config.finished)),
            config,
            heard: Mutex::new(Instant::now()),
            wake: Notify::new(),
            closed: AtomicBool::new(false),
        });
        let talk = Talk {
            shared: shared.clone(),
            blobs,
            sent: HashMap::new(),
            obtaining: Arc::default(),
        };
        handle.spawn(talk.run());
        Self { shared }
    }
}

impl Engine for Remote {
    fn enqueue(&self, spec: JobSpec) -> Result<(), JobFailure> {
        if self.shared.dead() {
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
        let watch = self.shared.jobs.lock().watch(&job);
        watch.map_or_else(Vec::new, |watch| watch.partial())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.closed.store(true, Relaxed);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn dead(&self) -> bool {
        self.heard.lock().elapsed() > self.config.grace
    }

    fn hear(&self) {
        *self.heard.lock() = Instant::now();
    }

    fn open(&self) -> bool {
        !self.closed.load(Relaxed)
    }
}

/// Why talking ended.
enum Broken {
    Connection(jsonrpsee::core::ClientError),
    /// Somebody listens, but does not speak.
    Mute,
    /// The other side is no worker, or one of another version.
    Nonsense,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Connection(error) => write!(f, "{error}"),
            Broken::Mute => f.write_str("no handshake"),
            Broken::Nonsense => f.write_str("the other side is no worker of this version"),
        }
    }
}

impl From<jsonrpsee::core::ClientError> for Broken {
    fn from(error: jsonrpsee::core::ClientError) -> Self {
        Broken::Connection(error)
    }
}

/// The task's side.
struct Talk {
    shared: Arc<Shared>,
    blobs: Blobs,
    /// What the worker has been sent and has not finished.
    sent: HashMap<JobId, (JobSpec, Arc<Heard>)>,
    obtaining: Arc<Mutex<HashSet<BlobId>>>,
}

impl Talk {
    async fn run(mut self) {
        while self.shared.open() {
            if let Err(error) = self.converse().await {
                let url = &self.shared.config.url;
                log::debug!(target: "compute", "worker {url}: {error}");
            }
            if self.shared.dead() {
                self.give_up();
            }
            tokio::time::sleep(self.shared.config.refresh).await;
        }
    }

    /// Talks until the connection breaks or nobody is interested any more.
    async fn converse(&mut self) -> Result<(), Broken> {
        let config = self.shared.config.clone();
        let connecting = WsClientBuilder::new()
            .request_timeout(config.question)
            .max_request_size(MAX_MESSAGE)
            .max_response_size(MAX_MESSAGE)
            .build(&config.url);
        // The client's own limit ends before the handshake.
        let client = tokio::time::timeout(config.question, connecting)
            .await
            .map_err(|_| Broken::Mute)??;
        // What was sent to a worker that has been started anew since is unknown to it.
        while self.shared.open() {
            self.send_new(&client).await?;
            self.look(&client).await?;
            self.obtain_wanted(&client).await?;
            // Every question above may have been about nothing; the last one never is.
            self.shared.hear();
            let woken = self.shared.wake.notified();
            // Either way it is time to look.
            let _ = tokio::time::timeout(config.refresh, woken).await;
        }
        Ok(())
    }

    async fn send_new(&mut self, client: &WsClient) -> Result<(), Broken> {
        while self.sent.len() < self.shared.config.waiting {
            let heard = Arc::<Heard>::default();
            let next = self.shared.jobs.lock().take(Class::Training, heard.clone());
            let Some(spec) = next else {
                return Ok(());
            };
            // Noted before it is sent: if that fails it is sent again.
            self.sent.insert(spec.id(), (spec.clone(), heard));
            self.send(client, spec).await?;
        }
        Ok(())
    }

    async fn send(&mut self, client: &WsClient, spec: JobSpec) -> Result<(), Broken> {
        let accepted: Result<(), JobFailure> = ask(client, ENQUEUE, Some(to_text(&spec))).await?;
        if let Err(refusal) = accepted {
            self.finish(spec.id(), Err(refusal));
        }
        Ok(())
    }

    async fn look(&mut self, client: &WsClient) -> Result<(), Broken> {
        let jobs: Vec<JobId> = self.sent.keys().copied().collect();
        for some in jobs.chunks(MOST_JOBS) {
            let standings: Vec<Standing> = ask(client, STANDING, Some(to_text(&some.to_vec()))).await?;
            if standings.len() != some.len() {
                return Err(Broken::Nonsense);
            }
            for (job, standing) in some.iter().zip(standings) {
                match standing.bounded() {
                    Standing::Done(result) => self.finish(*job, Ok(result)),
                    Standing::Failed(failure) => self.finish(*job, Err(failure)),
                    Standing::Pending(partial) => {
                        if let Some((_, heard)) = self.sent.get(job) {
                            *heard.0.lock() = partial;
                        }
                    }
                    Standing::Unknown => {
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

    async fn obtain_wanted(&self, client: &WsClient) -> Result<(), Broken> {
        let wanted: Vec<BlobId> = ask(client, WANTED, None).await?;
        for blob in wanted.into_iter().take(MOST_WANTED) {
            if !self.obtaining.lock().insert(blob) {
                continue;
            }
            let (blobs, obtaining) = (self.blobs.clone(), self.obtaining.clone());
            tokio::spawn(async move {
                if let Err(error) = blobs.obtain(blob).await {
                    log::warn!(target: "compute", "for the worker: {error}");
                }
                obtaining.lock().remove(&blob);
            });
        }
        Ok(())
    }

    fn finish(&mut self, job: JobId, outcome: Result<agorai_primitives::job::JobResult, JobFailure>) {
        self.sent.remove(&job);
        self.shared.jobs.lock().finish(job, outcome);
    }

    /// The worker is dead: nothing stays pending.
    fn give_up(&mut self) {
        let mut jobs = self.shared.jobs.lock();
        for (job, _) in self.sent.drain() {
            jobs.finish(job, Err(JobFailure::Interrupted));
        }
        while let Some(spec) = jobs.take(Class::Training, Arc::new(Heard::default())) {
            jobs.finish(spec.id(), Err(JobFailure::NoEngine));
        }
    }
}

async fn ask<T: codec::Decode>(client: &WsClient, method: &str, argument: Option<String>) -> Result<T, Broken> {
    let text: String = match argument {
        Some(argument) => client.request(method, rpc_params![argument]).await?,
        None => client.request(method, rpc_params![]).await?,
    };
    from_text(&text, MAX_MESSAGE as usize).ok_or(Broken::Nonsense)
}

#[cfg(test)]
mod tests;
