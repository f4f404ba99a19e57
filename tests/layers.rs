//! A file imports only from its own layer and the layers below; see docs/architecture.md.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first, and the modules of the crate root that belong to each.
const LAYERS: [(&str, &[&str]); 8] = [
    ("wire", &[]),
    ("error", &[]),
    ("transport", &[]),
    ("reply", &[]),
    ("call", &[]),
    ("client", &[]),
    (
        "resources",
        &[
            "audio",
            "batches",
            "chat",
            "completions",
            "conversations",
            "embeddings",
            "files",
            "images",
            "models",
            "responses",
        ],
    ),
    ("helpers", &["probe", "testing", "tokens"]),
];

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(name, modules)| *name == module || modules.contains(&module))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// The modules of a file's path: `transport`, `http` for `src/transport/http.rs`.
fn modules(file: &Path) -> Vec<String> {
    let path = file.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap().with_extension("");
    let mut modules: Vec<_> = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if modules.last().is_some_and(|last| last == "mod") {
        modules.pop();
    }
    modules
}

/// The code of a file without comments and tests.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first module of every path that leaves the file, such as `wire` for `crate::wire::Input`.
fn imports(code: &str, modules: &[String]) -> Vec<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let after = |prefix: &str| -> Vec<String> {
        let found = code.match_indices(prefix).filter(|(at, _)| !code[..*at].ends_with(is_of_name));
        let rests = found.map(|(at, _)| &code[at + prefix.len()..]);
        rests.map(|rest| rest.split(|c| !is_of_name(c)).next().unwrap_or_default().to_owned()).collect()
    };
    let mut imports = after("crate::");
    // In a module of the root, `super` is the root.
    let supers = "super::".repeat(modules.len());
    imports.extend(after(&supers));
    imports
}

#[test]
fn no_file_imports_from_a_layer_above() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut checked = 0;
    let mut faults = Vec::new();
    for file in files(source) {
        let modules = modules(&file);
        let is_layered =
            !matches!(modules[0].as_str(), "lib" | "macros" | "guides") && !file.ends_with("conformance.rs");
        if !is_layered {
            continue;
        }
        let layer = layer_of(&modules[0]).unwrap_or_else(|| panic!("{} belongs to no layer", file.display()));
        for import in imports(&code(&fs::read_to_string(&file).unwrap()), &modules) {
            checked += 1;
            match layer_of(&import) {
                Some(imported) if imported <= layer => {}
                Some(_) => faults.push(format!("{}: `{import}` is a layer above", file.display())),
                None => faults
                    .push(format!("{}: `crate::{import}` names no layer: import it from its module", file.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 200, "only {checked} imports were found");
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let modules = ["call".to_owned()];
    let code =
        code("use crate::wire::{Input};\nfn f() -> crate::error::Result<()> { super::client::g() }\n// crate::chat\n");
    assert_eq!(imports(&code, &modules), ["wire", "error", "client"]);
    assert_eq!(layer_of("chat"), layer_of("resources"));
    assert_eq!(layer_of("nothing"), None);
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    for file in files(source) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines: make it a folder", file.display());
    }
}

/// `Instant + Duration` and its kin panic when a header asks for it: `deadline` and the checked methods do not.
#[test]
fn no_arithmetic_on_times_can_overflow() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let (mut times, mut faults) = (0, Vec::new());
    for file in files(source) {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            // The compiler refuses a constant that overflows.
            if line.contains("const ") {
                continue;
            }
            let names = ["Instant::now()", "SystemTime::now()", ".elapsed()", "UNIX_EPOCH", "Duration::from_secs"];
            for rest in names.iter().filter_map(|name| line.split_once(name)).map(|(_, rest)| rest) {
                times += 1;
                let rest = rest.trim_start_matches(|c: char| c == '(' || c == ')' || c.is_alphanumeric() || c == '_');
                if [" + ", " - ", " += ", " -= ", " * "].iter().any(|operator| rest.starts_with(operator)) {
                    faults.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(times > 12, "only {times} times were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
