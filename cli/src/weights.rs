// SPDX-License-Identifier: GPL-3.0-only
//! The initial weights of a model, as a safetensors file.

use crate::error::{Error, Result};
use agorai_engine::Weights;
use agorai_primitives::model::Architecture;
use std::path::Path;

/// Returns weights initialised from a seed, the same bytes on every machine.
pub fn initialize(architecture: &Architecture, seed: u64) -> Result<Vec<u8>> {
    Weights::init(architecture, seed)
        .map(|weights| weights.to_safetensors())
        .map_err(|e| Error::usage("BadArchitecture", e.to_string()))
}

/// Returns the content of a safetensors file that holds exactly the weights of `architecture`, or an error.
pub fn read(architecture: &Architecture, path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let bytes =
        std::fs::read(path).map_err(|e| Error::usage("WeightsUnreadable", format!("cannot read {shown}: {e}")))?;
    Weights::from_safetensors(architecture, &bytes).map_err(|e| {
        Error::usage(
            "WeightsMalformed",
            format!("{shown} does not hold the weights of this architecture: {e}"),
        )
        .hint("give a safetensors file in binary32 with the tensor names of a Hugging Face Llama model")
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_weights_are_accepted_and_other_bytes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let bytes = initialize(&Architecture::SMALL, 1).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&Architecture::SMALL, &path), Ok(bytes));
        std::fs::write(&path, b"no weights").unwrap();
        let error = read(&Architecture::SMALL, &path).unwrap_err();
        assert_eq!(error.name, "WeightsMalformed");
    }
}
