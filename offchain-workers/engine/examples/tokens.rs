// SPDX-License-Identifier: Apache-2.0
//! Encodes texts: `tokens MODEL` reads one JSON string per line and prints its tokens, including special ones, and
//! their decoding; `tokens MODEL chat` renders each line as a user's message first.

use agorai_engine::{
    files::ModelFile,
    text::{ChatTemplate, Message, Tokenizer},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().ok_or("usage: tokens MODEL [chat]")?;
    let file = ModelFile::open(path.as_ref())?;
    let tokenizer = Tokenizer::from_model(&file)?;
    let template = match arguments.next() {
        Some(_) => Some(ChatTemplate::from_model(&file)?),
        None => None,
    };
    for line in std::io::stdin().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let tokens = match &template {
            Some(template) => tokenizer.encode(&template.render(&[Message::new("user", text)], true)?, false)?,
            None => tokenizer.encode(&text, true)?,
        };
        let mut stream = tokenizer.stream();
        let mut streamed = String::new();
        for token in &tokens {
            streamed += &stream.push(*token)?;
        }
        streamed += &stream.finish()?;
        let decoded = tokenizer.decode(&tokens)?;
        println!(
            "{}",
            serde_json::json!({"tokens": tokens, "text": decoded, "streamed": streamed})
        );
    }
    Ok(())
}
