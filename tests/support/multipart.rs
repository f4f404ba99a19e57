//! Reads `multipart/form-data` bodies as a server would.

#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]

use serde_json::{Value, json};

use crate::support::Recorded;

/// The parts of a form, in the shape of `tests/fixtures/vectors/requests.json`.
pub fn parts(request: &Recorded) -> Vec<Value> {
    let content_type = request.header("content-type").expect("the request has a content type");
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("the body is a form");
    let body = String::from_utf8_lossy(&request.body);
    let body = body.strip_suffix(&format!("\r\n--{boundary}--\r\n")).expect("the form is closed");
    let body = format!("\r\n{body}");
    let delimiter = format!("\r\n--{boundary}\r\n");
    let parts = body.split(&delimiter).skip(1).map(|part| {
        let (head, data) = part.split_once("\r\n\r\n").expect("a part has headers and content");
        let mut read = json!({ "data": data });
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(": ").expect("a header has a name and a value");
            let name = name.to_ascii_lowercase();
            read[name.strip_prefix("content-").filter(|name| *name == "disposition").unwrap_or(&name)] = value.into();
        }
        read
    });
    parts.collect()
}

/// Names and contents of the parts of a form.
pub fn fields(request: &Recorded) -> Vec<(String, String)> {
    let name = |disposition: &str| {
        let start = disposition.split_once("name=\"").expect("a part has a name").1;
        start.split_once('"').expect("the name is quoted").0.to_owned()
    };
    let text = |value: &Value| value.as_str().expect("parts are text").to_owned();
    parts(request).iter().map(|part| (name(&text(&part["disposition"])), text(&part["data"]))).collect()
}

/// Pairs of text, to compare with [`fields`].
pub fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
