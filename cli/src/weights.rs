// SPDX-License-Identifier: GPL-3.0-only
//! The first weights of a model, as a safetensors file.

use crate::error::{Error, Result};
use agorai_engine::Weights;
use agorai_primitives::model::Architecture;
use std::path::Path;

/// Fresh weights from a seed; the same bytes on every machine.
pub fn fresh(architecture: &Architecture, seed: u64) -> Result<Vec<u8>> {
    Weights::init(architecture, seed)
        .map(|weights| weights.to_safetensors())
        .map_err(|e| Error::usage("BadArchitecture", e.to_string()))
}

/// Reads a safetensors file and checks that it holds exactly the architecture's weights.
pub fn read(architecture: &Architecture, path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let bytes =
        std::fs::read(path).map_err(|e| Error::usage("WeightsUnreadable", format!("cannot read {shown}: {e}")))?;
    Weights::from_safetensors(architecture, &bytes).map_err(|e| {
        Error::usage(
            "WeightsMalformed",
            format!("{shown} does not hold weights of this architecture: {e}"),
        )
        .hint("give a safetensors file in binary32 with Hugging Face's names of a Llama")
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_weights_pass_the_check_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let bytes = fresh(&Architecture::SMALL, 1).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&Architecture::SMALL, &path), Ok(bytes));
        std::fs::write(&path, b"no weights").unwrap();
        let error = read(&Architecture::SMALL, &path).unwrap_err();
        assert_eq!(error.name, "WeightsMalformed");
    }
}
