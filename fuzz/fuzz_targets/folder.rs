// SPDX-License-Identifier: Apache-2.0
//! A model folder. The input is `config.json`, a zero byte, and a safetensors file.
#![no_main]

use agorai_engine::{
    config::ModelConfig,
    files::{folder::Folder, safetensors, ModelFile},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let split = data.iter().position(|byte| *byte == 0);
    let (config, tensors) = data.split_at(split.unwrap_or(data.len()));
    let tensors = tensors.get(1..).unwrap_or_default();
    let _ = ModelConfig::from_json(config);
    let _ = safetensors::read(&tensors);
    let folder = Folder {
        config: config.to_vec(),
        shards: vec![Box::new(tensors.to_vec())],
        tokenizer: None,
        tokenizer_config: None,
        chat_template: None,
    };
    let Ok(file) = ModelFile::from_folder(folder) else {
        return;
    };
    let mut values = Vec::new();
    for part in file.parts() {
        let (rows, _) = file.shape(part).expect("the part is there");
        let _ = file.read_f32(part, 0, rows, &mut values);
    }
});
