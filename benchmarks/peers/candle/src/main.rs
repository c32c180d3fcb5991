// SPDX-License-Identifier: Apache-2.0
//! The benchmark's work with candle. `agorai-peers model FILE` times prefill and decoding of the unmodified
//! `quantized_gemma3` (threads: RAYON_NUM_THREADS); `agorai-peers gemm` times products of the `gemm` crate, which candle
//! uses, on one thread. Each prints one line of JSON.

use candle_core::{quantized::gguf_file, Device, Tensor};
use candle_transformers::models::quantized_gemma3::ModelWeights;
use serde_json::{json, Value};
use std::{error::Error, hint::black_box, time::Instant};

/// `(m, k, n)` of the products: rows, inputs, outputs.
const SHAPES: [(usize, usize, usize); 4] = [(240, 1024, 1024), (480, 2048, 2048), (240, 640, 2048), (60, 2048, 8192)];
const DECODE: usize = 64;
/// Number of timed runs of the model, after one warm-up run.
const RUNS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let result = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["model", file] => model(file)?,
        ["gemm"] => products(),
        _ => return Err("usage: agorai-peers model FILE | agorai-peers gemm".into()),
    };
    println!("{result}");
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn model(path: &str) -> Result<Value, Box<dyn Error>> {
    let mut file = std::fs::File::open(path)?;
    let content = gguf_file::Content::read(&mut file)?;
    let device = Device::Cpu;
    let mut model = ModelWeights::from_gguf(content, &mut file, &device)?;
    let prompt: Vec<u32> = (0..128).map(|i| (i * 7919) % 30000 + 1000).collect();
    let (mut reading, mut decoding) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        // Position 0 clears the key-value cache.
        let start = Instant::now();
        black_box(model.forward(&Tensor::new(&prompt[..], &device)?.unsqueeze(0)?, 0)?);
        let read = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut token = 1234u32;
        for position in 0..DECODE {
            let input = Tensor::new(&[token], &device)?.unsqueeze(0)?;
            let logits = model.forward(&input, prompt.len() + position)?;
            token = logits.squeeze(0)?.argmax(0)?.to_scalar()?;
        }
        if run > 0 {
            reading.push(prompt.len() as f64 / read);
            decoding.push(DECODE as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(json!({ "peer": "candle", "prefill": median(reading), "decode": median(decoding) }))
}

/// Returns GFLOP/s for each shape, with the faster of the two weight layouts; the median over half a second.
fn products() -> Value {
    let speeds: Vec<_> = SHAPES
        .iter()
        .map(|&(m, k, n)| f64::max(product(m, k, n, (1, n)), product(m, k, n, (k, 1))))
        .collect();
    json!({ "peer": "gemm crate", "gflops": speeds })
}

/// Returns GFLOP/s of one product; `columns` and `rows` are the strides of the weight matrix.
fn product(m: usize, k: usize, n: usize, (columns, rows): (usize, usize)) -> f64 {
    let numbers = |count: usize| -> Vec<f32> { (0..count).map(|i| (i * 7919 % 2003) as f32 / 1001.0 - 1.0).collect() };
    let (a, b, mut out) = (numbers(m * k), numbers(k * n), vec![0f32; m * n]);
    let mut seconds = Vec::new();
    let begin = Instant::now();
    while seconds.len() < 9 || begin.elapsed().as_secs_f64() < 0.5 {
        let start = Instant::now();
        // SAFETY: `a` holds m rows of k, `b` k * n numbers which the strides (1, n) or (k, 1) address once
        // each, `out` m rows of n; `out` overlaps neither and nothing else refers to it.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                black_box(out.as_mut_ptr()),
                1,
                n as isize,
                false,
                a.as_ptr(),
                1,
                k as isize,
                b.as_ptr(),
                columns as isize,
                rows as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        seconds.push(start.elapsed().as_secs_f64());
    }
    2e-9 * (m * k * n) as f64 / median(seconds)
}
