// SPDX-License-Identifier: Apache-2.0
//! The limits of a request's sampling parameters.

use crate::request::Prompt;
use agorai_primitives::{
    job::{Sampling, MAX_TOKENS},
    model::Architecture,
};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::PalletError;
use scale_info::TypeInfo;

/// Maximum temperature, in thousandths.
const MAX_TEMPERATURE_MILLI: u32 = 10_000;
/// Maximum of top-p, in thousandths.
const MAX_TOP_P_MILLI: u32 = 1_000;

/// Why sampling parameters are invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo, PalletError)]
#[scale_info(capture_docs = "always")]
pub enum SamplingError {
    /// The maximum number of new tokens is zero.
    NoTokens,
    /// The maximum number of new tokens exceeds the limit of the network.
    TooManyTokens,
    /// The temperature exceeds 10.
    TemperatureTooHigh,
    /// The top-p exceeds 1.
    TopPTooHigh,
    /// The stop token is not in the model's vocabulary.
    UnknownStopToken,
}

/// Checks sampling parameters against the network's limits and the model's vocabulary.
pub fn validate_sampling(sampling: &Sampling, architecture: &Architecture) -> Result<(), SamplingError> {
    if sampling.max_tokens == 0 {
        return Err(SamplingError::NoTokens);
    }
    if sampling.max_tokens > MAX_TOKENS {
        return Err(SamplingError::TooManyTokens);
    }
    if sampling.temperature_milli > MAX_TEMPERATURE_MILLI {
        return Err(SamplingError::TemperatureTooHigh);
    }
    if sampling.top_p_milli > MAX_TOP_P_MILLI {
        return Err(SamplingError::TopPTooHigh);
    }
    if sampling.stop.is_some_and(|stop| stop >= architecture.vocab) {
        return Err(SamplingError::UnknownStopToken);
    }
    Ok(())
}

/// An upper bound of the number of tokens of prompt and answer: a prompt has at most as many tokens as bytes.
pub fn max_tokens(prompt: &Prompt, sampling: &Sampling) -> u64 {
    (prompt.len() as u64).saturating_add(sampling.max_tokens.into())
}
