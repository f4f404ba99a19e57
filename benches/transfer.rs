//! Time, CPU time and peak memory of uploading and downloading a large file. Peak memory must stay below 64 MiB.
//!
//! `cargo bench --bench transfer`; `TRANSFER_MIB` sets the file size and defaults to 1024. The server and each row run in
//! separate processes, so that the memory of a row is that of the client only. The `reqwest` rows are the baseline: the
//! same work with plain reqwest.
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, ExitCode, Stdio};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use openai_compatible::{Client, FileSource, files::Purpose};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

const ROLE: &str = "TRANSFER_ROLE";
const SIZE: &str = "TRANSFER_MIB";
const SERVER: &str = "TRANSFER_SERVER";
const FOLDER: &str = "TRANSFER_FOLDER";
const MIB: u64 = 1 << 20;
const LIMIT_MIB: f64 = 64.0;
const RUNS: u32 = 5;
const ROLES: [&str; 4] = ["upload", "upload reqwest", "download", "download reqwest"];

fn main() -> ExitCode {
    match env::var(ROLE).as_deref() {
        Err(_) => compare(),
        Ok("server") => serve(),
        Ok(role) => {
            row(role);
            ExitCode::SUCCESS
        }
    }
}

fn size() -> u64 {
    env::var(SIZE).map_or(1024, |mib| mib.parse().expect("a number of MiB")) * MIB
}

/// Starts the server and the rows, and prints the figures that the rows report.
fn compare() -> ExitCode {
    let folder = env::temp_dir().join(format!("transfer-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let source = std::fs::File::create(folder.join("source")).expect("a file");
    source.set_len(size()).expect("a sparse file");
    let mut server = itself("server", &folder).spawn().expect("a server");
    let mut address = String::new();
    BufReader::new(server.stdout.take().expect("an output")).read_line(&mut address).expect("an address");

    // Warm the page cache, so that the first row does not include disk reads.
    io::copy(&mut std::fs::File::open(folder.join("source")).expect("a file"), &mut io::sink()).expect("a warm file");

    println!("{} MiB over loopback, best time and highest peak of {RUNS} runs\n", size() / MIB);
    println!("{:<18}{:>10}{:>10}{:>10}", "", "seconds", "CPU s", "peak MiB");
    let mut costs = [None::<[f64; 3]>; ROLES.len()];
    for _ in 0..RUNS {
        for (role, cost) in ROLES.iter().zip(&mut costs) {
            let output = itself(role, &folder).env(SERVER, address.trim()).output().expect("a row");
            let report = String::from_utf8_lossy(&output.stdout);
            let numbers: Vec<f64> = report.split_whitespace().filter_map(|number| number.parse().ok()).collect();
            let [seconds, cpu, peak] = numbers[..] else { panic!("{role} failed") };
            let best = cost.unwrap_or([seconds, cpu, peak]);
            *cost = Some([best[0].min(seconds), best[1].min(cpu), best[2].max(peak)]);
        }
    }
    let mut is_good = true;
    for (role, [seconds, cpu, peak]) in ROLES.iter().zip(costs.iter().flatten()) {
        println!("{role:<18}{seconds:>10.2}{cpu:>10.2}{peak:>10.1}");
        is_good &= *peak < LIMIT_MIB;
    }
    server.kill().expect("a running server");
    server.wait().expect("a stopped server");
    std::fs::remove_dir_all(&folder).expect("a removable folder");
    if !is_good {
        println!("\nA row exceeded the limit of {LIMIT_MIB} MiB.");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn itself(role: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("a program"));
    command.env(ROLE, role).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

#[tokio::main(flavor = "current_thread")]
async fn row(role: &str) {
    let folder = PathBuf::from(env::var(FOLDER).expect("a folder"));
    let url = env::var(SERVER).expect("a server");
    let (source, target) = (folder.join("source"), folder.join("target"));
    // Each run creates a new file.
    let _ = std::fs::remove_file(&target);
    let client = Client::builder().base_url(&url).build().expect("a client");
    let started = Instant::now();
    let bytes = match role {
        "upload" => {
            let file = client.files().upload(FileSource::path(source), Purpose::Batch).await.expect("an upload");
            file.bytes.expect("a length")
        }
        "download" => {
            let download = client.files().content("file-1").await.expect("a download");
            download.save_to(&target).await.expect("a file")
        }
        "upload reqwest" => {
            let file = tokio::fs::File::open(source).await.expect("a file");
            let body = Raw { file, length: size(), buffer: BytesMut::new() };
            let request = raw().post(format!("{url}/files")).body(reqwest::Body::wrap(body));
            let body = request.send().await.expect("a response").bytes().await.expect("a body");
            serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")["bytes"].as_u64().expect("a length")
        }
        _ => {
            let mut response = raw().get(format!("{url}/files/file-1/content")).send().await.expect("a response");
            let mut file = tokio::fs::File::create(&target).await.expect("a file");
            let mut bytes = 0;
            while let Some(chunk) = response.chunk().await.expect("a chunk") {
                bytes += chunk.len() as u64;
                file.write_all(&chunk).await.expect("a written chunk");
            }
            file.flush().await.expect("a file");
            bytes
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    assert!((size()..size() + 4096).contains(&bytes), "{bytes} bytes");
    println!("{seconds} {} {}", cpu_seconds(), peak_mib());
}

/// A reqwest client without root certificates, like the one that this crate creates for plain HTTP.
fn raw() -> reqwest::Client {
    let provider = rustls_crate::crypto::aws_lc_rs::default_provider();
    let config = rustls_crate::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls_crate::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(config).build().expect("a client")
}

/// A file as a body of known length.
struct Raw {
    file: tokio::fs::File,
    length: u64,
    buffer: BytesMut,
}

impl http_body::Body for Raw {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Raw { file, buffer, .. } = &mut *self;
        buffer.resize(256 << 10, 0);
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(file).poll_read(context, &mut read))?;
        let length = read.filled().len();
        Poll::Ready((length > 0).then(|| Ok(Frame::data(buffer.split_to(length).freeze()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[cfg(target_os = "linux")]
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

#[cfg(target_os = "linux")]
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a stat");
    // The process name in parentheses may contain spaces. User and system time follow, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum()
}

#[cfg(not(target_os = "linux"))]
fn peak_mib() -> f64 {
    0.0
}

#[cfg(not(target_os = "linux"))]
fn cpu_seconds() -> f64 {
    0.0
}

/// Serves uploads, which are discarded, and downloads of the configured size.
fn serve() -> ExitCode {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("http://{}", listener.local_addr().expect("an address"));
    for stream in listener.incoming() {
        // A client that disconnects ends only its own connection.
        let _ = respond(stream.expect("a connection"));
    }
    ExitCode::SUCCESS
}

fn respond(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let (mut line, mut length, mut is_post) = (String::new(), 0, false);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            is_post |= line.starts_with("POST ");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse::<u64>().expect("a length");
            }
        }
        if is_post {
            let mut remaining = length;
            while remaining > 0 {
                let limit = buffer.len().min(usize::try_from(remaining).expect("a length"));
                let read = reader.read(&mut buffer[..limit])? as u64;
                if read == 0 {
                    return Ok(());
                }
                remaining -= read;
            }
            let body = format!("{{\"id\":\"file-1\",\"bytes\":{length}}}");
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        } else {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", size())?;
            let mut remaining = size();
            buffer.fill(0);
            while remaining > 0 {
                let count = buffer.len().min(usize::try_from(remaining).expect("a length"));
                stream.write_all(&buffer[..count])?;
                remaining -= count as u64;
            }
        }
    }
}
