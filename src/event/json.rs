//! An event in, one JSON object out: flat dotted names in the order of the catalogue.

use rsigma_eval::EventValue;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::event::Event;

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut outcome = Ok(());
        self.visit(&mut |name, value| {
            if outcome.is_ok() {
                outcome = map.serialize_entry(name, &Json(&value));
            }
        });
        outcome?;
        map.end()
    }
}

struct Json<'v>(&'v EventValue<'v>);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            EventValue::Array(values) => {
                let mut sequence = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    sequence.serialize_element(&Json(value))?;
                }
                sequence.end()
            }
            EventValue::Bool(value) => serializer.serialize_bool(*value),
            EventValue::Float(value) => serializer.serialize_f64(*value),
            EventValue::Int(value) => serializer.serialize_i64(*value),
            EventValue::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
            EventValue::Null => serializer.serialize_none(),
            EventValue::Str(text) => serializer.serialize_str(text),
        }
    }
}
