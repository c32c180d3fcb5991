// SPDX-License-Identifier: GPL-3.0-only
//! Manifests: Croissant 1.1 descriptions of a dataset (<https://docs.mlcommons.org/croissant/>), stored as a blob
//! whose id is recorded on the chain.
//!
//! `distribution` lists the publisher's files, each with the SHA-256 that Croissant requires and with the blobs
//! (BLAKE3) that its text was split into.

use crate::{
    corpus::CorpusFile,
    error::{Error, Result},
};
use agorai_primitives::BlobId;
use serde_json::{json, Value};
use std::collections::BTreeSet;

/// Maximum bytes of a manifest: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;
const CONFORMS_TO: &str = "http://mlcommons.org/croissant/1.1";

/// Returns the SHA-256 of `bytes` in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(sp_crypto_hashing::sha2_256(bytes))
}

/// Returns the manifest of a dataset of `files`.
pub fn describe(name: &str, licence: &str, files: &[CorpusFile]) -> Value {
    let distribution: Vec<Value> = files
        .iter()
        .map(|file| {
            let blobs: Vec<Value> = file
                .shards()
                .into_iter()
                .map(|shard| {
                    json!({
                        "blake3": BlobId::of(shard.as_bytes()).to_string(),
                        "contentSize": size(shard.len()),
                    })
                })
                .collect();
            json!({
                "@type": "cr:FileObject",
                "@id": file.name,
                "name": file.name,
                "encodingFormat": "text/plain",
                "contentSize": size(file.text.len()),
                "sha256": sha256(file.text.as_bytes()),
                "blobs": blobs,
            })
        })
        .collect();
    json!({
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "dct": "http://purl.org/dc/terms/",
            "agorai": "urn:agorai:terms:",
            "conformsTo": "dct:conformsTo",
            "blobs": "agorai:blobs",
            "blake3": "agorai:blake3",
        },
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "license": licence,
        "distribution": distribution,
    })
}

fn size(bytes: usize) -> String {
    format!("{bytes} B")
}

fn malformed(why: impl std::fmt::Display) -> Error {
    Error::usage("ManifestMalformed", format!("the manifest is malformed: {why}"))
        .hint("compare it with https://docs.mlcommons.org/croissant/, or omit --manifest to generate one")
}

fn text<'a>(object: &'a Value, field: &str, of: &str) -> Result<&'a str> {
    object
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("{of} has no text \"{field}\"")))
}

/// Returns the bytes of a `contentSize`: "123", "123 B" or a number.
fn content_size(object: &Value, of: &str) -> Result<u64> {
    let wrong = || malformed(format!("{of} has no \"contentSize\" in bytes, such as \"123 B\""));
    match object.get("contentSize") {
        Some(Value::Number(number)) => number.as_u64().ok_or_else(wrong),
        Some(Value::String(text)) => text
            .trim()
            .trim_end_matches('B')
            .trim_end()
            .parse()
            .map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Checks that a publisher's own manifest is a Croissant description and lists exactly `files`, with their sizes and
/// hashes.
pub fn check(manifest: &[u8], files: &[CorpusFile]) -> Result<()> {
    if manifest.len() > MAX_BYTES {
        return Err(malformed(format!("it has more than {MAX_BYTES} bytes")));
    }
    let manifest: Value = serde_json::from_slice(manifest).map_err(|e| malformed(format!("not JSON: {e}")))?;
    if !manifest.is_object() {
        return Err(malformed("not a JSON object"));
    }
    if !manifest.get("@context").is_some_and(Value::is_object) {
        return Err(malformed("no \"@context\" object"));
    }
    if !text(&manifest, "@type", "the manifest")?.ends_with("Dataset") {
        return Err(malformed("its \"@type\" is not sc:Dataset"));
    }
    if !text(&manifest, "conformsTo", "the manifest")?.starts_with("http://mlcommons.org/croissant/1.") {
        return Err(malformed(format!("\"conformsTo\" is not {CONFORMS_TO}")));
    }
    text(&manifest, "name", "the manifest")?;
    text(&manifest, "license", "the manifest")?;
    let listed = manifest
        .get("distribution")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
        .ok_or_else(|| malformed("\"distribution\" lists no files"))?;
    let mut seen = BTreeSet::new();
    for entry in listed {
        let name = text(entry, "name", "a file of \"distribution\"")?;
        let bytes = content_size(entry, name)?;
        let hash = text(entry, "sha256", name)?.to_ascii_lowercase();
        if hash.len() != 64 || !hash.bytes().all(|c| c.is_ascii_hexdigit()) {
            return Err(malformed(format!(
                "the \"sha256\" of {name} is not 64 hexadecimal digits"
            )));
        }
        if !seen.insert(name) {
            return Err(malformed(format!("{name} is listed twice")));
        }
        let file = files.iter().find(|file| file.name == name).ok_or_else(|| {
            Error::usage(
                "ManifestFileMissing",
                format!("the manifest lists {name}, which is not among the files"),
            )
            .hint("give every file that the manifest lists")
        })?;
        let found = sha256(file.text.as_bytes());
        if found != hash || file.text.len() as u64 != bytes {
            return Err(Error::usage(
                "ManifestWrongHash",
                format!(
                    "{name} has {} bytes and sha256 {found}; the manifest lists {bytes} bytes and {hash}",
                    file.text.len()
                ),
            )
            .hint("the file or the manifest has changed; correct the one that is wrong"));
        }
    }
    match files.iter().find(|file| !seen.contains(file.name.as_str())) {
        Some(file) => Err(Error::usage(
            "ManifestFileNotListed",
            format!("{} is not listed in the manifest", file.name),
        )
        .hint("add it to \"distribution\", or omit the file")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<CorpusFile> {
        ["one", "two"]
            .iter()
            .map(|name| CorpusFile {
                name: format!("{name}.txt"),
                text: name.repeat(3),
            })
            .collect()
    }

    fn name_after(change: impl FnOnce(&mut Value)) -> String {
        let mut manifest = describe("n", "CC0-1.0", &files());
        change(&mut manifest);
        check(manifest.to_string().as_bytes(), &files()).unwrap_err().name
    }

    #[test]
    fn generated_manifest_is_accepted() {
        let manifest = describe("n", "CC0-1.0", &files());
        assert_eq!(check(manifest.to_string().as_bytes(), &files()), Ok(()));
    }

    #[test]
    fn manifest_is_refused_when_malformed() {
        assert_eq!(check(b"{", &files()).unwrap_err().name, "ManifestMalformed");
        assert_eq!(check(b"[]", &files()).unwrap_err().name, "ManifestMalformed");
        for field in ["@context", "@type", "conformsTo", "name", "license", "distribution"] {
            let name = name_after(|m| {
                m.as_object_mut().map(|m| m.remove(field));
            });
            assert_eq!(name, "ManifestMalformed", "{field}");
        }
        assert_eq!(
            name_after(|m| m["distribution"][0]["sha256"] = "12".into()),
            "ManifestMalformed"
        );
        assert_eq!(
            name_after(|m| m["distribution"][1] = m["distribution"][0].clone()),
            "ManifestMalformed"
        );
    }

    #[test]
    fn manifest_is_refused_when_a_hash_or_size_is_wrong() {
        let zeros = "0".repeat(64);
        assert_eq!(
            name_after(|m| m["distribution"][0]["sha256"] = zeros.into()),
            "ManifestWrongHash"
        );
        assert_eq!(
            name_after(|m| m["distribution"][0]["contentSize"] = "1 B".into()),
            "ManifestWrongHash"
        );
    }

    #[test]
    fn manifest_is_refused_when_it_lists_other_files() {
        assert_eq!(
            name_after(|m| m["distribution"][0]["name"] = "other.txt".into()),
            "ManifestFileMissing"
        );
        let manifest = describe("n", "CC0-1.0", &files()[..1]);
        assert_eq!(
            check(manifest.to_string().as_bytes(), &files()).unwrap_err().name,
            "ManifestFileNotListed"
        );
    }
}
