//! The server's own words about an error, out of every shape that servers use for it.

use serde_json::{Map, Value};

use super::Secrets;
use crate::Extra;
use crate::wire::halves;

/// What the server says about an error. Every shape of body gives a message.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ApiError {
    /// Explanation for people. The body's text when it has no message of its own; empty when there is no body.
    pub message: String,
    /// Short name of the error, such as `invalid_api_key`; a number as text on some servers.
    pub code: Option<String>,
    /// Group of the error, such as `invalid_request_error`.
    pub type_: Option<String>,
    /// Field of the request that is at fault.
    pub param: Option<String>,
    /// Other members of the error, such as `metadata` (OpenRouter) and `innererror` (Azure).
    pub extra: Extra,
}

impl ApiError {
    /// Reads a body of any kind: JSON in all known shapes, text, HTML, nothing.
    pub fn from_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
        let text = text.trim();
        match halves::value(text) {
            Ok(value) => ApiError::from_value(&value)
                .unwrap_or_else(|| ApiError { message: text.to_owned(), ..ApiError::default() }),
            Err(_) => ApiError { message: text.to_owned(), ..ApiError::default() },
        }
    }

    /// Reads an error out of JSON; `None` when nothing in it looks like one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(message) => Some(ApiError { message: message.clone(), ..ApiError::default() }),
            // Gemini wraps its error in an array.
            Value::Array(items) => items.iter().find_map(ApiError::from_value),
            Value::Object(members) => ApiError::from_object(members),
            _ => None,
        }
    }

    fn from_object(members: &Map<String, Value>) -> Option<Self> {
        match members.get("error") {
            // `{"error": {…}}`
            Some(error @ (Value::Object(_) | Value::Array(_))) => {
                if let Some(api) = ApiError::from_value(error) {
                    return Some(api);
                }
            }
            // `{"error": "text"}`, with a code (xAI), a type (TGI) or a message beside it
            Some(Value::String(error)) => {
                let mut api = ApiError::flat(members);
                api.message = match text(members.get("message")) {
                    Some(message) if message != *error => format!("{error}: {message}"),
                    _ => error.clone(),
                };
                api.type_ = api.type_.or_else(|| text(members.get("error_type")));
                api.extra.remove("error");
                return Some(api);
            }
            _ => {}
        }
        // `{"message": …}`: flat, as old vLLM, SGLang, Mistral and gateways write it
        if let Some(message) = members.get("message") {
            let mut api = ApiError::flat(members);
            api.message = match message {
                // Mistral wraps FastAPI's list in the message.
                Value::Object(_) => ApiError::from_value(message).map(|inner| inner.message).unwrap_or_default(),
                other => text(Some(other)).unwrap_or_default(),
            };
            return Some(api);
        }
        // `{"detail": "text" | [{"loc", "msg"}] | {…}}`: FastAPI
        if let Some(detail) = members.get("detail").filter(|detail| !detail.is_null()) {
            return Some(from_detail(detail));
        }
        // `{"errors": [{"message": …}]}`: Cloudflare
        if let Some(Value::Array(errors)) = members.get("errors") {
            let mut api = errors.iter().find_map(ApiError::from_value)?;
            // Their codes are those of another API.
            if let Some(code) = api.code.take() {
                api.extra.insert("code", code);
            }
            return Some(api);
        }
        // An error object without a message.
        if ["code", "type"].iter().any(|name| text(members.get(*name)).is_some()) && members.get("choices").is_none() {
            let mut api = ApiError::flat(members);
            api.message = api.code.clone().or_else(|| api.type_.clone()).unwrap_or_default();
            return Some(api);
        }
        None
    }

    fn flat(members: &Map<String, Value>) -> Self {
        ApiError {
            message: String::new(),
            code: text(members.get("code")),
            type_: text(members.get("type")),
            param: text(members.get("param")),
            extra: members
                .iter()
                .filter(|(name, _)| !["message", "code", "type", "param", "object"].contains(&name.as_str()))
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect(),
        }
    }

    pub(crate) fn redact(&mut self, secrets: &Secrets) {
        let texts = [Some(&mut self.message), self.code.as_mut(), self.type_.as_mut(), self.param.as_mut()];
        texts.into_iter().flatten().for_each(|text| secrets.hide_in(text));
        let mut members = Value::Object(std::mem::take(&mut self.extra).into());
        redact(&mut members, secrets);
        if let Value::Object(members) = members {
            self.extra = members.into();
        }
    }
}

fn redact(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => secrets.hide_in(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secrets)),
        Value::Object(members) => members.values_mut().for_each(|member| redact(member, secrets)),
        _ => {}
    }
}

fn from_detail(detail: &Value) -> ApiError {
    let message = match detail {
        // The `input` beside `msg` stays out of the message: it repeats the request.
        Value::Array(items) => items.iter().filter_map(validation_message).collect::<Vec<_>>().join("; "),
        Value::Object(members) => match ApiError::from_object(members) {
            Some(api) => return api,
            None => String::new(),
        },
        other => text(Some(other)).unwrap_or_default(),
    };
    ApiError {
        message,
        param: detail.pointer("/0/loc").and_then(Value::as_array).map(|location| path(location)),
        type_: detail.pointer("/0/type").and_then(|kind| text(Some(kind))),
        ..ApiError::default()
    }
}

fn validation_message(item: &Value) -> Option<String> {
    let message = text(item.get("msg")).or_else(|| text(item.get("message"))).or_else(|| text(Some(item)))?;
    match item.get("loc").and_then(Value::as_array) {
        Some(location) => Some(format!("{}: {message}", path(location))),
        None => Some(message),
    }
}

fn path(location: &[Value]) -> String {
    location.iter().filter_map(|part| text(Some(part))).collect::<Vec<_>>().join(".")
}

/// A scalar as text: some servers write numbers and booleans where others write words.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        ApiError::from_body(body.as_bytes()).message
    }

    #[test]
    fn every_shape_has_a_message() {
        assert_eq!(message(r#"{"error":{"message":"a"}}"#), "a");
        assert_eq!(message(r#"{"error":"a"}"#), "a");
        assert_eq!(message(r#"{"detail":"a"}"#), "a");
        assert_eq!(message(r#"{"detail":[{"loc":["body","n"],"msg":"too large","type":"t"}]}"#), "body.n: too large");
        assert_eq!(message(r#"[{"error":{"message":"a"}}]"#), "a");
        assert_eq!(message(r#"{"message":"a"}"#), "a");
        assert_eq!(message(r#"{"error":{"message":"no \ud83d"}}"#), "no \u{FFFD}");
        assert_eq!(message("<h1>502</h1>"), "<h1>502</h1>");
        assert_eq!(message(""), "");
    }

    #[test]
    fn a_secret_is_taken_out_of_every_text() {
        let mut api = ApiError::from_body(br#"{"error":{"message":"bad key sk-1234","code":"x","seen":["sk-1234"]}}"#);
        api.redact(&Secrets::default().with_key("sk-1234"));
        assert!(!format!("{api:?}").contains("sk-1234"));
    }
}
