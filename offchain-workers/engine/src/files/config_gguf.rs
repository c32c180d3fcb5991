// SPDX-License-Identifier: Apache-2.0
//! The configuration of a GGUF file. Names of keys: `docs/gguf.md` of the ggml project.

use super::{
    error::{unsupported, FileError, Result},
    gguf::Gguf,
    metadata::Metadata,
};
use crate::config::{global_every, Family, ModelConfig, Rope, RopeScaling, Unchecked, MAX_LAYERS};

/// The embedding, which has one row for each token.
const EMBEDDING: &str = "token_embd.weight";
/// The output head, absent if it shares the embedding.
const HEAD: &str = "output.weight";
/// Divisors of the rotary frequencies.
const DIVISORS: &str = "rope_freqs.weight";

/// Supported keys of a family; unknown ones could change results.
const KEYS: [&str; 21] = [
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "vocab_size",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.causal",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scale_linear",
];
/// Keys that are accepted with a value without effect only.
const NEUTRAL: [&str; 5] = [
    "expert_count",
    "expert_used_count",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "tensor_data_layout",
];

/// Base of the rotary frequencies of Gemma 3's local layers, if the file does not specify it.
const GEMMA_LOCAL_THETA: f32 = 10_000.0;
/// Every n-th layer of Gemma 3 is global, if the file does not specify it.
const GEMMA_PERIOD: u64 = 6;
/// Number of layers of Gemma 3 27B, the only one whose queries are scaled by `dim / heads`.
const GEMMA_27B_LAYERS: u64 = 62;

/// The values of a family.
struct Keys<'a> {
    metadata: &'a Metadata,
    family: &'a str,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.family)
    }

    fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.metadata.u64(&self.name(key))
    }

    fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.metadata.f32(&self.name(key))
    }

    fn needed(&self, key: &str) -> Result<u64> {
        let key = self.name(key);
        match self.metadata.u64(&key)? {
            Some(value) => Ok(value),
            None => Err(FileError::MissingKey { key }),
        }
    }

    /// Refuses unknown keys.
    fn check_all(&self) -> Result<()> {
        let prefix = self.name("");
        for key in self.metadata.keys() {
            let Some(name) = key.strip_prefix(&prefix) else {
                continue;
            };
            if NEUTRAL.contains(&name) {
                self.check_neutral(name)?;
            } else if !KEYS.contains(&name) {
                return unsupported(format!("{key} is unknown"));
            }
        }
        if self.metadata.bool(&self.name("attention.causal"))? == Some(false) {
            return unsupported("attention that is not causal");
        }
        Ok(())
    }

    fn check_neutral(&self, name: &str) -> Result<()> {
        let value = self.metadata.get(&self.name(name));
        let neutral = value
            .is_some_and(|value| value.as_u64() == Some(0) || value.as_f32() == Some(0.0) || value.as_str().is_some());
        if neutral {
            Ok(())
        } else {
            unsupported(self.name(name))
        }
    }

    /// Returns whether each layer of a Gemma 3 is local.
    fn local(&self, layers: u64) -> Result<Vec<bool>> {
        let key = self.name("attention.sliding_window_pattern");
        match self.metadata.get(&key) {
            None => Ok(global_every(GEMMA_PERIOD, layers)),
            Some(value) => {
                if let Some(period) = value.as_u64().filter(|period| *period > 0) {
                    return Ok(global_every(period, layers));
                }
                let kinds = self.metadata.numbers(&key)?.into_iter();
                let kinds = kinds.flat_map(|kinds| {
                    kinds
                        .iter()
                        .map(|kind| kind.as_bool().or_else(|| Some(kind.as_u64()? != 0)))
                });
                match kinds.collect() {
                    Some(kinds) => Ok(kinds),
                    None => Err(FileError::KeyType {
                        key,
                        expected: "a period or an array of booleans",
                    }),
                }
            }
        }
    }

    fn scaling(&self, divisors: bool) -> Result<RopeScaling> {
        let key = self.name("rope.scaling.type");
        let kind = self.metadata.str(&key)?;
        let factor = match self.f32("rope.scaling.factor")? {
            None => self.f32("rope.scale_linear")?,
            factor => factor,
        };
        match (kind, factor) {
            (Some("none"), _) | (None, None) if divisors => Ok(RopeScaling::Divisors),
            (Some("none"), _) | (None, None) => Ok(RopeScaling::None),
            (Some("linear") | None, Some(1.0)) if divisors => Ok(RopeScaling::Divisors),
            (Some("linear") | None, Some(factor)) if !divisors => Ok(RopeScaling::Linear { factor }),
            (Some("linear"), None) => Err(FileError::MissingKey {
                key: self.name("rope.scaling.factor"),
            }),
            (Some("linear") | None, _) => unsupported("rope with a factor and divisors"),
            (Some(kind), _) => unsupported(format!("{key} {kind:?}")),
        }
    }
}

fn family(name: &str) -> Result<Family> {
    match name {
        "llama" => Ok(Family::Llama),
        "qwen2" => Ok(Family::Qwen2),
        "qwen3" => Ok(Family::Qwen3),
        "gemma3" => Ok(Family::Gemma3),
        other => unsupported(format!("general.architecture {other:?}")),
    }
}

impl ModelConfig {
    /// Reads the configuration of a GGUF file.
    ///
    /// Errors: missing or unknown keys, unsupported settings, values out of bounds.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self> {
        let metadata = &gguf.metadata;
        let key = "general.architecture";
        let Some(name) = metadata.str(key)? else {
            return Err(FileError::MissingKey { key: key.into() });
        };
        let family = family(name)?;
        let gemma = family == Family::Gemma3;
        let keys = Keys { metadata, family: name };
        keys.check_all()?;
        let find = |name: &str| gguf.tensors.iter().find(|tensor| tensor.name == name);
        let Some(vocab) = find(EMBEDDING).and_then(|tensor| tensor.dims.get(1)) else {
            return Err(FileError::MissingTensor { name: EMBEDDING.into() });
        };
        let dim = keys.needed("embedding_length")?;
        let layers = keys.needed("block_count")?;
        let heads = keys.needed("attention.head_count")?;
        let head_dim = match keys.u64("attention.key_length")? {
            Some(width) => width,
            None if heads > 0 && dim.is_multiple_of(heads) => dim / heads,
            None => {
                return Err(FileError::MissingKey {
                    key: keys.name("attention.key_length"),
                })
            }
        };
        for key in ["attention.value_length", "rope.dimension_count"] {
            if keys.u64(key)?.is_some_and(|width| width != head_dim) {
                return unsupported(format!("{key} other than a head's {head_dim}"));
            }
        }
        let window = keys.u64("attention.sliding_window")?.filter(|window| *window > 0);
        if window.is_some() && !gemma {
            return unsupported(format!("a sliding window in family {name}"));
        }
        let local = match window {
            Some(_) => keys.local(layers)?,
            None => vec![false; layers.min(MAX_LAYERS) as usize],
        };
        let local_theta = match keys.f32("rope.freq_base_swa")? {
            None if gemma => Some(GEMMA_LOCAL_THETA),
            theta => theta,
        };
        let end = |name: &str| metadata.u64(&format!("tokenizer.ggml.{name}_token_id"));
        let ends = [end("eos")?, end("eot")?, end("eom")?];
        let Some(norm_eps) = keys.f32("attention.layer_norm_rms_epsilon")? else {
            return Err(FileError::MissingKey {
                key: keys.name("attention.layer_norm_rms_epsilon"),
            });
        };
        let unchecked = Unchecked {
            family,
            vocab: *vocab,
            dim,
            layers,
            heads,
            kv_heads: keys.u64("attention.head_count_kv")?.unwrap_or(heads),
            head_dim,
            ff: keys.needed("feed_forward_length")?,
            context: keys.needed("context_length")?,
            norm_eps,
            rope: Rope {
                theta: keys.f32("rope.freq_base")?.unwrap_or(10_000.0),
                local_theta,
                scaling: keys.scaling(find(DIVISORS).is_some())?,
            },
            query_scale: (gemma && layers == GEMMA_27B_LAYERS && heads > 0)
                .then(|| 1.0 / ((dim / heads) as f32).sqrt()),
            tied_head: find(HEAD).is_none(),
            window,
            local,
            bos: metadata.u64("tokenizer.ggml.bos_token_id")?,
            ends: ends.into_iter().flatten().collect(),
        };
        Ok(unchecked.check()?)
    }
}
