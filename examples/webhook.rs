//! Receives webhooks and verifies their signatures: `cargo run --features webhooks --example webhook`.
//!
//! Set `OPENAI_WEBHOOK_SECRET`. Listens on port 8000, or that in `PORT`, with as little HTTP as it takes; a program of
//! yours has a web framework, whose headers and body go into `unwrap` in the same way.

use http::{HeaderMap, HeaderName, HeaderValue};
use openai_compatible::webhooks::Webhooks;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

mod frame;

/// Reads one request: its headers, and its body.
async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<(HeaderMap, Vec<u8>)> {
    let (mut headers, mut line) = (HeaderMap::new(), String::new());
    while stream.read_line(&mut line).await? > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                headers.insert(name, value);
            }
        }
        line.clear();
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body).await?;
    Ok((headers, body))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let webhooks = Webhooks::from_env()?;
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8000);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let mut stream = BufReader::new(listener.accept().await?.0);
        let (headers, body) = read(&mut stream).await?;
        let status = match webhooks.unwrap(&headers, &body) {
            Ok(event) => {
                println!("{} {}", event.type_, event.data.id);
                "200 OK"
            }
            Err(error) => {
                eprintln!("{error}");
                "400 Bad Request"
            }
        };
        stream
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
            .await?;
    }
}
