//! Output as a Rust type.
//!
//! `scripts/with-local-model cargo run --features schemars --example structured`, or set `OPENAI_BASE_URL`,
//! `OPENAI_MODEL` and, where the server needs one, `OPENAI_API_KEY`.

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message};
use schemars::JsonSchema;
use serde::Deserialize;

mod frame;

/// A dish and how to make it.
#[derive(Deserialize, JsonSchema)]
struct Recipe {
    title: String,
    course: Course,
    /// How long it takes.
    #[schemars(range(min = 1, max = 240))]
    minutes: u32,
    #[schemars(length(min = 2, max = 4))]
    ingredients: Vec<Ingredient>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum Course {
    Starter,
    Main,
    Dessert,
}

#[derive(Deserialize, JsonSchema)]
struct Ingredient {
    name: String,
    /// Null for a pinch.
    #[schemars(range(min = 1, max = 1000))]
    grams: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = Client::from_env()?;
    let model = frame::model(frame::models::CHAT);
    let request = ChatRequest::new(model, [Message::user("A quick tomato soup, please.")])
        .json_schema::<Recipe>()
        .temperature(0.0)
        .max_tokens(400);

    match client.chat().create(&request).await?.parse::<Recipe>() {
        Ok(recipe) => {
            println!("{} ({:?}, {} minutes)", recipe.title, recipe.course, recipe.minutes);
            for Ingredient { name, grams } in recipe.ingredients {
                println!("- {name}, {}", grams.map_or("a pinch".to_owned(), |grams| format!("{grams} g")));
            }
        }
        Err(error) => {
            // The error contains the completion.
            eprintln!("{error}\n{}", error.completion().map(|response| response.text()).unwrap_or_default());
        }
    }
    Ok(())
}
