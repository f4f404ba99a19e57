//! A model that calls Rust functions, with its progress.
//!
//! `scripts/with-local-model cargo run --features schemars --example tools`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL`
//! and, where the server needs one, `OPENAI_API_KEY`.

use console::style;
use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Json, Message, Permission, ToolChoice, ToolEvent, ToolSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod frame;

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
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
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
            println!("{}", style(format!("{}({})", call.name(), call.arguments_text())).dim());
            async { Permission::Allow }
        })
        .stream();
    while let Some(event) = events.try_next().await? {
        match event {
            ToolEvent::Chunk(chunk) => print!("{}", chunk.text()),
            ToolEvent::Result(result) => println!("{}", style(format!("= {}", result.text())).dim()),
            ToolEvent::Done(run) => {
                let summary = format!("{} rounds; {}", run.rounds, run.usage.unwrap_or_default());
                println!("\n\n{}", style(summary).dim());
            }
            _ => {}
        }
    }
    Ok(())
}
