//! Runs clients and takes readings.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use peers::corpus::{self, Seen};
use peers::rows::Took;

/// `Err` is the reason for a missing figure.
pub type Measured<T> = Result<T, String>;

/// A figure, and its text in the table.
pub struct Cell {
    pub value: f64,
    pub text: String,
}

impl Cell {
    pub fn new(value: f64, text: String) -> Self {
        Cell { value, text }
    }

    pub fn rounded(value: f64) -> Self {
        Cell { value, text: format!("{value:.0}") }
    }

    pub fn megabytes(bytes: u64) -> Self {
        let value = bytes as f64 / 1e6;
        Cell { value, text: format!("{value:.1} MB") }
    }
}

pub struct Bench {
    binaries: PathBuf,
    scratch: PathBuf,
    base: String,
    _server: Server,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Bench {
    /// Starts the server.
    pub fn new(binaries: &Path) -> Self {
        let mut child =
            Command::new(binaries.join("server")).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("its stdout")).read_line(&mut port).expect("its port");
        let scratch = std::env::temp_dir().join(format!("peers-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).expect("a scratch folder");
        // Sparse: takes no space on the disk.
        let upload = std::fs::File::create(scratch.join("upload")).and_then(|file| file.set_len(1 << 30));
        upload.expect("the file to upload");
        let base = format!("http://127.0.0.1:{}/v1", port.trim());
        Bench { binaries: binaries.to_owned(), scratch, base, _server: Server(child) }
    }

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

    pub fn took(&self, client: &str, row: &str, count: u64) -> Measured<Took> {
        self.command(client, &[], row, count)
    }

    /// Runs, and makes sure that everything arrived.
    pub fn check(&self, client: &str, row: &str, count: u64, once: Seen) -> Measured<Took> {
        let took = self.took(client, row, count)?;
        let expected = once.times(count);
        // genai exposes text, but no chunks.
        let is_whole = took.seen.items == expected.items || took.seen.items == 0;
        if !is_whole || (took.seen.size, took.seen.hash) != (expected.size, expected.hash) {
            return Err(format!("WRONG: received {:?} instead of {expected:?}", took.seen));
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

    /// Instructions of one of `units`, of which a repetition has so many: the difference of two runs.
    pub fn instructions(&self, client: &str, row: &str, few: u64, many: u64, units: f64) -> Measured<Cell> {
        let difference = self.counted(client, row, many)? - self.counted(client, row, few)?;
        Ok(Cell::rounded(difference / (many - few) as f64 / units))
    }

    /// The same, after a check.
    pub fn checked(&self, client: &str, row: &str, (few, many): (u64, u64), once: Seen) -> Measured<Cell> {
        self.check(client, row, few, once)?;
        self.instructions(client, row, few, many, 1.0)
    }

    /// Instructions per chunk.
    pub fn chunks(&self, client: &str, row: &str, (few, many): (u64, u64)) -> Measured<Cell> {
        self.check(client, row, few, corpus::expected(1000))?;
        self.instructions(client, row, few, many, 1000.0)
    }

    pub fn giant(&self, client: &str) -> Measured<Cell> {
        let time = |row: &str, megabytes: usize| -> Measured<f64> {
            let mut best = f64::MAX;
            for _ in 0..5 {
                let took = self.check(client, row, 1, corpus::giant(megabytes << 20).1)?;
                best = best.min(took.seconds);
                if best > 0.5 {
                    break;
                }
            }
            Ok(best)
        };
        let seconds = time("giant-8", 8)?;
        // A quadratic client would take callgrind minutes. Two doublings: libc copies larger blocks with other loops.
        let (value, growth) = if seconds < 0.5 {
            let [small, value, large] = ["giant-4", "giant-8", "giant-16"]
                .map(|row| self.instructions(client, row, 1, 2, 1.0).map(|cell| cell.value));
            (value?, large? / small?)
        } else {
            (f64::NAN, time("giant-16", 16)? / time("giant-4", 4)?)
        };
        Ok(Cell::new(value, format!("{:.0} ms, exponent {:.2}", seconds * 1e3, growth.log2() / 2.0)))
    }

    pub fn transfer(&self, client: &str, row: &str) -> Measured<Cell> {
        const SIZE: u64 = 1 << 30;
        let mut best: Option<Took> = None;
        for _ in 0..5 {
            let took = self.took(client, row, SIZE)?;
            // The server counts the lines around the file in a form, too.
            if !(SIZE..SIZE + 1000).contains(&took.seen.size) {
                return Err(format!("WRONG: {} bytes arrived", took.seen.size));
            }
            let is_better = best.as_ref().is_none_or(|best| took.cpu < best.cpu);
            if is_better {
                best = Some(took);
            }
        }
        let best = best.unwrap_or_default();
        Ok(Cell::new(best.cpu, format!("{:.1} MB, {:.2} s", best.peak as f64 / 1e6, best.cpu)))
    }

    /// Bytes that the server could send to a reader that pauses.
    pub fn flooded(&self) -> Measured<u64> {
        let address = self.base.trim_start_matches("http://").trim_end_matches("/v1");
        let mut stream = std::net::TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.write_all(b"GET /flooded HTTP/1.1\r\n\r\n").map_err(|error| error.to_string())?;
        stream.shutdown(std::net::Shutdown::Write).map_err(|error| error.to_string())?;
        let mut response = String::new();
        stream.read_to_string(&mut response).map_err(|error| error.to_string())?;
        response.rsplit("\r\n").next().and_then(|n| n.parse().ok()).ok_or_else(|| "no count".to_owned())
    }
}
