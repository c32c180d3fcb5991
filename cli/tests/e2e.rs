// SPDX-License-Identifier: GPL-3.0-only
//! End to end: networks of four real nodes on loopback, used as a user uses them.
//!
//! Each test starts its own network, so nextest runs them one after the other (see `.config/nextest.toml`).
//! They run the `agorai-node` of the same build, beside the tests' target folder or in `AGORAI_NODE`, and the examples
//! `faulty-node` and `faulty-worker` in the folder `examples` beside it.
#![allow(clippy::unwrap_used)]

use agorai_cli::{
    args::{Promotion, DEFAULT_PRICE, DEFAULT_REWARD, DEFAULT_SHARES},
    chain::{
        signer,
        value::{self, Read},
        Call, Chain, Event,
    },
    commands::{
        dataset::{self, Publication},
        infer::{self, Asked, Question},
        model::{self, Creation},
        train,
    },
    corpus::CorpusFile,
    demo::wait_for_finality,
    localnet::{find_node, free_base_port, Network, Settings, NAMES},
    manifest,
    output::Output,
    weights, Error, Kind, Result,
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
    time::{sleep, Instant},
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

fn within(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
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
        assert!(Instant::now() < deadline, "the faulty worker does not listen: {text}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A network in a folder that is removed if the test passes, and kept with its logs if it fails.
struct Site {
    network: Network,
    chain: Chain,
    out: Output,
    folder: Option<tempfile::TempDir>,
    _workers: Vec<Child>,
}

impl Site {
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
        // From here on a failure keeps the folder.
        let kept = folder.path().to_path_buf();
        let mut network = Network::start(&settings, &out)
            .await
            .unwrap_or_else(|e| panic!("{e}; {}", kept.display()));
        let chain = Chain::connect(&network.url(ALICE)).await.unwrap();
        wait_for_finality(&mut network, &chain, 1, within(120), &out)
            .await
            .unwrap();
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
        let creation = Creation {
            name: "e2e model".to_owned(),
            architecture,
            weights: weights::fresh(&architecture, 1).unwrap(),
            price: DEFAULT_PRICE,
            promotion: Promotion::LossFell,
        };
        model::create(&self.chain, &key(owner), &creation, &self.out)
            .await
            .unwrap()
            .model
    }

    /// The first event from block `from` on that `is`.
    async fn event(&self, from: u32, seconds: u64, is: impl Fn(&Event) -> bool) -> Result<(u32, Event)> {
        let mut follow = self.chain.follow(from);
        let deadline = within(seconds);
        loop {
            let (block, event) = follow.next(deadline).await?;
            if is(&event) {
                return Ok((block, event));
            }
        }
    }

    async fn end(mut self) {
        for node in 0..self.network.len() {
            self.network.kill(node).await.unwrap();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let (true, Some(folder)) = (std::thread::panicking(), self.folder.take()) {
            eprintln!("the network's folder is kept: {}", folder.keep().display());
        }
    }
}

fn question(model: ModelId, prompt: &str) -> Question {
    Question {
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

fn publication(text: &str, manifest: Option<Vec<u8>>) -> Publication {
    Publication {
        name: "e2e".to_owned(),
        licence: "CC0-1.0".to_owned(),
        parent: None,
        manifest,
        owner_only: false,
        files: vec![CorpusFile::from_bytes("corpus.txt", text.as_bytes().to_vec()).unwrap()],
    }
}

/// Text in which there is something to learn, and no two parts are alike.
fn corpus() -> String {
    (0..12_000u32)
        .map(|i| format!("line {i} of the agora, {}\n", i.wrapping_mul(2_654_435_761)))
        .collect()
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T>, name: &str) {
    let error: Error = outcome.unwrap_err();
    assert_eq!(error.kind, Kind::Refused, "{error}");
    assert!(error.name.contains(name), "{error}");
}

/// (a) A wrong claim, (c) wrong bytes of a peer, and bad input, on one network in which Dave answers wrongly
/// and Charlie serves wrong bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_bad_input_are_refused_and_users_still_get_what_they_pay_for() {
    let site = Site::start(&[(DAVE, Fault::WrongAnswers), (CHARLIE, Fault::CorruptChunks)]).await;
    wrong_bytes_are_rejected_and_the_blob_comes_from_another_peer(&site).await;
    let model = site.create_model("//Bob").await;
    bad_input_is_refused_each_with_its_own_error(&site, model).await;
    wrong_claim_is_refused_and_slashed_and_another_answers(&site, model).await;
    site.end().await;
}

async fn wrong_bytes_are_rejected_and_the_blob_comes_from_another_peer(site: &Site) {
    let connect = |node| {
        let url = site.network.url(node);
        async move { Chain::connect(&url).await.unwrap().rpc().clone() }
    };
    let (bob, charlie, dave) = (connect(BOB).await, connect(CHARLIE).await, connect(DAVE).await);
    // Which peer is asked first is not ours to choose: with some blobs, Charlie is asked sooner or later.
    let log = site.network.log(DAVE);
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
    assert!(rejected, "Charlie's wrong bytes were never seen by Dave");
}

async fn bad_input_is_refused_each_with_its_own_error(site: &Site, model: ModelId) {
    let (chain, out) = (&site.chain, &site.out);
    let next = || async {
        let next = chain.read("Datasets", "NextDataset", vec![]).await.unwrap();
        next.and_then(|next| next.uint())
    };
    let before = next().await;
    let text = corpus();
    let malformed = publication(&text, Some(b"{\"name\": 1}".to_vec()));
    let error = dataset::publish(chain, &key("//Eve"), &malformed, out)
        .await
        .unwrap_err();
    assert_eq!(error.name, "ManifestMalformed");
    let mut described = manifest::describe("e2e", "CC0-1.0", &malformed.files);
    described["distribution"][0]["sha256"] = "0".repeat(64).into();
    let wrong = publication(&text, Some(described.to_string().into_bytes()));
    let error = dataset::publish(chain, &key("//Eve"), &wrong, out).await.unwrap_err();
    assert_eq!(error.name, "ManifestWrongHash");
    assert_eq!(next().await, before);

    let unknown = question(ModelId::MAX, "hello");
    let error = infer::ask(chain, &key("//Eve"), &unknown, out).await.unwrap_err();
    assert_eq!((error.kind, error.name.as_str()), (Kind::Refused, "UnknownModel"));
    let long = question(model, &"long ".repeat(1_000));
    let error = infer::ask(chain, &key("//Eve"), &long, out).await.unwrap_err();
    assert_eq!((error.kind, error.name.as_str()), (Kind::Usage, "PromptTooLong"));

    // The same, and more, unchecked by the client: the chain has an error for each. Different accounts,
    // so that nobody waits for another's nonce.
    let (eve, ferdie, one, two) = (
        key("//Eve"),
        key("//Ferdie"),
        key("//Alice//stash"),
        key("//Bob//stash"),
    );
    let cheap = question(model, "hello");
    let too_long = question(model, &"a".repeat(300));
    let bond = |signer| {
        let call = Call::new(
            "Validators",
            "bond",
            [("amount", value::number(1_000_000_000_000_000u128))],
        );
        async move { chain.submit(signer, call, &|_| ()).await }
    };
    let alice = key("//Alice");
    let (unknown, cheap, too_long, withdrawn, bonded) = tokio::join!(
        infer::send(chain, &eve, &unknown, u128::from(u64::MAX), out),
        infer::send(chain, &ferdie, &cheap, 1, out),
        infer::send(chain, &one, &too_long, 1_000 * DEFAULT_PRICE, out),
        chain.submit(
            &two,
            Call::new("Datasets", "withdraw", [("dataset", value::number(u32::MAX))]),
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

async fn wrong_claim_is_refused_and_slashed_and_another_answers(site: &Site, model: ModelId) {
    let (chain, out) = (&site.chain, &site.out);
    let dave = account("//Dave");
    let same = question(model, "In the agora");
    let users = [
        "//Bob",
        "//Charlie",
        "//Eve",
        "//Ferdie",
        "//Alice//stash",
        "//Bob//stash",
    ]
    .map(key);
    // The executor is drawn by bond: ask until it is Dave's turn.
    let mut asked: Vec<Asked> = Vec::new();
    for _ in 0..5 {
        let sends = users.each_ref().map(|user| infer::ask(chain, user, &same, out));
        let [a, b, c, d, e, f] = sends;
        let (a, b, c, d, e, f) = tokio::join!(a, b, c, d, e, f);
        for one in [a, b, c, d, e, f] {
            asked.push(one.unwrap());
        }
        if asked.iter().any(|one| one.executor == dave) {
            break;
        }
    }
    let daves = asked.iter().find(|one| one.executor == dave).unwrap();
    let answer = infer::settle(chain, &[], daves, within(180), out).await.unwrap();
    assert!(answer.refused.contains(&dave), "{answer:?}");
    assert_ne!(answer.executor, dave);
    assert!(answer.claim_settled && answer.receipts > 0, "{answer:?}");
    let (_, slashed) = site
        .event(daves.block, 60, |event| event.is("Validators", "Slashed"))
        .await
        .unwrap();
    assert_eq!(slashed.hash("who").unwrap(), dave);
    assert!(slashed.number::<u128>("amount").unwrap() > 0);
    // The right answer is the one that an honest executor gives to the same question.
    let honest = asked.iter().find(|one| one.executor != dave).unwrap();
    let expected = infer::settle(chain, &[], honest, within(180), out).await.unwrap();
    assert_eq!(answer.output, expected.output);
    assert!(!answer.output.is_empty());
}

/// (b) A validator is killed in the middle of a round and started again: the rounds complete, and what was
/// accepted is still there, also on that validator.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_complete_when_a_validator_is_killed_and_started_again() {
    const ROUNDS: u32 = 2;
    let mut site = Site::start(&[]).await;
    let owner = key("//Alice");
    let published = dataset::publish(&site.chain, &owner, &publication(&corpus(), None), &site.out)
        .await
        .unwrap();
    let model = site.create_model("//Alice").await;
    let plan = train::Plan {
        model,
        datasets: vec![published.dataset],
        rounds: ROUNDS,
        recipe: Recipe::SMALL,
        reward: DEFAULT_REWARD,
        shares: DEFAULT_SHARES,
        minimum_workers: 3,
    };
    let started = train::start(&site.chain, &owner, &plan, &site.out).await.unwrap();
    // In the middle of the round: somebody has contributed already.
    let (_, contributed) = site
        .event(started.block, 120, |event| event.is("Training", "Contributed"))
        .await
        .unwrap();
    site.network.kill(DAVE).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    let dave = site.network.restart(DAVE).await.unwrap();

    let outcome = train::watch(&site.chain, started.plan, ROUNDS, started.block, within(300), &site.out)
        .await
        .unwrap();
    assert_eq!(outcome.rounds.len(), ROUNDS as usize);
    let first = &outcome.rounds[0];
    assert!(first.workers.contains(&contributed.hash("worker").unwrap()));
    assert!(outcome.rounds.iter().all(|round| round.workers.len() >= 3));

    // The restarted validator has the same chain and can serve every accepted version.
    let deadline = within(60);
    while dave.finalized().await.unwrap() < outcome.block {
        assert!(Instant::now() < deadline, "Dave does not catch up");
        sleep(Duration::from_millis(500)).await;
    }
    for round in &outcome.rounds {
        let weights = model::version_weights(&dave, model, round.version).await.unwrap();
        assert_eq!(weights.as_deref(), Some(round.weights.as_str()));
        let bytes = dave.rpc().blob_get(&round.weights.parse().unwrap()).await.unwrap();
        assert!(bytes.len() as u64 >= 4 * Architecture::SMALL.parameters());
    }
    site.end().await;
}
