//! The helpers against a real model server: `scripts/with-local-model cargo test --all-features -- --ignored`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openai_compatible::Client;
use openai_compatible::chat::{
    ChatRequest, Message, ResponseFormat, Tool, ToolChoice, ToolEvent, ToolSet, strict_schema,
};
use serde::Deserialize;
use serde_json::json;

fn client() -> Client {
    Client::from_env().expect("run this under scripts/with-local-model")
}

fn ask(question: &str) -> ChatRequest {
    let model = std::env::var("OPENAI_MODEL").expect("run this under scripts/with-local-model");
    ChatRequest::new(model, [Message::user(question)]).max_tokens(60).temperature(0.0)
}

#[derive(Deserialize)]
struct Place {
    city: String,
}

/// A weather station that counts its visitors.
fn station() -> (ToolSet, Arc<AtomicUsize>) {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = Tool::with_schema("weather", "Today's weather in a city", strict_schema(place).unwrap());
    let tools = ToolSet::new().add(tool, move |place: Place| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { format!("4 degrees and rain in {}", place.city) }
    });
    (tools, visits)
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_run_of_tools_goes_to_the_model_and_back() {
    let (tools, visits) = station();
    let request = ask("What is the weather in Oslo?").tool_choice(ToolChoice::function("weather"));
    let run = client().chat().run_tools(&request, &tools).await.unwrap();
    assert!(!run.text().is_empty());
    assert!(visits.load(Ordering::SeqCst) >= 1);
    assert!(run.rounds >= 2);
    let told =
        run.messages.iter().any(|message| matches!(message, Message::Tool(_)) && message.text().contains("rain"));
    assert!(told, "{:?}", run.messages);
    let last = run.completion.usage.unwrap().total_tokens;
    assert!(run.usage.unwrap().total_tokens > last, "the first round counts, too");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_streamed_run_of_tools_shows_its_text() {
    let (tools, visits) = station();
    let request = ask("What is the weather in Oslo?").tool_choice(ToolChoice::function("weather"));
    let mut events = client().chat().run_tools(&request, &tools).stream();
    let (mut text, mut pieces, mut done) = (String::new(), 0, None);
    while let Some(event) = events.try_next().await.unwrap() {
        match event {
            ToolEvent::Chunk(chunk) => {
                pieces += usize::from(!chunk.text().is_empty());
                text += &chunk.text();
            }
            ToolEvent::Done(run) => done = Some(run),
            _ => {}
        }
    }
    assert!(pieces > 3, "it came in {pieces} pieces");
    assert!(text.ends_with(&*done.unwrap().text()));
    assert!(visits.load(Ordering::SeqCst) >= 1);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn an_answer_comes_as_a_type() {
    #[derive(Debug, Deserialize)]
    struct Support {
        answer: String,
        points: u8,
    }
    let schema = json!({"type": "object", "properties": {
        "answer": {"type": "string", "enum": ["yes", "no"]},
        "points": {"type": "integer", "enum": [1, 2]},
    }});
    let format = ResponseFormat::json_schema("support", strict_schema(schema).unwrap());
    let support: Support =
        client().chat().create(ask("Is water wet?").response_format(format)).await.unwrap().parse().unwrap();
    assert!(["yes", "no"].contains(&&*support.answer) && [1, 2].contains(&support.points), "{support:?}");
}

#[cfg(feature = "schemars")]
#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn an_enum_comes_out_of_its_wrapper() {
    #[derive(Debug, Deserialize, schemars::JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Shape {
        Circle {
            #[schemars(range(min = 1, max = 9))]
            radius: u8,
        },
        Square {
            #[schemars(range(min = 1, max = 9))]
            side: u8,
        },
    }
    let shapes: Vec<Shape> = {
        let request = ask("Draw two shapes.").max_tokens(400).json_schema::<[Shape; 2]>();
        client().chat().create(request).await.unwrap().parse().unwrap()
    };
    assert_eq!(shapes.len(), 2);
    for shape in shapes {
        let (Shape::Circle { radius: size } | Shape::Square { side: size }) = shape;
        assert!((1..=9).contains(&size));
    }
}
