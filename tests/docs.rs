//! The guides: each is found, and every link leads somewhere, in a clone and on docs.rs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(ROOT).join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".md")).collect()
}

/// Name of the module of the documentation, and its page.
fn modules() -> BTreeMap<String, String> {
    let source = read("src/guides.rs");
    let list = source.split("guides! {").nth(1).unwrap().split('}').next().unwrap();
    list.lines()
        .filter_map(|line| line.trim().split_once(" = \""))
        .map(|(name, rest)| (name.to_owned(), rest.split('"').next().unwrap().to_owned()))
        .collect()
}

/// What stands between two marks, wherever it does.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(found, _)| found))
}

#[test]
fn every_page_is_part_of_the_documentation_and_of_the_index() {
    let mut listed: BTreeSet<_> = modules().into_values().collect();
    listed.insert("README.md".to_owned());
    assert_eq!(listed, pages());
    let index = read("docs/README.md");
    for page in pages().iter().filter(|page| *page != "README.md") {
        assert!(index.contains(&format!("][{page}]")), "docs/README.md does not list {page}");
    }
}

#[test]
fn links_between_pages_lead_somewhere_in_a_clone_and_on_docs_rs() {
    let pages = pages();
    for page in &pages {
        let text = read(&format!("docs/{page}"));
        for label in between(&text, "][", ']').filter(|label| label.ends_with(".md")) {
            assert!(pages.contains(label), "{page}: no page {label}");
            assert!(text.contains(&format!("\n[{label}]: {label}\n")), "{page}: `[{label}]` is not defined");
        }
        for target in between(&text, "](", ')') {
            assert!(target.starts_with("https://"), "{page}: {target} works in a clone only: write `[text][page.md]`");
        }
    }
}

#[test]
fn readme_names_files_and_pages_that_exist() {
    let (readme, modules) = (read("README.md"), modules());
    for module in between(&readme, "openai_compatible/guide/", '/').filter(|module| !module.starts_with("index.html")) {
        assert!(modules.contains_key(module), "no guide {module}");
    }
    for path in between(&readme, "`docs/", '`') {
        assert!(Path::new(ROOT).join("docs").join(path).exists(), "docs/{path}");
    }
}

#[test]
fn named_examples_and_programs_exist() {
    let mut checked = 0;
    for page in pages() {
        let text = read(&format!("docs/{page}"));
        for path in between(&text, "`examples/", '`')
            .map(|path| format!("examples/{path}"))
            .chain(between(&text, "`tests/programs/", '`').map(|path| format!("tests/programs/{path}")))
        {
            checked += 1;
            assert!(Path::new(ROOT).join(&path).exists(), "{page}: no {path}");
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn every_example_is_listed() {
    let index = read("examples/README.md");
    for entry in fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let link = if name == "frame" { "frame/mod.rs" } else { &name };
        assert!(
            name == "README.md" || index.contains(&format!("]({link})")),
            "examples/README.md does not list {name}"
        );
    }
}

/// rustdoc drops the aliases of a type that it inlines from a private module: they have to stand at the `pub use`.
#[test]
fn aliases_of_types_are_where_rustdoc_finds_them() {
    let source = Path::new(ROOT).join("src");
    let public = ["resources", "helpers"].map(|folder| source.join(folder));
    let mut folders = vec![source.clone()];
    let mut lost = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            // `resources/files.rs` and `resources/chat/mod.rs` are public modules, as are the helpers.
            let home = if entry.ends_with("mod.rs") { folder.parent().unwrap() } else { &*folder };
            if public.iter().any(|public| *public == home) && !folder.ends_with("items") {
                continue;
            }
            let text = fs::read_to_string(&entry).unwrap();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[doc(alias")) {
                let item = lines[number..].iter().find(|line| !line.starts_with("#[")).unwrap();
                if ["pub struct", "pub enum", "pub trait"].iter().any(|kind| item.starts_with(kind)) {
                    lost.push(format!("{}:{}: {item}", entry.display(), number + 1));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
