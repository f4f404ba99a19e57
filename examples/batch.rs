//! Runs three questions as a batch: uploads them, waits, and prints the results.
//!
//! `OPENAI_API_KEY=… cargo run --example batch`; `OPENAI_BASE_URL` names another server that has batches, and
//! `OPENAI_MODEL` its model. A batch may take hours. Stopping this program does not stop it:
//! `cargo run --example batch -- --wait batch_abc` resumes waiting.

use openai_compatible::Client;
use openai_compatible::batches::{Batch, BatchInput};
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message};

mod frame;

#[tokio::main]
async fn main() -> frame::Result {
    let batches = Client::from_env()?.batches();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let job = match arguments.as_slice() {
        [flag, id] if flag == "--wait" => batches.wait(id),
        _ => {
            let batch = batches.submit(questions()?).await?;
            println!("submitted: {}", batch.id);
            batches.wait(batch.id)
        }
    };
    let progress = frame::Progress::count("batch");
    let show = move |batch: &Batch| {
        let (done, total) = batch.request_counts.as_ref().map_or((0, 0), |n| (n.completed + n.failed, n.total));
        progress.message(batch.status.to_string());
        progress.set(done, total);
    };
    let batch = job.on_progress(show).await.inspect_err(|error| {
        for line in error.batch().and_then(|batch| batch.errors.as_ref()).map_or(&[][..], |errors| &errors.data) {
            eprintln!("line {}: {}", line.line.unwrap_or_default(), line.message);
        }
    })?;

    let mut rows = batches.results::<ChatCompletion>(&batch);
    while let Some(row) = rows.try_next().await? {
        match row.result {
            Ok(response) => println!("{}: {}", row.custom_id, response.text()),
            Err(error) => println!("{}: {error}", row.custom_id),
        }
    }
    Ok(())
}

fn questions() -> openai_compatible::Result<BatchInput> {
    let mut input = BatchInput::new();
    for country in ["Egypt", "Vietnam", "Peru"] {
        let question = Message::user(format!("Name the longest river of {country}."));
        input.push(country, &ChatRequest::new(frame::model(frame::models::CHAT), [question]))?;
    }
    Ok(input)
}
