//! The work that each client does, and the program around it.
//!
//! A client's binary is called as `CLIENT ROW COUNT BASE_URL`. It repeats the row's work `COUNT` times and writes one line of
//! JSON: what it received, and what that took. The table takes the difference of two counts, so that everything done once
//! (start-up, building the client, preparing a request) cancels out.

use std::any::Any;
use std::future::Ready;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::corpus::{self, Dialect, Message, Seen};
use crate::measure;

/// `Err` is the reason why a client cannot do the work.
pub type Done<T = Seen> = Result<T, String>;

/// Any error as a reason.
pub fn why(error: impl std::fmt::Debug) -> String {
    format!("{error:?}").chars().take(300).collect()
}

fn missing<T>() -> Done<T> {
    Err("has no such call".to_owned())
}

/// One client. The work that is measured shares a client, which is built before.
#[allow(async_fn_in_trait, reason = "implemented and called in this package only")]
pub trait Peer {
    type Client: 'static;

    /// Builds a client.
    fn client(base: &str) -> Done<Self::Client>;

    /// Prepares to decode a chat stream that arrives as these pieces, without a socket.
    fn decode(_dialect: Dialect, _pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        missing::<fn() -> Ready<Done>>()
    }

    /// Decodes the same with the client's SSE decoder and serde.
    fn decode_sync(_dialect: Dialect, _pieces: &'static [Bytes]) -> Done {
        missing()
    }

    /// Prepares to decode a stream of the Responses API that arrives as these pieces, without a socket.
    fn responses(_pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        missing::<fn() -> Ready<Done>>()
    }

    /// Decodes JSON texts to chunks with `serde_json::from_str`.
    fn from_str(_chunks: &[String]) -> Done {
        missing()
    }

    /// Builds a request, to be serialized with `serde_json::to_vec`.
    fn to_vec(_messages: Vec<Message>) -> Done<impl Fn() -> Done<Vec<u8>>> {
        missing::<fn() -> Done<Vec<u8>>>()
    }

    /// Prepares to read the rows of a batch's output file, which arrives as these pieces, without a socket.
    fn batch_rows(_pieces: &'static [Bytes]) -> Done<impl AsyncFn() -> Done> {
        missing::<fn() -> Ready<Done>>()
    }

    /// Streams a chat completion.
    async fn stream(_client: &Self::Client, _model: &str) -> Done {
        missing()
    }

    /// Makes a small chat call.
    async fn call(_client: &Self::Client) -> Done {
        missing()
    }

    /// Sends a request for the model `digest` so many times. It is built before the call to [`measure::mark`] and lent to the
    /// client. A client that takes the request by value gets a copy, except for the last time.
    async fn send(_client: &Self::Client, _messages: Vec<Message>, _times: u64) -> Done {
        missing()
    }

    /// Gets embeddings of this model.
    async fn embeddings(_client: &Self::Client, _model: &str) -> Done {
        missing()
    }

    /// Lists the models and reads their ids; with `fields`, three other fields as well.
    async fn models(_client: &Self::Client, _fields: bool) -> Done {
        missing()
    }

    /// Uploads a file from disk.
    async fn upload(_client: &Self::Client, _path: &str) -> Done {
        missing()
    }

    /// Downloads a file and counts its bytes.
    async fn download(_client: &Self::Client, _id: &str) -> Done {
        missing()
    }

    /// Opens a stream and reads its first chunk.
    async fn open(_client: &Self::Client, _model: &str) -> Done<Box<dyn Any>> {
        missing()
    }
}

/// What a run took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Took {
    pub error: Option<String>,
    pub seen: Seen,
    pub allocations: u64,
    pub allocated: u64,
    /// Seconds.
    pub seconds: f64,
    /// CPU seconds.
    pub cpu: f64,
    /// Peak memory above the start, in bytes.
    pub growth: u64,
    /// Peak memory of the whole process, in bytes.
    pub peak: u64,
    /// Bytes in use at the end, above the start.
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
    let took = runtime.block_on(async {
        let mut start = Start::now();
        let mut open = Vec::new();
        let done = run::<P>(row, count, base, &mut start, &mut open).await;
        let took = start.took(done);
        std::mem::forget(open);
        took
    });
    println!("{}", serde_json::to_string(&took).expect("JSON"));
    // Without waiting for tasks of open streams.
    std::process::exit(0);
}

/// Readings of the counters at the start of the measured work.
struct Start {
    memory: u64,
    live: u64,
    cpu: f64,
    time: Instant,
}

impl Start {
    fn now() -> Self {
        let start =
            Start { memory: measure::memory(), live: measure::live(), cpu: measure::cpu(), time: Instant::now() };
        measure::mark();
        start
    }

    fn took(&self, done: Done) -> Took {
        Took {
            error: done.as_ref().err().cloned(),
            seen: done.unwrap_or_default(),
            allocations: measure::allocations(),
            allocated: measure::allocated(),
            seconds: self.time.elapsed().as_secs_f64(),
            cpu: measure::cpu() - self.cpu,
            growth: measure::peak_memory().saturating_sub(self.memory),
            peak: measure::peak_memory(),
            live: measure::live().saturating_sub(self.live),
        }
    }
}

/// Prepares the work, sets `start`, and does the work.
async fn run<P: Peer>(row: &str, count: u64, base: &str, start: &mut Start, open: &mut Vec<Box<dyn Any>>) -> Done {
    if let Some((dialect, pieces)) = corpus::pieces(row.trim_end_matches("-sync")) {
        let pieces = leak(pieces);
        if row.ends_with("-sync") {
            *start = Start::now();
            return repeat(count, async || P::decode_sync(dialect, pieces)).await;
        }
        let decode = P::decode(dialect, pieces)?;
        *start = Start::now();
        return repeat(count, decode).await;
    }
    match row {
        "from-str" => {
            let chunks = corpus::chunks(Dialect::OpenAi, 1000);
            *start = Start::now();
            return repeat(count, async || P::from_str(&chunks)).await;
        }
        "to-vec" => {
            let to_vec = P::to_vec(corpus::conversation())?;
            *start = Start::now();
            let mut body = Vec::new();
            for _ in 0..count {
                body = std::hint::black_box(to_vec()?);
            }
            return Ok(corpus::digest_body(&body).times(count));
        }
        "responses" => {
            let decode = P::responses(leak(corpus::response_events(1000)))?;
            *start = Start::now();
            return repeat(count, decode).await;
        }
        "batch-rows" => {
            let pieces = corpus::repacked(&[corpus::batch_output(1000).into()], 16 << 10);
            let rows = P::batch_rows(leak(pieces))?;
            *start = Start::now();
            return repeat(count, rows).await;
        }
        "build" => {
            let built = async || P::client(base).map(|_| Seen { items: 1, ..Seen::default() });
            return repeat(count, built).await;
        }
        _ => {}
    }
    let client = P::client(base)?;
    if row.ends_with("-memory") || row == "prompt" {
        // The start is a program that has made a call.
        P::call(&client).await?;
    }
    *start = Start::now();
    let done = match row {
        "stream" => repeat(count, async || P::stream(&client, "stream-1000").await).await,
        "calls" => repeat(count, async || P::call(&client).await).await,
        "prompt" => P::send(&client, corpus::prompt(4 << 20), count).await,
        "conversation" => P::send(&client, corpus::conversation(), count).await,
        "floats" | "base64" => {
            let model = format!("{row}-256");
            repeat(count, async || P::embeddings(&client, &model).await).await
        }
        "floats-memory" => P::embeddings(&client, "floats-2048").await,
        "base64-memory" => P::embeddings(&client, "base64-2048").await,
        "models" => repeat(count, async || P::models(&client, false).await).await,
        "models-fields" => repeat(count, async || P::models(&client, true).await).await,
        "upload" => P::upload(&client, &std::env::var("UPLOAD_FILE").expect("UPLOAD_FILE")).await,
        "download" => P::download(&client, &format!("bytes-{count}")).await,
        "idle" => {
            for _ in 0..count {
                open.push(P::open(&client, "idle").await?);
            }
            Ok(Seen { items: count, ..Seen::default() })
        }
        "pause" => {
            open.push(P::open(&client, "flood").await?);
            tokio::time::sleep(Duration::from_secs(count)).await;
            Ok(Seen { items: 1, ..Seen::default() })
        }
        other => Err(format!("no row {other}")),
    };
    open.push(Box::new(client));
    done
}

/// Never freed, so that handing the pieces out costs each client as little as possible.
fn leak(pieces: Vec<Bytes>) -> &'static [Bytes] {
    let pieces = pieces.into_iter().map(|piece| Bytes::from_static(Vec::leak(piece.into())));
    Vec::leak(pieces.collect())
}

async fn repeat(times: u64, work: impl AsyncFn() -> Done) -> Done {
    let mut sum = Seen::default();
    for _ in 0..times {
        sum = sum.then(work().await?);
    }
    Ok(sum)
}
