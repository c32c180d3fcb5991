// SPDX-License-Identifier: Apache-2.0
//! Configurations of GGUF files and of `config.json`; unknown and unsupported settings are refused.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    config::{Activation, Family, ModelConfig, RopeScaling},
    files::{writer::Writer, Gguf},
};
use common::models::*;
use serde_json::{json, Value};

fn from_gguf(writer: Writer) -> Result<ModelConfig, String> {
    let dims = [DIM as u64, VOCAB as u64];
    let writer = writer.tensor_f32("token_embd.weight", &dims, &[0.0; DIM * VOCAB]);
    let gguf = Gguf::read(&writer.finish()).unwrap();
    ModelConfig::from_gguf(&gguf).map_err(|error| error.to_string())
}

fn from_json(config: &Value) -> Result<ModelConfig, String> {
    ModelConfig::from_json(config.to_string().as_bytes()).map_err(|error| error.to_string())
}

/// Returns the error of a `config.json` with one changed key.
fn refused(family: &str, key: &str, value: Value) -> String {
    let mut config = config_json(family);
    config[key] = value;
    from_json(&config).unwrap_err()
}

#[test]
fn gguf_and_json_have_the_same_configuration() {
    for family in FAMILIES {
        let gguf = from_gguf(with_tokenizer(metadata(family))).unwrap();
        assert_eq!(gguf, from_json(&config_json(family)).unwrap(), "{family}");
        assert_eq!((gguf.bos, gguf.ends.as_slice()), (Some(1), &[2][..]));
    }
}

#[test]
fn each_family_has_its_own_settings() {
    let [llama, qwen2, qwen3, gemma] = FAMILIES.map(|family| from_json(&config_json(family)).unwrap());
    assert_eq!((llama.family, llama.activation), (Family::Llama, Activation::Silu));
    assert!(qwen2.qkv_bias && !qwen2.qk_norm);
    assert!(qwen3.qk_norm && !qwen3.qkv_bias);
    assert_eq!(gemma.activation, Activation::GeluTanh);
    assert!(gemma.qk_norm && gemma.post_norms);
    assert_eq!(gemma.embedding_scale, (DIM as f32).sqrt());
    assert_eq!(gemma.query_scale, 0.25);
    assert_eq!(gemma.rope.local_theta, Some(1e4));
    assert_eq!(gemma.window, Some(8));
    assert_eq!(gemma.local, [true, true, true, true, true, false, true]);
    assert_eq!((llama.window, llama.local), (None, vec![false; LAYERS]));
}

#[test]
fn rope_scaling_is_read() {
    let mut config = config_json("llama");
    config["rope_scaling"] = json!({
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    });
    let llama3 = RopeScaling::Llama3 {
        factor: 32.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 8192,
    };
    assert_eq!(from_json(&config).unwrap().rope.scaling, llama3);
    config["rope_scaling"] = json!({"type": "linear", "factor": 2.0});
    let linear = from_json(&config).unwrap();
    assert_eq!(linear.rope.scaling, RopeScaling::Linear { factor: 2.0 });
    let gguf = metadata("llama")
        .text("llama.rope.scaling.type", "linear")
        .f32("llama.rope.scaling.factor", 2.0);
    assert_eq!(from_gguf(gguf).unwrap().rope, linear.rope);
    let gguf = metadata("llama").tensor_f32("rope_freqs.weight", &[8], &[1.0; 8]);
    assert_eq!(from_gguf(gguf).unwrap().rope.scaling, RopeScaling::Divisors);
    // The newer format of Gemma's two bases.
    let mut config = config_json("gemma3");
    let before = from_json(&config).unwrap();
    config.as_object_mut().unwrap().remove("rope_theta");
    config["rope_parameters"] = json!({
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
    });
    let after = from_json(&config).unwrap();
    assert_eq!((after.rope.theta, after.rope.local_theta), (1e6, Some(2e4)));
    assert_eq!(after.rope.scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(after.local, before.local);
}

#[test]
fn unsupported_settings_are_refused_by_name() {
    for (family, key, value, reason) in [
        (
            "llama",
            "model_type",
            json!("mixtral"),
            "not supported: model_type \"mixtral\"",
        ),
        ("llama", "attention_bias", json!(true), "not supported: attention_bias"),
        (
            "llama",
            "rope_interleaved",
            json!(true),
            "not supported: rope_interleaved",
        ),
        ("llama", "mlp_bias", json!(true), "not supported: mlp_bias"),
        (
            "llama",
            "num_local_experts",
            json!(8),
            "not supported: num_local_experts is unknown",
        ),
        (
            "llama",
            "quantization_config",
            json!({}),
            "not supported: quantization_config",
        ),
        (
            "llama",
            "hidden_act",
            json!("gelu"),
            "not supported: activation Some(\"gelu\")",
        ),
        (
            "llama",
            "partial_rotary_factor",
            json!(0.5),
            "not supported: partial_rotary_factor",
        ),
        (
            "llama",
            "rope_scaling",
            json!({"type": "yarn", "factor": 4.0}),
            "not supported: rope of type \"yarn\"",
        ),
        ("llama", "rope_scaling", json!({"type": "linear"}), "factor is missing"),
        ("llama", "rope_scaling", json!(4), "rope_scaling is not an object"),
        (
            "llama",
            "vision_config",
            json!({}),
            "not supported: vision_config is unknown",
        ),
        (
            "qwen2",
            "use_sliding_window",
            json!(true),
            "not supported: use_sliding_window",
        ),
        (
            "gemma3",
            "final_logit_softcapping",
            json!(30.0),
            "not supported: final_logit_softcapping",
        ),
        (
            "gemma3",
            "attn_logit_softcapping",
            json!(50.0),
            "not supported: attn_logit_softcapping",
        ),
        (
            "gemma3",
            "use_bidirectional_attention",
            json!(true),
            "not supported: use_bidirectional_attention",
        ),
        (
            "gemma3",
            "layer_types",
            json!(["chunked_attention"]),
            "not supported: layer_types with \"chunked_attention\"",
        ),
        (
            "gemma3",
            "sliding_window_pattern",
            json!(0),
            "not supported: sliding_window_pattern 0",
        ),
    ] {
        assert_eq!(refused(family, key, value), reason);
    }
    for (key, reason) in [
        ("llama.expert_count", "not supported: llama.expert_count"),
        ("llama.logit_scale", "not supported: llama.logit_scale is unknown"),
        (
            "llama.attention.sliding_window",
            "not supported: a sliding window in family llama",
        ),
        (
            "llama.rope.dimension_count",
            "not supported: rope.dimension_count other than a head's 16",
        ),
    ] {
        assert_eq!(from_gguf(metadata("llama").u32(key, 8)).unwrap_err(), reason);
    }
    let yarn = metadata("llama").text("llama.rope.scaling.type", "yarn");
    assert_eq!(
        from_gguf(yarn).unwrap_err(),
        "not supported: llama.rope.scaling.type \"yarn\""
    );
    let softcap = metadata("gemma3").f32("gemma3.final_logit_softcapping", 30.0);
    assert!(from_gguf(softcap).is_err());
    let uncausal = metadata("llama").bool("llama.attention.causal", false);
    assert_eq!(
        from_gguf(uncausal).unwrap_err(),
        "not supported: attention that is not causal"
    );
    let falcon = Writer::new().text("general.architecture", "falcon");
    assert_eq!(
        from_gguf(falcon).unwrap_err(),
        "not supported: general.architecture \"falcon\""
    );
}

#[test]
fn sizes_are_refused_when_they_are_out_of_bounds() {
    for (key, value, reason) in [
        ("vocab_size", json!(0), "the vocabulary is 0, not 1 to 1048576"),
        (
            "hidden_size",
            json!(1u64 << 40),
            "the width is 1099511627776, not 1 to 65536",
        ),
        (
            "num_hidden_layers",
            json!(1u64 << 60),
            "layers is 1152921504606846976, not 1 to 512",
        ),
        (
            "num_attention_heads",
            json!(3),
            "key heads is 2, not a divisor of 3 query heads",
        ),
        ("num_key_value_heads", json!(0), "key heads is 0, not 1 to 1024"),
        ("head_dim", json!(15), "the width of a head is 15, not even"),
        (
            "intermediate_size",
            json!(-1),
            "intermediate_size is not an unsigned integer",
        ),
        (
            "max_position_embeddings",
            json!("8"),
            "max_position_embeddings is not an unsigned integer",
        ),
        ("rms_norm_eps", json!(0.0), "the norm's epsilon is 0, not 0 to 1"),
        ("rope_theta", json!(1e300), "rope's base is inf, not 1 to 1000000000"),
        ("eos_token_id", json!(300), "a special token is 300, not below 300"),
        (
            "eos_token_id",
            json!("</s>"),
            "eos_token_id is not a token or an array of tokens",
        ),
        ("vocab_size", Value::Null, "vocab_size is missing"),
    ] {
        assert_eq!(refused("llama", key, value), reason);
    }
    assert_eq!(
        refused("gemma3", "layer_types", json!(["full_attention"])),
        "kinds of layers is 1, not 7, one for each layer"
    );
    let low = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
    assert_eq!(
        refused("llama", "rope_scaling", low),
        "rope's low_freq_factor is 4, not below high_freq_factor 4"
    );
    let nan = metadata("llama").f32("llama.rope.scaling.factor", f32::NAN);
    assert_eq!(from_gguf(nan).unwrap_err(), "rope's factor is NaN, not 1 to 1000000");
    assert_eq!(
        from_gguf(Writer::new().text("general.architecture", "llama")).unwrap_err(),
        "llama.embedding_length is missing"
    );
    let deep = "[".repeat(100_000);
    assert!(ModelConfig::from_json(deep.as_bytes()).is_err());
    let long = vec![b' '; (1 << 20) + 1];
    assert_eq!(
        ModelConfig::from_json(&long).unwrap_err().to_string(),
        "bytes of config.json: 1048577 exceeds 1048576"
    );
}
