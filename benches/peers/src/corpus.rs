//! Replies as OpenAI writes them, the same in every run.

use bytes::Bytes;

/// What a client received: enough to tell that nothing is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// Chunks, replies, vectors or files.
    pub items: u64,
    /// Bytes of text, numbers or bytes.
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

/// The text of the i-th chunk.
pub fn word(i: u64) -> &'static str {
    WORDS[(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as usize % WORDS.len()]
}

const HEAD: &str = r#"{"id":"chatcmpl-CfD4Y1mPqG7v0tR8sLw2nXbZk3uJh","object":"chat.completion.chunk","created":1763712000,"model":"gpt-4.1-mini-2025-04-14","service_tier":"default","system_fingerprint":"fp_3f58d112f7","choices":["#;

/// The JSON of the i-th of `n` chunks: a role first, a finish reason and the usage last, text between them.
pub fn chunk(i: u64, n: u64) -> String {
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    let mut json = HEAD.to_owned();
    if i == 0 {
        json += &choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null");
    } else if i + 2 == n {
        json += &choice("{}", "\"stop\"");
    } else if i + 2 < n {
        json += &choice(&format!(r#"{{"content":{}}}"#, serde_json::to_string(word(i)).unwrap()), "null");
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

/// A stream's events, one an entry, the end mark last.
pub fn events(n: u64) -> Vec<Bytes> {
    let chunks = (0..n).map(|i| Bytes::from(format!("data: {}\n\n", chunk(i, n))));
    chunks.chain([Bytes::from_static(b"data: [DONE]\n\n")]).collect()
}

/// What a client must have received of `events(n)`.
pub fn expected(n: u64) -> Seen {
    let mut seen = Seen { items: n, ..Seen::new() };
    for i in 1..n.saturating_sub(2) {
        seen.text(word(i));
    }
    seen
}

/// The same bytes in pieces of another size.
pub fn repacked(events: &[Bytes], size: usize) -> Vec<Bytes> {
    let whole: Vec<u8> = events.concat();
    whole.chunks(size).map(Bytes::copy_from_slice).collect()
}

/// `events` joined, so many in a packet.
pub fn packets(events: &[Bytes], many: usize) -> Vec<Bytes> {
    events.chunks(many).map(|some| Bytes::from(some.concat())).collect()
}

/// Text without anything to escape.
pub fn filler(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog 0123456789 times. ".chars().cycle().take(bytes).collect()
}

/// A prompt: text with line breaks, which JSON escapes.
pub fn prompt(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog, 0123456789 times.\n".chars().cycle().take(bytes).collect()
}

/// One stream with a single giant chunk, and what must come of it.
pub fn giant(bytes: usize) -> (Vec<Bytes>, Seen) {
    let text = filler(bytes);
    let mut seen = Seen { items: 2, ..Seen::new() };
    seen.text(&text);
    let big = format!(
        r#"data: {HEAD}{{"index":0,"delta":{{"content":"{text}"}},"logprobs":null,"finish_reason":null}}],"usage":null}}"#
    );
    let end = format!(
        "\n\ndata: {HEAD}{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":null}}\n\ndata: [DONE]\n\n"
    );
    (repacked(&[Bytes::from(big), Bytes::from(end)], 16 << 10), seen)
}

/// The reply to a small chat call.
pub const COMPLETION: &str = r#"{"id":"chatcmpl-CfD4Y1mPqG7v0tR8sLw2nXbZk3uJh","object":"chat.completion","created":1763712000,"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"The three longest rivers of Europe are the Volga, the Danube and the Ural.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":21,"total_tokens":40,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_3f58d112f7"}"#;

pub const ANSWER: &str = "The three longest rivers of Europe are the Volga, the Danube and the Ural.";
pub const QUESTION: &str = "Name the three longest rivers of Europe.";
pub const SYSTEM: &str = "You are a helpful assistant that answers in one sentence.";

/// Numbers in a vector.
pub const DIMENSIONS: usize = 1536;

/// One number of one vector: as OpenAI's, about 0.02 in size.
pub fn number(vector: usize, at: usize) -> f32 {
    let mixed = ((vector * DIMENSIONS + at) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f32 / (1u64 << 24) as f32 * 0.08 - 0.04
}

pub fn expected_vectors(n: usize) -> Seen {
    let mut seen = Seen::new();
    for vector in 0..n {
        see_vector(&mut seen, (0..DIMENSIONS).map(|at| number(vector, at)));
    }
    seen
}

/// Samples a vector: all of its length, and every 128th number by its bits.
pub fn see_vector(seen: &mut Seen, numbers: impl Iterator<Item = f32>) {
    seen.items += 1;
    for (at, number) in numbers.enumerate() {
        seen.size += 1;
        if at % 128 == 0 {
            seen.hash = (seen.hash ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// An embeddings reply.
pub fn embeddings(n: usize, base64: bool) -> String {
    use std::fmt::Write;
    let mut json = String::with_capacity(n * DIMENSIONS * if base64 { 6 } else { 15 });
    json += r#"{"object":"list","data":["#;
    for vector in 0..n {
        if vector > 0 {
            json.push(',');
        }
        write!(json, r#"{{"object":"embedding","index":{vector},"embedding":"#).unwrap();
        if base64 {
            let bytes: Vec<u8> = (0..DIMENSIONS).flat_map(|at| number(vector, at).to_le_bytes()).collect();
            json.push('"');
            encode_base64(&bytes, &mut json);
            json.push('"');
        } else {
            for at in 0..DIMENSIONS {
                let separator = if at == 0 { '[' } else { ',' };
                write!(json, "{separator}{}", number(vector, at)).unwrap();
            }
            json.push(']');
        }
        json.push('}');
    }
    json + r#"],"model":"text-embedding-3-small","usage":{"prompt_tokens":8,"total_tokens":8}}"#
}

fn encode_base64(bytes: &[u8], into: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([&0, &0]).take(3).fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for digit in 0..4 {
            let is_padding = digit > three.len();
            into.push(if is_padding { '=' } else { DIGITS[bits >> (18 - 6 * digit) & 63] as char });
        }
    }
}
