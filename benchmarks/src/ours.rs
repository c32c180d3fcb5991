// SPDX-License-Identifier: Apache-2.0
//! Our side of every comparison: the same work as in `benchmarks/peers`.

use crate::{peers::Speed, report::median, Result};
use agorai_engine::{
    backend::Cpu,
    data::Example,
    decoder::Decoder,
    files::ModelFile,
    generate::{answer, check_answer, Recorders, Request, Sampler},
    memory,
    parallel::ComputeConfig,
    train::{State, Trainer},
    Weights,
};
use agorai_exact::{matmul::matmul, Isa, PackedMatrix};
use agorai_primitives::model::Architecture;
use std::{hint::black_box, path::Path, time::Instant};

/// Rows, inputs and outputs of the products.
pub const SHAPES: [(usize, usize, usize); 4] =
    [(240, 1024, 1024), (480, 2048, 2048), (240, 640, 2048), (60, 2048, 8192)];
/// Tokens decoded after the prompt.
const DECODE: usize = 64;
/// Timed runs of the model after one that warms up.
const RUNS: usize = 3;
/// Timed training steps after two that warm up.
const STEPS: usize = 5;
/// The shape that `benchmarks/peers/pytorch.py` trains.
const TRAINED: Architecture = Architecture {
    vocab: 4096,
    dim: 384,
    layers: 6,
    heads: 6,
    kv_heads: 6,
    ff: 1024,
    context: 256,
    rope_theta: 10_000,
};
const BATCH: usize = 8;

fn compute(threads: usize) -> ComputeConfig {
    ComputeConfig {
        isa: Isa::detect(),
        threads,
    }
}

/// The prompt that all sides read.
fn prompt() -> Vec<u32> {
    (0..128).map(|i| (i * 7919) % 30_000 + 1_000).collect()
}

/// GFLOP/s of each shape, one thread, weights packed before: the median of half a second.
pub fn gemm() -> Result<Vec<f64>> {
    let isa = Isa::detect();
    let numbers = |count: usize| -> Vec<f32> {
        let number = |i: usize| (i * 7919 % 2003) as f32 / 1001.0 - 1.0;
        (0..count).map(number).collect()
    };
    let mut speeds = Vec::new();
    for (m, k, n) in SHAPES {
        let (a, mut out) = (numbers(m * k), vec![0.0; m * n]);
        let b = PackedMatrix::from_out_in(n, k, &numbers(n * k))?;
        let (begin, mut seconds) = (Instant::now(), Vec::new());
        while seconds.len() < 9 || begin.elapsed().as_secs_f64() < 0.5 {
            let start = Instant::now();
            matmul(isa, black_box(&a), &b, black_box(&mut out))?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        speeds.push(2e-9 * (m * k * n) as f64 / median(seconds));
    }
    Ok(speeds)
}

/// Tokens per second of a training step.
pub fn train(threads: usize) -> Result<f64> {
    let sequence = TRAINED.context as usize;
    let tokens = |seed: usize| -> Vec<u32> {
        let token = |i: usize| ((i * 7919 + seed * 104_729) % TRAINED.vocab as usize) as u32;
        (0..sequence).map(token).collect()
    };
    let examples: Vec<_> = (0..BATCH)
        .map(|seed| Example {
            tokens: tokens(seed),
            targets: tokens(seed + BATCH),
        })
        .collect();
    let weights = Weights::init(&TRAINED, 1)?;
    let compute = compute(threads);
    let state = State::start(weights.values.clone());
    let mut trainer = Trainer::new(compute, &TRAINED, &weights.layout, state)?;
    let mut seconds = Vec::new();
    compute.with_pool(|| -> agorai_engine::Result<()> {
        for _ in 0..STEPS + 2 {
            let start = Instant::now();
            trainer.step(&examples, 1e-3)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(())
    })?;
    Ok((BATCH * sequence) as f64 / median(seconds.split_off(2)))
}

/// A model that is loaded to be served.
pub struct Served {
    decoder: Decoder,
    compute: ComputeConfig,
}

/// Seconds for an answer of [`DECODE`] tokens to the prompt.
pub struct Answer {
    /// Making it without a trace.
    pub plain: f64,
    /// Making it with its trace, as workers do.
    pub traced: f64,
    /// Checking it with its trace.
    pub check: f64,
}

impl Served {
    /// Loads a model's file.
    pub fn load(path: &Path, threads: usize) -> Result<Self> {
        let compute = compute(threads);
        let file = ModelFile::open(path)?;
        Ok(Self {
            decoder: Decoder::load(Cpu { compute }, &file, &mut || {})?,
            compute,
        })
    }

    /// How fast it reads and decodes.
    pub fn speed(&self) -> Result<Speed> {
        let (mut prefill, mut decode) = (Vec::new(), Vec::new());
        for _ in 0..=RUNS {
            let speed = self.compute.with_pool(|| self.once())?;
            prefill.push(speed.prefill);
            decode.push(speed.decode);
        }
        Ok(Speed {
            prefill: median(prefill.split_off(1)),
            decode: median(decode.split_off(1)),
        })
    }

    /// Reads and decodes once: up to the first token, and from there on.
    fn once(&self) -> agorai_engine::Result<Speed> {
        let request = self.request(DECODE + 1);
        let mut times = vec![Instant::now()];
        answer(&self.decoder, &request, None, &mut || Ok(()), &mut |_| {
            times.push(Instant::now());
            Ok(())
        })?;
        let seconds = |from: usize, to: usize| (times[to] - times[from]).as_secs_f64();
        Ok(Speed {
            prefill: request.prompt.len() as f64 / seconds(0, 1),
            decode: DECODE as f64 / seconds(1, times.len() - 1),
        })
    }

    /// Of the prompt, for so many tokens.
    fn request(&self, limit: usize) -> Request {
        Request {
            prompt: prompt(),
            limit,
            sampler: Sampler::greedy(self.compute),
            stop: vec![],
        }
    }

    /// How long it takes to answer and to check the answer: the middle of several runs.
    pub fn answer(&self) -> Result<Answer> {
        let request = self.request(DECODE);
        let [mut plain, mut traced, mut check] = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            let (seconds, _) = self.make(&request, false)?;
            plain.push(seconds);
            let (seconds, tokens) = self.make(&request, true)?;
            traced.push(seconds);
            check.push(self.check(&request, &tokens)?);
        }
        Ok(Answer {
            plain: median(plain),
            traced: median(traced),
            check: median(check),
        })
    }

    fn make(&self, request: &Request, trace: bool) -> Result<(f64, Vec<u32>)> {
        let start = Instant::now();
        let tokens = self.compute.with_pool(|| {
            let mut recorders = trace.then(Recorders::default);
            let on_token = &mut |_| Ok(());
            let tokens = answer(&self.decoder, request, recorders.as_mut(), &mut || Ok(()), on_token)?;
            black_box(recorders.map(|recorders| recorders.finish().finish(Default::default())));
            agorai_engine::Result::Ok(tokens)
        })?;
        Ok((start.elapsed().as_secs_f64(), tokens))
    }

    fn check(&self, request: &Request, tokens: &[u32]) -> Result<f64> {
        let start = Instant::now();
        let right = self.compute.with_pool(|| {
            let mut recorders = Recorders::default();
            let should_continue = &mut |_| Ok(());
            let right = check_answer(&self.decoder, request, tokens, Some(&mut recorders), should_continue)?;
            black_box(recorders.finish().finish(Default::default()));
            agorai_engine::Result::Ok(right)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        match right {
            true => Ok(seconds),
            false => Err("the check refuses an answer that was just made".into()),
        }
    }
}

/// Serves one request and returns the most memory that this process took, in bytes. Refused where that is more
/// than was stated beforehand.
pub fn serve(path: &Path) -> Result<u64> {
    let positions = prompt().len() + DECODE + 1;
    let stated = memory::serving(&ModelFile::open(path)?, positions, crate::THREADS)?;
    let served = Served::load(path, crate::THREADS)?;
    served.compute.with_pool(|| served.once())?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes = kibibytes.ok_or("the system does not tell the most memory")?;
    let most = 1024 * kibibytes.parse::<u64>()?;
    eprintln!("memory: {stated} bytes were stated, {most} taken");
    match most <= stated {
        true => Ok(most),
        false => Err(format!("{stated} bytes were stated, {most} taken").into()),
    }
}
