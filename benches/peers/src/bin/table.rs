//! Runs the rows and writes the table: `table BINARIES CLIENT... [--rows KEY,KEY]`. The first client is the floor that the
//! others are compared with.
//!
//! `--ratios FILE` writes no table, but the second client's figures as multiples of the first's, as JSON.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use peers::corpus::{self, Seen};
use peers::rows::Took;

type Measured<T> = Result<T, String>;

/// One line of the table.
struct Row {
    key: &'static str,
    title: &'static str,
    target: &'static str,
    /// The number that counts, and how it reads.
    measure: fn(&Bench, &str) -> Measured<Cell>,
    /// How a number reads beside the floor's.
    compare: Compare,
}

struct Cell {
    value: f64,
    text: String,
}

#[derive(Clone, Copy)]
enum Compare {
    /// As a multiple of the floor's.
    Ratio,
    /// As what it has over the floor's, in KB.
    MoreKilobytes,
    /// By itself.
    Alone,
}

const ROWS: &[Row] = &[
    Row {
        key: "decode",
        title: "decode SSE chat chunks, one event a chunk (instructions)",
        target: "≤ 0.85",
        measure: |bench, client| bench.decode(client, "decode", 1, 5),
        compare: Compare::Ratio,
    },
    Row {
        key: "decode-sync",
        title: "the same, decoder and types alone",
        target: "",
        measure: |bench, client| bench.decode(client, "decode-sync", 1, 5),
        compare: Compare::Ratio,
    },
    Row {
        key: "decode-64",
        title: "64 events in one packet (instructions)",
        target: "≤ 0.85",
        measure: |bench, client| bench.decode(client, "decode-64", 1, 5),
        compare: Compare::Ratio,
    },
    Row {
        key: "decode-bytes",
        title: "byte-wise arrival (instructions)",
        target: "≤ 1.10",
        measure: |bench, client| bench.decode(client, "decode-bytes", 1, 2),
        compare: Compare::Ratio,
    },
    Row {
        key: "decode-bytes-sync",
        title: "the same, decoder and types alone",
        target: "",
        measure: |bench, client| bench.decode(client, "decode-bytes-sync", 1, 2),
        compare: Compare::Ratio,
    },
    Row {
        key: "giant",
        title: "one event of 8 MB in 16 KiB pieces (instructions; time; growth from 4 to 16 MB)",
        target: "≤ 1.2, exponent ≤ 1.05",
        measure: Bench::giant,
        compare: Compare::Ratio,
    },
    Row {
        key: "stream",
        title: "chat stream over loopback, per chunk (instructions)",
        target: "≤ 0.90",
        measure: |bench, client| {
            let (few, many) = (1, 4);
            for times in [few, many] {
                bench.check(client, "stream", times, |times| scaled(corpus::expected(1000), times))?;
            }
            bench.instructions(client, "stream", few, many, 1000.0)
        },
        compare: Compare::Ratio,
    },
    Row {
        key: "allocations",
        title: "allocations per streamed chunk",
        target: "≤ 2.5",
        measure: |bench, client| {
            let expected = |times| scaled(corpus::expected(1000), times);
            let few = bench.check(client, "stream", 1, expected)?;
            let many = bench.check(client, "stream", 4, expected)?;
            let value = (many.allocations - few.allocations) as f64 / 3000.0;
            Ok(Cell { value, text: format!("{value:.2}") })
        },
        compare: Compare::Alone,
    },
    Row {
        key: "calls",
        title: "small chat call (instructions)",
        target: "≤ 1.00",
        measure: |bench, client| {
            bench.check(client, "calls", 20, answers)?;
            bench.instructions(client, "calls", 20, 120, 1.0)
        },
        compare: Compare::Ratio,
    },
    Row {
        key: "call-allocations",
        title: "allocations per small chat call",
        target: "",
        measure: |bench, client| {
            let few = bench.check(client, "calls", 20, answers)?;
            let many = bench.check(client, "calls", 120, answers)?;
            let value = (many.allocations - few.allocations) as f64 / 100.0;
            Ok(Cell { value, text: format!("{value:.1}") })
        },
        compare: Compare::Alone,
    },
    Row {
        key: "prompt",
        title: "4 MB prompt: bytes allocated / payload",
        target: "≤ 1.2",
        measure: |bench, client| {
            let size = 4 << 20;
            let took = bench.check(client, "prompt", size, |_| answers(1))?;
            let value = took.allocated as f64 / size as f64;
            Ok(Cell { value, text: format!("{value:.2}") })
        },
        compare: Compare::Alone,
    },
    Row {
        key: "floats",
        title: "embeddings as floats (instructions, 256 × 1536)",
        target: "≤ 0.95",
        measure: |bench, client| bench.embeddings(client, "floats"),
        compare: Compare::Ratio,
    },
    Row {
        key: "base64",
        title: "embeddings as base64 (instructions, 256 × 1536)",
        target: "≤ 0.90",
        measure: |bench, client| bench.embeddings(client, "base64"),
        compare: Compare::Ratio,
    },
    Row {
        key: "base64-memory",
        title: "2048 × 1536 as base64: memory over the start",
        target: "≤ 30 MB",
        measure: |bench, client| {
            let took = bench.check(client, "base64-memory", 1, |_| corpus::expected_vectors(2048))?;
            Ok(megabytes(took.growth))
        },
        compare: Compare::Alone,
    },
    Row {
        key: "build",
        title: "building a client (time)",
        target: "≤ 0.1 ms",
        measure: |bench, client| {
            let runs = (0..3).map(|_| Ok(bench.took(client, "build", 20)?.seconds / 20.0 * 1e3));
            let value = runs.collect::<Measured<Vec<f64>>>()?.into_iter().fold(f64::MAX, f64::min);
            Ok(Cell { value, text: format!("{value:.3} ms") })
        },
        compare: Compare::Alone,
    },
    Row {
        key: "upload",
        title: "upload 1 GiB: peak memory, CPU",
        target: "≤ 16 MB, ≤ 1.1 × CPU",
        measure: |bench, client| bench.transfer(client, "upload"),
        compare: Compare::Ratio,
    },
    Row {
        key: "download",
        title: "download 1 GiB: peak memory, CPU",
        target: "≤ 16 MB, ≤ 1.1 × CPU",
        measure: |bench, client| bench.transfer(client, "download"),
        compare: Compare::Ratio,
    },
    Row {
        key: "idle",
        title: "memory of an idle open stream over the floor",
        target: "≤ +2 KB",
        measure: |bench, client| {
            let (few, many) = (bench.took(client, "idle", 10)?, bench.took(client, "idle", 110)?);
            let value = (many.live as f64 - few.live as f64) / 100.0 / 1e3;
            Ok(Cell { value, text: format!("{value:.1} KB") })
        },
        compare: Compare::MoreKilobytes,
    },
    Row {
        key: "pause",
        title: "a reader that pauses 4 s: what the server could send, memory",
        target: "held back, flat",
        measure: |bench, client| {
            let took = bench.took(client, "pause", 4)?;
            let sent = bench.flooded()? as f64 / 1e6;
            Ok(Cell { value: sent, text: format!("{sent:.0} MB sent, +{:.1} MB", took.growth as f64 / 1e6) })
        },
        compare: Compare::Alone,
    },
];

fn scaled(seen: Seen, times: u64) -> Seen {
    Seen { items: seen.items * times, size: seen.size * times, hash: seen.hash }
}

fn answers(times: u64) -> Seen {
    let mut seen = Seen { items: times, ..Seen::new() };
    (0..times).for_each(|_| seen.text(corpus::ANSWER));
    seen
}

fn megabytes(bytes: u64) -> Cell {
    let value = bytes as f64 / 1e6;
    Cell { value, text: format!("{value:.1} MB") }
}

struct Bench {
    binaries: PathBuf,
    scratch: PathBuf,
    base: String,
}

impl Bench {
    fn command(&self, program: &str, before: &[&str], row: &str, count: u64) -> Measured<Took> {
        let binary = self.binaries.join(program);
        let mut command = match before {
            [] => Command::new(&binary),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(&binary);
                command
            }
        };
        let output = command
            .args([row, &count.to_string(), &self.base])
            .env("UPLOAD_FILE", self.scratch.join("upload"))
            .env_remove("OPENAI_API_KEY")
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let took: Took = text.lines().rev().find_map(|line| serde_json::from_str(line).ok()).ok_or_else(|| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            format!("{program} {row} {count}: {} {}", output.status, stderr.lines().last().unwrap_or_default())
        })?;
        match took.error {
            Some(error) => Err(error),
            None => Ok(took),
        }
    }

    fn took(&self, client: &str, row: &str, count: u64) -> Measured<Took> {
        self.command(client, &[], row, count)
    }

    /// Runs and makes sure that everything arrived.
    fn check(&self, client: &str, row: &str, count: u64, expected: impl Fn(u64) -> Seen) -> Measured<Took> {
        let took = self.took(client, row, count)?;
        let expected = expected(count);
        // genai does not show chunks; its text counts.
        let is_whole = took.seen.items == expected.items || took.seen.items == 0;
        if !is_whole || (took.seen.size, took.seen.hash) != (expected.size, expected.hash) {
            return Err(format!("WRONG: received {:?}, not {expected:?}", took.seen));
        }
        Ok(took)
    }

    fn counted(&self, client: &str, row: &str, count: u64) -> Measured<f64> {
        let file = self.scratch.join(format!("callgrind.{client}.{row}.{count}"));
        let out = format!("--callgrind-out-file={}", file.display());
        self.command(client, &["valgrind", "--tool=callgrind", &out], row, count)?;
        let lines = BufReader::new(std::fs::File::open(&file).map_err(|error| error.to_string())?).lines();
        let totals = lines.map_while(Result::ok).find_map(|line| {
            line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")).and_then(|n| n.trim().parse().ok())
        });
        totals.ok_or_else(|| "callgrind counted nothing".to_owned())
    }

    /// Instructions an operation: the difference of two runs.
    fn instructions(&self, client: &str, row: &str, few: u64, many: u64, each: f64) -> Measured<Cell> {
        let difference = self.counted(client, row, many)? - self.counted(client, row, few)?;
        let value = difference / (many - few) as f64 / each;
        Ok(Cell { value, text: format!("{value:.0}") })
    }

    fn decode(&self, client: &str, row: &str, few: u64, many: u64) -> Measured<Cell> {
        self.check(client, row, few, |times| scaled(corpus::expected(1000), times))?;
        self.instructions(client, row, few, many, 1000.0)
    }

    fn giant(&self, client: &str) -> Measured<Cell> {
        let time = |row: &str, size: usize| -> Measured<f64> {
            let mut best = f64::MAX;
            for _ in 0..5 {
                let took = self.check(client, row, 1, |_| corpus::giant(size).1)?;
                best = best.min(took.seconds);
                if best > 0.5 {
                    break;
                }
            }
            Ok(best)
        };
        let seconds = time("giant-8", 8 << 20)?;
        // What is quadratic would take callgrind minutes. Two doublings: libc copies larger blocks by other loops.
        let (value, growth) = if seconds < 0.5 {
            let [small, value, large] = ["giant-4", "giant-8", "giant-16"]
                .map(|row| self.instructions(client, row, 1, 2, 1.0).map(|cell| cell.value));
            (value?, large? / small?)
        } else {
            (f64::NAN, time("giant-16", 16 << 20)? / time("giant-4", 4 << 20)?)
        };
        Ok(Cell { value, text: format!("{:.0} ms, exponent {:.2}", seconds * 1e3, growth.log2() / 2.0) })
    }

    fn embeddings(&self, client: &str, kind: &str) -> Measured<Cell> {
        self.check(client, kind, 1, |_| corpus::expected_vectors(256))?;
        self.instructions(client, kind, 1, 2, 1.0)
    }

    fn transfer(&self, client: &str, row: &str) -> Measured<Cell> {
        const SIZE: u64 = 1 << 30;
        let mut best: Option<Took> = None;
        for _ in 0..5 {
            let took = self.took(client, row, SIZE)?;
            // A form has some lines around its file.
            if !(SIZE..SIZE + 1000).contains(&took.seen.size) {
                return Err(format!("WRONG: {} bytes arrived", took.seen.size));
            }
            let is_better = best.as_ref().is_none_or(|best| took.cpu < best.cpu);
            if is_better {
                best = Some(took);
            }
        }
        let best = best.unwrap_or_default();
        Ok(Cell { value: best.cpu, text: format!("{:.1} MB, {:.2} s", best.peak as f64 / 1e6, best.cpu) })
    }

    fn flooded(&self) -> Measured<u64> {
        use std::io::{Read, Write};
        let address = self.base.trim_start_matches("http://").trim_end_matches("/v1");
        let mut stream = std::net::TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.write_all(b"GET /flooded HTTP/1.1\r\n\r\n").map_err(|error| error.to_string())?;
        stream.shutdown(std::net::Shutdown::Write).map_err(|error| error.to_string())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).map_err(|error| error.to_string())?;
        reply.rsplit("\r\n").next().and_then(|n| n.parse().ok()).ok_or_else(|| "no count".to_owned())
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_server(binaries: &Path) -> (Server, String) {
    let mut child = Command::new(binaries.join("server")).stdout(Stdio::piped()).spawn().expect("the server starts");
    let mut port = String::new();
    BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut port).expect("its port");
    (Server(child), format!("http://127.0.0.1:{}/v1", port.trim()))
}

fn main() {
    let mut clients = Vec::new();
    let mut only: Option<Vec<String>> = None;
    let mut ratios: Option<String> = None;
    let mut arguments = std::env::args().skip(1);
    let binaries = PathBuf::from(arguments.next().expect("usage: table BINARIES CLIENT... [--rows KEY,KEY]"));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--ratios" => ratios = arguments.next(),
            "--rows" => only = arguments.next().map(|keys| keys.split(',').map(str::to_owned).collect()),
            _ => clients.push(argument),
        }
    }
    let (server, base) = start_server(&binaries);
    let scratch = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a scratch folder");
    // Sparse: its zeros cost no disk.
    let upload = std::fs::File::create(scratch.join("upload")).and_then(|file| file.set_len(1 << 30));
    upload.expect("the file to upload");
    let bench = Bench { binaries, scratch, base };

    if let Some(file) = ratios {
        let rows = ROWS.iter().filter(|row| only.as_ref().is_none_or(|keys| keys.iter().any(|key| key == row.key)));
        let ratio = |row: &Row| -> Measured<(String, serde_json::Value)> {
            let [floor, ours] = [0, 1].map(|n: usize| (row.measure)(&bench, &clients[n]));
            let (floor, ours) = (floor?.value, ours?.value);
            let ratio = (ours / floor * 1e4).round() / 1e4;
            let figures = serde_json::json!({ "ratio": ratio, "floor": floor.round(), "ours": ours.round() });
            Ok((row.key.to_owned(), figures))
        };
        let figures: serde_json::Map<_, _> = rows.map(ratio).collect::<Measured<_>>().expect("figures");
        std::fs::write(file, serde_json::to_string_pretty(&figures).expect("JSON") + "\n")
            .expect("the file is written");
        let _ = std::fs::remove_dir_all(&bench.scratch);
        return;
    }
    println!("| work | {} | target |", clients.join(" | "));
    println!("|---|{}---|", "---|".repeat(clients.len()));
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in ROWS {
        if only.as_ref().is_some_and(|keys| !keys.iter().any(|key| key == row.key)) {
            continue;
        }
        let mut floor = None;
        let mut cells = Vec::new();
        for client in &clients {
            eprintln!("{} {client}", row.key);
            cells.push(match (row.measure)(&bench, client) {
                Err(reason) => {
                    reasons.entry(reason).or_default().push(format!("{client} {}", row.key));
                    "–".to_owned()
                }
                Ok(cell) => {
                    let base = *floor.get_or_insert(cell.value);
                    match row.compare {
                        Compare::Ratio if cell.value.is_nan() => cell.text,
                        Compare::Ratio => format!("{:.2} ({})", cell.value / base, cell.text),
                        Compare::MoreKilobytes => format!("{:+.1} KB ({})", cell.value - base, cell.text),
                        Compare::Alone => cell.text,
                    }
                }
            });
        }
        println!("| {} | {} | {} |", row.title, cells.join(" | "), row.target);
    }
    if !reasons.is_empty() {
        println!();
        for (reason, who) in reasons {
            println!("- {}: {}", who.join(", "), reason.chars().take(160).collect::<String>());
        }
    }
    let _ = std::fs::remove_dir_all(&bench.scratch);
    drop(server);
}
