// SPDX-License-Identifier: Apache-2.0
//! Small models of every family as GGUF files and as folders, generated from a seed.

use agorai_engine::{
    config::{BlockPart, ModelConfig, Part},
    files::{folder::Folder, writer::Writer, ElementType, Gguf, Source},
};

/// Number of tokens. The queries of the model are wider than its residual stream.
pub const VOCAB: usize = 300;
pub const DIM: usize = 32;
pub const LAYERS: usize = 7;
pub const HEADS: usize = 4;
pub const KV_HEADS: usize = 2;
pub const HEAD_DIM: usize = 16;
pub const FF: usize = 64;

/// Names of the families in GGUF files.
pub const FAMILIES: [&str; 4] = ["llama", "qwen2", "qwen3", "gemma3"];

/// Pseudo-random numbers in (-1, 1), by splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Returns the values of a tensor: about 1 of norms, about 0 of matrices.
pub fn values(part: Part, config: &ModelConfig, seed: u64) -> Vec<f32> {
    let (rows, row) = part.shape(config);
    let name = part.gguf_name();
    let salt = name
        .bytes()
        .fold(seed, |hash, byte| hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    let mut numbers = Numbers(salt);
    let middle = f32::from(part.is_norm() || part == Part::RopeDivisors);
    (0..rows * row).map(|_| middle + 0.25 * numbers.next()).collect()
}

/// A GGUF file with the keys of a family, without tensors.
pub fn metadata(family: &str) -> Writer {
    let key = |name: &str| format!("{family}.{name}");
    let writer = Writer::new()
        .text("general.architecture", family)
        .u32(&key("context_length"), 128)
        .u32(&key("embedding_length"), DIM as u32)
        .u32(&key("block_count"), LAYERS as u32)
        .u32(&key("feed_forward_length"), FF as u32)
        .u32(&key("attention.head_count"), HEADS as u32)
        .u32(&key("attention.head_count_kv"), KV_HEADS as u32)
        .u32(&key("attention.key_length"), HEAD_DIM as u32)
        .u32(&key("attention.value_length"), HEAD_DIM as u32)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .f32(&key("rope.freq_base"), 10_000.0);
    match family {
        "gemma3" => writer.u32(&key("attention.sliding_window"), 8),
        _ => writer,
    }
}

/// Adds a tokenizer of `<unk>`, `<s>`, `</s>`, the bytes and 41 words.
pub fn with_tokenizer(writer: Writer) -> Writer {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend((0..VOCAB - tokens.len()).map(|word| format!("\u{2581}{word}")));
    let kinds: Vec<_> = (0..VOCAB as i32)
        .map(|token| match token {
            0 => 2,
            1 | 2 => 3,
            3..259 => 6,
            _ => 1,
        })
        .collect();
    let scores: Vec<_> = (0..VOCAB).map(|token| -(token as f32)).collect();
    writer
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0)
}

/// Adds the tensors of a model; `store` returns the element type and the bytes of a tensor's values.
pub fn with_tensors(
    writer: Writer,
    seed: u64,
    tied: bool,
    mut store: impl FnMut(Part, &[f32]) -> (ElementType, Vec<u8>),
) -> Writer {
    let embedding = [DIM as u64, VOCAB as u64];
    let empty = vec![0; 4 * DIM * VOCAB];
    let mut probe = writer.clone();
    probe = probe.tensor("token_embd.weight", &embedding, ElementType::F32, empty.clone());
    if !tied {
        probe = probe.tensor("output.weight", &embedding, ElementType::F32, empty);
    }
    let probe = Gguf::read(&probe.finish()).unwrap();
    let config = ModelConfig::from_gguf(&probe).unwrap();
    Part::all(&config).fold(writer, |writer, part| {
        let (rows, row) = part.shape(&config);
        let mut values = values(part, &config, seed);
        if let ("llama", Part::Block(_, BlockPart::Query | BlockPart::Key)) =
            (probe.metadata.str("general.architecture").unwrap().unwrap(), part)
        {
            values = interleaved(&values, row, config.head_dim);
        }
        let (element, bytes) = store(part, &values);
        let dims = match part.is_vector() {
            true => vec![row as u64],
            false => vec![row as u64, rows as u64],
        };
        writer.tensor(&part.gguf_name(), &dims, element, bytes)
    })
}

/// Interleaves the rows of heads as GGUF files of the Llama family do: row j of half h is stored at 2 j + h.
fn interleaved(values: &[f32], row: usize, head: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (index, values) in values.chunks_exact(row).enumerate() {
        let (first, within) = (index / head * head, index % head);
        let to = first + 2 * (within % (head / 2)) + within / (head / 2);
        out[to * row..(to + 1) * row].copy_from_slice(values);
    }
    out
}

/// Stores values as little-endian binary32.
pub fn f32s(_: Part, values: &[f32]) -> (ElementType, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    (ElementType::F32, bytes.collect())
}

/// A complete GGUF file in binary32, with a tied head.
pub fn gguf(family: &str, seed: u64) -> Vec<u8> {
    with_tensors(with_tokenizer(metadata(family)), seed, true, f32s).finish()
}

/// The `config.json` of the same model.
pub fn config_json(family: &str) -> serde_json::Value {
    let model_type = if family == "gemma3" { "gemma3_text" } else { family };
    let mut config = serde_json::json!({
        "model_type": model_type,
        "vocab_size": VOCAB,
        "hidden_size": DIM,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "intermediate_size": FF,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": true,
        "bos_token_id": 1,
        "eos_token_id": [2],
    });
    if family == "gemma3" {
        config["sliding_window"] = 8.into();
        config["query_pre_attn_scalar"] = HEAD_DIM.into();
        config["hidden_activation"] = "gelu_pytorch_tanh".into();
    }
    config
}

/// A safetensors file of binary32 tensors.
pub fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, values) in tensors {
        let from = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [from, data.len()],
        });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    file
}

/// The tensors of a folder; the norm weights of Gemma are stored minus 1.
pub fn folder_tensors(family: &str, seed: u64) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let config = ModelConfig::from_json(config_json(family).to_string().as_bytes()).unwrap();
    let less = f32::from(family == "gemma3");
    Part::all(&config)
        .map(|part| {
            let (rows, row) = part.shape(&config);
            let mut values = values(part, &config, seed);
            if part.is_norm() {
                values.iter_mut().for_each(|value| *value -= less);
            }
            let shape = match part.is_vector() {
                true => vec![row],
                false => vec![rows, row],
            };
            (part.folder_name(config.family), shape, values)
        })
        .collect()
}

/// A folder of these files, without a tokenizer.
pub fn folder(config: &serde_json::Value, shards: Vec<Vec<u8>>) -> Folder {
    Folder {
        config: config.to_string().into_bytes(),
        shards: shards
            .into_iter()
            .map(|shard| Box::new(shard) as Box<dyn Source>)
            .collect(),
        tokenizer: None,
        tokenizer_config: None,
        chat_template: None,
    }
}
