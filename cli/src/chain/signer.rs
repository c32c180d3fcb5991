// SPDX-License-Identifier: GPL-3.0-only
//! Key pairs of signers.

use crate::error::{Error, Result};
use std::{path::Path, str::FromStr};
use subxt_signer::{sr25519::Keypair, SecretUri};

/// Returns the key pair of a secret URI: a development account (`//Alice`), a seed phrase or a 0x-seed, with
/// derivations. Errors never contain the secret.
pub fn from_uri(uri: &str) -> Result<Keypair> {
    let invalid = |why: &dyn std::fmt::Display| {
        Error::usage("BadSigner", format!("the signer is not a secret URI: {why}"))
            .hint("use --signer //Alice on a development chain, or --key-file FILE with a seed phrase or 0x-seed")
    };
    let uri = SecretUri::from_str(uri.trim()).map_err(|e| invalid(&e))?;
    Keypair::from_uri(&uri).map_err(|e| invalid(&e))
}

/// Returns the key pair whose secret URI is the content of a file.
pub fn from_file(path: &Path) -> Result<Keypair> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::usage("BadSigner", format!("cannot read the key file {}: {e}", path.display())))?;
    from_uri(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_development_accounts_and_files() {
        let alice = from_uri("//Alice").unwrap();
        assert_eq!(alice.public_key().0, subxt_signer::sr25519::dev::alice().public_key().0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "//Alice\n").unwrap();
        assert_eq!(from_file(&path).unwrap().public_key().0, alice.public_key().0);
        let error = from_uri("not a phrase").err().unwrap();
        assert_eq!(error.name, "BadSigner");
        assert!(!error.message.contains("not a phrase"));
    }
}
