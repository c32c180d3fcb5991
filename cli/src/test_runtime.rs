// SPDX-License-Identifier: GPL-3.0-only
//! The runtime's metadata, for tests that the names this crate uses exist on the chain.

use crate::chain::Call;
use codec::Encode;
use scale_info::{PortableRegistry, TypeDef};
use std::collections::BTreeMap;
use subxt::{ext::scale_value::scale::encode_as_type, Metadata};

/// Returns the metadata of the runtime.
pub fn metadata() -> Metadata {
    Metadata::decode_from(&agorai_runtime::Runtime::metadata().encode()).unwrap()
}

/// Returns the paths of all errors of the runtime, of its pallets and of no pallet, with their bytes.
pub fn error_paths(metadata: &Metadata) -> BTreeMap<String, Vec<u8>> {
    let types = metadata.types();
    let mut all = BTreeMap::new();
    for pallet in metadata.pallets() {
        if let Some(id) = pallet.error_ty_id() {
            collect_paths(types, pallet.name(), id, &[pallet.error_index()], &mut all);
        }
    }
    collect_paths(types, "", metadata.dispatch_error_ty().unwrap(), &[], &mut all);
    all
}

fn collect_paths(types: &PortableRegistry, prefix: &str, id: u32, bytes: &[u8], all: &mut BTreeMap<String, Vec<u8>>) {
    let TypeDef::Variant(definition) = &types.resolve(id).unwrap().type_def else {
        return;
    };
    for variant in &definition.variants {
        let path = format!("{prefix}.{}", variant.name);
        let bytes = [bytes, &[variant.index]].concat();
        let inner = variant.fields.first().filter(|_| variant.fields.len() == 1);
        let inner = inner.filter(|field| {
            let inner = types.resolve(field.ty.id).map(|ty| &ty.type_def);
            matches!(inner, Some(TypeDef::Variant(_)))
        });
        match inner {
            Some(field) => collect_paths(types, &path, field.ty.id, &bytes, all),
            None => {
                all.insert(path.trim_start_matches('.').to_owned(), bytes);
            }
        }
    }
}

/// Asserts that the runtime has the call, with exactly these argument names and with types that the values fit.
pub fn assert_call(call: &Call) {
    let metadata = metadata();
    let variant = metadata
        .pallet_by_name(call.pallet)
        .and_then(|pallet| pallet.call_variant_by_name(call.name))
        .unwrap_or_else(|| panic!("no call {}", call.title()));
    let expected: Vec<&str> = variant
        .fields
        .iter()
        .filter_map(|field| field.name.as_deref())
        .collect();
    let given: Vec<&str> = call.arguments.iter().map(|(name, _)| *name).collect();
    assert_eq!(given, expected, "arguments of {}", call.title());
    for (field, (name, value)) in variant.fields.iter().zip(&call.arguments) {
        if let Err(e) = encode_as_type(value, field.ty.id, metadata.types(), &mut Vec::new()) {
            panic!("argument {name} of {}: {e}", call.title());
        }
    }
}

/// Asserts that the runtime has the event `pallet.name` with `fields`.
pub fn assert_event(pallet: &str, name: &str, fields: &[&str]) {
    let metadata = metadata();
    let variants = metadata
        .pallet_by_name(pallet)
        .and_then(|pallet| pallet.event_variants());
    let event = variants
        .and_then(|all| all.iter().find(|event| event.name == name))
        .unwrap_or_else(|| panic!("no event {pallet}.{name}"));
    for field in fields {
        let exists = event.fields.iter().any(|f| f.name.as_deref() == Some(*field));
        assert!(exists, "event {pallet}.{name} has no field {field}");
    }
}

/// Asserts that the runtime has the storage `pallet.entry`, whose values have `fields`.
pub fn assert_storage(pallet: &str, entry: &str, fields: &[&str]) {
    let metadata = metadata();
    let entry_of = metadata
        .pallet_by_name(pallet)
        .and_then(|pallet| pallet.storage())
        .and_then(|storage| storage.entry_by_name(entry))
        .unwrap_or_else(|| panic!("no storage {pallet}.{entry}"));
    let TypeDef::Composite(value) = &metadata.types().resolve(entry_of.value_ty()).unwrap().type_def else {
        panic!("the values of {pallet}.{entry} are no records");
    };
    for field in fields {
        let exists = value.fields.iter().any(|f| f.name.as_deref() == Some(*field));
        assert!(exists, "{pallet}.{entry} has no field {field}");
    }
}
