//! Reads `multipart/form-data`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Recorded;

/// A part of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct FormPart {
    /// `content-disposition`
    pub disposition: String,
    /// `content-type`
    pub content_type: Option<String>,
    /// What is in it.
    pub data: Bytes,
}

impl FormPart {
    /// A field that is no file.
    pub fn text(name: &str, value: &str) -> Self {
        let (disposition, data) = (format!("form-data; name=\"{name}\""), Bytes::copy_from_slice(value.as_bytes()));
        Self { disposition, content_type: None, data }
    }

    /// The value of a parameter, such as `name`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.disposition.split_once(&format!("; {name}=\""))?;
        Some(rest.split_once('"')?.0)
    }

    /// The part in the shape of `fixtures/vectors/requests.json`.
    pub fn to_vector(&self) -> Value {
        let mut vector = json!({ "disposition": self.disposition, "data": String::from_utf8_lossy(&self.data) });
        if let Some(content_type) = &self.content_type {
            vector["content-type"] = content_type.as_str().into();
        }
        vector
    }
}

impl Recorded {
    /// The parts of the form that it brought, in their order. Strict: any byte out of place is a panic.
    pub fn form(&self) -> Vec<FormPart> {
        let content_type = self.header("content-type").expect("a content type");
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("a form");
        let (first, between, last) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"), &b"--\r\n"[..]);
        let mut rest = self.body.strip_prefix(first.as_bytes()).expect("the form starts with its boundary");
        let mut parts = Vec::new();
        loop {
            let end = find(rest, between.as_bytes()).expect("a part ends with the boundary");
            parts.push(part(&rest[..end]));
            rest = &rest[end + between.len()..];
            if rest == last {
                return parts;
            }
            rest = rest.strip_prefix(b"\r\n").expect("a line ends behind the boundary");
        }
    }

    /// The parts of the form in the shape of `fixtures/vectors/requests.json`.
    pub fn form_vectors(&self) -> Vec<Value> {
        self.form().iter().map(FormPart::to_vector).collect()
    }

    /// Names and contents of the parts of the form.
    pub fn form_fields(&self) -> Vec<(String, String)> {
        let field = |part: &FormPart| {
            let name = part.parameter("name").expect("a part has a name").to_owned();
            (name, String::from_utf8_lossy(&part.data).into_owned())
        };
        self.form().iter().map(field).collect()
    }
}

/// Pairs of text, to compare with [`Recorded::form_fields`].
pub fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn part(bytes: &[u8]) -> FormPart {
    let end = find(bytes, b"\r\n\r\n").expect("a part has a head");
    let (mut disposition, mut content_type) = (None, None);
    for line in std::str::from_utf8(&bytes[..end]).expect("a head is UTF-8").split("\r\n") {
        let (name, value) = line.split_once(": ").expect("a header has a name and a value");
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" => disposition = Some(value.to_owned()),
            "content-type" => content_type = Some(value.to_owned()),
            _ => panic!("a part has no header {name}"),
        }
    }
    FormPart {
        disposition: disposition.expect("a disposition"),
        content_type,
        data: Bytes::copy_from_slice(&bytes[end + 4..]),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}
