// SPDX-License-Identifier: GPL-3.0-only
use super::*;
use crate::{
    server::{serve, Wanted},
    testing::{generate, generated, until, Script, ScriptedRun},
    Run, Worker, WorkerConfig,
};
use agorai_blobs::{Limits, Nowhere, Source, Store};
use agorai_primitives::job::JobResult;
use jsonrpsee::server::ServerHandle;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A worker process, but in a runtime of its own that can be stopped at any moment.
struct Process {
    runtime: Option<Runtime>,
    address: SocketAddr,
    _server: ServerHandle,
}

impl Process {
    fn start<R: Run>(listen: &str, run: R, wanted: Arc<Wanted>) -> Self {
        let runtime = Runtime::new().unwrap();
        let engine = Arc::new(Worker::start(run, WorkerConfig::default()).unwrap());
        let begin = Instant::now();
        let (address, server) = loop {
            let listening = serve(listen.parse().unwrap(), engine.clone(), wanted.clone());
            match runtime.block_on(listening) {
                Ok(served) => break served,
                // The port of a process that was just killed.
                Err(error) => assert!(begin.elapsed() < Duration::from_secs(10), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Self {
            runtime: Some(runtime),
            address,
            _server: server,
        }
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Scene {
    node: Runtime,
    folder: TempDir,
    store: Arc<Store>,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), Limits::default()).unwrap());
    Scene {
        node: Runtime::new().unwrap(),
        folder,
        store,
    }
}

impl Scene {
    fn wanted(&self) -> Arc<Wanted> {
        Wanted::new(self.store.clone(), Duration::from_secs(10))
    }

    fn remote(&self, address: SocketAddr, source: Arc<dyn Source>) -> Remote {
        let config = RemoteConfig {
            refresh: Duration::from_millis(20),
            question: Duration::from_millis(500),
            grace: Duration::from_millis(1500),
            ..RemoteConfig::new(format!("ws://{address}"))
        };
        let handle = self.node.handle();
        let blobs = Blobs::new(self.store.clone(), source, handle.clone());
        Remote::start(config, blobs, handle)
    }
}

#[test]
fn job_runs_in_the_worker_and_its_result_comes_back() {
    let scene = scene();
    let script = Arc::<Script>::default();
    let run = ScriptedRun(script.clone());
    let process = Process::start("127.0.0.1:0", run, scene.wanted());
    let remote = scene.remote(process.address, Arc::new(Nowhere));
    let spec = generate(1);
    assert_eq!(remote.poll(spec.id()), JobStatus::Unknown);
    remote.enqueue(spec.clone()).unwrap();
    remote.enqueue(spec.clone()).unwrap();
    assert_eq!(remote.poll(spec.id()), JobStatus::Pending);
    script.yield_partial(b"par");
    until(|| remote.partial(spec.id()) == b"par");
    script.finish(Ok(generated(b"partial")));
    until(|| remote.poll(spec.id()) == JobStatus::Done(generated(b"partial")));
    assert_eq!(script.started(), 1);

    let failing = generate(2);
    remote.enqueue(failing.clone()).unwrap();
    script.finish(Err(JobFailure::Invalid));
    until(|| remote.poll(failing.id()) == JobStatus::Failed(JobFailure::Invalid));
}

#[test]
fn death_of_the_worker_interrupts_its_jobs_and_later_ones_have_no_engine() {
    let scene = scene();
    let script = Arc::<Script>::default();
    let run = ScriptedRun(script.clone());
    let mut process = Process::start("127.0.0.1:0", run, scene.wanted());
    let remote = scene.remote(process.address, Arc::new(Nowhere));
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| script.started() == 1);
    process.kill();
    until(|| remote.poll(spec.id()) == JobStatus::Failed(JobFailure::Interrupted));
    assert_eq!(remote.enqueue(generate(2)), Err(JobFailure::NoEngine));
}

#[test]
fn job_is_sent_again_to_a_worker_that_was_started_anew() {
    let scene = scene();
    let script = Arc::<Script>::default();
    let run = ScriptedRun(script.clone());
    let mut process = Process::start("127.0.0.1:0", run, scene.wanted());
    let remote = scene.remote(process.address, Arc::new(Nowhere));
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| script.started() == 1);
    process.kill();

    let second = Arc::<Script>::default();
    let listen = process.address.to_string();
    let run = ScriptedRun(second.clone());
    let _process = Process::start(&listen, run, scene.wanted());
    until(|| second.started() == 1);
    second.finish(Ok(generated(b"again")));
    until(|| remote.poll(spec.id()) == JobStatus::Done(generated(b"again")));
}

#[test]
fn jobs_fail_when_no_worker_or_something_else_listens() {
    let scene = scene();
    // Accepts connections and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    for address in [mute.local_addr().unwrap(), nobody] {
        let remote = scene.remote(address, Arc::new(Nowhere));
        let spec = generate(1);
        remote.enqueue(spec.clone()).unwrap();
        until(|| remote.poll(spec.id()) == JobStatus::Failed(JobFailure::NoEngine));
        assert_eq!(remote.enqueue(spec), Err(JobFailure::NoEngine));
    }
}

/// Brings any blob whose content is known.
struct Peer(Arc<Store>, Vec<u8>);

#[async_trait::async_trait]
impl Source for Peer {
    async fn obtain(&self, blob: BlobId) -> Result<(), agorai_blobs::exchange::FetchError> {
        match self.0.put(&self.1) {
            Ok(put) if put == blob => Ok(()),
            _ => Err(agorai_blobs::exchange::FetchError::Nowhere(blob)),
        }
    }
}

/// Reads a blob from the shared folder and answers with it.
struct Reader(Blobs, BlobId);

impl Run for Reader {
    type Progress = crate::testing::ScriptedProgress;

    fn run(&self, _: &JobSpec, _: &Self::Progress) -> Result<JobResult, JobFailure> {
        let bytes = self.0.get_blocking(self.1);
        bytes
            .map(|bytes| generated(&bytes))
            .map_err(|_| JobFailure::BlobUnavailable)
    }
}

#[test]
fn blob_that_the_worker_lacks_is_obtained_by_the_node() {
    let scene = scene();
    let shared = Arc::new(Store::open(scene.folder.path(), Limits::default()).unwrap());
    let wanted = Wanted::new(shared.clone(), Duration::from_secs(10));
    let waiting = Runtime::new().unwrap();
    let blobs = Blobs::new(shared, wanted.clone(), waiting.handle().clone());
    let run = Reader(blobs, BlobId::of(b"weights"));
    let process = Process::start("127.0.0.1:0", run, wanted);

    let peer = Arc::new(Peer(scene.store.clone(), b"weights".to_vec()));
    let remote = scene.remote(process.address, peer);
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| remote.poll(spec.id()) == JobStatus::Done(generated(b"weights")));
}
