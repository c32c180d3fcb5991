// SPDX-License-Identifier: Apache-2.0
//! What a decoder must know of a model besides its tensors: one form for all families, read from GGUF's
//! metadata or from Hugging Face's `config.json`.
//!
//! A setting that is not understood could change results, so it is refused by name; so is everything
//! that the decoder does not compute.

mod from_gguf;
mod from_json;

use super::{FileError, Result};

/// Families of models that the decoder computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Llama 2 and 3, TinyLlama, SmolLM2, Mistral.
    Llama,
    /// Qwen 2 and 2.5.
    Qwen2,
    /// Qwen 3.
    Qwen3,
    /// Gemma 3, text.
    Gemma3,
}

/// What multiplies the up projection after the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x sigmoid(x).
    Silu,
    /// The form of gelu with tanh.
    GeluTanh,
}

/// How rope's frequencies are changed for longer contexts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All are divided by `factor`.
    Linear {
        /// At least 1.
        factor: f32,
    },
    /// Llama 3: low ones are divided, high ones stay, those between are interpolated.
    Llama3 {
        /// What low frequencies are divided by.
        factor: f32,
        /// Wavelengths longer than the original context divided by this are low.
        low_freq_factor: f32,
        /// Wavelengths shorter than the original context divided by this are high.
        high_freq_factor: f32,
        /// The original context in positions.
        original_context: usize,
    },
    /// Each is divided by its element of the part [`RopeDivisors`](super::Part::RopeDivisors).
    Divisors,
}

/// Rotary positions; pairs are the halves of a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// The base of the frequencies.
    pub theta: f32,
    /// The base in local layers, whose frequencies are never scaled; `None` where all layers are alike.
    pub local_theta: Option<f32>,
    /// Scaling of the frequencies of `theta`.
    pub scaling: RopeScaling,
}

/// What a decoder must know of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub family: Family,
    /// Tokens.
    pub vocab: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head, even; `heads * head_dim` need not be `dim`.
    pub head_dim: usize,
    /// Width of the feed-forward layer.
    pub ff: usize,
    /// Most positions.
    pub context: usize,
    /// Added to the mean square in norms.
    pub norm_eps: f32,
    /// Rotary positions.
    pub rope: Rope,
    /// What queries are multiplied by before the scores.
    pub query_scale: f32,
    /// The activation of the feed-forward layer.
    pub activation: Activation,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether each head of queries and keys is normed before rope.
    pub qk_norm: bool,
    /// Whether the outputs of attention and of the feed-forward layer are normed before they are added.
    pub post_norms: bool,
    /// What embeddings are multiplied by; 1 where they are taken as they are.
    pub embedding_scale: f32,
    /// Whether the head is the embedding's matrix.
    pub tied_head: bool,
    /// Positions that a query of a local layer sees, its own included.
    pub window: Option<usize>,
    /// For each layer whether it is local; all false where there is no window.
    pub local: Vec<bool>,
    /// The token before every text, where the file names one.
    pub bos: Option<u32>,
    /// Tokens that end an answer, as far as the configuration names them.
    pub ends: Vec<u32>,
}

/// Bounds of the sizes.
const VOCAB: u64 = 1 << 20;
const DIM: u64 = 1 << 16;
const LAYERS: u64 = 512;
const HEADS: u64 = 1024;
const HEAD_DIM: u64 = 1024;
const FF: u64 = 1 << 18;
const CONTEXT: u64 = 1 << 24;

/// Sizes and settings as a file gives them, before they are checked.
struct Raw {
    family: Family,
    vocab: u64,
    dim: u64,
    layers: u64,
    heads: u64,
    kv_heads: u64,
    head_dim: u64,
    ff: u64,
    context: u64,
    norm_eps: f32,
    rope: Rope,
    query_scale: Option<f32>,
    tied_head: bool,
    window: Option<u64>,
    local: Vec<bool>,
    bos: Option<u64>,
    ends: Vec<u64>,
}

impl Raw {
    /// Checks every bound.
    fn check(self) -> Result<ModelConfig> {
        let family = self.family;
        let layers = size("layers", self.layers, LAYERS)?;
        let heads = size("query heads", self.heads, HEADS)?;
        let kv_heads = size("key heads", self.kv_heads, HEADS)?;
        let head_dim = size("the width of a head", self.head_dim, HEAD_DIM)?;
        let dim = size("the width", self.dim, DIM)?;
        let vocab = size("the vocabulary", self.vocab, VOCAB)?;
        let context = size("the context", self.context, CONTEXT)?;
        if !heads.is_multiple_of(kv_heads) {
            let expected = format!("a divisor of {heads} query heads");
            return Err(bounds("key heads", kv_heads, expected));
        }
        if !head_dim.is_multiple_of(2) {
            return Err(bounds("the width of a head", head_dim, "even"));
        }
        within("the norm's epsilon", self.norm_eps, 0.0, 1.0)?;
        within("rope's base", self.rope.theta, 1.0, 1e12)?;
        if let Some(theta) = self.rope.local_theta {
            within("rope's local base", theta, 1.0, 1e12)?;
        }
        check_scaling(&self.rope.scaling)?;
        let query_scale = self.query_scale.unwrap_or(1.0 / (head_dim as f32).sqrt());
        within("the scale of queries", query_scale, 0.0, 1e3)?;
        let window = match self.window {
            None => None,
            Some(window) => Some(size("the window", window, CONTEXT)?),
        };
        if self.local.len() != layers {
            let expected = format!("{layers}, one for each layer");
            return Err(bounds("kinds of layers", self.local.len(), expected));
        }
        let token = |token: u64| match u32::try_from(token) {
            Ok(token) if (token as usize) < vocab => Ok(token),
            _ => Err(bounds("a special token", token, format!("below {vocab}"))),
        };
        let gemma = family == Family::Gemma3;
        let mut rope = self.rope;
        rope.local_theta = rope.local_theta.filter(|_| window.is_some());
        Ok(ModelConfig {
            family,
            vocab,
            dim,
            layers,
            heads,
            kv_heads,
            head_dim,
            ff: size("the feed-forward width", self.ff, FF)?,
            context,
            norm_eps: self.norm_eps,
            rope,
            query_scale,
            activation: if gemma { Activation::GeluTanh } else { Activation::Silu },
            qkv_bias: family == Family::Qwen2,
            qk_norm: matches!(family, Family::Qwen3 | Family::Gemma3),
            post_norms: gemma,
            embedding_scale: if gemma { (dim as f32).sqrt() } else { 1.0 },
            tied_head: self.tied_head,
            window,
            local: self.local,
            bos: self.bos.map(token).transpose()?,
            ends: self.ends.into_iter().map(token).collect::<Result<_>>()?,
        })
    }
}

fn check_scaling(scaling: &RopeScaling) -> Result<()> {
    match scaling {
        RopeScaling::None | RopeScaling::Divisors => Ok(()),
        RopeScaling::Linear { factor } => within("rope's factor", *factor, 1.0, 1e6),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } => {
            within("rope's factor", *factor, 1.0, 1e6)?;
            within("rope's low_freq_factor", *low_freq_factor, 1e-3, 1e6)?;
            within("rope's high_freq_factor", *high_freq_factor, 1e-3, 1e6)?;
            if low_freq_factor >= high_freq_factor {
                let expected = format!("below high_freq_factor {high_freq_factor}");
                return Err(bounds("rope's low_freq_factor", low_freq_factor, expected));
            }
            size("rope's context", *original_context as u64, CONTEXT).map(|_| ())
        }
    }
}

fn bounds(key: &str, value: impl ToString, expected: impl Into<String>) -> FileError {
    FileError::Bounds {
        key: key.into(),
        value: value.to_string(),
        expected: expected.into(),
    }
}

/// A size from 1 to its bound.
fn size(key: &str, value: u64, most: u64) -> Result<usize> {
    match usize::try_from(value) {
        Ok(size) if (1..=most).contains(&value) => Ok(size),
        _ => Err(bounds(key, value, format!("1 to {most}"))),
    }
}

/// A number above `low` (or equal to it, where that is not 0) and at most `high`.
fn within(key: &str, value: f32, low: f32, high: f32) -> Result<()> {
    if value.is_finite() && value >= low && value <= high && value > 0.0 {
        Ok(())
    } else {
        Err(bounds(key, value, format!("{low} to {high}")))
    }
}

/// Whether each layer is local, where every `period`-th is not.
fn every(period: u64, layers: u64) -> Vec<bool> {
    (0..layers.min(LAYERS)).map(|layer| (layer + 1) % period != 0).collect()
}

fn unsupported<T>(reason: impl Into<String>) -> Result<T> {
    Err(FileError::Unsupported(reason.into()))
}
