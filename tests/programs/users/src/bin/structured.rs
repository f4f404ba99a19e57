//! Output as nested types: an enum with data, an optional field, an array.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
struct Trip {
    title: String,
    /// Null if there is no budget.
    budget_in_euros: Option<u32>,
    stops: Vec<Stop>,
}

#[derive(Deserialize, JsonSchema)]
struct Stop {
    city: String,
    nights: u8,
    arrival: Arrival,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Arrival {
    Train { line: String },
    Plane { flight: String },
    OnFoot,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let client = Client::from_env()?;
    let request = ChatRequest::new("gpt-6-luna", [Message::user("Plan a trip along a river.")]).json_schema::<Trip>();
    let trip = client.chat().parse::<Trip>(&request).attempts(2).await?;
    println!("{}, {:?} euros", trip.title, trip.budget_in_euros);
    for stop in &trip.stops {
        let arrival = match &stop.arrival {
            Arrival::Train { line } => format!("by train {line}"),
            Arrival::Plane { flight } => format!("by flight {flight}"),
            Arrival::OnFoot => "on foot".to_owned(),
        };
        println!("- {}, {} nights, {arrival}", stop.city, stop.nights);
    }
    Ok(())
}
