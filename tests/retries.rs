//! Retries: all cases of `vectors/retry.json` over a real socket, and what the vectors leave out. Time is paused.

mod support;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{Call, Client, ClientBuilder, Error, ErrorKind, FileSource, Form, Response};
use serde_json::{Value, json};
use support::{Reply, Server, fixture_json, refused_url};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

// ---- The vectors ----

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn every_retry_vector_holds() {
    let vectors = fixture_json("vectors/retry.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 73, "a case was added or lost");
    let mut failures = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let differences = play(case).await;
        failures.extend(differences.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(failures.is_empty(), "{} of the retry vectors fail:\n{}", failures.len(), failures.join("\n"));
}

/// What one call came to.
struct Played {
    outcome: &'static str,
    /// As the client counts them.
    attempts: u32,
    stream_items: Option<u64>,
}

impl Played {
    fn new(result: Result<u32, Error>) -> Self {
        match result {
            Ok(attempts) => Played { outcome: "ok", attempts, stream_items: None },
            Err(error) => Played { outcome: outcome(&error), attempts: error.attempts(), stream_items: None },
        }
    }
}

/// The vectors' word for an error.
fn outcome(error: &Error) -> &'static str {
    match (error.kind(), error.status().map(|status| status.as_u16())) {
        (ErrorKind::Api, Some(400)) => "bad_request",
        (ErrorKind::Api, Some(401)) => "authentication",
        (ErrorKind::Api, Some(409)) => "conflict",
        (ErrorKind::Api, Some(429)) => "rate_limit",
        (ErrorKind::Api, Some(500..)) => "internal_server",
        (ErrorKind::Api, Some(_)) => "api_status",
        // A stream that breaks has an error kind of its own here.
        (ErrorKind::Connect | ErrorKind::Transport | ErrorKind::Stream, _) => "connection",
        (ErrorKind::Timeout, _) => "timeout",
        (ErrorKind::Decode, _) => "decode",
        _ => "another kind of error",
    }
}

/// Plays a case and gives what differs from what it expects.
async fn play(case: &Value) -> Vec<String> {
    let (request, script, expect) = (&case["request"], case["server_script"].as_array().unwrap(), &case["expect"]);
    let refused = request["refused_port"] == true;
    let replies = script.iter().map(reply).chain(script.is_empty().then(|| Reply::status(200)));
    let server = Server::start(replies).await;
    let mut builder = Client::builder().api_key("sk-test");
    builder = builder.base_url(if refused { refused_url() } else { server.base_url() });
    if let Some(retries) = case["client"]["max_retries"].as_u64() {
        builder = builder.max_retries(retries.try_into().unwrap());
    }
    if let Some(limit) = case["client"]["timeout_ms"].as_u64() {
        builder = builder.timeout(Duration::from_millis(limit));
    }
    let client = builder.build().unwrap();

    let started = Instant::now();
    let played = call(&client, request).await;
    let elapsed = started.elapsed();

    let mut differences = Vec::new();
    let mut check = |what: &str, got: &dyn Debug, expected: &dyn Debug| {
        let (got, expected) = (format!("{got:?}"), format!("{expected:?}"));
        if got != expected {
            differences.push(format!("{what} is {got}, expected {expected}"));
        }
    };
    let requests = server.requests();
    check("outcome", &played.outcome, &expect["outcome"].as_str().unwrap());
    check("number of requests", &requests.len(), &expect["attempts"].as_u64().unwrap());
    let header = |name: &str| requests.iter().map(|request| request.header(name)).collect::<Vec<_>>();
    let delays = expect["delays_ms"].as_array().unwrap();
    if let Some(methods) = expect["methods"].as_array() {
        // A redirect is followed within the attempt: no retry, no wait.
        check("attempts counted", &played.attempts, &1);
        check("retry count", &header("x-stainless-retry-count"), &vec![Some("0"); methods.len()]);
        let seen: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
        check("methods", &seen, &methods.iter().map(|method| method.as_str().unwrap()).collect::<Vec<_>>());
        check("time", &elapsed, &Duration::ZERO);
    } else {
        check("attempts counted", &u64::from(played.attempts), &(delays.len() as u64 + 1));
        let limit = case["client"]["timeout_ms"].as_u64().unwrap_or(0);
        let hung = |n: usize| {
            let step = &script[n.min(script.len() - 1)];
            // A status that is tried again is known from its head.
            if step["hang"].is_string() && step["status"].as_u64().is_none_or(|status| status < 400) {
                limit
            } else {
                0
            }
        };
        let waits: Vec<u64> = match refused {
            // Nobody sees the requests: only their sum can be measured.
            true => vec![elapsed.as_millis() as u64],
            false => server.delays().iter().enumerate().map(|(n, d)| d.as_millis() as u64 - hung(n)).collect(),
        };
        let mut ranges: Vec<[u64; 2]> =
            delays.iter().map(|range| [range[0].as_u64().unwrap(), range[1].as_u64().unwrap()]).collect();
        if refused {
            ranges = vec![ranges.iter().fold([0, 0], |sum, range| [sum[0] + range[0], sum[1] + range[1]])];
        }
        // The clock of the tests counts whole milliseconds.
        let fits = |(wait, range): (&u64, &[u64; 2])| *wait >= range[0] && *wait <= range[1] + 2;
        if waits.len() != ranges.len() || !waits.iter().zip(&ranges).all(fits) {
            check("waits in ms", &waits, &ranges);
        }
    }
    if let Some(items) = expect.get("stream_items") {
        check("items of the stream", &played.stream_items, &items.as_u64());
    }
    if let Some(counts) = expect["retry_count_header"].as_array() {
        let counts: Vec<_> = counts.iter().map(Value::as_str).collect();
        check("retry count", &header("x-stainless-retry-count"), &counts);
    }
    for name in expect["absent_headers"].as_array().into_iter().flatten() {
        check(name.as_str().unwrap(), &header(name.as_str().unwrap()), &vec![None::<&str>; requests.len()]);
    }
    let bodies: Vec<_> = requests.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
    if expect["bodies_identical"] == true {
        check("bodies", &bodies, &vec![&bodies[0]; bodies.len()]);
        check("first body is empty", &bodies[0].is_empty(), &false);
    }
    if let Some(content) = expect["body_contains_each_attempt"].as_str() {
        check("bodies that hold the file", &bodies.iter().filter(|body| body.contains(content)).count(), &bodies.len());
    }
    differences
}

/// Makes the call that a case names.
async fn call(client: &Client, request: &Value) -> Played {
    match request["op"].as_str().unwrap() {
        "chat.create" => Played::new(attempts(with_options(client.chat().create(hello()), request)).await),
        "chat.stream" => {
            let opened = with_options(client.chat().stream(hello()), request).with_response().await;
            let response = match opened {
                Ok(response) => response,
                Err(error) => return Played { stream_items: Some(0), ..Played::new(Err(error)) },
            };
            let attempts = response.attempts();
            let mut chunks = response.into_inner();
            let mut items = 0;
            let outcome = loop {
                match chunks.try_next().await {
                    Ok(Some(_)) => items += 1,
                    Ok(None) => break "ok",
                    Err(error) => break outcome(&error),
                }
            };
            Played { outcome, attempts, stream_items: Some(items) }
        }
        "models.list" => Played::new(attempts(with_options(client.get::<Value>("models"), request)).await),
        "files.create.reader" => {
            let content = || async { io::Result::Ok(io::Cursor::new("FILE-CONTENT-123")) };
            upload(client, request, FileSource::reader_fn("a.jsonl", content)).await
        }
        "files.create.unseekable" => {
            upload(client, request, FileSource::reader("a.jsonl", io::Cursor::new("FILE-CONTENT-123"))).await
        }
        other => panic!("no such call: {other}"),
    }
}

async fn upload(client: &Client, request: &Value, file: FileSource) -> Played {
    let form = Form::new().text("purpose", "batch").file("file", file);
    Played::new(attempts(with_options(client.post_multipart::<Value>("files", form), request)).await)
}

async fn attempts<T: 'static>(call: Call<T>) -> Result<u32, Error> {
    call.with_response().await.map(|response| response.attempts())
}

fn with_options<T>(mut call: Call<T>, request: &Value) -> Call<T> {
    if let Some(retries) = request["max_retries"].as_u64() {
        call = call.max_retries(retries.try_into().unwrap());
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        call = call.header(name, value.as_str().unwrap());
    }
    call
}

/// The reply of one step of a script.
fn reply(step: &Value) -> Reply {
    let body = match (&step["body"], step["status"].as_u64()) {
        (Value::String(text), _) => text.clone(),
        (Value::Null, Some(200)) => completion().to_string(),
        (Value::Null, _) => String::new(),
        (value, _) => value.to_string(),
    };
    let length = body.len();
    let mut reply = Reply::status(step["status"].as_u64().unwrap_or(200).try_into().unwrap()).body(body);
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        let date = value["http_date_offset_s"].as_i64().map(http_date);
        reply = reply.header(name, date.as_deref().or(value.as_str()).unwrap());
    }
    match (step["disconnect"].as_str(), step["hang"].as_str()) {
        (None, None) => reply,
        (Some("garbage"), _) => reply.garbage("garbage\r\n\r\n"),
        (Some("mid_body"), _) => reply.content_length(length + 10).cut_after(usize::MAX),
        (_, Some("before_headers")) => reply.hang_before_headers(),
        (_, Some("mid_body")) => reply.hang_after(length / 2),
        _ => panic!("no such step: {step}"),
    }
}

fn http_date(offset: i64) -> String {
    let seconds = Duration::from_secs(offset.unsigned_abs());
    let now = SystemTime::now();
    httpdate::fmt_http_date(if offset < 0 { now - seconds } else { now + seconds })
}

fn completion() -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}},
    ]})
}

fn hello() -> ChatRequest {
    ChatRequest::new("m", [Message::user("hi")])
}

// ---- What the vectors leave out ----

fn builder(server: &Server) -> ClientBuilder {
    Client::builder().base_url(server.base_url()).api_key("sk-test")
}

fn client(server: &Server) -> Client {
    builder(server).build().unwrap()
}

fn ok() -> Reply {
    Reply::ok_json(&completion())
}

fn failed(status: u16) -> Reply {
    Reply::status(status).json(&json!({"error": {"message": "scripted", "type": "t", "code": "c"}}))
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_spent_is_not_asked_again() {
    for (code, type_) in [(json!("insufficient_quota"), json!("x")), (json!(null), json!("insufficient_quota"))] {
        let body = json!({"error": {"message": "no credit", "code": code, "type": type_}});
        let server = Server::start([Reply::status(429).json(&body), ok()]).await;
        let error = client(&server).chat().create(hello()).await.unwrap_err();
        assert_eq!(server.requests().len(), 1, "{body}");
        assert!(error.is_quota_exceeded() && !error.is_rate_limited() && !error.is_retryable(), "{error:?}");
        assert_eq!(error.attempts(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn rate_limit_with_stalled_body_is_retried() {
    let server = Server::start([failed(429).hang_after(5), ok()]).await;
    client(&server).chat().create(hello()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    assert!(server.delays()[0] < 6 * SECOND, "{:?}", server.delays());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_hangs_is_a_refusal_and_no_timeout() {
    let server = Server::start([failed(401).hang_after(5)]).await;
    for (limit, most) in
        [(Duration::from_millis(400), Duration::from_millis(401)), (60 * SECOND, Duration::from_millis(5001))]
    {
        let started = Instant::now();
        let error = client(&server).chat().create(hello()).timeout(limit).await.unwrap_err();
        assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::Api, Some(401)), "{error}");
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_another_origin_is_refused_and_the_key_stays_here() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Server::start([ok()]).await;
        let target = elsewhere.base_url() + "/chat/completions";
        let server = Server::start([Reply::status(status).header("location", &target)]).await;
        let error = client(&server).chat().create(hello()).await.unwrap_err();
        assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::Api, Some(status)));
        assert!(error.to_string().contains(&elsewhere.url()), "it says where: {error}");
        assert_eq!((server.requests().len(), elsewhere.connections()), (1, 0), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_never_ends_is_an_error() {
    let server = Server::start([Reply::status(307).header("location", "/v1/again")]).await;
    let started = Instant::now();
    let error = client(&server).chat().create(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert!(error.to_string().contains("too many redirects"), "{error}");
    assert_eq!((server.requests().len(), started.elapsed()), (11, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_302_turns_a_post_into_a_get() {
    let server = Server::start([Reply::status(302).header("location", "elsewhere?x=1"), ok()]).await;
    client(&server).chat().create(hello()).await.unwrap();
    let second = &server.requests()[1];
    assert_eq!((second.method.as_str(), second.target.as_str()), ("GET", "/v1/chat/elsewhere?x=1"));
    assert!(second.body.is_empty());
    assert_eq!((second.header("content-type"), second.header("authorization")), (None, Some("Bearer sk-test")));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_303_turns_every_request_into_a_get() {
    let moved = || Reply::status(303).header("location", "/v1/moved");
    let server = Server::start([moved(), ok(), moved(), ok()]).await;
    client(&server).chat().create(hello()).await.unwrap();
    client(&server).delete::<Value>("things/1").await.unwrap();
    for n in [1, 3] {
        let second = &server.requests()[n];
        assert_eq!((second.method.as_str(), second.target.as_str()), ("GET", "/v1/moved"));
        assert!(second.body.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_does_not_turn_a_deletion_into_another_request() {
    for status in [301, 302, 307, 308] {
        let server = Server::start([Reply::status(status).header("location", "/v1/moved"), Reply::status(204)]).await;
        client(&server).delete::<()>("things/1").await.unwrap();
        let second = &server.requests()[1];
        assert_eq!((second.method.as_str(), second.target.as_str()), ("DELETE", "/v1/moved"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_308_sends_a_file_again() {
    let server = Server::start([Reply::status(308).header("location", "/v1/uploads"), ok()]).await;
    let form = Form::new().file("file", FileSource::bytes("a.txt", "FILE-CONTENT"));
    let _: Value = client(&server).post_multipart("files", form).await.unwrap();
    let second = &server.requests()[1];
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/v1/uploads"));
    assert!(String::from_utf8_lossy(&second.body).contains("FILE-CONTENT"));
}

#[tokio::test(start_paused = true)]
async fn the_total_timeout_counts_over_all_attempts_and_waits() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let client = builder(&server).timeout(10 * SECOND).total_timeout(25 * SECOND).max_retries(9).build().unwrap();
    let started = Instant::now();
    let error = client.chat().create(hello()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 3), "{error}");
    assert!(error.to_string().contains("total timeout of 25s"), "{error}");
    assert_eq!(started.elapsed().as_secs(), 25);
    // The call's own limit wins.
    let started = Instant::now();
    client.chat().create(hello()).total_timeout(3 * SECOND).await.unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_outlasts_the_total_timeout_gives_the_real_error_at_once() {
    let server = Server::start([failed(503).header("retry-after", "60"), ok()]).await;
    let started = Instant::now();
    let error = client(&server).chat().create(hello()).total_timeout(30 * SECOND).await.unwrap_err();
    assert_eq!((error.kind(), error.status().map(|s| s.as_u16())), (ErrorKind::Api, Some(503)), "{error}");
    assert_eq!(error.api_error().unwrap().message, "scripted");
    assert_eq!((error.retry_after(), error.attempts()), (Some(60 * SECOND), 1));
    assert_eq!((started.elapsed(), server.requests().len()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_fits_the_total_timeout_is_waited() {
    let server = Server::start([failed(503).header("retry-after", "20"), ok()]).await;
    client(&server).chat().create(hello()).total_timeout(30 * SECOND).await.unwrap();
    assert_eq!(server.delays()[0].as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_too_long_a_wait_is_quoted() {
    let server = Server::start([failed(429).header("retry-after", "3600"), ok()]).await;
    let error = client(&server).chat().create(hello()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(3600 * SECOND));
    assert!(error.to_string().contains("retry after 3600 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_two_minutes_is_the_longest_that_is_waited() {
    let server = Server::start([failed(503).header("retry-after", "120"), ok()]).await;
    client(&server).chat().create(hello()).await.unwrap();
    assert_eq!(server.delays()[0].as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn malformed_retry_after_is_ignored() {
    for wait in ["+inf", "-inf", "+nan", "+infinity", "1_0", ""] {
        let server = Server::start([failed(503).header("retry-after", wait), ok()]).await;
        client(&server).chat().create(hello()).await.unwrap();
        assert!(server.delays()[0] <= SECOND / 2, "{wait}: {:?}", server.delays());
    }
}

#[tokio::test(start_paused = true)]
async fn limits_without_end_are_no_limits() {
    let events = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let stream = Reply::status(200).header("content-type", "text/event-stream").pause(SECOND).piece(events);
    let server = Server::start([stream, ok()]).await;
    let client = builder(&server).timeout(Duration::MAX).total_timeout(Duration::MAX).idle_timeout(Duration::MAX);
    let client = client.build().unwrap();
    let mut chunks = client.chat().stream(hello()).await.unwrap();
    assert!(chunks.try_next().await.unwrap().is_some());
    assert!(chunks.try_next().await.unwrap().is_none());
    client.chat().create(hello()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_a_connect_error() {
    let client = Client::builder().base_url(refused_url()).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.status()), (ErrorKind::Connect, 3, None));
    assert!(error.is_retryable() && !error.is_timeout());
    assert!(error.to_string().to_lowercase().contains("refused"), "it says why: {error}");
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_made_in_time_is_a_connect_error_and_tried_again() {
    // A full queue of connections that nobody accepts: Linux answers no more of them.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = std::net::TcpStream::connect(address).unwrap();
    let client = Client::builder().base_url(format!("http://{address}")).connect_timeout(2 * SECOND);
    let started = Instant::now();
    let error = client.build().unwrap().chat().create(hello()).max_retries(1).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 2), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_key_provider_is_asked_at_each_attempt() {
    let server = Server::start([failed(500), failed(500), ok()]).await;
    let asked = AtomicUsize::new(0);
    let client = Client::builder().base_url(server.base_url()).api_key_provider(move || {
        let key = format!("key-{}", asked.fetch_add(1, Ordering::Relaxed));
        async { Ok(key) }
    });
    client.build().unwrap().chat().create(hello()).await.unwrap();
    let requests = server.requests();
    let keys: Vec<_> = requests.iter().map(|request| request.header("authorization").unwrap()).collect();
    assert_eq!(keys, ["Bearer key-0", "Bearer key-1", "Bearer key-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_provider_that_fails_or_gives_no_key_sends_nothing() {
    let server = Server::start([ok()]).await;
    for answer in [Err("the vault is locked"), Ok(""), Ok("a\nb")] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let client = Client::builder().base_url(server.base_url()).api_key_provider(move || {
            count.fetch_add(1, Ordering::Relaxed);
            async move { answer.map(str::to_owned).map_err(Into::into) }
        });
        let error = client.build().unwrap().chat().create(hello()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{answer:?}");
        assert_eq!((asked.load(Ordering::Relaxed), server.connections()), (1, 0), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_options_of_a_call_reach_the_wire_in_all_its_attempts() {
    let server = Server::start([failed(500), failed(500), failed(500)]).await;
    let client = builder(&server).header("x-tenant", "1").query("a", "1").build().unwrap();
    let call = client.chat().create(hello()).max_retries(1).header("X-Tenant", "7").header("x-more", "y");
    let error = call.query("b", "2 3").idempotency_key("once").await.unwrap_err();
    assert_eq!(error.attempts(), 2);
    assert_eq!(server.requests().len(), 2);
    for request in server.requests() {
        assert_eq!(request.target, "/v1/chat/completions?a=1&b=2+3");
        assert_eq!((request.header("x-tenant"), request.header("x-more")), (Some("7"), Some("y")));
        assert_eq!(request.header("idempotency-key"), Some("once"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_call_replaces_that_of_the_client() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let started = Instant::now();
    let error = client(&server).chat().create(hello()).timeout(7 * SECOND).max_retries(0).await.unwrap_err();
    assert!(error.is_timeout() && error.is_retryable());
    assert!(error.to_string().contains("7s"), "{error}");
    assert_eq!((started.elapsed().as_secs(), server.requests().len()), (7, 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_closes_its_connection() {
    for reply in [Reply::status(200).hang_before_headers(), ok().hang_after(10), failed(429).hang_after(10)] {
        let server = Server::start([reply.clone()]).await;
        let call = client(&server).chat().create(hello()).into_future();
        timeout(SECOND, call).await.expect_err("the server does not answer");
        timeout(SECOND, server.closed()).await.unwrap_or_else(|_| panic!("the connection stays open: {reply:?}"));
        assert_eq!((server.requests().len(), server.open_connections()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_that_waits_ends_it() {
    let server = Server::start([failed(503).header("retry-after", "60")]).await;
    timeout(SECOND, client(&server).chat().create(hello()).into_future()).await.expect_err("it waits");
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_cut_anywhere_is_tried_again() {
    let body = completion().to_string();
    for reset in [false, true] {
        // Over the head and the body; the whole reply is longer.
        for cut in (0..body.len() + 60).step_by(9) {
            let cut_reply = if reset { ok().reset_after(cut) } else { ok().cut_after(cut) };
            let server = Server::start([cut_reply, ok()]).await;
            let response = client(&server).chat().create(hello()).with_response().await;
            let response = response.unwrap_or_else(|error| panic!("cut after {cut}, reset {reset}: {error:?}"));
            assert_eq!((response.attempts(), &*response.text()), (2, "hello"), "cut after {cut}, reset {reset}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunked_reply_that_is_cut_is_tried_again_and_then_a_transport_error() {
    let body = completion().to_string();
    let (start, rest) = body.split_at(20);
    let cut = Reply::status(200).header("x-request-id", "req-1").piece(start.to_owned()).piece(rest.to_owned());
    let server = Server::start([cut.cut_after(150)]).await;
    let error = client(&server).chat().create(hello()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 3), "{error:?}");
    assert_eq!((error.status().map(|s| s.as_u16()), error.request_id()), (Some(200), Some("req-1")));
    assert!(error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn a_reply_over_the_size_limit_is_a_decode_error_and_is_not_read_on() {
    const LIMIT: usize = 100_000;
    let announced = Reply::status(200).content_length(50_000_000).repeat(vec![b'x'; 1000], 50_000);
    let chunked = Reply::status(200).repeat(vec![b'x'; 1000], 50_000);
    let one_chunk = Reply::status(200).piece(vec![b'x'; LIMIT + 1]);
    for reply in [announced, chunked, one_chunk] {
        let server = Server::start([reply]).await;
        let client = builder(&server).max_response_size(LIMIT).build().unwrap();
        let error = client.get::<Value>("models").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Decode, 1), "{error}");
        assert!(error.to_string().contains("limit of 100000 bytes"), "{error}");
        let body = error.body().unwrap();
        assert!(body.starts_with(b"xxxx") && body.len() <= 64 * 1024, "{} bytes", body.len());
        timeout(SECOND, server.closed()).await.unwrap();
        // Some hundred kilobytes are on their way when the limit is met.
        assert!(server.bytes_written() < 10_000_000, "{} bytes were sent", server.bytes_written());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_just_the_size_limit_is_read() {
    let body = completion().to_string();
    for reply in [ok(), Reply::status(200).piece(body.clone()), Reply::status(200).body(body.clone()).byte_wise()] {
        let server = Server::start([reply]).await;
        let client = builder(&server).max_response_size(body.len()).build().unwrap();
        assert_eq!(client.chat().create(hello()).await.unwrap().text(), "hello");
    }
}

#[tokio::test(start_paused = true)]
async fn closed_idle_connection_is_replaced() {
    let server = Server::start([ok(), ok().cut_after(usize::MAX), ok()]).await;
    let client = builder(&server).max_retries(0).build().unwrap();
    for connection in [0, 0, 1] {
        client.chat().create(hello()).await.unwrap();
        assert_eq!(server.requests().last().unwrap().connection, connection);
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_response_exposes_attempts_and_elapsed_time() {
    let late = Reply::status(200).pause(3 * SECOND).piece(completion().to_string());
    let server = Server::start([failed(503).header("retry-after", "2"), late]).await;
    let response: Response<_> = client(&server).chat().create(hello()).with_response().await.unwrap();
    assert_eq!((response.attempts(), response.elapsed().as_secs()), (2, 5));
}
