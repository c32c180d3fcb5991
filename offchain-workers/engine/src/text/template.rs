// SPDX-License-Identifier: Apache-2.0
//! Chat templates: they render a conversation as the text that a model was trained on.
//!
//! A template is an untrusted Jinja program; its steps, its memory and its output are bounded, and it has access to the
//! conversation only.

use super::error::refuse;
use crate::{
    error::{Error, Result},
    files::{ModelFile, TextSource},
};
use minijinja::{context, syntax::SyntaxConfig, Environment, ErrorKind, Value};
use serde_json::Value as Json;

/// Maximum number of bytes of a template.
const MAX_TEMPLATE: usize = 1 << 20;
/// Maximum number of bytes of a rendered conversation.
const MAX_TEXT: usize = 4 << 20;
/// Maximum number of steps of a template; each allocates about 64 bytes or less.
const MAX_STEPS: u64 = 2_000_000;
/// Maximum depth of nested constructs.
const MAX_DEPTH: usize = 100;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The role: `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// Returns a message.
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
    /// Parses a template. `bos`, `eos`: the texts of the beginning-of-sequence and end-of-sequence tokens.
    ///
    /// Errors: a template that is too long or malformed.
    pub fn new(source: String, bos: String, eos: String) -> Result<Self> {
        if source.len() > MAX_TEMPLATE {
            return refuse(format!("a chat template of {} bytes is too long", source.len()));
        }
        environment()?
            .template_from_str(&source)
            .map_err(|error| Error::Tokenizer(format!("chat template: {error}")))?;
        Ok(Self { source, bos, eos })
    }

    /// Reads the template of a model file or folder.
    ///
    /// Errors: no template, or a malformed one.
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
                        // An added token in the form of an object.
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

    /// Renders a conversation, to be encoded without adding special tokens. `answer`: whether to append the header of
    /// the assistant's answer.
    ///
    /// Errors: a failing template, too many steps, too long a text.
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
            return refuse(format!("a conversation of {} bytes is too long", text.len()));
        }
        Ok(text)
    }
}

/// Returns the environment of templates, with the settings of the transformers library.
fn environment() -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(|error| Error::Tokenizer(format!("chat template: {error}")))?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> core::result::Result<Value, _> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
    });
    Ok(environment)
}
