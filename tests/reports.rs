//! Public reports of other clients' users: each case of `fixtures/reports/manifest.json` over a real socket.

use std::time::Duration;

use openai_compatible::audio::TranscriptionRequest;
use openai_compatible::chat::{Accumulator, ChatCompletion, ChatRequest, Message, Tool, ToolSet};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::images::ImageRequest;
use openai_compatible::{Client, Error, FileSource};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

mod support;
use support::{Reply, Server, fixture, fixture_json};

/// Cases whose expectation does not hold, each with the reason why not.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// Cases that are procedures, each with the test that goes through it.
const PROCEDURES: [(&str, &str); 4] = [
    ("proc_azure_endpoint.json", "tests/client.rs: azure_endpoints_are_understood_as_the_portal_shows_them"),
    ("proc_image_without_ending.json", "tests/images.rs: image_without_extension_is_sent_with_the_type_of_its_content"),
    ("proc_reqwest_of_others.json", "tests/programs/other-reqwest: built and run by `.ci/run programs`"),
    ("proc_socks.json", "tests/client.rs: socks_proxy_of_the_environment_is_used"),
];

fn request() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

/// What the manifest can expect of a reply.
fn facts(reply: &ChatCompletion) -> Value {
    let calls = reply.tool_calls().iter().map(|call| {
        let arguments: Value = call.arguments().unwrap_or_else(|error| json!(error.to_string()));
        json!([call.name(), arguments])
    });
    json!({
        "text": reply.text(),
        "reasoning": reply.reasoning().unwrap_or_default(),
        "finish": reply.choices.first().and_then(|choice| choice.finish_reason.as_ref()).map(|reason| reason.as_str()),
        "calls": calls.collect::<Vec<_>>(),
        "total_tokens": reply.usage.as_ref().map(|usage| usage.total_tokens),
        "args_typed": true,
    })
}

fn failed(error: &Error) -> Value {
    json!({
        "error": {
            "kind": format!("{:?}", error.kind()),
            "has": error.to_string(),
            "rate_limited": error.is_rate_limited(),
            "retry_after": error.retry_after().map(|wait| wait.as_secs()),
        }
    })
}

fn outcome<T>(result: Result<T, Error>, facts: impl FnOnce(T) -> Value) -> Value {
    result.map_or_else(|error| failed(&error), facts)
}

async fn chat(client: &Client) -> Value {
    outcome(client.chat().create(request()).await, |reply| facts(&reply))
}

async fn chat_stream(client: &Client) -> Value {
    let read = async {
        let mut chunks = client.chat().stream(request()).await?;
        let mut accumulator = Accumulator::new();
        while let Some(chunk) = chunks.try_next().await? {
            accumulator.push(chunk);
        }
        Ok(accumulator.finish().expect("a stream has a chunk"))
    };
    outcome(read.await, |reply| facts(&reply))
}

/// Asks a server that answers with the case, and returns what came of it.
async fn ask(client: &Client, kind: &str) -> Value {
    match kind {
        "chat" | "error" => chat(client).await,
        "chat_stream" => chat_stream(client).await,
        "embeddings" => {
            outcome(client.embeddings().create(EmbeddingRequest::new("m", ["a", "b"])).await, |_| json!({}))
        }
        "images" => outcome(
            client.images().generate(ImageRequest::new("m", "a cat")).await,
            |images| json!({ "urls": images.data.iter().map(|image| image.url.clone()).collect::<Vec<_>>() }),
        ),
        "transcription" => {
            let file = FileSource::bytes("a.wav", "RIFF");
            let transcription = client.audio().transcribe(TranscriptionRequest::new("m", file)).await;
            outcome(transcription, |transcription| json!({ "text": transcription.text }))
        }
        other => panic!("the manifest has a new kind: {other}"),
    }
}

/// A tool run whose first reply is the case.
async fn ran(client: &Client) -> Value {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = count.clone();
    let tools = ToolSet::new().add(
        Tool::with_schema("delete_records", "Deletes records.", json!({ "type": "object" })),
        move |_: Value| {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async { "done" }
        },
    );
    let run = client.chat().run_tools(request(), &tools).max_rounds(1).await;
    let mut found = outcome(run.map(|_| ()), |()| json!({}));
    found["ran"] = json!(count.load(std::sync::atomic::Ordering::Relaxed));
    found
}

/// The message that goes back after the case.
async fn sent_back(message: Value) -> Value {
    let body = json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "tool_calls" }] });
    let server = Server::start([Reply::ok_json(&body)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let reply = client.chat().create(request()).await.unwrap();
    client.chat().create(request().message(reply)).await.unwrap();
    let mut message = server.requests()[1].json()["messages"][1].take();
    message.as_object_mut().unwrap().retain(|name, _| name != "refusal");
    json!({ "message": message })
}

/// A server that plays the scripts of its connections.
async fn scripted(script: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for steps in script["connections"].as_array().unwrap() {
            let (mut socket, _) = listener.accept().await.unwrap();
            for step in steps.as_array().unwrap() {
                if step["read"] == json!(true) {
                    let mut read = [0; 1 << 16];
                    assert!(socket.read(&mut read).await.unwrap() > 0);
                } else if let Some(text) = step["write"].as_str() {
                    socket.write_all(text.as_bytes()).await.unwrap();
                } else if let Some(text) = step["chunk"].as_str() {
                    socket.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.unwrap();
                } else if step["hold"] == json!(true) {
                    std::future::pending::<()>().await;
                }
            }
        }
    });
    format!("http://{address}/v1")
}

/// What a case expects and does not find.
fn missed(expected: &Value, found: &Value) -> Vec<String> {
    let holds = |name: &str, expected: &Value| match (name, expected) {
        ("error", Value::Object(facts)) => facts.iter().all(|(name, fact)| match name.as_str() {
            "has" => found["error"]["has"].as_str().is_some_and(|text| text.contains(fact.as_str().unwrap())),
            name => found["error"][name] == *fact,
        }),
        (name, expected) => found[name] == *expected,
    };
    let expected = expected.as_object().unwrap().iter();
    let missed = expected.filter(|(name, expected)| !holds(name, expected));
    missed.map(|(name, expected)| format!("{name} should be {expected}, found {found}")).collect()
}

#[tokio::test]
async fn every_report_of_the_manifest_is_handled() {
    let manifest = fixture_json("reports/manifest.json");
    let cases = manifest.as_array().unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let (file, kind) = (case["file"].as_str().unwrap(), case["kind"].as_str().unwrap());
        if PROCEDURES.iter().any(|(procedure, _)| *procedure == file) {
            continue;
        }
        let path = format!("reports/{file}");
        let client = |base_url: String| {
            let idle = Duration::from_millis(case["idle_ms"].as_u64().unwrap_or(10_000));
            Client::builder().base_url(base_url).max_retries(0).idle_timeout(idle).build().unwrap()
        };
        let found = match kind {
            "message_back" => sent_back(fixture_json(&path)).await,
            "wire_chat" => chat(&client(scripted(fixture_json(&path)).await)).await,
            "wire_chat_stream" => chat_stream(&client(scripted(fixture_json(&path)).await)).await,
            kind => {
                let mut reply = Reply::status(u16::try_from(case["status"].as_u64().unwrap()).unwrap());
                for (name, value) in case["headers"].as_object().unwrap() {
                    reply = reply.header(name, value.as_str().unwrap());
                }
                let server = Server::start([reply.body(fixture(&path))]).await;
                match kind {
                    "tool_run" => ran(&client(server.base_url())).await,
                    kind => ask(&client(server.base_url()), kind).await,
                }
            }
        };
        let missed = missed(&case["expect"], &found);
        let is_exception = EXCEPTIONS.iter().any(|(exception, _)| *exception == file);
        assert!(!is_exception || !missed.is_empty(), "{file} holds: no exception is needed");
        failures.extend(missed.iter().filter(|_| !is_exception).map(|missed| format!("{file}: {missed}")));
    }
    assert_eq!(cases.len(), 36);
    assert_eq!(failures, Vec::<String>::new());
}
