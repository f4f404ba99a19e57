//! Replies into values: a status into an [`ApiError`], JSON into a type, with the path of what does not fit.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, Error, ErrorKind, Result, Secrets};
use crate::transport::sse::decode_utf8;
use crate::wire::halves::{self, mending};
use crate::wire::{Json, NotJson, Read, Reply, Wire};

/// A whole reply.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What errors about this reply must not show.
    pub(crate) secrets: Secrets,
}

impl Whole {
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_response(self.status, &self.headers).with_body(&self.body)
    }

    /// The body as text; JSON is UTF-8, and servers that break that rule lose single characters only.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        decode_utf8(self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body))
    }

    /// A reply of this crate's types: lenient, but never an error in disguise.
    pub(crate) fn reply<T: Reply>(&self) -> Result<T> {
        let mut reply = T::blank();
        self.read(&mut reply)?;
        Ok(reply)
    }

    fn read(&self, reply: &mut dyn Reply) -> Result<()> {
        let text = self.text();
        let mut came = read_by(&text, &mut |json| reply.read(json));
        if came.is_err() {
            if let Some(mended) = halves::mend_whole(&text) {
                // Over what was read: the same members again, and more of them.
                came = read_by(&mended, &mut |json| reply.read(json));
            }
        }
        match came {
            Ok(Read::Fits | Read::Part(_)) => {}
            Ok(Read::Odd(_)) => return Err(self.not_a_reply(&text, reply.root())),
            Err(error) => return Err(self.undecodable(&text, &error)),
        }
        let has_error = || reply.extra().get("error").is_some_and(|error| !error.is_null());
        if reply.is_hollow() && (has_error() || !has_root(&text, reply.root())) {
            return Err(self.not_a_reply(&text, reply.root()));
        }
        Ok(())
    }

    /// A reply of the caller's type.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.text();
        // `null` is what an empty body means: 204, or DELETE without one.
        let json = if text.trim().is_empty() { "null" } else { &*text };
        mending(json, |json| serde_json::from_str(json)).map_err(|error| self.undecodable(&text, &error))
    }

    /// The error that stands in a body with a good status, or a decode error when none does.
    fn not_a_reply(&self, text: &str, root: &str) -> Error {
        let value = halves::value(text).unwrap_or_default();
        if !value.is_string() {
            if let Some(api) = ApiError::from_value(&value) {
                return self.error(ErrorKind::Api, "").with_api(api);
            }
        }
        self.error(ErrorKind::Decode, format!("it has no `{root}`"))
    }

    /// Media type without its parameters.
    pub(crate) fn media_type(&self) -> &str {
        let value = self.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.media_type().to_ascii_lowercase().ends_with("json")
    }

    pub(crate) fn is_html(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("text/html")
    }

    /// JSON or a web page in place of what was asked for: often an error with a good status.
    pub(crate) fn in_place_of(&self, wanted: &str) -> Error {
        let text = self.text();
        match halves::value(&text) {
            Ok(value) if !value.is_string() => match ApiError::from_value(&value) {
                Some(api) if value.get("choices").is_none() => self.error(ErrorKind::Api, "").with_api(api),
                _ => self.error(ErrorKind::Decode, format!("a JSON body came in place of {wanted}")),
            },
            _ => self.error(
                ErrorKind::Decode,
                format!("a body came in place of {wanted}: {}", start_of(&self.secrets.hide(&text))),
            ),
        }
    }

    fn undecodable(&self, text: &str, error: &serde_json::Error) -> Error {
        let what = if text.trim().is_empty() {
            "its body is empty".into()
        } else if text.trim_start().starts_with('<') {
            format!("it is a web page, not JSON: {}", start_of(&self.secrets.hide(text))).into()
        } else {
            describe(error, Some(text))
        };
        self.error(ErrorKind::Decode, what)
    }
}

/// Reads JSON into a place that holds the blank.
pub(crate) fn read(text: &str, place: &mut dyn Wire) -> serde_json::Result<Read> {
    read_by(text, &mut |json| place.read(json))
}

/// Reads JSON to its end.
pub(crate) fn read_by(
    text: &str,
    read: &mut dyn FnMut(&mut Json<'_>) -> std::result::Result<Read, NotJson>,
) -> serde_json::Result<Read> {
    let mut json = Json::new(text);
    match read(&mut json) {
        Ok(read) if json.is_at_end() => Ok(read),
        _ => Err(why_not(text)),
    }
}

/// What is wrong with a text that is not JSON.
#[cold]
fn why_not(text: &str) -> serde_json::Error {
    match serde_json::from_str::<Value>(text) {
        Err(error) => error,
        Ok(_) => serde::de::Error::custom("a part of it cannot be read"),
    }
}

/// True when the JSON is a list, or an object with this member.
fn has_root(text: &str, root: &str) -> bool {
    match halves::value(text) {
        Ok(Value::Object(members)) => members.contains_key(root),
        Ok(Value::Array(_)) => true,
        _ => false,
    }
}

/// The error of a reply with a bad status.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    Error::new(ErrorKind::Api, "")
        .with_response(status, headers)
        .with_api(ApiError::from_body(body))
        .with_body(body)
        .with_retry_after(super::retry::server_wait(headers, std::time::SystemTime::now()))
}

/// The first words of a body.
pub(crate) fn start_of(text: &str) -> String {
    let start: String = text.trim().chars().take(120).collect();
    start.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong and where, without any of the content: serde's own text repeats values.
pub(crate) fn describe(error: &serde_json::Error, text: Option<&str>) -> Cow<'static, str> {
    let whole = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let what = whole.strip_suffix(&position).unwrap_or(&whole);
    let what = match error.classify() {
        serde_json::error::Category::Data => without_content(what),
        _ => what.to_owned(),
    };
    match text.map(|text| path_at(text, error.line(), error.column())) {
        Some(path) if !path.is_empty() => format!("{what} at {path}").into(),
        _ if error.line() > 0 => format!("{what}{position}").into(),
        _ => what.into(),
    }
}

/// `invalid type: string "the content", expected u64` without what stands between the quotes, and
/// ``unknown variant `the content`, expected …`` likewise.
fn without_content(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        return match rest.rsplit_once("`, expected ") {
            Some((_, expected)) => format!("unknown variant, expected {expected}"),
            None => "unknown variant".to_owned(),
        };
    }
    match (message.find('"'), message.rfind('"')) {
        (Some(start), Some(end)) if end > start => {
            let (before, after) =
                (message.get(..start).unwrap_or_default(), message.get(end + 1..).unwrap_or_default());
            format!("{}{after}", before.trim_end())
        }
        _ => message.to_owned(),
    }
}

/// The JSON path of a position, such as `choices[0].message.content`.
fn path_at(text: &str, line: usize, column: usize) -> String {
    enum Step {
        Member(String),
        Item(usize),
    }
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = (before + column).min(text.len());
    let mut bytes = text.as_bytes().get(..end).unwrap_or_default().iter().copied().peekable();
    let mut steps = Vec::new();
    let mut last_text = String::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' => steps.push(Step::Member(String::new())),
            b'[' => steps.push(Step::Item(0)),
            b'}' | b']' => drop(steps.pop()),
            b':' => {
                if let Some(Step::Member(name)) = steps.last_mut() {
                    *name = std::mem::take(&mut last_text);
                }
            }
            b',' => {
                if let Some(Step::Item(n)) = steps.last_mut() {
                    *n += 1;
                }
            }
            b'"' => {
                let mut quoted = Vec::new();
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        // Names are short; texts need not be kept.
                        byte if quoted.len() < 64 => quoted.push(byte),
                        _ => {}
                    }
                }
                last_text = String::from_utf8_lossy(&quoted).into_owned();
            }
            _ => {}
        }
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Member(name) if name.is_empty() => {}
            Step::Member(name) if path.is_empty() => path.push_str(name),
            Step::Member(name) => path.extend([".", name]),
            Step::Item(n) => path.push_str(&format!("[{n}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_what_does_not_fit_is_named_without_its_content() {
        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[allow(dead_code)]
            items: Vec<std::collections::HashMap<String, u64>>,
        }
        let text = r#"{"items":[{"a":1},{"a":2,"b":"a secret"}]}"#;
        let error = serde_json::from_str::<Outer>(text).unwrap_err();
        assert_eq!(describe(&error, Some(text)), "invalid type: string, expected u64 at items[1].b");

        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Colour {
            Red,
        }
        let text = r#"["red","a `, expected secret"]"#;
        let error = serde_json::from_str::<Vec<Colour>>(text).unwrap_err();
        assert_eq!(describe(&error, Some(text)), "unknown variant, expected `red` at [1]");
    }

    #[test]
    fn without_a_path_the_position_is_named() {
        let error = serde_json::from_str::<Vec<u64>>("{}").unwrap_err();
        assert_eq!(describe(&error, Some("{}")), "invalid type: map, expected a sequence at line 1 column 0");
        let error = serde_json::from_str::<Vec<u64>>("[1,\n true]").unwrap_err();
        assert_eq!(describe(&error, None), "invalid type: boolean `true`, expected u64 at line 2 column 5");
        let error = serde::de::Error::custom("odd");
        assert_eq!(describe(&error, None), "odd");
    }

    #[test]
    fn what_stands_between_quotes_is_left_out() {
        assert_eq!(
            without_content(r#"invalid type: string "a "b" c", expected u64"#),
            "invalid type: string, expected u64"
        );
        assert_eq!(without_content(r#"one " alone"#), r#"one " alone"#);
        assert_eq!(without_content("unknown variant `a`"), "unknown variant");
    }

    #[test]
    fn a_path_leads_through_lines_lists_and_names_of_any_kind() {
        let path = |text: &str| path_at(text, text.lines().count(), text.lines().last().unwrap().len());
        assert_eq!(path(r#"{"a":[{"b":[1,{"c":2},["#), "a[0].b[2][0]");
        assert_eq!(path("{\n\"a\": {\n\"b\": 1,\n\"c\": 2"), "a.c");
        assert_eq!(path(r#"{"items":{"#), "items");
        assert_eq!(path(r#"{"a\"b":{"c":1"#), "ab.c");
        assert_eq!(path(r#"{"a":"{[,:","b":1"#), "b");
        assert_eq!(path(&format!("{{\"{}\":1", "n".repeat(70))), "n".repeat(64));
    }

    #[test]
    fn a_body_is_quoted_by_its_first_words() {
        assert_eq!(start_of("  Bad \n\t gateway "), "Bad gateway");
        assert_eq!(start_of(&"é".repeat(200)), "é".repeat(120));
    }

    #[test]
    fn nothing_may_stand_behind_a_reply() {
        assert!(read("{} ", &mut crate::Extra::new()).is_ok());
        assert!(read("{} x", &mut crate::Extra::new()).unwrap_err().to_string().contains("trailing characters"));
    }
}
