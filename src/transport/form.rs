//! `multipart/form-data`: the fields of a request and the files of their sources, built again for each attempt.

use std::fmt::Write as _;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::decode::describe;
use super::file_source::FileSource;
use super::http::RequestBody;
use crate::error::{Error, ErrorKind, Result};
use crate::wire::{Object, ObjectOutput, Overrides};

/// A `multipart/form-data` body.
#[derive(Debug)]
pub struct Form {
    boundary: String,
    parts: Vec<Part>,
}

struct Part {
    header: String,
    content: Content,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.content {
            Content::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Content::File(file) => file.fmt(f),
        }
    }
}

enum Content {
    Text(Bytes),
    File(FileSource),
}

impl Default for Form {
    fn default() -> Self {
        Form::new()
    }
}

impl Form {
    /// Creates an empty form.
    pub fn new() -> Self {
        // Random enough that no file contains it.
        Form {
            boundary: format!("openai-compatible-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
            parts: Vec::new(),
        }
    }

    /// Adds a field.
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.push(name, None, Content::Text(Bytes::from(value.into())));
        self
    }

    /// Adds a file.
    pub fn file(mut self, name: &str, file: FileSource) -> Self {
        self.push(name, Some(escape(file.name())), Content::File(file));
        self
    }

    /// Adds the members of a request except for those in `files`: arrays as `name[]`, objects as `name[member]`, nulls
    /// left out.
    pub(crate) fn fields(
        mut self,
        request: &dyn Object,
        overrides: Overrides<'_>,
        files: &[&'static str],
    ) -> Result<Self> {
        // Null leaves a member out without serializing it: bytes would be encoded as base64 for nothing, and a reader
        // refuses.
        let overrides: Vec<_> =
            files.iter().map(|name| (*name, Value::Null)).chain(overrides.iter().cloned()).collect();
        let value = serde_json::to_value(ObjectOutput { object: request, overrides: &overrides })
            .map_err(|error| Error::new(ErrorKind::Encode, describe(&error, None)).with_source(error))?;
        if let Value::Object(members) = value {
            in_order(&members).for_each(|(name, value)| self.nested(name, value));
        }
        Ok(self)
    }

    fn nested(&mut self, name: &str, value: &Value) {
        let text = match value {
            Value::Null => return,
            Value::Array(items) => return items.iter().for_each(|item| self.nested(&format!("{name}[]"), item)),
            Value::Object(members) => {
                return in_order(members).for_each(|(member, value)| self.nested(&format!("{name}[{member}]"), value));
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.push(name, None, Content::Text(text.into()));
    }

    fn push(&mut self, name: &str, file_name: Option<String>, content: Content) {
        let mut header = format!("--{}\r\nContent-Disposition: form-data; name=\"{}\"", self.boundary, escape(name));
        if let Some(file_name) = file_name {
            // Writing to a String cannot fail.
            let _ = write!(header, "; filename=\"{file_name}\"");
        }
        self.parts.push(Part { header, content });
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        self.parts.iter().all(|part| match &part.content {
            Content::Text(_) => true,
            Content::File(file) => file.is_repeatable(),
        })
    }

    /// Opens all files; returns the body and its content type.
    pub(crate) async fn build(&self) -> Result<(RequestBody, String)> {
        let closing = Bytes::from(format!("--{}--\r\n", self.boundary));
        let mut length = Some(closing.len() as u64);
        let mut pieces = Vec::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            let mut header = part.header.clone();
            let (content_length, content) = match &part.content {
                Content::Text(text) => (Some(text.len() as u64), stream::iter([Ok(text.clone())]).boxed()),
                Content::File(file) => {
                    let file = file.open().await?;
                    header += "\r\nContent-Type: ";
                    header += &file.media_type.replace(['\r', '\n'], " ");
                    (file.length, file.pieces)
                }
            };
            header += "\r\n\r\n";
            let around = header.len() as u64 + 2;
            length = length.zip(content_length).map(|(sum, content)| sum + around + content);
            let header = Bytes::from(header);
            let end = stream::iter([Ok(Bytes::from_static(b"\r\n"))]);
            pieces.push(stream::iter([Ok(header)]).chain(content).chain(end).boxed());
        }
        pieces.push(stream::iter([Ok(closing)]).boxed());
        let body = stream::iter(pieces).flatten().map_err(Into::into).boxed();
        Ok((RequestBody::streamed(length, body), format!("multipart/form-data; boundary={}", self.boundary)))
    }
}

/// Sorted, because the order of a map depends on a feature of serde_json that any crate may enable.
fn in_order(members: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    members.into_iter()
}

/// How browsers escape names in a form (WHATWG); everything else is sent as UTF-8.
fn escape(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
