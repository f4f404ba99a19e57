//! Objects whose keys are data.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::input::MemberSink;
use super::{Input, InvalidInput, Output, ReadOutcome, Wire, to_value};

/// An object of members of one type, under any name.
pub trait MapSlot {
    /// All members.
    fn iter(&self) -> Box<dyn Iterator<Item = (&str, &dyn Wire)> + '_>;

    /// Removes all members.
    fn clear(&mut self);

    /// The member of this name, made where there is none.
    fn entry(&mut self, name: &str) -> &mut dyn Wire;
}

impl<T: Wire> MapSlot for BTreeMap<String, T> {
    fn iter(&self) -> Box<dyn Iterator<Item = (&str, &dyn Wire)> + '_> {
        Box::new(self.iter().map(|(name, value)| (name.as_str(), value as &dyn Wire)))
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn entry(&mut self, name: &str) -> &mut dyn Wire {
        self.entry(name.to_owned()).or_insert_with(T::default_value)
    }
}

/// Reads an object; one member that does not fit makes all of it a mismatch.
fn read(map: &mut dyn MapSlot, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
    let object = match input {
        Input::Object(object) => object,
        Input::Null => return Ok(ReadOutcome::Matched),
        other => return other.mismatch(),
    };
    map.clear();
    let mut members = Members { map, name: String::new(), whole: None };
    let outcome = object.for_each(&mut members)?;
    Ok(match members.whole {
        None => outcome,
        Some(whole) => {
            map.clear();
            ReadOutcome::mismatched(whole.into())
        }
    })
}

struct Members<'a> {
    map: &'a mut dyn MapSlot,
    name: String,
    /// Set at the first mismatch; from then on it holds every member.
    whole: Option<Map<String, Value>>,
}

impl MemberSink for Members<'_> {
    fn name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    fn value(&mut self, input: Input<'_>) -> Result<(), InvalidInput> {
        if let Some(whole) = &mut self.whole {
            whole.insert(self.name.clone(), input.value()?);
            return Ok(());
        }
        let outcome = self.map.entry(&self.name).read(input)?;
        if let ReadOutcome::Mismatched(value) | ReadOutcome::Partial(value) = outcome {
            let before = self.map.iter().map(|(name, value)| (name.to_owned(), to_value(value)));
            self.whole.insert(before.collect()).insert(self.name.clone(), *value);
        }
        Ok(())
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    fn read(&mut self, input: Input<'_>) -> Result<ReadOutcome, InvalidInput> {
        read(self, input)
    }

    fn output(&self) -> Output<'_> {
        Output::Map(self)
    }

    fn default_value() -> Self {
        BTreeMap::new()
    }

    fn is_default_value(&self) -> bool {
        self.is_empty()
    }

    #[cfg(test)]
    fn sample() -> Value {
        super::conformance::object(|| vec![("name", T::sample())])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::chat::ChatRequest;

    #[test]
    fn a_mismatched_member_keeps_the_whole_object() {
        let metadata = json!({ "a": "1", "b": [2], "c": "3" });
        let request: ChatRequest = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        assert_eq!((request.metadata.len(), request.extra.get("metadata")), (0, Some(&metadata)));
    }
}
