//! [`ApiError`], read from every format that servers use.

use serde_json::{Map, Value};

use super::Secrets;
use crate::wire::{Extra, parse};

/// The error reported by the server. All known error body formats are supported.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ApiError {
    /// The error message. The text of the body if it has no message of its own; empty if there is no body.
    pub message: String,
    /// The error code, such as `invalid_api_key`. Numeric codes become strings.
    pub code: Option<String>,
    /// The error type, such as `invalid_request_error`.
    pub type_: Option<String>,
    /// The request field that caused the error.
    pub param: Option<String>,
    /// Further fields of the error, such as `metadata` (OpenRouter) and `innererror` (Azure).
    pub extra: Extra,
}

/// Where servers put the message of a failure, best first.
const MESSAGES: [&str; 10] = [
    "message",
    "msg",
    "error_msg",
    "error_message",
    "errorMessage",
    "error_description",
    "status_msg",
    "detail",
    "reason",
    "title",
];
/// Where they put its code.
const CODES: [&str; 4] = ["code", "error_code", "errorCode", "status_code"];
/// Messages that report no failure.
const SUCCESSES: [&str; 4] = ["ok", "success", "succeeded", "successful"];

impl ApiError {
    /// Reads a body of any kind: JSON in all known formats, text, HTML, or nothing.
    pub fn from_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
        let text = text.trim();
        let api = parse(text).ok().and_then(|value| ApiError::from_value(&value));
        api.unwrap_or_else(|| ApiError { message: text.to_owned(), ..Self::default() })
    }

    /// Reads an error from JSON; `None` if nothing looks like one.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(message) => Some(ApiError { message: message.clone(), ..ApiError::default() }),
            // Gemini wraps its error in an array; others list several.
            Value::Array(items) => {
                let mut first = items.iter().find_map(ApiError::from_value)?;
                if items.len() > 1 {
                    first.extra.insert("errors", value.clone());
                }
                Some(first)
            }
            Value::Object(members) => ApiError::from_object(members),
            _ => None,
        }
    }

    fn from_object(members: &Map<String, Value>) -> Option<Self> {
        let nested = match members.get("error") {
            // `{"error": "text"}`, with a code (xAI), a type (TGI) or a message next to it; OAuth's text is a code.
            Some(Value::String(error)) if !error.is_empty() => {
                let mut api = ApiError::flat(members);
                api.message = match message_of(members) {
                    Some(message) if message != *error => format!("{error}: {message}"),
                    _ => error.clone(),
                };
                if members.contains_key("error_description") {
                    api.code.get_or_insert_with(|| error.clone());
                }
                api.type_ = api.type_.or_else(|| text(members.get("error_type")));
                api.extra.remove("error");
                return Some(api);
            }
            // `{"error": {…}}`
            Some(error @ (Value::Object(_) | Value::Array(_))) => ApiError::from_value(error).map(|api| ("error", api)),
            _ => None,
        };
        // `{"errors": [{"message": …}]}`: Cloudflare, whose codes are those of another API.
        let nested = nested.or_else(|| {
            let errors = members.get("errors").filter(|errors| errors.is_array())?;
            let mut api = ApiError::from_value(errors)?;
            if let Some(code) = api.code.take() {
                api.extra.insert("code", code);
            }
            Some(("errors", api))
        });
        // `{"base_resp": {"status_code": 1008, "status_msg": …}}`: MiniMax
        let nested = nested.or_else(|| Some(("base_resp", ApiError::from_value(members.get("base_resp")?)?)));
        if let Some((name, mut api)) = nested {
            // What stands beside it belongs to it, such as a request id.
            for (name, value) in members.iter().filter(|(other, _)| *other != name) {
                if !api.extra.contains_key(name) {
                    api.extra.insert(name.as_str(), value.clone());
                }
            }
            return Some(api);
        }
        // `{"detail": [{"loc", "msg"}] | {…}}`: FastAPI
        if let Some(detail @ (Value::Array(_) | Value::Object(_))) = members.get("detail") {
            if !members.contains_key("message") {
                return Some(from_detail(detail, members));
            }
        }
        // Flat, as old vLLM, SGLang, Mistral, Qianfan and gateways write it.
        let mut api = ApiError::flat(members);
        if let Some(message) = message_of(members) {
            api.message = message;
            return Some(api);
        }
        // An error object without a message.
        if (api.code.is_some() || api.type_.is_some()) && !members.contains_key("choices") {
            api.message = api.code.clone().or_else(|| api.type_.clone()).unwrap_or_default();
            return Some(api);
        }
        None
    }

    fn flat(members: &Map<String, Value>) -> Self {
        // A scalar is all there is to its member; of a list or an object, only the message was read.
        let is_read = |name: &str, value: &Value| match name {
            "object" => value == "error",
            "type" | "param" => text(Some(value)).is_some(),
            _ => {
                text(Some(value)).is_some() && (Some(name) == message_name(members) || Some(name) == code_name(members))
            }
        };
        let param = members.get("param");
        // LiteLLM writes Python's `None` as text.
        let known = |value: Option<&Value>| text(value).filter(|text| text != "None");
        ApiError {
            message: String::new(),
            code: code_name(members).and_then(|name| known(members.get(name))),
            type_: known(members.get("type")),
            param: known(param)
                .or_else(|| param.and_then(Value::as_array).map(|parts| path(parts)).filter(|path| !path.is_empty())),
            extra: members
                .iter()
                .filter(|(name, value)| !is_read(name, value) && !value.is_null())
                .map(|(name, value)| (name.as_str(), value.clone()))
                .collect(),
        }
    }

    pub(crate) fn redact(&mut self, secrets: &Secrets) {
        let texts = [Some(&mut self.message), self.code.as_mut(), self.type_.as_mut(), self.param.as_mut()];
        texts.into_iter().flatten().for_each(|text| secrets.redact_in_place(text));
        let mut members = Value::Object(std::mem::take(&mut self.extra).into());
        redact(&mut members, secrets);
        if let Value::Object(members) = members {
            self.extra = members.into();
        }
    }
}

fn redact(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) => secrets.redact_in_place(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secrets)),
        Value::Object(members) if members.keys().any(|name| secrets.occurs_in(name)) => {
            let named = std::mem::take(members).into_iter();
            members.extend(named.map(|(name, value)| (secrets.redact(&name).into_owned(), value)));
            redact(value, secrets);
        }
        Value::Object(members) => members.values_mut().for_each(|member| redact(member, secrets)),
        _ => {}
    }
}

/// True for an `error` member that reports one: not for `null`, `false`, `0`, `""`, `[]` and `{}`.
pub(crate) fn is_error(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_error),
        Value::Object(members) => members.values().any(is_error),
    }
}

/// True if members beside a response report its failure, in any of the formats of [`ApiError::from_value`].
pub(crate) fn is_failure<'a>(get: &dyn Fn(&str) -> Option<&'a Value>) -> bool {
    let is_nonzero = |code: &Value| !matches!(text(Some(code)).as_deref(), None | Some("0" | "200"));
    if ["error", "errors", "error_msg", "error_message", "errorMessage", "error_description"]
        .iter()
        .any(|name| get(name).is_some_and(is_error))
    {
        return true;
    }
    if let Some(Value::Object(status)) = get("base_resp") {
        return status.get("status_code").is_some_and(is_nonzero);
    }
    let code = CODES.iter().find_map(|name| get(name)).filter(|code| text(Some(code)).is_some());
    let is_success = |message: &String| SUCCESSES.iter().any(|success| message.trim().eq_ignore_ascii_case(success));
    match MESSAGES.iter().find_map(|name| message(get(name)?)) {
        Some(message) => code.is_none_or(is_nonzero) && !is_success(&message),
        None => get("error_code").is_some_and(is_nonzero),
    }
}

/// The member that holds the message.
fn message_name(members: &Map<String, Value>) -> Option<&'static str> {
    MESSAGES.into_iter().find(|name| members.get(*name).is_some_and(|value| message(value).is_some()))
}

fn code_name(members: &Map<String, Value>) -> Option<&'static str> {
    CODES.into_iter().find(|name| text(members.get(*name)).is_some())
}

fn message_of(members: &Map<String, Value>) -> Option<String> {
    message(members.get(message_name(members)?)?)
}

/// The message in a value: its text, or those of its elements or members.
fn message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()).cloned(),
        Value::Array(items) => {
            // The `input` next to `msg` stays out of the message, because it echoes the request.
            let messages: Vec<_> = items.iter().filter_map(validation_message).collect();
            Some(messages.join("; ")).filter(|text| !text.is_empty())
        }
        // Mistral wraps FastAPI's list in the message.
        Value::Object(members) => {
            ApiError::from_object(members).map(|inner| inner.message).filter(|text| !text.is_empty())
        }
        other => text(Some(other)).filter(|_| !other.is_boolean()),
    }
}

fn from_detail(detail: &Value, members: &Map<String, Value>) -> ApiError {
    let api = match detail {
        Value::Object(inner) => ApiError::from_object(inner),
        _ => None,
    };
    let mut api = api.unwrap_or_else(|| ApiError {
        message: message(detail).unwrap_or_default(),
        param: detail.pointer("/0/loc").and_then(Value::as_array).map(|location| path(location)),
        type_: detail.pointer("/0/type").and_then(|kind| text(Some(kind))),
        ..ApiError::default()
    });
    for (name, value) in members {
        if !api.extra.contains_key(name) {
            api.extra.insert(name.as_str(), value.clone());
        }
    }
    api
}

fn validation_message(item: &Value) -> Option<String> {
    let message = message(item)?;
    match item.get("loc").and_then(Value::as_array) {
        Some(location) => Some(format!("{}: {message}", path(location))),
        None => Some(message),
    }
}

/// What a web page says about itself: its title, or its first heading.
pub(crate) fn html_title(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('<') {
        return None;
    }
    // Of the same length, so that positions are those of the text.
    let lower = text.to_ascii_lowercase();
    let element = |name: &str| {
        let open = lower.find(&format!("<{name}"))?;
        let start = open + lower.get(open..)?.find('>')? + 1;
        let end = start + lower.get(start..)?.find("</")?;
        let words = text.get(start..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
        (!words.is_empty()).then(|| format!("HTML page: {words}"))
    };
    ["title", "h1"].into_iter().find_map(element)
}

fn path(location: &[Value]) -> String {
    location.iter().filter_map(|part| text(Some(part))).collect::<Vec<_>>().join(".")
}

/// A scalar as a string: some servers send numbers and booleans.
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
    fn every_shape_keeps_all_that_was_sent() {
        for (body, words) in [
            (r#"{"error":{"message":["too long","at most 8"],"type":"t"}}"#, "too long; at most 8"),
            (r#"{"error":{"message":{"text":"x","reason":"deep"},"type":"t"}}"#, "deep"),
            (r#"{"error":{"message":null,"type":"overloaded"}}"#, "overloaded"),
            (r#"{"error":{"message":"","type":"overloaded"}}"#, "overloaded"),
            (r#"{"error":"invalid_client","error_description":"it expired"}"#, "invalid_client: it expired"),
            (r#"{"detail":{"reason":"too large"}}"#, "too large"),
            (r#"{"detail":{"error":{"message":"a"}}}"#, "a"),
            (r#"{"error_code":17,"error_msg":"daily limit"}"#, "daily limit"),
            (r#"{"code":1113,"msg":"used up","success":false}"#, "used up"),
            (r#"{"base_resp":{"status_code":1008,"status_msg":"no balance"}}"#, "no balance"),
            (r#"{"errors":[{"message":"a"},{"message":"b"}]}"#, "a"),
            (r#"{"error":{"code":"c"},"message":"beside"}"#, "c"),
            (r#"{"error":{},"message":"beside"}"#, "beside"),
            (r#"{"error":true,"message":"beside"}"#, "beside"),
        ] {
            let api = ApiError::from_body(body.as_bytes());
            assert_eq!(api.message, words, "{body}");
            let kept = format!("{api:?}");
            let sent: Value = serde_json::from_str(body).unwrap();
            let mut pending = vec![&sent];
            while let Some(value) = pending.pop() {
                match value {
                    Value::Object(members) => pending.extend(members.values()),
                    Value::Array(items) => pending.extend(items),
                    Value::String(text) => assert!(kept.contains(text.as_str()), "{body}: {text}"),
                    Value::Number(number) => assert!(kept.contains(&number.to_string()), "{body}: {number}"),
                    _ => {}
                }
            }
        }
        let absent = ApiError::from_body(br#"{"error":{"message":"a","type":"None","param":"None","code":"None"}}"#);
        assert_eq!((absent.code, absent.type_, absent.param), (None, None, None));
        let param = |body: &str| ApiError::from_body(body.as_bytes()).param;
        assert_eq!(param(r#"{"error":{"message":"a","param":["messages",0]}}"#).as_deref(), Some("messages.0"));
    }

    #[test]
    fn a_web_page_is_named_by_its_title() {
        for (page, title) in [
            ("<html><head><TITLE>\n502 Bad  gateway </title><style>b{}</style>", Some("HTML page: 502 Bad gateway")),
            ("<!doctype html><h1 class=x>502</h1>", Some("HTML page: 502")),
            ("<p>no", None),
            ("no <title>x</title>", None),
        ] {
            assert_eq!(html_title(page).as_deref(), title, "{page}");
        }
    }

    #[test]
    fn success_reported_in_words_is_not_a_failure() {
        let failed = |json: &str| {
            let value: Value = serde_json::from_str(json).unwrap();
            is_failure(&|name| value.get(name))
        };
        for json in [
            "{}",
            r#"{"code":0,"msg":"whatever"}"#,
            r#"{"code":200,"message":"OK"}"#,
            r#"{"message":"success"}"#,
            r#"{"base_resp":{"status_code":0,"status_msg":"x"}}"#,
            r#"{"error":{"code":null,"message":""}}"#,
            r#"{"error":[]}"#,
            r#"{"message":"","detail":null}"#,
        ] {
            assert!(!failed(json), "{json}");
        }
        for json in [
            r#"{"error":{"code":5}}"#,
            r#"{"error_code":17}"#,
            r#"{"code":1113,"msg":"used up"}"#,
            r#"{"base_resp":{"status_code":1002,"status_msg":"slow"}}"#,
            r#"{"detail":["no"]}"#,
        ] {
            assert!(failed(json), "{json}");
        }
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
