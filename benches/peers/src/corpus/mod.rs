//! Requests and responses, identical in every run.

mod batch;
mod chat;
mod embeddings;
mod models;
mod responses;

use bytes::Bytes;

pub use batch::{batch_output, expected_batch};
pub use chat::{Dialect, chunk, chunks, events, expected, giant};
pub use embeddings::{DIMENSIONS, embeddings, expected_vectors, see_vector};
pub use models::{MODELS, expected_models, models};
pub use responses::{expected_response, response_events};

/// Summary of the data a client received: enough to detect that something is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Number of chunks, responses, vectors or files.
    pub items: u64,
    /// Bytes of text, count of numbers, or bytes of a file.
    pub size: u64,
    /// FNV-1a of the text.
    pub hash: u64,
}

impl Seen {
    pub fn new() -> Self {
        Seen { items: 0, size: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }

    pub fn text(&mut self, text: &str) {
        self.size += text.len() as u64;
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// One item with this text.
    pub fn one(text: &str) -> Self {
        let mut seen = Seen { items: 1, ..Seen::new() };
        seen.text(text);
        seen
    }

    /// The sum of equal repetitions; the hash is that of the last one.
    pub fn then(self, next: Seen) -> Self {
        Seen { items: self.items + next.items, size: self.size + next.size, hash: next.hash }
    }

    /// The same work, repeated.
    pub fn times(self, times: u64) -> Self {
        Seen { items: self.items * times, size: self.size * times, hash: self.hash }
    }
}

const WORDS: [&str; 24] = [
    " the",
    " river",
    " runs",
    ",",
    " and",
    " of",
    "\n\n",
    " **Danube**",
    " is",
    " long",
    "est",
    ".",
    " In",
    " Köln",
    " it",
    " \"meets\"",
    " a",
    " second",
    " stream",
    " —",
    " from",
    " north",
    " to",
    " sea",
];

/// The i-th word of an endless text.
pub fn word(i: u64) -> &'static str {
    WORDS[(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % WORDS.len()]
}

/// Text of at least this many bytes, beginning with the i-th word.
fn words(from: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    for i in from.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(word(i));
    }
    text
}

/// The same bytes, split into pieces of this size.
pub fn repacked(pieces: &[Bytes], size: usize) -> Vec<Bytes> {
    let whole: Vec<u8> = pieces.concat();
    whole.chunks(size).map(Bytes::copy_from_slice).collect()
}

/// Pieces joined, this many in a packet.
pub fn packets(pieces: &[Bytes], many: usize) -> Vec<Bytes> {
    pieces.chunks(many).map(|some| Bytes::from(some.concat())).collect()
}

/// The body that arrives in a row without a socket; `None` for the other rows.
pub fn pieces(row: &str) -> Option<(Dialect, Vec<Bytes>)> {
    let openai = || events(Dialect::OpenAi, 1000);
    let giant = |megabytes: usize| giant(megabytes << 20).0;
    Some(match row {
        "decode" => (Dialect::OpenAi, openai()),
        "decode-64" => (Dialect::OpenAi, packets(&openai(), 64)),
        "decode-bytes" => (Dialect::OpenAi, repacked(&openai(), 1)),
        "decode-heads" => (Dialect::Heads, events(Dialect::Heads, 1000)),
        "decode-vllm" => (Dialect::Vllm, events(Dialect::Vllm, 1000)),
        "decode-llama" => (Dialect::LlamaCpp, events(Dialect::LlamaCpp, 1000)),
        "giant-4" => (Dialect::OpenAi, giant(4)),
        "giant-8" => (Dialect::OpenAi, giant(8)),
        "giant-16" => (Dialect::OpenAi, giant(16)),
        _ => return None,
    })
}

/// Response to a small chat call.
pub const COMPLETION: &str = r#"{"id":"chatcmpl-CfD4Y1mPqG7v0tR8sLw2nXbZk3uJh","object":"chat.completion","created":1763712000,"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"The three longest rivers of Europe are the Volga, the Danube and the Ural.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":21,"total_tokens":40,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_3f58d112f7"}"#;

pub const ANSWER: &str = "The three longest rivers of Europe are the Volga, the Danube and the Ural.";
pub const QUESTION: &str = "Name the three longest rivers of Europe.";
pub const SYSTEM: &str = "You are a helpful assistant that answers in one sentence.";

/// A message of a request.
#[derive(Clone, Debug)]
pub struct Message {
    pub role: Role,
    pub text: String,
}

#[derive(Clone, Copy, Debug)]
pub enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// A prompt of this size: text with line breaks, which JSON escapes.
pub fn prompt(bytes: usize) -> Vec<Message> {
    let line = "The quick brown fox jumps over the lazy dog, 0123456789 times.\n";
    let text = line.chars().cycle().take(bytes).collect();
    vec![Message { role: Role::System, text: SYSTEM.to_owned() }, Message { role: Role::User, text }]
}

/// A long conversation: 2,000 messages of some 170 bytes, with line breaks and quotes.
pub fn conversation() -> Vec<Message> {
    let role = |i| if i % 2 == 0 { Role::User } else { Role::Assistant };
    (0..2000).map(|i| Message { role: role(i), text: words(i * 37, 170) }).collect()
}

/// Bytes of the shortest JSON body with these messages.
pub fn body_size(messages: &[Message]) -> usize {
    let message = |message: &Message| {
        serde_json::json!({ "role": message.role.name(), "content": message.text }).to_string().len() + 1
    };
    r#"{"model":"digest","messages":[],"temperature":0.2}"#.len() + messages.iter().map(message).sum::<usize>() - 1
}

/// What the server answers to a request for the model `digest`: proof that every message arrived.
pub fn digest_text(seen: Seen) -> String {
    format!("{} messages, {} bytes, hash {:016x}", seen.items, seen.size, seen.hash)
}

/// Summary of these messages.
pub fn digest(messages: &[Message]) -> Seen {
    let mut seen = Seen::new();
    for message in messages {
        seen.items += 1;
        seen.text(message.role.name());
        seen.text(&message.text);
    }
    seen
}

/// The same summary, of the body of a request.
pub fn digest_body(body: &[u8]) -> Seen {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let mut seen = Seen::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        seen.items += 1;
        seen.text(message["role"].as_str().unwrap_or_default());
        match &message["content"] {
            serde_json::Value::Array(parts) => {
                parts.iter().for_each(|part| seen.text(part["text"].as_str().unwrap_or_default()));
            }
            content => seen.text(content.as_str().unwrap_or_default()),
        }
    }
    seen
}
