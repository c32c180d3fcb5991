// SPDX-License-Identifier: GPL-3.0-only
//! End-to-end tests: networks of four nodes on loopback, used through the library of the command line.
//!
//! Each test starts its own network, so nextest runs them one after the other (see `.config/nextest.toml`). They need
//! the `agorai-node` of the same build, in the target folder of the tests or in `AGORAI_NODE`, and the examples
//! `faulty-node` and `faulty-worker` in the folder `examples` beside it.
#![allow(clippy::unwrap_used)]

use agorai_cli::{
    args::{Promotion, DEFAULT_PRICE, DEFAULT_REWARD, DEFAULT_SHARES},
    chain::{
        signer,
        value::{self, ReadValue},
        Call, Chain, Event, EventStream,
    },
    commands::{
        dataset::{self, NewDataset},
        infer::{self, Request, SubmittedRequest},
        model::{self, NewModel},
        train,
    },
    corpus::CorpusFile,
    deadline::{Awaited, Deadline},
    localnet::{find_node, free_base_port, Network, Settings, NAMES},
    manifest,
    output::Output,
    weights, Error, ErrorKind, Result,
};
use agorai_primitives::{job::Sampling, model::Architecture, training::Recipe, ModelId};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use subxt_signer::sr25519::Keypair;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const CHARLIE: usize = 2;
const DAVE: usize = 3;

fn key(uri: &str) -> Keypair {
    signer::from_uri(uri).unwrap()
}

fn account(uri: &str) -> String {
    hex::encode(key(uri).public_key().0)
}

fn within(seconds: u64) -> Deadline {
    Deadline::after_seconds(seconds)
}

async fn connect(url: &str) -> Chain {
    Chain::connect(url, within(60)).await.unwrap()
}

/// How a validator of the network is faulty.
#[derive(Clone, Copy)]
enum Fault {
    /// Its worker process reports a wrong output for every generation.
    WrongAnswers,
    /// It corrupts every blob chunk that it serves.
    CorruptChunks,
}

/// Starts the worker that reports wrong answers, on the blob folder below `node_folder`. Returns the process and the
/// address on which it listens.
async fn faulty_worker(binary: &Path, node_folder: &Path) -> (Child, String) {
    fs::create_dir_all(node_folder).unwrap();
    let log = node_folder.join("worker.log");
    let file = File::create(&log).unwrap();
    let process = Command::new(binary)
        .args(["--listen", "127.0.0.1:0", "--blobs"])
        .arg(node_folder.join("blobs"))
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
    let deadline = within(30);
    loop {
        let text = fs::read_to_string(&log).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("faulty-worker listens on "));
        if let Some(address) = line {
            return (process, address.to_owned());
        }
        assert!(!deadline.is_expired(), "the faulty worker does not listen: {text}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A network in a folder that is removed if the test passes, and kept with its logs if it fails.
struct TestNetwork {
    network: Network,
    chain: Chain,
    out: Output,
    folder: Option<tempfile::TempDir>,
    _workers: Vec<Child>,
}

impl TestNetwork {
    async fn start(faults: &[(usize, Fault)]) -> Self {
        let folder = tempfile::Builder::new().prefix("agorai-e2e-").tempdir().unwrap();
        let node = find_node(None).unwrap();
        let example = |name| -> PathBuf { node.with_file_name("examples").join(name) };
        let (mut workers, mut extra, mut binaries) = (Vec::new(), Vec::new(), Vec::new());
        for (index, fault) in faults {
            match fault {
                Fault::WrongAnswers => {
                    let node_folder = folder.path().join(NAMES[*index]);
                    let (worker, address) = faulty_worker(&example("faulty-worker"), &node_folder).await;
                    workers.push(worker);
                    extra.push((*index, vec!["--compute".to_owned(), address]));
                }
                Fault::CorruptChunks => binaries.push((*index, example("faulty-node"))),
            }
        }
        let settings = Settings {
            validators: 4,
            dir: folder.path().to_path_buf(),
            base_port: free_base_port(4).unwrap(),
            extra,
            binaries,
            node,
        };
        let out = Output::new(true);
        // A failure from here on keeps the folder.
        let kept = folder.path().to_path_buf();
        let mut network = Network::start(&settings, &out)
            .await
            .unwrap_or_else(|e| panic!("{e}; {}", kept.display()));
        let chain = connect(&network.url(ALICE)).await;
        network.wait_for_finality(&chain, 1, within(120), &out).await.unwrap();
        Self {
            network,
            chain,
            out,
            folder: Some(folder),
            _workers: workers,
        }
    }

    async fn create_model(&self, owner: &str) -> ModelId {
        let architecture = Architecture::SMALL;
        let model = NewModel {
            name: "e2e model".to_owned(),
            architecture,
            weights: weights::initialize(&architecture, 1).unwrap(),
            price: DEFAULT_PRICE,
            promotion: Promotion::LossFell,
        };
        model::create(&self.chain, &key(owner), &model, &self.out)
            .await
            .unwrap()
            .model
    }

    /// Returns the first event from block `from` on for which `is` holds, and its block.
    async fn event(&self, from: u32, seconds: u64, is: impl Fn(&Event) -> bool) -> Result<(u32, Event)> {
        let mut events = EventStream::new(&self.chain, from);
        let deadline = within(seconds);
        let awaited = Awaited::new("an event", "see the nodes' logs");
        loop {
            let (block, event) = events.next(deadline, &awaited).await?;
            if is(&event) {
                return Ok((block, event));
            }
        }
    }

    async fn stop(mut self) {
        for node in 0..self.network.len() {
            self.network.kill(node).await.unwrap();
        }
    }
}

impl Drop for TestNetwork {
    fn drop(&mut self) {
        if let (true, Some(folder)) = (std::thread::panicking(), self.folder.take()) {
            eprintln!("the network's folder is kept: {}", folder.keep().display());
        }
    }
}

fn request(model: ModelId, prompt: &str) -> Request {
    Request {
        model,
        prompt: prompt.to_owned(),
        sampling: Sampling {
            max_tokens: 16,
            temperature_milli: 800,
            top_k: 0,
            top_p_milli: 0,
            seed: 5,
            stop: None,
        },
        max_fee: None,
    }
}

fn new_dataset(text: &str, manifest: Option<Vec<u8>>) -> NewDataset {
    NewDataset {
        name: "e2e".to_owned(),
        licence: "CC0-1.0".to_owned(),
        parent: None,
        manifest,
        owner_only: false,
        files: vec![CorpusFile::from_bytes("corpus.txt", text.as_bytes().to_vec()).unwrap()],
    }
}

/// Text with a learnable structure and no two equal parts.
fn corpus() -> String {
    (0..12_000u32)
        .map(|i| format!("line {i} of the agora, {}\n", i.wrapping_mul(2_654_435_761)))
        .collect()
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T>, name: &str) {
    let error: Error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.name.contains(name), "{error}");
}

/// A wrong claim, a corrupt blob and invalid input, on a network in which Dave answers wrongly and Charlie serves
/// corrupt blobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_invalid_input_are_refused_and_requests_are_still_answered() {
    let testnet = TestNetwork::start(&[(DAVE, Fault::WrongAnswers), (CHARLIE, Fault::CorruptChunks)]).await;
    corrupt_blob_is_rejected_and_fetched_from_another_peer(&testnet).await;
    let model = testnet.create_model("//Bob").await;
    each_invalid_input_is_refused_with_its_own_error(&testnet, model).await;
    wrong_claim_is_refused_and_slashed_and_another_validator_answers(&testnet, model).await;
    testnet.stop().await;
}

async fn corrupt_blob_is_rejected_and_fetched_from_another_peer(testnet: &TestNetwork) {
    let rpc = |node| {
        let url = testnet.network.url(node);
        async move { connect(&url).await.rpc().clone() }
    };
    let (bob, charlie, dave) = (rpc(BOB).await, rpc(CHARLIE).await, rpc(DAVE).await);
    // The order in which Dave asks its peers is not fixed: over several blobs it asks Charlie at some point.
    let log = testnet.network.log(DAVE);
    let mut rejected = false;
    for i in 0..12u8 {
        let blob: Vec<u8> = (0..1_500_000u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ i)
            .collect();
        let id = bob.blob_put(&blob).await.unwrap();
        assert_eq!(charlie.blob_put(&blob).await.unwrap(), id);
        assert_eq!(dave.blob_get(&id).await.unwrap(), blob);
        let text = std::fs::read_to_string(&log).unwrap();
        rejected = text.contains("sent invalid data for blob");
        if rejected {
            break;
        }
    }
    assert!(rejected, "Dave never rejected a corrupt blob of Charlie");
}

async fn each_invalid_input_is_refused_with_its_own_error(testnet: &TestNetwork, model: ModelId) {
    let (chain, out) = (&testnet.chain, &testnet.out);
    let next = || async {
        let next = chain.read("Datasets", "NextDataset", vec![]).await.unwrap();
        next.and_then(|next| next.uint())
    };
    let before = next().await;
    let text = corpus();
    let malformed = new_dataset(&text, Some(b"{\"name\": 1}".to_vec()));
    let error = dataset::publish(chain, &key("//Eve"), &malformed, out)
        .await
        .unwrap_err();
    assert_eq!(error.name, "ManifestMalformed");
    let mut described = manifest::describe("e2e", "CC0-1.0", &malformed.files);
    described["distribution"][0]["sha256"] = "0".repeat(64).into();
    let wrong = new_dataset(&text, Some(described.to_string().into_bytes()));
    let error = dataset::publish(chain, &key("//Eve"), &wrong, out).await.unwrap_err();
    assert_eq!(error.name, "ManifestWrongHash");
    assert_eq!(next().await, before);

    let unknown = request(ModelId::MAX, "hello");
    let error = infer::submit_checked(chain, &key("//Eve"), &unknown, within(120), out)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Refused, "UnknownModel"));
    let long = request(model, &"long ".repeat(1_000));
    let error = infer::submit_checked(chain, &key("//Eve"), &long, within(120), out)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Usage, "PromptTooLong"));

    // Calls that the client does not check: the chain has an error for each. They are of different accounts, so that
    // their nonces are independent.
    let (eve, ferdie, one, two) = (
        key("//Eve"),
        key("//Ferdie"),
        key("//Alice//stash"),
        key("//Bob//stash"),
    );
    let cheap = request(model, "hello");
    let too_long = request(model, &"a".repeat(300));
    let bond = |signer| {
        let call = Call::new(
            "Validators",
            "bond",
            [("amount", value::uint(1_000_000_000_000_000u128))],
        );
        async move { chain.submit(signer, call, within(120), &|_| ()).await }
    };
    let alice = key("//Alice");
    let (unknown, cheap, too_long, withdrawn, bonded) = tokio::join!(
        infer::submit_unchecked(chain, &eve, &unknown, u128::from(u64::MAX), within(120), out),
        infer::submit_unchecked(chain, &ferdie, &cheap, 1, within(120), out),
        infer::submit_unchecked(chain, &one, &too_long, 1_000 * DEFAULT_PRICE, within(120), out),
        chain.submit(
            &two,
            Call::new("Datasets", "withdraw", [("dataset", value::uint(u32::MAX))]),
            within(120),
            &|_| ()
        ),
        bond(&alice),
    );
    assert_refused(unknown, "UnknownModel");
    assert_refused(cheap, "FeeBelowPrice");
    assert_refused(too_long, "ContextExceeded");
    assert_refused(withdrawn, "UnknownDataset");
    assert_refused(bonded, "AlreadyBonded");
}

async fn wrong_claim_is_refused_and_slashed_and_another_validator_answers(testnet: &TestNetwork, model: ModelId) {
    let (chain, out) = (&testnet.chain, &testnet.out);
    let dave = account("//Dave");
    let request = request(model, "In the agora");
    let users = [
        "//Bob",
        "//Charlie",
        "//Eve",
        "//Ferdie",
        "//Alice//stash",
        "//Bob//stash",
    ]
    .map(key);
    // The executor is drawn by bond: requests are sent until Dave is drawn.
    let mut submitted: Vec<SubmittedRequest> = Vec::new();
    for _ in 0..5 {
        let sends = users
            .each_ref()
            .map(|user| infer::submit_checked(chain, user, &request, within(120), out));
        let [a, b, c, d, e, f] = sends;
        let (a, b, c, d, e, f) = tokio::join!(a, b, c, d, e, f);
        for one in [a, b, c, d, e, f] {
            submitted.push(one.unwrap());
        }
        if submitted.iter().any(|one| one.executor == dave) {
            break;
        }
    }
    let daves = submitted.iter().find(|one| one.executor == dave).unwrap();
    let answer = infer::wait_for_settlement(chain, &[], daves, within(180), out)
        .await
        .unwrap();
    assert!(answer.refused.contains(&dave), "{answer:?}");
    assert_ne!(answer.executor, dave);
    assert!(answer.claim_settled && answer.receipts > 0, "{answer:?}");
    let (_, slashed) = testnet
        .event(daves.block, 60, |event| event.is("Validators", "Slashed"))
        .await
        .unwrap();
    assert_eq!(slashed.hash("who").unwrap(), dave);
    assert!(slashed.uint::<u128>("amount").unwrap() > 0);
    // The correct answer is the one of an honest executor to the same request.
    let honest = submitted.iter().find(|one| one.executor != dave).unwrap();
    let expected = infer::wait_for_settlement(chain, &[], honest, within(180), out)
        .await
        .unwrap();
    assert_eq!(answer.output, expected.output);
    assert!(!answer.output.is_empty());
}

/// A validator is killed during a round and restarted: the rounds complete, and that validator serves all accepted
/// versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_complete_when_a_validator_is_killed_and_restarted() {
    const ROUNDS: u32 = 2;
    let mut testnet = TestNetwork::start(&[]).await;
    let owner = key("//Alice");
    let published = dataset::publish(&testnet.chain, &owner, &new_dataset(&corpus(), None), &testnet.out)
        .await
        .unwrap();
    let model = testnet.create_model("//Alice").await;
    let plan = train::NewPlan {
        model,
        datasets: vec![published.dataset],
        rounds: ROUNDS,
        recipe: Recipe::SMALL,
        reward: DEFAULT_REWARD,
        shares: DEFAULT_SHARES,
        minimum_workers: 3,
    };
    let started = train::start(&testnet.chain, &owner, &plan, within(120), &testnet.out)
        .await
        .unwrap();
    // During the round: a worker has contributed.
    let (_, contributed) = testnet
        .event(started.block, 120, |event| event.is("Training", "Contributed"))
        .await
        .unwrap();
    testnet.network.kill(DAVE).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    let dave = testnet.network.restart(DAVE).await.unwrap();

    let outcome = train::watch(
        &testnet.chain,
        started.plan,
        ROUNDS,
        started.block,
        within(300),
        &testnet.out,
    )
    .await
    .unwrap();
    assert_eq!(outcome.rounds.len(), ROUNDS as usize);
    let first = &outcome.rounds[0];
    assert!(first.workers.contains(&contributed.hash("worker").unwrap()));
    assert!(outcome.rounds.iter().all(|round| round.workers.len() >= 3));

    // The restarted validator has the same chain and serves every accepted version.
    let deadline = within(60);
    while dave.finalized().await.unwrap() < outcome.block {
        assert!(!deadline.is_expired(), "Dave does not catch up");
        sleep(Duration::from_millis(500)).await;
    }
    for round in &outcome.rounds {
        let weights = model::version_weights(&dave, model, round.version).await.unwrap();
        assert_eq!(weights.as_deref(), Some(round.weights.as_str()));
        let bytes = dave.rpc().blob_get(&round.weights.parse().unwrap()).await.unwrap();
        assert!(bytes.len() as u64 >= 4 * Architecture::SMALL.parameters());
    }
    testnet.stop().await;
}
