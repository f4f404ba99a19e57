//! Against a real model server: `scripts/with-local-model cargo test --test live -- --ignored`.

use std::time::Duration;

use openai_compatible::chat::{ChatRequest, FinishReason, Message, ResponseFormat, Tool, ToolChoice};
use openai_compatible::{Client, ErrorKind};
use serde_json::{Value, json};

fn client() -> Client {
    Client::from_env().expect("run this under scripts/with-local-model")
}

fn model() -> String {
    std::env::var("OPENAI_MODEL").expect("run this under scripts/with-local-model")
}

fn ask(question: &str) -> ChatRequest {
    ChatRequest::new(model(), [Message::user(question)]).max_tokens(24).temperature(0.0)
}

fn weather() -> Tool {
    Tool::with_schema(
        "weather",
        "Today's weather in a city",
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
    )
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn create_returns_a_completion() {
    let reply = client().chat().create(ask("Say hello.")).with_response().await.unwrap();
    assert!(!reply.text().is_empty());
    assert_eq!(reply.status(), 200);
    assert_eq!(reply.attempts(), 1);
    let usage = reply.usage.as_ref().unwrap();
    assert_eq!(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_stream_gives_the_same_answer_with_its_usage() {
    let request = ask("Name three rivers.").seed(7).include_usage(true);
    let whole = client().chat().create(&request).await.unwrap();
    let mut chunks = client().chat().stream(&request).await.unwrap();
    let (mut text, mut pieces, mut usage) = (String::new(), 0, None);
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        pieces += usize::from(!chunk.text().is_empty());
        text += &chunk.text();
        usage = chunk.usage.or(usage);
    }
    assert!(pieces > 3, "it came in {pieces} pieces");
    assert_eq!(text, whole.text());
    assert_eq!(usage.unwrap().completion_tokens, whole.usage.as_ref().unwrap().completion_tokens);
    let collected = client().chat().stream(&request).await.unwrap().collect().await.unwrap();
    assert_eq!(collected.text(), whole.text());
    assert_eq!(collected.finish_reason(), whole.finish_reason());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn several_answers_come_apart() {
    let reply = client().chat().create(ask("Say something.").n(2).temperature(1.0)).await.unwrap();
    assert_eq!(reply.choices.len(), 2);
    assert!(reply.choices.iter().all(|choice| !choice.message.text().is_empty()));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_stop_text_ends_the_answer() {
    let plain = client().chat().create(ask("Count from one to nine.")).await.unwrap();
    let text = plain.text().into_owned();
    let word = text.split_whitespace().nth(2).expect("a few words");
    let stopped = client().chat().create(ask("Count from one to nine.").stop([word])).await.unwrap();
    assert!(!stopped.text().contains(word), "{:?} after stopping at {word:?}", stopped.text());
    assert_eq!(stopped.finish_reason(), Some(&FinishReason::Stop));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_seed_repeats_the_answer() {
    let request = ask("Invent a name.").temperature(1.0).seed(42);
    let first = client().chat().create(&request).await.unwrap();
    let second = client().chat().create(&request).await.unwrap();
    assert_eq!(first.text(), second.text());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn log_probabilities_name_the_tokens() {
    let reply = client().chat().create(ask("Say yes.").logprobs(true).top_logprobs(2)).await.unwrap();
    let tokens = reply.choices[0].logprobs.as_ref().unwrap().content.as_ref().unwrap();
    assert_eq!(tokens.len() as u64, reply.usage.as_ref().unwrap().completion_tokens);
    assert!(tokens.iter().all(|token| token.logprob <= 0.0 && token.top_logprobs.len() == 2));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_forced_tool_call_makes_its_round_trip() {
    let mut request = ask("What is the weather in Oslo?")
        .max_tokens(60)
        .tools([weather()])
        .tool_choice(ToolChoice::function("weather"));
    let reply = client().chat().create(&request).await.unwrap();
    let [call] = reply.tool_calls() else { panic!("one call expected: {reply:?}") };
    assert_eq!(call.name(), "weather");
    let arguments: Value = call.arguments().unwrap();
    assert!(arguments["city"].is_string(), "{arguments}");

    let answer = Message::tool(&call.id, "4 degrees and rain");
    request.messages.extend([reply.into_message(), answer]);
    request.tool_choice = Some("none".into());
    let reply = client().chat().create(&request).await.unwrap();
    assert!(!reply.text().is_empty());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_streamed_tool_call_is_put_together() {
    let request = ask("What is the weather in Oslo?")
        .max_tokens(60)
        .tools([weather()])
        .tool_choice(ToolChoice::function("weather"));
    let reply = client().chat().stream(&request).await.unwrap().collect().await.unwrap();
    let [call] = reply.tool_calls() else { panic!("one call expected: {reply:?}") };
    assert!(call.arguments::<Value>().unwrap()["city"].is_string());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn json_mode_gives_json() {
    let request = ask("Give a JSON object with a city.").max_tokens(200).response_format(ResponseFormat::json_object());
    let reply = client().chat().create(&request).await.unwrap();
    if reply.finish_reason() == Some(&FinishReason::Stop) {
        assert!(serde_json::from_str::<Value>(&reply.text()).unwrap().is_object());
    } else {
        // A small model may ramble to its limit; what it wrote is the beginning of JSON all the same.
        assert!(reply.text().trim_start().starts_with('{'), "{}", reply.text());
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_json_schema_is_followed() {
    let schema = json!({
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}, "points": {"type": "integer", "enum": [1, 2]}},
        "required": ["answer", "points"],
        "additionalProperties": false,
    });
    let request = ask("Is water wet?").max_tokens(60).response_format(ResponseFormat::json_schema("verdict", schema));
    let reply = client().chat().create(&request).await.unwrap();
    let verdict: Value = serde_json::from_str(&reply.text()).unwrap();
    assert!(["yes", "no"].contains(&verdict["answer"].as_str().unwrap()));
    assert!([1, 2].contains(&verdict["points"].as_i64().unwrap()));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_wrong_key_is_refused_without_showing_it() {
    let client = Client::builder().base_url(client().base_url()).api_key("wrong-key-123456").build().unwrap();
    let error = client.chat().create(ask("Hi")).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Api, 401));
    assert!(error.is_auth());
    assert!(!format!("{error} {error:?}").contains("wrong-key-123456"));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn a_prompt_over_the_context_is_named_as_such() {
    let error = client().chat().create(ask(&"word ".repeat(20_000))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.is_context_length_exceeded(), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn dropping_a_stream_frees_the_servers_slot() {
    async fn is_busy(client: &Client) -> bool {
        // llama.cpp shows its slots beside `/v1`.
        let root = client.base_url().trim_end_matches("/v1").to_owned();
        let key = std::env::var("OPENAI_API_KEY").unwrap_or_default();
        let server = Client::builder().base_url(root).api_key(key).build().unwrap();
        let slots: Vec<Value> = server.get("slots").await.unwrap();
        slots.iter().any(|slot| slot["is_processing"] == true)
    }
    let client = client();
    let endless = ask("Write a long story.").max_tokens(1900).extra("ignore_eos", true);
    let mut chunks = client.chat().stream(&endless).await.unwrap();
    assert!(chunks.try_next().await.unwrap().is_some());
    assert!(is_busy(&client).await);
    drop(chunks);
    // The server notices the closed connection at its next token.
    let freed = async {
        while is_busy(&client).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.expect("the slot stays busy");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn streams_that_follow_each_other_do_not_meet_a_closed_connection() {
    let client = client();
    for length in 1..=20 {
        let request = ask("Count to ten.").max_tokens(length);
        client.chat().stream(request).max_retries(0).await.unwrap().collect().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn what_a_server_does_not_know_can_be_asked_raw() {
    let models: Value = client().get("models").await.unwrap();
    assert_eq!(models["data"][0]["id"], json!(model()));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-local-model"]
async fn context_window_of_the_model_is_known() {
    let window = client().models().list().await.unwrap().data[0].context_window().unwrap();
    assert!((512..=8192).contains(&window), "{window}");
}
