//! Runs three questions as a batch: writes them down, uploads them, waits, and prints the answers.
//!
//! `OPENAI_API_KEY=… cargo run --example batch`; `OPENAI_BASE_URL` leads to another server that has batches, and
//! `OPENAI_MODEL` names its model. A batch may take hours. Stopping this program does not stop it:
//! `cargo run --example batch -- --wait batch_abc` goes on with it.

use std::io::Write as _;

use openai_compatible::Client;
use openai_compatible::batches::{Batch, BatchInput};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::from_env()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ended = match args.as_slice() {
        [flag, id] if flag == "--wait" => client.batches().wait(id).on_progress(show).await,
        _ => {
            let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
            client.batches().run(questions(&model)?).on_progress(show).await
        }
    };
    println!();
    let batch = match ended {
        Ok(batch) => batch,
        Err(error) => {
            for fault in error.batch().iter().filter_map(|batch| batch.errors.as_ref()).flat_map(|errors| &errors.data)
            {
                eprintln!("line {}: {}", fault.line.unwrap_or_default(), fault.message);
            }
            return Err(error.into());
        }
    };

    let mut rows = client.batches().results::<ChatCompletion>(&batch);
    while let Some(row) = rows.try_next().await? {
        match row.result {
            Ok(reply) => println!("{}: {}", row.custom_id, reply.text()),
            Err(error) => println!("{}: {error}", row.custom_id),
        }
    }
    Ok(())
}

fn questions(model: &str) -> openai_compatible::Result<BatchInput> {
    let mut input = BatchInput::new();
    for place in ["Egypt", "Vietnam", "Peru"] {
        let question = Message::user(format!("Name the longest river of {place}."));
        input.push(place, &ChatRequest::new(model, [question]))?;
    }
    Ok(input)
}

/// One line that changes in place.
fn show(batch: &Batch) {
    let (done, total) = batch.request_counts.as_ref().map_or((0, 0), |n| (n.completed + n.failed, n.total));
    print!("\r{}: {}, {done} of {total} done\x1b[K", batch.id, batch.status);
    let _ = std::io::stdout().flush();
}
