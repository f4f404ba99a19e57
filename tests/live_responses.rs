//! The Responses API of a real model server that stores nothing: `scripts/with-local-model cargo test --test live_responses --
//! --ignored`.

use openai_compatible::chat::{JsonSchema, Tool, ToolSet};
use openai_compatible::responses::{ResponseRequest, ResponseStatus, ToolChoice};
use openai_compatible::{Client, ErrorKind};
use serde_json::{Value, json};

fn client() -> Client {
    Client::from_env().expect("run this under scripts/with-local-model")
}

fn ask(question: &str) -> ResponseRequest {
    let model = std::env::var("OPENAI_MODEL").expect("run this under scripts/with-local-model");
    ResponseRequest::new(model, question).max_output_tokens(24).temperature(0.0)
}

fn weather() -> Tool {
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool::with_schema("weather", "Today's weather in a city", place)
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn stream_gives_the_same_response_as_create() {
    let request = ask("Name three rivers.").extra("seed", 7);
    let whole = client().responses().create(&request).await.unwrap();
    let mut events = client().responses().stream(&request).await.unwrap();
    let (mut text, mut deltas) = (String::new(), 0);
    while let Some(event) = events.try_next().await.unwrap() {
        deltas += usize::from(!event.text_delta().is_empty());
        text += event.text_delta();
    }
    assert!(deltas > 3, "{deltas} deltas");
    assert_eq!(text, whole.text());
    let collected = events.collect().await.unwrap();
    assert_eq!((collected.text(), collected.status.clone()), (whole.text(), ResponseStatus::Completed));
    let tokens = |response: &openai_compatible::responses::Response| response.usage.as_ref().unwrap().output_tokens;
    assert_eq!(tokens(&collected), tokens(&whole));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn follow_up_carries_the_conversation() {
    let request = ask("Say hello.").instructions("Be brief.");
    let first = client().responses().create(&request).await.unwrap();
    let request = request.follow_up(&first, "Say it again.");
    let second = client().responses().create(&request).await.unwrap();
    assert!(!second.text().is_empty());
    let input = |response: openai_compatible::responses::Response| response.usage.unwrap().input_tokens;
    assert!(input(second) > input(first) + 10, "the second request contains the first turn");
}

/// llama.cpp ignores `text.format`, and has a parameter of its own.
#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn schema_that_the_server_ignores_is_an_error_and_its_own_parameter_works() {
    let schema = json!({"type": "object", "properties": {"answer": {"type": "string", "enum": ["alpha", "beta"]}},
        "required": ["answer"], "additionalProperties": false});
    let request = ask("Say hello to Ada.").max_output_tokens(64);
    let format = JsonSchema::new("choice").schema(schema.clone()).strict(true);
    let response = client().responses().create(request.clone().format(format)).await.unwrap();
    let error = response.parse::<Value>().unwrap_err();
    assert_eq!((error.kind(), error.response()), (ErrorKind::Decode, Some(&response)));

    let own = request.extra("json_schema", schema);
    let value: Value = client().responses().create(own).await.unwrap().parse().unwrap();
    assert!(["alpha", "beta"].contains(&value["answer"].as_str().unwrap()), "{value}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn tool_run_calls_the_function_and_returns_its_result() {
    let (sender, mut cities) = tokio::sync::mpsc::unbounded_channel();
    let tools = ToolSet::new().add(weather(), move |place: Value| {
        let sender = sender.clone();
        async move {
            sender.send(place["city"].as_str().unwrap_or_default().to_owned()).unwrap();
            "rain"
        }
    });
    let request = ask("What is the weather in Oslo? Use the tool.").tool_choice(ToolChoice::from("required"));
    let mut run = client().responses().run_tools(request.max_output_tokens(64), &tools).max_rounds(3).stream();
    while let Ok(Some(_)) = run.try_next().await {}
    assert!(!cities.recv().await.unwrap().is_empty());
    let items = serde_json::to_value(&run.request().input).unwrap();
    assert!(items.to_string().contains("rain"), "{items}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn operations_that_the_server_lacks_are_errors() {
    let error = client().responses().get("resp_1").await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Api, 404));
    assert!(error.is_not_found(), "{error}");
}
