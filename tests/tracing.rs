//! What the feature `tracing` tells: one span a call, one event an attempt, and no content.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is test code, which clippy sees in test functions only"
)]

mod support;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::StreamExt;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{Client, ClientBuilder};
use serde_json::{Value, json};
use support::{Reply, Server, refused_url};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Instrument, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

// ---- What is heard ----

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Log>>);

#[derive(Default)]
struct Log {
    spans: Vec<SpanLog>,
    events: Vec<EventLog>,
}

#[derive(Clone)]
struct SpanLog {
    id: Id,
    parent: Option<String>,
    level: Level,
    fields: Fields,
    is_closed: bool,
}

struct EventLog {
    span: Option<Id>,
    level: Level,
    fields: Fields,
}

#[derive(Clone, Default)]
struct Fields {
    values: BTreeMap<&'static str, Value>,
    /// Some subscribers write each value of a field.
    repeated: Vec<&'static str>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        if self.values.insert(field.name(), value).is_some() {
            self.repeated.push(field.name());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }
}

const TARGET: &str = "openai_compatible";

impl<S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>> Layer<S> for Heard {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() == TARGET {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let parent = context.span(id).unwrap().parent().map(|parent| parent.name().to_owned());
            let level = *attributes.metadata().level();
            self.log().spans.push(SpanLog { id: id.clone(), parent, level, fields, is_closed: false });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if let Some(span) = self.log().span(id) {
            values.record(&mut span.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() == TARGET {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let span = context.event_span(event).map(|span| span.id());
            self.log().events.push(EventLog { span, level: *event.metadata().level(), fields });
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(span) = self.log().span(&id) {
            span.is_closed = true;
        }
    }
}

impl Log {
    /// Ids are used again once a span is closed.
    fn span(&mut self, id: &Id) -> Option<&mut SpanLog> {
        self.spans.iter_mut().find(|span| span.id == *id && !span.is_closed)
    }
}

impl Heard {
    /// Listens on this thread.
    fn start() -> (Self, DefaultGuard) {
        let heard = Heard::default();
        let guard = tracing_subscriber::registry().with(heard.clone()).set_default();
        (heard, guard)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap()
    }

    /// The only span so far.
    fn span(&self) -> SpanLog {
        let log = self.log();
        assert_eq!(log.spans.len(), 1, "one call is one span");
        assert!(log.spans[0].fields.repeated.is_empty(), "told twice: {:?}", log.spans[0].fields.repeated);
        log.spans[0].clone()
    }

    fn closed_span(&self) -> BTreeMap<&'static str, Value> {
        let span = self.span();
        assert!(span.is_closed, "the span is still open");
        span.fields.values
    }

    fn events(&self) -> Vec<BTreeMap<&'static str, Value>> {
        self.log().events.iter().map(|event| event.fields.values.clone()).collect()
    }
}

// ---- What is called ----

fn client(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.base_url())
}

fn request() -> ChatRequest {
    ChatRequest::new("llama3.2", [Message::user("the prompt")])
}

fn completion() -> Value {
    json!({
        "id": "chatcmpl-1",
        "model": "llama3.2:3b",
        "choices": [
            { "index": 0, "message": { "role": "assistant", "content": "the answer" }, "finish_reason": "stop" },
            { "index": 1, "message": { "role": "assistant", "content": "another" }, "finish_reason": "length" }
        ],
        "usage": {
            "prompt_tokens": 11, "completion_tokens": 7.0, "total_tokens": 18,
            "prompt_tokens_details": { "cached_tokens": 4 }
        }
    })
}

fn chunk(text: &str, finish_reason: Value, usage: Value) -> String {
    let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": finish_reason });
    let chunk = json!({ "id": "chatcmpl-2", "model": "llama3.2:3b", "choices": [choice], "usage": usage });
    format!("data: {chunk}\n\n")
}

// ---- The span ----

#[tokio::test]
async fn chat_call_is_one_span_with_opentelemetry_names() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::ok_json(&completion()).header("x-request-id", "req-1")]).await;
    client(&server).build().unwrap().chat().create(request()).await.unwrap();

    assert_eq!(heard.span().level, Level::INFO);
    let port: u64 = server.url().rsplit(':').next().unwrap().parse().unwrap();
    let expected = json!({
        "otel.name": "chat llama3.2",
        "otel.kind": "client",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "llama3.2",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "llama3.2:3b",
        "gen_ai.response.finish_reasons": r#"["stop", "length"]"#,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.output_tokens": 7,
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.template": "/chat/completions",
        "request_id": "req-1",
    });
    assert_eq!(json!(heard.closed_span()), expected);
}

#[tokio::test]
async fn span_is_a_child_of_the_callers_span() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::ok_json(&completion())]).await;
    let client = client(&server).build().unwrap();
    let call = async { client.chat().create(request()).await };
    call.instrument(tracing::info_span!("the caller's")).await.unwrap();
    assert_eq!(heard.span().parent.as_deref(), Some("the caller's"));
}

#[tokio::test]
async fn embeddings_record_their_usage() {
    let (heard, _guard) = Heard::start();
    let reply = json!({
        "model": "m", "data": [{ "index": 0, "embedding": [0.5] }], "usage": { "prompt_tokens": 3, "total_tokens": 3 }
    });
    let server = Server::start([Reply::ok_json(&reply)]).await;
    let request = EmbeddingRequest::new("m", ["the prompt"]);
    client(&server).build().unwrap().embeddings().create(request).await.unwrap();
    let span = heard.closed_span();
    assert_eq!((&span["otel.name"], &span["gen_ai.usage.input_tokens"]), (&json!("embeddings m"), &json!(3)));
    assert!(!span.contains_key("gen_ai.usage.output_tokens"));
}

#[tokio::test]
async fn custom_paths_that_run_a_model_are_recorded_like_typed_calls() {
    let (heard, _guard) = Heard::start();
    let reply =
        json!({ "id": "resp-1", "model": "m", "output": [], "usage": { "input_tokens": 5, "output_tokens": 6 } });
    let server = Server::start([Reply::ok_json(&reply)]).await;
    let _: Value = client(&server).build().unwrap().post("responses", &json!({})).await.unwrap();
    let span = heard.closed_span();
    assert_eq!((&span["otel.name"], &span["gen_ai.response.id"]), (&json!("chat"), &json!("resp-1")));
    assert_eq!((&span["gen_ai.usage.input_tokens"], &span["gen_ai.usage.output_tokens"]), (&json!(5), &json!(6)));
}

#[tokio::test]
async fn an_id_may_be_a_number_and_a_usage_of_groq_is_only_taken_for_want_of_another() {
    let usage = |count: u64| json!({ "prompt_tokens": count });
    let own = json!({ "id": 7, "choices": [], "usage": usage(1), "x_groq": { "usage": usage(2) } });
    let groq = json!({ "id": "r", "choices": [], "x_groq": { "usage": usage(2) } });
    for (reply, id, tokens) in [(own, "7", 1), (groq, "r", 2)] {
        let (heard, _guard) = Heard::start();
        let server = Server::start([Reply::ok_json(&reply)]).await;
        client(&server).build().unwrap().chat().create(request()).await.unwrap();
        let span = heard.closed_span();
        assert_eq!((&span["gen_ai.response.id"], &span["gen_ai.usage.input_tokens"]), (&json!(id), &json!(tokens)));
    }
}

#[tokio::test]
async fn other_routes_are_named_without_their_ids() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::ok_json(&json!({ "id": "org/m", "object": "model" }))]).await;
    client(&server).build().unwrap().models().get("org/m").await.unwrap();
    let span = heard.closed_span();
    assert_eq!((&span["otel.name"], &span["url.template"]), (&json!("GET /models/{id}"), &json!("/models/{id}")));
    assert!(!span.keys().any(|name| name.starts_with("gen_ai.")), "{span:?}");
}

#[tokio::test]
async fn unsent_call_has_no_span() {
    let (heard, _guard) = Heard::start();
    let client = Client::builder().base_url(refused_url()).build().unwrap();
    client.chat().create(ChatRequest::new("", [])).await.unwrap_err();
    assert!(heard.log().spans.is_empty());
}

// ---- Attempts and failures ----

#[tokio::test(start_paused = true)]
async fn each_attempt_is_an_event_in_the_span() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([
        Reply::status(503).header("retry-after", "2").header("x-request-id", "req-1"),
        Reply::status(200).reset_after(0),
        Reply::ok_json(&completion()),
    ])
    .await;
    client(&server).build().unwrap().chat().create(request()).await.unwrap();

    let mut events = heard.events();
    let own_wait = events[1].remove("wait_ms").unwrap().as_u64().unwrap();
    assert!((750..=1000).contains(&own_wait), "{own_wait}");
    let failed = "attempt failed, retrying";
    let expected = json!([
        {
            "attempt": 1, "http.response.status_code": 503, "error.type": "503", "request_id": "req-1",
            "wait_ms": 2000, "message": failed
        },
        { "attempt": 2, "error.type": "transport", "message": failed },
        { "attempt": 3, "http.response.status_code": 200, "message": "response received" }
    ]);
    assert_eq!(json!(events), expected);
    let span = heard.span();
    assert!(heard.log().events.iter().all(|event| event.level == Level::DEBUG && event.span == Some(span.id.clone())));
    let span = heard.closed_span();
    assert_eq!(span["http.request.resend_count"], json!(2));
    assert!(!span.contains_key("error.type"), "it went well in the end");
}

#[tokio::test]
async fn a_refused_call_ends_its_span_with_the_status() {
    let (heard, _guard) = Heard::start();
    let error = json!({ "error": { "message": "no such model: the prompt", "code": "model_not_found" } });
    let server = Server::start([Reply::status(404).json(&error).header("x-request-id", "req-1")]).await;
    client(&server).build().unwrap().chat().create(request()).await.unwrap_err();

    let span = heard.closed_span();
    assert_eq!((&span["error.type"], &span["otel.status_code"]), (&json!("404"), &json!("ERROR")));
    assert_eq!((&span["http.response.status_code"], &span["request_id"]), (&json!(404), &json!("req-1")));
    assert_eq!(heard.events()[0]["message"], "attempt failed, giving up");
}

#[tokio::test]
async fn a_call_without_a_reply_ends_its_span_with_the_kind_of_error() {
    let (heard, _guard) = Heard::start();
    let client = Client::builder().base_url(refused_url()).max_retries(0).build().unwrap();
    client.chat().create(request()).await.unwrap_err();
    let span = heard.closed_span();
    assert_eq!(span["error.type"], json!("connect"));
    assert!(!span.contains_key("http.response.status_code"));
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_ends_its_span_with_an_error() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::status(200).header("content-type", "text/html").body("<p>Welcome</p>")]).await;
    client(&server).build().unwrap().chat().create(request()).await.unwrap_err();
    let span = heard.closed_span();
    assert_eq!((&span["error.type"], &span["http.response.status_code"]), (&json!("decode"), &json!(200)));
}

// ---- Streams and downloads ----

#[tokio::test]
async fn span_of_a_stream_ends_with_it_and_has_the_last_usage() {
    let (heard, _guard) = Heard::start();
    let events = [
        chunk("the ", Value::Null, json!({ "prompt_tokens": 11, "completion_tokens": 1 })),
        chunk("answer", json!("stop"), Value::Null),
        chunk("", Value::Null, json!({ "prompt_tokens": 11, "completion_tokens": 2 })),
        "data: [DONE]\n\n".to_owned(),
    ];
    let server = Server::start([Reply::sse(&events.concat())]).await;
    let mut chunks = client(&server).build().unwrap().chat().stream(request()).await.unwrap();
    for _ in 0..3 {
        chunks.try_next().await.unwrap().unwrap();
    }
    assert!(!heard.span().is_closed);
    assert!(chunks.try_next().await.unwrap().is_none());

    let span = heard.closed_span();
    assert_eq!((&span["gen_ai.usage.input_tokens"], &span["gen_ai.usage.output_tokens"]), (&json!(11), &json!(2)));
    assert_eq!(span["gen_ai.response.finish_reasons"], json!(r#"["stop"]"#));
    assert_eq!((&span["gen_ai.response.id"], &span["http.response.status_code"]), (&json!("chatcmpl-2"), &json!(200)));
    assert!(!span.contains_key("error.type"));
    drop(chunks);
}

#[tokio::test]
async fn dropped_stream_records_what_it_received() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::sse(&chunk("the ", Value::Null, Value::Null)).hang_after(10_000)]).await;
    let mut chunks = client(&server).build().unwrap().chat().stream(request()).await.unwrap();
    chunks.try_next().await.unwrap().unwrap();
    drop(chunks);
    let span = heard.closed_span();
    assert_eq!(span["gen_ai.response.model"], json!("llama3.2:3b"));
    assert!(!span.contains_key("error.type") && !span.contains_key("gen_ai.usage.output_tokens"));
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_its_span_with_an_error() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::sse(&chunk("the ", Value::Null, Value::Null))]).await;
    let mut chunks = client(&server).build().unwrap().chat().stream(request()).await.unwrap();
    chunks.try_next().await.unwrap().unwrap();
    chunks.try_next().await.unwrap_err();
    let span = heard.closed_span();
    assert_eq!((&span["error.type"], &span["otel.status_code"]), (&json!("stream"), &json!("ERROR")));
}

#[tokio::test]
async fn events_that_hold_the_reply_are_looked_into() {
    let (heard, _guard) = Heard::start();
    let reply = json!({ "id": "resp-1", "model": "m", "usage": { "input_tokens": 5, "output_tokens": 6 } });
    let event = json!({ "type": "response.completed", "response": reply });
    let server = Server::start([Reply::sse(&format!("event: response.completed\ndata: {event}\n\n"))]).await;
    let client = client(&server).build().unwrap();
    let mut events = client.post_stream::<Value>("responses", &json!({ "stream": true })).await.unwrap();
    while events.try_next().await.unwrap().is_some() {}
    let span = heard.closed_span();
    assert_eq!((&span["gen_ai.response.id"], &span["gen_ai.usage.output_tokens"]), (&json!("resp-1"), &json!(6)));
}

#[tokio::test]
async fn response_is_recorded_with_its_status_or_the_reason_why_it_is_incomplete() {
    let usage = json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5});
    for (state, reasons) in [
        (json!({"status": "completed"}), "[\"completed\"]"),
        (
            json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
            "[\"max_output_tokens\"]",
        ),
    ] {
        let mut body = json!({"id": "resp_1", "model": "m-1", "output": [], "usage": usage});
        body.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
        let created = json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}});
        let last = json!({"type": "response.completed", "response": body});
        let stream = Reply::sse(&format!("data: {created}\n\ndata: {last}\n\n"));
        for is_streamed in [false, true] {
            let (heard, _guard) = Heard::start();
            let server = Server::start([if is_streamed { stream.clone() } else { Reply::ok_json(&body) }]).await;
            let responses = client(&server).build().unwrap().responses();
            let request = ResponseRequest::new("m", "Hi");
            match is_streamed {
                true => responses.stream(&request).await.unwrap().collect().await.unwrap(),
                false => responses.create(&request).await.unwrap(),
            };
            let span = heard.closed_span();
            assert_eq!(span["gen_ai.response.finish_reasons"], json!(reasons));
            assert_eq!((&span["gen_ai.operation.name"], &span["gen_ai.request.model"]), (&json!("chat"), &json!("m")));
            assert_eq!(
                (&span["gen_ai.response.id"], &span["gen_ai.response.model"]),
                (&json!("resp_1"), &json!("m-1"))
            );
            let counts = ["input_tokens", "cache_read.input_tokens", "output_tokens"];
            assert_eq!(
                counts.map(|name| span[&*format!("gen_ai.usage.{name}")].clone()),
                [json!(10), json!(4), json!(5)]
            );
        }
    }
}

#[tokio::test]
async fn the_span_of_a_download_lasts_until_its_end() {
    let (heard, _guard) = Heard::start();
    let server = Server::start([Reply::status(200).body("content")]).await;
    let mut download = client(&server).build().unwrap().download("files/file-1/content").await.unwrap();
    assert!(!heard.span().is_closed);
    while download.next().await.is_some() {}
    assert_eq!(heard.closed_span()["otel.name"], json!("GET /files/{id}/content"));
}

// ---- What is not told ----

#[tokio::test(start_paused = true)]
async fn spans_never_record_secrets_or_content() {
    let (heard, _guard) = Heard::start();
    let echo =
        json!({ "error": { "message": "sk-the-key said the prompt", "code": "sk-the-key", "type": "the prompt" } });
    // Not even by a server that sends the key back.
    let mut reply = completion();
    reply["id"] = json!("for sk-the-key");
    let server = Server::start([
        Reply::status(500).json(&echo).header("x-request-id", "sk-the-key"),
        Reply::ok_json(&reply).header("x-request-id", "sk-the-key").header("x-told", "the header"),
        Reply::sse(&(chunk("the answer", json!("stop"), Value::Null) + "data: [DONE]\n\n")),
        Reply::status(400).json(&echo),
    ])
    .await;
    let client = client(&server).base_url(server.base_url() + "?tenant=the-query").api_key("sk-the-key");
    let client = client.header("x-asked", "the header").query("q", "the-query").build().unwrap();
    let chat = client.chat();
    chat.create(request()).header("x-this", "the header").query("r", "the-query").await.unwrap();
    chat.stream(request()).await.unwrap().collect().await.unwrap();
    chat.create(request()).await.unwrap_err();

    let log = heard.log();
    let spans = log.spans.iter().map(|span| &span.fields.values);
    let told = json!(spans.chain(log.events.iter().map(|event| &event.fields.values)).collect::<Vec<_>>()).to_string();
    assert_eq!((log.spans.len(), log.events.len()), (3, 4));
    assert!(told.contains("for [redacted]"), "{told}");
    for secret in ["sk-the-key", "the prompt", "the answer", "the header", "the-query", "tenant"] {
        assert!(!told.contains(secret), "`{secret}` is in {told}");
    }
}
