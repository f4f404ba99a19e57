//! A server with identical responses in every run. The model named in a request selects the response: `small`, `digest`,
//! `stream-N`, `idle`, `flood`, `floats-N`, `base64-N`; the id of a file is its length: `bytes-N`.
//!
//! Writes its port to stdout and serves until it is killed. One thread per connection, plain sockets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use peers::corpus::{self, Dialect};

/// Bytes sent by the last flood.
static FLOODED: AtomicU64 = AtomicU64::new(0);
/// Responses that are expensive to make.
static MADE: Mutex<Vec<(String, Bytes)>> = Mutex::new(Vec::new());

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    println!("{}", listener.local_addr().expect("an address").port());
    std::io::stdout().flush().expect("stdout");
    for stream in listener.incoming().flatten() {
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || {
                let _ = serve(stream);
            })
            .expect("a thread");
    }
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    loop {
        let Some((head, length)) = read_head(&mut reader)? else { return Ok(()) };
        let route = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        if let Some((_, id)) = route.split_once("/files/bytes-") {
            download(&mut writer, id.split('/').next().and_then(|n| n.parse().ok()).unwrap_or(0))?;
            continue;
        }
        if route.ends_with("/flooded") {
            json(&mut writer, FLOODED.load(Relaxed).to_string().as_bytes())?;
            continue;
        }
        if route.ends_with("/files") {
            let taken = discard(&mut reader, length)?;
            let file = format!(
                r#"{{"id":"file-1","object":"file","bytes":{taken},"created_at":1763712000,"expires_at":null,"filename":"in.jsonl","purpose":"batch","status":"processed"}}"#
            );
            json(&mut writer, file.as_bytes())?;
            continue;
        }
        if route.ends_with("/models") {
            json(&mut writer, &made("/models", || corpus::models().into_bytes()))?;
            continue;
        }
        let body = read_body(&mut reader, length)?;
        let model = model_of(&body);
        match model.split_once('-').unwrap_or((&model, "")) {
            ("stream", n) => {
                let events = made(&model, || stream_body(n.parse().unwrap_or(0)));
                writer.write_all(STREAM_HEAD.as_bytes())?;
                writer.write_all(&events)?;
            }
            ("digest", _) => {
                let text = corpus::digest_text(corpus::digest_body(&body));
                json(&mut writer, corpus::COMPLETION.replace(corpus::ANSWER, &text).as_bytes())?;
            }
            ("idle", _) => {
                writer.write_all(STREAM_HEAD.as_bytes())?;
                writer.write_all(&framed(&corpus::events(Dialect::OpenAi, 4)[1]))?;
                // Until the client goes away.
                let mut byte = [0];
                let _ = reader.read(&mut byte);
                return Ok(());
            }
            ("flood", _) => {
                FLOODED.store(0, Relaxed);
                let piece: Vec<u8> =
                    corpus::events(Dialect::OpenAi, 40)[1..31].iter().flat_map(|event| framed(event)).collect();
                writer.write_all(STREAM_HEAD.as_bytes())?;
                while writer.write_all(&piece).is_ok() {
                    FLOODED.fetch_add(piece.len() as u64, Relaxed);
                }
                return Ok(());
            }
            (kind @ ("floats" | "base64"), n) => {
                let response =
                    made(&model, || corpus::embeddings(n.parse().unwrap_or(0), kind == "base64").into_bytes());
                json(&mut writer, &response)?;
            }
            _ => json(&mut writer, corpus::COMPLETION.as_bytes())?,
        }
    }
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 12\r\ntransfer-encoding: chunked\r\n\r\n";

fn made(name: &str, make: impl FnOnce() -> Vec<u8>) -> Bytes {
    let mut made = MADE.lock().expect("no panic");
    if let Some((_, response)) = made.iter().find(|(known, _)| known == name) {
        return response.clone();
    }
    let response = Bytes::from(make());
    made.push((name.to_owned(), response.clone()));
    response
}

/// Each event is an HTTP chunk of its own, as servers send it.
fn stream_body(n: u64) -> Vec<u8> {
    let mut body: Vec<u8> = corpus::events(Dialect::OpenAi, n).iter().flat_map(|event| framed(event)).collect();
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

fn framed(event: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", event.len()).as_bytes(), event, b"\r\n"].concat()
}

fn json(writer: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 12\r\nx-ratelimit-limit-requests: 500\r\nx-ratelimit-remaining-requests: 499\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    if body.len() < 64 << 10 {
        writer.write_all(&[head.as_bytes(), body].concat())
    } else {
        writer.write_all(head.as_bytes())?;
        writer.write_all(body)
    }
}

fn download(writer: &mut TcpStream, length: u64) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n");
    writer.write_all(head.as_bytes())?;
    let piece = vec![b'x'; 256 << 10];
    let mut left = length;
    while left > 0 {
        let now = left.min(piece.len() as u64);
        writer.write_all(&piece[..now as usize])?;
        left -= now;
    }
    Ok(())
}

/// The request line, and the length of the body: `None` if it is chunked.
fn read_head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, Option<u64>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut length = Some(0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
        if line.starts_with("transfer-encoding:") && line.contains("chunked") {
            length = None;
        }
    }
}

fn discard(reader: &mut BufReader<TcpStream>, length: Option<u64>) -> std::io::Result<u64> {
    each_piece(reader, length, |_| {})
}

fn read_body(reader: &mut BufReader<TcpStream>, length: Option<u64>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    each_piece(reader, length, |piece| body.extend_from_slice(piece))?;
    Ok(body)
}

fn each_piece(
    reader: &mut BufReader<TcpStream>,
    length: Option<u64>,
    mut take: impl FnMut(&[u8]),
) -> std::io::Result<u64> {
    let mut exactly = |reader: &mut BufReader<TcpStream>, mut left: u64| -> std::io::Result<()> {
        while left > 0 {
            let piece = reader.fill_buf()?;
            if piece.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let now = left.min(piece.len() as u64) as usize;
            take(&piece[..now]);
            reader.consume(now);
            left -= now as u64;
        }
        Ok(())
    };
    if let Some(length) = length {
        exactly(reader, length)?;
        return Ok(length);
    }
    let mut sum = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(|_| std::io::ErrorKind::InvalidData)?;
        exactly(reader, size)?;
        reader.read_line(&mut line)?;
        sum += size;
        if size == 0 {
            return Ok(sum);
        }
    }
}

/// Without parsing: the name of the model has nothing to escape.
fn model_of(body: &[u8]) -> String {
    let name = b"\"model\":";
    let Some(at) = memchr::memmem::find(body, name) else { return String::new() };
    let rest = &body[at + name.len()..];
    let text = String::from_utf8_lossy(&rest[..rest.len().min(80)]).into_owned();
    text.split('"').nth(1).unwrap_or_default().to_owned()
}
