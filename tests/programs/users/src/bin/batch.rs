//! A batch of 200 requests, which a restart of the program does not lose.

use std::fs;

use openai_compatible::Client;
use openai_compatible::batches::BatchInput;
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let batches = Client::from_env()?.batches();
    let id = match fs::read_to_string("batch-id") {
        Ok(id) => id,
        Err(_) => {
            let mut input = BatchInput::new();
            for n in 0..200 {
                let question = Message::user(format!("Is {n} a prime number?"));
                input.push(n.to_string(), &ChatRequest::new("gpt-6-luna", [question]))?;
            }
            let batch = batches.submit(input).await?;
            fs::write("batch-id", &batch.id)?;
            batch.id
        }
    };
    let ended = batches.wait(id).on_progress(|batch| eprintln!("{}", batch.status)).await;
    if ended.as_ref().is_err_and(|error| error.batch().is_some_and(|batch| batch.status.is_terminal())) {
        fs::remove_file("batch-id")?; // it failed, and would fail again
    }
    let batch = ended?;

    let mut rows = batches.results::<ChatCompletion>(&batch);
    while let Some(row) = rows.try_next().await? {
        match row.result {
            Ok(completion) => println!("{}: {}", row.custom_id, completion.text()),
            Err(error) => eprintln!("{}: {error}", row.custom_id),
        }
    }
    fs::remove_file("batch-id")?;
    Ok(())
}
