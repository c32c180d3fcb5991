// SPDX-License-Identifier: Apache-2.0
//! The perplexity of a text under a model, and the model's greedy continuation of it:
//!
//! `cargo run --release -p agorai-benchmarks --bin perplexity -- MODEL TEXT [TOKENS] [CONTINUE]`
//!
//! MODEL is a GGUF file or a folder with config.json and safetensors; TEXT is a UTF-8 file, of which the first TOKENS (512)
//! tokens are used. Prints one JSON object: the ids; the perplexity, i.e. the exponential of the mean negative
//! log-likelihood, in binary64, of every token but the first; CONTINUE (64) greedy tokens after the first half of the ids;
//! and their text.

use agorai_engine::{
    backend::Cpu,
    decoder::{Decoder, MAX_BATCH_TOKENS},
    files::ModelFile,
    generate::{answer, Request, Sampler},
    parallel::ComputeConfig,
    text::Tokenizer,
};
use agorai_exact::Isa;
use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(text)) = (args.next(), args.next()) else {
        return Err("usage: perplexity MODEL TEXT [TOKENS] [CONTINUE]".into());
    };
    let mut number = |default: usize| args.next().map_or(Ok(default), |n| n.parse());
    let (max_tokens, limit) = (number(512)?, number(64)?);
    let compute = ComputeConfig {
        isa: Isa::detect(),
        threads: std::thread::available_parallelism()?.get(),
    };
    let file = ModelFile::open(Path::new(&model))?;
    let tokenizer = Tokenizer::from_model(&file)?;
    let decoder = Decoder::load(Cpu { compute }, &file, &mut || {})?;
    let mut ids = tokenizer.encode(&std::fs::read_to_string(text)?, true)?;
    ids.truncate(max_tokens);
    let losses = compute.with_pool(|| losses(&decoder, &ids))?;
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    let request = Request {
        prompt: ids[..ids.len() / 2].to_vec(),
        limit,
        sampler: Sampler::greedy(compute),
        stop: vec![],
    };
    let mut should_continue = || Ok(());
    let greedy = compute.with_pool(|| answer(&decoder, &request, None, &mut should_continue, &mut |_| Ok(())))?;
    let object = serde_json::json!({
        "ids": ids,
        "perplexity": mean.exp(),
        "text": tokenizer.decode(&greedy)?,
        "greedy": greedy,
    });
    println!("{object}");
    Ok(())
}

/// Returns the negative log-likelihood of every token but the first.
fn losses(decoder: &Decoder, ids: &[u32]) -> agorai_engine::Result<Vec<f64>> {
    let mut session = decoder.session(ids.len())?;
    let mut losses = Vec::new();
    for (part, tokens) in ids.chunks(MAX_BATCH_TOKENS).enumerate() {
        session.feed(tokens, None)?;
        for row in 0..tokens.len() {
            let Some(next) = ids.get(part * MAX_BATCH_TOKENS + row + 1) else {
                break;
            };
            let logits = session.logits(row..row + 1)?;
            let max = logits.iter().fold(f32::MIN, |a, b| a.max(*b));
            let exp = |x: &f32| f64::from(x - max).exp();
            let sum: f64 = logits.iter().map(exp).sum();
            losses.push(sum.ln() - f64::from(logits[*next as usize] - max));
        }
    }
    Ok(losses)
}
