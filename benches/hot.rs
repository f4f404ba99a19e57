//! Benchmarks of the hot paths, without a network: decoding chunks and responses, serializing requests, accumulating
//! chunks and decoding embeddings.
//!
//! `cargo bench --bench hot` takes half a minute; `cargo bench --bench hot decode` runs the benchmarks with this name.
//! `benches/peers` compares this crate with other clients.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use openai_compatible::chat::{Accumulator, ChatChunk, ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::{Client, HttpError, RequestBody, ResponseBody, sse};
use tokio::runtime::{Builder, Runtime};

#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]
#[path = "peers/src/corpus/mod.rs"]
mod corpus;
use corpus::Dialect;

const CHUNKS: u64 = 1000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Creates a client that receives the chunks as the body of every response.
fn client(chunks: Vec<Bytes>) -> Client {
    let service = move |_: http::Request<RequestBody>| {
        let chunks = futures::stream::iter(chunks.clone()).map(Ok::<_, HttpError>);
        async move { Ok::<_, HttpError>(http::Response::new(ResponseBody::streamed(chunks))) }
    };
    Client::builder().base_url("http://memory/v1").http_service(service).build().expect("a client")
}

fn request() -> ChatRequest {
    let messages = (0..20).flat_map(|turn| {
        let text = "The quick brown fox jumps over the lazy dog.\n".repeat(2 + turn / 8);
        [Message::user(text.clone()), Message::assistant(text)]
    });
    ChatRequest::new("gpt-4.1-mini", messages).temperature(0.2)
}

fn decode(criterion: &mut Criterion) {
    let runtime = runtime();
    let events = corpus::events(Dialect::OpenAi, CHUNKS);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(CHUNKS));
    let bodies = [
        ("1 event per read", events.clone()),
        ("64 events per read", corpus::packets(&events, 64)),
        ("1 byte per read", corpus::repacked(&events, 1)),
    ];
    for (name, chunks) in bodies {
        let client = client(chunks);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let mut chunks = client.chat().stream(request()).await.expect("a stream");
                    while let Some(chunk) = chunks.try_next().await.expect("a chunk") {
                        black_box(&chunk);
                    }
                })
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let client = client(vec![Bytes::from_static(corpus::COMPLETION.as_bytes())]);
    let request = request();
    group.bench_function("non-streaming call", |bencher| {
        bencher.iter(|| runtime.block_on(async { client.chat().create(&request).await.expect("a completion") }));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let request = request();
    let size = serde_json::to_vec(&request).expect("JSON").len() as u64;
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(size));
    group.bench_function("conversation of 40 messages", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&request)).expect("JSON"));
    });
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let packets = corpus::packets(&corpus::events(Dialect::OpenAi, CHUNKS), 64);
    let mut group = criterion.benchmark_group("sse");
    group.throughput(Throughput::Elements(CHUNKS));
    group.bench_function("events without decoding", |bencher| {
        bencher.iter(|| {
            let mut decoder = sse::Decoder::new();
            for packet in &packets {
                decoder.push(packet.clone());
                while let Some(event) = decoder.next_event().expect("an event") {
                    black_box(&event);
                }
            }
        });
    });
    group.finish();
}

fn accumulate(criterion: &mut Criterion) {
    let chunks: Vec<ChatChunk> = corpus::chunks(Dialect::OpenAi, CHUNKS)
        .iter()
        .map(|chunk| serde_json::from_str(chunk).expect("a chunk"))
        .collect();
    let mut group = criterion.benchmark_group("accumulate");
    group.throughput(Throughput::Elements(CHUNKS));
    group.bench_function("chunks into a completion", |bencher| {
        bencher.iter_batched(
            || chunks.clone(),
            |chunks| {
                let mut accumulator = Accumulator::new();
                chunks.into_iter().for_each(|chunk| accumulator.push(chunk));
                accumulator.finish()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn embeddings(criterion: &mut Criterion) {
    const VECTORS: usize = 64;
    let runtime = runtime();
    let mut group = criterion.benchmark_group("embeddings");
    group.throughput(Throughput::Elements((VECTORS * corpus::DIMENSIONS) as u64));
    for (name, is_base64) in [("floats", false), ("base64", true)] {
        let client = client(vec![Bytes::from(corpus::embeddings(VECTORS, is_base64))]);
        let request = EmbeddingRequest::new("m", vec!["text"; VECTORS]);
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(async { client.embeddings().create(&request).await.expect("vectors") }));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = decode, encode, events, accumulate, embeddings
}
criterion_main!(benches);
