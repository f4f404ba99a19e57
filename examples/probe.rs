//! Tries what a server can do and prints it: `cargo run --example probe -- [--json | --markdown] [MODEL]`.
//!
//! Any server works: set `OPENAI_BASE_URL` and, where it needs one, `OPENAI_API_KEY`. Without a model it takes that of
//! `OPENAI_MODEL`, or the first one that the server lists.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use openai_compatible::Client;
use openai_compatible::probe::{Finding, Support, probe};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let has = |name: &str| options.iter().any(|option| option == name);
    let model = names.first().cloned().or_else(|| std::env::var("OPENAI_MODEL").ok());
    let client = match Client::from_env() {
        Ok(client) => client,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let is_table = !has("--json") && !has("--markdown");
    if is_table {
        println!("{}", client.base_url());
    }
    let show = |finding: &Finding| {
        if is_table {
            println!("{}", coloured(finding));
        } else {
            eprintln!("{}…", finding.feature);
        }
    };
    let found = probe(&client, model.as_deref(), Duration::from_secs(30), show).await;
    if has("--json") {
        println!("{}", serde_json::to_string_pretty(&found).unwrap_or_default());
    } else if has("--markdown") {
        print!("{}", found.to_markdown());
    }
    let is_up = found.findings.iter().any(|finding| finding.support != Support::Unknown);
    if is_up { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn coloured(finding: &Finding) -> String {
    let colour = match finding.support {
        Support::Supported => 32,
        Support::Partial => 33,
        Support::Unsupported => 31,
        _ => 90,
    };
    match std::io::stdout().is_terminal() {
        true => format!("\x1b[{colour}m{finding}\x1b[0m"),
        false => finding.to_string(),
    }
}
