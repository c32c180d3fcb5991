// SPDX-License-Identifier: Apache-2.0
//! A `tokenizer.json`, used on a short text.
#![no_main]

use agorai_engine::text::Tokenizer;

// The library's panics are caught by the engine: only those that it lets through are found.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |data: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(data, 1 << 20) else {
        return;
    };
    let tokens = tokenizer.encode("a b\u{e9} <s>\n12", true);
    let tokens = tokens.unwrap_or_default();
    let _ = tokenizer.decode(&tokens);
    let mut stream = tokenizer.stream();
    for token in tokens {
        let _ = stream.push(token);
    }
    let _ = stream.finish();
});
