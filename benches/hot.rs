//! What a program does all day: read chunks and replies, write requests, join chunks, read vectors. Nothing opens a socket.
//!
//! `cargo bench --bench hot` takes half a minute; `cargo bench --bench hot decode` runs what has that in its name.
//! How much of it is this crate's and how others do: `benches/peers`.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use openai_compatible::chat::{Accumulator, ChatChunk, ChatRequest, Message};
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::{Client, HttpError, RequestBody, ResponseBody, sse};
use tokio::runtime::{Builder, Runtime};

#[allow(dead_code, unreachable_pub, missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "peers/src/corpus.rs"]
mod corpus;

const CHUNKS: u64 = 1000;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A client whose server is a list of pieces.
fn client(pieces: Vec<Bytes>) -> Client {
    let service = move |_: http::Request<RequestBody>| {
        let pieces = futures::stream::iter(pieces.clone()).map(Ok::<_, HttpError>);
        async move { Ok::<_, HttpError>(http::Response::new(ResponseBody::streamed(pieces))) }
    };
    Client::builder().base_url("http://memory/v1").http_service(service).build().expect("a client")
}

fn request() -> ChatRequest {
    let messages = (0..20).flat_map(|turn| {
        let text = corpus::prompt(100 + turn * 7);
        [Message::user(text.clone()), Message::assistant(text)]
    });
    ChatRequest::new("gpt-4.1-mini", messages).temperature(0.2)
}

fn decode(criterion: &mut Criterion) {
    let runtime = runtime();
    let events = corpus::events(CHUNKS);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(CHUNKS));
    let arrivals = [
        ("one event a piece", events.clone()),
        ("64 events a piece", corpus::packets(&events, 64)),
        ("a byte a piece", corpus::repacked(&events, 1)),
    ];
    for (name, pieces) in arrivals {
        let client = client(pieces);
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
    group.bench_function("a whole reply, its request included", |bencher| {
        bencher.iter(|| runtime.block_on(async { client.chat().create(&request).await.expect("a reply") }));
    });
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let request = request();
    let size = serde_json::to_vec(&request).expect("JSON").len() as u64;
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(size));
    group.bench_function("a conversation of 40 messages", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&request)).expect("JSON"));
    });
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let packets = corpus::packets(&corpus::events(CHUNKS), 64);
    let mut group = criterion.benchmark_group("sse");
    group.throughput(Throughput::Elements(CHUNKS));
    group.bench_function("events alone", |bencher| {
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
    let chunks: Vec<ChatChunk> =
        (0..CHUNKS).map(|i| serde_json::from_str(&corpus::chunk(i, CHUNKS)).expect("a chunk")).collect();
    let mut group = criterion.benchmark_group("accumulate");
    group.throughput(Throughput::Elements(CHUNKS));
    group.bench_function("chunks into a reply", |bencher| {
        bencher.iter_batched(
            || chunks.clone(),
            |chunks| {
                let mut accumulator = Accumulator::new();
                chunks.into_iter().for_each(|chunk| accumulator.add(chunk));
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
