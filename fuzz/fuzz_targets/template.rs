// SPDX-License-Identifier: Apache-2.0
//! A chat template, rendered with a short conversation.
#![no_main]

use agorai_engine::text::{ChatTemplate, Message};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(source) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(template) = ChatTemplate::new(source.into(), "<s>".into(), "</s>".into()) {
        let messages = [Message::new("system", "a\n"), Message::new("user", " b ")];
        let _ = template.render(&messages, true);
    }
});
