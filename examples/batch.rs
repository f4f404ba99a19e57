//! Runs three questions as a batch: writes them as lines, uploads them, waits, and prints the answers.
//!
//! `OPENAI_API_KEY=… cargo run --example batch [MODEL]`; `OPENAI_BASE_URL` leads to another server. A batch may take
//! hours; its id is printed, and stopping this program does not stop it.

use std::time::Duration;

use openai_compatible::batches::{BatchLine, BatchOutput, BatchRequest};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};
use openai_compatible::{Client, FileSource, files::Purpose};

const ROUTE: &str = "/v1/chat/completions";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::from_env()?;
    let model = std::env::args().nth(1).unwrap_or_else(|| "gpt-4o-mini".to_owned());

    let mut lines = String::new();
    for place in ["Egypt", "Vietnam", "Peru"] {
        let question = Message::user(format!("Name the longest river of {place}."));
        let line = BatchLine::new(place, ROUTE, &ChatRequest::new(&model, [question]))?;
        lines += &serde_json::to_string(&line)?;
        lines += "\n";
    }
    let input = client.files().upload(FileSource::bytes("rivers.jsonl", lines), Purpose::Batch).await?;

    let mut batch = client.batches().create(BatchRequest::new(input.id, ROUTE)).await?;
    while !batch.status.is_terminal() {
        println!("{}: {}", batch.id, batch.status);
        tokio::time::sleep(Duration::from_secs(10)).await;
        batch = client.batches().get(&batch.id).await?;
    }
    println!("{}: {}\n", batch.id, batch.status);

    for fault in batch.errors.iter().flat_map(|errors| &errors.data) {
        println!("line {:?}: {}", fault.line, fault.message);
    }
    for id in [batch.output_file_id, batch.error_file_id].iter().flatten() {
        for line in client.files().content(id).await?.text().await?.lines() {
            let output: BatchOutput = serde_json::from_str(line)?;
            match (output.response, output.error) {
                (Some(response), _) if response.status_code == 200 => {
                    let reply: ChatCompletion = serde_json::from_value(response.body)?;
                    println!("{}: {}", output.custom_id, reply.text());
                }
                (Some(response), _) => println!("{}: refused: {}", output.custom_id, response.body),
                (None, error) => println!("{}: failed: {error:?}", output.custom_id),
            }
        }
    }
    Ok(())
}
