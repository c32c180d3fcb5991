// SPDX-License-Identifier: GPL-3.0-only
//! Calls that the chain refused: their errors, each with the next step where one is known.

use super::{
    dispatch_error::describe,
    fault::{no_answer, unknown_runtime},
};
use crate::error::{Error, ErrorKind};
use subxt::{
    error::{BackendError, ExtrinsicError, RpcError, TransactionEventsError},
    rpcs::UserError,
    Metadata,
};

const SIGN_AS_OWNER: &str = "sign with the owner's key: --signer or --key-file";
const LIST_MODELS: &str = "list the models with: agorai model list";
const LIST_DATASETS: &str = "list the datasets with: agorai dataset list";
const LIST_VERSIONS: &str = "list the model's versions with: agorai model show ID";
const SHORTEN: &str = "shorten the prompt or lower --max-tokens";
const TOP_UP: &str = "this account cannot pay; transfer funds to it, or use another with --signer";

/// The next step after a refusal, by the path of the chain's error. A test checks that each path exists.
const HINTS: &[(&str, &str)] = &[
    ("Balances.InsufficientBalance", TOP_UP),
    ("Datasets.DatasetWithdrawn", LIST_DATASETS),
    ("Datasets.NotOwner", SIGN_AS_OWNER),
    ("Datasets.ParentWithdrawn", LIST_DATASETS),
    ("Datasets.UnknownDataset", LIST_DATASETS),
    ("Datasets.UnknownParent", LIST_DATASETS),
    ("Inference.ContextExceeded", SHORTEN),
    (
        "Inference.FeeBelowPrice",
        "raise --max-fee, or omit it to offer the model's price for prompt and longest answer",
    ),
    ("Inference.NoExecutor", "try again when more validators are online"),
    (
        "Inference.TooManyRequests",
        "try again when open requests have been settled",
    ),
    (
        "Models.AlreadyRegistered",
        "use other weights or another --seed; list your models with: agorai model list",
    ),
    (
        "Models.ModelRetired",
        "retirement is final; choose another model with: agorai model list",
    ),
    ("Models.NotCandidate", LIST_VERSIONS),
    ("Models.NotOwner", SIGN_AS_OWNER),
    ("Models.UnknownModel", LIST_MODELS),
    ("Models.UnknownVersion", LIST_VERSIONS),
    ("Token.FundsUnavailable", TOP_UP),
    (
        "Training.AccessDenied",
        "only the owner of such a dataset may train on it: sign with the owner's key, or choose another dataset",
    ),
    ("Training.NotOwner", SIGN_AS_OWNER),
    (
        "Training.PlanRunning",
        "wait until it ends (agorai train watch PLAN), or choose another model",
    ),
    ("Training.RewardTooSmall", "raise --reward"),
    ("Training.TooLittleData", "add datasets with more text"),
    (
        "Validators.AlreadyBonded",
        "the account has a bond; increase it with Validators.bond_extra",
    ),
];

/// Returns the error of a refused call; `reason` may be empty.
fn refused(call: &str, name: &str, reason: &str) -> Error {
    let separator = if reason.is_empty() { "" } else { ": " };
    let error = Error::new(
        ErrorKind::Refused,
        name,
        format!("the chain refused {call}{separator}{reason}"),
    );
    match HINTS.iter().find(|(path, _)| *path == name) {
        Some((_, hint)) => error.hint(*hint),
        None => error,
    }
}

/// Returns the error of a call that was executed and failed.
pub fn of_execution(call: &str, metadata: &Metadata, error: TransactionEventsError) -> Error {
    match error {
        TransactionEventsError::ExtrinsicFailed(error) => {
            let named = describe(metadata, &error);
            refused(call, &named.path, &named.docs)
        }
        other => no_answer(&format!("read the outcome of {call}"), other),
    }
}

/// Returns the error of a call that was not submitted.
pub fn of_submission(call: &str, error: ExtrinsicError) -> Error {
    match error {
        ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(
            subxt::rpcs::Error::User(error),
        ))) => of_rpc_error(call, &error),
        ExtrinsicError::EncodeError(_)
        | ExtrinsicError::PalletNameNotFound(_)
        | ExtrinsicError::CallNameNotFound { .. }
        | ExtrinsicError::Params(_)
        | ExtrinsicError::UnsupportedVersion => {
            unknown_runtime(format!("the chain's metadata describes {call} differently: {error}"))
        }
        other => no_answer(&format!("submit {call}"), other),
    }
}

/// Returns the error of a call that the node's transaction pool rejected on submission.
fn of_rpc_error(call: &str, error: &UserError) -> Error {
    // Codes of `author_submitExtrinsic`.
    const ALREADY_IMPORTED: i32 = 1013;
    const TOO_LOW_PRIORITY: i32 = 1014;
    let reason = match &error.data {
        Some(data) => data.get().trim_matches('"'),
        None => error.message.as_str(),
    };
    match error.code {
        ALREADY_IMPORTED | TOO_LOW_PRIORITY => stale_nonce(call, reason),
        _ => of_pool(call, reason),
    }
}

/// Returns the error of a call that the transaction pool dropped, by the pool's message.
pub fn of_pool(call: &str, message: &str) -> Error {
    // The texts of `sp_runtime::transaction_validity::InvalidTransaction`.
    match message {
        "Inability to pay some fees (e.g. account balance too low)" => refused(call, "Token.FundsUnavailable", message),
        "Transaction is outdated" => stale_nonce(call, message),
        _ => refused(call, "InvalidTransaction", message),
    }
}

fn stale_nonce(call: &str, reason: &str) -> Error {
    refused(call, "StaleNonce", reason).hint("another call of this account is pending; try again in a few seconds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime;

    #[test]
    fn each_hint_belongs_to_an_error_of_the_runtime() {
        let paths = test_runtime::error_paths(&test_runtime::metadata());
        let unknown: Vec<&str> = HINTS
            .iter()
            .map(|(path, _)| *path)
            .filter(|path| !paths.contains_key(*path))
            .collect();
        assert!(unknown.is_empty(), "no such errors: {unknown:?}");
        assert!(HINTS.is_sorted_by_key(|(path, _)| *path));
    }

    #[test]
    fn refusal_has_the_hint_of_exactly_its_error() {
        let hint = |name: &str| refused("Training.create_plan", name, "").hint;
        assert!(hint("Models.UnknownModel").is_some_and(|hint| hint.contains("model list")));
        // A retired model has no live version and gets none: "promote a version" would be wrong.
        assert!(hint("Models.ModelRetired").is_some_and(|hint| !hint.contains("promote")));
        assert_eq!(hint("Models.UnknownModelX"), None);
        assert_eq!(refused("x", "Models.UnknownModel", "").kind, ErrorKind::Refused);
    }

    #[test]
    fn errors_of_the_pool_are_distinguished_by_code_and_text() {
        use sp_runtime::transaction_validity::InvalidTransaction;
        let name = |error: InvalidTransaction| of_pool("x", error.into()).name;
        assert_eq!(name(InvalidTransaction::Payment), "Token.FundsUnavailable");
        assert_eq!(name(InvalidTransaction::Stale), "StaleNonce");
        assert_eq!(name(InvalidTransaction::BadProof), "InvalidTransaction");
        let replaced = UserError {
            code: 1014,
            message: "Priority is too low: (1 vs 1)".to_owned(),
            data: None,
        };
        assert_eq!(of_rpc_error("x", &replaced).name, "StaleNonce");
    }
}
