//! JSON that a model has written as its answer.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::transport::decode::describe;
use crate::wire::with_repair;

/// Parses JSON written by a model. The error says what does not match, without the content.
pub(crate) fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim();
    let error = match read_plain(without_fence(text)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    // An answer around the fence, and commas that other languages allow.
    let inner = fenced(text).unwrap_or_else(|| without_fence(text));
    let repaired = without_trailing_commas(inner);
    read_plain(&repaired).map_err(|_| error)
}

fn read_plain<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    if let Some(Ok(value)) = unwrapped(text).map(|inner| serde_json::from_str(inner.get())) {
        return Ok(value);
    }
    // Models write line breaks into strings, and numbers that are none.
    with_repair(text, |text| serde_json::from_str(text))
        // A unit struct has no fields and reads from `null` only.
        .or_else(|error| if text == "{}" { serde_json::from_str("null").map_err(|_| error) } else { Err(error) })
        .map_err(|error| describe(&error, Some(text)).into_owned())
}

/// The inside of the first fence that is within a text.
fn fenced(text: &str) -> Option<&str> {
    let (_, inner) = text.split_once("```")?;
    let (inner, _) = inner.split_once("```")?;
    Some(inner.strip_prefix("json").unwrap_or(inner).trim())
}

/// The JSON without commas before a closing bracket.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', ',']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        kept.push_str(before);
        let length = match from.strip_prefix(',') {
            Some(after) if after.trim_start().starts_with(['}', ']']) => {
                rest = after;
                continue;
            }
            Some(_) => 1,
            None => string_length(from),
        };
        let (token, after) = from.split_at_checked(length).unwrap_or((from, ""));
        kept.push_str(token);
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The length of the JSON string that a text starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the text inside a Markdown code fence that spans the whole text.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = inner.map(|rest| rest.strip_prefix("json").unwrap_or(rest).trim());
    inner.filter(|inner| !inner.is_empty()).unwrap_or(text)
}

/// Returns the only field of the object that wraps a value.
pub(super) const WRAPPER_FIELD: &str = "root_value";

fn unwrapped(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        root_value: &'a RawValue,
    }
    let is_short_of_it = !text.get(..64).unwrap_or(text).contains(WRAPPER_FIELD);
    if is_short_of_it { None } else { serde_json::from_str::<Wrapper<'_>>(text).ok().map(|wrapper| wrapper.root_value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        read_json(text).ok()
    }

    #[test]
    fn fences_words_around_them_and_trailing_commas_are_left_out() {
        for text in [
            "[1,2]",
            "```json\n[1,2]\n```",
            "```\n[1, 2,]\n```",
            "Here it is:\n```json\n[1,2,\n]\n```\nEnjoy!",
            r#"{"root_value":[1,2]}"#,
            "[1,2 , ]",
        ] {
            assert_eq!(read(text), Some(vec![1, 2]), "{text}");
        }
    }

    #[test]
    fn commas_within_strings_stay() {
        let text = r#"{"a": "x,]", "b": "\",}", "c": [",",],}"#;
        let value: serde_json::Value = read_json(text).unwrap();
        assert_eq!(value, serde_json::json!({"a": "x,]", "b": "\",}", "c": [","]}));
    }

    #[test]
    fn what_does_not_match_is_said_of_the_text_as_it_came() {
        let error = read_json::<Vec<u8>>("[1,2,").unwrap_err();
        assert!(error.contains("EOF"), "{error}");
    }
}
