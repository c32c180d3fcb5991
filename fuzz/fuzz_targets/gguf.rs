// SPDX-License-Identifier: Apache-2.0
//! A GGUF file: if it is accepted, all of its parts are read and its tokenizer is used.
#![no_main]

use agorai_engine::{
    files::{FileError, Gguf, ModelFile},
    text::{ChatTemplate, Tokenizer},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(gguf) = Gguf::read(&data) {
        if let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata, 1 << 20) {
            let tokens = tokenizer.encode("a b\u{e9} <s>\n12", true);
            let _ = tokenizer.decode(&tokens.unwrap_or_default());
        }
    }
    let Ok(file) = ModelFile::from_gguf(Box::new(data.to_vec())) else {
        return;
    };
    let (mut bytes, mut values) = (Vec::new(), Vec::new());
    for part in file.parts() {
        let (rows, _) = file.shape(part).expect("the part is there");
        match file.read_rows(part, 0, rows, &mut bytes) {
            // Only values that are not finite may be rejected.
            Ok(()) | Err(FileError::NotFinite { .. }) => {}
            Err(error) => panic!("the part was validated: {error}"),
        }
        let _ = file.read_f32(part, rows / 2, rows - rows / 2, &mut values);
    }
    let _ = Tokenizer::from_model(&file);
    let _ = ChatTemplate::from_model(&file);
});
