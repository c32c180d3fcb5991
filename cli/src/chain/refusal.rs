// SPDX-License-Identifier: GPL-3.0-only
//! What the chain's refusals mean, and what to do about them.

use crate::error::{Error, Kind};
use subxt::error::{BackendError, DispatchError, ExtrinsicError, RpcError, TransactionEventsError};

/// The name and description of what a dispatch ended with.
fn describe(error: &DispatchError) -> (String, String) {
    match error {
        DispatchError::Module(module) => match module.details() {
            Ok(details) => {
                let name = format!("{}::{}", details.pallet.name(), details.variant.name);
                let docs: Vec<&str> = details.variant.docs.iter().map(|line| line.trim()).collect();
                (name, docs.join(" ").trim().to_owned())
            }
            Err(_) => (module.details_string(), String::new()),
        },
        other => {
            let debug = format!("{other:?}");
            let name = debug
                .split(['(', ' ', '{'])
                .next()
                .unwrap_or("DispatchError")
                .to_owned();
            (name, other.to_string())
        }
    }
}

/// The next thing to do after refusal `name`, where one is known.
fn advice(name: &str) -> Option<&'static str> {
    let (_, fact) = name.split_once("::").unwrap_or(("", name));
    let says = |words: &[&str]| words.iter().any(|word| fact.contains(word));
    if says(&["UnknownModel", "ModelNotFound", "NoSuchModel"]) {
        Some("list the models with: agorai model list")
    } else if says(&["UnknownDataset", "DatasetNotFound", "NoSuchDataset"]) {
        Some("list the datasets with: agorai dataset list")
    } else if says(&["Fee", "Price"]) {
        Some("raise --max-fee, or leave it out to offer what the model's price asks for")
    } else if says(&["Prompt"]) {
        Some("shorten the prompt or lower --max-tokens")
    } else if says(&["NotOwner", "NotTheOwner"]) {
        Some("sign with the owner's key: --signer or --key-file")
    } else if says(&["AlreadyBonded", "AlreadyRegistered", "Duplicate"]) {
        Some("this key is registered already; add to its bond with bond_extra")
    } else if says(&["NoLiveVersion", "NotLive", "Retired"]) {
        Some("promote a version first: agorai model promote ID VERSION")
    } else if says(&["Insufficient", "FundsUnavailable", "Token"]) {
        Some("this account cannot pay; use another with --signer, or top it up")
    } else {
        None
    }
}

fn refused(title: &str, name: String, why: &str) -> Error {
    let separator = if why.is_empty() { "" } else { ": " };
    let error = Error::new(
        Kind::Refused,
        name.clone(),
        format!("the chain refused {title}{separator}{why}"),
    );
    match advice(&name) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// A call that was executed and failed.
pub fn of_execution(title: &str, error: TransactionEventsError) -> Error {
    match error {
        TransactionEventsError::ExtrinsicFailed(error) => {
            let (name, why) = describe(&error);
            refused(title, name, &why)
        }
        other => super::trouble(&format!("cannot see what became of {title}"), other),
    }
}

/// A call that the node did not take.
pub fn of_submission(title: &str, error: ExtrinsicError) -> Error {
    match error {
        ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
            subxt::rpcs::Error::User(error),
        ))) => {
            let data = error.data.map(|data| data.get().trim_matches('"').to_owned());
            of_pool(title, &data.unwrap_or(error.message))
        }
        ExtrinsicError::EncodeError(_)
        | ExtrinsicError::PalletNameNotFound(_)
        | ExtrinsicError::CallNameNotFound { .. }
        | ExtrinsicError::Params(_)
        | ExtrinsicError::UnsupportedVersion => super::foreign(format!("the chain knows {title} otherwise: {error}")),
        other => super::trouble(&format!("cannot submit {title}"), other),
    }
}

/// A call that the transaction pool does not keep.
pub fn of_pool(title: &str, message: &str) -> Error {
    let name = if message.contains("pay some fees") {
        "Token::FundsUnavailable"
    } else if message.contains("outdated") || message.contains("Priority is too low") {
        return refused(title, "StaleNonce".to_owned(), message)
            .hint("another call of this account is under way; try again in a few seconds");
    } else {
        "InvalidTransaction"
    };
    refused(title, name.to_owned(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_carry_the_next_step() {
        let error = refused("Inference.request", "Models::UnknownModel".into(), "no such model");
        assert_eq!(error.kind, Kind::Refused);
        assert!(error.hint.is_some_and(|hint| hint.contains("model list")));
        assert_eq!(
            of_pool("x", "Inability to pay some fees (e.g. account balance too low)").name,
            "Token::FundsUnavailable"
        );
    }
}
