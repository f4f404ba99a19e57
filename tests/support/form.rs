//! Reads `multipart/form-data`.

use bytes::Bytes;

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
}

fn part(bytes: &[u8]) -> FormPart {
    let end = find(bytes, b"\r\n\r\n").expect("a part has a head");
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is UTF-8");
    let value = |wanted: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
    };
    FormPart {
        disposition: value("content-disposition").expect("a disposition"),
        content_type: value("content-type"),
        data: Bytes::copy_from_slice(&bytes[end + 4..]),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}
