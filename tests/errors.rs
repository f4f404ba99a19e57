//! Errors: all cases of `vectors/errors.json` over a real socket; what no error may show; what its accessors tell.

mod support;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Client, ClientBuilder, Error, ErrorKind, EventStream, FileSource, Form};
use openai_compatible::{HttpError, HttpErrorKind, RequestBody, ResponseBody};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Reply, Server, fixture_json, refused_url};
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);

// ---- The vectors ----

/// Where the design decides otherwise than a vector: its name, why, and what is expected in its place.
fn design_wins() -> [(&'static str, &'static str, Value); 5] {
    [
        (
            "stream_eof_without_done",
            "an input that stops before [DONE] and before a finish reason is an error: streams cannot lie",
            json!({"kind": "stream_broken", "items": 1}),
        ),
        (
            "stream_json_error_body_with_200",
            "the server refused before a stream began: the same error as without a stream",
            json!({"kind": "api_error_in_200"}),
        ),
        (
            "responses_stream_error_event",
            "there is no responses resource yet; on any other route an event named `error` is an error, as in Node",
            json!({"kind": "stream_error", "items": 0, "message": "flat", "code": "server_error", "type": "error",
                "request_id": "req_abc123"}),
        ),
        (
            "azure_apim_flat",
            "the id of the request is read from the headers of other servers, too",
            json!({"request_id": "apim-2"}),
        ),
        (
            "html_cloudflare_524",
            "the id of the request is read from the headers of other servers, too",
            json!({"request_id": "8f"}),
        ),
    ]
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn every_error_vector_holds() {
    let vectors = fixture_json("vectors/errors.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 56, "a case was added or lost");
    let mut design: BTreeMap<_, _> =
        design_wins().into_iter().map(|(name, why, expect)| (name, (why, expect))).collect();
    let mut failures = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let got = play(case).await;
        let mut expect = case["expect"].as_object().unwrap().clone();
        if let Some((why, otherwise)) = design.remove(name) {
            if differences(&got, &Value::Object(expect.clone())).is_empty() {
                failures.push(format!("{name}: holds as it is; yet the design is said to decide otherwise: {why}"));
            }
            expect.extend(otherwise.as_object().unwrap().clone());
        }
        let expect = Value::Object(expect);
        failures.extend(differences(&got, &expect).into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(design.is_empty(), "no such vectors: {design:?}");
    assert!(failures.is_empty(), "{} of the error vectors fail:\n{}", failures.len(), failures.join("\n"));
}

fn differences(got: &Value, expect: &Value) -> Vec<String> {
    let expect = expect.as_object().unwrap();
    let differs = |(name, value): &(&String, &Value)| got[name.as_str()] != **value;
    let shown = |value: &Value| value.to_string().chars().take(300).collect::<String>();
    let describe = |(name, value): (&String, &Value)| {
        format!("{name} is {}, expected {}", shown(&got[name.as_str()]), shown(value))
    };
    expect.iter().filter(differs).map(describe).collect()
}

/// Plays a case and gives what came of it in the vectors' words.
async fn play(case: &Value) -> Value {
    let body = match (&case["body"], case["body_b64"].as_str()) {
        (_, Some(base64)) => base64::engine::general_purpose::STANDARD.decode(base64).unwrap(),
        (Value::String(text), _) => text.clone().into_bytes(),
        (value, _) => value.to_string().into_bytes(),
    };
    let mut reply = Reply::status(case["status"].as_u64().unwrap().try_into().unwrap()).body(body);
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        if let Some(value) = value.as_str() {
            reply = reply.header(name, value);
        }
    }
    let server = Server::start([reply]).await;
    let client = builder(&server).max_retries(0).build().unwrap();
    let got = match (case["mode"].as_str().unwrap(), case["op"].as_str()) {
        ("http", _) => match client.chat().create(hello()).await {
            Ok(_) => json!({"kind": "ok"}),
            Err(error) => in_their_words(&error),
        },
        ("stream", Some("chat")) => read(client.chat().stream(hello()).await).await,
        ("stream", Some("responses")) => {
            let body = json!({"model": "m", "input": "hi", "stream": true});
            read(client.post_stream::<Value>("responses", &body).await).await
        }
        other => panic!("no such mode: {other:?}"),
    };
    assert_eq!(server.requests().len(), 1);
    got
}

async fn read<T>(opened: Result<EventStream<T>, Error>) -> Value {
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) => return in_their_words(&error),
    };
    let mut items = 0;
    let mut got = loop {
        match stream.try_next().await {
            Ok(Some(_)) => items += 1,
            Ok(None) => break json!({"kind": "ok"}),
            Err(error) => break in_their_words(&error),
        }
    };
    got["items"] = items.into();
    got
}

fn in_their_words(error: &Error) -> Value {
    let status = error.status().map(|status| status.as_u16());
    let kind = match (error.kind(), status) {
        (ErrorKind::Api, Some(400)) => "bad_request",
        (ErrorKind::Api, Some(401)) => "authentication",
        (ErrorKind::Api, Some(404)) => "not_found",
        (ErrorKind::Api, Some(422)) => "unprocessable_entity",
        (ErrorKind::Api, Some(429)) => "rate_limit",
        (ErrorKind::Api, Some(500..)) => "internal_server",
        (ErrorKind::Api, Some(200)) => "api_error_in_200",
        (ErrorKind::Api, Some(_)) => "api_status",
        (ErrorKind::Decode, _) => "decode",
        (ErrorKind::Stream, _) if error.api_error().is_some() => "stream_error",
        (ErrorKind::Stream, _) => "stream_broken",
        _ => "another kind of error",
    };
    let api = error.api_error();
    json!({
        "kind": kind,
        "status": status,
        "message": api.map(|api| &api.message),
        "code": api.and_then(|api| api.code.as_ref()),
        "param": api.and_then(|api| api.param.as_ref()),
        "type": api.and_then(|api| api.type_.as_ref()),
        "request_id": error.request_id(),
    })
}

// ---- Helpers ----

fn builder(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.base_url()).api_key("sk-test").max_retries(0)
}

fn hello() -> ChatRequest {
    ChatRequest::new("m", [Message::user("hi")])
}

/// The error of a chat completion that is answered like this.
async fn error_of(reply: Reply) -> Error {
    let server = Server::start([reply]).await;
    builder(&server).build().unwrap().chat().create(hello()).await.unwrap_err()
}

fn with_body(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply::status(status).body(body)
}

/// All that a log could hold of an error.
fn everything(error: &Error) -> String {
    let mut all = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(source) = next {
        all += &format!(" {source} {source:?}");
        next = source.source();
    }
    all
}

// ---- What no error may show ----

const KEY: &str = "sk-secret-0123456789";

/// MockService of servers that repeat what they were sent.
fn echoes() -> Vec<Reply> {
    let echo = format!("the key {KEY} is not known");
    let error = json!({"error": {"message": echo, "code": KEY, "type": KEY, "param": KEY, "seen": {"keys": [KEY]}}});
    vec![
        Reply::status(401).json(&error),
        Reply::status(401).header("x-request-id", KEY).header("www-authenticate", &echo).json(&error),
        with_body(401, format!("<html>{echo}</html>")),
        with_body(401, format!("{{\"error\": \"{echo}")),
        Reply::ok_json(&error),
        Reply::status(200).json(&json!({"detail": echo})),
        with_body(200, format!("<html>{echo}</html>")),
        // The key stands where the excerpt of the page is cut.
        with_body(200, format!("<html>{}{echo}</html>", "x".repeat(96))),
        with_body(200, format!("{{\"choices\": [{{\"{KEY}\": \"{KEY}")),
        Reply::status(307).header("location", &format!("http://127.0.0.1:9/?key={KEY}")),
        Reply::status(307).header("location", &format!("/v1/again?key={KEY}")),
    ]
}

/// Clients that send the key in all the ways there are.
fn ways(base_url: &str) -> Vec<(&'static str, ClientBuilder)> {
    let builder = || Client::builder().base_url(base_url).max_retries(0);
    vec![
        ("api_key", builder().api_key(KEY)),
        ("key_header", builder().api_key_header("api-key").api_key(KEY)),
        ("provider", builder().api_key_provider(|| async { Ok(KEY.to_owned()) })),
        ("header", builder().header("x-api-key", KEY)),
        ("authorization", builder().header("authorization", format!("Bearer {KEY}"))),
        ("query", builder().query("key", KEY)),
        ("query of the base URL", Client::builder().base_url(format!("{base_url}?api_key={KEY}")).max_retries(0)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_key_is_never_shown_even_when_the_server_repeats_it() {
    for (n, reply) in echoes().into_iter().enumerate() {
        let server = Server::start([reply]).await;
        for (way, builder) in ways(&server.base_url()) {
            assert!(!format!("{builder:?}").contains(KEY), "{way}");
            let client = builder.build().unwrap();
            assert!(!format!("{client:?} {:?}", client.chat()).contains(KEY), "{way}");
            let call = client.chat().create(hello());
            assert!(!format!("{call:?}").contains(KEY), "{way}");
            let error = call.await.unwrap_err();
            let all = everything(&error);
            assert!(!all.contains("sk-secret"), "echo {n}, {way}: {all}");
            let opened = client.chat().stream(hello()).await;
            if let Err(error) = opened {
                assert!(!everything(&error).contains("sk-secret"), "echo {n}, {way}, opening a stream");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_never_shown_by_a_stream_that_has_begun() {
    let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let bodies = [
        format!("{chunk}data: {{\"error\":{{\"message\":\"bad key {KEY}\",\"code\":\"{KEY}\"}}}}\n\n"),
        format!("{chunk}event: error\ndata: {KEY}\n\n"),
        format!("{chunk}data: {KEY}\n\n"),
        format!("<html>{KEY}</html>"),
        format!("{{\"error\":\"{KEY}\"}}"),
    ];
    for body in bodies {
        let server = Server::start([Reply::sse(&body)]).await;
        let mut stream = builder(&server).api_key(KEY).build().unwrap().chat().stream(hello()).await.unwrap();
        let error = loop {
            match stream.try_next().await {
                Ok(item) => assert!(item.is_some(), "{body}"),
                Err(error) => break error,
            }
        };
        assert!(!everything(&error).contains("sk-secret"), "{body}");
        assert_eq!(error.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_of_one_call_is_never_shown_either() {
    for reply in echoes() {
        let server = Server::start([reply]).await;
        let client = builder(&server).build().unwrap();
        let calls = [
            client.chat().create(hello()).header("authorization", format!("Bearer {KEY}")),
            client.chat().create(hello()).header("x-goog-api-key", KEY),
            client.chat().create(hello()).query("key", KEY),
        ];
        for call in calls {
            assert!(!format!("{call:?}").contains(KEY));
            let error = call.await.unwrap_err();
            assert!(!everything(&error).contains("sk-secret"), "{error:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_taken_out_of_the_accessors_too_and_the_rest_stays() {
    let body = json!({"error": {"message": format!("no such key: {KEY}!"), "hint": [KEY, "ask again"]}});
    let server = Server::start([Reply::status(401).header("x-seen", KEY).json(&body)]).await;
    let client = builder(&server).api_key(KEY).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    let api = error.api_error().unwrap();
    assert_eq!(api.message, "no such key: [redacted]!");
    assert_eq!(api.extra.get("hint").unwrap(), &json!(["[redacted]", "ask again"]));
    assert_eq!(error.body().unwrap(), body.to_string().replace(KEY, "[redacted]").as_bytes());
    assert_eq!(error.headers().unwrap()["x-seen"], "[redacted]");
    assert!(error.is_auth());
}

#[tokio::test(start_paused = true)]
async fn a_key_in_the_fault_of_an_own_service_is_not_shown() {
    let service = |request: http::Request<RequestBody>| async move {
        let cause = format!("GET {} with {:?} failed", request.uri(), request.headers()["x-api-key"].to_str());
        Err::<http::Response<ResponseBody>, _>(HttpError::new(HttpErrorKind::Connect, cause))
    };
    let client = Client::builder().base_url("http://localhost").header("x-api-key", KEY).query("token", KEY);
    let client = client.http_service(service).max_retries(0).build().unwrap();
    let error = client.get::<Value>("models").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let all = everything(&error);
    assert!(!all.contains("sk-secret") && all.contains("failed"), "{all}");
}

#[tokio::test(start_paused = true)]
async fn a_key_in_the_url_is_not_shown_when_the_server_is_not_there() {
    let client = Client::builder().base_url(format!("{}/v1?key={KEY}", refused_url())).max_retries(0).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!everything(&error).contains(KEY), "{error:?}");
    for bad in [format!("http://h:x/?key={KEY}"), format!("ftp://h/?key={KEY}"), format!("http://u:{KEY}@h/")] {
        let error = Client::builder().base_url(bad).build().unwrap_err();
        assert!(!everything(&error).contains(KEY), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_unusable_is_not_shown() {
    let bad = format!("{KEY}\n{KEY}");
    let errors = [
        Client::builder().api_key(&bad).build().unwrap_err(),
        Client::builder().header("x-api-key", &bad).build().unwrap_err(),
        Client::builder().api_key("k").build().unwrap().get::<Value>("m").header("x-api-key", &bad).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!everything(&error).contains(KEY), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_shows_no_headers() {
    let completion = json!({"choices": [{"message": {"content": "hello"}}]});
    let server = Server::start([Reply::ok_json(&completion).header("set-cookie", KEY)]).await;
    let client = builder(&server).api_key(KEY).build().unwrap();
    let response = client.chat().create(hello()).with_response().await.unwrap();
    assert!(!format!("{response:?} {response:#?}").contains(KEY));
    assert_eq!(response.headers()["set-cookie"], KEY);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_never_shown() {
    const PROMPT: &str = "my-secret-prompt";
    let request = || ChatRequest::new("m", [Message::user(PROMPT)]).user(PROMPT);
    let replies = [
        // FastAPI repeats the input beside its message.
        Reply::status(422).json(&json!({"detail": [{"loc": ["body"], "msg": "too long", "input": {"x": PROMPT}}]})),
        Reply::status(400).json(&json!({"error": {"message": "too long", "input": PROMPT}})),
        Reply::status(400).json(&json!({"message": "too long", "request": {"prompt": PROMPT}})),
        with_body(200, format!("{{\"choices\": [{{\"message\": {{\"content\": \"{PROMPT}")),
        with_body(200, format!("[\"{PROMPT}\", {{]")),
        with_body(200, format!("\"{PROMPT}\"")),
        Reply::ok_json(&json!({"echo": PROMPT})),
        Reply::ok_json(&json!({"echo": PROMPT})).cut_after(100),
        Reply::status(200).hang_before_headers(),
    ];
    for (n, reply) in replies.into_iter().enumerate() {
        let server = Server::start([reply]).await;
        let client = builder(&server).timeout(SECOND).build().unwrap();
        let call = client.chat().create(request());
        assert!(!format!("{call:?}").contains(PROMPT));
        let all = everything(&call.await.unwrap_err());
        assert!(!all.contains(PROMPT), "{n}: {all}");
    }
    let client = Client::builder().base_url(refused_url()).max_retries(0).build().unwrap();
    let error = client.chat().create(request()).await.unwrap_err();
    assert!(!everything(&error).contains(PROMPT));
    let form = Form::new().text("prompt", PROMPT).file("file", FileSource::bytes("a.txt", PROMPT));
    assert!(!format!("{form:?}").contains(PROMPT));
    let error = client.post_multipart::<Value>("files", form).await.unwrap_err();
    assert!(!everything(&error).contains(PROMPT));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_a_type_is_named_by_its_place_and_not_by_its_content() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "it is read only")]
    struct Ranked {
        results: Vec<Rank>,
    }
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "it is read only")]
    struct Rank {
        index: u32,
    }
    let body = json!({"results": [{"index": 0}, {"index": "a secret"}]});
    let server = Server::start([Reply::ok_json(&body)]).await;
    let error = builder(&server).build().unwrap().get::<Ranked>("rerank").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let all = everything(&error);
    assert!(all.contains("results[1].index") && all.contains("expected u32") && !all.contains("a secret"), "{all}");
    assert_eq!(error.body().unwrap(), body.to_string().as_bytes());
}

// ---- Display ----

#[tokio::test(start_paused = true)]
async fn display_is_one_line_with_status_code_request_and_attempts() {
    let body = json!({"error": {"message": "Not\nso\r\n fast.\u{2028}Wait\u{1b}[31m!", "code": "too\nfast"}});
    let reply = Reply::status(429).header("x-request-id", "req-1").header("retry-after", "121").json(&body);
    let error = error_of(reply).await;
    let expected = "API error: Not so fast. Wait\u{fffd}[31m! \
        (status 429, code too fast, request id req-1, retry after 121 s)";
    assert_eq!(error.to_string(), expected);
    let error = error_of(with_body(500, "x".repeat(100_000))).await;
    assert!(error.to_string().len() < 800, "{} bytes", error.to_string().len());
    assert!(format!("{error:?}").len() < 1500, "{} bytes", format!("{error:?}").len());
    assert_eq!(error_of(Reply::status(503)).await.to_string(), "API error (status 503)");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_reached_is_named_without_its_query() {
    let base_url = format!("{}/v1?key={KEY}", refused_url());
    let client = Client::builder().base_url(base_url).max_retries(0).build().unwrap();
    let shown = client.chat().create(hello()).await.unwrap_err().to_string();
    let start = format!("connection failed: {}: Connection refused", refused_url());
    assert!(shown.starts_with(&start), "{shown}");
    assert!(!shown.contains("key="), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_not_there_is_named_without_its_query() {
    for status in [404, 405] {
        let reply = Reply::status(status).json(&json!({"error": {"message": "File Not Found"}}));
        let server = Server::start([reply]).await;
        let call = builder(&server).build().unwrap().files().get("file-1").query("key", KEY);
        let expected = format!("API error: GET {}/files/file-1: File Not Found (status {status})", server.base_url());
        assert_eq!(call.await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn debug_shows_what_is_known_and_nothing_else() {
    let error = Client::builder().base_url("127.0.0.1:8080/v1").build().unwrap_err();
    let message = "invalid base URL: must start with `http://` or `https://`, for example `http://localhost:8080/v1`";
    assert_eq!(format!("{error:?}"), format!("invalid configuration: {message}"));
    assert_eq!(format!("{error:#?}"), format!("Error {{\n    kind: Config,\n    message: {message:?},\n}}"));
    assert!(Client::builder().base_url("localhost:8080/v1").build().unwrap_err().to_string().contains(message));
    let error = error_of(with_body(400, "no")).await;
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(format!("{error:#?}").starts_with("Error {\n    kind: Api,\n    status: 400,\n    api: ApiError {\n"));
    assert!(format!("{error:#?}").ends_with("    },\n    attempts: 1,\n}"), "{error:#?}");
}

#[tokio::test(start_paused = true)]
async fn display_does_not_repeat_the_source() {
    let client = Client::builder().base_url(refused_url()).max_retries(0).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    let mut source = error.source();
    assert!(source.is_some(), "the cause is kept");
    while let Some(cause) = source {
        assert!(!error.to_string().contains(&cause.to_string()), "{error} / {cause}");
        source = cause.source();
    }
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}

// ---- Bodies of all kinds ----

#[tokio::test(start_paused = true)]
async fn bodies_that_are_no_reply_are_decode_errors_that_keep_their_start() {
    let page = "<!doctype html><title>Welcome to nginx!</title>";
    let half = "{\"id\": \"c\", \"choices\": [{\"index\": 0, ";
    for (body, word) in [(page, "got HTML"), (half, "choices[0]"), ("", "empty"), ("5", "choices"), ("{}", "choices")] {
        let error = error_of(with_body(200, body).header("x-request-id", "req-1")).await;
        assert_eq!(error.kind(), ErrorKind::Decode, "{body}");
        assert_eq!((error.status().map(|s| s.as_u16()), error.request_id()), (Some(200), Some("req-1")), "{body}");
        assert_eq!(error.body().unwrap(), body.as_bytes());
        assert!(error.to_string().contains(word), "{body}: {error}");
        assert!(!error.is_retryable() && error.api_error().is_none(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn error_body_with_status_200_becomes_api_error() {
    let bodies = [
        json!({"error": {"message": "down", "code": 503}}),
        json!({"error": "down"}),
        json!({"detail": "down"}),
        json!({"message": "down", "choices": null, "error": true}),
        json!([{"error": {"message": "down"}}]),
        json!({"choices": [], "error": {"message": "down"}}),
        json!({"choices": null, "error": {"message": "down"}}),
    ];
    for body in bodies {
        let error = error_of(Reply::ok_json(&body)).await;
        assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::Api, Some(200)), "{body}");
        assert_eq!(error.api_error().unwrap().message, "down", "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_huge_error_is_read_in_part() {
    let piece = "0123456789".repeat(1000);
    for status in [400, 429, 500] {
        let server = Server::start([Reply::status(status).repeat(piece.clone(), 5_000)]).await;
        let error = builder(&server).build().unwrap().chat().create(hello()).await.unwrap_err();
        assert_eq!(error.status().map(|s| s.as_u16()), Some(status));
        assert_eq!(error.body().unwrap().len(), 64 * 1024);
        assert!(error.body().unwrap().starts_with(b"0123456789"));
        assert!(error.api_error().unwrap().message.len() <= 1 << 20);
        timeout(SECOND, server.closed()).await.unwrap();
        assert!(server.bytes_written() < 10_000_000, "{} of 50000000 bytes were sent", server.bytes_written());
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_is_cut_keeps_what_came() {
    let error = error_of(with_body(400, "the beginning").content_length(100).cut_after(usize::MAX)).await;
    assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::Api, Some(400)));
    assert_eq!(
        (&*error.api_error().unwrap().message, &error.body().unwrap()[..]),
        ("the beginning", &b"the beginning"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn further_members_of_an_error_are_kept() {
    let body = json!({"error": {"message": "m", "metadata": {"provider_name": "X"}}});
    let error = error_of(Reply::status(502).header("x-ratelimit-remaining-requests", "3").json(&body)).await;
    assert_eq!(error.api_error().unwrap().extra.get("metadata").unwrap(), &json!({"provider_name": "X"}));
    assert_eq!(error.headers().unwrap()["x-ratelimit-remaining-requests"], "3");
}

// ---- Predicates ----

#[tokio::test(start_paused = true)]
async fn predicates_classify_errors() {
    // In this order: rate limited, auth, not found, context length, quota, retryable.
    let cases: [(u16, Value, &str); 19] = [
        (400, json!({"error": {"message": "m"}}), "------"),
        (401, json!({"error": {"message": "m", "code": "invalid_api_key"}}), "-a----"),
        (403, json!({"detail": "no"}), "-a----"),
        (404, json!({"error": "no such model"}), "--n---"),
        (400, json!({"error": {"message": "m", "code": "model_not_found"}}), "--n---"),
        // LiteLLM
        (400, json!({"error": {"message": "/chat/completions: Invalid model name passed in model=x"}}), "--n---"),
        // llama.cpp
        (
            500,
            json!({"error": {"message": "input is too large to process. increase the physical batch size"}}),
            "---c--",
        ),
        (408, json!(null), "-----r"),
        (409, json!(null), "-----r"),
        (429, json!({"error": {"message": "m", "code": "rate_limit_exceeded"}}), "r----r"),
        (429, json!({"error": {"message": "m", "code": "insufficient_quota"}}), "----q-"),
        (429, json!({"error": {"message": "m", "type": "insufficient_quota"}}), "----q-"),
        (402, json!({"error": {"message": "no credits"}}), "----q-"),
        (500, json!(null), "-----r"),
        (529, json!(null), "-----r"),
        // OpenRouter: the status stands in the code.
        (200, json!({"error": {"message": "m", "code": 429}}), "r----r"),
        (200, json!({"error": {"message": "m", "code": 401}}), "-a----"),
        (200, json!({"error": {"message": "m", "code": 402}}), "----q-"),
        (200, json!({"error": {"message": "m", "code": "502"}}), "-----r"),
    ];
    for (status, body, expected) in cases {
        let error = error_of(Reply::status(status).json(&body)).await;
        assert_eq!(flags(&error), expected, "{status} {body}");
    }
}

fn flags(error: &Error) -> String {
    let flags = [
        (error.is_rate_limited(), 'r'),
        (error.is_auth(), 'a'),
        (error.is_not_found(), 'n'),
        (error.is_context_length_exceeded(), 'c'),
        (error.is_quota_exceeded(), 'q'),
        (error.is_retryable(), 'r'),
    ];
    flags.into_iter().map(|(is, letter)| if is { letter } else { '-' }).collect()
}

#[tokio::test(start_paused = true)]
async fn context_length_errors_of_all_servers_are_recognized() {
    let openai =
        json!({"error": {"message": "Too long.", "type": "invalid_request_error", "code": "context_length_exceeded"}});
    let llamacpp = json!({"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_ctx": 512}});
    let texts = [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        "Your input exceeds the context window of this model.",
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "prompt is too long: 200001 tokens > 200000 maximum",
        "Please reduce the length of the messages or completion.",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
    ];
    let gemini = json!([{"error": {"code": 400, "message": texts[2], "status": "INVALID_ARGUMENT"}}]);
    let flat = texts.iter().map(|text| json!({"object": "error", "message": text, "code": 400}));
    for body in [openai, llamacpp, gemini].into_iter().chain(flat) {
        let error = error_of(Reply::status(400).json(&body)).await;
        assert!(error.is_context_length_exceeded(), "{body}");
        assert_eq!(flags(&error), "---c--", "{body}");
    }
    for text in ["temperature must be at most 2", "max_tokens is too large", "the image is too long"] {
        let error = error_of(Reply::status(400).json(&json!({"error": {"message": text}}))).await;
        assert!(!error.is_context_length_exceeded(), "{text}");
    }
}
