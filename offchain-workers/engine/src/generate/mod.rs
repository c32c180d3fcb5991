// SPDX-License-Identifier: Apache-2.0
//! Generation of answers, and their check by one prefill.
//!
//! [`answer`] and [`check_answer`] work on tokens and any decoder; [`generate`] and [`check`] are the chain's jobs on
//! top of them. Generation and check yield the same trace. Its leaves: for every position and every block what
//! [`Session`] records; then for each token of the answer the candidates of its draw.
//!
//! | module | contents |
//! |---|---|
//! | `sampler` | sampling of tokens |

mod sampler;

pub use sampler::Sampler;
pub(crate) use sampler::{MAX_CANDIDATES, MAX_ROWS};

use crate::{
    backend::Backend,
    decoder::{Decoder, Session, MAX_BATCH_TOKENS},
    error::{Error, Result},
    parallel::ComputeConfig,
    progress::Progress,
    text::Tokenizer,
    trace::{Opening, Recorder},
};
use agorai_primitives::{
    job::{CheckSpec, GenerateSpec, MAX_PROMPT, MAX_TOKENS},
    receipt::{output_result, Trace},
};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// The answer in the tokenizer's output encoding.
    pub output: Vec<u8>,
    /// Number of tokens of prompt and answer.
    pub tokens: u32,
    /// The trace.
    pub trace: Trace,
}

/// A generation request, in tokens.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tokens of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// Maximum number of tokens of the answer; at least 1.
    pub limit: usize,
    /// How tokens are drawn.
    pub sampler: Sampler,
    /// Tokens that end an answer; they are part of it.
    pub stop: Vec<u32>,
}

impl Request {
    /// Returns the request of a job.
    ///
    /// Errors: an empty or too long prompt, no or too many tokens requested.
    fn of_job<B: Backend>(
        spec: &GenerateSpec,
        decoder: &Decoder<B>,
        tokenizer: &Tokenizer,
        compute: ComputeConfig,
    ) -> Result<Self> {
        if spec.prompt.len() > MAX_PROMPT as usize {
            return Err(Error::Spec("the prompt is too long"));
        }
        if spec.sampling.max_tokens == 0 || spec.sampling.max_tokens > MAX_TOKENS {
            return Err(Error::Spec("the number of tokens is out of bounds"));
        }
        let limit = tokenizer.max_tokens().min(spec.sampling.max_tokens as usize);
        let request = Self {
            prompt: tokenizer.prompt(&spec.prompt)?,
            limit,
            sampler: Sampler::new(compute, &spec.sampling),
            stop: spec.sampling.stop.into_iter().collect(),
        };
        request.fit(decoder)
    }

    /// Lowers the limit to the decoder's context.
    ///
    /// Errors: an empty prompt, one that fills the context, a limit of 0.
    fn fit<B: Backend>(mut self, decoder: &Decoder<B>) -> Result<Self> {
        if self.prompt.is_empty() {
            return Err(Error::Spec("the prompt is empty"));
        }
        // The last token of an answer occupies a position although it is not read.
        let room = decoder.context().saturating_sub(self.prompt.len());
        if room == 0 {
            return Err(Error::Spec("the prompt fills the context of the model"));
        }
        self.limit = self.limit.min(room);
        if self.limit == 0 {
            return Err(Error::Spec("the number of tokens is out of bounds"));
        }
        Ok(self)
    }

    /// Returns whether an answer ends where sampling ends.
    fn ends(&self, answer: &[u32]) -> bool {
        match answer.iter().position(|token| self.stop.contains(token)) {
            Some(at) => at + 1 == answer.len() && answer.len() <= self.limit,
            None => answer.len() == self.limit,
        }
    }

    /// Returns the number of positions of prompt and answer.
    fn positions(&self) -> usize {
        self.prompt.len() + self.limit
    }
}

/// Records the trace of an answer: the blocks at every position, and the draws.
#[derive(Default)]
pub struct Recorders {
    positions: Recorder,
    draws: Recorder,
}

impl Recorders {
    /// Returns all leaves in order.
    pub fn finish(mut self) -> Recorder {
        self.positions.append(self.draws);
        self.positions
    }
}

/// Reads a prompt. Returns the number of tokens of the last batch.
fn read<B: Backend>(
    session: &mut Session<'_, B>,
    tokens: &[u32],
    recorders: &mut Option<&mut Recorders>,
    should_continue: &mut dyn FnMut() -> Result<()>,
) -> Result<usize> {
    let mut last = 0;
    for part in tokens.chunks(MAX_BATCH_TOKENS) {
        should_continue()?;
        session.feed(part, recorders.as_deref_mut().map(|r| &mut r.positions))?;
        last = part.len();
    }
    Ok(last)
}

/// Generates an answer, token by token. `on_token` receives every token, `should_continue` is called before every step;
/// an error of either ends the generation.
pub fn answer<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    mut recorders: Option<&mut Recorders>,
    should_continue: &mut dyn FnMut() -> Result<()>,
    on_token: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<Vec<u32>> {
    let request = request.clone().fit(decoder)?;
    let mut session = decoder.session(request.positions())?;
    let mut last = read(&mut session, &request.prompt, &mut recorders, should_continue)?;
    let mut tokens = Vec::with_capacity(request.limit);
    loop {
        should_continue()?;
        let recorder = recorders.as_deref_mut().map(|r| &mut r.draws);
        let sampler = &request.sampler;
        let drawn = sampler.tokens(tokens.len(), &mut session, last - 1..last, recorder)?;
        let [token] = drawn[..] else {
            return Err(Error::Spec("no token was sampled"));
        };
        tokens.push(token);
        on_token(token)?;
        if request.ends(&tokens) {
            return Ok(tokens);
        }
        session.feed(&[token], recorders.as_deref_mut().map(|r| &mut r.positions))?;
        last = 1;
    }
}

/// Checks an answer by one prefill: returns whether every token is the one that sampling yields, and the answer ends
/// where sampling ends. `should_continue` is called before every step with the number of tokens found right; an error
/// ends the check.
pub fn check_answer<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    answer: &[u32],
    mut recorders: Option<&mut Recorders>,
    should_continue: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<bool> {
    let request = request.clone().fit(decoder)?;
    let vocab = decoder.vocab();
    if !request.ends(answer) || answer.iter().any(|token| *token as usize >= vocab) {
        return Ok(false);
    }
    // Each token of the answer is drawn after the one before it, or the prompt's last, has been read.
    let before = request.prompt.len() - 1;
    let tokens = [&request.prompt, &answer[..answer.len() - 1]].concat();
    let mut session = decoder.session(request.positions())?;
    let batch_rows = request.sampler.rows(vocab);
    let (mut read, mut right) = (0, 0);
    for part in tokens.chunks(MAX_BATCH_TOKENS) {
        should_continue(right)?;
        session.feed(part, recorders.as_deref_mut().map(|r| &mut r.positions))?;
        let drawn_from = before.saturating_sub(read).min(part.len())..part.len();
        read += part.len();
        for first in drawn_from.clone().step_by(batch_rows) {
            should_continue(right)?;
            let rows = first..drawn_from.end.min(first + batch_rows);
            let recorder = recorders.as_deref_mut().map(|r| &mut r.draws);
            let drawn = request.sampler.tokens(right, &mut session, rows, recorder)?;
            for token in drawn {
                if answer.get(right) != Some(&token) {
                    return Ok(false);
                }
                right += 1;
            }
        }
    }
    Ok(true)
}

/// A leaf of an answer's trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// The outputs of a block at a position ([`Operation::OUTPUTS`](crate::decoder::Operation::OUTPUTS)).
    Block {
        /// The position, from 0 at the prompt's first token.
        position: usize,
        /// The block, from 0.
        block: usize,
    },
    /// The draw of a token of the answer, from 0: the best candidate of each chunk of [`CHUNK`](crate::backend::CHUNK)
    /// logits, then, if top-k or top-p applies, the candidates that remain; of each its token and its value, four bytes
    /// each, tokens ascending.
    Draw(usize),
}

/// Opens a leaf of an answer's trace by repeating the check of the answer. Returns `None` if the answer is wrong or has
/// no such leaf. `should_continue` is called before every step.
pub fn open<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    answer: &[u32],
    leaf: Leaf,
    should_continue: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Option<Opening>> {
    let mut recorders = Recorders::default();
    match leaf {
        Leaf::Block { position, block } => {
            let blocks = decoder.config().layers;
            let index = position.checked_mul(blocks).and_then(|p| p.checked_add(block));
            let Some(index) = index.filter(|_| block < blocks) else {
                return Ok(None);
            };
            recorders.positions = Recorder::retaining(index);
        }
        Leaf::Draw(token) if token < answer.len() => {
            recorders.draws = Recorder::retaining(token);
        }
        Leaf::Draw(_) => return Ok(None),
    }
    if !check_answer(decoder, request, answer, Some(&mut recorders), should_continue)? {
        return Ok(None);
    }
    Ok(recorders.finish().opening())
}

/// Generates the answer of a job and streams it to `progress`.
pub fn generate<B: Backend>(
    compute: ComputeConfig,
    spec: &GenerateSpec,
    decoder: &Decoder<B>,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Generated> {
    let request = Request::of_job(spec, decoder, tokenizer, compute)?;
    progress.begin(request.limit as u64);
    let mut recorders = Recorders::default();
    let (mut output, mut streamed) = (Vec::new(), 0);
    let mut on_token = |token| {
        let from = output.len();
        tokenizer.push(&mut output, token);
        let text = tokenizer.text(&output);
        // A tokenizer may rewrite its last characters once more bytes of them are known.
        let fresh = text.get(streamed..).unwrap_or_default();
        progress.emit(&output[from..], fresh);
        streamed = text.len().max(streamed);
        progress.step();
        Ok(())
    };
    let mut should_continue = || progress.check();
    let tokens = answer(
        decoder,
        &request,
        Some(&mut recorders),
        &mut should_continue,
        &mut on_token,
    )?;
    let tokens = (request.prompt.len() + tokens.len()) as u32;
    let trace = recorders.finish().finish(output_result(&output, tokens));
    Ok(Generated { output, tokens, trace })
}

/// Checks the answer of a job. Returns its trace if every token is the one that sampling yields and the answer ends
/// where sampling ends, else `None`.
pub fn check<B: Backend>(
    compute: ComputeConfig,
    spec: &CheckSpec,
    decoder: &Decoder<B>,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Option<Trace>> {
    let request = Request::of_job(&spec.generate, decoder, tokenizer, compute)?;
    let Some(answer) = tokenizer.tokens(&spec.output) else {
        return Ok(None);
    };
    progress.begin(answer.len() as u64);
    let mut recorders = Recorders::default();
    let mut seen = 0;
    let mut should_continue = |right: usize| {
        (seen..right).for_each(|_| progress.step());
        seen = right;
        progress.check()
    };
    if !check_answer(decoder, &request, &answer, Some(&mut recorders), &mut should_continue)? {
        return Ok(None);
    }
    should_continue(answer.len())?;
    let tokens = (request.prompt.len() + answer.len()) as u32;
    let trace = recorders.finish().finish(output_result(&spec.output, tokens));
    Ok(Some(trace))
}
