//! The path of a position in JSON text, for errors.

use serde::de::DeserializeSeed as _;

use super::Input;
use super::input::{MemberSink, Next, Result, Take};

/// Returns the path of a position, such as `choices[0].message`; empty at the root. Line and column count from 1.
///
/// The text is read up to the position only, so that reading fails there, and the reader knows where it stands.
pub(crate) fn path_at(text: &str, line: usize, column: usize) -> String {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let end = (before..=text.len().min(before + column)).rev().find(|end| text.is_char_boundary(*end));
    let mut source = serde_json::Deserializer::from_str(end.and_then(|end| text.get(..end)).unwrap_or_default());
    let mut steps = Vec::new();
    let mut take = |input: Input<'_>| walk(input, &mut steps, 0);
    let Err(error) = Next::<Take<'_>>(&mut take).deserialize(&mut source) else {
        return String::new();
    };
    if let (Some(Step::Element { index, is_read: true }), true) = (steps.last_mut(), error.is_syntax()) {
        // What is wrong is the start of the next element.
        *index += 1;
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Member(name) if path.is_empty() => path.push_str(name),
            Step::Member(name) => path.extend([".", name]),
            Step::Element { index, .. } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

enum Step {
    Member(String),
    Element { index: usize, is_read: bool },
}

/// Longer names are cut: a path is for people.
const MAX_NAME: usize = 64;

/// Reads a value to its end; the steps lead to what was read last.
fn walk(input: Input<'_>, steps: &mut Vec<Step>, depth: usize) -> Result<()> {
    match input {
        Input::Array(array) => {
            steps.push(Step::Element { index: 0, is_read: false });
            let mut elements = 0;
            array.for_each(&mut |input| {
                steps.truncate(depth);
                steps.push(Step::Element { index: elements, is_read: false });
                walk(input, steps, depth + 1)?;
                steps.truncate(depth);
                steps.push(Step::Element { index: elements, is_read: true });
                elements += 1;
                Ok(())
            })
        }
        Input::Object(object) => object.for_each(&mut Members { steps, depth }).map(drop),
        _ => Ok(()),
    }
}

struct Members<'a> {
    steps: &'a mut Vec<Step>,
    depth: usize,
}

impl MemberSink for Members<'_> {
    fn name(&mut self, name: &str) {
        self.steps.truncate(self.depth);
        self.steps.push(Step::Member(name.chars().take(MAX_NAME).collect()));
    }

    fn value(&mut self, input: Input<'_>) -> Result<()> {
        walk(input, self.steps, self.depth + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::path_at;

    fn path(text: &str) -> String {
        path_at(text, text.lines().count(), text.lines().last().map_or(0, str::len))
    }

    #[test]
    fn a_path_leads_through_lines_arrays_and_names_of_any_kind() {
        assert_eq!(path(r#"{"a":[{"b":[1,{"c":2},["#), "a[0].b[2][0]");
        assert_eq!(path("{\n\"a\": {\n\"b\": 1,\n\"c\": 2"), "a.c");
        assert_eq!(path(r#"{"items":{"#), "items");
        assert_eq!(path(r#"{"a\"b":{"c":1"#), "a\"b.c");
        assert_eq!(path(r#"{"a":"{[,:","b":1"#), "b");
        assert_eq!(path(r#"{"a":[1,2"#), "a[1]");
        assert_eq!(path(&format!("{{\"{}\":1", "n".repeat(70))), "n".repeat(64));
    }

    #[test]
    fn a_syntax_error_has_the_path_of_the_value_that_it_starts() {
        assert_eq!(path(r#"{"a":{"b":x"#), "a.b");
        assert_eq!(path("[1,x"), "[1]");
        assert_eq!(path("[x"), "[0]");
        assert_eq!(path("{} x"), "");
        assert_eq!(path(""), "");
    }

    #[test]
    fn a_position_inside_of_a_character_or_past_the_end_is_none() {
        let text = r#"{"a":"é"}"#;
        for column in 0..20 {
            let path = path_at(text, 1, column);
            assert!(path.is_empty() || path == "a", "{column}: {path}");
        }
        assert_eq!(path_at(text, 9, 9), "");
    }
}
