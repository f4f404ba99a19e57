//! The content of a message: text, or parts.

use std::borrow::Cow;

use super::Part;
use crate::wire::join;

text_or_array! {
    /// The content of a message: text, or a list of parts.
    pub enum Content {
        /// Text, images, audio and files, in order.
        Parts(Part) = |text| Part::text(text)
    }
}

impl Content {
    /// Returns the text; text parts are joined, other parts skipped.
    pub fn text(&self) -> Cow<'_, str> {
        join(self.texts())
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let (text, parts) = match self {
            Content::Text(text) => (Some(text.as_str()), &[][..]),
            Content::Parts(parts) => (None, parts.as_slice()),
        };
        text.into_iter().chain(parts.iter().filter_map(Part::as_text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mismatched elements are read once, however deep they are.
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
