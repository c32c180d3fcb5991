// SPDX-License-Identifier: GPL-3.0-only
use super::*;
use crate::{
    missing_blobs::MissingBlobs,
    server::serve,
    testing::{generate, generated, until, Script, ScriptedProgress, ScriptedRunner},
    JobRunner, Worker, WorkerConfig,
};
use agorai_blobs::{FetchError, NoSource, Source, Store, StoreLimits};
use jsonrpsee::server::ServerHandle;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A worker in its own async runtime, which a test can shut down as if the process were killed.
struct TestWorker {
    runtime: Option<Runtime>,
    address: SocketAddr,
    _server: ServerHandle,
}

impl TestWorker {
    fn start<R: JobRunner>(listen: &str, runner: R, missing: Arc<MissingBlobs>) -> Self {
        let runtime = Runtime::new().unwrap();
        let engine = Arc::new(Worker::start(runner, WorkerConfig::default()).unwrap());
        let start = Instant::now();
        let (address, server) = loop {
            let listening = serve(listen.parse().unwrap(), engine.clone(), missing.clone());
            match runtime.block_on(listening) {
                Ok(served) => break served,
                // The port of a worker that was just killed may still be in use.
                Err(error) => assert!(start.elapsed() < Duration::from_secs(10), "{error}"),
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

impl Drop for TestWorker {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Setup {
    node: Runtime,
    folder: TempDir,
    store: Arc<Store>,
}

fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), StoreLimits::default()).unwrap());
    Setup {
        node: Runtime::new().unwrap(),
        folder,
        store,
    }
}

impl Setup {
    fn missing_blobs(&self) -> Arc<MissingBlobs> {
        MissingBlobs::new(self.store.clone(), Duration::from_secs(10))
    }

    fn remote(&self, address: SocketAddr, source: Arc<dyn Source>) -> RemoteEngine {
        let config = RemoteConfig {
            poll_interval: Duration::from_millis(20),
            request_timeout: Duration::from_millis(500),
            grace_period: Duration::from_millis(1500),
            ..RemoteConfig::new(format!("ws://{address}"))
        };
        let handle = self.node.handle();
        let blobs = Blobs::new(self.store.clone(), source, handle.clone());
        RemoteEngine::start(config, blobs, handle)
    }
}

#[test]
fn job_runs_in_the_worker_and_returns_its_result() {
    let setup = setup();
    let script = Arc::<Script>::default();
    let runner = ScriptedRunner(script.clone());
    let worker = TestWorker::start("127.0.0.1:0", runner, setup.missing_blobs());
    let remote = setup.remote(worker.address, Arc::new(NoSource));
    let spec = generate(1);
    assert_eq!(remote.poll(spec.id()), JobStatus::Unknown);
    remote.enqueue(spec.clone()).unwrap();
    remote.enqueue(spec.clone()).unwrap();
    assert_eq!(remote.poll(spec.id()), JobStatus::Pending);
    script.set_partial(b"par");
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
fn dead_worker_interrupts_its_jobs_and_refuses_new_ones() {
    let setup = setup();
    let script = Arc::<Script>::default();
    let runner = ScriptedRunner(script.clone());
    let mut worker = TestWorker::start("127.0.0.1:0", runner, setup.missing_blobs());
    let remote = setup.remote(worker.address, Arc::new(NoSource));
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| script.started() == 1);
    worker.kill();
    until(|| remote.poll(spec.id()) == JobStatus::Failed(JobFailure::Interrupted));
    assert_eq!(remote.enqueue(generate(2)), Err(JobFailure::NoEngine));
}

#[test]
fn job_is_sent_again_to_a_restarted_worker() {
    let setup = setup();
    let script = Arc::<Script>::default();
    let runner = ScriptedRunner(script.clone());
    let mut worker = TestWorker::start("127.0.0.1:0", runner, setup.missing_blobs());
    let remote = setup.remote(worker.address, Arc::new(NoSource));
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| script.started() == 1);
    worker.kill();

    let second = Arc::<Script>::default();
    let listen = worker.address.to_string();
    let runner = ScriptedRunner(second.clone());
    let _worker = TestWorker::start(&listen, runner, setup.missing_blobs());
    until(|| second.started() == 1);
    second.finish(Ok(generated(b"again")));
    until(|| remote.poll(spec.id()) == JobStatus::Done(generated(b"again")));
}

#[test]
fn jobs_fail_when_no_worker_listens() {
    let setup = setup();
    // Accepts connections and sends nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unused = closed.local_addr().unwrap();
    drop(closed);
    for address in [silent.local_addr().unwrap(), unused] {
        let remote = setup.remote(address, Arc::new(NoSource));
        let spec = generate(1);
        remote.enqueue(spec.clone()).unwrap();
        until(|| remote.poll(spec.id()) == JobStatus::Failed(JobFailure::NoEngine));
        assert_eq!(remote.enqueue(spec), Err(JobFailure::NoEngine));
    }
}

/// A source that has one blob, with these bytes.
struct OneBlob(Arc<Store>, Vec<u8>);

#[async_trait::async_trait]
impl Source for OneBlob {
    async fn fetch(&self, blob: BlobId) -> Result<(), FetchError> {
        match self.0.put(&self.1) {
            Ok(put) if put == blob => Ok(()),
            _ => Err(FetchError::NoSource(blob)),
        }
    }
}

/// A runner whose result is the content of a blob.
struct BlobReader(Blobs, BlobId);

impl JobRunner for BlobReader {
    type Progress = ScriptedProgress;

    fn run(&self, _: &JobSpec, _: &Self::Progress) -> Result<JobResult, JobFailure> {
        let bytes = self.0.get_blocking(self.1);
        bytes
            .map(|bytes| generated(&bytes))
            .map_err(|_| JobFailure::BlobUnavailable)
    }
}

#[test]
fn blob_that_the_worker_misses_is_fetched_by_the_node() {
    let setup = setup();
    let shared = Arc::new(Store::open(setup.folder.path(), StoreLimits::default()).unwrap());
    let missing = MissingBlobs::new(shared.clone(), Duration::from_secs(10));
    let worker_runtime = Runtime::new().unwrap();
    let blobs = Blobs::new(shared, missing.clone(), worker_runtime.handle().clone());
    let runner = BlobReader(blobs, BlobId::of(b"weights"));
    let worker = TestWorker::start("127.0.0.1:0", runner, missing);

    let source = Arc::new(OneBlob(setup.store.clone(), b"weights".to_vec()));
    let remote = setup.remote(worker.address, source);
    let spec = generate(1);
    remote.enqueue(spec.clone()).unwrap();
    until(|| remote.poll(spec.id()) == JobStatus::Done(generated(b"weights")));
}
