// SPDX-License-Identifier: GPL-3.0-only
//! Events of the chain.

use super::{
    fault::unknown_runtime,
    value::{ReadValue, Value},
};
use crate::error::{Error, Result};
use subxt::{
    ext::scale_value::{Composite, ValueDef},
    SubstrateConfig,
};

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The pallet's name.
    pub pallet: String,
    /// The event's name.
    pub name: String,
    /// The event's fields.
    pub fields: Value,
}

impl Event {
    /// Whether this is the event `pallet.name`.
    pub fn is(&self, pallet: &str, name: &str) -> bool {
        self.pallet == pallet && self.name == name
    }

    /// Returns the unsigned integer in field `name`, or `UnknownRuntime` if there is none.
    pub fn uint<T: TryFrom<u128>>(&self, name: &str) -> Result<T> {
        self.fields.uint_field(name).ok_or_else(|| self.missing(name))
    }

    /// Returns the hash in field `name` in hexadecimal, or `UnknownRuntime` if there is none.
    pub fn hash(&self, name: &str) -> Result<String> {
        self.fields.hash_field(name).ok_or_else(|| self.missing(name))
    }

    fn missing(&self, field: &str) -> Error {
        unknown_runtime(format!(
            "event {}.{} has no field {field} of the expected type",
            self.pallet, self.name
        ))
    }
}

/// Decodes events, in order.
pub(super) fn decode<'a>(
    events: impl Iterator<Item = Result<subxt::events::Event<'a, SubstrateConfig>, subxt::error::EventsError>>,
) -> Result<Vec<Event>> {
    events
        .map(|event| {
            let event = event.map_err(|e| unknown_runtime(format!("cannot decode an event: {e}")))?;
            let fields = event
                .decode_fields_unchecked_as::<Composite<()>>()
                .map_err(|e| unknown_runtime(format!("cannot decode an event: {e}")))?;
            Ok(Event {
                pallet: event.pallet_name().to_owned(),
                name: event.event_name().to_owned(),
                fields: Value::without_context(ValueDef::Composite(fields)),
            })
        })
        .collect()
}
