//! What real servers answer to `/responses`: each exchange of `fixtures/responses` is read, and no stream of them is ever
//! taken for whole when it was truncated.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use openai_compatible::responses::{Response, ResponseAccumulator, ResponseEvent, ResponseRequest};
use openai_compatible::{Client, Error, ErrorKind, HttpError, RequestBody, ResponseBody};
use serde_json::{Value, json};

/// An exchange as it was captured.
struct Exchange {
    name: String,
    method: String,
    path: String,
    is_stream: bool,
    status: u16,
    content_type: String,
    body: Bytes,
}

fn exchanges() -> Vec<Exchange> {
    let root = format!("{}/tests/fixtures/responses", env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).collect();
    files.sort_by_key(|file| file.as_ref().unwrap().path());
    files.into_iter().map(|file| read(&file.unwrap().path())).collect()
}

fn read(file: &std::path::Path) -> Exchange {
    let text = std::fs::read_to_string(file).unwrap();
    let (request, response) = text.split_once("\n< HTTP/1.1 ").unwrap();
    let (head, body) = response.split_once("\n<\n").unwrap();
    let mut request_line = request.trim_start_matches("> ").split(' ');
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.trim_start_matches("< ").split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    // What the capturing client noted about the transport.
    let body = body.split("\n# transport:").next().unwrap();
    Exchange {
        name: file
            .iter()
            .rev()
            .take(2)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .map(|part| part.to_str().unwrap())
            .collect::<Vec<_>>()
            .join("/"),
        method: request_line.next().unwrap().to_owned(),
        path: request_line.next().unwrap().to_owned(),
        is_stream: request.contains("\"stream\": true"),
        status: head.split(' ').next().unwrap().parse().unwrap(),
        content_type: header("content-type").unwrap(),
        body: Bytes::from(body.to_owned()),
    }
}

/// A client whose responses are this one, in these pieces.
fn client(status: u16, content_type: &str, pieces: Vec<Bytes>) -> Client {
    let content_type = content_type.to_owned();
    let pieces = Arc::new(pieces);
    let service = move |_: http::Request<RequestBody>| {
        let pieces = futures::stream::iter(pieces.to_vec());
        let body = ResponseBody::streamed(futures::StreamExt::map(pieces, Ok::<_, HttpError>));
        let response = http::Response::builder().status(status).header("content-type", content_type.clone());
        let response = response.body(body).unwrap();
        async move { Ok::<_, HttpError>(response) }
    };
    Client::builder().base_url("http://memory/v1").max_retries(0).http_service(service).build().unwrap()
}

async fn play(exchange: &Exchange, body: Bytes) -> Result<Response, Error> {
    let client = client(exchange.status, &exchange.content_type, vec![body]);
    let request = ResponseRequest::new("m", "Hi");
    match exchange.is_stream {
        true => client.responses().stream(&request).await?.collect().await,
        false => client.responses().create(&request).await,
    }
}

/// The JSON of the events of a body, read by hand.
fn events(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

/// The texts of an output, joined.
fn text(output: &Value) -> String {
    let items = output.as_array().into_iter().flatten().filter(|item| item["type"] == "message");
    let parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.filter_map(|part| part["text"].as_str()).collect()
}

/// Without fields that are null or empty, which equal missing ones.
fn without_empty(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), without_empty(value)));
            let is_empty = |value: &Value| {
                matches!(value, Value::Null) || *value == json!("") || *value == json!([]) || *value == json!({})
            };
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => items.iter().map(without_empty).collect(),
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number)),
        other => other.clone(),
    }
}

fn assert_same(response: &Response, wanted: &Value, name: &str) {
    assert_eq!(response.text(), text(&wanted["output"]), "{name}");
    assert_eq!(without_empty(&serde_json::to_value(response).unwrap()), without_empty(wanted), "{name}");
}

#[tokio::test]
async fn every_response_is_read_and_kept_whole() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for exchange in
        exchanges().iter().filter(|exchange| exchange.method == "POST" && exchange.path.ends_with("/responses"))
    {
        let name = &exchange.name;
        let result = play(exchange, exchange.body.clone()).await;
        let kind = match (exchange.status, exchange.is_stream) {
            (200, false) => {
                let wanted: Value = serde_json::from_slice(&exchange.body).unwrap();
                assert_same(&result.unwrap(), &wanted, name);
                "response"
            }
            (200, true) => {
                let events = events(&exchange.body);
                let last = events.last().unwrap();
                match last["type"].as_str().unwrap() {
                    "response.completed" | "response.incomplete" => {
                        assert_same(&result.unwrap(), &last["response"], name);
                        "stream"
                    }
                    "response.failed" => {
                        let error = result.unwrap_err();
                        let wanted = &last["response"]["error"]["message"];
                        assert_eq!(error.api_error().unwrap().message, wanted.as_str().unwrap(), "{name}");
                        assert_eq!(error.response().unwrap().status, "failed", "{name}");
                        "failed stream"
                    }
                    "error" => {
                        let error = result.unwrap_err();
                        assert_eq!(error.api_error().unwrap().message, last["message"].as_str().unwrap(), "{name}");
                        assert_eq!(error.api_error().unwrap().code.as_deref(), last["code"].as_str(), "{name}");
                        "error in a stream"
                    }
                    _ => {
                        let error = result.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Stream, "{name}: {error}");
                        assert!(error.response().is_some(), "{name}");
                        "truncated stream"
                    }
                }
            }
            (status, _) => {
                let error = result.unwrap_err();
                assert_eq!(error.status().unwrap().as_u16(), status, "{name}");
                assert_eq!(error.kind(), ErrorKind::Api, "{name}");
                assert!(!error.api_error().unwrap().message.is_empty(), "{name}");
                "error"
            }
        };
        *counts.entry(kind).or_default() += 1;
    }
    let wanted = [
        ("error", 15),
        ("error in a stream", 3),
        ("failed stream", 2),
        ("response", 31),
        ("stream", 11),
        ("truncated stream", 2),
    ];
    assert_eq!(counts, BTreeMap::from(wanted));
}

/// Streams that end well.
fn whole_streams() -> impl Iterator<Item = Exchange> {
    exchanges().into_iter().filter(|exchange| {
        let is_whole = || {
            events(&exchange.body)
                .last()
                .is_some_and(|last| last["type"] == "response.completed" || last["type"] == "response.incomplete")
        };
        exchange.is_stream && exchange.status == 200 && is_whole()
    })
}

#[tokio::test]
async fn stream_that_was_truncated_at_any_byte_is_an_error() {
    for exchange in whole_streams() {
        // From here on, the last event is complete.
        let marker = exchange.body.windows(6).rposition(|bytes| bytes == b"data: ").unwrap();
        let marker = match exchange.body[marker..].starts_with(b"data: [DONE]") {
            true => exchange.body[..marker].windows(6).rposition(|bytes| bytes == b"data: ").unwrap(),
            false => marker,
        };
        let end = marker + exchange.body[marker..].iter().position(|byte| *byte == b'\n').unwrap();
        let whole = play(&exchange, exchange.body.clone()).await.unwrap();
        // Each byte of a long stream would take minutes: there, those around the ends of events, and some between.
        let is_short = exchange.body.len() < 5500;
        let is_near_end = |at: usize| exchange.body[at.saturating_sub(2)..].iter().take(4).any(|byte| *byte == b'\n');
        for at in (0..exchange.body.len()).filter(|at| is_short || at % 17 == 0 || is_near_end(*at)) {
            let result = play(&exchange, exchange.body.slice(..at)).await;
            match result {
                Ok(response) => {
                    assert!(at >= end, "{} is taken for whole after {at} bytes", exchange.name);
                    assert_eq!(response, whole, "{} after {at} bytes", exchange.name);
                }
                Err(error) => {
                    assert!(at < end, "{} after {at} bytes: {error}", exchange.name);
                    assert_eq!(error.kind(), ErrorKind::Stream, "{} after {at} bytes: {error}", exchange.name);
                    let partial = error.response().map(|response| response.text().into_owned()).unwrap_or_default();
                    assert!(whole.text().starts_with(&partial), "{} after {at} bytes: {partial}", exchange.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn stream_in_any_pieces_is_the_same_response() {
    for exchange in whole_streams() {
        let whole = play(&exchange, exchange.body.clone()).await.unwrap();
        for size in [1, 7, 64] {
            let pieces = exchange.body.chunks(size).map(Bytes::copy_from_slice).collect();
            let client = client(200, &exchange.content_type, pieces);
            let events = client.responses().stream(ResponseRequest::new("m", "Hi")).await.unwrap();
            assert_eq!(events.collect().await.unwrap(), whole, "{} in pieces of {size}", exchange.name);
        }
    }
}

/// What servers leave out, each at a time and all at once.
#[test]
fn response_is_put_together_whatever_a_server_leaves_out() {
    let is_done = |event: &Value| event["type"].as_str().unwrap().ends_with(".done");
    let is_added = |event: &Value| event["type"].as_str().unwrap().ends_with(".added");
    let is_begin = |event: &Value| matches!(event["type"].as_str(), Some("response.created" | "response.in_progress"));
    for exchange in whole_streams() {
        let all = events(&exchange.body);
        let last = all.last().unwrap()["response"].clone();
        let has_deltas = all.iter().any(|event| event["type"].as_str().unwrap().ends_with(".delta"));
        let mut without_output = all.clone();
        without_output.last_mut().unwrap()["response"]["output"] = json!([]);
        let only = |keep: &dyn Fn(&Value) -> bool| -> Vec<Value> {
            without_output.iter().filter(|event| keep(event)).cloned().collect()
        };
        let mut variants =
            vec![all.clone(), only(&|_| true), only(&|event| !is_added(event)), only(&|event| !is_begin(event))];
        if has_deltas {
            variants.push(only(&|event| !is_done(event)));
            variants.push(only(&|event| !is_done(event) && !is_added(event) && !is_begin(event)));
        }
        for variant in variants {
            let mut accumulator = ResponseAccumulator::new();
            for event in &variant {
                accumulator.push(&serde_json::from_value::<ResponseEvent>(event.clone()).unwrap());
            }
            let response = accumulator.finish().unwrap();
            assert_eq!(response.text(), text(&last["output"]), "{}: {variant:#?}", exchange.name);
            let arguments = |value: &Value| -> Vec<Value> {
                let calls = value.as_array().into_iter().flatten().filter(|item| item["type"] == "function_call");
                calls.map(|call| serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap()).collect()
            };
            let output = serde_json::to_value(&response.output).unwrap();
            assert_eq!(arguments(&output), arguments(&last["output"]), "{}", exchange.name);
        }
    }
}

#[test]
fn events_of_every_exchange_are_written_as_they_were_read() -> Result<(), Infallible> {
    for exchange in exchanges().iter().filter(|exchange| exchange.content_type.starts_with("text/event-stream")) {
        for event in events(&exchange.body) {
            let read: ResponseEvent = serde_json::from_value(event.clone()).unwrap();
            let written = serde_json::to_value(&read).unwrap();
            assert_eq!(without_empty(&written), without_empty(&event), "{}", exchange.name);
            assert_eq!(read.sequence_number(), event["sequence_number"].as_u64());
            let is_known = !matches!(read, ResponseEvent::Other(_));
            assert_eq!(is_known, event["type"] != "error", "{}: {event}", exchange.name);
        }
    }
    Ok(())
}
