// SPDX-License-Identifier: Apache-2.0
//! Both kinds of tokenizers of GGUF files. The input is lines of tokens, an empty line, lines of merges, an empty line,
//! and a text.
#![no_main]

use agorai_engine::{
    files::{writer::Writer, Gguf},
    text::Tokenizer,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(all) = core::str::from_utf8(data) else {
        return;
    };
    let mut sections = all.splitn(3, "\n\n");
    let mut lines = || -> Vec<&str> { sections.next().unwrap_or_default().lines().collect() };
    let (tokens, merges) = (lines(), lines());
    let text = sections.next().unwrap_or_default();
    let kinds: Vec<i32> = tokens
        .iter()
        .map(|token| match token.as_bytes() {
            [b'<', b'0', b'x', _, _, b'>'] => 6,
            [b'<', .., b'>'] => 3,
            [b'[', .., b']'] => 4,
            _ => 1,
        })
        .collect();
    let scores: Vec<f32> = (0..tokens.len()).map(|score| -(score as f32)).collect();
    let space = data.len() % 2 == 0;
    for (model, pre) in [("llama", ""), ("gpt2", "llama-bpe"), ("gpt2", "smollm")] {
        let file = Writer::new()
            .text("tokenizer.ggml.model", model)
            .text("tokenizer.ggml.pre", pre)
            .texts("tokenizer.ggml.tokens", &tokens)
            .texts("tokenizer.ggml.merges", &merges)
            .i32s("tokenizer.ggml.token_type", &kinds)
            .f32s("tokenizer.ggml.scores", &scores)
            .bool("tokenizer.ggml.add_bos_token", false)
            .bool("tokenizer.ggml.add_space_prefix", space)
            .finish();
        let gguf = Gguf::read(&file.as_slice()).expect("the file is well formed");
        let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata, 1 << 20) else {
            continue;
        };
        let Ok(ids) = tokenizer.encode(text, true) else {
            continue;
        };
        let mut stream = tokenizer.stream();
        let mut streamed = String::new();
        for id in &ids {
            streamed += &stream.push(*id).expect("tokens have text");
        }
        streamed += &stream.finish().expect("tokens have text");
        assert_eq!(streamed, tokenizer.decode(&ids).expect("tokens have text"));
    }
});
