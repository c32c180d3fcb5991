// SPDX-License-Identifier: Apache-2.0
//! The configuration of a Hugging Face `config.json`. Names of keys: `LlamaConfig`, `MistralConfig`, `Qwen2Config`,
//! `Qwen3Config` and `Gemma3TextConfig` of the transformers library.

use super::error::{unsupported, FileError, Result};
use crate::config::{global_every, Family, ModelConfig, Rope, RopeScaling, Unchecked};
use serde_json::{Map, Value};

/// Maximum number of bytes of a `config.json`.
pub const MAX_CONFIG: usize = 1 << 20;

/// Keys without effect on inference.
const IGNORED: [&str; 26] = [
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "cache_implementation",
    "dtype",
    "hidden_dropout",
    "initializer_range",
    "is_llama_config",
    "max_window_layers",
    "model_type",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "resid_pdrop",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
    "return_dict",
    "tokenizer_class",
    "id2label",
    "label2id",
    "_attn_implementation_autoset",
];

/// Keys that are read.
const READ: [&str; 33] = [
    "attention_bias",
    "attn_logit_softcapping",
    "bos_token_id",
    "eos_token_id",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_size",
    "intermediate_size",
    "layer_types",
    "_sliding_window_pattern",
    "max_position_embeddings",
    "mlp_bias",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "quantization_config",
    "query_pre_attn_scalar",
    "rms_norm_eps",
    "rope_interleaved",
    "rope_local_base_freq",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "sliding_window_pattern",
    "tie_word_embeddings",
    "use_bidirectional_attention",
    "use_sliding_window",
    "vocab_size",
    "use_mrope",
];

/// The JSON object.
struct Keys(Map<String, Value>);

impl Keys {
    /// Returns a value; `null` counts as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        typed(self.get(key), key, expected, convert)
    }

    fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.typed(key, "an unsigned integer", Value::as_u64)
    }

    fn f32(&self, key: &str) -> Result<Option<f32>> {
        self.typed(key, "a number", as_f32)
    }

    fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "a boolean", Value::as_bool)
    }

    fn str(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "a string", Value::as_str)
    }

    fn needed(&self, key: &str) -> Result<u64> {
        self.u64(key)?.ok_or_else(|| missing(key))
    }

    /// Refuses unknown keys and unsupported settings.
    fn check_all(&self) -> Result<()> {
        let known = |key: &str| IGNORED.contains(&key) || READ.contains(&key);
        if let Some(key) = self.0.keys().find(|key| !known(key)) {
            if self.get(key).is_some() {
                return unsupported(format!("{key} is unknown"));
            }
        }
        for key in [
            "attention_bias",
            "mlp_bias",
            "use_bidirectional_attention",
            "use_sliding_window",
            "use_mrope",
            "rope_interleaved",
        ] {
            if self.bool(key)? == Some(true) {
                return unsupported(key);
            }
        }
        for key in [
            "quantization_config",
            "attn_logit_softcapping",
            "final_logit_softcapping",
        ] {
            if self.get(key).is_some() {
                return unsupported(key);
            }
        }
        if self.f32("partial_rotary_factor")?.is_some_and(|part| part != 1.0) {
            return unsupported("partial_rotary_factor");
        }
        Ok(())
    }

    /// Returns whether each layer is local.
    fn local(&self, family: Family, layers: u64) -> Result<Vec<bool>> {
        if let Some(kinds) = self.typed("layer_types", "an array", Value::as_array)? {
            let kinds = kinds.iter().map(|kind| match kind.as_str() {
                Some("full_attention") => Ok(false),
                Some("sliding_attention") => Ok(true),
                _ => unsupported(format!("layer_types with {kind}")),
            });
            return kinds.collect();
        }
        if family != Family::Gemma3 {
            return Ok(global_every(u64::MAX, layers));
        }
        let pattern = match self.u64("sliding_window_pattern")? {
            None => self.u64("_sliding_window_pattern")?,
            pattern => pattern,
        };
        match pattern {
            Some(0) => unsupported("sliding_window_pattern 0"),
            pattern => Ok(global_every(pattern.unwrap_or(6), layers)),
        }
    }

    /// Returns the rotary embedding.
    fn rope(&self, family: Family) -> Result<Rope> {
        let gemma = family == Family::Gemma3;
        let mut theta = self.f32("rope_theta")?;
        let mut local_theta = self.f32("rope_local_base_freq")?;
        let mut scaling = self.typed("rope_scaling", "an object", Value::as_object)?;
        // The newer format: one object, or one for each kind of layer.
        if let Some(all) = self.typed("rope_parameters", "an object", Value::as_object)? {
            let global = match all.get("full_attention").and_then(Value::as_object) {
                Some(global) => global,
                None => all,
            };
            if let Some(local) = all.get("sliding_attention").and_then(Value::as_object) {
                if !matches!(parse_scaling(local)?, RopeScaling::None) {
                    return unsupported("scaled rope in local layers");
                }
                local_theta = number(local, "rope_theta")?;
            }
            theta = number(global, "rope_theta")?.or(theta);
            scaling = Some(global);
        }
        if local_theta.is_some() && !gemma {
            return unsupported("rope_local_base_freq");
        }
        Ok(Rope {
            theta: theta.unwrap_or(if gemma { 1e6 } else { 1e4 }),
            local_theta: gemma.then(|| local_theta.unwrap_or(1e4)),
            scaling: scaling.map_or(Ok(RopeScaling::None), parse_scaling)?,
        })
    }
}

fn missing(key: &str) -> FileError {
    FileError::MissingKey { key: key.into() }
}

fn as_f32(value: &Value) -> Option<f32> {
    value.as_f64().map(|value| value as f32)
}

fn typed<'a, T>(
    value: Option<&'a Value>,
    key: &str,
    expected: &'static str,
    convert: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>> {
    match value.map(convert) {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(FileError::KeyType {
            key: key.into(),
            expected,
        }),
    }
}

fn number(object: &Map<String, Value>, key: &str) -> Result<Option<f32>> {
    let value = object.get(key).filter(|value| !value.is_null());
    typed(value, key, "a number", as_f32)
}

fn parse_scaling(object: &Map<String, Value>) -> Result<RopeScaling> {
    let needed = |key: &str| number(object, key)?.ok_or_else(|| missing(key));
    let kind = object.get("rope_type").or_else(|| object.get("type"));
    match kind.and_then(Value::as_str) {
        Some("default") => Ok(RopeScaling::None),
        Some("linear") => Ok(RopeScaling::Linear {
            factor: needed("factor")?,
        }),
        Some("llama3") => {
            let key = "original_max_position_embeddings";
            let context = typed(object.get(key), key, "an unsigned integer", Value::as_u64)?;
            Ok(RopeScaling::Llama3 {
                factor: needed("factor")?,
                low_freq_factor: needed("low_freq_factor")?,
                high_freq_factor: needed("high_freq_factor")?,
                original_context: usize::try_from(context.ok_or_else(|| missing(key))?).unwrap_or(usize::MAX),
            })
        }
        None if kind.is_none() => Ok(RopeScaling::None),
        _ => unsupported(format!("rope of type {}", kind.unwrap_or(&Value::Null))),
    }
}

fn family(model_type: &str) -> Result<Family> {
    match model_type {
        "llama" | "mistral" => Ok(Family::Llama),
        "qwen2" => Ok(Family::Qwen2),
        "qwen3" => Ok(Family::Qwen3),
        "gemma3_text" => Ok(Family::Gemma3),
        other => unsupported(format!("model_type {other:?}")),
    }
}

/// Returns the token or tokens of a key.
fn tokens(value: Option<&Value>, key: &str) -> Result<Vec<u64>> {
    let tokens = match value {
        None => Some(Vec::new()),
        Some(Value::Array(tokens)) => tokens.iter().map(Value::as_u64).collect(),
        Some(token) => token.as_u64().map(|token| vec![token]),
    };
    tokens.ok_or_else(|| FileError::KeyType {
        key: key.into(),
        expected: "a token or an array of tokens",
    })
}

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// Errors: malformed JSON, unknown keys, unsupported settings, values out of bounds.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_CONFIG {
            return Err(FileError::TooMany {
                what: "bytes of config.json",
                count: bytes.len() as u64,
                max: MAX_CONFIG as u64,
            });
        }
        let keys = Keys(serde_json::from_slice(bytes).map_err(|error| FileError::Json {
            what: "config.json",
            reason: error.to_string(),
        })?);
        let model_type = keys.str("model_type")?.ok_or_else(|| missing("model_type"))?;
        let family = family(model_type)?;
        let gemma = family == Family::Gemma3;
        keys.check_all()?;
        let activation = match keys.str("hidden_activation")? {
            None => keys.str("hidden_act")?,
            activation => activation,
        };
        let expected = if gemma { "gelu_pytorch_tanh" } else { "silu" };
        if activation.is_some_and(|activation| activation != expected) {
            return unsupported(format!("activation {activation:?}"));
        }
        let layers = keys.needed("num_hidden_layers")?;
        let dim = keys.needed("hidden_size")?;
        let heads = keys.needed("num_attention_heads")?;
        let head_dim = match keys.u64("head_dim")? {
            Some(width) => width,
            None if gemma => 256,
            None if family == Family::Qwen3 => 128,
            None if heads > 0 && dim.is_multiple_of(heads) => dim / heads,
            None => return Err(missing("head_dim")),
        };
        // Qwen applies its window with `use_sliding_window` only, which is refused.
        let windowed = gemma || model_type == "mistral";
        let window = keys.u64("sliding_window")?.filter(|_| windowed);
        let local = keys.local(family, layers)?;
        let local = match window {
            Some(_) => local,
            None if !windowed && local.contains(&true) && keys.get("layer_types").is_some() => {
                return unsupported("sliding_attention in layer_types");
            }
            None => vec![false; local.len()],
        };
        let query_scale = keys.f32("query_pre_attn_scalar")?;
        let unchecked = Unchecked {
            family,
            vocab: keys.needed("vocab_size")?,
            dim,
            layers,
            heads,
            kv_heads: keys.u64("num_key_value_heads")?.unwrap_or(heads),
            head_dim,
            ff: keys.needed("intermediate_size")?,
            context: keys.needed("max_position_embeddings")?,
            norm_eps: keys.f32("rms_norm_eps")?.unwrap_or(1e-6),
            rope: keys.rope(family)?,
            query_scale: gemma.then(|| 1.0 / query_scale.unwrap_or(256.0).sqrt()),
            tied_head: keys.bool("tie_word_embeddings")?.unwrap_or(gemma),
            window,
            local,
            bos: tokens(keys.get("bos_token_id"), "bos_token_id")?.first().copied(),
            ends: tokens(keys.get("eos_token_id"), "eos_token_id")?,
        };
        Ok(unchecked.check()?)
    }
}
