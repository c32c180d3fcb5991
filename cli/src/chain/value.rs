// SPDX-License-Identifier: GPL-3.0-only
//! Making and reading values whose types are only known from the chain's metadata.

use agorai_primitives::{
    job::Sampling,
    model::Architecture,
    training::{Compression, Recipe},
    BlobId, Shard,
};
use subxt::ext::scale_value::{Composite, Primitive, ValueDef};

pub use subxt::dynamic::Value;

/// A blob's name.
pub fn blob(id: &BlobId) -> Value {
    Value::unnamed_composite([Value::from_bytes(id.0)])
}

/// A shard.
pub fn shard(shard: &Shard) -> Value {
    Value::named_composite([("blob", blob(&shard.blob)), ("bytes", Value::u128(shard.bytes.into()))])
}

/// A unit variant.
pub fn case(name: &str) -> Value {
    Value::unnamed_variant(name, [])
}

/// `Some` or `None`.
pub fn option(value: Option<Value>) -> Value {
    match value {
        Some(value) => Value::unnamed_variant("Some", [value]),
        None => case("None"),
    }
}

/// An unsigned number of any width.
pub fn number(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

/// An architecture.
pub fn architecture(a: &Architecture) -> Value {
    Value::named_composite([
        ("vocab", number(a.vocab)),
        ("dim", number(a.dim)),
        ("layers", number(a.layers)),
        ("heads", number(a.heads)),
        ("kv_heads", number(a.kv_heads)),
        ("ff", number(a.ff)),
        ("context", number(a.context)),
        ("rope_theta", number(a.rope_theta)),
    ])
}

/// A recipe.
pub fn recipe(r: &Recipe) -> Value {
    let compression = match r.compression {
        Compression::Dense => case("Dense"),
        Compression::TopK { top } => Value::named_variant("TopK", [("top", number(top))]),
    };
    Value::named_composite([
        ("inner_steps", number(r.inner_steps)),
        ("segment_steps", number(r.segment_steps)),
        ("batch", number(r.batch)),
        ("sequence", number(r.sequence)),
        ("rate_micros", number(r.rate_micros)),
        ("warmup_steps", number(r.warmup_steps)),
        ("held_out", number(r.held_out)),
        ("compression", compression),
        ("outer_rate_micros", number(r.outer_rate_micros)),
    ])
}

/// How to sample.
pub fn sampling(s: &Sampling) -> Value {
    Value::named_composite([
        ("max_tokens", number(s.max_tokens)),
        ("temperature_milli", number(s.temperature_milli)),
        ("top_k", number(s.top_k)),
        ("top_p_milli", number(s.top_p_milli)),
        ("seed", number(s.seed)),
        ("stop", option(s.stop.map(number))),
    ])
}

/// Reading values of the chain. All of it answers `None` where the value has another shape.
pub trait Read {
    /// A named field.
    fn field(&self, name: &str) -> Option<&Value>;
    /// An unsigned number, also within newtypes.
    fn uint(&self) -> Option<u128>;
    /// Bytes, also within newtypes.
    fn octets(&self) -> Option<Vec<u8>>;
    /// The name and fields of a variant.
    fn variant(&self) -> Option<(&str, &Composite<()>)>;
    /// All accounts and hashes (32 bytes) in the value, in order.
    fn accounts(&self) -> Vec<[u8; 32]>;
    /// 32 bytes in hexadecimal, without 0x.
    fn hash(&self) -> Option<String>;
    /// The value as JSON: 32 bytes become hexadecimal, numbers beyond 53 bits become text.
    fn json(&self) -> serde_json::Value;

    /// An unsigned number that fits.
    fn small<T: TryFrom<u128>>(&self) -> Option<T> {
        self.uint().and_then(|n| n.try_into().ok())
    }

    /// The number in field `name`.
    fn number<T: TryFrom<u128>>(&self, name: &str) -> Option<T> {
        self.field(name)?.small()
    }

    /// The text in field `name`; bytes that are no text are replaced.
    fn text(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.field(name)?.octets()?).into_owned())
    }

    /// The hash in field `name`.
    fn hash_in(&self, name: &str) -> Option<String> {
        self.field(name)?.hash()
    }
}

/// The only item of an unnamed composite of one: what a newtype wraps.
fn inner(value: &Value) -> Option<&Value> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(items)) if items.len() == 1 => items.first(),
        _ => None,
    }
}

fn as_octets(items: &[Value]) -> Option<Vec<u8>> {
    items
        .iter()
        .map(|item| match &item.value {
            ValueDef::Primitive(Primitive::U128(n)) => u8::try_from(*n).ok(),
            _ => None,
        })
        .collect()
}

fn json_of_fields(fields: &Composite<()>) -> serde_json::Value {
    match fields {
        Composite::Named(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), value.json()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Composite::Unnamed(items) => match as_octets(items) {
            Some(octets) if octets.len() == 32 => hex::encode(octets).into(),
            _ => items.iter().map(Read::json).collect(),
        },
    }
}

fn json_of_number(n: u128) -> serde_json::Value {
    if n < 1 << 53 {
        (n as u64).into()
    } else {
        n.to_string().into()
    }
}

impl Read for Value {
    fn field(&self, name: &str) -> Option<&Value> {
        let fields = match &self.value {
            ValueDef::Composite(Composite::Named(fields)) => fields,
            ValueDef::Variant(variant) => match &variant.values {
                Composite::Named(fields) => fields,
                Composite::Unnamed(_) => return None,
            },
            _ => return None,
        };
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn uint(&self) -> Option<u128> {
        match &self.value {
            ValueDef::Primitive(Primitive::U128(n)) => Some(*n),
            ValueDef::Primitive(Primitive::I128(n)) => u128::try_from(*n).ok(),
            _ => inner(self)?.uint(),
        }
    }

    fn octets(&self) -> Option<Vec<u8>> {
        match (inner(self), &self.value) {
            (Some(inner), _) if matches!(inner.value, ValueDef::Composite(_)) => inner.octets(),
            (_, ValueDef::Composite(Composite::Unnamed(items))) => as_octets(items),
            _ => None,
        }
    }

    fn variant(&self) -> Option<(&str, &Composite<()>)> {
        match &self.value {
            ValueDef::Variant(variant) => Some((&variant.name, &variant.values)),
            _ => None,
        }
    }

    fn accounts(&self) -> Vec<[u8; 32]> {
        if let Some(Ok(account)) = self.octets().map(TryInto::try_into) {
            return vec![account];
        }
        match &self.value {
            ValueDef::Composite(items) => items.values().flat_map(Read::accounts).collect(),
            ValueDef::Variant(variant) => variant.values.values().flat_map(Read::accounts).collect(),
            _ => Vec::new(),
        }
    }

    fn hash(&self) -> Option<String> {
        self.octets().filter(|octets| octets.len() == 32).map(hex::encode)
    }

    fn json(&self) -> serde_json::Value {
        match &self.value {
            ValueDef::Composite(fields) => match inner(self) {
                Some(inner) => inner.json(),
                None => json_of_fields(fields),
            },
            ValueDef::Variant(variant) => match (variant.name.as_str(), variant.values.len()) {
                ("None", 0) => serde_json::Value::Null,
                ("Some", 1) => variant.values.values().next().map(Read::json).unwrap_or_default(),
                (name, 0) => name.into(),
                (name, _) => serde_json::json!({ name: json_of_fields(&variant.values) }),
            },
            ValueDef::Primitive(Primitive::U128(n)) => json_of_number(*n),
            ValueDef::Primitive(Primitive::I128(n)) => match i64::try_from(*n) {
                Ok(n) => n.into(),
                Err(_) => n.to_string().into(),
            },
            ValueDef::Primitive(Primitive::Bool(b)) => (*b).into(),
            ValueDef::Primitive(Primitive::Char(c)) => c.to_string().into(),
            ValueDef::Primitive(Primitive::String(s)) => s.clone().into(),
            ValueDef::Primitive(Primitive::U256(bytes) | Primitive::I256(bytes)) => hex::encode(bytes).into(),
            ValueDef::BitSequence(bits) => bits.len().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;
    use scale_info::{meta_type, PortableRegistry, Registry, TypeInfo};
    use subxt::ext::scale_value::scale::{decode_as_type, encode_as_type};

    /// Our value must become the same bytes as the chain's own type, and be read back from them.
    fn agrees<T: TypeInfo + Encode + 'static>(value: Value, real: T) {
        let mut registry = Registry::new();
        let id = registry.register_type(&meta_type::<T>()).id;
        let registry = PortableRegistry::from(registry);
        let mut bytes = Vec::new();
        encode_as_type(&value, id, &registry, &mut bytes).unwrap();
        assert_eq!(bytes, real.encode());
        let read = decode_as_type(&mut &bytes[..], id, &registry).unwrap().remove_context();
        assert_eq!(read.json(), value.json());
    }

    #[test]
    fn values_encode_as_the_types_of_the_chain() {
        agrees(blob(&BlobId([9; 32])), BlobId([9; 32]));
        agrees(architecture(&Architecture::SMALL), Architecture::SMALL);
        agrees(recipe(&Recipe::SMALL), Recipe::SMALL);
        let dense = Recipe {
            compression: Compression::Dense,
            ..Recipe::SMALL
        };
        agrees(recipe(&dense), dense);
        for stop in [None, Some(10)] {
            let greedy = Sampling {
                max_tokens: 5,
                temperature_milli: 700,
                top_k: 3,
                top_p_milli: 950,
                seed: u64::MAX,
                stop,
            };
            agrees(sampling(&greedy), greedy);
        }
        for n in 0..3 {
            let shards = vec![
                Shard {
                    blob: BlobId([n; 32]),
                    bytes: 70_000,
                };
                n.into()
            ];
            agrees(Value::unnamed_composite(shards.iter().map(shard)), shards.clone());
            let ids: Vec<u32> = (0..n.into()).collect();
            agrees(Value::unnamed_composite(ids.iter().map(|id| number(*id))), ids.clone());
            let contributors = vec![([n; 32], 1u32); n.into()];
            let contributor = |(account, weight): &([u8; 32], u32)| {
                Value::unnamed_composite([Value::from_bytes(account), number(*weight)])
            };
            agrees(
                Value::unnamed_composite(contributors.iter().map(contributor)),
                contributors.clone(),
            );
        }
    }

    #[test]
    fn newtypes_and_bounded_bytes_are_seen_through() {
        let id = BlobId([7; 32]);
        assert_eq!(blob(&id).hash(), Some(id.to_string()));
        let bounded = Value::unnamed_composite([Value::from_bytes(b"agora")]);
        assert_eq!(bounded.octets(), Some(b"agora".to_vec()));
        let one = Value::unnamed_composite([Value::from_bytes(b"a")]);
        assert_eq!(one.octets(), Some(b"a".to_vec()));
        let none = Value::unnamed_composite([Value::from_bytes(b"")]);
        assert_eq!(none.octets(), Some(vec![]));
        assert_eq!(Value::unnamed_composite([number(5u32)]).uint(), Some(5));
    }

    #[test]
    fn lists_of_accounts_keep_their_length() {
        let account = || Value::unnamed_composite([Value::from_bytes([3; 32])]);
        let bounded = |n: usize| Value::unnamed_composite([Value::unnamed_composite((0..n).map(|_| account()))]);
        for n in 0..4 {
            assert_eq!(bounded(n).accounts().len(), n);
        }
    }

    #[test]
    fn json_names_variants_and_writes_hashes_in_hexadecimal() {
        let value = Value::named_composite([
            ("weights", blob(&BlobId([1; 32]))),
            ("live", option(Some(number(3u32)))),
            ("rule", case("Owner")),
            ("large", number(u128::MAX)),
        ]);
        assert_eq!(
            value.json(),
            serde_json::json!({
                "weights": "01".repeat(32),
                "live": 3,
                "rule": "Owner",
                "large": u128::MAX.to_string(),
            })
        );
    }
}
