//! The content of a message: text, or parts.

use std::borrow::Cow;

use serde_json::Value;

use super::Part;
use crate::wire::{Json, NotJson, Read, Wire, Writer};

/// What a message says: text, or a list of parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Text, images, audio and files in their order.
    Parts(Vec<Part>),
}

impl Content {
    /// Its text; parts of text are joined, other parts left out.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Content::Text(text) => Cow::Borrowed(text),
            Content::Parts(parts) => {
                let mut texts = parts.iter().filter_map(|part| match part {
                    Part::Text(part) => Some(part.text.as_str()),
                    _ => None,
                });
                match (texts.next(), texts.next()) {
                    (None, _) => Cow::Borrowed(""),
                    (Some(only), None) => Cow::Borrowed(only),
                    (Some(first), Some(second)) => {
                        Cow::Owned([first, second].into_iter().chain(texts).collect::<Vec<_>>().concat())
                    }
                }
            }
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::Text(text)
    }
}

impl From<&String> for Content {
    fn from(text: &String) -> Self {
        Content::Text(text.clone())
    }
}

impl From<Cow<'_, str>> for Content {
    fn from(text: Cow<'_, str>) -> Self {
        Content::Text(text.into_owned())
    }
}

impl From<Vec<Part>> for Content {
    fn from(parts: Vec<Part>) -> Self {
        Content::Parts(parts)
    }
}

impl<const N: usize> From<[Part; N]> for Content {
    fn from(parts: [Part; N]) -> Self {
        Content::Parts(parts.into())
    }
}

serde_of_wire! { Content }

impl Wire for Content {
    fn read(&mut self, json: &mut Json<'_>) -> Result<Read, NotJson> {
        if json.peek()? == b'[' {
            let mut parts = Vec::blank();
            let read = parts.read(json)?;
            if let Read::Part(Value::Array(whole)) = &read {
                parts = whole.iter().filter_map(text_or_part).collect();
            }
            *self = Content::Parts(parts);
            return Ok(read);
        }
        Ok(match json.text()? {
            Ok(text) => {
                *self = Content::Text(text.into_owned());
                Read::Fits
            }
            Err(odd) => Read::Odd(odd),
        })
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Content::Text(text) => writer.text(text),
            Content::Parts(parts) => parts.write(writer),
        }
    }

    fn blank() -> Self {
        Content::Text(String::new())
    }

    #[cfg(test)]
    fn sample() -> Value {
        Value::from("text")
    }
}

/// Some servers write plain texts among the parts.
fn text_or_part(value: &Value) -> Option<Part> {
    match value {
        Value::String(text) => Some(Part::text(text.as_str())),
        other => crate::wire::of_value(other),
    }
}
