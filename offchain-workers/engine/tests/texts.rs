// SPDX-License-Identifier: Apache-2.0
//! Tokenizers and chat templates of model files.
#![allow(clippy::unwrap_used)]

mod common;

use agorai_engine::{
    files::{writer::Writer, Gguf, ModelFile},
    text::{ChatTemplate, Message, Tokenizer},
};
use common::models::*;
use proptest::prelude::*;

fn tokenizer(writer: Writer) -> Result<Tokenizer, String> {
    let gguf = Gguf::read(&writer.finish()).unwrap();
    Tokenizer::from_gguf(&gguf.metadata, VOCAB as u32).map_err(|error| error.to_string())
}

/// A SentencePiece tokenizer: tokens with their kinds and scores.
fn scores(tokens: &[(&str, i32, f32)]) -> Writer {
    let texts: Vec<_> = tokens.iter().map(|token| token.0).collect();
    let kinds: Vec<_> = tokens.iter().map(|token| token.1).collect();
    let scores: Vec<_> = tokens.iter().map(|token| token.2).collect();
    Writer::new()
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &texts)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores)
}

const WORDS: [(&str, i32, f32); 15] = [
    ("<unk>", 2, 0.0),
    ("<s>", 3, 0.0),
    ("</s>", 3, 0.0),
    ("\u{2581}", 1, -9.0),
    ("a", 1, -9.0),
    ("b", 1, -9.0),
    ("c", 1, -9.0),
    ("ab", 1, -2.0),
    ("bc", 1, -1.0),
    ("\u{2581}a", 1, -3.0),
    ("abc", 1, -4.0),
    ("  ", 4, 0.0),
    ("<0xC3>", 6, 0.0),
    ("<0xA9>", 6, 0.0),
    ("<end_of_turn>", 3, 0.0),
];

fn words() -> Writer {
    scores(&WORDS)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0)
}

#[test]
fn pieces_merge_by_score_and_unknown_characters_become_bytes() {
    let plain = tokenizer(words().bool("tokenizer.ggml.add_space_prefix", false)).unwrap();
    let encode = |text: &str| plain.encode(text, false).unwrap();
    // "bc" has the higher score and is merged first; then "a" and "bc" are merged to "abc".
    assert_eq!(encode("abc"), [10]);
    assert_eq!(encode("abab"), [7, 7]);
    assert_eq!(encode(" ab"), [3, 7]);
    assert_eq!(encode(" a"), [9]);
    assert_eq!(encode("\u{e9}"), [12, 13]);
    assert_eq!(encode("\u{e8}"), [12, 0]);
    assert_eq!(encode("a  b"), [4, 11, 5]);
    assert_eq!(encode("a   b"), [4, 11, 3, 5]);
    assert_eq!(encode("<s>a</s>b<end_of_turn>"), [1, 4, 2, 5, 14]);
    assert_eq!(encode(""), [0; 0]);
    assert_eq!(plain.encode("a", true).unwrap(), [1, 4]);
    let spaced = tokenizer(words()).unwrap();
    assert_eq!(spaced.encode("a<s>ab", true).unwrap(), [1, 9, 1, 3, 7]);
    assert_eq!(spaced.decode(&[1, 9, 1, 3, 7]).unwrap(), "a ab");
    assert_eq!(plain.decode(&[1, 9, 1, 3, 7]).unwrap(), " a ab");
    let closed = words().bool("tokenizer.ggml.add_eos_token", true);
    assert_eq!(tokenizer(closed).unwrap().encode("", true).unwrap(), [1, 2]);
}

#[test]
fn answer_ends_at_any_end_token() {
    let tokenizer = tokenizer(words()).unwrap();
    assert!(tokenizer.is_end(14) && tokenizer.is_end(2) && !tokenizer.is_end(4));
}

#[test]
fn stream_returns_complete_characters_when_their_bytes_are_split() {
    let tokenizer = tokenizer(words()).unwrap();
    let mut stream = tokenizer.stream();
    let mut push = |token| stream.push(token).unwrap();
    assert_eq!(push(9), "a");
    assert_eq!(push(12), "");
    assert_eq!(push(13), "\u{e9}");
    assert_eq!(push(13), "\u{fffd}");
    assert_eq!(push(12), "");
    assert_eq!(push(4), "\u{fffd}a");
    assert_eq!(push(12), "");
    assert_eq!(push(1), "");
    assert_eq!(stream.finish().unwrap(), "\u{fffd}");
    assert_eq!(
        tokenizer.decode(&[9, 13, 12, 4, 12]).unwrap(),
        "a\u{fffd}\u{fffd}a\u{fffd}"
    );
}

/// A byte-level tokenizer with merges of "he", "ll", "hell" and " hell".
fn bytes(pre: &str) -> Writer {
    let mut tokens: Vec<String> = (0..=255u8)
        .map(|byte| agorai_engine::text::bytes::byte_to_char(byte).to_string())
        .collect();
    tokens.extend(["he", "ll", "hell", "Ġhell", "<|im_end|>", "12", "123"].map(String::from));
    let mut kinds = vec![1; tokens.len()];
    kinds[260] = 3;
    Writer::new()
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", &["h e", "l l", "he ll", "Ġ hell", "1 2"])
        .u32("tokenizer.ggml.bos_token_id", 260)
}

#[test]
fn bytes_merge_in_the_order_of_the_list_within_each_part_of_a_text() {
    let qwen = tokenizer(bytes("qwen2")).unwrap();
    let encode = |text: &str| qwen.encode(text, true).unwrap();
    assert_eq!(encode("hello hell"), [258, 111, 259]);
    assert_eq!(encode("12"), [49, 50]);
    assert_eq!(encode("hell<|im_end|>\u{e9}"), [258, 260, 0xc3, 0xa9]);
    assert_eq!(
        qwen.decode(&encode("hello \u{1f600}<|im_end|>\n")).unwrap(),
        "hello \u{1f600}\n"
    );
    assert!(qwen.is_end(260));
    // Llama 3 splits digits by three, prefers tokens to merges, and adds the beginning-of-sequence token.
    let llama = tokenizer(bytes("llama-bpe")).unwrap();
    assert_eq!(llama.encode("12", true).unwrap(), [260, 261]);
    assert_eq!(llama.encode("1234", false).unwrap(), [262, 52]);
    let gpt2 = tokenizer(bytes("gpt-2")).unwrap();
    assert_eq!(gpt2.encode("123", false).unwrap(), [261, 51]);
}

#[test]
fn tokenizers_are_refused_when_they_are_malformed() {
    let refused = |writer: Writer| tokenizer(writer).err().unwrap();
    let base = || Writer::new().text("tokenizer.ggml.model", "llama");
    assert_eq!(refused(Writer::new()), "tokenizer: tokenizer.ggml.tokens is missing");
    let texts = |count: usize| -> Vec<String> { (0..count).map(|i| i.to_string()).collect() };
    assert_eq!(
        refused(base().texts("tokenizer.ggml.tokens", &texts(VOCAB + 1))),
        "tokenizer: 301 tokens exceed the vocabulary of 300"
    );
    assert_eq!(
        refused(base().texts("tokenizer.ggml.tokens", &["a", "b", "a"])),
        "tokenizer: token \"a\" is duplicated"
    );
    assert_eq!(
        refused(base().texts("tokenizer.ggml.tokens", &["a"])),
        "tokenizer: tokenizer.ggml.scores is missing"
    );
    let two = || base().texts("tokenizer.ggml.tokens", &["a", "b"]);
    assert_eq!(
        refused(two().f32s("tokenizer.ggml.scores", &[1.0])),
        "tokenizer: 1 scores for 2 tokens"
    );
    assert_eq!(
        refused(two().f32s("tokenizer.ggml.scores", &[1.0, f32::NAN])),
        "tokenizer: a score is not finite"
    );
    assert_eq!(
        refused(two().i32s("tokenizer.ggml.token_type", &[1])),
        "tokenizer: 1 types for 2 tokens"
    );
    assert_eq!(
        refused(two().i32s("tokenizer.ggml.token_type", &[1, 7])),
        "tokenizer: a token's type does not exist"
    );
    let scored = || two().f32s("tokenizer.ggml.scores", &[0.0, 0.0]);
    assert_eq!(
        refused(scored().u32("tokenizer.ggml.bos_token_id", 2)),
        "tokenizer: tokenizer.ggml.bos_token_id 2 is not a token"
    );
    assert_eq!(refused(scored()), "tokenizer: the bos token is added but not named");
    assert_eq!(
        refused(bytes("deepseek-coder")),
        "tokenizer: tokenizer.ggml.pre \"deepseek-coder\" is not supported"
    );
    assert_eq!(
        refused(
            Writer::new()
                .text("tokenizer.ggml.model", "bert")
                .texts("tokenizer.ggml.tokens", &["a"])
        ),
        "tokenizer: tokenizer.ggml.model \"bert\" is not supported"
    );
    let none = scored().bool("tokenizer.ggml.add_bos_token", false);
    assert_eq!(
        tokenizer(none).unwrap().encode("c", true).unwrap_err().to_string(),
        "tokenizer: no token for \"\u{2581}\""
    );
    let long = "a".repeat((4 << 20) + 1);
    assert_eq!(
        tokenizer(words()).unwrap().encode(&long, true).unwrap_err().to_string(),
        "tokenizer: a text of 4194305 bytes is too long"
    );
}

const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}\
    {% if message['role'] == 'assistant' %}{% set role = 'model' %}{% else %}{% set role = message.role %}{% endif %}\
    <start_of_turn>{{ role }}\n{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}\
    {% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";

#[test]
fn conversation_is_rendered_by_the_template_of_the_file() {
    let writer = with_tokenizer(metadata("gemma3")).text("tokenizer.chat_template", TEMPLATE);
    let file = with_tensors(writer, 1, true, f32s).finish();
    let file = ModelFile::from_gguf(Box::new(file)).unwrap();
    let template = ChatTemplate::from_model(&file).unwrap();
    let messages = [Message::new("user", " Hi <b> "), Message::new("assistant", "Yes.")];
    assert_eq!(
        template.render(&messages, true).unwrap(),
        "<s><start_of_turn>user\nHi <b><end_of_turn>\n\
        <start_of_turn>model\nYes.<end_of_turn>\n<start_of_turn>model\n"
    );
    let tokenizer = Tokenizer::from_model(&file).unwrap();
    assert_eq!(tokenizer.bos(), Some(1));
    assert_eq!(tokenizer.encode("<s>\u{e9}", false).unwrap()[0], 1);
    let without = ModelFile::from_gguf(Box::new(gguf("gemma3", 1))).unwrap();
    assert_eq!(
        ChatTemplate::from_model(&without).unwrap_err().to_string(),
        "tokenizer: the model has no chat template"
    );
}

#[test]
fn folder_has_its_tokenizer_and_template() {
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [
            {"id": 2, "content": "<|im_end|>", "single_word": false, "lstrip": false,
             "rstrip": false, "normalized": false, "special": true},
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "post_processor": null,
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
            "byte_fallback": false, "merges": ["a b"],
            "vocab": {"a": 0, "b": 1, "<|im_end|>": 2, "\u{c3}": 3, "\u{a9}": 4, "ab": 5}},
    });
    let config = config_json("qwen2");
    let mut folder = folder(&config, vec![safetensors(&folder_tensors("qwen2", 1))]);
    folder.tokenizer = Some(Box::new(json.to_string().into_bytes()));
    let settings = serde_json::json!({
        "chat_template": TEMPLATE,
        "bos_token": {"content": "<|im_end|>"},
        "eos_token": "<|im_end|>",
    });
    folder.tokenizer_config = Some(Box::new(settings.to_string().into_bytes()));
    let file = ModelFile::from_folder(folder).unwrap();
    let tokenizer = Tokenizer::from_model(&file).unwrap();
    let tokens = tokenizer.encode("ab\u{e9}<|im_end|>", true).unwrap();
    assert_eq!(tokens, [5, 3, 4, 2]);
    assert_eq!(tokenizer.decode(&tokens).unwrap(), "ab\u{e9}");
    let mut stream = tokenizer.stream();
    let pieces: Vec<_> = tokens.iter().map(|t| stream.push(*t).unwrap()).collect();
    assert_eq!(pieces, ["ab", "", "\u{e9}", ""]);
    assert_eq!(stream.finish().unwrap(), "");
    assert!(tokenizer.is_end(2));
    let template = ChatTemplate::from_model(&file).unwrap();
    let text = template.render(&[Message::new("user", "a")], false).unwrap();
    assert_eq!(text, "<|im_end|><start_of_turn>user\na<end_of_turn>\n");
}

#[test]
fn template_is_refused_when_it_fails_or_exceeds_its_limits() {
    let render = |source: &str| {
        ChatTemplate::new(source.into(), String::new(), String::new())
            .and_then(|template| template.render(&[Message::new("user", "a")], true))
    };
    assert_eq!(render("{{ messages[0]['content'].strip() }}").unwrap(), "a");
    for source in [
        "{% for",
        "{{ raise_exception('no system role') }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% set x = 'a' * 1000000000 %}",
        "{% for i in range(5000) %}{{ 'a' * 10000 }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% include 'secrets' %}",
        "{{ strftime_now('%d') }}",
    ] {
        assert!(render(source).is_err(), "{source}");
    }
    let refusal = render("{{ raise_exception('no system role') }}").unwrap_err();
    assert!(refusal.to_string().contains("no system role"), "{refusal}");
    let nested = "{% if 1 %}".repeat(50_000);
    assert!(render(&nested).is_err());
    let nested = "(".repeat(50_000);
    assert!(render(&format!("{{{{ {nested} }}}}")).is_err());
    assert!(render(&" ".repeat((1 << 20) + 1)).is_err());
}

proptest! {
    #[test]
    fn text_survives_its_tokens(text in any::<String>(), ascii in "[ -~\n]{0,200}") {
        for tokenizer in [bytes("qwen2"), bytes("smollm"), bytes("gpt-2")].map(|w| tokenizer(w).unwrap()) {
            for text in [&text, &ascii].into_iter().filter(|text| !text.contains("<|im_end|>")) {
                let tokens = tokenizer.encode(text, false).unwrap();
                prop_assert_eq!(&tokenizer.decode(&tokens).unwrap(), text);
                let mut stream = tokenizer.stream();
                let streamed: String = tokens.iter().map(|t| stream.push(*t).unwrap()).collect();
                prop_assert_eq!(&(streamed + &stream.finish().unwrap()), text);
            }
        }
    }
}
