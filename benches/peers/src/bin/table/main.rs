//! Runs the rows and writes the table: `table BINARIES CLIENT... [--rows KEY,KEY]`. The first client is the floor, with which
//! the others are compared.
//!
//! `--ratios FILE` writes no table, but the second client's figures as multiples of the first's, as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use bench::{Bench, Measured};
use rows::{Compare, ROWS, Row};

mod bench;
mod rows;

fn main() {
    let mut clients = Vec::new();
    let mut only: Option<Vec<String>> = None;
    let mut ratios: Option<String> = None;
    let mut arguments = std::env::args().skip(1);
    let binaries = arguments.next().expect("usage: table BINARIES CLIENT... [--rows KEY,KEY]");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--ratios" => ratios = arguments.next(),
            "--rows" => only = arguments.next().map(|keys| keys.split(',').map(str::to_owned).collect()),
            _ => clients.push(argument),
        }
    }
    let is_chosen = |row: &&Row| only.as_ref().is_none_or(|keys| keys.iter().any(|key| key == row.key));
    let rows: Vec<&Row> = ROWS.iter().filter(is_chosen).collect();
    let bench = Bench::new(Path::new(&binaries));
    match ratios {
        Some(file) => write_ratios(&bench, &rows, &clients, &file),
        None => write_table(&bench, &rows, &clients),
    }
}

fn write_ratios(bench: &Bench, rows: &[&Row], clients: &[String], file: &str) {
    let ratio = |row: &&Row| -> Measured<(String, serde_json::Value)> {
        let [floor, ours] = [0, 1].map(|n: usize| (row.measure)(bench, &clients[n]));
        let (floor, ours) = (floor?.value, ours?.value);
        let ratio = (ours / floor * 1e4).round() / 1e4;
        let figures = serde_json::json!({ "ratio": ratio, "floor": floor.round(), "ours": ours.round() });
        Ok((row.key.to_owned(), figures))
    };
    let figures: serde_json::Map<_, _> = rows.iter().map(ratio).collect::<Measured<_>>().expect("figures");
    std::fs::write(file, serde_json::to_string_pretty(&figures).expect("JSON") + "\n").expect("the file is written");
}

fn write_table(bench: &Bench, rows: &[&Row], clients: &[String]) {
    println!("| work | {} | target |", clients.join(" | "));
    println!("|---|{}---|", "---|".repeat(clients.len()));
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let mut floor = None;
        let mut cells = Vec::new();
        for client in clients {
            eprintln!("{} {client}", row.key);
            cells.push(match (row.measure)(bench, client) {
                Err(reason) => {
                    reasons.entry(reason).or_default().push(format!("{client} {}", row.key));
                    "–".to_owned()
                }
                Ok(cell) => {
                    let base = *floor.get_or_insert(cell.value);
                    match row.compare {
                        Compare::Ratio if cell.value.is_nan() => cell.text,
                        Compare::Ratio => format!("{:.2} ({})", cell.value / base, cell.text),
                        Compare::MoreKilobytes => format!("{:+.1} KB ({})", cell.value - base, cell.text),
                        Compare::Alone => cell.text,
                    }
                }
            });
        }
        println!("| {} | {} | {} |", row.title, cells.join(" | "), row.target);
    }
    if !reasons.is_empty() {
        println!();
        for (reason, who) in reasons {
            println!("- {}: {}", who.join(", "), reason.chars().take(160).collect::<String>());
        }
    }
}
