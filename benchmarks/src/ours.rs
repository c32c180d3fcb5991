// SPDX-License-Identifier: Apache-2.0
//! Our side of each comparison; `benchmarks/peers` does the same work with other libraries.

use crate::{
    measure::{median, Result, THREADS},
    peers::Speed,
};
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

/// `(m, k, n)` of the products: rows, inputs, outputs.
pub const SHAPES: [(usize, usize, usize); 4] =
    [(240, 1024, 1024), (480, 2048, 2048), (240, 640, 2048), (60, 2048, 8192)];
/// Number of tokens decoded after the prompt.
const DECODE: usize = 64;
/// Number of timed runs of the model, after one warm-up run.
const RUNS: usize = 3;
/// Number of timed training steps, after two warm-up steps.
const STEPS: usize = 5;
/// The architecture that `benchmarks/peers/pytorch.py` trains too.
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

/// Returns the prompt: 128 tokens, the same for all sides.
fn prompt() -> Vec<u32> {
    (0..128).map(|i| (i * 7919) % 30_000 + 1_000).collect()
}

/// Returns GFLOP/s for each shape on one thread, weights packed beforehand: the median over half a second.
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

/// Returns the tokens per second of a training step.
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

/// A loaded model with the threads that run it.
pub struct Served {
    decoder: Decoder,
    compute: ComputeConfig,
}

/// Seconds for an answer of [`DECODE`] tokens to the prompt.
pub struct Answer {
    /// Generation without a trace.
    pub plain: f64,
    /// Generation with the trace, as validators do it.
    pub traced: f64,
    /// The check by one prefill, with the trace.
    pub check: f64,
}

impl Served {
    /// Loads a model file for `threads` threads.
    pub fn load(path: &Path, threads: usize) -> Result<Self> {
        let compute = compute(threads);
        let file = ModelFile::open(path)?;
        Ok(Self {
            decoder: Decoder::load(Cpu { compute }, &file, &mut || {})?,
            compute,
        })
    }

    /// Returns the median speeds of prefill and decoding.
    pub fn speed(&self) -> Result<Speed> {
        let (mut prefill, mut decode) = (Vec::new(), Vec::new());
        for _ in 0..=RUNS {
            let speed = self.compute.with_pool(|| self.run_once())?;
            prefill.push(speed.prefill);
            decode.push(speed.decode);
        }
        Ok(Speed {
            prefill: median(prefill.split_off(1)),
            decode: median(decode.split_off(1)),
        })
    }

    /// Runs once: prefill lasts until the first token, decoding from there on.
    fn run_once(&self) -> agorai_engine::Result<Speed> {
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

    /// A greedy request for `limit` tokens after the prompt.
    fn request(&self, limit: usize) -> Request {
        Request {
            prompt: prompt(),
            limit,
            sampler: Sampler::greedy(self.compute),
            stop: vec![],
        }
    }

    /// Returns the median times of generating an answer and of checking it.
    pub fn answer(&self) -> Result<Answer> {
        let request = self.request(DECODE);
        let [mut plain, mut traced, mut check] = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            let (seconds, _) = self.generate(&request, false)?;
            plain.push(seconds);
            let (seconds, tokens) = self.generate(&request, true)?;
            traced.push(seconds);
            check.push(self.check(&request, &tokens)?);
        }
        Ok(Answer {
            plain: median(plain),
            traced: median(traced),
            check: median(check),
        })
    }

    fn generate(&self, request: &Request, trace: bool) -> Result<(f64, Vec<u32>)> {
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
        let is_valid = self.compute.with_pool(|| {
            let mut recorders = Recorders::default();
            let should_continue = &mut |_| Ok(());
            let is_valid = check_answer(&self.decoder, request, tokens, Some(&mut recorders), should_continue)?;
            black_box(recorders.finish().finish(Default::default()));
            agorai_engine::Result::Ok(is_valid)
        })?;
        let seconds = start.elapsed().as_secs_f64();
        match is_valid {
            true => Ok(seconds),
            false => Err("the check rejects an honest answer".into()),
        }
    }
}

/// Serves one request and returns the peak memory of this process in bytes.
///
/// Errors: the peak exceeds the engine's own estimate, or the system does not report it.
pub fn serve(path: &Path) -> Result<u64> {
    let positions = prompt().len() + DECODE + 1;
    let estimate = memory::serving(&ModelFile::open(path)?, positions, THREADS)?;
    let served = Served::load(path, THREADS)?;
    served.compute.with_pool(|| served.run_once())?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes = kibibytes.ok_or("the system does not report the peak memory (VmHWM)")?;
    let peak = 1024 * kibibytes.parse::<u64>()?;
    eprintln!("memory: estimate {estimate} bytes, peak {peak} bytes");
    match peak <= estimate {
        true => Ok(peak),
        false => Err(format!("the peak of {peak} bytes exceeds the estimate of {estimate}").into()),
    }
}
