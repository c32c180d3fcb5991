// SPDX-License-Identifier: GPL-3.0-only
//! Names of the chain's errors, decoded with the types in its metadata.
//!
//! An error of a pallet is one byte for the pallet and four bytes for the error. The first of the four selects a
//! variant of the pallet's `Error`; a variant that wraps another enum continues with the next byte. The path
//! `Training.Round.WrongPhase` lists the pallet and all variants.

use scale_info::{form::PortableForm, PortableRegistry, TypeDef, Variant};
use subxt::{error::DispatchError, Metadata};

/// An error that a call was dispatched with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedError {
    /// The path, such as `Inference.FeeBelowPrice`, or `Token.FundsUnavailable` for an error of no pallet.
    pub path: String,
    /// The documentation of the innermost variant that has one.
    pub docs: String,
}

/// Returns the variants of type `id`, if it is an enum.
fn variants(types: &PortableRegistry, id: u32) -> Option<&[Variant<PortableForm>]> {
    match &types.resolve(id)?.type_def {
        TypeDef::Variant(definition) => Some(&definition.variants),
        _ => None,
    }
}

/// Returns the type that a variant wraps: that of its only field.
fn wrapped(variant: &Variant<PortableForm>) -> Option<u32> {
    match variant.fields.as_slice() {
        [field] => Some(field.ty.id),
        _ => None,
    }
}

/// Decodes an error of type `error_type`; `None` if the bytes select no variant.
fn decode(types: &PortableRegistry, prefix: &str, error_type: u32, bytes: &[u8]) -> Option<NamedError> {
    let mut named = NamedError {
        path: prefix.to_owned(),
        docs: String::new(),
    };
    let mut bytes = bytes.iter();
    let mut level = variants(types, error_type);
    while let Some(list) = level {
        let index = bytes.next()?;
        let variant = list.iter().find(|variant| variant.index == *index)?;
        named.path.push('.');
        named.path.push_str(&variant.name);
        let docs: Vec<&str> = variant.docs.iter().map(|line| line.trim()).collect();
        let docs = docs.join(" ").trim().to_owned();
        if !docs.is_empty() {
            named.docs = docs;
        }
        level = wrapped(variant).and_then(|id| variants(types, id));
    }
    Some(named)
}

/// Returns the name and the documentation of a dispatch error.
pub fn describe(metadata: &Metadata, error: &DispatchError) -> NamedError {
    let DispatchError::Module(module) = error else {
        // subxt's own enum has the variants of the chain's: `Token(FundsUnavailable)`.
        return NamedError {
            path: format!("{error:?}").replace('(', ".").replace(')', ""),
            docs: error.to_string(),
        };
    };
    let [pallet, bytes @ ..] = module.bytes();
    metadata
        .pallet_by_error_index(pallet)
        .and_then(|pallet| decode(metadata.types(), pallet.name(), pallet.error_ty_id()?, &bytes))
        .unwrap_or_else(|| NamedError {
            path: "UnknownError".to_owned(),
            docs: format!("error {bytes:?} of pallet {pallet}, which the node's metadata does not describe"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_runtime;
    use codec::Encode;
    use scale_info::{meta_type, Registry, TypeInfo};

    #[test]
    fn each_error_of_the_runtime_is_decoded_to_its_path() {
        let metadata = test_runtime::metadata();
        let mut decoded = 0;
        for (path, bytes) in test_runtime::error_paths(&metadata) {
            let pallet = path.split('.').next().unwrap_or_default();
            let Some(pallet) = metadata.pallet_by_name(pallet) else {
                continue;
            };
            let mut padded = bytes[1..].to_vec();
            padded.resize(4, 0);
            let named = decode(metadata.types(), pallet.name(), pallet.error_ty_id().unwrap(), &padded).unwrap();
            assert_eq!(named.path, path);
            decoded += 1;
        }
        assert!(decoded > 100, "{decoded}");
    }

    #[derive(Encode, TypeInfo)]
    #[scale_info(capture_docs = "always")]
    enum Inner {
        /// The report belongs
        /// to another phase.
        #[codec(index = 3)]
        WrongPhase,
        #[codec(index = 4)]
        Undocumented,
    }

    #[derive(Encode, TypeInfo)]
    #[scale_info(capture_docs = "always")]
    enum Outer {
        /// Only the owner may do this.
        NotOwner,
        /// The report is refused.
        Round(Inner),
    }

    #[test]
    fn nested_errors_are_decoded_with_the_documentation_of_the_inner_variant() {
        let mut registry = Registry::new();
        let id = registry.register_type(&meta_type::<Outer>()).id;
        let types = PortableRegistry::from(registry);
        let named = |error: Outer| {
            let mut bytes = error.encode();
            bytes.resize(4, 0);
            let named = decode(&types, "Training", id, &bytes).unwrap();
            (named.path, named.docs)
        };
        let pair = |path: &str, docs: &str| (path.to_owned(), docs.to_owned());
        assert_eq!(
            named(Outer::NotOwner),
            pair("Training.NotOwner", "Only the owner may do this.")
        );
        assert_eq!(
            named(Outer::Round(Inner::WrongPhase)),
            pair("Training.Round.WrongPhase", "The report belongs to another phase.")
        );
        assert_eq!(
            named(Outer::Round(Inner::Undocumented)),
            pair("Training.Round.Undocumented", "The report is refused.")
        );
        assert_eq!(decode(&types, "Training", id, &[9, 0, 0, 0]), None);
    }
}
