//! Examples and documentation name models that a reader can use: none whose end is announced.

use std::fs;
use std::path::{Path, PathBuf};

const LIST: &str = include_str!("fixtures/model_shutdowns.txt");

fn shutdowns() -> Vec<(&'static str, &'static str)> {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').expect("a date and a name")).collect()
}

fn files_below(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
    } else if path.file_name().is_none_or(|name| name != "target") {
        fs::read_dir(path).unwrap().for_each(|entry| files_below(&entry.unwrap().path(), found));
    }
}

/// Whole names: `gpt-5` is not part of `gpt-5.6-luna`, but of `gpt-5-2025-08-07`.
fn names(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    text.match_indices(name).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + name.len()..]);
        let after = after
            .strip_prefix("-20")
            .map_or(after, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-'));
        let continues = after.starts_with(is_part)
            || after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        !before.ends_with(is_part) && !continues
    })
}

#[test]
fn a_name_stands_for_its_snapshots_but_not_for_longer_names() {
    assert!(names("`gpt-5`, gpt-5. The", "gpt-5") && names("openai/gpt-5-2025-08-07", "gpt-5"));
    assert!(!names("gpt-5.6-luna gpt-5-mini my-gpt-5x", "gpt-5"));
}

#[test]
fn the_list_is_sorted_by_date() {
    let dates: Vec<_> = shutdowns().iter().map(|(date, _)| *date).collect();
    assert!(dates.is_sorted() && dates.iter().all(|date| date.len() == 10), "{dates:?}");
}

#[test]
fn no_example_and_no_documentation_names_a_model_that_ends() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for part in ["README.md", "docs", "examples", "src", "tests/programs"] {
        files_below(&root.join(part), &mut files);
    }
    let is_text =
        |file: &&PathBuf| file.extension().is_some_and(|end| ["md", "rs", "html"].iter().any(|text| end == *text));
    let mut found = Vec::new();
    for file in files.iter().filter(is_text) {
        let text = fs::read_to_string(file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for (date, name) in shutdowns().iter().filter(|(_, name)| names(line, name)) {
                let file = file.strip_prefix(root).unwrap().display();
                found.push(format!("{file}:{}: {name} ends on {date}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{} names:\n{}", found.len(), found.join("\n"));
}
