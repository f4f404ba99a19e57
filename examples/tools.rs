//! A model that calls Rust functions, shown while it runs.
//!
//! `scripts/with-local-model cargo run --features schemars --example tools`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL`
//! and, where the server needs one, `OPENAI_API_KEY`.

use openai_compatible::chat::{ChatRequest, Json, Message, Permission, ToolChoice, ToolEvent, ToolSet};
use openai_compatible::{Client, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Place {
    /// Name of a city, in English.
    city: String,
}

#[derive(Serialize)]
struct Weather {
    city: String,
    degrees: i32,
    sky: &'static str,
}

async fn weather(place: Place) -> Json<Weather> {
    // A real one asks a weather service here.
    Json(Weather { degrees: place.city.len() as i32, city: place.city, sky: "rain" })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = Client::from_env()?;
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-4o-mini".to_owned());
    let tools = ToolSet::new().function("weather", "Today's weather in a city", weather);
    let request = ChatRequest::new(model, [Message::user("Do I need an umbrella in Oslo?")])
        .tool_choice(ToolChoice::function("weather")) // for the first round; small models need the push
        .include_usage(true)
        .temperature(0.0)
        .max_tokens(100);

    let mut events = client
        .chat()
        .run_tools(&request, &tools)
        .max_rounds(4)
        .on_tool_call(|call| {
            println!("[{} wants {}]", call.name(), call.arguments_text());
            async { Permission::Allow }
        })
        .stream();
    while let Some(event) = events.try_next().await? {
        match event {
            ToolEvent::Chunk(chunk) => print!("{}", chunk.text()),
            ToolEvent::Result(result) => println!("[{} says {}]", result.call.name(), result.text()),
            ToolEvent::Done(run) => {
                println!("\n[{} rounds; {}]", run.rounds, run.usage.unwrap_or_default());
            }
            _ => {}
        }
    }
    Ok(())
}
