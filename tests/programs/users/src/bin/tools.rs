//! Three tools, one of which fails, while the run is streamed.

use anyhow::Context;
use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, ToolEvent, ToolSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct City {
    /// Name of the city, in English.
    city: String,
}

#[derive(Serialize)]
struct Weather {
    degrees: i32,
    sky: String,
}

async fn weather(place: City) -> anyhow::Result<Weather> {
    Ok(Weather { degrees: 4, sky: format!("rain in {}", place.city) })
}

async fn population(place: City) -> anyhow::Result<u64> {
    Err(anyhow::anyhow!("no route to host")).context(format!("the database of {} is away", place.city))
}

async fn time(_: ()) -> &'static str {
    "noon"
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tools = ToolSet::new()
        .function("weather", "Today's weather in a city", weather)
        .function("population", "How many people live in a city", population)
        .function("time", "The time of day", time);
    let request = ChatRequest::new("gpt-6-luna", [Message::user("The weather, people and time in Oslo?")]);

    let client = Client::from_env()?;
    let mut events = client.chat().run_tools(&request, &tools).max_rounds(5).stream();
    while let Some(event) = events.try_next().await? {
        match event {
            ToolEvent::Chunk(chunk) => print!("{}", chunk.text()),
            ToolEvent::Result(result) => {
                println!("[{}: {}]", result.call.name(), result.text());
                // The model receives the message only; the log gets the causes, too.
                if let Some(error) = result.error {
                    eprintln!("{:#}", anyhow::Error::new(error));
                }
            }
            ToolEvent::Done(run) => println!("\n[{} rounds, {}]", run.rounds, run.usage.unwrap_or_default()),
            _ => {}
        }
    }
    Ok(())
}
