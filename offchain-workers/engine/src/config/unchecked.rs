// SPDX-License-Identifier: Apache-2.0
//! The bounds of every size and setting of a model that a file describes.

use super::{
    model::{Activation, Family, ModelConfig},
    rope::{Rope, RopeScaling},
};
use agorai_exact::rope::{MAX_POSITIONS, MAX_THETA};

/// Maximum number of tokens of a vocabulary.
const MAX_VOCAB: u64 = 1 << 20;
/// Maximum width of the residual stream.
const MAX_DIM: u64 = 1 << 16;
/// Maximum number of layers.
pub const MAX_LAYERS: u64 = 512;
/// Maximum number of heads.
const MAX_HEADS: u64 = 1024;
/// Maximum number of elements of a head.
const MAX_HEAD_DIM: u64 = 1024;
/// Maximum width of the feed-forward layer.
const MAX_FF: u64 = 1 << 18;
/// Maximum number of positions that a file may state; a model uses at most [`MAX_POSITIONS`] of them.
const MAX_CONTEXT: u64 = 1 << 24;

/// A size or setting outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {value}, not {expected}")]
pub struct OutOfBounds {
    /// The size or setting.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Its bounds.
    pub expected: String,
}

type Result<T> = core::result::Result<T, OutOfBounds>;

/// Sizes and settings of a file, before their bounds are checked; the fields are those of [`ModelConfig`].
pub(crate) struct Unchecked {
    pub family: Family,
    pub vocab: u64,
    pub dim: u64,
    pub layers: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub head_dim: u64,
    pub ff: u64,
    pub context: u64,
    pub norm_eps: f32,
    pub rope: Rope,
    pub query_scale: Option<f32>,
    pub tied_head: bool,
    pub window: Option<u64>,
    pub local: Vec<bool>,
    pub bos: Option<u64>,
    pub ends: Vec<u64>,
}

impl Unchecked {
    /// Returns the configuration if every size and setting is within its bounds.
    pub(crate) fn check(self) -> Result<ModelConfig> {
        let family = self.family;
        let layers = size("layers", self.layers, MAX_LAYERS)?;
        let heads = size("query heads", self.heads, MAX_HEADS)?;
        let kv_heads = size("key heads", self.kv_heads, MAX_HEADS)?;
        let head_dim = size("the width of a head", self.head_dim, MAX_HEAD_DIM)?;
        let dim = size("the width", self.dim, MAX_DIM)?;
        let vocab = size("the vocabulary", self.vocab, MAX_VOCAB)?;
        let context = size("the context", self.context, MAX_CONTEXT)?.min(MAX_POSITIONS);
        if !heads.is_multiple_of(kv_heads) {
            let expected = format!("a divisor of {heads} query heads");
            return Err(bounds("key heads", kv_heads, expected));
        }
        if !head_dim.is_multiple_of(2) {
            return Err(bounds("the width of a head", head_dim, "even"));
        }
        within("the norm's epsilon", self.norm_eps, 0.0, 1.0)?;
        within("rope's base", self.rope.theta, 1.0, MAX_THETA)?;
        if let Some(theta) = self.rope.local_theta {
            within("rope's local base", theta, 1.0, MAX_THETA)?;
        }
        check_scaling(&self.rope.scaling)?;
        let query_scale = self.query_scale.unwrap_or(1.0 / (head_dim as f32).sqrt());
        within("the scale of queries", query_scale, 0.0, 1e3)?;
        let window = match self.window {
            None => None,
            Some(window) => Some(size("the window", window, MAX_CONTEXT)?),
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
            ff: size("the feed-forward width", self.ff, MAX_FF)?,
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
            size("rope's context", *original_context as u64, MAX_CONTEXT).map(|_| ())
        }
    }
}

fn bounds(key: &str, value: impl ToString, expected: impl Into<String>) -> OutOfBounds {
    OutOfBounds {
        key: key.into(),
        value: value.to_string(),
        expected: expected.into(),
    }
}

/// Returns a size of 1 to `max`.
fn size(key: &str, value: u64, max: u64) -> Result<usize> {
    match usize::try_from(value) {
        Ok(size) if (1..=max).contains(&value) => Ok(size),
        _ => Err(bounds(key, value, format!("1 to {max}"))),
    }
}

/// Accepts a positive finite number of `low` to `high`.
fn within(key: &str, value: f32, low: f32, high: f32) -> Result<()> {
    if value.is_finite() && value >= low && value <= high && value > 0.0 {
        Ok(())
    } else {
        Err(bounds(key, value, format!("{low} to {high}")))
    }
}

/// Returns whether each layer is local if every `period`-th one is global.
pub(crate) fn global_every(period: u64, layers: u64) -> Vec<bool> {
    (0..layers.min(MAX_LAYERS))
        .map(|layer| (layer + 1) % period != 0)
        .collect()
}
