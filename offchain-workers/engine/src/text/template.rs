// SPDX-License-Identifier: Apache-2.0
//! Chat templates: a conversation as the text that a model was trained on.
//!
//! A template is a program of the file (Jinja), run with bounded work and output, without access to
//! anything but the conversation.

use super::error::refuse;
use crate::{
    error::{Error, Result},
    files::{ModelFile, TextSource},
};
use minijinja::{context, syntax::SyntaxConfig, Environment, ErrorKind, Value};
use serde_json::Value as Json;

/// Most bytes of a template.
const MAX_TEMPLATE: usize = 1 << 20;
/// Most bytes of a conversation's text.
const MAX_TEXT: usize = 4 << 20;
/// Work that a template may do, and memory that it may take (about 64 bytes each).
const FUEL: u64 = 2_000_000;
/// Depth of a template's constructs.
const DEPTH: usize = 100;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }
}

/// A model's chat template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// A template, with the texts of the tokens that begin and end every text. Refused: templates that are
    /// too long or cannot be parsed.
    pub fn new(source: String, bos: String, eos: String) -> Result<Self> {
        if source.len() > MAX_TEMPLATE {
            return refuse(format!("a chat template of {} bytes", source.len()));
        }
        environment()?
            .template_from_str(&source)
            .map_err(|error| Error::Tokenizer(format!("chat template: {error}")))?;
        Ok(Self { source, bos, eos })
    }

    /// The template in a model's file or folder; refused where there is none.
    pub fn from_model(file: &ModelFile) -> Result<Self> {
        let (source, bos, eos) = match file.text() {
            TextSource::Gguf(metadata) => {
                let text = |name: &str| -> Result<String> {
                    let token = metadata.u64(&format!("tokenizer.ggml.{name}_token_id"))?;
                    let tokens = metadata.strings("tokenizer.ggml.tokens")?;
                    let text = token.and_then(|token| tokens?.get(usize::try_from(token).ok()?));
                    Ok(String::from_utf8_lossy(text.unwrap_or_default()).into_owned())
                };
                let source = metadata.str("tokenizer.chat_template")?.map(str::to_owned);
                (source, text("bos")?, text("eos")?)
            }
            TextSource::Folder(folder) => {
                let text = |key: &str| -> Result<String> {
                    Ok(match folder.setting(key)? {
                        Some(Json::String(text)) => text,
                        // An added token as an object.
                        Some(token) => token["content"].as_str().unwrap_or_default().into(),
                        None => String::new(),
                    })
                };
                (folder.template()?, text("bos_token")?, text("eos_token")?)
            }
        };
        match source {
            Some(source) => Self::new(source, bos, eos),
            None => refuse("the model has no chat template"),
        }
    }

    /// The text of a conversation, to be encoded without adding special tokens. With `answer` it ends
    /// where the assistant's answer begins.
    pub fn render(&self, messages: &[Message], answer: bool) -> Result<String> {
        let environment = environment()?;
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| context! { role => &message.role, content => &message.content })
            .collect();
        let context = context! {
            messages => messages,
            add_generation_prompt => answer,
            bos_token => &self.bos,
            eos_token => &self.eos,
        };
        let failed = |error: minijinja::Error| Error::Tokenizer(format!("chat template: {error}"));
        let text = environment
            .template_from_str(&self.source)
            .and_then(|template| template.render(context))
            .map_err(failed)?;
        if text.len() > MAX_TEXT {
            return refuse(format!("a conversation of {} bytes", text.len()));
        }
        Ok(text)
    }
}

/// What templates run in: Jinja as the transformers library sets it up.
fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| Error::Tokenizer(format!("chat template: {error}")))?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> core::result::Result<Value, _> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
    });
    Ok(environment)
}
