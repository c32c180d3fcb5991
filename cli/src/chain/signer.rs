// SPDX-License-Identifier: GPL-3.0-only
//! Who signs.

use crate::error::{Error, Result};
use std::{path::Path, str::FromStr};
use subxt_signer::{sr25519::Keypair, SecretUri};

/// The key pair of a secret URI: a development account (`//Alice`), a seed phrase or a 0x-seed, with
/// derivations. The secret is never repeated in an error.
pub fn from_uri(uri: &str) -> Result<Keypair> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::usage("BadSigner", format!("this is no secret URI: {why}"))
            .hint("give //Alice on a development chain, or --key-file FILE with a seed phrase or 0x-seed")
    };
    let uri = SecretUri::from_str(uri.trim()).map_err(|e| wrong(&e))?;
    Keypair::from_uri(&uri).map_err(|e| wrong(&e))
}

/// The key pair whose secret URI is in a file.
pub fn from_file(path: &Path) -> Result<Keypair> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::usage("BadSigner", format!("cannot read the key file {}: {e}", path.display())))?;
    from_uri(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_accounts_and_files_give_keys() {
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
