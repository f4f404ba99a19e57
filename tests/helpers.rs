//! The small helpers: images, texts of a stream, health, the test double, a service around the connection.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::testing::{self, Replies};
use openai_compatible::{
    Client, DefaultHttp, ErrorKind, FileSource, Form, HealthState, HttpErrorKind, HttpService, RequestBody,
};
use serde_json::{Value, json};
use support::{Reply, Server, refused_url};
use tokio::time::Instant;

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Name a river.")])
}

// Images and texts.

#[tokio::test]
async fn a_user_shows_an_image_by_its_address_or_out_of_a_file() {
    let shown = |url: &str| {
        json!({"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url}},
        ]})
    };
    let by_url = Message::user_with_image("What is this?", "https://example.org/cat.png");
    assert_eq!(serde_json::to_value(by_url).unwrap(), shown("https://example.org/cat.png"));

    let file = FileSource::bytes("cat.png", "meow");
    let by_file = Message::user_with_image_file("What is this?", file).await.unwrap();
    assert_eq!(serde_json::to_value(by_file).unwrap(), shown("data:image/png;base64,bWVvdw=="));

    let missing = Message::user_with_image_file("?", FileSource::path("no/such/cat.png")).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_stream_gives_its_texts_alone() {
    let replies = Replies::new([testing::chat_stream(["The ", "", "Nile."]), testing::chat_stream(["The "]).cut()]);
    let client = replies.client().unwrap();

    let texts: Vec<String> = client.chat().stream(ask()).await.unwrap().texts().try_collect().await.unwrap();
    assert_eq!(texts, ["The ", "Nile."]);

    let mut cut = client.chat().stream(ask()).await.unwrap().texts();
    assert_eq!(cut.try_next().await.unwrap().as_deref(), Some("The "));
    assert_eq!(cut.try_next().await.unwrap_err().kind(), ErrorKind::Stream);
}

// Health.

async fn health_of(replies: impl IntoIterator<Item = Reply>) -> (openai_compatible::Health, Vec<String>) {
    let server = Server::start(replies).await;
    let client = Client::builder().base_url(server.base_url()).api_key("key-123456").build().unwrap();
    let health = client.health().await;
    let asked = server.requests().into_iter().map(|request| request.target).collect();
    (health, asked)
}

#[tokio::test]
async fn a_server_that_is_ready_is_healthy() {
    let text = |body: &'static str| Reply::status(200).header("content-type", "text/plain").body(body);
    for (replies, route) in [
        // LiteLLM.
        (vec![Reply::ok_json(&json!({"status": "connected", "db": "connected"}))], "/health/readiness"),
        (vec![Reply::status(404), Reply::ok_json(&json!("I'm alive!"))], "/health/liveliness"),
        // vLLM and TGI say nothing but 200; llama.cpp writes JSON; others write a word.
        (vec![Reply::status(404), Reply::status(404), Reply::status(200)], "/health"),
        (vec![Reply::status(404), Reply::status(404), Reply::ok_json(&json!({"status": "ok"}))], "/health"),
        (vec![Reply::status(404), Reply::status(405), text("healthy")], "/health"),
        // OpenAI, Ollama.
        (
            vec![Reply::status(404), Reply::status(404), Reply::status(404), Reply::ok_json(&json!({"data": []}))],
            "/v1/models",
        ),
    ] {
        let (health, asked) = health_of(replies).await;
        assert!(health.is_healthy(), "{health:?}");
        assert_eq!(health.route.as_deref(), Some(route));
        assert_eq!(asked.last().map(String::as_str), Some(route));
        assert_eq!(health.to_string(), format!("healthy ({route})"));
    }
}

#[tokio::test]
async fn a_server_that_loads_its_model_is_loading() {
    let loading = json!({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}});
    let (health, asked) = health_of([Reply::status(503).json(&loading)]).await;
    assert_eq!(health.state, HealthState::Loading);
    assert_eq!(asked.len(), 1, "it is not asked again");
    assert!(health.to_string().starts_with("loading (/health/readiness: "), "{health}");
    assert!(health.to_string().contains("Loading model"), "{health}");
}

#[tokio::test]
async fn a_server_that_is_out_of_order_is_unhealthy() {
    let (health, _) = health_of([Reply::status(404), Reply::status(404), Reply::status(500)]).await;
    assert_eq!((health.state, health.route.as_deref()), (HealthState::Unhealthy, Some("/health")));
}

#[tokio::test]
async fn what_does_not_tell_is_unknown() {
    let page = || Reply::status(200).header("content-type", "text/html").body("\n<!doctype html><title>Hello</title>");
    for reply in [Reply::status(404), Reply::status(401), page()] {
        let (health, asked) = health_of([reply]).await;
        assert_eq!(health.state, HealthState::Unknown);
        assert_eq!(asked, ["/health/readiness", "/health/liveliness", "/health", "/v1/models"]);
        assert!(!format!("{health} {health:?}").contains("key-123456"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    let client = Client::builder().base_url(refused_url()).build().unwrap();
    let health = client.health().await;
    assert_eq!(health.state, HealthState::Unreachable);
    assert_eq!(health.error.unwrap().kind(), ErrorKind::Connect);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_given_up_after_five_seconds() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let started = Instant::now();
    assert_eq!(client.health().await.state, HealthState::Unreachable);
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn health_stays_below_the_prefix_of_a_proxy() {
    let server = Server::start([Reply::status(200)]).await;
    let client = Client::builder().base_url(format!("{}/team/llm/v1?tenant=7", server.url())).build().unwrap();
    assert!(client.health().await.is_healthy());
    assert_eq!(server.requests()[0].target, "/team/llm/health/readiness?tenant=7");
}

// The test double.

#[tokio::test(start_paused = true)]
async fn replies_come_in_their_order_and_requests_are_kept() {
    let replies = Replies::new([
        testing::json(503, "busy").header("retry-after", "7"),
        testing::fault(HttpErrorKind::Connect),
        testing::chat("The Nile.").delay(Duration::from_secs(3)).header("x-request-id", "r1"),
    ]);
    let client = replies.builder().api_key("key-123456").build().unwrap();
    let started = Instant::now();

    let reply = client.chat().create(ask()).with_response().await.unwrap();

    assert_eq!((reply.text().as_ref(), reply.attempts(), reply.request_id()), ("The Nile.", 3, Some("r1")));
    assert!(started.elapsed() >= Duration::from_secs(10), "{:?}", started.elapsed());
    let requests = replies.requests();
    assert_eq!((requests.len(), replies.left()), (3, 0));
    let first = &requests[0];
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(first.json()["messages"][0]["content"], "Name a river.");
    assert_eq!(first.header("authorization"), Some("Bearer key-123456"));
    let shown = format!("{replies:?} {first:?}");
    assert!(!shown.contains("key-123456") && !shown.contains("river"), "{shown}");
}

#[tokio::test]
async fn a_request_beyond_the_last_reply_fails_and_says_so() {
    let replies = Replies::new([testing::chat("One.")]);
    let client = replies.client().unwrap();
    client.chat().create(ask()).await.unwrap();
    let error = client.chat().create(ask()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 1));
    assert!(error.to_string().contains("no reply is left for request 2, POST /v1/chat/completions"), "{error}");
}

#[tokio::test]
async fn ready_made_replies_are_what_servers_send() {
    let replies = Replies::new([
        testing::tool_call("weather", json!({"city": "Oslo"})),
        testing::sse([json!({"n": 1}), json!({"n": 2})]),
        testing::json(400, json!({"error": {"message": "Bad.", "code": "c"}})),
        testing::text(500, "Oops"),
        testing::json(99, json!({})),
        testing::chat("x").header("bad name", "x"),
    ]);
    let client = replies.builder().max_retries(0).build().unwrap();

    let reply = client.chat().create(ask()).await.unwrap();
    assert_eq!(reply.tool_calls()[0].arguments::<Value>().unwrap(), json!({"city": "Oslo"}));
    assert_eq!(reply.usage.unwrap().total_tokens, 15);
    let events = client.post_stream::<Value>("events", &json!({})).await.unwrap();
    assert_eq!(events.try_collect::<Vec<_>>().await.unwrap(), [json!({"n": 1}), json!({"n": 2})]);
    let error = client.chat().create(ask()).await.unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.api().unwrap().message.as_str()), (400, "Bad."));
    assert_eq!(client.chat().create(ask()).await.unwrap_err().status().unwrap().as_u16(), 500);
    for _ in 0..2 {
        assert_eq!(client.chat().create(ask()).await.unwrap_err().kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn uploads_are_recorded_whole() {
    let replies = Replies::new([testing::json(200, json!({"id": "f"}))]);
    let file = FileSource::bytes("in.jsonl", "{\"a\":1}\n".repeat(100_000));
    let form = Form::new().text("purpose", "batch").file("file", file);
    let _: Value = replies.client().unwrap().post_form("files", form).await.unwrap();
    let sent = &replies.requests()[0];
    assert!(sent.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    assert!(sent.body.len() > 800_000);
    assert_eq!(sent.json(), Value::Null);
}

#[tokio::test]
async fn a_closure_answers_by_the_request() {
    let client = Client::builder()
        .base_url("http://test.invalid/v1")
        .http_service(|request: http::Request<RequestBody>| {
            let path = request.uri().path().to_owned();
            testing::json(200, json!({ "path": path })).respond()
        })
        .build()
        .unwrap();
    assert_eq!(client.get::<Value>("a/b").await.unwrap(), json!({"path": "/v1/a/b"}));
}

// The default service, wrapped.

#[tokio::test]
async fn the_default_service_can_be_wrapped() {
    let server = Server::start([Reply::ok_json(&json!({"ok": true}))]).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let http = DefaultHttp::new(Duration::from_secs(5));
    let client = Client::builder()
        .base_url(server.base_url())
        .http_service(move |request: http::Request<RequestBody>| {
            counted.fetch_add(1, Ordering::SeqCst);
            http.call(request)
        })
        .build()
        .unwrap();
    let _: Value = client.get("x").await.unwrap();
    let _: Value = client.get("x").await.unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    assert_eq!(server.connections(), 1, "its connections are used again");
}
