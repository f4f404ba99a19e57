//! The content of a message: text, or parts.

use std::borrow::Cow;

use serde_json::Value;

use super::Part;
use crate::wire::list::{self, List};
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
            let mut parts = Parts(Vec::new());
            let read = list::read(&mut parts, json)?;
            *self = Content::Parts(parts.0);
            return Ok(read);
        }
        Ok(Read::of(json.text()?, |text| *self = Content::Text(text.into_owned())))
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

/// Parts, among which some servers write plain texts.
struct Parts(Vec<Part>);

impl List for Parts {
    fn clear(&mut self) {
        List::clear(&mut self.0);
    }

    fn grow(&mut self) -> Option<&mut dyn Wire> {
        self.0.grow()
    }

    fn shrink(&mut self) {
        self.0.shrink();
    }

    fn mend(&mut self, odd: &Value) -> bool {
        match (self.0.last_mut(), odd) {
            (Some(part), Value::String(text)) => {
                *part = Part::text(text.as_str());
                true
            }
            _ => false,
        }
    }

    fn entry(&self, index: usize) -> Option<&dyn Wire> {
        self.0.entry(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What does not fit is read once, however deep it lies.
    #[test]
    fn texts_among_parts_are_parts_at_any_depth() {
        let depth = 60;
        let text = r#"["a",{"type":"thinking","thinking":"#.repeat(depth) + r#""b""# + &"}]".repeat(depth);
        let mut content: Content = serde_json::from_str(&text).unwrap();
        for _ in 0..depth {
            let Content::Parts(mut parts) = content else { panic!("{content:?}") };
            assert_eq!((parts.len(), &parts[0]), (2, &Part::text("a")));
            let Some(Part::Thinking(part)) = parts.pop() else { panic!("{parts:?}") };
            content = part.thinking;
        }
        assert_eq!(content, Content::Text("b".to_owned()));
    }
}
