// SPDX-License-Identifier: Apache-2.0
//! A `tokenizer.json`: if it is accepted, a short text is encoded and decoded.
#![no_main]

use agorai_engine::text::Tokenizer;

// The engine catches the library's panics: the hook hides them, and the fuzzer finds only those that escape.
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
