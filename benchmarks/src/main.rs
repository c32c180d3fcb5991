// SPDX-License-Identifier: Apache-2.0
//! The benchmark: the engine and its peers on the same work, one after the other on an idle machine.
//!
//! `agorai-bench [--strict] [--rounds N] [--out FILE]`; the method is described in docs/bench.md. `agorai-bench serve MODEL`
//! serves one request and prints the peak memory of the process, in bytes; the benchmark runs itself with it.

mod measure;
mod ours;
mod peers;
mod report;
mod system_load;

use measure::{median, Result, THREADS};
use peers::Peers;
use report::{Kind, Row};
use std::{path::PathBuf, process::ExitCode};
use system_load::SystemLoad;

struct Options {
    strict: bool,
    rounds: usize,
    out: PathBuf,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            strict: false,
            rounds: 3,
            out: "target/bench/results.json".into(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--strict" => options.strict = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--out" => options.out = value()?.into(),
                _ => return Err(format!("unknown argument '{argument}'").into()),
            }
        }
        match options.rounds {
            0 => Err("--rounds must be at least 1".into()),
            _ => Ok(options),
        }
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [command, model] = &arguments[..] {
        if command == "serve" {
            println!("{}", ours::serve(model.as_ref())?);
            return Ok(ExitCode::SUCCESS);
        }
    }
    let options = Options::parse(arguments.into_iter())?;
    let peers = Peers::find()?;
    let mut load = SystemLoad::default();
    let mut rows = vec![gemm(&peers, options.rounds, &mut load)?];
    rows.extend(model(&peers, options.rounds, &mut load)?);
    rows.push(training(&peers, options.rounds, &mut load)?);
    report::write(&options.out, &rows)?;
    report::print(&rows);
    let busy = load.excess();
    if let Some(percent) = busy {
        println!("other programs used {percent:.0} % of the CPU time: these figures are not valid");
    }
    let missed = rows.iter().any(|row| row.met() != Some(true));
    Ok(match options.strict && (missed || busy.is_some()) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// The figures of all rounds, ours and the peer's.
struct Rounds {
    ours: Vec<f64>,
    peer: std::result::Result<Vec<f64>, String>,
}

impl Rounds {
    fn new() -> Self {
        Self {
            ours: Vec::new(),
            peer: Ok(Vec::new()),
        }
    }

    /// Adds the figures of a round. The first failure of the peer replaces all of its figures.
    fn push(&mut self, ours: f64, peer: std::result::Result<f64, String>) {
        self.ours.push(ours);
        if let Ok(figures) = &mut self.peer {
            match peer {
                Ok(figure) => figures.push(figure),
                Err(reason) => self.peer = Err(reason),
            }
        }
    }

    fn row(self, kind: Kind) -> Row {
        let peer = self.peer.map(median);
        Row::new(kind, Some(median(self.ours)), peer)
    }
}

/// Measures the matrix product on several shapes; returns the row of the shape with the lowest ratio.
fn gemm(peers: &Peers, rounds: usize, load: &mut SystemLoad) -> Result<Row> {
    let mut shapes: Vec<_> = ours::SHAPES.iter().map(|_| Rounds::new()).collect();
    for round in 1..=rounds {
        load.sample();
        eprintln!("products, round {round} of {rounds}");
        let ours = ours::gemm()?;
        let peer = peers.gemm();
        for (index, (shape, ours)) in shapes.iter_mut().zip(ours).enumerate() {
            let peer = peer.clone().and_then(|speeds| {
                let speed = speeds.get(index).copied();
                speed.ok_or("the gemm crate's output lacks a shape".into())
            });
            shape.push(ours, peer);
        }
    }
    let rows = shapes.into_iter().map(|shape| shape.row(report::GEMM));
    let mut worst: Option<Row> = None;
    for ((m, k, n), row) in ours::SHAPES.into_iter().zip(rows) {
        eprintln!("  {m}x{k}x{n}: {}", row.figures());
        // Without the peer there are no ratios; the first shape is reported.
        if worst.as_ref().is_none_or(|worst| row.ratio() < worst.ratio()) {
            worst = Some(row);
        }
    }
    worst.ok_or("no shapes".into())
}

/// Measures a published model: prefill, decoding, checking, peak memory.
fn model(peers: &Peers, rounds: usize, load: &mut SystemLoad) -> Result<Vec<Row>> {
    let path = match &peers.model {
        Ok(path) => path,
        Err(reason) => {
            let skipped = |kind| Row::new(kind, None, Err(reason.clone()));
            return Ok(report::MODEL.map(skipped).into());
        }
    };
    let [mut prefill_llama, mut decode_llama] = [Rounds::new(), Rounds::new()];
    let [mut prefill_candle, mut decode_candle] = [Rounds::new(), Rounds::new()];
    let [mut check, mut trace, mut threads] = [Rounds::new(), Rounds::new(), Rounds::new()];
    let one = ours::Served::load(path, 1)?;
    let all = ours::Served::load(path, THREADS)?;
    for round in 1..=rounds {
        load.sample();
        eprintln!("model, round {round} of {rounds}");
        // Ours is timed again before each peer, so that the two figures of a ratio are measured close in time.
        let ours = all.speed()?;
        let peer = peers.llama_cpp(path, THREADS);
        prefill_llama.push(ours.prefill, peer.clone().map(|speed| speed.prefill));
        decode_llama.push(ours.decode, peer.map(|speed| speed.decode));
        let ours = all.speed()?;
        let peer = peers.candle(path, THREADS);
        prefill_candle.push(ours.prefill, peer.clone().map(|speed| speed.prefill));
        decode_candle.push(ours.decode, peer.map(|speed| speed.decode));
        threads.push(all.speed()?.prefill, Ok(one.speed()?.prefill));
        let answer = all.answer()?;
        check.push(answer.check, Ok(answer.traced));
        trace.push(answer.traced - answer.plain, Ok(answer.plain));
    }
    let mut memory = Rounds::new();
    memory.push(peers::peak_memory(path)?, Ok(std::fs::metadata(path)?.len() as f64));
    let rounds = [
        prefill_llama,
        decode_llama,
        prefill_candle,
        decode_candle,
        check,
        trace,
        threads,
        memory,
    ];
    let kinds = report::MODEL.into_iter();
    Ok(kinds.zip(rounds).map(|(kind, rounds)| rounds.row(kind)).collect())
}

/// Measures the training step.
fn training(peers: &Peers, rounds: usize, load: &mut SystemLoad) -> Result<Row> {
    let mut training = Rounds::new();
    for round in 1..=rounds {
        load.sample();
        eprintln!("training, round {round} of {rounds}");
        training.push(ours::train(THREADS)?, peers.pytorch(THREADS));
    }
    Ok(training.row(report::TRAIN))
}
