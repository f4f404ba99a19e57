//! `Serialize` and `Deserialize` of the wire types, in any format.

use serde::de::{Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use super::check::kind;
use super::{ReadOutcome, Wire, input};

/// `Deserialize` of a wire type. At the root, a mismatch is an error.
pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let mut place = T::default_value();
    deserialize_into(&mut place, std::any::type_name::<T>(), deserializer)?;
    Ok(place)
}

pub(super) fn deserialize_into<'de, D: Deserializer<'de>>(
    place: &mut dyn Wire,
    name: &str,
    deserializer: D,
) -> Result<(), D::Error> {
    match input::read(place, deserializer)? {
        ReadOutcome::Matched | ReadOutcome::Partial(_) => Ok(()),
        ReadOutcome::Mismatched(found) => {
            // `Page<Model>`, without the modules.
            let name: String =
                name.split_inclusive(['<', ' ', ',']).filter_map(|part| part.rsplit("::").next()).collect();
            Err(D::Error::custom(format_args!("{} does not match `{name}`", kind(&found))))
        }
    }
}

/// `Serialize` of a wire type, its members in the order of the table.
pub(crate) fn serialize<S: Serializer>(value: &dyn Wire, serializer: S) -> Result<S::Ok, S::Error> {
    value.output().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::call::page::Page;
    use crate::models::Model;
    use crate::wire::Extra;

    #[test]
    fn any_json_comes_back_as_it_was() {
        let text = r#"{"b":[1,-2,0.5,null,true,"x\n",[],{}],"a":{"c":[[{}],"y"]}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        let extra: Extra = serde::Deserialize::deserialize(&value).unwrap();
        assert_eq!(serde_json::to_value(&extra).unwrap(), value);
    }

    #[test]
    fn members_are_written_in_the_order_of_the_table() {
        let page: Page<Model> =
            serde_json::from_value(json!({ "data": [{ "id": "m" }], "object": "list", "a": 1 })).unwrap();
        assert_eq!(serde_json::to_string(&page).unwrap(), r#"{"object":"list","data":[{"id":"m"}],"a":1}"#);
    }

    #[test]
    fn floats_survive() {
        for text in ["2.2250738585072011e-308", "-0.003744454", "-0.0037444540000000004", "1e-400", "0.1", "1e300"] {
            let usage: crate::audio::TranscriptionSegment =
                serde_json::from_str(&format!(r#"{{"start":{text},"zz":{text}}}"#)).unwrap();
            let again: crate::audio::TranscriptionSegment =
                serde_json::from_str(&serde_json::to_string(&usage).unwrap()).unwrap();
            assert_eq!(again.start.to_bits(), usage.start.to_bits(), "{text}");
            assert_eq!(usage.start, text.parse::<f64>().unwrap(), "{text}");
            assert_eq!(again, usage, "{text}");
        }
    }

    #[test]
    fn numbers_that_json_does_not_have_survive() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut segment: crate::audio::TranscriptionSegment = serde_json::from_str("{}").unwrap();
            segment.start = number;
            let text = serde_json::to_string(&segment).unwrap();
            let again: crate::audio::TranscriptionSegment = serde_json::from_str(&text).unwrap();
            assert_eq!(again.start.to_bits(), number.to_bits(), "{text}");
        }
    }
}
