//! Properties of streams over random input: what is cut and put together is the whole, nothing panics, nothing grows
//! beyond what arrived.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code, which clippy sees in test functions only"
)]

use fastrand::Rng;
use openai_compatible::Client;
use openai_compatible::chat::{Accumulator, ChatChunk, ChatCompletion, ChatEvent, ChatRequest, Message};
use serde_json::{Map, Value, json};

mod support;
use support::{Reply, Server};

fn text(random: &mut Rng, most: usize) -> String {
    let letters = ['a', 'b', ' ', '\n', '"', '\\', '{', '}', 'é', '中', '😀', '\u{2028}', '\0'];
    (0..random.usize(1..=most)).map(|_| letters[random.usize(0..letters.len())]).collect()
}

/// A text in up to six pieces.
fn pieces(random: &mut Rng, text: &str) -> Vec<String> {
    let mut letters: Vec<char> = text.chars().collect();
    let mut pieces = Vec::new();
    for _ in 0..random.usize(0..6) {
        let rest = letters.split_off(random.usize(0..=letters.len()));
        pieces.push(letters.into_iter().collect());
        letters = rest;
    }
    pieces.push(letters.into_iter().collect());
    pieces
}

/// A chunk that brings this of a choice.
fn of_choice(index: usize, name: &str, value: Value) -> Value {
    json!({ "choices": [{ "index": index, name: value }] })
}

fn of_delta(index: usize, name: &str, value: Value) -> Value {
    of_choice(index, "delta", json!({ name: value }))
}

/// A random completion, and chunks that bring it.
fn completion(random: &mut Rng) -> (Value, Vec<Value>) {
    let mut choices = Vec::new();
    // One lane keeps its order, lanes mix.
    let mut lanes: Vec<Vec<Value>> = Vec::new();
    for index in 0..random.usize(1..4) {
        let mut message = json!({ "role": "assistant" });
        let mut choice = json!({ "index": index });
        for name in ["content", "refusal", "reasoning", "reasoning_content", "vendor_text"] {
            if random.bool() {
                let all = text(random, 40);
                lanes.push(pieces(random, &all).into_iter().map(|piece| of_delta(index, name, piece.into())).collect());
                message[name] = all.into();
            }
        }
        if random.bool() {
            let calls: Vec<Value> = (0..random.usize(1..4)).map(|call| tool_call(random, index, call)).collect();
            // Calls begin in their order; their pieces may take turns.
            let turns = random.bool();
            let mut lane: Vec<Value> = Vec::new();
            let mut rests: Vec<Vec<Value>> = Vec::new();
            for (number, call) in calls.iter().enumerate() {
                let mut parts = call_pieces(random, index, number, call);
                let rest = parts.split_off(1);
                lane.extend(parts);
                if turns {
                    rests.push(rest);
                } else {
                    lane.extend(rest);
                }
            }
            lane.extend(mixed(random, rests));
            lanes.push(lane);
            message["tool_calls"] = calls.into();
        }
        if random.bool() {
            let tokens: Vec<Value> = (0..random.usize(1..5))
                .map(|n| json!({ "token": text(random, 3), "logprob": -0.5, "bytes": [n], "top_logprobs": [] }))
                .collect();
            lanes
                .push(tokens.iter().map(|token| of_choice(index, "logprobs", json!({ "content": [token] }))).collect());
            choice["logprobs"] = json!({ "content": tokens });
        }
        choice["message"] = message;
        choice["finish_reason"] = ["stop", "length", "odd"][random.usize(0..3)].into();
        choices.push(choice);
    }
    let mut chunks = mixed(random, lanes);
    chunks.extend(
        choices.iter().enumerate().map(|(n, choice)| of_choice(n, "finish_reason", choice["finish_reason"].clone())),
    );
    let mut whole = json!({ "object": "chat.completion", "choices": choices });
    if random.bool() {
        whole["usage"] = json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "queue_time": 0.5 });
        chunks.push(json!({ "choices": [], "usage": whole["usage"] }));
    }
    for (name, value) in [("id", json!("a")), ("model", json!("m")), ("created", json!(5)), ("provider", json!("p"))] {
        if random.bool() {
            // Servers repeat these in every chunk.
            chunks.iter_mut().for_each(|chunk| chunk[name] = value.clone());
            whole[name] = value;
        }
    }
    (whole, chunks)
}

fn tool_call(random: &mut Rng, index: usize, call: usize) -> Value {
    let id = format!("call-{index}-{call}");
    if random.u8(0..4) == 0 {
        return json!({ "id": id, "type": "custom", "custom": { "name": "shell", "input": text(random, 20) } });
    }
    let arguments = json!({ text(random, 5): text(random, 20) }).to_string();
    json!({ "id": id, "type": "function", "function": { "name": "tool", "arguments": arguments } })
}

fn call_pieces(random: &mut Rng, index: usize, number: usize, call: &Value) -> Vec<Value> {
    let (kind, input) = if call["type"] == json!("custom") { ("custom", "input") } else { ("function", "arguments") };
    let pieces = pieces(random, call[kind][input].as_str().unwrap());
    let piece = |(n, piece): (usize, String)| {
        let mut part = json!({ "index": number, kind: { input: piece } });
        if n == 0 {
            part["id"] = call["id"].clone();
            part["type"] = call["type"].clone();
            part[kind]["name"] = call[kind]["name"].clone();
        }
        of_delta(index, "tool_calls", json!([part]))
    };
    pieces.into_iter().enumerate().map(piece).collect()
}

fn mixed(random: &mut Rng, mut lanes: Vec<Vec<Value>>) -> Vec<Value> {
    let mut all = Vec::new();
    lanes.retain(|lane| !lane.is_empty());
    while !lanes.is_empty() {
        let lane = random.usize(0..lanes.len());
        all.push(lanes[lane].remove(0));
        lanes.retain(|lane| !lane.is_empty());
    }
    all
}

fn chunk(value: &Value) -> ChatChunk {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}

#[test]
fn a_random_completion_cut_at_random_comes_back_whole() {
    for seed in 0..3000 {
        let (whole, chunks) = completion(&mut Rng::with_seed(seed));
        let mut accumulator = Accumulator::new();
        chunks.iter().for_each(|value| accumulator.push(chunk(value)));
        let found = serde_json::to_value(accumulator.finish().unwrap()).unwrap();
        assert_eq!(found, whole, "seed {seed}: {chunks:?}");
    }
}

#[test]
fn the_events_of_a_random_completion_add_up_to_it() {
    for seed in 0..3000 {
        let (_, chunks) = completion(&mut Rng::with_seed(seed));
        let mut accumulator = Accumulator::new();
        let mut events: Vec<ChatEvent> =
            chunks.iter().flat_map(|value| accumulator.push_with_events(chunk(value))).collect();
        events.extend(accumulator.finish_with_events());
        let Some(ChatEvent::Completed(whole)) = events.pop() else { panic!("seed {seed}: no end") };
        for choice in &whole.choices {
            let of_this = |event: &&ChatEvent| {
                matches!(event,
                ChatEvent::ContentDelta { index, .. } | ChatEvent::ContentDone { index, .. }
                | ChatEvent::RefusalDelta { index, .. } | ChatEvent::RefusalDone { index, .. }
                | ChatEvent::ToolCallDelta { index, .. } | ChatEvent::ToolCallDone { index, .. }
                | ChatEvent::Finished { index, .. } if *index == choice.index)
            };
            let (mut content, mut refusal, mut contents, mut refusals, mut ends) =
                (String::new(), String::new(), 0, 0, 0);
            let mut arguments = vec![String::new(); choice.message.tool_calls.len()];
            let mut is_done = vec![false; choice.message.tool_calls.len()];
            for event in events.iter().filter(of_this) {
                match event {
                    ChatEvent::ContentDelta { delta, .. } => content += delta,
                    ChatEvent::RefusalDelta { delta, .. } => refusal += delta,
                    ChatEvent::ToolCallDelta { call, delta, name, .. } => {
                        assert!(!is_done[*call], "seed {seed}: more behind the end of a call");
                        assert_eq!(*name, choice.message.tool_calls[*call].name());
                        arguments[*call] += delta;
                    }
                    ChatEvent::ContentDone { content: all, .. } => {
                        assert_eq!(*all, content);
                        contents += 1;
                    }
                    ChatEvent::RefusalDone { refusal: all, .. } => {
                        assert_eq!(*all, refusal);
                        refusals += 1;
                    }
                    ChatEvent::ToolCallDone { call, tool_call, .. } => {
                        assert_eq!(**tool_call, choice.message.tool_calls[*call], "seed {seed}");
                        assert!(!std::mem::replace(&mut is_done[*call], true));
                    }
                    _ => ends += 1,
                }
            }
            assert_eq!(content, choice.message.text(), "seed {seed}");
            assert_eq!(refusal, choice.message.refusal.clone().unwrap_or_default(), "seed {seed}");
            assert_eq!(
                (contents, refusals, ends),
                (usize::from(!content.is_empty()), usize::from(!refusal.is_empty()), 1)
            );
            assert!(is_done.iter().all(|is_done| *is_done), "seed {seed}: a call is never done");
            for (call, arguments) in choice.message.tool_calls.iter().zip(&arguments) {
                assert_eq!(call.arguments_text(), arguments, "seed {seed}");
            }
        }
    }
}

#[tokio::test]
async fn a_random_stream_in_random_packets_is_the_completion() {
    for seed in 0..60 {
        let random = &mut Rng::with_seed(seed);
        let (whole, chunks) = completion(random);
        let ends = ["\n", "\r\n", "\r"];
        let mut body = String::new();
        for chunk in &chunks {
            let end = ends[random.usize(0..3)];
            if random.bool() {
                body += &format!(": comment{end}{end}");
            }
            body += &format!("data: {chunk}{end}{end}");
        }
        body += "data: [DONE]\n\n";
        let mut bytes = body.into_bytes();
        let mut reply = Reply::status(200).header("content-type", "text/event-stream");
        while !bytes.is_empty() {
            let rest = bytes.split_off(random.usize(1..=200).min(bytes.len()));
            reply = reply.piece(bytes);
            bytes = rest;
        }
        let server = Server::start([reply]).await;
        let client = Client::builder().base_url(server.base_url()).build().unwrap();
        let stream = client.chat().stream(ChatRequest::new("m", [Message::user("Hi")])).await.unwrap();
        assert_eq!(serde_json::to_value(stream.collect().await.unwrap()).unwrap(), whole, "seed {seed}");
    }
}

/// Any JSON, with the names of a chunk more often than others, and the values that servers get wrong.
fn any(random: &mut Rng, depth: u32) -> Value {
    const NAMES: [&str; 34] = [
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
        "moderation",
        "index",
        "delta",
        "message",
        "finish_reason",
        "logprobs",
        "role",
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "annotations",
        "audio",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "type",
        "function",
        "custom",
        "name",
        "arguments",
        "input",
        "text",
        "thinking",
        "x_groq",
        "zz",
    ];
    let scalars = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(4_000_000_000u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("null"),
        json!("{\"a\":1}"),
        json!("reasoning.text"),
        json!("thinking"),
    ];
    match random.u8(0..if depth == 0 { 1 } else { 4 }) {
        0 => scalars[random.usize(0..scalars.len())].clone(),
        1 => (0..random.usize(0..4)).map(|_| any(random, depth - 1)).collect(),
        _ => {
            let name = |random: &mut Rng| NAMES[random.usize(0..NAMES.len())].to_owned();
            Value::Object((0..random.usize(0..6)).map(|_| (name(random), any(random, depth - 1))).collect())
        }
    }
}

/// A chunk in the right places, with anything inside.
fn any_chunk(random: &mut Rng) -> Value {
    let mut members = Map::new();
    for name in
        ["content", "refusal", "role", "reasoning", "reasoning_details", "tool_calls", "function_call", "audio", "zz"]
    {
        if random.bool() {
            members.insert(name.to_owned(), any(random, 3));
        }
    }
    if random.bool() {
        let call = json!({ "index": any(random, 0), "id": any(random, 0), "function": {
            "name": any(random, 0), "arguments": any(random, 1),
        } });
        members.insert("tool_calls".to_owned(), json!([call]));
    }
    let choice =
        json!({ "index": any(random, 0), "delta": members, "finish_reason": any(random, 0), "zz": any(random, 2) });
    let mut chunk = json!({ "id": any(random, 0), "choices": [choice], "usage": any(random, 2) });
    if random.bool() {
        chunk[["id", "model", "x_groq", "provider"][random.usize(0..4)]] = any(random, 2);
    }
    chunk
}

#[test]
fn any_json_can_be_put_together() {
    for seed in 0..3000 {
        let random = &mut Rng::with_seed(seed);
        let mut accumulator = Accumulator::new();
        let mut arrived = 0;
        for _ in 0..random.usize(1..12) {
            let value = if random.bool() {
                any_chunk(random)
            } else {
                Value::Object(Map::from_iter([("choices".into(), any(random, 6))]))
            };
            arrived += value.to_string().len();
            let chunk = chunk(&value);
            if random.bool() { accumulator.push(chunk) } else { drop(accumulator.push_with_events(chunk)) }
        }
        let events = accumulator.finish_with_events();
        let Some(ChatEvent::Completed(reply)) = events.last() else { panic!("seed {seed}: no end") };
        let text = serde_json::to_string(reply).unwrap();
        // Names of members that chunks leave out, for each choice and call.
        assert!(text.len() < 400 + 8 * arrived, "seed {seed}: {arrived} bytes became {}", text.len());
        // Members of a delta may be fields of a message: what is read once stays the same.
        let once: ChatCompletion = serde_json::from_str(&text).unwrap();
        let text = serde_json::to_string(&once).unwrap();
        assert_eq!(serde_json::from_str::<ChatCompletion>(&text).unwrap(), once, "seed {seed}");
    }
}

#[test]
fn indexes_make_no_room() {
    let indexes = [
        json!(-1),
        json!(4_000_000_000u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e18),
        json!(0.5),
        json!("7"),
        json!(null),
    ];
    let mut accumulator = Accumulator::new();
    for (n, index) in indexes.iter().enumerate() {
        accumulator.push(chunk(&json!({ "choices": [{ "index": index, "delta": { "content": "x", "tool_calls": [{
            "index": index, "id": n.to_string(), "function": { "name": "f", "arguments": "{}" },
        }] } }] })));
    }
    let reply = accumulator.finish().unwrap();
    let calls: usize = reply.choices.iter().map(|choice| choice.message.tool_calls.len()).sum();
    assert!(reply.choices.len() <= indexes.len());
    assert_eq!(calls, indexes.len());
    assert!(serde_json::to_string(&reply).unwrap().len() < 2000);
}

#[test]
fn many_answers_and_calls_are_put_together_in_linear_time() {
    let mut accumulator = Accumulator::new();
    for n in 0..30_000 {
        accumulator.push(chunk(&json!({ "choices": [{ "index": n, "delta": { "content": "x" } }] })));
        let call = json!({ "index": n, "id": n.to_string(), "function": { "name": "f", "arguments": "{}" } });
        accumulator.push(chunk(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] })));
    }
    let reply = accumulator.finish().unwrap();
    assert_eq!((reply.choices.len(), reply.tool_calls().len()), (30_000, 30_000));
}

#[test]
fn random_bytes_never_panic() {
    let (_, chunks) = completion(&mut Rng::with_seed(1));
    let text: String = chunks.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    for seed in 0..3000 {
        let random = &mut Rng::with_seed(seed);
        let start = random.usize(0..text.len());
        let mut bytes = text.as_bytes()[start..(start + random.usize(0..400)).min(text.len())].to_vec();
        for _ in 0..random.usize(0..8) {
            if !bytes.is_empty() {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = serde_json::from_str::<ChatChunk>(&text);
        let _ = serde_json::from_str::<ChatCompletion>(&text);
    }
}
