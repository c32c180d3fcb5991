// SPDX-License-Identifier: Apache-2.0
//! Answers, and their check by one prefill.
//!
//! Both yield the same trace. Its leaves: for every position that was read and every block, what
//! [`Session`] records; then the logits from which each token was sampled.

use crate::{
    model::{Model, Session, TOGETHER},
    parallel::Means,
    progress::Progress,
    text::Tokenizer,
    trace::Recorder,
    Error, Result,
};
use agorai_exact::{sampling, Isa};
use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, Sampling, MAX_PROMPT, MAX_TOKENS},
    receipt::{output_result, Trace},
};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The answer in the tokenizer's output encoding.
    pub output: Vec<u8>,
    /// Tokens of prompt and answer.
    pub tokens: u32,
    /// The trace.
    pub trace: Trace,
}

/// The tokens of the prompt and the most tokens of the answer.
struct Request {
    prompt: Vec<u32>,
    limit: usize,
}

impl Request {
    /// Refused: an empty or too long prompt, no or too many tokens asked for.
    fn new(spec: &GenerateSpec, tokenizer: &Tokenizer) -> Result<Self> {
        if spec.prompt.len() > MAX_PROMPT as usize {
            return Err(Error::Spec("a prompt that is too long"));
        }
        if spec.sampling.max_tokens == 0 || spec.sampling.max_tokens > MAX_TOKENS {
            return Err(Error::Spec("number of tokens"));
        }
        let prompt = tokenizer.prompt(&spec.prompt)?;
        if prompt.is_empty() {
            return Err(Error::Spec("an empty prompt"));
        }
        // The last token of an answer is not read, but it has a position all the same.
        let room = (spec.architecture.context as usize).saturating_sub(prompt.len());
        if room == 0 {
            return Err(Error::Spec("a prompt that fills the model's context"));
        }
        let limit = room
            .min(spec.sampling.max_tokens as usize)
            .min(tokenizer.most_tokens());
        Ok(Self { prompt, limit })
    }
}

/// Draws the tokens of an answer.
struct Sampler {
    isa: Isa,
    how: sampling::Sampling,
    seed: [u8; 32],
}

impl Sampler {
    fn new(isa: Isa, spec: &Sampling) -> Self {
        let mut seed = *b"agorai/sampling/1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        seed[24..].copy_from_slice(&spec.seed.to_le_bytes());
        let top_p = match spec.top_p_milli {
            0 | 1000.. => 1.0,
            milli => milli as f32 / 1e3,
        };
        Self {
            isa,
            how: sampling::Sampling {
                temperature: spec.temperature_milli as f32 / 1e3,
                top_k: spec.top_k,
                top_p,
            },
            seed,
        }
    }

    /// Token `index` of the answer, from 0.
    fn token(&self, index: usize, logits: &[f32]) -> Result<u32> {
        Ok(self.how.sample(self.isa, self.seed, index as u64, logits)?)
    }
}

fn finish(
    tokens: usize,
    output: &[u8],
    mut positions: Recorder,
    logits: &Recorder,
) -> (u32, Trace) {
    positions.append(logits);
    let tokens = tokens as u32;
    (tokens, positions.finish(output_result(output, tokens)))
}

/// Generates an answer, streaming it to `progress`.
pub fn generate(
    means: Means,
    spec: &GenerateSpec,
    model: &Model,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Generated> {
    let Request { prompt, limit } = Request::new(spec, tokenizer)?;
    progress.begin(limit as u64);
    let sampler = Sampler::new(means.isa, &spec.sampling);
    let (mut positions, mut logits) = (Recorder::new(), Recorder::new());
    let mut session = Session::new(model.view(), means)?;
    let mut last = 0;
    for part in prompt.chunks(TOGETHER) {
        progress.check()?;
        session.feed(part, Some(&mut positions))?;
        last = part.len() - 1;
    }
    let (mut output, mut streamed) = (Vec::new(), 0);
    for index in 0..limit {
        progress.check()?;
        let row = session.logits(last..last + 1)?;
        logits.push(row);
        let token = sampler.token(index, row)?;
        let from = output.len();
        tokenizer.push(&mut output, token);
        let text = tokenizer.text(&output);
        // A tokenizer may rewrite its last characters once more bytes of them are known.
        let fresh = text.get(streamed..).unwrap_or_default();
        progress.emit(&output[from..], fresh);
        streamed = text.len().max(streamed);
        progress.step();
        if index + 1 == limit || spec.sampling.stop == Some(token) {
            let (tokens, trace) = finish(prompt.len() + index + 1, &output, positions, &logits);
            return Ok(Generated {
                output,
                tokens,
                trace,
            });
        }
        session.feed(&[token], Some(&mut positions))?;
        last = 0;
    }
    Err(Error::Spec("number of tokens"))
}

/// Checks an answer: its trace if every token is the one that sampling yields and it ends where
/// sampling ends, else `None`.
pub fn check(
    means: Means,
    spec: &CheckSpec,
    model: &Model,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Option<Trace>> {
    let generate = &spec.generate;
    let Request { prompt, limit } = Request::new(generate, tokenizer)?;
    let Some(answer) = tokenizer.tokens(&spec.output) else {
        return Ok(None);
    };
    let stop = generate.sampling.stop;
    let ends = match answer.iter().position(|token| Some(*token) == stop) {
        Some(at) => at + 1 == answer.len() && answer.len() <= limit,
        None => answer.len() == limit,
    };
    let Some((last, read)) = prompt.split_last() else {
        return Ok(None);
    };
    if !ends {
        return Ok(None);
    }
    progress.begin(answer.len() as u64);
    let sampler = Sampler::new(means.isa, &generate.sampling);
    let (mut positions, mut logits) = (Recorder::new(), Recorder::new());
    let mut session = Session::new(model.view(), means)?;
    for part in read.chunks(TOGETHER) {
        progress.check()?;
        session.feed(part, Some(&mut positions))?;
    }
    // Each token of the answer is sampled after the one before it has been read.
    let mut read = vec![*last];
    read.extend_from_slice(&answer[..answer.len() - 1]);
    let vocab = model.view().shape.vocab;
    for (part, (read, sampled)) in read
        .chunks(TOGETHER)
        .zip(answer.chunks(TOGETHER))
        .enumerate()
    {
        progress.check()?;
        session.feed(read, Some(&mut positions))?;
        let rows = session.logits(0..read.len())?;
        for (index, (row, token)) in rows.chunks_exact(vocab).zip(sampled).enumerate() {
            logits.push(row);
            if sampler.token(part * TOGETHER + index, row)? != *token {
                return Ok(None);
            }
            progress.step();
        }
    }
    let tokens = prompt.len() + answer.len();
    let (_, trace) = finish(tokens, &spec.output, positions, &logits);
    Ok(Some(trace))
}
