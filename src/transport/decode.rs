//! Responses into values: an error status into an [`ApiError`], JSON into a type, with the path of what does not fit.

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RawResponse;
use super::retry::{delay_in_body, requested_delay};
use super::sse::{Decoder, Event, decode_utf8, is_event_stream};
use crate::error::{ApiError, Error, ErrorKind, Result, Secrets, html_title, is_error, is_failure};
use crate::wire::{Extra, ReadOutcome, Wire, parse, path_at, read_text, with_repair};

/// A type that is a whole response.
pub trait ApiResponse: Wire {
    /// The field that makes the response what it is.
    fn root_field(&self) -> &'static str;

    /// True when the root field is missing, null or empty: then the body may be an error sent with a success status.
    fn is_root_empty(&self) -> bool;

    /// Unknown fields.
    fn extra(&self) -> &Extra;

    /// Decodes the body. No default: a function of one type is compiled once, in this crate, and a generic one again, with
    /// all that reads the type, in every program.
    fn decode(response: &mut RawResponse) -> Result<Self>
    where
        Self: Sized;

    /// The response in a body of events, which some servers send although no stream was requested. By default, the last
    /// event that is one.
    fn from_events(body: &BufferedResponse) -> Option<Result<Self>>
    where
        Self: Sized,
    {
        let is_response = |value: &Self| !value.is_root_empty();
        body.events().iter().rev().find_map(|event| {
            let mut value = Self::default_value();
            read_text(&event.text(), &mut value).ok().filter(|_| is_response(&value)).map(|_| Ok(value))
        })
    }

    /// The response in a plain text, where JSON was requested.
    fn from_plain_text(_text: &str) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Reads a body that is no object: the root alone. False if it is something else.
    fn read_root(&mut self, _body: &Value) -> bool {
        false
    }

    /// Fills in what a server puts into other fields.
    fn complete(&mut self) {}

    /// Returns what makes the response unusable.
    fn defect(&self) -> Option<String> {
        None
    }

    /// Returns the error that the response reports within itself.
    fn failure(&self) -> Option<ApiError> {
        None
    }

    /// Attaches the response to its error.
    fn attach_to(self, error: Error) -> Error
    where
        Self: Sized,
    {
        error
    }
}

/// A response whose body is in memory.
#[derive(Clone, Debug)]
pub struct BufferedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What errors about this response must not show.
    pub(crate) secrets: Secrets,
}

impl BufferedResponse {
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(kind, message).with_response(self.status, &self.headers).with_body(&self.body)
    }

    /// The body as text. JSON is UTF-8; where a server breaks that rule, only single characters are lost.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        decode_utf8(self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body))
    }

    /// A response of this crate's types: lenient, but never an error in disguise.
    pub(crate) fn decode_wire<T: ApiResponse>(&self) -> Result<T> {
        let text = self.text();
        let mut value = T::default_value();
        let read = self.read(&text, &mut value).or_else(|error| {
            if let Some(json) = json_before_events(&text) {
                value = T::default_value();
                return self.read(json, &mut value);
            }
            let other = if is_event_stream(&text) {
                self.error_event().map(Err).or_else(|| T::from_events(self))
            } else if self.is_plain_text() {
                T::from_plain_text(text.trim()).map(Ok)
            } else {
                None
            };
            value = other.unwrap_or(Err(error))?;
            Ok(())
        });
        read?;
        if let Some(api) = value.failure() {
            return Err(value.attach_to(self.error(ErrorKind::Api, "").with_api(api)));
        }
        match value.defect() {
            Some(defect) => Err(self.error(ErrorKind::Decode, defect)),
            None => Ok(value),
        }
    }

    fn read(&self, text: &str, value: &mut dyn ApiResponse) -> Result<()> {
        match read_text(text, value.as_wire()) {
            Ok(ReadOutcome::Matched | ReadOutcome::Partial(_)) => {}
            Ok(ReadOutcome::Mismatched(body)) if value.read_root(&body) => {}
            Ok(ReadOutcome::Mismatched(_)) => return Err(self.missing_root_error(text, value.root_field())),
            Err(error) => return Err(self.decode_error(text, &error)),
        }
        value.complete();
        if value.is_root_empty() {
            let is_response = match parse(text) {
                Ok(Value::Object(members)) => {
                    members.contains_key(value.root_field()) && !is_failure(&|name| members.get(name))
                }
                Ok(Value::Array(_)) => true,
                _ => false,
            };
            if !is_response {
                return Err(self.missing_root_error(text, value.root_field()));
            }
        }
        Ok(())
    }

    /// The events of the body.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut decoder = Decoder::with_max_event_size(self.body.len());
        decoder.push(self.body.clone());
        let mut events: Vec<_> = std::iter::from_fn(|| decoder.next_event().ok().flatten()).collect();
        events.extend(decoder.finish());
        events.retain(|event| !event.data.trim_ascii().is_empty() && !event.data.starts_with(b"[DONE]"));
        events
    }

    /// The error that an event of the body reports.
    fn error_event(&self) -> Option<Error> {
        self.events().iter().find_map(|event| {
            let value = parse(&event.text()).unwrap_or_default();
            let is_error = event.event.as_deref() == Some("error") || value.get("error").is_some_and(is_error);
            is_error.then(|| self.error(ErrorKind::Api, "").with_api(ApiError::from_body(&event.data)))
        })
    }

    /// A response of the caller's type.
    pub(crate) fn decode_serde<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.text();
        // `null` is what an empty body means: 204, or DELETE without one.
        let json = if text.trim().is_empty() { "null" } else { &*text };
        let decode = |json: &str| with_repair(json, |json| serde_json::from_str(json));
        decode(json).or_else(|error| match json_before_events(json).map(decode) {
            Some(Ok(value)) => Ok(value),
            _ => Err(self.decode_error(&text, &error)),
        })
    }

    /// The error contained in a body with a success status, or a decode error if there is none.
    fn missing_root_error(&self, text: &str, root: &str) -> Error {
        let value = parse(text).unwrap_or_default();
        if !value.is_string() {
            if let Some(api) = ApiError::from_value(&value) {
                return self.error(ErrorKind::Api, "").with_api(api);
            }
        }
        self.error(ErrorKind::Decode, format!("missing field `{root}`"))
    }

    /// The media type without its parameters.
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

    fn is_plain_text(&self) -> bool {
        self.media_type().eq_ignore_ascii_case("text/plain")
    }

    /// The error for JSON, a web page or a text instead of the expected body: often an error with a success status.
    pub(crate) fn unexpected_body_error(&self, wanted: &str) -> Error {
        let text = self.text();
        match parse(&text) {
            Ok(value) if !value.is_string() => match ApiError::from_value(&value) {
                Some(api) if value.get("choices").is_none() || is_failure(&|name| value.get(name)) => {
                    self.error(ErrorKind::Api, "").with_api(api)
                }
                _ => self.error(ErrorKind::Decode, format!("expected {wanted}, got JSON")),
            },
            _ => self.error(ErrorKind::Decode, format!("expected {wanted}, got {}", self.description(&text))),
        }
    }

    fn decode_error(&self, text: &str, error: &serde_json::Error) -> Error {
        let is_json = text.trim_start().starts_with(['{', '[', '"']);
        let what = if text.trim().is_empty() {
            "empty body".into()
        } else if is_json && compression(&self.headers, &self.body).is_none() {
            describe(error, Some(text))
        } else {
            format!("expected JSON, got {}", self.description(text)).into()
        };
        self.error(ErrorKind::Decode, what)
    }

    /// What a body is that is not JSON, with its first words.
    pub(crate) fn description(&self, text: &str) -> String {
        if let Some(encoding) = compression(&self.headers, &self.body) {
            return compressed(encoding);
        }
        // Not its bytes: they belong into no terminal and no log.
        if self.body.iter().take(64).any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()) {
            return match self.media_type() {
                "" => format!("{} bytes of data", self.body.len()),
                kind => format!("{} bytes of `{}`", self.body.len(), excerpt(kind)),
            };
        }
        let text = self.secrets.redact(text);
        match html_title(&text) {
            Some(title) => format!("HTML (check the base URL): {}", excerpt(title.trim_start_matches("HTML page: "))),
            None if text.trim_start().starts_with('<') => format!("HTML (check the base URL): {}", excerpt(&text)),
            None => format!("text: {}", excerpt(&text)),
        }
    }
}

/// The JSON in front of an end marker or events, which gateways append to a response that is not a stream.
fn json_before_events(text: &str) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    let (json, rest) = text.split_at_checked(values.byte_offset())?;
    let rest = rest.trim_start();
    (rest.starts_with("[DONE]") || is_event_stream(rest)).then_some(json)
}

/// The compression of a body, which was not requested: the name of the encoding.
pub(crate) fn compression(headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 2] = [(b"\x1F\x8B", "gzip"), (b"\x28\xB5\x2F\xFD", "zstd")];
    let by_content = MAGIC.into_iter().find(|(magic, _)| body.starts_with(magic)).map(|(_, name)| name);
    // A header alone is not believed: some servers send it with a plain body.
    let is_text = body.iter().take(16).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    by_content.or_else(|| declared_compression(headers).filter(|_| !is_text))
}

/// The compression that the headers of a response declare.
pub(crate) fn declared_compression(headers: &HeaderMap) -> Option<&'static str> {
    let declared = headers.get(http::header::CONTENT_ENCODING)?.to_str().ok()?;
    let declared = declared.split(',').next_back()?.trim();
    let names = [("gzip", "gzip"), ("x-gzip", "gzip"), ("deflate", "deflate"), ("br", "br"), ("zstd", "zstd")];
    names.into_iter().find(|(name, _)| declared.eq_ignore_ascii_case(name)).map(|(_, name)| name)
}

pub(crate) fn compressed(encoding: &str) -> String {
    format!("a body compressed with {encoding}, which was not requested (a proxy may ignore `accept-encoding`)")
}

/// The error of a response with an error status.
pub(crate) fn status_error(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Error {
    let api = match compression(headers, body) {
        Some(encoding) => ApiError { message: compressed(encoding), ..ApiError::default() },
        None => ApiError::from_body(body),
    };
    let requested = requested_delay(headers, SystemTime::now()).or_else(|| delay_in_body(&api));
    Error::new(ErrorKind::Api, "")
        .with_response(status, headers)
        .with_api(api)
        .with_body(body)
        .with_retry_after(requested)
}

/// The first words of a body.
pub(crate) fn excerpt(text: &str) -> String {
    let start: String = text.trim().chars().take(120).collect();
    start.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is wrong and where, without any of the content: serde's own text contains values.
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

/// `invalid type: string "the content", expected u64` without the quoted text, and ``unknown variant `the content`,
/// expected …`` likewise.
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
    fn a_body_is_quoted_by_its_first_words() {
        assert_eq!(excerpt("  Bad \n\t gateway "), "Bad gateway");
        assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(120));
    }

    #[test]
    fn trailing_content_is_refused() {
        assert!(read_text("{} ", &mut Extra::new()).is_ok());
        assert!(read_text("{} x", &mut Extra::new()).unwrap_err().to_string().contains("trailing characters"));
    }
}
