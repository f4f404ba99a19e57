//! What servers do to the contract, rule by rule, read through chat. The numbers are those of the table of provider
//! dialects that the wire types were designed by: 2.1 absences, 2.2 types, 2.3 finish reasons, 2.4 tool calls,
//! 2.5 reasoning, 2.6 usage, 2.7 framing, 2.8 errors, 2.9 headers.
//!
//! The generic half of the proof stands beside every wire type: see `src/wire/proof.rs`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, which clippy sees in test functions only"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use openai_compatible::chat::{Accumulator, ChatCompletion, ChatRequest, Message};
use openai_compatible::{Client, Error};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server};

/// What a server answers.
enum Body {
    /// 200 with this JSON.
    Json(Value),
    /// 200 with these chunks as events, and the end mark.
    Chunks(Vec<Value>),
    /// 200 with this event stream.
    Events(&'static str),
    /// This status and body.
    Status(u16, &'static str),
}
use Body::{Chunks, Events, Json, Status};

/// The number of the rule, what a server does, its answer, and what must come of it: a part of the facts.
type Case = (u32, &'static str, Body, Value);

fn request() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn facts(reply: ChatCompletion) -> Value {
    let calls = reply.tool_calls().iter();
    json!({
        "text": reply.text(),
        "reasoning": reply.reasoning(),
        "calls": calls.map(|call| json!([call.id, call.name(), call.arguments_text()])).collect::<Vec<_>>(),
        "finish": reply.finish_reason(),
        "usage": reply.usage,
        "answers": reply.choices.len(),
        "reply": reply,
        // What goes into the next request.
        "back": Message::from(reply),
    })
}

fn failure(error: &Error) -> Value {
    json!({
        "error": format!("{:?}", error.kind()),
        "status": error.status().map(|status| status.as_u16()),
        "message": error.api_error().map(|api| api.message.clone()),
        "code": error.api_error().map(|api| api.code.clone()),
        "type": error.api_error().map(|api| api.type_.clone()),
        "param": error.api_error().map(|api| api.param.clone()),
        "extra": error.api_error().map(|api| api.extra.clone()),
    })
}

async fn ask(body: Body) -> Value {
    let is_stream = matches!(body, Chunks(_) | Events(_));
    let reply = match body {
        Json(json) => Reply::ok_json(&json),
        Chunks(chunks) => {
            let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
            Reply::sse(&(events + "data: [DONE]\n\n"))
        }
        Events(events) => Reply::sse(events),
        Status(status, body) => Reply::status(status).body(body),
    };
    let server = Server::start([reply]).await;
    let client = client(&server);
    if !is_stream {
        return client.chat().create(request()).await.map_or_else(|error| failure(&error), facts);
    }
    let mut stream = client.chat().stream(request()).await.unwrap();
    let (mut accumulator, mut error) = (Accumulator::new(), None);
    let mut chunks = 0;
    loop {
        match stream.try_next().await {
            Ok(Some(chunk)) => accumulator.push(chunk),
            Ok(None) => break,
            Err(failed) => {
                error = Some(failure(&failed));
                break;
            }
        }
        chunks += 1;
    }
    let mut all = accumulator.finish().map(facts).unwrap_or_else(|| json!({}));
    all["chunks"] = json!(chunks);
    for (name, value) in error.iter().flat_map(|error| error.as_object().unwrap()) {
        all[name] = value.clone();
    }
    all
}

/// True when all that is expected is found.
fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, expected)| holds(expected, found.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| holds(expected, found))
        }
        (expected, found) => expected == found,
    }
}

/// Rules that other routes are needed for: their tests are with those resources.
const ELSEWHERE: [(u32, &str); 4] = [(10, "batches and files"), (11, "responses"), (18, "embeddings"), (22, "audio")];

async fn check(section: &str, rules: &[u32], cases: Vec<Case>) {
    let mut failures = Vec::new();
    let seen: BTreeSet<u32> = cases.iter().map(|(rule, ..)| *rule).collect();
    for (rule, what, body, expected) in cases {
        let found = ask(body).await;
        if !holds(&expected, &found) {
            failures.push(format!("rule {rule}, {what}:\n  {found}\nshould hold\n  {expected}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let elsewhere = ELSEWHERE.iter().map(|(rule, _)| *rule);
    let all: BTreeSet<u32> = seen.into_iter().chain(elsewhere.filter(|rule| rules.contains(rule))).collect();
    assert_eq!(all, rules.iter().copied().collect(), "{section}: each rule has a case");
}

/// A reply with this message.
fn said(message: Value) -> Body {
    Json(json!({ "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }))
}

/// A reply that says `x`, with these members beside the choices.
fn with(members: Value) -> Body {
    let mut reply = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "x" } }] });
    reply.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Json(reply)
}

/// A reply whose choice is this.
fn choice(choice: Value) -> Body {
    Json(json!({ "choices": [choice] }))
}

fn of_choice(choice: Value) -> Value {
    json!({ "choices": [choice] })
}

/// A chunk with this delta.
fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

fn end(reason: &str) -> Value {
    json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })
}

/// A chunk with a piece of a tool call.
fn piece(call: Value) -> Value {
    delta(json!({ "tool_calls": [call] }))
}

#[tokio::test]
async fn nulls_absences_and_empty_values() {
    check("2.1", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], vec![
        (1, "everything but the text is missing", choice(json!({ "message": { "content": "x" } })), json!({ "text": "x" })),
        (
            1,
            "everything but the text is null",
            Json(json!({
                "id": null, "object": null, "created": null, "model": null, "usage": null, "service_tier": null,
                "system_fingerprint": null, "metadata": null, "moderation": null,
                "choices": [{ "index": null, "finish_reason": null, "logprobs": null, "message": {
                    "role": null, "content": "x", "refusal": null, "tool_calls": null, "function_call": null,
                    "annotations": null, "audio": null, "reasoning": null, "reasoning_content": null,
                } }],
            })),
            json!({ "text": "x", "calls": [], "usage": null, "finish": null }),
        ),
        (1, "choices are null", Json(json!({ "choices": null })), json!({ "text": "", "answers": 0 })),
        (
            1,
            "choices of a chunk are null or missing",
            Chunks(vec![json!({ "id": "a", "choices": null }), json!({ "id": "a" }), delta(json!({ "content": "x" })), end("stop")]),
            json!({ "text": "x", "chunks": 4 }),
        ),
        (
            2,
            "system_fingerprint is null on chunks",
            Chunks(vec![json!({ "system_fingerprint": null, "choices": [{ "delta": { "content": "x" }, "finish_reason": "stop" }] })]),
            json!({ "text": "x" }),
        ),
        (
            3,
            "the role is null, empty, or repeated",
            Chunks(vec![
                delta(json!({ "role": "assistant", "content": "a" })),
                delta(json!({ "role": null, "content": "b" })),
                delta(json!({ "role": "", "content": "c" })),
                delta(json!({ "role": "assistant", "content": "d" })),
                end("stop"),
            ]),
            json!({ "text": "abcd", "reply": { "choices": [{ "message": { "role": "assistant" } }] } }),
        ),
        (
            4,
            "id and model are empty, created is 0 (TGI, llama.cpp, Azure)",
            with(json!({ "id": "", "model": "", "created": 0 })),
            json!({ "text": "x" }),
        ),
        (4, "the id is null (Gemini)", with(json!({ "id": null })), json!({ "text": "x" })),
        (
            4,
            "the first chunk is empty (Azure)",
            Chunks(vec![
                json!({ "id": "", "model": "", "object": "", "created": 0, "choices": [], "prompt_filter_results": [{ "prompt_index": 0 }] }),
                json!({ "id": "a", "model": "m", "created": 5, "choices": [{ "delta": { "content": "x" }, "finish_reason": "stop" }] }),
            ]),
            json!({ "text": "x", "reply": { "id": "a", "model": "m", "created": 5, "prompt_filter_results": [{ "prompt_index": 0 }] } }),
        ),
        (5, "the object is empty", with(json!({ "object": "" })), json!({ "text": "x" })),
        (
            5,
            "the object is missing, of another kind, or ends in .done",
            Chunks(vec![
                delta(json!({ "content": "a" })),
                json!({ "object": "text_completion", "choices": [{ "delta": { "content": "b" } }] }),
                json!({ "object": "chat.completion.done", "choices": [{ "delta": { "content": "c" }, "finish_reason": "stop" }] }),
            ]),
            json!({ "text": "abc", "reply": { "object": "chat.completion" } }),
        ),
        (
            6,
            "there is no content beside tool calls",
            said(json!({ "role": "assistant", "tool_calls": [{ "id": "1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] })),
            json!({ "text": "", "calls": [["1", "f", "{}"]] }),
        ),
        (
            6,
            "the content of the opening chunk is null",
            Chunks(vec![delta(json!({ "role": "assistant", "content": null })), delta(json!({ "content": "x" })), end("stop")]),
            json!({ "text": "x" }),
        ),
        (
            7,
            "there is no refusal, no logprobs, no annotations",
            choice(json!({ "index": 0, "message": { "role": "assistant", "content": "x" }, "finish_reason": "stop" })),
            json!({ "text": "x", "finish": "stop" }),
        ),
        (
            8,
            "finish_reason and delta are missing until the end",
            Chunks(vec![
                json!({ "choices": [{ "index": 0, "delta": { "content": "x" } }] }),
                json!({ "choices": [{ "index": 0 }] }),
                json!({ "choices": [{ "index": 0, "delta": null, "finish_reason": "stop" }] }),
            ]),
            json!({ "text": "x", "finish": "stop" }),
        ),
        (9, "no finish reason ever comes", Chunks(vec![delta(json!({ "content": "x" }))]), json!({ "text": "x", "finish": null, "error": null })),
        (
            9,
            "neither a finish reason nor the end mark comes: then it may have been cut off",
            Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"),
            json!({ "text": "x", "error": "Stream" }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn types_that_vary() {
    let calls = |call: Value| said(json!({ "tool_calls": [call] }));
    let logprobs = |logprobs: Value| choice(json!({ "message": { "content": "x" }, "logprobs": logprobs }));
    let kept = |logprobs: Value| json!({ "text": "x", "reply": { "choices": [{ "logprobs": logprobs }] } });
    let refused = |body: &'static str| Status(400, body);
    check("2.2", &[12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23], vec![
        (
            12,
            "content is a list of parts, some of them unknown (Mistral)",
            said(json!({ "content": [
                { "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] },
                { "type": "reference", "reference_ids": [1] },
                { "type": "text", "text": "x" },
                "y",
            ] })),
            json!({ "text": "xy", "reasoning": "hm", "back": { "content": [{}, { "type": "reference", "reference_ids": [1] }, {}, "y"] } }),
        ),
        (
            12,
            "content of deltas is a list of parts (Mistral)",
            Chunks(vec![
                delta(json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "h" }] }] })),
                delta(json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "m" }] }] })),
                delta(json!({ "content": [{ "type": "text", "text": "x" }] })),
                delta(json!({ "content": "y" })),
                end("stop"),
            ]),
            json!({ "text": "xy", "reasoning": "hm" }),
        ),
        (13, "the code of an error is text", refused(r#"{"error":{"message":"a","code":"c","param":"p"}}"#), json!({ "code": "c", "param": "p" })),
        (13, "the code of an error is a number", refused(r#"{"error":{"message":"a","code":400,"param":3}}"#), json!({ "message": "a", "code": "400", "param": "3" })),
        (13, "the code of an error is null", refused(r#"{"error":{"message":"a","code":null,"param":null}}"#), json!({ "message": "a", "code": null })),
        (13, "the code of an error is missing", refused(r#"{"error":{"message":"a","param":{"a":1}}}"#), json!({ "message": "a", "code": null })),
        (
            14,
            "sets of words are open",
            with(json!({ "service_tier": "on_demand" })),
            json!({ "text": "x", "reply": { "service_tier": "on_demand" } }),
        ),
        (14, "roles are open", said(json!({ "role": "model", "content": "x" })), json!({ "back": { "role": "assistant" }, "reply": { "choices": [{ "message": { "role": "model" } }] } })),
        (15, "arguments are an object", calls(json!({ "function": { "name": "f", "arguments": { "a": 1 } } })), json!({ "calls": [["", "f", "{\"a\":1}"]] })),
        (15, "arguments are empty", calls(json!({ "function": { "name": "f", "arguments": "" } })), json!({ "calls": [["", "f", ""]] })),
        (15, "arguments are missing", calls(json!({ "function": { "name": "f" } })), json!({ "calls": [["", "f", ""]] })),
        (15, "arguments are null", calls(json!({ "function": { "name": "f", "arguments": null } })), json!({ "calls": [["", "f", ""]] })),
        (
            15,
            "arguments of a delta are an object",
            Chunks(vec![piece(json!({ "index": 0, "id": "1", "function": { "name": "f", "arguments": { "a": 1 } } })), end("tool_calls")]),
            json!({ "calls": [["1", "f", "{\"a\":1}"]] }),
        ),
        (
            16,
            "calls of a whole reply have an index, and no type",
            calls(json!({ "index": 0, "id": "1", "function": { "name": "f", "arguments": "{}" } })),
            json!({ "calls": [["1", "f", "{}"]], "back": { "tool_calls": [{ "type": "function" }] } }),
        ),
        (17, "timestamps are floats", with(json!({ "created": 1756892755.0 })), json!({ "reply": { "created": 1756892755 } })),
        (17, "timestamps are text", with(json!({ "created": "1756892755" })), json!({ "reply": { "created": 1756892755 } })),
        (17, "timestamps are dates: kept as they are", with(json!({ "created": "2026-01-01T00:00:00Z" })), json!({ "text": "x", "reply": { "created": "2026-01-01T00:00:00Z" } })),
        (19, "logprobs without bytes (TGI, xAI), with ids (LocalAI), clamped (vLLM)", logprobs(json!({ "content": [{ "token": "x", "logprob": -9999.0, "id": 5 }] })), kept(json!({ "content": [{ "token": "x", "logprob": -9999.0, "id": 5 }] }))),
        (19, "logprobs in lists (Together)", logprobs(json!({ "tokens": ["x"], "token_logprobs": [-0.5] })), kept(json!({ "tokens": ["x"], "token_logprobs": [-0.5] }))),
        (19, "logprobs as a list (TGI)", logprobs(json!([-0.5])), kept(json!([-0.5]))),
        (
            19,
            "logprobs of a chunk are a number (Together)",
            Chunks(vec![json!({ "choices": [{ "delta": { "content": "x" }, "logprobs": -0.5, "finish_reason": "stop" }] })]),
            kept(json!(-0.5)),
        ),
        (
            19,
            "logprobs of a chunk are one token (mistral.rs)",
            Chunks(vec![json!({ "choices": [{ "delta": { "content": "x" }, "logprobs": { "token": "x", "logprob": -0.5 }, "finish_reason": "stop" }] })]),
            kept(json!({ "token": "x", "logprob": -0.5 })),
        ),
                (
                    19,
                    "logprobs of one shape and then of another: those that can be read count",
                    Chunks(vec![
                        of_choice(json!({ "delta": { "content": 1 }, "logprobs": -0.5 })),
                        of_choice(json!({ "delta": { "content": "x" }, "logprobs": { "content": [{ "token": "x", "logprob": -0.5 }] } })),
                        end("stop"),
                    ]),
                    json!({ "text": "1x", "reply": { "choices": [{ "logprobs": { "content": [{ "token": "x" }] } }] } }),
                ),
        (
            20,
            "counters are floats, costs have many digits",
            with(json!({ "usage": { "prompt_tokens": 3.0, "completion_tokens": "4", "total_tokens": 7, "queue_time": 0.25, "cost_in_usd_ticks": 18446744073709551615u64 } })),
            json!({ "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "queue_time": 0.25, "cost_in_usd_ticks": 18446744073709551615u64 } }),
        ),
        (
            21,
            "the stop that matched is text or a number (vLLM, SGLang)",
            choice(json!({ "message": { "content": "x" }, "stop_reason": 128009, "matched_stop": "\n" })),
            json!({ "text": "x", "reply": { "choices": [{ "stop_reason": 128009, "matched_stop": "\n" }] } }),
        ),
        (23, "seeds take 64 bits", with(json!({ "x_groq": { "seed": 9007199254740993u64 } })), json!({ "reply": { "x_groq": { "seed": 9007199254740993u64 } } })),
    ])
    .await;
}

#[tokio::test]
async fn finish_reasons() {
    let known = ["stop", "length", "tool_calls", "content_filter", "function_call"];
    let met = [
        "eos",
        "eos_token",
        "stop_sequence",
        "model_length",
        "abort",
        "insufficient_system_resource",
        "end_turn",
        "max_tokens",
        "refusal",
        "MALFORMED_FUNCTION_CALL",
        "content_filter: SAFETY",
    ];
    let reason = |reason: &'static str| {
        let whole = choice(json!({ "message": { "content": "x" }, "finish_reason": reason }));
        let stream = Chunks(vec![delta(json!({ "content": "x" })), end(reason)]);
        [whole, stream].map(|body| (0, reason, body, json!({ "text": "x", "finish": reason })))
    };
    let mut cases: Vec<Case> = known.into_iter().chain(met).flat_map(reason).collect();
    // The failure of the model or of its gateway is an error, and not a reason to stop.
    let whole = choice(json!({ "message": { "content": "x" }, "finish_reason": "error" }));
    cases.push((0, "error", whole, json!({ "error": "Api", "message": "finish_reason `error`" })));
    let stream = Chunks(vec![delta(json!({ "content": "x" })), end("error")]);
    cases.push((0, "error, streamed", stream, json!({ "error": "Stream", "text": "x" })));
    cases.push((
        0,
        "it is empty",
        choice(json!({ "message": { "content": "x" }, "finish_reason": "" })),
        json!({ "text": "x", "finish": null }),
    ));
    cases.push((
        0,
        "it is `stop` beside tool calls (Gemini, vLLM)",
        Chunks(vec![
            piece(json!({ "index": 0, "id": "1", "function": { "name": "f", "arguments": "{}" } })),
            end("stop"),
        ]),
        json!({ "calls": [["1", "f", "{}"]], "finish": "stop" }),
    ));
    cases.push((
        0,
        "another one stands beside it (OpenRouter)",
        Chunks(vec![
            delta(json!({ "content": "x" })),
            json!({ "choices": [{ "finish_reason": "stop", "native_finish_reason": "STOP" }] }),
        ]),
        json!({ "finish": "stop", "reply": { "choices": [{ "native_finish_reason": "STOP" }] } }),
    ));
    check("2.3", &[0], cases).await;
}

#[tokio::test]
async fn pieces_of_tool_calls() {
    let function = |name: &str, arguments: &str| json!({ "name": name, "arguments": arguments });
    let two = json!([["1", "f", "{\"a\":1}"], ["2", "g", "{\"b\":2}"]]);
    check("2.4", &[24, 25, 26, 27, 28, 29, 30], vec![
        (
            24,
            "there is no index (Gemini, xAI, Mistral)",
            Chunks(vec![
                piece(json!({ "id": "1", "function": function("f", "{\"a\"") })),
                piece(json!({ "function": { "arguments": ":1}" } })),
                piece(json!({ "id": "2", "function": function("g", "{\"b\"") })),
                piece(json!({ "id": "2", "function": { "arguments": ":2}" } })),
                end("tool_calls"),
            ]),
            json!({ "calls": two }),
        ),
        (
            24,
            "the index starts at 1 (Claude behind a gateway)",
            Chunks(vec![piece(json!({ "index": 1, "id": "1", "function": function("f", "{}") })), end("tool_calls")]),
            json!({ "calls": [["1", "f", "{}"]] }),
        ),
        (
            24,
            "the index is no number that an index can be",
            Chunks(vec![
                piece(json!({ "index": u64::MAX, "id": "1", "function": function("f", "{\"a\":1}") })),
                piece(json!({ "index": -1, "id": "2", "function": function("g", "{\"b\"") })),
                piece(json!({ "index": -1.0, "function": { "arguments": ":2}" } })),
                end("tool_calls"),
            ]),
            json!({ "calls": two }),
        ),
        (
            25,
            "all calls have the index 0 (Ollama, Dynamo)",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{\"a\":1}") })),
                piece(json!({ "index": 0, "id": "2", "function": function("g", "{\"b\"") })),
                piece(json!({ "index": 0, "function": { "arguments": ":2}" } })),
                end("tool_calls"),
            ]),
            json!({ "calls": two }),
        ),
        (
            25,
            "all calls have the index 0, and their pieces take turns by id",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{\"a\"") })),
                piece(json!({ "index": 0, "id": "2", "function": function("g", "{\"b\"") })),
                piece(json!({ "index": 0, "id": "1", "function": function("f", ":1}") })),
                piece(json!({ "index": 0, "id": "2", "function": function("g", ":2}") })),
                end("tool_calls"),
            ]),
            json!({ "calls": two }),
        ),
        (
            25,
            "one id stands for two calls",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{\"a\":1}") })),
                piece(json!({ "index": 1, "id": "1", "function": function("g", "{\"b\":2}") })),
                end("tool_calls"),
            ]),
            json!({ "calls": [["1", "f", "{\"a\":1}"], ["1", "g", "{\"b\":2}"]] }),
        ),
        (
            26,
            "ids and names of later pieces are empty, null, or the text `null`",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "type": "function", "function": function("f", "") })),
                piece(json!({ "index": 0, "id": "", "type": "", "function": function("", "{\"a\"") })),
                piece(json!({ "index": 0, "id": null, "type": null, "function": { "name": null, "arguments": ":" } })),
                piece(json!({ "index": 0, "id": "null", "function": { "arguments": "1}" } })),
                end("tool_calls"),
            ]),
            json!({ "calls": [["1", "f", "{\"a\":1}"]], "back": { "tool_calls": [{ "type": "function" }] } }),
        ),
        (
            26,
            "no call has an id (Gemini)",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "", "function": function("f", "{}") })),
                piece(json!({ "index": 0, "id": "", "function": function("f", "{}") })),
                piece(json!({ "id": "", "function": function("g", "{}") })),
                end("stop"),
            ]),
            json!({ "calls": [["", "f", "{}"], ["", "f", "{}"], ["", "g", "{}"]] }),
        ),
        (
            26,
            "id and name come in every piece",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{\"a\"") })),
                piece(json!({ "index": 0, "id": "1", "function": function("f", ":1}") })),
                end("tool_calls"),
            ]),
            json!({ "calls": [["1", "f", "{\"a\":1}"]] }),
        ),
        (
            26,
            "the name comes late",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": { "arguments": "" } })),
                piece(json!({ "index": 0, "function": function("f", "{}") })),
                end("tool_calls"),
            ]),
            json!({ "calls": [["1", "f", "{}"]] }),
        ),
        (
            27,
            "a whole call comes at once, and an empty piece behind it (Alibaba)",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{}") })),
                piece(json!({ "index": 0, "id": "", "function": function("f", "") })),
                end("tool_calls"),
            ]),
            json!({ "calls": [["1", "f", "{}"]] }),
        ),
        (
            28,
            "the finish reason comes twice (OpenRouter)",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{}") })),
                end("tool_calls"),
                json!({ "choices": [{ "delta": { "content": "" }, "finish_reason": "tool_calls" }], "usage": { "total_tokens": 5 } }),
            ]),
            json!({ "calls": [["1", "f", "{}"]], "finish": "tool_calls", "usage": { "total_tokens": 5 } }),
        ),
        (
            29,
            "a thought signature comes with a call, or behind it, and must go back",
            Chunks(vec![
                piece(json!({ "index": 0, "id": "1", "function": function("f", "{}") })),
                piece(json!({ "index": 0, "extra_content": { "google": { "thought_signature": "s" } } })),
                end("stop"),
            ]),
            json!({ "calls": [["1", "f", "{}"]], "back": { "tool_calls": [{ "extra_content": { "google": { "thought_signature": "s" } } }] } }),
        ),
        (
            30,
            "ids are of any form, and repeat over the turns",
            said(json!({ "tool_calls": [{ "id": "toolu_01/é", "function": function("f", "{}") }, { "id": "toolu_01/é", "function": function("f", "{}") }] })),
            json!({ "calls": [["toolu_01/é", "f", "{}"], ["toolu_01/é", "f", "{}"]] }),
        ),
    ])
    .await;
}

#[tokio::test]
async fn reasoning_has_many_names() {
    let both = |member: Value| {
        let mut message = json!({ "content": "x" });
        message.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        [said(message.clone()), Chunks(vec![delta(message), end("stop")])]
    };
    let names = [
        ("reasoning_content (DeepSeek, llama.cpp)", json!({ "reasoning_content": "hm" })),
        ("reasoning (Groq, Ollama, vLLM)", json!({ "reasoning": "hm" })),
        ("both, one of them null", json!({ "reasoning": "hm", "reasoning_content": null })),
        ("both, one of them empty", json!({ "reasoning": "hm", "reasoning_content": "" })),
        (
            "reasoning_details (OpenRouter)",
            json!({ "reasoning_details": [{ "type": "reasoning.text", "text": "hm", "signature": "s" }] }),
        ),
        ("a summary (OpenRouter)", json!({ "reasoning_details": [{ "type": "reasoning.summary", "summary": "hm" }] })),
        (
            "thinking_blocks (LiteLLM)",
            json!({ "thinking_blocks": [{ "type": "thinking", "thinking": "hm", "signature": "s" }] }),
        ),
    ];
    let mut cases: Vec<Case> = names
        .into_iter()
        .flat_map(|(what, member)| {
            let expected = json!({ "text": "x", "reasoning": "hm", "back": without_nulls(&member) });
            both(member).map(|body| (31, what, body, expected.clone()))
        })
        .collect();
    cases.push((
        31,
        "null on all later chunks (DeepSeek)",
        Chunks(vec![
            delta(json!({ "reasoning_content": "h", "content": null })),
            delta(json!({ "reasoning_content": "m", "content": null })),
            delta(json!({ "reasoning_content": null, "content": "x" })),
            end("stop"),
        ]),
        json!({ "text": "x", "reasoning": "hm", "back": { "reasoning_content": "hm" } }),
    ));
    cases.push((
        31,
        "details in pieces (OpenRouter)",
        Chunks(vec![
            delta(json!({ "reasoning": "h", "reasoning_details": [{ "type": "reasoning.text", "text": "h", "index": 0, "format": "f" }] })),
            delta(json!({ "reasoning": "m", "reasoning_details": [{ "type": "reasoning.text", "text": "m", "index": 0, "format": "f" }] })),
            delta(json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": "e", "index": 1 }], "content": "x" })),
            end("stop"),
        ]),
        json!({ "text": "x", "reasoning": "hm", "back": { "reasoning_details": [
            { "type": "reasoning.text", "text": "hm", "format": "f" },
            { "type": "reasoning.encrypted", "data": "e" },
        ] } }),
    ));
    check("2.5", &[31], cases).await;
}

fn without_nulls(members: &Value) -> Value {
    let members = members.as_object().unwrap().iter().filter(|(_, value)| !value.is_null() && **value != json!(""));
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[tokio::test]
async fn rule_32_reasoning_efforts_are_sent_unchanged() {
    let server = Server::start([Reply::ok_json(&json!({ "choices": [] }))]).await;
    let client = client(&server);
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max", "default", "ultra"];
    let mut requests: Vec<_> = efforts.map(|effort| request().reasoning_effort(effort)).into();
    let vendors = [
        ("reasoning_effort", json!(0.5)),
        ("reasoning", json!({ "effort": "high", "max_tokens": 100, "exclude": true })),
        ("include_reasoning", json!(true)),
        ("reasoning_format", json!("parsed")),
        ("thinking", json!({ "type": "enabled", "budget_tokens": 100 })),
        ("chat_template_kwargs", json!({ "enable_thinking": false })),
        ("enable_thinking", json!(false)),
        ("prompt_mode", json!("reasoning")),
    ];
    requests.extend(vendors.clone().map(|(name, value)| request().reasoning_effort("low").extra(name, value)));
    for request in &requests {
        client.chat().create(request).await.unwrap();
    }
    let sent: Vec<Value> = server.requests().iter().map(|request| request.json()).collect();
    for (sent, effort) in sent.iter().zip(efforts) {
        assert_eq!(sent["reasoning_effort"], json!(effort));
    }
    for (sent, (name, value)) in sent.iter().skip(efforts.len()).zip(vendors) {
        assert_eq!(sent[name], value);
    }
}

#[tokio::test]
async fn usage_comes_in_many_places() {
    let usage = |total: u64| json!({ "prompt_tokens": 1, "completion_tokens": total - 1, "total_tokens": total });
    let spoken = || delta(json!({ "content": "x" }));
    let beside = |mut chunk: Value, usage: Value| {
        chunk["usage"] = usage;
        chunk
    };
    let total = json!({ "text": "x", "usage": { "total_tokens": 9 } });
    let extras = json!({
        "queue_time": 0.1, "prompt_cache_hit_tokens": 3, "cached_tokens": 2, "num_sources_used": 0, "cost": 0.000_1,
        "cost_details": { "upstream": null }, "is_byok": false, "citation_tokens": 4, "reasoning_tokens": 5,
        "prompt_audio_seconds": {}, "prompt_token_details": { "cached_tokens": 0 }, "avg_tok_per_sec": 10.5,
    });
    let mut with_extras = usage(9);
    with_extras.as_object_mut().unwrap().extend(extras.as_object().unwrap().clone());
    with_extras["prompt_tokens_details"] = Value::Null;
    check("2.6", &[33, 34, 35], vec![
        (33, "in a last chunk without choices", Chunks(vec![spoken(), end("stop"), json!({ "choices": [], "usage": usage(9) })]), total.clone()),
        (33, "in the chunk that ends the answer", Chunks(vec![spoken(), beside(end("stop"), usage(9))]), total.clone()),
        (33, "under x_groq only", Chunks(vec![spoken(), json!({ "choices": [{ "finish_reason": "stop" }], "x_groq": { "id": "r", "usage": usage(9) } })]), total.clone()),
        (33, "running totals in every chunk: the last one counts", Chunks(vec![beside(spoken(), usage(5)), beside(end("stop"), usage(9))]), total.clone()),
        (33, "null or empty behind the last one (MiniMax)", Chunks(vec![spoken(), beside(end("stop"), usage(9)), json!({ "choices": [], "usage": null }), json!({ "choices": [], "usage": {} })]), total.clone()),
        (34, "with members of their own", with(json!({ "usage": with_extras.clone() })), json!({ "usage": extras.clone() })),
        (34, "with members of their own in a stream", Chunks(vec![spoken(), beside(end("stop"), with_extras)]), json!({ "usage": extras })),
        (
            35,
            "with new details",
            with(json!({ "usage": { "prompt_tokens": 9, "prompt_tokens_details": { "text_tokens": 4, "image_tokens": 5, "cache_write_tokens": 1, "video_tokens": 2 } } })),
            json!({ "usage": { "prompt_tokens_details": { "text_tokens": 4, "image_tokens": 5, "cache_write_tokens": 1, "video_tokens": 2 } } }),
        ),
        (35, "not at all, where a stream is cut", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"), json!({ "text": "x", "usage": null, "error": "Stream" })),
    ])
    .await;
}

#[tokio::test]
async fn event_streams_are_framed_in_many_ways() {
    check("2.7", &[36, 37, 38, 39, 40, 41, 42, 43], vec![
        (
            36,
            "comments, pings and empty events",
            Events(concat!(
                ": OPENROUTER PROCESSING\n\n: keep-alive\n\n:\n\n: ping\n\n",
                "event: ping\ndata: {}\n\n",
                "event: ping\ndata: {\"type\":\"ping\"}\n\n",
                "data: {\"type\":\"keepalive\",\"sequence_number\":3}\n\n",
                "data:\n\ndata: \n\nevent: x\n\nretry: 3000\n\nid: 1\n\n",
                "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
                ": bye\n\ndata: [DONE]\n\n",
            )),
            json!({ "text": "x", "chunks": 1, "error": null }),
        ),
        (37, "blank lines stand before the JSON (DeepSeek)", Status(200, "\n\n  \n{\"choices\":[{\"message\":{\"content\":\"x\"}}]}\n"), json!({ "text": "x" })),
        (38, "no end mark", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"), json!({ "text": "x", "error": null })),
        (38, "an end mark without a blank line (llama.cpp)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n"), json!({ "text": "x", "error": null })),
        (38, "an end mark without any line end", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]"), json!({ "text": "x", "error": null })),
        (38, "an end mark without a space, with words behind it, with data behind it", Events("data:{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata:[DONE] bye\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"y\"}}]}\n\n"), json!({ "text": "x", "error": null })),
        (39, "CRLF, and no space", Events("data:{\"choices\":[{\"delta\":{\"content\":\"é\"},\"finish_reason\":\"stop\"}]}\r\n\r\n"), json!({ "text": "é", "error": null })),
        (39, "CR only", Events("data: {\"choices\":[{\"delta\":{\"content\":\"é\"},\"finish_reason\":\"stop\"}]}\r\r"), json!({ "text": "é", "error": null })),
        (39, "a byte-order mark, and data in several lines", Events("\u{feff}data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"é\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n"), json!({ "text": "é", "error": null })),
        (40, "a line `error:` (old llama.cpp)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\nerror: {\"code\":500,\"message\":\"broken\",\"type\":\"server_error\"}\n\n"), json!({ "text": "x", "error": "Stream", "message": "broken", "code": "500" })),
        (41, "an event named `error` (LM Studio)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\nevent: error\ndata: {\"error\":{\"message\":\"broken\"},\"message\":\"broken\"}\n\n"), json!({ "text": "x", "error": "Stream", "message": "broken" })),
        (
            41,
            "a vendor's own events (mistral.rs)",
            Events(concat!(
                "event: agentic_tool_call_progress\ndata: {\"tool\":\"search\",\"round\":1}\n\n",
                "event: file_produced\ndata: [\"a.txt\"]\n\n",
                "event: note\ndata: not JSON\n\n",
                "event: message\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
                "data: [DONE]\n\n",
            )),
            json!({ "text": "x", "chunks": 1, "error": null }),
        ),
        (41, "an unreadable event without a name of its own", Events("event: message\ndata: {\"choices\"\n\ndata: [DONE]\n\n"), json!({ "error": "Decode" })),
        (42, "a whole reply in place of a stream", Events("{\"id\":\"a\",\"choices\":[{\"message\":{\"content\":\"x\"}}]}"), json!({ "text": "x", "chunks": 1, "finish": "stop", "error": null })),
        (42, "an error in place of a stream, with status 200", Events("{\"error\":{\"message\":\"broken\"}}"), json!({ "error": "Api", "message": "broken" })),
        (42, "a web page in place of a stream", Events("<html><body>Log in</body></html>"), json!({ "error": "Decode" })),
        (43, "the first event is an error", Events("data: {\"error\":{\"message\":\"broken\",\"code\":400}}\n\ndata: [DONE]\n\n"), json!({ "error": "Stream", "message": "broken", "code": "400", "chunks": 0 })),
    ])
    .await;
}

#[tokio::test]
async fn errors_have_many_shapes() {
    let failed = |message: &str| json!({ "error": "Api", "status": 400, "message": message });
    let cut = |message: &str| json!({ "text": "x", "error": "Stream", "message": message });
    check("2.8", &[44, 45, 46, 47], vec![
        (44, "OpenAI", Status(400, r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#), json!({ "message": "m", "type": "t", "param": "p", "code": "c" })),
        (44, "OpenRouter", Status(400, r#"{"error":{"code":400,"message":"m","metadata":{"provider_name":"P"}},"user_id":"u"}"#), json!({ "message": "m", "code": "400", "extra": { "metadata": { "provider_name": "P" } } })),
        (44, "Ollama, Fireworks: text", Status(400, r#"{"error":"m"}"#), failed("m")),
        (44, "xAI", Status(400, r#"{"code":"c","error":"m"}"#), json!({ "message": "m", "code": "c" })),
        (44, "TGI", Status(400, r#"{"error":"m","error_type":"t"}"#), json!({ "message": "m", "type": "t" })),
        (44, "SGLang, old vLLM, Mistral: flat", Status(400, r#"{"object":"error","message":"m","type":"t","param":null,"code":400}"#), json!({ "message": "m", "type": "t", "code": "400" })),
        (44, "Cerebras: flat", Status(400, r#"{"message":"m","type":"t","param":"p","code":"c"}"#), json!({ "message": "m", "param": "p" })),
        (44, "FastAPI: text", Status(400, r#"{"detail":"m"}"#), failed("m")),
        (44, "FastAPI: a list", Status(400, r#"{"detail":[{"loc":["body","n"],"msg":"too large","type":"t"}]}"#), failed("body.n: too large")),
        (44, "FastAPI: an object", Status(400, r#"{"detail":{"error":{"message":"m"}}}"#), failed("m")),
        (44, "Gemini: a list", Status(400, r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[]}}]"#), json!({ "message": "m", "code": "400", "extra": { "status": "INVALID_ARGUMENT" } })),
        (44, "Azure: a content filter", Status(400, r#"{"error":{"message":"m","code":"content_filter","innererror":{"code":"R"}}}"#), json!({ "code": "content_filter", "extra": { "innererror": { "code": "R" } } })),
        (44, "Azure: the gateway", Status(400, r#"{"statusCode":401,"message":"m"}"#), failed("m")),
        (44, "text", Status(400, "upstream connect error"), failed("upstream connect error")),
        (44, "a web page", Status(400, "<html><h1>400</h1></html>"), failed("<html><h1>400</h1></html>")),
        (44, "nothing", Status(400, ""), failed("")),
        (45, "an error event, then the end mark (vLLM)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"message\":\"m\"}}\n\ndata: [DONE]\n\n"), cut("m")),
        (45, "an error event, then the end (OpenAI)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"message\":\"m\"}}\n\n"), cut("m")),
        (45, "an error inside a chunk: the chunk first (OpenRouter)", Events("data: {\"id\":\"a\",\"error\":{\"message\":\"m\"},\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"), cut("m")),
        (45, "an error under x_groq", Events("data: {\"id\":\"a\",\"x_groq\":{\"error\":\"m\"},\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n"), cut("m")),
        (45, "an error with its status (Cerebras)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"error\":{\"message\":\"m\"},\"status_code\":500}\n\n"), cut("m")),
        (45, "an error as text (xAI)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"code\":\"c\",\"error\":\"m\"}\n\n"), cut("m")),
        (45, "a flat error (SGLang)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"object\":\"error\",\"message\":\"m\",\"code\":500}\n\n"), cut("m")),
        (45, "an error with a type (LocalAI)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"type\":\"error\",\"error\":{\"message\":\"m\"}}\n\n"), cut("m")),
        (45, "null is no error", Events("data: {\"error\":null,\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"), json!({ "text": "x", "error": null })),
        (45, "the end mark is missing behind an error that says nothing (Ollama)", Events("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {\"id\":\"a\",\"choices\":[{\"delta\":{}}]}\n\n"), json!({ "text": "x", "error": "Stream" })),
        (46, "an error with status 200 (OpenRouter)", Json(json!({ "error": { "code": 502, "message": "m" }, "user_id": "u" })), json!({ "error": "Api", "status": 200, "message": "m", "code": "502" })),
        (46, "an error with status 200 (xAI)", Json(json!({ "code": "c", "error": "m" })), json!({ "error": "Api", "status": 200, "message": "m", "code": "c" })),
        (46, "an error beside null choices", Json(json!({ "choices": null, "error": { "message": "m" } })), json!({ "error": "Api", "message": "m" })),
        (46, "no error beside choices", with(json!({ "error": null })), json!({ "text": "x" })),
        (47, "status 202 and nothing (xAI)", Status(202, ""), json!({ "error": "Decode", "status": 202 })),
        (47, "status 204", Status(204, ""), json!({ "error": "Decode", "status": 204 })),
        (47, "status 200 for a route that is none (LM Studio)", Json(json!({ "error": "Unexpected endpoint or method. (POST /v1/chat/completions)" })), json!({ "error": "Api", "status": 200, "message": "Unexpected endpoint or method. (POST /v1/chat/completions)" })),
    ])
    .await;
}

#[tokio::test]
async fn rule_47_a_deletion_may_be_answered_with_nothing_and_a_post_be_redirected() {
    let done = Reply::ok_json(&json!({ "choices": [{ "message": { "content": "x" } }] }));
    let moved = Reply::status(307).header("location", "/v2/chat/completions");
    let server = Server::start([Reply::status(204), moved, done]).await;
    let client = client(&server);

    assert!(client.chat().delete("a").await.unwrap().deleted);
    assert_eq!(client.chat().create(request()).await.unwrap().text(), "x");

    let [_, first, second] = &server.requests()[..] else { panic!("three requests") };
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/v2/chat/completions"));
    assert_eq!(second.body, first.body);
}

#[tokio::test]
async fn rate_limits_and_request_ids_have_many_names() {
    let body = json!({ "choices": [] });
    let limits: [(&str, &[(&str, &str)]); 5] = [
        (
            "OpenAI, Groq",
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1m0s"),
            ],
        ),
        (
            "in seconds",
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "60"),
            ],
        ),
        (
            "Cerebras",
            &[
                ("x-ratelimit-limit-requests-day", "60"),
                ("x-ratelimit-remaining-requests-day", "59"),
                ("x-ratelimit-reset-requests-day", "60.0"),
            ],
        ),
        (
            "without a kind",
            &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "59"), ("x-ratelimit-reset", "60")],
        ),
        (
            "LiteLLM, beside what it does not know",
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "60s"),
                ("x-ratelimit-limit-tokens", "None"),
            ],
        ),
    ];
    for (whose, headers) in limits {
        let reply = headers.iter().fold(Reply::ok_json(&body), |reply, (name, value)| reply.header(name, value));
        let server = Server::start([reply]).await;
        let response = client(&server).chat().create(request()).with_response().await.unwrap();
        let limits = response.rate_limits();
        assert_eq!((limits.limit_requests, limits.remaining_requests), (Some(60), Some(59)), "{whose}");
        assert_eq!(limits.reset_requests, Some(Duration::from_secs(60)), "{whose}");
        assert_eq!(limits.limit_tokens, None, "{whose}");
    }
    for name in ["x-request-id", "apim-request-id", "cf-ray", "x-generation-id", "request-id", "x-litellm-call-id"] {
        let replies = [
            Reply::ok_json(&body).header(name, "r-1"),
            Reply::status(400).header(name, "r-1"),
            Reply::sse("").header(name, "r-1"),
        ];
        let server = Server::start(replies).await;
        let client = client(&server);
        let response = client.chat().create(request()).with_response().await.unwrap();
        assert_eq!(response.request_id(), Some("r-1"), "{name}");
        let error = client.chat().create(request()).await.unwrap_err();
        assert_eq!(error.request_id(), Some("r-1"), "{name}");
        let stream = client.chat().stream(request()).await.unwrap();
        assert_eq!(stream.request_id(), Some("r-1"), "{name}");
    }
}

#[tokio::test]
async fn lists_of_every_shape_are_pages_and_lose_nothing() {
    use openai_compatible::Page;
    use openai_compatible::chat::{ChatCompletion, StoredListRequest};
    let item = json!({ "id": "a", "choices": [] });
    let cases = [
        ("a list", json!({ "object": "list", "data": [item], "has_more": false }), 1),
        ("no object, members of its own", json!({ "data": [item], "total_count": 1 }), 1),
        ("a bare list (Together)", json!([item]), 1),
        ("null (Ollama)", json!({ "object": "list", "data": null }), 0),
        ("an entry that is none", json!({ "data": [item, 5, item] }), 2),
        ("nothing that fits", json!({ "data": { "a": 1 }, "first_id": [1], "last_id": {}, "has_more": "maybe" }), 0),
    ];
    for (what, body, count) in cases {
        let server = Server::start([Reply::ok_json(&body)]).await;
        let page: Page<ChatCompletion> = client(&server).chat().list(StoredListRequest::new()).await.unwrap();
        assert_eq!(page.data.len(), count, "{what}");
        let mut written = serde_json::to_value(&page).unwrap();
        if body.is_array() {
            written = written["data"].take();
        }
        assert_eq!(null_is_empty(&written), null_is_empty(&body), "{what}");
    }
}

/// A page with null for its data is one without.
fn null_is_empty(page: &Value) -> Value {
    let mut page = page.clone();
    if page.get("data").is_some_and(|data| data.is_null()) {
        page["data"] = json!([]);
    }
    page
}

#[test]
fn content_of_every_kind_is_written_as_it_was_read() {
    let parts = json!([
        { "type": "text", "text": "a" },
        { "type": "image_url", "image_url": { "url": "u", "detail": "high", "zz": 1 } },
        { "type": "input_audio", "input_audio": { "data": "d", "format": "wav" }, "zz": 1 },
        { "type": "file", "file": { "file_id": "f" } },
        { "type": "refusal", "refusal": "r" },
        { "type": "thinking", "thinking": [{ "type": "text", "text": "t" }], "closed": true },
        { "type": "tool_reference", "url": "u" },
        { "no": "type" },
    ]);
    let odd = json!(["text", 5, null, [], { "type": "text", "text": "a" }]);
    for content in [parts, odd, json!("text"), json!({ "type": "text", "text": "a" })] {
        let reply = json!({ "choices": [{ "index": 0, "message": { "content": content } }] });
        let read: ChatCompletion = serde_json::from_value(reply.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), reply);
    }
}
