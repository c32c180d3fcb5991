// SPDX-License-Identifier: Apache-2.0
//! Tensors of GGUF files and of folders: the same parts with the same values.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    config::{BlockPart, ModelConfig, Part},
    files::{writer::Writer, BlockFormat, ElementType, FileError, ModelFile},
};
use common::models::*;

fn open(bytes: Vec<u8>) -> Result<ModelFile, String> {
    ModelFile::from_gguf(Box::new(bytes)).map_err(|error| error.to_string())
}

fn open_folder(config: &serde_json::Value, shards: Vec<Vec<u8>>) -> Result<ModelFile, String> {
    ModelFile::from_folder(folder(config, shards)).map_err(|error| error.to_string())
}

/// Opens a GGUF file with changed tensors.
fn changed(family: &str, store: impl FnMut(Part, &[f32]) -> (ElementType, Vec<u8>)) -> Result<ModelFile, String> {
    open(with_tensors(metadata(family), 1, true, store).finish())
}

fn all(file: &ModelFile, part: Part) -> Vec<f32> {
    let (rows, _) = file.shape(part).unwrap();
    let mut out = Vec::new();
    file.read_f32(part, 0, rows, &mut out).unwrap();
    out
}

fn bf16(_: Part, values: &[f32]) -> (ElementType, Vec<u8>) {
    let halves = values
        .iter()
        .flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes());
    (ElementType::Bf16, halves.collect())
}

#[test]
fn parts_are_the_same_from_a_file_and_from_a_folder() {
    for family in FAMILIES {
        let gguf = open(gguf(family, 3)).unwrap();
        let tensors = folder_tensors(family, 3);
        // Two shards, as of large models.
        let shards = tensors.chunks(20).map(safetensors).collect();
        let folder = open_folder(&config_json(family), shards).unwrap();
        assert_eq!(gguf.config(), folder.config());
        assert_eq!(gguf.parts().count(), folder.parts().count());
        for part in gguf.parts() {
            let expected = values(part, gguf.config(), 3);
            assert_eq!(all(&gguf, part), expected, "{family} {part:?}");
            let found = all(&folder, part);
            // Norm weights of Gemma are stored minus 1, which rounds.
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(found.iter().zip(&expected).all(near), "{family} {part:?}");
        }
    }
}

#[test]
fn rows_are_read_in_any_division() {
    let file = open(gguf("llama", 4)).unwrap();
    for part in [Part::Block(2, BlockPart::Query), Part::Embedding] {
        let (rows, row) = file.shape(part).unwrap();
        let whole = all(&file, part);
        let mut piece = Vec::new();
        let mut bytes = Vec::new();
        for (first, count) in [(0, 0), (0, 1), (3, 5), (7, 30), (17, rows - 17), (rows, 0)] {
            file.read_f32(part, first, count, &mut piece).unwrap();
            assert_eq!(piece, whole[first * row..(first + count) * row]);
            file.read_rows(part, first, count, &mut bytes).unwrap();
            assert_eq!(bytes.len(), count * 4 * row);
            let words = bytes.chunks_exact(4);
            let words = words.map(|word| f32::from_le_bytes(word.try_into().unwrap()));
            assert_eq!(words.collect::<Vec<_>>(), piece);
        }
        for (first, count) in [(rows, 1), (0, rows + 1), (usize::MAX, 2)] {
            let refusal = file.read_rows(part, first, count, &mut bytes);
            assert!(matches!(refusal, Err(FileError::Rows { .. })));
        }
    }
}

#[test]
fn quantised_rows_are_read_as_stored() {
    let file = changed("qwen3", |part, values| match part {
        Part::Block(_, BlockPart::Down) => {
            let bytes = (0..values.len() / 32 * 34).map(|byte| byte as u8);
            (ElementType::Block(BlockFormat::Q8_0), bytes.collect())
        }
        part => f32s(part, values),
    })
    .unwrap();
    let part = Part::Block(0, BlockPart::Down);
    assert_eq!(file.element(part).unwrap(), ElementType::Block(BlockFormat::Q8_0));
    let mut bytes = Vec::new();
    file.read_rows(part, 1, 2, &mut bytes).unwrap();
    assert_eq!(bytes.len(), 2 * (FF / 32 * 34));
    assert_eq!(bytes, (68..204).map(|byte| byte as u8).collect::<Vec<_>>());
    assert_eq!(
        file.read_f32(part, 0, 1, &mut Vec::new()).unwrap_err().to_string(),
        "tensor blk.0.ffn_down.weight is quantised as Q8_0"
    );
}

#[test]
fn half_precision_is_read_exactly() {
    let halves = changed("gemma3", bf16).unwrap();
    let part = Part::Block(6, BlockPart::Up);
    let expected: Vec<_> = values(part, halves.config(), 1)
        .iter()
        .map(|value| f32::from_bits(value.to_bits() & 0xffff_0000))
        .collect();
    assert_eq!(all(&halves, part), expected);
}

#[test]
fn head_and_divisors_are_parts_if_the_file_has_them() {
    let writer = metadata("llama").tensor_f32("rope_freqs.weight", &[8], &[2.0; 8]);
    // Only the head is added: the file has the divisors already.
    assert!(with_untied(metadata("llama")).parts().any(|part| part == Part::Head));
    let dims = [DIM as u64, VOCAB as u64];
    let probe = writer.tensor_f32("token_embd.weight", &dims, &[0.0; DIM * VOCAB]);
    let gguf = agorai_engine::files::Gguf::read(&probe.finish()).unwrap();
    let config = ModelConfig::from_gguf(&gguf).unwrap();
    assert_eq!(Part::all(&config).last(), Some(Part::RopeDivisors));
    let mut file = metadata("llama");
    for part in Part::all(&config) {
        let (rows, row) = part.shape(&config);
        let dims = [row as u64, rows as u64];
        let dims = &dims[..2 - usize::from(part.is_vector())];
        file = file.tensor_f32(&part.gguf_name(), dims, &values(part, &config, 1));
    }
    let file = open(file.finish()).unwrap();
    assert_eq!(all(&file, Part::RopeDivisors), values(Part::RopeDivisors, &config, 1));
}

fn with_untied(writer: Writer) -> ModelFile {
    open(with_tensors(writer, 1, false, f32s).finish()).unwrap()
}

#[test]
fn models_are_refused_when_a_tensor_is_missing_unknown_or_of_another_shape() {
    let extra = |name: &str| {
        let writer = metadata("qwen2").tensor_f32(name, &[1], &[1.0]);
        open(with_tensors(writer, 1, true, f32s).finish()).map(|_| ())
    };
    assert_eq!(
        extra("blk.0.attn_qkv.weight").unwrap_err(),
        "tensor blk.0.attn_qkv.weight is not part of this model"
    );
    assert_eq!(
        extra("blk.7.attn_q.weight").unwrap_err(),
        "tensor blk.7.attn_q.weight is not part of this model"
    );
    assert!(extra("blk.0.rotary_emb.inv_freq").is_ok());
    let config = config_json("llama");
    let tensors = folder_tensors("llama", 1);
    assert_eq!(
        open_folder(&config, vec![safetensors(&tensors[1..])]).unwrap_err(),
        "tensor model.embed_tokens.weight is missing"
    );
    let mut wrong = tensors.clone();
    wrong[0].1 = vec![DIM, VOCAB];
    assert_eq!(
        open_folder(&config, vec![safetensors(&wrong)]).unwrap_err(),
        "tensor model.embed_tokens.weight has shape [32, 300] instead of [300, 32]"
    );
    let twice = vec![safetensors(&tensors), safetensors(&tensors[..1])];
    assert_eq!(
        open_folder(&config, twice).unwrap_err(),
        "tensor model.embed_tokens.weight is duplicated"
    );
    let mut larger = config.clone();
    larger["num_hidden_layers"] = 8.into();
    assert_eq!(
        open_folder(&larger, vec![safetensors(&tensors)]).unwrap_err(),
        "tensor model.layers.7.input_layernorm.weight is missing"
    );
    let blocks = changed("llama", |part, values| match part {
        Part::Norm => (ElementType::Block(BlockFormat::Q8_0), vec![0; values.len() / 32 * 34]),
        part => f32s(part, values),
    });
    assert_eq!(blocks.unwrap_err(), "tensor output_norm.weight is quantised as Q8_0");
    // A tied head may be stored too.
    let mut tied = tensors.clone();
    tied.push(("lm_head.weight".into(), vec![VOCAB, DIM], tensors[0].2.clone()));
    assert!(open_folder(&config, vec![safetensors(&tied)]).is_ok());
    let mut untied = config.clone();
    untied["tie_word_embeddings"] = false.into();
    assert_eq!(
        open_folder(&untied, vec![safetensors(&tensors)]).unwrap_err(),
        "tensor lm_head.weight is missing"
    );
}

#[test]
fn values_are_refused_when_they_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let file = changed("llama", |part, values| {
            let mut values = values.to_vec();
            if part == Part::Norm {
                values[31] = value;
            }
            f32s(part, &values)
        });
        let refusal = file.unwrap().read_f32(Part::Norm, 0, 1, &mut Vec::new());
        assert_eq!(
            refusal.unwrap_err().to_string(),
            "tensor output_norm.weight contains values that are not finite"
        );
    }
}

#[test]
fn rows_of_a_matrix_are_refused_when_they_are_not_finite() {
    let gate = Part::Block(2, BlockPart::Gate);
    for element in [ElementType::F32, ElementType::F16, ElementType::Bf16] {
        let file = changed("llama", |part, values| match (part == gate, element) {
            (false, _) => f32s(part, values),
            (true, ElementType::F32) => (element, f32::NAN.to_le_bytes().repeat(values.len())),
            // An infinity in bfloat16, a NaN in binary16.
            (true, _) => (element, 0x7f80u16.to_le_bytes().repeat(values.len())),
        });
        let refusal = file.unwrap().read_rows(gate, 5, 2, &mut Vec::new());
        assert_eq!(
            refusal.unwrap_err().to_string(),
            "tensor blk.2.ffn_gate.weight contains values that are not finite"
        );
    }
}

#[test]
fn safetensors_header_is_refused_when_it_is_inconsistent() {
    let file = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 8]);
        agorai_engine::files::safetensors::read(&bytes)
            .err()
            .map(|error| error.to_string())
    };
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        file(&format!(
            r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#
        ))
        .unwrap_or_default()
    };
    assert_eq!(entry("F32", "[2]", "[0,8]"), "");
    assert_eq!(
        entry("F32", "[2]", "[4,12]"),
        "tensor a: bytes 67 to 75 exceed the file size 71"
    );
    assert_eq!(entry("F32", "[2]", "[0,4]"), "tensor a: 4 bytes instead of 8");
    assert_eq!(entry("F32", "[2]", "[8,0]"), "tensor a: 0 bytes instead of 8");
    assert_eq!(entry("F32", "[]", "[0,4]"), "tensor a: shape [] is invalid");
    assert_eq!(
        entry("F32", "[4294967296,4294967296]", "[0,8]"),
        "tensor a: shape [4294967296, 4294967296] is invalid"
    );
    assert_eq!(
        entry("F8_E4M3", "[8]", "[0,8]"),
        "tensor a: element type F8_E4M3 is not supported"
    );
    let two = |second: &str, from: u32| {
        let one = |name: &str, from: u32| {
            format!(
                r#""{name}":{{"dtype":"F16","shape":[2],"data_offsets":[{from},{}]}}"#,
                from + 4
            )
        };
        file(&format!("{{{},{}}}", one("a", 0), one(second, from))).unwrap_or_default()
    };
    assert_eq!(two("b", 4), "");
    assert_eq!(two("b", 2), "tensors a and b overlap");
    assert_eq!(two("a", 4), "tensor a is duplicated");
    assert!(file("[]").unwrap().starts_with("a safetensors header: "));
    assert!(file(r#"{"a":{"dtype":"F32"}}"#).is_some());
    assert!(file(&"[".repeat(1 << 20)).is_some());
    let long = u64::MAX.to_le_bytes();
    assert_eq!(
        agorai_engine::files::safetensors::read(&long.to_vec())
            .unwrap_err()
            .to_string(),
        "a safetensors header at byte 0 needs 18446744073709551615 bytes, 0 remain"
    );
    assert!(agorai_engine::files::safetensors::read(&vec![0; 7]).is_err());
}

#[test]
fn file_on_disk_is_read() {
    let folder = std::env::temp_dir().join(format!("agorai-model-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("tiny.gguf", &gguf("qwen3", 9));
    let gguf = ModelFile::open(&folder.join("tiny.gguf")).unwrap();
    let tensors = folder_tensors("qwen3", 9);
    write("a.safetensors", &safetensors(&tensors[..30]));
    write("b.safetensors", &safetensors(&tensors[30..]));
    write("config.json", config_json("qwen3").to_string().as_bytes());
    let map: serde_json::Map<_, _> = tensors
        .iter()
        .enumerate()
        .map(|(i, tensor)| {
            let name = if i < 30 { "a.safetensors" } else { "b.safetensors" };
            (tensor.0.clone(), name.into())
        })
        .collect();
    let index = serde_json::json!({"metadata": {}, "weight_map": map}).to_string();
    write("model.safetensors.index.json", index.as_bytes());
    let model = ModelFile::open(&folder).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    for part in gguf.parts() {
        assert_eq!(all(&gguf, part), all(&model, part));
    }
    assert_eq!(gguf.bytes(), model.bytes());
    assert!(matches!(ModelFile::open(&folder), Err(FileError::Io(_))));
}
