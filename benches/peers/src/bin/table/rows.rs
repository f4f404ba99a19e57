//! The rows of the table.

use peers::corpus::{self, Seen};
use peers::rows::Took;

use crate::bench::{Bench, Cell, Measured};

/// One line of the table.
pub struct Row {
    pub key: &'static str,
    pub title: &'static str,
    pub target: &'static str,
    pub compare: Compare,
    pub measure: fn(&Bench, &str) -> Measured<Cell>,
}

/// How a figure is shown next to the floor's.
#[derive(Clone, Copy)]
pub enum Compare {
    /// As a multiple of the floor's.
    Ratio,
    /// As the difference to the floor's, in KB.
    MoreKilobytes,
    /// By itself.
    Alone,
}

pub const ROWS: &[Row] = &[
    Row {
        key: "decode",
        title: "decode SSE chat chunks, one event per packet (instructions)",
        target: "≤ 0.70",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode", (1, 5)),
    },
    Row {
        key: "decode-sync",
        title: "the same, decoder and types alone",
        target: "",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-sync", (1, 5)),
    },
    Row {
        key: "decode-64",
        title: "64 events per packet (instructions)",
        target: "≤ 0.70",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-64", (1, 5)),
    },
    Row {
        key: "decode-heads",
        title: "another id in each chunk (instructions)",
        target: "≤ 1.05",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-heads", (1, 5)),
    },
    Row {
        key: "decode-vllm",
        title: "chunks of vLLM (instructions)",
        target: "≤ 0.90",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-vllm", (1, 5)),
    },
    Row {
        key: "decode-llama",
        title: "chunks of llama.cpp (instructions)",
        target: "≤ 1.05",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-llama", (1, 5)),
    },
    Row {
        key: "decode-bytes",
        title: "byte-wise arrival (instructions)",
        target: "≤ 1.10",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-bytes", (1, 2)),
    },
    Row {
        key: "decode-bytes-sync",
        title: "the same, decoder and types alone",
        target: "",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "decode-bytes-sync", (1, 2)),
    },
    Row {
        key: "responses",
        title: "decode events of a response, one per packet (instructions)",
        target: "≤ 1.00",
        compare: Compare::Ratio,
        measure: |bench, client| {
            bench.check(client, "responses", 1, corpus::expected_response(1000))?;
            bench.instructions(client, "responses", 1, 5, 1000.0)
        },
    },
    Row {
        key: "giant",
        title: "one event of 8 MB in 16 KiB packets (instructions; time; growth from 4 to 16 MB)",
        target: "≤ 1.2, exponent ≤ 1.05",
        compare: Compare::Ratio,
        measure: Bench::giant,
    },
    Row {
        key: "from-str",
        title: "`serde_json::from_str` of a chunk (instructions)",
        target: "≤ 1.15",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "from-str", (1, 5)),
    },
    Row {
        key: "stream",
        title: "chat stream over loopback, per chunk (instructions)",
        target: "≤ 0.90",
        compare: Compare::Ratio,
        measure: |bench, client| bench.chunks(client, "stream", (1, 4)),
    },
    Row {
        key: "allocations",
        title: "allocations per streamed chunk",
        target: "≤ 2.5",
        compare: Compare::Alone,
        measure: |bench, client| {
            let [allocations, _] = allocated(bench, client, "stream", (1, 4), corpus::expected(1000))?;
            Ok(Cell::new(allocations / 1000.0, format!("{:.2}", allocations / 1000.0)))
        },
    },
    Row {
        key: "calls",
        title: "small chat call (instructions)",
        target: "≤ 1.00",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "calls", (20, 120), Seen::one(corpus::ANSWER)),
    },
    Row {
        key: "call-allocations",
        title: "allocations per small chat call",
        target: "",
        compare: Compare::Alone,
        measure: |bench, client| {
            let [allocations, _] = allocated(bench, client, "calls", (20, 120), Seen::one(corpus::ANSWER))?;
            Ok(Cell::new(allocations, format!("{allocations:.1}")))
        },
    },
    Row {
        key: "prompt",
        title: "4 MB prompt: bytes allocated / payload",
        target: "≤ 1.2",
        compare: Compare::Alone,
        measure: |bench, client| {
            let prompt = corpus::prompt(4 << 20);
            let took = bench.check(client, "prompt", 1, digest(&prompt))?;
            let value = took.allocated as f64 / prompt[1].text.len() as f64;
            Ok(Cell::new(value, format!("{value:.2}")))
        },
    },
    Row {
        key: "prompt-instructions",
        title: "the same call (instructions)",
        target: "≤ 1.10",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "prompt", (1, 3), digest(&corpus::prompt(4 << 20))),
    },
    Row {
        key: "conversation",
        title: "call with 2,000 messages (instructions)",
        target: "≤ 1.10",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "conversation", (2, 6), digest(&corpus::conversation())),
    },
    Row {
        key: "conversation-allocations",
        title: "the same call: allocations (more than a small call)",
        target: "≤ +10",
        compare: Compare::Alone,
        measure: |bench, client| {
            let once = digest(&corpus::conversation());
            let [allocations, _] = allocated(bench, client, "conversation", (4, 14), once)?;
            let [small, _] = allocated(bench, client, "calls", (20, 120), Seen::one(corpus::ANSWER))?;
            Ok(Cell::new(allocations, format!("{allocations:.1} ({:+.1})", allocations - small)))
        },
    },
    Row {
        key: "conversation-bytes",
        title: "the same call: bytes allocated / body",
        target: "≤ 1.2",
        compare: Compare::Alone,
        measure: |bench, client| {
            let messages = corpus::conversation();
            let [_, bytes] = allocated(bench, client, "conversation", (4, 14), digest(&messages))?;
            let value = bytes / corpus::body_size(&messages) as f64;
            Ok(Cell::new(value, format!("{value:.2}")))
        },
    },
    Row {
        key: "to-vec",
        title: "`serde_json::to_vec` of the same request (instructions)",
        target: "≤ 1.15",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "to-vec", (1, 5), corpus::digest(&corpus::conversation())),
    },
    Row {
        key: "batch-rows",
        title: "row of a batch's output, 1 KB (instructions)",
        target: "≤ 1.15",
        compare: Compare::Ratio,
        measure: |bench, client| {
            bench.check(client, "batch-rows", 1, corpus::expected_batch(1000))?;
            bench.instructions(client, "batch-rows", 1, 3, 1000.0)
        },
    },
    Row {
        key: "models",
        title: "list of 1,000 models as OpenRouter's, per model (instructions)",
        target: "≤ 1.10",
        compare: Compare::Ratio,
        measure: |bench, client| {
            bench.check(client, "models", 1, corpus::expected_models(false))?;
            // A client without the other fields gets no figure.
            bench.check(client, "models-fields", 1, corpus::expected_models(true))?;
            bench.instructions(client, "models", 1, 3, corpus::MODELS as f64)
        },
    },
    Row {
        key: "models-fields",
        title: "the same, with three more of its fields read",
        target: "",
        compare: Compare::Ratio,
        measure: |bench, client| {
            bench.check(client, "models-fields", 1, corpus::expected_models(true))?;
            bench.instructions(client, "models-fields", 1, 3, corpus::MODELS as f64)
        },
    },
    Row {
        key: "floats",
        title: "embeddings as floats (instructions, 256 × 1536)",
        target: "≤ 1.00",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "floats", (1, 2), corpus::expected_vectors(256)),
    },
    Row {
        key: "base64",
        title: "embeddings as base64 (instructions, 256 × 1536)",
        target: "≤ 0.90",
        compare: Compare::Ratio,
        measure: |bench, client| bench.checked(client, "base64", (1, 2), corpus::expected_vectors(256)),
    },
    Row {
        key: "base64-memory",
        title: "2048 × 1536 as base64: memory over the start",
        target: "≤ 30 MB",
        compare: Compare::Alone,
        measure: |bench, client| {
            let took = bench.check(client, "base64-memory", 1, corpus::expected_vectors(2048))?;
            Ok(Cell::megabytes(took.growth))
        },
    },
    Row {
        key: "build",
        title: "building a client (time)",
        target: "≤ 0.1 ms",
        compare: Compare::Alone,
        measure: |bench, client| {
            let runs = (0..3).map(|_| Ok(bench.took(client, "build", 20)?.seconds / 20.0 * 1e3));
            let value = runs.collect::<Measured<Vec<f64>>>()?.into_iter().fold(f64::MAX, f64::min);
            Ok(Cell::new(value, format!("{value:.3} ms")))
        },
    },
    Row {
        key: "upload",
        title: "upload 1 GiB: peak memory, CPU",
        target: "≤ 16 MB, ≤ 1.1 × CPU",
        compare: Compare::Ratio,
        measure: |bench, client| bench.transfer(client, "upload"),
    },
    Row {
        key: "download",
        title: "download 1 GiB: peak memory, CPU",
        target: "≤ 16 MB, ≤ 1.1 × CPU",
        compare: Compare::Ratio,
        measure: |bench, client| bench.transfer(client, "download"),
    },
    Row {
        key: "idle",
        title: "memory of an idle open stream over the floor",
        target: "≤ +2 KB",
        compare: Compare::MoreKilobytes,
        measure: |bench, client| {
            let (few, many) = (bench.took(client, "idle", 10)?, bench.took(client, "idle", 110)?);
            let value = (many.live as f64 - few.live as f64) / 100.0 / 1e3;
            Ok(Cell::new(value, format!("{value:.1} KB")))
        },
    },
    Row {
        key: "pause",
        title: "a reader that pauses for 4 s: bytes the server could send, memory",
        target: "backpressure, flat",
        compare: Compare::Alone,
        measure: |bench, client| {
            let took = bench.took(client, "pause", 4)?;
            let sent = bench.flooded()? as f64 / 1e6;
            Ok(Cell::new(sent, format!("{sent:.0} MB sent, +{:.1} MB", took.growth as f64 / 1e6)))
        },
    },
];

/// What a call with these messages must have received.
fn digest(messages: &[corpus::Message]) -> Seen {
    Seen::one(&corpus::digest_text(corpus::digest(messages)))
}

/// Allocations and bytes allocated by one repetition: the difference of two runs.
fn allocated(bench: &Bench, client: &str, row: &str, (few, many): (u64, u64), once: Seen) -> Measured<[f64; 2]> {
    let (first, last) = (bench.check(client, row, few, once)?, bench.check(client, row, many, once)?);
    let once = |read: fn(&Took) -> u64| (read(&last) as f64 - read(&first) as f64) / (many - few) as f64;
    Ok([once(|took| took.allocations), once(|took| took.allocated)])
}
