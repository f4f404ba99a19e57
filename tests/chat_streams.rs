//! Streams of chunks put together: each case of `fixtures/vectors/chat_stream.json` over a real socket.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, which clippy sees in test functions only"
)]

use openai_compatible::chat::{ChatEvent, ChatRequest, ChatStream, Message};
use openai_compatible::{Client, ErrorKind, Result};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server, fixture_json};

fn cases() -> Vec<Value> {
    fixture_json("vectors/chat_stream.json")["cases"].as_array().unwrap().clone()
}

async fn open(server: &Server) -> ChatStream {
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    client.chat().stream(ChatRequest::new("m", [Message::user("Hi")])).await.unwrap()
}

async fn serve(case: &Value) -> (Server, ChatStream) {
    let server = Server::start([Reply::sse(case["sse"].as_str().unwrap())]).await;
    let stream = open(&server).await;
    (server, stream)
}

/// Null and absent are the same.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[tokio::test]
async fn every_vector_is_put_together() {
    // Where our reply differs, and why.
    let exceptions = [
        // Timestamps are whole seconds.
        ("created_is_float", "/created", json!(1_700_000_001)),
    ];
    let cases = cases();
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (_server, stream) = serve(case).await;
        let mut expected = without_nulls(case["expected_final"].clone());
        for (_, pointer, value) in exceptions.iter().filter(|(exception, ..)| *exception == name) {
            *expected.pointer_mut(pointer).unwrap() = value.clone();
        }
        match stream.collect().await {
            Ok(reply) => {
                let found = without_nulls(serde_json::to_value(reply).unwrap());
                if found != expected {
                    failures.push(format!("{name}:\n  {found}\nshould be\n  {expected}"));
                }
            }
            Err(error) if expected.is_null() => assert_eq!(error.kind(), ErrorKind::Stream),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert_eq!(cases.len(), 45);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn events_of(stream: ChatStream) -> Result<Vec<ChatEvent>> {
    let mut events = stream.events();
    let mut all = Vec::new();
    while let Some(event) = events.try_next().await? {
        all.push(event);
    }
    Ok(all)
}

/// As the vectors write it, where the official client has such an event.
fn shown(event: &ChatEvent) -> Option<Value> {
    Some(match event {
        ChatEvent::ContentDelta { delta, .. } => json!({ "type": "content.delta", "delta": delta }),
        ChatEvent::ContentDone { content, .. } => json!({ "type": "content.done", "content": content }),
        ChatEvent::ToolCallDelta { call, name, delta, .. } => json!({
            "type": "tool_calls.function.arguments.delta", "name": name, "index": call, "arguments_delta": delta,
        }),
        ChatEvent::ToolCallDone { call, tool_call, .. } => json!({
            "type": "tool_calls.function.arguments.done",
            "name": tool_call.name(), "index": call, "arguments": tool_call.arguments_text(),
        }),
        ChatEvent::Logprobs { logprobs, .. } => {
            let tokens = logprobs.content.iter().flatten().map(|token| token.token.as_str());
            json!({ "type": "logprobs.content.delta", "content": tokens.collect::<Vec<_>>() })
        }
        _ => return None,
    })
}

/// The official client's events without what ours leave out: empty texts, and what the snapshot tells.
fn official(events: &Value) -> Vec<Value> {
    let events = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["delta"] != json!("") && event["type"] != json!("logprobs.content.done"));
    let mut events: Vec<_> = events.cloned().collect();
    for event in &mut events {
        if event["type"] == json!("tool_calls.function.arguments.delta") {
            event.as_object_mut().unwrap().remove("arguments");
        }
    }
    events
}

#[tokio::test]
async fn every_vector_gives_the_events_of_the_official_client() {
    // Where ours differ, and why.
    let exceptions = [
        // Ours are done at the end of the stream, when no finish reason came.
        (
            "finish_reason_missing_at_end",
            json!([
                {"type": "content.delta", "delta": "x"},
                {"type": "content.done", "content": "x"},
            ]),
        ),
        // Theirs are done whenever another call goes on: with arguments cut short, and never whole.
        (
            "parallel_tool_calls_interleaved",
            json!([
                {"type": "tool_calls.function.arguments.delta", "name": "fa", "index": 0, "arguments_delta": ""},
                {"type": "tool_calls.function.arguments.delta", "name": "fb", "index": 1, "arguments_delta": ""},
                {"type": "tool_calls.function.arguments.delta", "name": "fa", "index": 0, "arguments_delta": "{\"x\":"},
                {"type": "tool_calls.function.arguments.delta", "name": "fb", "index": 1, "arguments_delta": "{\"y\":"},
                {"type": "tool_calls.function.arguments.delta", "name": "fb", "index": 1, "arguments_delta": "2}"},
                {"type": "tool_calls.function.arguments.delta", "name": "fa", "index": 0, "arguments_delta": "1}"},
                {"type": "tool_calls.function.arguments.done", "name": "fa", "index": 0, "arguments": "{\"x\":1}"},
                {"type": "tool_calls.function.arguments.done", "name": "fb", "index": 1, "arguments": "{\"y\":2}"},
            ]),
        ),
        // Theirs are told when the next call begins; ours before it.
        (
            "parallel_tool_calls_sequential",
            json!([
                {"type": "tool_calls.function.arguments.delta", "name": "get_tide", "index": 0, "arguments_delta": ""},
                {"type": "tool_calls.function.arguments.delta", "name": "get_tide", "index": 0, "arguments_delta": "{\"port\":\"Cork\"}"},
                {"type": "tool_calls.function.arguments.done", "name": "get_tide", "index": 0, "arguments": "{\"port\":\"Cork\"}"},
                {"type": "tool_calls.function.arguments.delta", "name": "get_wind", "index": 1, "arguments_delta": ""},
                {"type": "tool_calls.function.arguments.delta", "name": "get_wind", "index": 1, "arguments_delta": "{\"unit\":"},
                {"type": "tool_calls.function.arguments.delta", "name": "get_wind", "index": 1, "arguments_delta": "\"kt\"}"},
                {"type": "tool_calls.function.arguments.done", "name": "get_wind", "index": 1, "arguments": "{\"unit\":\"kt\"}"},
            ]),
        ),
        // Theirs know calls of functions only.
        (
            "custom_tool_call",
            json!([
                {"type": "tool_calls.function.arguments.delta", "name": "shell", "index": 0, "arguments_delta": "ls"},
                {"type": "tool_calls.function.arguments.delta", "name": "shell", "index": 0, "arguments_delta": " -la"},
                {"type": "tool_calls.function.arguments.done", "name": "shell", "index": 0, "arguments": "ls -la"},
            ]),
        ),
    ];
    let mut failures = Vec::new();
    let mut compared = 0;
    for case in cases() {
        let (name, Some(expected)) = (case["name"].as_str().unwrap(), case.get("python_events")) else { continue };
        compared += 1;
        let (_server, stream) = serve(&case).await;
        let events = match events_of(stream).await {
            Ok(events) => events,
            Err(error) => {
                assert!(case["expected_final"].is_null(), "{name}: {error}");
                continue;
            }
        };
        let found: Vec<_> = events.iter().filter_map(shown).collect();
        let exception = exceptions.iter().find(|(exception, _)| *exception == name);
        let expected = exception.map_or_else(|| official(expected), |(_, events)| events.as_array().unwrap().clone());
        if found != expected {
            failures.push(format!("{name}:\n  {}\nshould be\n  {}", json!(found), json!(expected)));
        }
    }
    assert_eq!(compared, 32);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn events_say_once_what_is_done_and_end_with_the_reply() {
    for case in cases() {
        let (_server, stream) = serve(&case).await;
        let Ok(events) = events_of(stream).await else { continue };
        let (_server, stream) = serve(&case).await;
        let whole = stream.collect().await.unwrap();
        let name = &case["name"];

        let (mut text, mut arguments) = (vec![String::new(); 8], vec![vec![String::new(); 8]; 8]);
        let (mut contents, mut calls, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for event in &events {
            match event.clone() {
                ChatEvent::ContentDelta { index, delta } => text[index as usize] += &delta,
                ChatEvent::ToolCallDelta { index, call, delta, .. } => arguments[index as usize][call] += &delta,
                ChatEvent::ContentDone { index, content } => {
                    assert_eq!(content, text[index as usize], "{name}");
                    contents.push(index);
                }
                ChatEvent::ToolCallDone { index, call, tool_call } => {
                    assert_eq!(tool_call.arguments_text(), arguments[index as usize][call], "{name}");
                    calls.push((index, call, *tool_call));
                }
                ChatEvent::Finished { index, reason } => ends.push((index, reason)),
                _ => {}
            }
        }
        for choice in &whole.choices {
            let index = choice.index;
            let has_text = usize::from(!choice.message.text().is_empty());
            assert_eq!(contents.iter().filter(|known| **known == index).count(), has_text, "{name}");
            let reasons: Vec<_> = ends.iter().filter(|(known, _)| *known == index).map(|(_, reason)| reason).collect();
            assert_eq!(reasons, Vec::from_iter(&choice.finish_reason), "{name}");
            let mut done: Vec<_> = calls.iter().filter(|(known, ..)| *known == index).collect();
            done.sort_by_key(|(_, call, _)| *call);
            let done: Vec<_> = done.into_iter().map(|(.., call)| call.clone()).collect();
            assert_eq!(done, choice.message.tool_calls, "{name}");
        }
        assert_eq!(events.last(), Some(&ChatEvent::Completed(Box::new(whole))), "{name}");
    }
}
