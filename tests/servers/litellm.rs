//! LiteLLM in front of the local model, and with models that fail as providers do.

use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::batches::BatchInput;
use openai_compatible::chat::{ChatCompletion, ChatRequest, Message, ResponseFormat, Tool, ToolChoice};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::files::Purpose;
use openai_compatible::tokens::TokenCounter;
use openai_compatible::{Client, FileSource};
use serde_json::{Value, json};

fn client() -> Client {
    super::client("LITELLM")
}

fn ask(model: &str, question: &str) -> ChatRequest {
    ChatRequest::new(model, [Message::user(question)]).max_tokens(24).temperature(0.0)
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn a_completion_is_what_the_server_wrote_whole_and_streamed() {
    let (client, request) = (client(), ask("local", "Name three rivers."));
    let raw: Value = client.post("chat/completions", &request).await.unwrap();
    let reply = client.chat().create(&request).with_response().await.unwrap();
    assert_eq!(reply.text(), raw["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(reply.finish_reason().unwrap().as_str(), raw["choices"][0]["finish_reason"].as_str().unwrap());
    assert_eq!(reply.usage.as_ref().unwrap().completion_tokens, raw["usage"]["completion_tokens"].as_u64().unwrap());
    assert!(reply.headers().contains_key("x-litellm-response-cost-original"), "{:?}", reply.headers());
    let streamed = client.chat().stream(request.include_usage(true)).await.unwrap().collect().await.unwrap();
    assert_eq!(streamed.text(), reply.text());
    assert_eq!(streamed.usage.unwrap().completion_tokens, reply.usage.as_ref().unwrap().completion_tokens);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn tools_and_json_go_through() {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]});
    let request = ask("local", "Weather in Oslo?")
        .tools([Tool::with_schema("weather", "Weather in a city", schema.clone())])
        .tool_choice(ToolChoice::function("weather"))
        .max_tokens(60);
    let reply = client().chat().create(&request).await.unwrap();
    let arguments: Value = reply.tool_calls()[0].arguments().unwrap();
    assert!(arguments["city"].is_string(), "{arguments}");
    let request =
        ask("local", "A city, as JSON.").response_format(ResponseFormat::json_schema("city", schema)).max_tokens(60);
    let answer = client().chat().create(&request).await.unwrap().parse::<Value>().unwrap();
    assert!(answer["city"].is_string(), "{answer}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn logprobs_are_those_of_the_raw_response() {
    let (client, request) = (client(), ask("local", "Say yes.").logprobs(true).top_logprobs(2).max_tokens(4));
    let raw: Value = client.post("chat/completions", &request).await.unwrap();
    let completion = client.chat().create(&request).await.unwrap();
    let logprobs = completion.choices[0].logprobs.as_ref().unwrap().content.as_ref().unwrap();
    let tokens: Vec<_> = logprobs.iter().map(|token| token.token.as_str()).collect();
    let raw = raw["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens, raw.iter().map(|token| token["token"].as_str().unwrap()).collect::<Vec<_>>());
    assert!(logprobs.iter().all(|token| token.logprob <= 0.0 && token.top_logprobs.len() == 2), "{logprobs:?}");
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn errors_have_their_status_and_their_predicate() {
    let chat = client().chat();
    let error = chat.create(ask("rate-limited", "Hi")).await.unwrap_err();
    assert!(error.is_rate_limited() && error.is_retryable(), "{error:#?}");
    let error = chat.create(ask("too-long", "Hi")).await.unwrap_err();
    assert!(error.is_context_length_exceeded() && !error.is_retryable(), "{error:#?}");
    for model in ["broken", "dead"] {
        let error = chat.create(ask(model, "Hi")).await.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(500), "{error}");
        assert!(error.is_retryable());
    }
    let error = chat.create(ask("nothing", "Hi")).await.unwrap_err();
    assert!(error.is_not_found(), "{error:#?}");
    let api = error.api_error().unwrap();
    assert_eq!((api.type_.as_deref(), api.param.as_deref()), (None, None), "Python's `None` is absent");
    let stranger = client().with(|settings| settings.api_key("sk-wrong-key-1")).unwrap();
    let error = stranger.chat().create(ask("local", "Hi")).await.unwrap_err();
    assert!(error.is_auth() || error.status().is_some_and(|status| status.as_u16() == 400), "{error:#?}");
    assert!(!format!("{error} {error:#?}").contains("sk-wrong-key-1"));
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn the_default_request_for_embeddings_works() {
    let client = client();
    let list = client.embeddings().create(EmbeddingRequest::new("local", ["a", "b"])).await.unwrap();
    assert_eq!(list.data.len(), 2);
    let base64 = client.with(|settings| settings.base64_embeddings(true)).unwrap();
    let same = base64.embeddings().create(EmbeddingRequest::new("local", ["a", "b"])).await.unwrap();
    assert!(list.data[0].cosine_similarity(&same.data[0]) > 0.999);
}

#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn models_are_listed_and_tokens_counted() {
    let client = client();
    let models = client.models().list().await.unwrap().data;
    assert!(models.iter().any(|model| model.id == "local"));
    let counter = TokenCounter::new(&client);
    let few = counter.count(ask("local", "Hi")).await.unwrap();
    assert!(counter.count(ask("local", &"word ".repeat(100))).await.unwrap() > few + 90);
}

/// Through LiteLLM to OGX, which runs the requests: the model of a line is a name of OGX.
#[tokio::test]
#[ignore = "needs a server: scripts/with-servers"]
async fn files_and_batches_pass_through_to_another_server() {
    let client = client();
    let file = client.files().upload(FileSource::bytes("rivers.txt", "The Nile."), Purpose::UserData).await.unwrap();
    assert_eq!(client.files().content(&file.id).await.unwrap().text().await.unwrap(), "The Nile.");
    assert!(client.files().delete(&file.id).await.unwrap().deleted);

    let mut input = BatchInput::new();
    input.push("river", &ask(&super::variable("OGX_MODEL"), "Name a river.")).unwrap();
    let job = client.batches().run(input).poll_interval(Duration::from_millis(200), Duration::from_secs(1));
    let batch = job.await.unwrap();
    let rows: Vec<_> = client.batches().results::<ChatCompletion>(&batch).try_collect().await.unwrap();
    assert_eq!((rows.len(), rows[0].custom_id.as_str()), (1, "river"));
    assert!(!rows[0].result.as_ref().unwrap().text().is_empty());
}
