//! The rows: what each client does, and the program around it.
//!
//! A client's binary is called as `CLIENT ROW COUNT BASE_URL`, does the row's work so many times, and writes one line of
//! JSON: what it received, and what it took. The table calls it twice with different counts, so that start-up falls out.

use std::any::Any;
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::corpus::{self, Seen};
use crate::measure;

/// `Err` says why a client cannot do the work.
pub type Done<T = Seen> = Result<T, String>;

/// Any error as the reason.
pub fn why(error: impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take(300).collect()
}

fn cannot<T>() -> Done<T> {
    Err("has no such call".to_owned())
}

/// One client.
pub trait Peer {
    /// Decodes a chat stream that comes as these pieces, without a socket.
    fn decode(_pieces: &'static [Bytes]) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// The same by another road of this client.
    fn decode_sync(_pieces: &'static [Bytes]) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Streams chat replies from the server: this model, so many times, one client.
    fn stream(_base: &str, _model: &str, _times: u64) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Small chat calls, one client.
    fn calls(_base: &str, _times: u64) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// One call with a large prompt. Calls `measure::mark` when the request is built.
    fn prompt(_base: &str, _text: String) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Embeddings of this model, so many times, one client.
    fn embeddings(_base: &str, _model: &str, _times: u64) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Builds a client.
    fn build(_base: &str) -> Done<Box<dyn Any>> {
        cannot()
    }

    /// Uploads a file from disk.
    fn upload(_base: &str, _path: &str) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Downloads a file and looks at its length.
    fn download(_base: &str, _id: &str) -> impl Future<Output = Done> {
        async { cannot() }
    }

    /// Opens so many streams that say nothing after their first chunk, one client.
    fn idle(_base: &str, _many: u64) -> impl Future<Output = Done<Box<dyn Any>>> {
        async { cannot() }
    }

    /// Opens a stream that never ends and reads its first chunk.
    fn pause(_base: &str) -> impl Future<Output = Done<Box<dyn Any>>> {
        async { cannot() }
    }
}

/// What a run took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Took {
    pub error: Option<String>,
    pub seen: Seen,
    pub allocations: u64,
    pub allocated: u64,
    /// Seconds of the work alone.
    pub seconds: f64,
    /// CPU seconds of the work alone.
    pub cpu: f64,
    /// Bytes over the memory before the work.
    pub growth: u64,
    /// Most bytes of the whole process.
    pub peak: u64,
    /// Bytes in use at the end of the work, over those before.
    pub live: u64,
}

/// The program of a client.
pub fn main<P: Peer>() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, row, count, base] = arguments.as_slice() else {
        eprintln!("usage: {} ROW COUNT BASE_URL", arguments[0]);
        std::process::exit(2);
    };
    let count: u64 = count.parse().expect("COUNT is a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let took = runtime.block_on(run::<P>(row, count, base));
    println!("{}", serde_json::to_string(&took).expect("JSON"));
    // What hangs on open streams is not waited for.
    std::process::exit(0);
}

async fn run<P: Peer>(row: &str, count: u64, base: &str) -> Took {
    let chunks = corpus::events(1000);
    let pieces = match row {
        "decode" | "decode-sync" => chunks,
        "decode-64" | "decode-64-sync" => corpus::packets(&chunks, 64),
        "decode-bytes" | "decode-bytes-sync" => corpus::repacked(&chunks, 1),
        "giant-4" => corpus::giant(4 << 20).0,
        "giant-8" => corpus::giant(8 << 20).0,
        "giant-16" => corpus::giant(16 << 20).0,
        _ => Vec::new(),
    };
    // Never freed, so that handing them out costs each client as little as it can.
    let pieces: Vec<Bytes> = pieces.into_iter().map(|piece| Bytes::from_static(Vec::leak(piece.into()))).collect();
    let pieces: &'static [Bytes] = Vec::leak(pieces);
    if row.ends_with("-memory") {
        // The start is a program that has made a call.
        let _ = P::calls(base, 1).await;
    }
    let memory = measure::memory();
    let live = measure::live();
    let cpu = measure::cpu();
    let started = Instant::now();
    measure::mark();
    let mut kept: Option<Box<dyn Any>> = None;
    let done = match row {
        "decode" | "decode-64" | "decode-bytes" | "giant-4" | "giant-8" | "giant-16" => {
            repeat(count, || P::decode(pieces)).await
        }
        "decode-sync" | "decode-64-sync" | "decode-bytes-sync" => repeat(count, || P::decode_sync(pieces)).await,
        "stream" => P::stream(base, "stream-1000", count).await,
        "calls" => P::calls(base, count).await,
        "prompt" => match P::calls(base, 1).await {
            Ok(_) => P::prompt(base, corpus::prompt(count as usize)).await,
            failed => failed,
        },
        "floats" | "base64" => P::embeddings(base, &format!("{row}-256"), count).await,
        "floats-memory" => P::embeddings(base, "floats-2048", count).await,
        "base64-memory" => P::embeddings(base, "base64-2048", count).await,
        "build" => (0..count).try_fold(Seen::default(), |seen, _| {
            drop(P::build(base)?);
            Ok(Seen { items: seen.items + 1, ..seen })
        }),
        "upload" => P::upload(base, &std::env::var("UPLOAD_FILE").expect("UPLOAD_FILE")).await,
        "download" => P::download(base, &format!("bytes-{count}")).await,
        "idle" => match P::idle(base, count).await {
            Ok(streams) => {
                kept = Some(streams);
                Ok(Seen { items: count, ..Seen::default() })
            }
            Err(error) => Err(error),
        },
        "pause" => match P::pause(base).await {
            Ok(stream) => {
                kept = Some(stream);
                tokio::time::sleep(Duration::from_secs(count)).await;
                Ok(Seen { items: 1, ..Seen::default() })
            }
            Err(error) => Err(error),
        },
        other => Err(format!("no row {other}")),
    };
    let took = Took {
        error: done.as_ref().err().cloned(),
        seen: done.unwrap_or_default(),
        allocations: measure::allocations(),
        allocated: measure::allocated(),
        seconds: started.elapsed().as_secs_f64(),
        cpu: measure::cpu() - cpu,
        growth: measure::peak_memory().saturating_sub(memory),
        peak: measure::peak_memory(),
        live: measure::live().saturating_sub(live),
    };
    std::mem::forget(kept);
    took
}

async fn repeat<F: Future<Output = Done>>(times: u64, work: impl Fn() -> F) -> Done {
    let mut sum = Seen::default();
    for _ in 0..times {
        let seen = work().await?;
        sum = Seen { items: sum.items + seen.items, size: sum.size + seen.size, hash: seen.hash };
    }
    Ok(sum)
}
