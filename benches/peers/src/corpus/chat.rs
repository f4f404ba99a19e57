//! Streams of chat chunks, as several servers write them.

use bytes::Bytes;

use super::{Seen, repacked, word};

/// The server whose format the chunks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI: all chunks begin alike, `choices` and `usage` come last.
    OpenAi,
    /// The same, but each chunk has an id of its own.
    Heads,
    /// vLLM: `token_ids: null` in every choice.
    Vllm,
    /// llama.cpp: `choices` comes first, the last chunk has `timings`.
    LlamaCpp,
}

const HEAD: &str = r#"{"id":"chatcmpl-CfD4Y1mPqG7v0tR8sLw2nXbZk3uJh","object":"chat.completion.chunk","created":1763712000,"model":"gpt-4.1-mini-2025-04-14","service_tier":"default","system_fingerprint":"fp_3f58d112f7","choices":["#;

/// The JSON of the i-th of `n` chunks: a role first, a finish reason and the usage last, text between them.
pub fn chunk(dialect: Dialect, i: u64, n: u64) -> String {
    match dialect {
        Dialect::OpenAi => openai(i, n),
        Dialect::Heads => openai(i, n).replacen("CfD4Y1mPqG7v0tR8sLw2nXbZk3uJh", &id(i), 1),
        Dialect::Vllm => vllm(i, n),
        Dialect::LlamaCpp => llama_cpp(i, n),
    }
}

fn text(i: u64) -> String {
    serde_json::to_string(word(i)).expect("a string is JSON")
}

/// 29 letters and digits, different for each chunk from the first one on.
fn id(i: u64) -> String {
    let digit = |at| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[mixed(i * 29 + at) as usize % 32] as char;
    (0..29).map(digit).collect()
}

fn mixed(n: u64) -> u64 {
    (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn openai(i: u64, n: u64) -> String {
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    let mut json = HEAD.to_owned();
    if i == 0 {
        json += &choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null");
    } else if i + 2 == n {
        json += &choice("{}", "\"stop\"");
    } else if i + 2 < n {
        json += &choice(&format!(r#"{{"content":{}}}"#, text(i)), "null");
    }
    json += "],";
    if i + 1 == n {
        json += r#""usage":{"prompt_tokens":19,"completion_tokens":1000,"total_tokens":1019,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;
    } else {
        json += r#""usage":null"#;
    }
    if i % 5 == 0 {
        json += &format!(r#","obfuscation":"{}""#, &"k9XbQ2vLr7Tz"[..4 + i as usize % 8]);
    }
    json + "}"
}

fn vllm(i: u64, n: u64) -> String {
    let head = r#"{"id":"chatcmpl-299cd6a7461f4412b2eb5c9f61c293d3","object":"chat.completion.chunk","created":1763712000,"model":"Qwen/Qwen3-30B-A3B-Instruct-2507","choices":["#;
    let rest = if i == 0 {
        r#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}"#.to_owned()
    } else if i + 1 == n {
        r#"],"usage":{"prompt_tokens":19,"total_tokens":1019,"completion_tokens":1000}}"#.to_owned()
    } else if i + 2 == n {
        r#"{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]}"#.to_owned()
    } else {
        format!(
            r#"{{"index":0,"delta":{{"content":{}}},"logprobs":null,"finish_reason":null,"token_ids":null}}]}}"#,
            text(i)
        )
    };
    head.to_owned() + &rest
}

fn llama_cpp(i: u64, n: u64) -> String {
    let choice = if i == 0 {
        r#"{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}"#.to_owned()
    } else if i + 1 == n {
        String::new()
    } else if i + 2 == n {
        r#"{"finish_reason":"stop","index":0,"delta":{}}"#.to_owned()
    } else {
        format!(r#"{{"finish_reason":null,"index":0,"delta":{{"content":{}}}}}"#, text(i))
    };
    let end = if i + 1 == n {
        r#","usage":{"completion_tokens":1000,"prompt_tokens":19,"total_tokens":1019,"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":19,"prompt_ms":203.378,"prompt_per_token_ms":10.704105263157895,"prompt_per_second":93.42209973546795,"predicted_n":1000,"predicted_ms":9336.301,"predicted_per_token_ms":9.336301,"predicted_per_second":107.10880036965817}"#
    } else {
        ""
    };
    format!(
        r#"{{"choices":[{choice}],"created":1763712000,"id":"chatcmpl-DHvcEyFobkuV4Xu1QSYo4bqNv18TDqaA","model":"gpt-oss:120b","system_fingerprint":"b6881-8b11deea4","object":"chat.completion.chunk"{end}}}"#
    )
}

/// The JSON of the chunks alone.
pub fn chunks(dialect: Dialect, n: u64) -> Vec<String> {
    (0..n).map(|i| chunk(dialect, i, n)).collect()
}

/// The events of a stream, one per entry, the end marker last.
pub fn events(dialect: Dialect, n: u64) -> Vec<Bytes> {
    let events = chunks(dialect, n).into_iter().map(|chunk| Bytes::from(format!("data: {chunk}\n\n")));
    events.chain([Bytes::from_static(b"data: [DONE]\n\n")]).collect()
}

/// What a client must have received of `events(_, n)`.
pub fn expected(n: u64) -> Seen {
    let mut seen = Seen { items: n, ..Seen::new() };
    for i in 1..n.saturating_sub(2) {
        seen.text(word(i));
    }
    seen
}

/// A stream with a single giant chunk, and what a client must have received of it.
pub fn giant(bytes: usize) -> (Vec<Bytes>, Seen) {
    let text: String =
        "The quick brown fox jumps over the lazy dog 0123456789 times. ".chars().cycle().take(bytes).collect();
    let seen = Seen { items: 2, ..Seen::one(&text) };
    let big = format!(
        r#"data: {HEAD}{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}],"usage":null}}"#
    );
    let end = format!(
        "\n\ndata: {HEAD}{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\ndata: [DONE]\n\n"
    );
    (repacked(&[Bytes::from(big), Bytes::from(end)], 16 << 10), seen)
}
