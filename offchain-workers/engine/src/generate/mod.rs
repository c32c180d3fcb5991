// SPDX-License-Identifier: Apache-2.0
//! Answers, and their check by one prefill.
//!
//! [`answer`] and [`check_answer`] work on tokens and any decoder; [`generate`] and [`check`] are the
//! chain's jobs on top of them. Making and checking yield the same trace. Its leaves: for every
//! position that was read and every block, what [`Session`] records; then for each token of the answer what
//! decided its draw.

mod sampler;

pub use sampler::Sampler;
pub(crate) use sampler::{CANDIDATES, ROWS};

use crate::{
    backend::Backend,
    decoder::{Decoder, Session, TOGETHER},
    parallel::Means,
    progress::Progress,
    text::Tokenizer,
    trace::{Opening, Recorder},
    Error, Result,
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
    /// Tokens of prompt and answer.
    pub tokens: u32,
    /// The trace.
    pub trace: Trace,
}

/// What is asked of a decoder, in tokens.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tokens of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// Most tokens of the answer, at least one.
    pub limit: usize,
    /// How tokens are drawn.
    pub sampler: Sampler,
    /// Tokens that end an answer; they are part of it.
    pub stop: Vec<u32>,
}

impl Request {
    /// The request of a job. Refused: an empty or too long prompt, no or too many tokens asked for.
    fn of_job<B: Backend>(
        spec: &GenerateSpec,
        decoder: &Decoder<B>,
        tokenizer: &Tokenizer,
        means: Means,
    ) -> Result<Self> {
        if spec.prompt.len() > MAX_PROMPT as usize {
            return Err(Error::Spec("a prompt that is too long"));
        }
        if spec.sampling.max_tokens == 0 || spec.sampling.max_tokens > MAX_TOKENS {
            return Err(Error::Spec("number of tokens"));
        }
        let limit = tokenizer.most_tokens().min(spec.sampling.max_tokens as usize);
        let request = Self {
            prompt: tokenizer.prompt(&spec.prompt)?,
            limit,
            sampler: Sampler::new(means, &spec.sampling),
            stop: spec.sampling.stop.into_iter().collect(),
        };
        request.fit(decoder)
    }

    /// With a limit that fits the decoder's context. Refused where there is no room at all.
    fn fit<B: Backend>(mut self, decoder: &Decoder<B>) -> Result<Self> {
        if self.prompt.is_empty() {
            return Err(Error::Spec("an empty prompt"));
        }
        // The last token of an answer is not read, but it has a position all the same.
        let room = decoder.context().saturating_sub(self.prompt.len());
        if room == 0 {
            return Err(Error::Spec("a prompt that fills the model's context"));
        }
        self.limit = self.limit.min(room);
        if self.limit == 0 {
            return Err(Error::Spec("number of tokens"));
        }
        Ok(self)
    }

    /// Whether an answer ends where sampling ends.
    fn ends(&self, answer: &[u32]) -> bool {
        match answer.iter().position(|token| self.stop.contains(token)) {
            Some(at) => at + 1 == answer.len() && answer.len() <= self.limit,
            None => answer.len() == self.limit,
        }
    }

    /// Positions that are read or written.
    fn positions(&self) -> usize {
        self.prompt.len() + self.limit
    }
}

/// Records what an answer computes: the blocks at every position, and the draws.
#[derive(Default)]
pub struct Recorders {
    positions: Recorder,
    draws: Recorder,
}

impl Recorders {
    /// All leaves in order.
    pub fn finish(mut self) -> Recorder {
        self.positions.append(self.draws);
        self.positions
    }
}

/// Reads a prompt; the last part's number of tokens.
fn read<B: Backend>(
    session: &mut Session<'_, B>,
    tokens: &[u32],
    recorders: &mut Option<&mut Recorders>,
    going: &mut dyn FnMut() -> Result<()>,
) -> Result<usize> {
    let mut last = 0;
    for part in tokens.chunks(TOGETHER) {
        going()?;
        session.feed(part, recorders.as_deref_mut().map(|r| &mut r.positions))?;
        last = part.len();
    }
    Ok(last)
}

/// Makes an answer, token by token: `each` is told of every token and may end the work by an error, as may
/// `going`, which is asked before every step.
pub fn answer<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    mut recorders: Option<&mut Recorders>,
    going: &mut dyn FnMut() -> Result<()>,
    each: &mut dyn FnMut(u32) -> Result<()>,
) -> Result<Vec<u32>> {
    let request = request.clone().fit(decoder)?;
    let mut session = decoder.session(request.positions())?;
    let mut last = read(&mut session, &request.prompt, &mut recorders, going)?;
    let mut tokens = Vec::with_capacity(request.limit);
    loop {
        going()?;
        let recorder = recorders.as_deref_mut().map(|r| &mut r.draws);
        let sampler = &request.sampler;
        let drawn = sampler.tokens(tokens.len(), &mut session, last - 1..last, recorder)?;
        let [token] = drawn[..] else {
            return Err(Error::Spec("a row without a token"));
        };
        tokens.push(token);
        each(token)?;
        if request.ends(&tokens) {
            return Ok(tokens);
        }
        session.feed(&[token], recorders.as_deref_mut().map(|r| &mut r.positions))?;
        last = 1;
    }
}

/// Checks an answer by one prefill: whether every token is the one that sampling yields, and it ends where
/// sampling ends. `going` is asked before every step, with the number of tokens that were found right.
pub fn check_answer<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    answer: &[u32],
    mut recorders: Option<&mut Recorders>,
    going: &mut dyn FnMut(usize) -> Result<()>,
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
    let together = request.sampler.rows(vocab);
    let (mut read, mut right) = (0, 0);
    for part in tokens.chunks(TOGETHER) {
        going(right)?;
        session.feed(part, recorders.as_deref_mut().map(|r| &mut r.positions))?;
        let drawn_from = before.saturating_sub(read).min(part.len())..part.len();
        read += part.len();
        for first in drawn_from.clone().step_by(together) {
            going(right)?;
            let rows = first..drawn_from.end.min(first + together);
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
    /// What a block at a position hands on ([`crate::decoder::Operation::HANDED_ON`]).
    Block {
        /// The position, from 0 at the prompt's first token.
        position: usize,
        /// The block, from 0.
        block: usize,
    },
    /// What decided the draw of a token of the answer, from 0: the best candidate of each part of
    /// [`PART`](agorai_exact::sampling::PART) logits, then those that top-k and top-p keep, if there are any such;
    /// each is its token and its value, four bytes each, tokens ascending.
    Draw(usize),
}

/// Opens a leaf of an answer's trace, by computing the answer again; `None` where the answer is not
/// right or has no such leaf. `going` is asked before every step.
pub fn open<B: Backend>(
    decoder: &Decoder<B>,
    request: &Request,
    answer: &[u32],
    leaf: Leaf,
    going: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Option<Opening>> {
    let mut recorders = Recorders::default();
    match leaf {
        Leaf::Block { position, block } => {
            let blocks = decoder.config().layers;
            let place = position.checked_mul(blocks).and_then(|p| p.checked_add(block));
            let Some(place) = place.filter(|_| block < blocks) else {
                return Ok(None);
            };
            recorders.positions = Recorder::keeping(place);
        }
        Leaf::Draw(token) if token < answer.len() => {
            recorders.draws = Recorder::keeping(token);
        }
        Leaf::Draw(_) => return Ok(None),
    }
    if !check_answer(decoder, request, answer, Some(&mut recorders), going)? {
        return Ok(None);
    }
    Ok(recorders.finish().opening())
}

/// Generates a job's answer, streaming it to `progress`.
pub fn generate<B: Backend>(
    means: Means,
    spec: &GenerateSpec,
    decoder: &Decoder<B>,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Generated> {
    let request = Request::of_job(spec, decoder, tokenizer, means)?;
    progress.begin(request.limit as u64);
    let mut recorders = Recorders::default();
    let (mut output, mut streamed) = (Vec::new(), 0);
    let mut each = |token| {
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
    let mut going = || progress.check();
    let tokens = answer(decoder, &request, Some(&mut recorders), &mut going, &mut each)?;
    let tokens = (request.prompt.len() + tokens.len()) as u32;
    let trace = recorders.finish().finish(output_result(&output, tokens));
    Ok(Generated { output, tokens, trace })
}

/// Checks a job's answer: its trace if every token is the one that sampling yields and it ends where
/// sampling ends, else `None`.
pub fn check<B: Backend>(
    means: Means,
    spec: &CheckSpec,
    decoder: &Decoder<B>,
    tokenizer: &Tokenizer,
    progress: &Progress,
) -> Result<Option<Trace>> {
    let request = Request::of_job(&spec.generate, decoder, tokenizer, means)?;
    let Some(answer) = tokenizer.tokens(&spec.output) else {
        return Ok(None);
    };
    progress.begin(answer.len() as u64);
    let mut recorders = Recorders::default();
    let mut seen = 0;
    let mut going = |right: usize| {
        (seen..right).for_each(|_| progress.step());
        seen = right;
        progress.check()
    };
    if !check_answer(decoder, &request, &answer, Some(&mut recorders), &mut going)? {
        return Ok(None);
    }
    going(answer.len())?;
    let tokens = (request.prompt.len() + answer.len()) as u32;
    let trace = recorders.finish().finish(output_result(&spec.output, tokens));
    Ok(Some(trace))
}
