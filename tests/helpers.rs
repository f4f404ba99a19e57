//! The small helpers: images, texts of a stream, health, the test double, a service around the connection.

mod support;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use http_body::Body as _;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::probe::{ProbeEvent, Support, probe};
use openai_compatible::responses::ResponseRequest;
use openai_compatible::testing::{self, MockService};
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
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn a_stream_gives_its_texts_alone() {
    let replies =
        MockService::new([testing::chat_stream(["The ", "", "Nile."]), testing::chat_stream(["The "]).interrupted()]);
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
        assert_eq!(health.path.as_deref(), Some(route));
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
    assert_eq!((health.state, health.path.as_deref()), (HealthState::Unhealthy, Some("/health")));
}

#[tokio::test]
async fn server_without_a_health_endpoint_is_unknown() {
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
    let replies = MockService::new([
        testing::json(503, "busy").header("retry-after", "7"),
        testing::http_error(HttpErrorKind::Connect),
        testing::chat("The Nile.").delay(Duration::from_secs(3)).header("x-request-id", "r1"),
    ]);
    let client = replies.builder().api_key("key-123456").build().unwrap();
    let started = Instant::now();

    let reply = client.chat().create(ask()).with_response().await.unwrap();

    assert_eq!((reply.text().as_ref(), reply.attempts(), reply.request_id()), ("The Nile.", 3, Some("r1")));
    assert!(started.elapsed() >= Duration::from_secs(10), "{:?}", started.elapsed());
    let requests = replies.requests();
    assert_eq!((requests.len(), replies.remaining()), (3, 0));
    let first = &requests[0];
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(first.json()["messages"][0]["content"], "Name a river.");
    assert_eq!(first.header("authorization"), Some("Bearer key-123456"));
    let shown = format!("{replies:?} {first:?}");
    assert!(!shown.contains("key-123456") && !shown.contains("river"), "{shown}");
}

#[tokio::test]
async fn a_request_beyond_the_last_reply_fails_and_says_so() {
    let replies = MockService::new([testing::chat("One.")]);
    let client = replies.client().unwrap();
    client.chat().create(ask()).await.unwrap();
    let error = client.chat().create(ask()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Config, 1));
    assert!(error.to_string().contains("no response left for request 2: POST /v1/chat/completions"), "{error}");
}

#[tokio::test]
async fn ready_made_replies_are_what_servers_send() {
    let replies = MockService::new([
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
    assert_eq!((error.status().unwrap().as_u16(), error.api_error().unwrap().message.as_str()), (400, "Bad."));
    assert_eq!(client.chat().create(ask()).await.unwrap_err().status().unwrap().as_u16(), 500);
    for _ in 0..2 {
        assert_eq!(client.chat().create(ask()).await.unwrap_err().kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn ready_made_responses_are_what_servers_send() {
    let replies = MockService::new([
        testing::response("The Nile."),
        testing::response_stream(["The ", "Nile."]),
        testing::function_call("weather", json!({"city": "Oslo"})),
        testing::response_stream(["The ", "Nile."]).interrupted(),
    ]);
    let responses = replies.builder().max_retries(0).build().unwrap().responses();
    let request = ResponseRequest::new("m", "Name a river.");

    let whole = responses.create(&request).await.unwrap();
    assert_eq!((&*whole.text(), whole.usage.as_ref().unwrap().total_tokens), ("The Nile.", 15));
    let mut events = responses.stream(&request).await.unwrap();
    let (mut deltas, mut numbers) = (Vec::new(), Vec::new());
    while let Some(event) = events.try_next().await.unwrap() {
        numbers.extend(event.sequence_number());
        deltas.extend(Some(event.text_delta().to_owned()).filter(|text| !text.is_empty()));
    }
    assert_eq!((deltas.join("|").as_str(), numbers), ("The |Nile.", (0..9).collect()));
    assert_eq!(events.snapshot().unwrap(), &whole);
    let calls: Vec<_> = responses.create(&request).await.unwrap().tool_calls().collect();
    assert_eq!(calls[0].arguments::<Value>().unwrap(), json!({"city": "Oslo"}));
    let error = responses.stream(&request).await.unwrap().collect().await.unwrap_err();
    assert_eq!((error.kind(), &*error.response().unwrap().text()), (ErrorKind::Stream, "The Nile."));
}

#[tokio::test]
async fn uploads_are_recorded_whole() {
    let replies = MockService::new([testing::json(200, json!({"id": "f"}))]);
    let file = FileSource::bytes("in.jsonl", "{\"a\":1}\n".repeat(100_000));
    let form = Form::new().text("purpose", "batch").file("file", file);
    let _: Value = replies.client().unwrap().post_multipart("files", form).await.unwrap();
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

// ---- Probe ----

/// What a server that has the Responses API, or does not, is found to have.
async fn probed(has_responses: bool) -> BTreeMap<String, Support> {
    let service = move |request: http::Request<RequestBody>| {
        let path = request.uri().path().trim_start_matches("/v1/").to_owned();
        let (is_get, is_delete) = (request.method() == "GET", request.method() == "DELETE");
        async move {
            let (_, body) = request.into_parts();
            let sent: Value = serde_json::from_slice(&whole(body).await).unwrap_or_default();
            let stored = || testing::response("Hello.");
            let reply = match path.as_str() {
                "models" => testing::json(200, json!({"data": [{"id": "m"}]})),
                "chat/completions" if sent["stream"] == true => testing::chat_stream(["one ", "two"]),
                // Called, but without what is required.
                "chat/completions" if sent["tools"].is_array() => testing::tool_call("get_weather", json!({})),
                "chat/completions" if sent["n"] == 2 && sent["temperature"] == 0.0 => {
                    testing::json(400, json!({"message": "n must be 1"}))
                }
                "chat/completions" => testing::chat("Hello."),
                _ if !has_responses || !path.starts_with("responses") => {
                    testing::json(404, json!({"detail": "Not Found"}))
                }
                "responses" if sent["stream"] == true => testing::response_stream(["one ", "two"]),
                "responses" if sent["tools"].is_array() => {
                    testing::function_call("get_weather", json!({"city": "Oslo"}))
                }
                "responses" if sent["background"] == true => {
                    testing::json(200, json!({"id": "resp_test", "status": "queued", "output": []}))
                }
                "responses" => stored(),
                _ if is_get => stored(),
                _ if is_delete => testing::json(200, json!({"id": "resp_test", "deleted": true})),
                _ => testing::json(404, json!({"detail": "Not Found"})),
            };
            reply.respond().await
        }
    };
    let client = Client::builder().base_url("http://test.invalid/v1").http_service(service).build().unwrap();
    let report = probe(&client, None, Duration::from_secs(5), |_| {}).await.unwrap();
    assert_eq!(report.model, "m");
    report.findings.into_iter().map(|finding| (finding.feature, finding.support)).collect()
}

async fn whole(mut body: RequestBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes
}

const RESPONSE_FEATURES: [&str; 5] =
    ["responses", "responses in streams", "responses with tools", "stored responses", "background responses"];

#[tokio::test(start_paused = true)]
async fn probe_finds_each_feature_of_the_responses_api() {
    let found = probed(true).await;
    for feature in RESPONSE_FEATURES {
        assert_eq!(found[feature], Support::Supported, "{feature}");
    }
    assert_eq!((found["streaming"], found["embeddings"]), (Support::Supported, Support::Unsupported));
    assert_eq!(found["tools"], Support::Partial, "called without the required argument");
}

#[tokio::test(start_paused = true)]
async fn probe_announces_each_feature_before_its_finding() {
    let client = Client::builder()
        .base_url("http://test.invalid/v1")
        .http_service(|_: http::Request<RequestBody>| testing::json(404, json!({"detail": "Not Found"})).respond())
        .build()
        .unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    let watch = |event: ProbeEvent<'_>| match event {
        ProbeEvent::Testing(feature) => seen.borrow_mut().push(format!("{feature}?")),
        ProbeEvent::Found(finding) => seen.borrow_mut().push(finding.feature.clone()),
        _ => {}
    };
    let report = probe(&client, Some("m"), Duration::from_secs(5), watch).await.unwrap();
    let expected: Vec<_> =
        report.findings.iter().flat_map(|f| [format!("{}?", f.feature), f.feature.clone()]).collect();
    assert_eq!(seen.into_inner(), expected);
    let widest = report.to_string().lines().map(|row| row.chars().count()).max();
    assert!(widest <= Some(80), "{report}");
}

#[tokio::test(start_paused = true)]
async fn probe_fails_at_once_if_the_server_is_unreachable() {
    let mock = MockService::new([]);
    (0..4).for_each(|_| mock.push(testing::http_error(openai_compatible::HttpErrorKind::Connect)));
    let client = mock.client().unwrap();
    let seen = std::cell::Cell::new(0);
    let error = probe(&client, None, Duration::from_secs(5), |_| seen.set(seen.get() + 1)).await.unwrap_err();
    assert_eq!((error.kind(), seen.get()), (ErrorKind::Connect, 1));
}

#[tokio::test(start_paused = true)]
async fn probe_finds_that_a_server_lacks_the_responses_api() {
    let found = probed(false).await;
    for feature in RESPONSE_FEATURES {
        assert_eq!(found[feature], Support::Unsupported, "{feature}");
    }
    assert_eq!(found["chat"], Support::Supported);
}
