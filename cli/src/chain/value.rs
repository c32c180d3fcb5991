// SPDX-License-Identifier: GPL-3.0-only
//! Values whose types the chain's metadata describes: encoding those of this program, and reading those of the chain.

use agorai_primitives::{
    job::Sampling,
    model::Architecture,
    training::{Compression, Recipe},
    BlobId, Shard,
};
use subxt::ext::scale_value::{Composite, Primitive, ValueDef};

pub use subxt::dynamic::Value;

/// Returns a blob's id as a value.
pub fn blob(id: &BlobId) -> Value {
    Value::unnamed_composite([Value::from_bytes(id.0)])
}

/// Returns a shard as a value.
pub fn shard(shard: &Shard) -> Value {
    Value::named_composite([("blob", blob(&shard.blob)), ("bytes", Value::u128(shard.bytes.into()))])
}

/// Returns a variant without fields.
pub fn unit_variant(name: &str) -> Value {
    Value::unnamed_variant(name, [])
}

/// Returns `Some` or `None`.
pub fn option(value: Option<Value>) -> Value {
    match value {
        Some(value) => Value::unnamed_variant("Some", [value]),
        None => unit_variant("None"),
    }
}

/// Returns an unsigned integer of any width.
pub fn uint(value: impl Into<u128>) -> Value {
    Value::u128(value.into())
}

/// Returns an architecture as a value.
pub fn architecture(a: &Architecture) -> Value {
    Value::named_composite([
        ("vocab", uint(a.vocab)),
        ("dim", uint(a.dim)),
        ("layers", uint(a.layers)),
        ("heads", uint(a.heads)),
        ("kv_heads", uint(a.kv_heads)),
        ("ff", uint(a.ff)),
        ("context", uint(a.context)),
        ("rope_theta", uint(a.rope_theta)),
    ])
}

/// Returns a recipe as a value.
pub fn recipe(r: &Recipe) -> Value {
    let compression = match r.compression {
        Compression::Dense => unit_variant("Dense"),
        Compression::TopK { top } => Value::named_variant("TopK", [("top", uint(top))]),
    };
    Value::named_composite([
        ("inner_steps", uint(r.inner_steps)),
        ("segment_steps", uint(r.segment_steps)),
        ("batch", uint(r.batch)),
        ("sequence", uint(r.sequence)),
        ("rate_micros", uint(r.rate_micros)),
        ("warmup_steps", uint(r.warmup_steps)),
        ("held_out", uint(r.held_out)),
        ("compression", compression),
        ("outer_rate_micros", uint(r.outer_rate_micros)),
    ])
}

/// Returns sampling parameters as a value.
pub fn sampling(s: &Sampling) -> Value {
    Value::named_composite([
        ("max_tokens", uint(s.max_tokens)),
        ("temperature_milli", uint(s.temperature_milli)),
        ("top_k", uint(s.top_k)),
        ("top_p_milli", uint(s.top_p_milli)),
        ("seed", uint(s.seed)),
        ("stop", option(s.stop.map(uint))),
    ])
}

/// Reads values of the chain. Each method returns `None` if the value has another shape.
pub trait ReadValue {
    /// Returns a named field.
    fn field(&self, name: &str) -> Option<&Value>;
    /// Returns an unsigned integer; newtypes are unwrapped.
    fn uint(&self) -> Option<u128>;
    /// Returns a sequence of bytes; newtypes are unwrapped.
    fn bytes(&self) -> Option<Vec<u8>>;
    /// Returns the name and fields of a variant.
    fn variant(&self) -> Option<(&str, &Composite<()>)>;
    /// Returns all accounts and hashes (32 bytes each) in the value, in order.
    fn accounts(&self) -> Vec<[u8; 32]>;
    /// Returns 32 bytes in hexadecimal, without 0x.
    fn hash(&self) -> Option<String>;
    /// Returns the value as JSON. 32 bytes become a hexadecimal string; an integer of more than 53 bits becomes a
    /// string, because JavaScript cannot represent it.
    fn json(&self) -> serde_json::Value;

    /// Returns an unsigned integer that `T` can hold.
    fn uint_as<T: TryFrom<u128>>(&self) -> Option<T> {
        self.uint().and_then(|n| n.try_into().ok())
    }

    /// Returns the unsigned integer in field `name`.
    fn uint_field<T: TryFrom<u128>>(&self, name: &str) -> Option<T> {
        self.field(name)?.uint_as()
    }

    /// Returns the text in field `name`; invalid UTF-8 is replaced.
    fn text_field(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.field(name)?.bytes()?).into_owned())
    }

    /// Returns the hash in field `name`.
    fn hash_field(&self, name: &str) -> Option<String> {
        self.field(name)?.hash()
    }
}

/// Returns the value that a newtype wraps: the only item of an unnamed composite.
fn inner(value: &Value) -> Option<&Value> {
    match &value.value {
        ValueDef::Composite(Composite::Unnamed(items)) if items.len() == 1 => items.first(),
        _ => None,
    }
}

fn as_bytes(items: &[Value]) -> Option<Vec<u8>> {
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
        Composite::Unnamed(items) => match as_bytes(items) {
            Some(bytes) if bytes.len() == 32 => hex::encode(bytes).into(),
            _ => items.iter().map(ReadValue::json).collect(),
        },
    }
}

fn json_of_uint(n: u128) -> serde_json::Value {
    if n < 1 << 53 {
        (n as u64).into()
    } else {
        n.to_string().into()
    }
}

impl ReadValue for Value {
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

    fn bytes(&self) -> Option<Vec<u8>> {
        match (inner(self), &self.value) {
            (Some(inner), _) if matches!(inner.value, ValueDef::Composite(_)) => inner.bytes(),
            (_, ValueDef::Composite(Composite::Unnamed(items))) => as_bytes(items),
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
        if let Some(Ok(account)) = self.bytes().map(TryInto::try_into) {
            return vec![account];
        }
        match &self.value {
            ValueDef::Composite(items) => items.values().flat_map(ReadValue::accounts).collect(),
            ValueDef::Variant(variant) => variant.values.values().flat_map(ReadValue::accounts).collect(),
            _ => Vec::new(),
        }
    }

    fn hash(&self) -> Option<String> {
        self.bytes().filter(|bytes| bytes.len() == 32).map(hex::encode)
    }

    fn json(&self) -> serde_json::Value {
        match &self.value {
            ValueDef::Composite(fields) => match inner(self) {
                Some(inner) => inner.json(),
                None => json_of_fields(fields),
            },
            ValueDef::Variant(variant) => match (variant.name.as_str(), variant.values.len()) {
                ("None", 0) => serde_json::Value::Null,
                ("Some", 1) => variant.values.values().next().map(ReadValue::json).unwrap_or_default(),
                (name, 0) => name.into(),
                (name, _) => serde_json::json!({ name: json_of_fields(&variant.values) }),
            },
            ValueDef::Primitive(Primitive::U128(n)) => json_of_uint(*n),
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

    /// Asserts that `value` is encoded to the bytes of the chain's own type, and decoded from them.
    fn assert_same_encoding<T: TypeInfo + Encode + 'static>(value: Value, real: T) {
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
        assert_same_encoding(blob(&BlobId([9; 32])), BlobId([9; 32]));
        assert_same_encoding(architecture(&Architecture::SMALL), Architecture::SMALL);
        assert_same_encoding(recipe(&Recipe::SMALL), Recipe::SMALL);
        let dense = Recipe {
            compression: Compression::Dense,
            ..Recipe::SMALL
        };
        assert_same_encoding(recipe(&dense), dense);
        for stop in [None, Some(10)] {
            let greedy = Sampling {
                max_tokens: 5,
                temperature_milli: 700,
                top_k: 3,
                top_p_milli: 950,
                seed: u64::MAX,
                stop,
            };
            assert_same_encoding(sampling(&greedy), greedy);
        }
        for n in 0..3 {
            let shards = vec![
                Shard {
                    blob: BlobId([n; 32]),
                    bytes: 70_000,
                };
                n.into()
            ];
            assert_same_encoding(Value::unnamed_composite(shards.iter().map(shard)), shards.clone());
            let ids: Vec<u32> = (0..n.into()).collect();
            assert_same_encoding(Value::unnamed_composite(ids.iter().map(|id| uint(*id))), ids.clone());
            let contributors = vec![([n; 32], 1u32); n.into()];
            let contributor = |(account, weight): &([u8; 32], u32)| {
                Value::unnamed_composite([Value::from_bytes(account), uint(*weight)])
            };
            assert_same_encoding(
                Value::unnamed_composite(contributors.iter().map(contributor)),
                contributors.clone(),
            );
        }
    }

    #[test]
    fn newtypes_and_bounded_bytes_are_unwrapped() {
        let id = BlobId([7; 32]);
        assert_eq!(blob(&id).hash(), Some(id.to_string()));
        let bounded = Value::unnamed_composite([Value::from_bytes(b"agora")]);
        assert_eq!(bounded.bytes(), Some(b"agora".to_vec()));
        let one = Value::unnamed_composite([Value::from_bytes(b"a")]);
        assert_eq!(one.bytes(), Some(b"a".to_vec()));
        let none = Value::unnamed_composite([Value::from_bytes(b"")]);
        assert_eq!(none.bytes(), Some(vec![]));
        assert_eq!(Value::unnamed_composite([uint(5u32)]).uint(), Some(5));
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
            ("live", option(Some(uint(3u32)))),
            ("rule", unit_variant("Owner")),
            ("large", uint(u128::MAX)),
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
