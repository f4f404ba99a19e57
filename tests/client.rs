//! The client: base URLs, keys, headers, the environment, HTTP clients and services of the user's own, and responses.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::{
    Client, ClientBuilder, Error, ErrorKind, FileSource, Form, HttpError, HttpErrorKind, RequestBody, ResponseBody,
};
use serde_json::{Value, json};
use support::{Recorded, Reply, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OWN_AGENT: &str = concat!("openai-compatible/", env!("CARGO_PKG_VERSION"));

fn completion() -> Value {
    json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "hello"}}]})
}

fn hello() -> ChatRequest {
    ChatRequest::new("m", [Message::user("hi")])
}

/// What a client sends for `GET models`.
async fn sent(build: impl FnOnce(ClientBuilder, String) -> ClientBuilder) -> Recorded {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let builder = build(Client::builder(), server.url());
    builder.build().unwrap().get::<Value>("models").await.unwrap();
    server.requests().remove(0)
}

fn config_error(result: Result<impl Sized, Error>) -> String {
    let error = result.err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

// ---- Base URLs and routes ----

#[tokio::test]
async fn base_urls_are_taken_with_and_without_slash_path_and_query() {
    let forms = [
        ("", "/models"),
        ("/", "/models"),
        ("/v1", "/v1/models"),
        ("/v1/", "/v1/models"),
        ("/v1//", "/v1/models"),
        (" ", "/models"),
        ("/openai/v1#part", "/openai/v1/models"),
        ("/v1?tenant=t1", "/v1/models?tenant=t1"),
        ("/v1/?tenant=t1&x=a%20b", "/v1/models?tenant=t1&x=a+b"),
        ("/a b/é", "/a%20b/%C3%A9/models"),
    ];
    for (end, target) in forms {
        assert_eq!(sent(|builder, url| builder.base_url(url + end)).await.target, target, "{end:?}");
    }
}

#[test]
fn base_urls_that_lead_nowhere_are_refused() {
    let bad = [
        ("", "base URL"),
        ("/v1", "http://localhost:8080/v1"),
        ("localhost:8080/v1", "http://"),
        ("localhost", "http://localhost:8080/v1"),
        ("ftp://host/v1", "http://"),
        ("unix:run/llm.sock", "unix:///run/server.sock:/v1"),
        ("http://", "host"),
        ("http://host:99999/v1", "port"),
        ("http://user:password@host/v1", "user name or password"),
        ("http://user@host/v1", "user name or password"),
    ];
    for (url, word) in bad {
        let message = config_error(Client::builder().base_url(url).build());
        assert!(message.contains(word), "{url}: {message}");
    }
}

#[test]
fn the_base_url_can_be_read_without_its_query() {
    let client = Client::builder().base_url("http://[::1]:8080/v1/?key=k").build().unwrap();
    assert_eq!(client.base_url(), "http://[::1]:8080/v1");
    assert_eq!(Client::builder().api_key("k").build().unwrap().base_url(), "https://api.openai.com/v1");
}

#[tokio::test]
async fn ids_cannot_leave_their_route() {
    let server = Server::start([Reply::ok_json(&completion())]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    for id in ["", ".", ".."] {
        config_error(client.chat().get(id).await);
        config_error(client.chat().delete(id).await);
    }
    assert_eq!(server.connections(), 0);
    for (id, target) in
        [("../models", "..%2Fmodels"), ("%2e%2e", "%252e%252e"), ("a?b=c#d", "a%3Fb=c%23d"), ("é", "%C3%A9")]
    {
        client.chat().get(id).await.unwrap();
        assert_eq!(server.requests().last().unwrap().target, format!("/v1/chat/completions/{target}"));
    }
}

#[tokio::test]
async fn custom_paths_cannot_escape_the_base_url() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    for route in ["", "/", "../admin", "a/..", "a/%2E%2e/b", "a//b", "http://elsewhere/x", "a\\b", "a b", "a\nb", "a#b"]
    {
        config_error(client.get::<Value>(route).await);
    }
    assert_eq!(server.connections(), 0);
    for (route, target) in [
        ("models", "/v1/models"),
        ("/models", "/v1/models"),
        ("//elsewhere/x", "/v1/elsewhere/x"),
        ("rerank/", "/v1/rerank/"),
        ("a%2Fb:c@d", "/v1/a%2Fb:c@d"),
        ("modèles", "/v1/mod%C3%A8les"),
        ("models?limit=2&after=a%26b", "/v1/models?limit=2&after=a%26b"),
    ] {
        client.get::<Value>(route).await.unwrap();
        assert_eq!(server.requests().last().unwrap().target, target);
    }
}

#[tokio::test]
async fn an_empty_model_is_refused_before_anything_is_sent() {
    let server = Server::start([Reply::ok_json(&completion())]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let request = ChatRequest::new("", [Message::user("hi")]);
    assert!(config_error(client.chat().create(&request).await).contains("model"));
    assert!(config_error(client.chat().stream(&request).await).contains("model"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn custom_paths_take_every_method() {
    let server = Server::start([Reply::status(204)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    client.delete::<()>("things/1").await.unwrap();
    assert_eq!(client.post::<Option<Value>>("things", &json!({"a": 1})).await.unwrap(), None);
    client.get::<()>("things").await.unwrap();
    let requests = server.requests();
    let methods: Vec<_> = requests.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["DELETE", "POST", "GET"]);
    assert_eq!(requests[1].json(), json!({"a": 1}));
    assert!(requests[0].body.is_empty() && requests[2].body.is_empty());
}

// ---- Keys and headers ----

#[tokio::test]
async fn the_key_travels_as_asked() {
    let request = sent(|builder, url| builder.base_url(url)).await;
    assert_eq!(request.header("authorization"), None);
    let request = sent(|builder, url| builder.base_url(url).api_key("sk-1")).await;
    assert_eq!(request.header("authorization"), Some("Bearer sk-1"));
    let request = sent(|builder, url| builder.base_url(url).api_key("sk-1").api_key_header("api-key")).await;
    assert_eq!((request.header("api-key"), request.header("authorization")), (Some("sk-1"), None));
    let request = sent(|builder, url| builder.base_url(url).api_key("sk-1").header("Authorization", "Basic x")).await;
    assert_eq!(request.header("authorization"), Some("Basic x"));
}

#[test]
fn keys_and_headers_that_cannot_be_sent_are_refused() {
    for key in ["", "a\nb", "a\r\nx-evil: 1", "a\0"] {
        config_error(Client::builder().api_key(key).build());
        config_error(Client::builder().api_key(key).api_key_header("api-key").build());
    }
    for (name, value) in [("x-a", "b\r\nx-evil: 1"), ("x-a", "\0"), ("x a", "b"), ("", "b"), ("x-a\r\nx-evil", "b")] {
        config_error(Client::builder().header(name, value).build());
    }
    assert!(config_error(Client::builder().header("x-a", "b\n").build()).contains("x-a"), "it names the header");
    config_error(Client::builder().api_key_header("api key").api_key("k").build());
    config_error(Client::builder().organization("o\n").build());
    config_error(Client::builder().user_agent("a\n").build());
}

#[tokio::test]
async fn headers_of_one_call_that_cannot_be_sent_are_refused_when_it_is_awaited() {
    let server = Server::start([Reply::ok_json(&completion())]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    config_error(client.chat().create(hello()).header("x-a", "b\r\nx-evil: 1").await);
    config_error(client.chat().create(hello()).header("x a", "b").await);
    // The first mistake is the one that is told.
    let message = config_error(client.chat().get("").header("x a", "b").await);
    assert!(message.contains("id"), "{message}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_every_request_carries() {
    let request = sent(|builder, url| {
        let builder = builder.base_url(url).organization("org-1").project("proj-1").user_agent("my-app/1.2");
        builder.header("X-Tenant", "7").header("x-tenant", "8").query("a", "1").query("a", "2 é")
    })
    .await;
    assert_eq!(request.header("openai-organization"), Some("org-1"));
    assert_eq!(request.header("openai-project"), Some("proj-1"));
    assert_eq!(request.header("user-agent"), Some(&*format!("my-app/1.2 {OWN_AGENT}")));
    assert_eq!(request.header("x-tenant"), Some("8"));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.target, "/models?a=1&a=2+%C3%A9");
    let request = sent(|builder, url| builder.base_url(url)).await;
    assert_eq!(request.header("user-agent"), Some(OWN_AGENT));
    assert_eq!(request.header("openai-organization"), None);
    let request = sent(|builder, url| builder.base_url(url).header("user-agent", "mine").user_agent("x")).await;
    assert_eq!(request.header("user-agent"), Some("mine"));
}

#[tokio::test]
async fn the_query_of_base_url_client_route_and_call_come_together() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = Client::builder().base_url(server.base_url() + "?a=1").query("b", "2").build().unwrap();
    client.get::<Value>("models?c=3").query("d", "4&5").await.unwrap();
    assert_eq!(server.requests()[0].target, "/v1/models?a=1&b=2&c=3&d=4%265");
}

#[tokio::test]
async fn clones_share_their_connections() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    for _ in 0..3 {
        client.clone().get::<Value>("models").await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

// ---- HTTP clients and services of the user's own ----

#[cfg(feature = "rustls")]
#[tokio::test]
async fn own_reqwest_client_is_used() {
    let own = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let own = own.default_headers([(http::header::FROM, http::HeaderValue::from_static("me"))].into_iter().collect());
    let own = own.timeout(Duration::from_millis(50)).build().unwrap();
    let moved = Reply::status(307).header("location", "/v1/elsewhere");
    let replies = [moved, Reply::ok_json(&completion()), Reply::status(200).hang_before_headers()];
    let server = Server::start(replies).await;
    let client = Client::builder().base_url(server.base_url()).http_client(own).max_retries(0).build().unwrap();
    client.chat().create(hello()).await.unwrap();
    assert_eq!(server.requests()[1].target, "/v1/elsewhere");
    assert_eq!(server.requests()[1].header("from"), Some("me"));
    assert_eq!(client.chat().create(hello()).await.unwrap_err().kind(), ErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_a_service_and_retries_happen_above_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, calls) = (seen.clone(), AtomicUsize::new(0));
    let service = move |request: http::Request<RequestBody>| {
        assert!(request.headers()["authorization"].is_sensitive());
        let body = Bytes::copy_from_slice(request.body().as_bytes().unwrap());
        log.lock().unwrap().push((request.method().clone(), request.uri().to_string(), body));
        let status = if calls.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
        async move {
            let body = ResponseBody::from(completion().to_string());
            Ok::<_, HttpError>(http::Response::builder().status(status).body(body).unwrap())
        }
    };
    let client = Client::builder().base_url("http://made.up/v1").api_key("sk-1").http_service(service).build().unwrap();
    let response = client.chat().create(hello()).with_response().await.unwrap();
    assert_eq!((&*response.text(), response.attempts()), ("hello", 2));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
    assert_eq!((seen[0].0.as_str(), &*seen[0].1), ("POST", "http://made.up/v1/chat/completions"));
    assert_eq!(serde_json::from_slice::<Value>(&seen[0].2).unwrap()["model"], "m");
}

#[tokio::test]
async fn a_service_can_stream_its_reply() {
    let service = |_| async {
        let events = [
            "data: {\"choices\":[{\"delta\":{\"con",
            "tent\":\"hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n",
            "data: [DONE]\n\n",
        ];
        let chunks = futures::stream::iter(events).map(|event| Ok(Bytes::from(event)));
        Ok::<_, HttpError>(http::Response::new(ResponseBody::streamed(chunks)))
    };
    use futures::StreamExt;
    let client = Client::builder().base_url("http://made.up").http_service(service).build().unwrap();
    let mut chunks = client.chat().stream(hello()).await.unwrap();
    let mut text = String::new();
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        text += &chunk.text();
    }
    assert_eq!(text, "hello");
}

// ---- Responses ----

#[tokio::test]
async fn with_response_exposes_status_headers_and_rate_limits() {
    let reply = Reply::status(203)
        .header("x-request-id", "req-1")
        .header("x-ratelimit-limit-requests", "60")
        .header("x-ratelimit-remaining-requests", "59")
        .header("x-ratelimit-reset-requests", "6m0s")
        .header("x-ratelimit-limit-tokens", "150000.0")
        .header("x-ratelimit-remaining-tokens", "None")
        .header("x-ratelimit-reset-tokens", "17ms")
        .json(&completion());
    let server = Server::start([reply]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let response = client.chat().create(hello()).with_response().await.unwrap();
    assert_eq!((response.status().as_u16(), response.request_id(), response.attempts()), (203, Some("req-1"), 1));
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.body(), completion().to_string().as_bytes());
    assert!(response.elapsed() < Duration::from_secs(60));
    let limits = response.rate_limits();
    assert_eq!((limits.limit_requests, limits.remaining_requests), (Some(60), Some(59)));
    assert_eq!(limits.reset_requests, Some(Duration::from_secs(360)));
    assert_eq!((limits.limit_tokens, limits.remaining_tokens), (Some(150_000), None));
    assert_eq!(limits.reset_tokens, Some(Duration::from_millis(17)));
    // It reads like the value.
    assert_eq!((&*response.id, response.value().choices.len()), ("c", 1));
    assert_eq!(response.into_inner().text(), "hello");
}

#[tokio::test]
async fn a_request_id_is_found_under_the_names_of_all_servers() {
    for name in ["x-request-id", "apim-request-id", "x-litellm-call-id", "x-generation-id", "cf-ray", "request-id"] {
        let server = Server::start([Reply::ok_json(&completion()).header(name, "id-1")]).await;
        let client = Client::builder().base_url(server.base_url()).build().unwrap();
        let response = client.chat().create(hello()).with_response().await.unwrap();
        assert_eq!(response.request_id(), Some("id-1"), "{name}");
        let stream = client.chat().stream(hello()).await.unwrap();
        assert_eq!(stream.request_id(), Some("id-1"), "{name}");
    }
}

// ---- The environment ----

/// Runs `in_a_child` of this very binary with these variables and no others of their kind, and gives what it prints.
async fn child<V: AsRef<std::ffi::OsStr>>(variables: &[(&str, V)]) -> String {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_a_child", "--nocapture"]).env(CHILD, "1");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OPENAI_")) {
        command.env_remove(name);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once("CHILD ").map(|(_, line)| line.to_owned() + "\n"));
    assert!(output.status.success(), "{text}");
    lines.collect()
}

const CHILD: &str = "IN_A_CHILD_OF_A_TEST";

/// The child's part; by itself it has nothing to do.
#[tokio::test]
async fn in_a_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    match Client::from_env() {
        Ok(client) => {
            println!("CHILD base URL {}", client.base_url());
            if client.base_url().starts_with("http://127.0.0.1") || client.base_url().contains(".test/") {
                client.get::<Value>("models").await.unwrap();
            }
        }
        Err(error) => println!("CHILD {error}"),
    }
    let built = Client::builder().api_key("k").build().unwrap();
    println!("CHILD built {}", built.base_url());
}

const DEFAULT: &str = "base URL https://api.openai.com/v1\n";
const BUILT: &str = "built https://api.openai.com/v1\n";

#[tokio::test]
async fn the_environment_must_name_a_key_or_a_server() {
    for nothing in [&[][..], &[("OPENAI_API_KEY", " "), ("OPENAI_BASE_URL", "")], &[("OPENAI_ORG_ID", "o")]] {
        let said = child(nothing).await;
        assert!(said.contains("invalid configuration"), "{said}");
        assert!(said.contains("OPENAI_API_KEY") && said.contains("OPENAI_BASE_URL"), "{said}");
    }
    assert_eq!(child(&[("OPENAI_API_KEY", "sk-1")]).await, format!("{DEFAULT}{BUILT}"));
}

#[tokio::test]
async fn another_server_of_the_environment_needs_no_key() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    child(&[("OPENAI_BASE_URL", &server.base_url())]).await;
    let request = server.requests().remove(0);
    assert_eq!((request.header("authorization"), request.header("openai-organization")), (None, None));
}

#[tokio::test]
async fn the_environment_sets_key_organization_and_project() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let said = child(&[
        ("OPENAI_API_KEY", "sk-1\n"),
        ("OPENAI_BASE_URL", &server.base_url()),
        ("OPENAI_API_BASE", "http://elsewhere/v1"),
        ("OPENAI_ORG_ID", "org-1"),
        ("OPENAI_PROJECT_ID", "proj-1"),
    ])
    .await;
    // The builder does not read the environment.
    assert_eq!(said, format!("base URL {}\n{BUILT}", server.base_url()));
    let request = server.requests().remove(0);
    assert_eq!(request.header("authorization"), Some("Bearer sk-1"));
    assert_eq!(
        (request.header("openai-organization"), request.header("openai-project")),
        (Some("org-1"), Some("proj-1"))
    );
}

#[tokio::test]
async fn the_older_name_of_the_base_url_counts() {
    let said = child(&[("OPENAI_API_BASE", "http://elsewhere/v1"), ("OPENAI_BASE_URL", "")]).await;
    assert_eq!(said, format!("base URL http://elsewhere/v1\n{BUILT}"));
}

#[tokio::test]
async fn an_environment_that_is_unusable_is_an_error_that_shows_no_key() {
    let said = child(&[("OPENAI_API_KEY", "sk-secret\nsk-other")]).await;
    assert!(said.contains("invalid configuration: API key") && !said.contains("sk-"), "{said}");
    let said = child(&[("OPENAI_BASE_URL", "localhost:8080")]).await;
    assert!(said.contains("invalid configuration: invalid base URL"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn base_url_variable_that_is_not_unicode_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let url = std::ffi::OsStr::from_bytes(b"http://h\xffst/v1");
    let said = child(&[("OPENAI_API_KEY", "sk-1".as_ref()), ("OPENAI_BASE_URL", url)]).await;
    assert!(said.contains("invalid configuration: invalid base URL"), "{said}");
}

// ---- TLS, and what is shown ----

#[cfg(feature = "rustls")]
#[tokio::test]
async fn https_begins_with_a_handshake() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let first_byte = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        tokio::io::AsyncReadExt::read_u8(&mut connection).await.unwrap()
    });
    let client = Client::builder().base_url(format!("https://{address}/v1")).max_retries(0).build().unwrap();
    assert_eq!(client.get::<Value>("models").await.unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!(first_byte.await.unwrap(), 0x16);
}

#[test]
fn debug_shows_sizes_and_no_content() {
    let prompt = Bytes::from_static(b"the prompt");
    assert_eq!(format!("{:?}", RequestBody::from(prompt.clone())), "RequestBody(10 bytes)");
    assert!(format!("{:?}", ResponseBody::from(prompt.clone())).starts_with("ResponseBody"));
    let is_empty = |bytes: &Bytes| http_body::Body::is_end_stream(&RequestBody::from(bytes.clone()));
    assert!(is_empty(&Bytes::new()) && !is_empty(&prompt));
    let form = Form::new().text("model", "secret").file("file", FileSource::bytes("a.txt", prompt));
    let shown = format!("{form:?}");
    assert!(shown.contains("6 bytes") && shown.contains("a.txt"), "{shown}");
    assert!(!shown.contains("secret") && !shown.contains("prompt"), "{shown}");
    assert!(format!("{:?}", openai_compatible::DefaultHttp::new(Duration::from_secs(1))).starts_with("DefaultHttp"));
}

#[test]
fn transport_error_names_its_stage_and_cause() {
    for (kind, stage) in [
        (HttpErrorKind::Config, "invalid request"),
        (HttpErrorKind::Connect, "connection failed"),
        (HttpErrorKind::Timeout, "request timed out"),
        (HttpErrorKind::Interrupted, "connection interrupted"),
    ] {
        let error = HttpError::new(kind, "why");
        assert_eq!(error.to_string(), stage);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "why");
    }
}

#[tokio::test]
async fn what_a_stream_shows_is_its_status_and_no_content() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"secret\"}}]}\n\ndata: [DONE]\n\n";
    let server = Server::start([Reply::sse(body)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let mut stream = client.post_stream::<Value>("chat/completions", &json!({ "stream": true })).await.unwrap();
    stream.try_next().await.unwrap();
    let shown = format!("{stream:?}");
    assert!(shown.starts_with("EventStream") && !shown.contains("secret"), "{shown}");
}

// ---- What people get wrong ----

#[tokio::test]
async fn azure_endpoints_are_understood_as_the_portal_shows_them() {
    for end in ["", "/", "/openai", "/openai/", "/openai/v1", "/openai/v1/"] {
        let v1 = sent(|builder, url| builder.azure(url + end).api_key("k")).await;
        assert_eq!(v1.target, "/openai/v1/models", "{end}");
        let classic = sent(|builder, url| builder.azure_classic(url + end, "2024-10-21").api_key("k")).await;
        assert_eq!(classic.target, "/openai/models?api-version=2024-10-21", "{end}");
    }
    let target = "https://r.openai.azure.com/openai/deployments/gpt4o/chat/completions?api-version=2024-10-21";
    for builder in [
        Client::builder().azure(target),
        Client::builder().azure_classic(target, "2024-10-21"),
        Client::builder().base_url(target),
        Client::builder().azure("https://r.openai.azure.com/openai/deployments/gpt4o"),
    ] {
        let error = config_error(builder.api_key("k").build());
        assert!(error.contains("chat/completions") || error.contains("azure_deployment"), "{error}");
    }
}

#[test]
fn base_urls_that_cannot_be_right_are_refused_with_what_is_wrong() {
    for (base, part) in [
        ("http:///v1", "missing host"),
        ("http://localhost:8080/v1/chat/completions", "should be `/v1`"),
        ("http://localhost:8080/embeddings", "`/embeddings`"),
        ("http://localhost:8080/v1/responses/", "`/responses`"),
    ] {
        let error = config_error(Client::builder().base_url(base).build());
        assert!(error.contains(part), "{base}: {error}");
    }
    // Endpoints may stand in the middle, and `/models` is the base URL of Azure AI Foundry.
    for base in ["http://h/chat/completions/v1", "https://r.services.ai.azure.com/models"] {
        Client::builder().base_url(base).build().unwrap();
    }
}

#[tokio::test]
async fn keys_are_trimmed_and_what_was_pasted_by_mistake_is_refused() {
    for key in ["k", " k", "k\n", "\tk\r\n"] {
        let request = sent(|builder, url| builder.base_url(url).api_key(key)).await;
        assert_eq!(request.header("authorization"), Some("Bearer k"), "{key:?}");
        let key = key.to_owned();
        let provided =
            sent(|builder, url| builder.base_url(url).api_key_provider(move || std::future::ready(Ok(key.clone()))));
        assert_eq!(provided.await.header("authorization"), Some("Bearer k"));
    }
    for key in ["", " ", "\n", "\u{201c}sk-1\u{201d}", "a\nb", "\u{e9}", "a\u{7f}"] {
        let error = config_error(Client::builder().api_key(key).build());
        assert!(error.contains("API key"), "{error}");
    }
}

#[tokio::test]
async fn error_says_what_is_probably_wrong_with_the_base_url() {
    let gone = || Reply::status(404).body("404 page not found");
    let server = Server::start([
        gone(),
        gone(),
        Reply::status(200).header("content-type", "text/plain").body("Ollama is running"),
    ])
    .await;
    let ask = async |base: String| {
        let client = Client::builder().base_url(base).max_retries(0).build().unwrap();
        client.chat().create(hello()).await.unwrap_err().to_string()
    };
    assert!(ask(server.url()).await.contains("most base URLs end in `/v1`"));
    assert!(!ask(server.base_url()).await.contains("most base URLs"));
    let text = ask(server.url()).await;
    assert!(text.contains("expected JSON, got text: Ollama is running"), "{text}");
}

#[cfg(feature = "__rustls")]
#[tokio::test]
async fn https_to_a_plain_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let client = Client::builder().base_url(base).max_retries(0).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("the server may expect http://"), "{error}");
}

#[tokio::test]
async fn redirect_that_an_own_client_followed_to_another_origin_is_an_error() {
    let other = Server::start([Reply::ok_json(&completion())]).await;
    let moved = Reply::status(307).header("location", &format!("{}/v1/chat/completions", other.url()));
    let server = Server::start([moved]).await;
    let own = reqwest::Client::new();
    let client =
        Client::builder().base_url(server.base_url()).api_key("k").http_client(own).max_retries(0).build().unwrap();
    let error = client.chat().create(hello()).await.unwrap_err();
    assert!(error.to_string().contains("another origin"), "{error}");
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn redirect_without_a_usable_location_says_so() {
    for location in ["", "http://[", "\u{e9}"] {
        let server = Server::start([Reply::status(302).header("location", location)]).await;
        let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
        let error = client.chat().create(hello()).await.unwrap_err();
        assert!(error.to_string().contains("redirect"), "{location}: {error}");
    }
}

#[tokio::test]
async fn socks_proxy_of_the_environment_is_used() {
    let server = Server::start([Reply::ok_json(&completion())]).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (proxy_url, target) = (format!("socks5h://{}", proxy.local_addr().unwrap()), server.url());
    let port = target.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = proxy.accept().await.unwrap();
        // SOCKS 5 (RFC 1928): no authentication, one connection, which leads to the server whatever is requested.
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.unwrap();
        client.read_exact(&mut vec![0; usize::from(greeting[1])]).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 5];
        client.read_exact(&mut request).await.unwrap();
        client.read_exact(&mut vec![0; usize::from(request[4]) + 2]).await.unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    });
    child(&[
        ("ALL_PROXY", proxy_url.as_str()),
        ("NO_PROXY", ""),
        ("OPENAI_BASE_URL", "http://behind.the.proxy.test/v1"),
    ])
    .await;
    assert_eq!(server.requests()[0].header("host"), Some("behind.the.proxy.test"));
}
