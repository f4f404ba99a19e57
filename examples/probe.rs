//! Detects the features that a server supports: `cargo run --example probe -- [--json | --markdown] [MODEL]`.
//!
//! Any server works: set `OPENAI_BASE_URL` and, where it needs one, `OPENAI_API_KEY`. Without a model, that of
//! `OPENAI_MODEL` is used, or the first one that the server lists.

use std::io::{Write, stderr};
use std::time::Duration;

use console::style;
use openai_compatible::Client;
use openai_compatible::probe::{ProbeEvent, Support, probe};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let (options, names): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let model = names.first().cloned().or_else(|| std::env::var("OPENAI_MODEL").ok());
    let client = Client::from_env()?;
    let is_table = options.is_empty();
    if is_table {
        println!("{}", client.base_url());
    }
    let show = |event: ProbeEvent<'_>| match event {
        // Overwritten by the row, so that it shows what takes so long.
        ProbeEvent::Testing(feature) if console::user_attended_stderr() => {
            eprint!("  {feature} …\x1b[K\r");
            stderr().flush().ok();
        }
        ProbeEvent::Found(finding) if is_table => {
            let row = style(finding.to_string());
            let row = match finding.support {
                Support::Supported => row.green(),
                Support::Partial => row.yellow(),
                Support::Unsupported => row.red(),
                _ => row.dim(),
            };
            println!("{row}");
        }
        _ => {}
    };
    let report = probe(&client, model.as_deref(), Duration::from_secs(30), show).await?;
    match options.first().map(String::as_str) {
        Some("--json") => println!("{}", serde_json::to_string_pretty(&report)?),
        Some(_) => print!("{}", report.to_markdown()),
        None => {}
    }
    Ok(())
}
