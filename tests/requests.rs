//! What goes out on the wire: all cases of `vectors/requests.json`, with a table of the calls that exist.

mod support;

use std::time::Duration;

use openai_compatible::audio::TranscriptionRequest;
use openai_compatible::chat::{ChatRequest, Message};
use openai_compatible::embeddings::{EmbeddingInput, EmbeddingRequest};
use openai_compatible::files::{FileListRequest, FileRequest};
use openai_compatible::images::ImageRequest;
use openai_compatible::{Call, Client, ClientBuilder, Error, ErrorKind, FileSource, Form, Provider};
use serde_json::{Value, json};
use support::{Recorded, Reply, Server, fixture_json};

#[tokio::test(start_paused = true)]
async fn every_request_vector_holds() {
    let vectors = fixture_json("vectors/requests.json");
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 21, "a case was added or lost");
    let mut failures = Vec::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        failures.extend(play(case).await.into_iter().map(|difference| format!("{name}: {difference}")));
    }
    assert!(failures.is_empty(), "{} of the request vectors fail:\n{}", failures.len(), failures.join("\n"));
}

/// Plays a case and gives what differs from what it expects.
async fn play(case: &Value) -> Vec<String> {
    let server = Server::start([Reply::ok_json(&json!({"choices": [], "data": []}))]).await;
    let client = client(&server, &case["client"]).build().unwrap();
    let result = call(&client, case).await;
    let requests = server.requests();
    let expect = &case["expect"];
    if expect["error"].is_string() {
        let refused = result.is_err_and(|error| error.kind() == ErrorKind::Config) && requests.is_empty();
        return if refused { vec![] } else { vec!["it is sent, expected a config error".to_owned()] };
    }
    if let (Err(error), true) = (&result, requests.is_empty()) {
        return vec![format!("it is not sent: {error}")];
    }
    differences(&requests[0], expect)
}

// ---- The table of calls ----

/// The client of a case.
fn client(server: &Server, settings: &Value) -> ClientBuilder {
    // The server stands for OpenAI's own, which is known to send embeddings as base64.
    let openai = Client::builder().provider(Provider::OpenAi);
    let mut builder = openai.api_key("sk-test").base_url(server.base_url());
    for (name, value) in settings.as_object().unwrap() {
        builder = match (name.as_str(), value.as_str()) {
            ("organization", Some(id)) => builder.organization(id),
            ("project", Some(id)) => builder.project(id),
            ("base_suffix", Some(suffix)) => builder.base_url(server.base_url() + suffix),
            ("azure", None) => azure(server, &settings["azure"]),
            other => panic!("no such setting: {other:?}"),
        };
    }
    builder
}

fn azure(server: &Server, settings: &Value) -> ClientBuilder {
    let mut builder = Client::builder().azure_classic(server.url(), settings["api_version"].as_str().unwrap());
    if let Some(deployment) = settings["deployment"].as_str() {
        builder = builder.azure_deployment(deployment);
    }
    match settings["ad_token"].as_str() {
        Some(token) => builder.entra_token(token),
        None => builder.api_key("ak"),
    }
}

/// Makes the call of a case; routes without a resource are asked raw.
async fn call(client: &Client, case: &Value) -> Result<(), Error> {
    let (name, args) = (case["call"].as_str().unwrap(), &case["args"]);
    let options = &case["options"];
    let text = |name: &str| args[name].as_str().unwrap();
    match name {
        "chat.completions.create" => send(client.chat().create(chat_request(args, options)), options).await,
        "models.list" => send(client.get::<Value>("models"), options).await,
        "post /custom/path" => send(client.post::<Value>("/custom/path", args), options).await,
        // The case wants one more pair on top of that in the route.
        "get /custom?x=1" => send(client.get::<Value>("/custom?x=1").query("y", "2"), options).await,
        "models.retrieve" => send(client.models().get(text("model")), options).await,
        "files.list" => {
            let request = FileListRequest::new()
                .limit(args["limit"].as_u64().unwrap())
                .after(text("after"))
                .order(text("order"))
                .purpose(text("purpose"));
            send(client.files().list(request), options).await
        }
        "files.create" => {
            let mut request = FileRequest::new(file(&args["file"]), text("purpose"));
            if let Some(seconds) = args["expires_after"]["seconds"].as_u64() {
                request = request.expires_after(seconds);
            }
            send(client.files().create(request), options).await
        }
        "embeddings.create" => send(client.embeddings().create(embedding_request(args)), options).await,
        "audio.transcriptions.create" => {
            let granularities: Vec<String> = serde_json::from_value(args["timestamp_granularities"].clone()).unwrap();
            let request = TranscriptionRequest::new(text("model"), file(&args["file"]))
                .timestamp_granularities(granularities.iter().map(String::as_str))
                .temperature(args["temperature"].as_f64().unwrap());
            send(client.audio().transcribe(request), options).await
        }
        "images.generate" => {
            send(client.images().generate(ImageRequest::new(text("model"), text("prompt"))), options).await
        }
        "responses.create" => send(client.post::<Value>("responses", args), options).await,
        other => panic!("no such call: {other}"),
    }
}

async fn send<T: 'static>(mut call: Call<T>, options: &Value) -> Result<(), Error> {
    for (name, value) in options["extra_headers"].as_object().into_iter().flatten() {
        call = call.header(name, value.as_str().unwrap());
    }
    for (name, value) in options["extra_query"].as_object().into_iter().flatten() {
        for (name, value) in pairs(name, value) {
            call = call.query(name, value);
        }
    }
    if let Some(seconds) = options["timeout"].as_f64() {
        call = call.timeout(Duration::from_secs_f64(seconds));
    }
    call.await.map(drop)
}

/// A query has pairs of text only: lists and objects are the caller's to spell out.
fn pairs(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Null => vec![],
        Value::String(text) => vec![(name.to_owned(), text.clone())],
        Value::Array(items) => items.iter().flat_map(|item| pairs(&format!("{name}[]"), item)).collect(),
        Value::Object(members) => {
            members.iter().flat_map(|(member, value)| pairs(&format!("{name}[{member}]"), value)).collect()
        }
        other => vec![(name.to_owned(), other.to_string())],
    }
}

fn file(file: &Value) -> FileSource {
    FileSource::bytes(file["name"].as_str().unwrap(), file["utf8"].as_str().unwrap().to_owned())
}

fn embedding_request(args: &Value) -> EmbeddingRequest {
    let input: EmbeddingInput = serde_json::from_value(args["input"].clone()).unwrap();
    let request = EmbeddingRequest::new(args["model"].as_str().unwrap(), input);
    match args["encoding_format"].as_str() {
        Some(format) => request.encoding_format(format),
        None => request,
    }
}

fn chat_request(args: &Value, options: &Value) -> ChatRequest {
    let messages: Vec<Message> = serde_json::from_value(args["messages"].clone()).unwrap();
    let mut request = ChatRequest::new(args["model"].as_str().unwrap(), messages);
    let rest = args.as_object().unwrap().iter().filter(|(name, _)| !["model", "messages"].contains(&name.as_str()));
    for (name, value) in rest.chain(options["extra_body"].as_object().into_iter().flatten()) {
        request = request.extra(name, value.clone());
    }
    request
}

// ---- The comparison ----

fn differences(request: &Recorded, expect: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let mut check = |what: &str, got: Value, expected: Value| {
        if got != expected {
            differences.push(format!("{what} is {got}, expected {expected}"));
        }
    };
    check("method", json!(request.method), expect["method"].clone());
    let (path, query) = split(&request.target);
    let (expected_path, expected_query) = split(expect["raw_target"].as_str().unwrap());
    check("path", json!(path), json!(expected_path));
    check("query", json!(query), json!(expected_query));
    for (name, value) in expect["headers"].as_object().unwrap() {
        let got = request.header(name);
        // A boundary is random.
        let got = match value.as_str().and_then(|value| value.strip_suffix('*')) {
            Some(start) if got.is_some_and(|got| got.starts_with(start) && got.len() > start.len()) => value.as_str(),
            _ => got,
        };
        check(name, json!(got), value.clone());
    }
    if expect["multipart"].is_array() {
        check("parts", sorted(request.form_vectors()), sorted(expect["multipart"].as_array().unwrap().clone()));
    } else if expect.get("json").is_some() {
        check("body", request.json(), expect["json"].clone());
    } else {
        check("body", json!(String::from_utf8_lossy(&request.body)), json!(""));
        check("content-type", json!(request.header("content-type")), json!(null));
    }
    differences
}

/// The path, and the pairs of the query in an order of their own, all as they stand on the wire.
fn split(target: &str) -> (&str, Vec<&str>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    (path, pairs)
}

fn sorted(mut parts: Vec<Value>) -> Value {
    parts.sort_by_key(|part| (part["disposition"].to_string(), part["data"].to_string()));
    parts.into()
}

#[tokio::test(start_paused = true)]
async fn a_form_is_written_as_browsers_write_it() {
    let server = Server::start([Reply::ok_json(&json!({}))]).await;
    let client = client(&server, &json!({})).build().unwrap();
    let file = FileSource::bytes("über \"q\".txt", "x");
    let form = Form::new().text("purpose", "batch").text("expires_after[seconds]", "3600").file("file", file);
    let _: Value = client.post_multipart("files", form).await.unwrap();
    let expect = json!({"method": "POST", "raw_target": "/v1/files", "multipart": [
        {"disposition": "form-data; name=\"file\"; filename=\"über %22q%22.txt\"", "content-type": "text/plain", "data": "x"},
        {"disposition": "form-data; name=\"purpose\"", "data": "batch"},
        {"disposition": "form-data; name=\"expires_after[seconds]\"", "data": "3600"},
    ], "headers": {"content-type": "multipart/form-data; boundary=*"}});
    assert_eq!(differences(&server.requests()[0], &expect), Vec::<String>::new());
}
