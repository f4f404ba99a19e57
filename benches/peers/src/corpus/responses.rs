//! A streamed response, as OpenAI writes it.

use bytes::Bytes;

use super::{Seen, word};

const ITEM: &str = "msg_68af4030baa48193b0b43b4c2a176a1a0b9d0a9d8c7b6a59";
const HEAD: &str =
    r#"{"id":"resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b","object":"response","created_at":1763712000,"#;
const TAIL: &str = r#""parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"default","store":true,"temperature":0.2,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,"truncation":"disabled","#;
/// Events before the deltas, and after them.
const BEFORE: u64 = 4;
const AFTER: u64 = 4;

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

fn response(status: &str, output: &str, usage: &str) -> String {
    format!(
        r#"{HEAD}"status":"{status}","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"model":"gpt-5-mini-2025-08-07","output":[{output}],{TAIL}"usage":{usage},"user":null,"metadata":{{}}}}"#
    )
}

fn part(text: &str) -> String {
    format!(r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{}}}"#, json(text))
}

fn item(status: &str, content: &str) -> String {
    format!(r#"{{"id":"{ITEM}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#)
}

/// The text of a response of so many events.
fn text(events: u64) -> String {
    (BEFORE..events - AFTER).map(word).collect()
}

/// Name and JSON of the i-th of `n` events.
fn event(i: u64, n: u64) -> (&'static str, String) {
    let event =
        |name: &'static str, fields: &str| (name, format!(r#"{{"type":"{name}","sequence_number":{i},{fields}}}"#));
    let place = format!(r#""item_id":"{ITEM}","output_index":0,"content_index":0"#);
    let state = |name, status: &str, output: &str, usage: &str| {
        event(name, &format!(r#""response":{}"#, response(status, output, usage)))
    };
    let of_item = |name, item: String| event(name, &format!(r#""output_index":0,"item":{item}"#));
    match (i, n - i) {
        (0, _) => state("response.created", "in_progress", "", "null"),
        (1, _) => state("response.in_progress", "in_progress", "", "null"),
        (2, _) => of_item("response.output_item.added", item("in_progress", "")),
        (3, _) => event("response.content_part.added", &format!(r#"{place},"part":{}"#, part(""))),
        (_, 4) => event("response.output_text.done", &format!(r#"{place},"text":{},"logprobs":[]"#, json(&text(n)))),
        (_, 3) => event("response.content_part.done", &format!(r#"{place},"part":{}"#, part(&text(n)))),
        (_, 2) => of_item("response.output_item.done", item("completed", &part(&text(n)))),
        (_, 1) => state(
            "response.completed",
            "completed",
            &item("completed", &part(&text(n))),
            r#"{"input_tokens":19,"input_tokens_details":{"cached_tokens":0},"output_tokens":1000,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":1019}"#,
        ),
        _ => {
            let noise = &"k9XbQ2vLr7TzHs"[..4 + i as usize % 10];
            let delta = json(word(i));
            event(
                "response.output_text.delta",
                &format!(r#"{place},"delta":{delta},"logprobs":[],"obfuscation":"{noise}""#),
            )
        }
    }
}

/// The events of a streamed response, one per entry.
pub fn response_events(n: u64) -> Vec<Bytes> {
    let event = |i| {
        let (name, data) = event(i, n);
        Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
    };
    (0..n).map(event).collect()
}

/// What a client must have received of `response_events(n)`.
pub fn expected_response(n: u64) -> Seen {
    Seen { items: n, ..Seen::one(&text(n)) }
}
