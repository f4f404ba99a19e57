//! Output as a Rust type, requested again with the reason if it does not match.
//!
//! `scripts/with-local-model cargo run --example again`, or set `OPENAI_BASE_URL`, `OPENAI_MODEL` and, where the server
//! needs one, `OPENAI_API_KEY`.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, ResponseFormat};
use serde::Deserialize;
use serde_json::json;

mod frame;

#[derive(Debug, Deserialize)]
struct Trip {
    city: String,
    days: Days,
}

/// What a schema cannot say: deserialization checks it, and the model is told.
#[derive(Debug, Deserialize)]
#[serde(try_from = "u32")]
struct Days(u32);

impl TryFrom<u32> for Days {
    type Error = String;

    fn try_from(days: u32) -> std::result::Result<Self, String> {
        if (1..=14).contains(&days) { Ok(Days(days)) } else { Err(format!("{days} days are not between 1 and 14")) }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let schema = json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}, "days": {"type": "integer", "minimum": 0, "maximum": 99}},
        "required": ["city", "days"], "additionalProperties": false});
    let request = ChatRequest::new(model, [Message::user("Plan a trip to a city on a river.")])
        .response_format(ResponseFormat::json_schema("trip", schema))
        .max_tokens(100);

    match client.chat().parse::<Trip>(&request).attempts(3).await {
        Ok(trip) => {
            println!("{} days in {}, at attempt {}", trip.days.0, trip.city, trip.attempts);
            println!("{}", trip.usage.as_ref().map(ToString::to_string).unwrap_or_default());
        }
        // The last answer is part of the error.
        Err(error) => println!("{error}\n{}", error.completion().map(|response| response.text()).unwrap_or_default()),
    }
    Ok(())
}
