// SPDX-License-Identifier: GPL-3.0-only
//! Inference requests: their check against the model, and their submission.

use crate::{
    args::Infer,
    chain::{
        value::{self, Value},
        Call, Chain,
    },
    commands::{
        connection::submit_by,
        model::{self, ModelInfo},
    },
    deadline::{Awaited, Deadline},
    error::{Error, Result},
    output::Output,
};
use agorai_primitives::{
    job::{Sampling, MAX_PROMPT, MAX_TOKENS},
    ModelId, RequestId,
};
use subxt_signer::sr25519::Keypair;

/// An inference request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model.
    pub model: ModelId,
    /// The prompt.
    pub prompt: String,
    /// The sampling parameters.
    pub sampling: Sampling,
    /// The maximum fee, in the smallest unit; `None` offers the model's price.
    pub max_fee: Option<u128>,
}

/// A request that is in a finalised block.
#[derive(Clone, Debug)]
pub struct SubmittedRequest {
    /// The index.
    pub request: RequestId,
    /// The validator that the request is assigned to first.
    pub executor: String,
    /// Height of the block that includes the call.
    pub block: u32,
}

impl Request {
    /// Returns the request that the command line describes.
    pub fn from_arguments(command: &Infer) -> Result<Self> {
        Ok(Self {
            model: command.model,
            prompt: command.prompt.clone(),
            sampling: Sampling {
                max_tokens: command.max_tokens,
                temperature_milli: thousandths("--temperature", command.temperature, 10.0)?,
                top_k: command.top_k,
                top_p_milli: thousandths("--top-p", command.top_p, 1.0)?,
                seed: command.seed,
                stop: None,
            },
            max_fee: command.max_fee,
        })
    }

    /// Checks the request against the model.
    fn check(&self, info: &ModelInfo) -> Result<()> {
        let (prompt, max_prompt) = (self.prompt.len(), MAX_PROMPT as usize);
        if prompt == 0 {
            return Err(Error::usage("PromptEmpty", "the prompt is empty"));
        }
        let too_long = |message: String| {
            Err(Error::usage("PromptTooLong", message).hint("shorten the prompt or lower --max-tokens"))
        };
        if prompt > max_prompt {
            return too_long(format!("the prompt has {prompt} bytes; the maximum is {max_prompt}"));
        }
        let tokens = self.sampling.max_tokens;
        if tokens == 0 || tokens > MAX_TOKENS {
            return Err(Error::usage(
                "BadMaxTokens",
                format!("--max-tokens is {tokens}; it must be 1 to {MAX_TOKENS}"),
            ));
        }
        let context = u64::from(info.context);
        if context > 0 && prompt as u64 + u64::from(tokens) > context {
            return too_long(format!(
                "the prompt has {prompt} bytes and the answer up to {tokens} tokens; the model's context is {context}"
            ));
        }
        Ok(())
    }

    fn call(&self, max_fee: u128) -> Call {
        Call::new(
            "Inference",
            "request",
            [
                ("model", value::uint(self.model)),
                ("prompt", Value::from_bytes(&self.prompt)),
                ("sampling", value::sampling(&self.sampling)),
                ("certainty", value::unit_variant("Checked")),
                ("max_fee", value::uint(max_fee)),
            ],
        )
    }
}

/// Checks a request against its model and submits it. `max_fee` defaults to the price of the prompt and the longest
/// answer.
pub async fn submit_checked(
    chain: &Chain,
    signer: &Keypair,
    request: &Request,
    deadline: Deadline,
    out: &Output,
) -> Result<SubmittedRequest> {
    let awaited = Awaited::new(
        format!("the record of model {}", request.model),
        "nothing was sent; check that the node answers, then try again",
    );
    let info = deadline.limit(&awaited, model::info(chain, request.model)).await?;
    request.check(&info)?;
    let tokens = request.prompt.len() as u128 + u128::from(request.sampling.max_tokens);
    let max_fee = request.max_fee.unwrap_or_else(|| info.price.saturating_mul(tokens));
    submit_unchecked(chain, signer, request, max_fee, deadline, out).await
}

/// Submits a request without a check; an invalid one is refused by the chain.
pub async fn submit_unchecked(
    chain: &Chain,
    signer: &Keypair,
    request: &Request,
    max_fee: u128,
    deadline: Deadline,
    out: &Output,
) -> Result<SubmittedRequest> {
    let call = request.call(max_fee);
    let included = submit_by(chain, signer, call, deadline, "submitting the request", out).await?;
    let event = included.event("Inference", "Requested")?;
    Ok(SubmittedRequest {
        request: event.uint("request")?,
        executor: event.hash("executor")?,
        block: included.block,
    })
}

/// Converts a sampling parameter to thousandths; it must be in `0..=max`.
fn thousandths(option: &str, value: f64, max: f64) -> Result<u32> {
    if value.is_finite() && (0.0..=max).contains(&value) {
        Ok((value * 1000.0).round() as u32)
    } else {
        Err(Error::usage(
            "BadSampling",
            format!("{option} is {value}; it must be 0 to {max}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime::{assert_call, assert_event};

    fn request(prompt: usize, max_tokens: u32) -> Request {
        Request {
            model: 0,
            prompt: "a".repeat(prompt),
            sampling: Sampling {
                max_tokens,
                temperature_milli: 0,
                top_k: 0,
                top_p_milli: 0,
                seed: 0,
                stop: None,
            },
            max_fee: None,
        }
    }

    fn refusal(prompt: usize, max_tokens: u32) -> Option<String> {
        let info = ModelInfo {
            record: Value::unnamed_composite([]),
            live: Some(0),
            price: 1,
            context: 256,
        };
        request(prompt, max_tokens).check(&info).err().map(|e| e.name)
    }

    #[test]
    fn prompt_is_refused_when_empty_or_too_long() {
        assert_eq!(refusal(200, 56), None);
        assert_eq!(refusal(0, 10).as_deref(), Some("PromptEmpty"));
        assert_eq!(refusal(201, 56).as_deref(), Some("PromptTooLong"));
        assert_eq!(refusal(9000, 1).as_deref(), Some("PromptTooLong"));
        assert_eq!(refusal(10, 0).as_deref(), Some("BadMaxTokens"));
    }

    #[test]
    fn sampling_is_refused_when_out_of_range() {
        assert_eq!(thousandths("--top-p", 0.95, 1.0), Ok(950));
        for invalid in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(thousandths("--top-p", invalid, 1.0).is_err());
        }
    }

    #[test]
    fn names_of_a_request_exist_in_the_runtime() {
        assert_call(&request(5, 5).call(7));
        assert_event("Inference", "Requested", &["request", "executor"]);
    }
}
