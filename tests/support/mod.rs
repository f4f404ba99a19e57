//! What the integration tests share: a scripted HTTP server on real sockets, and the fixtures.

#![allow(dead_code, unused_imports, reason = "each test binary compiles this module for itself and uses a part of it")]
#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]
mod folder;
mod form;
mod server;

pub use folder::Folder;
pub use form::{FormPart, pairs};
pub use server::{Recorded, Reply, Server};

use std::net::SocketAddr;
use std::sync::OnceLock;

use tokio::net::TcpSocket;

/// The bytes of `tests/fixtures/<path>`.
pub fn fixture(path: &str) -> Vec<u8> {
    let file = format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&file).unwrap_or_else(|error| panic!("cannot read {file}: {error}"))
}

/// `tests/fixtures/<path>`, parsed as JSON.
pub fn fixture_json(path: &str) -> serde_json::Value {
    serde_json::from_slice(&fixture(path)).unwrap_or_else(|error| panic!("tests/fixtures/{path} is not JSON: {error}"))
}

/// The URL of a loopback port that refuses connections.
pub fn refused_url() -> String {
    // The socket is bound but never listens. It stays bound until the process ends, so that no
    // other test can be given its port.
    static REFUSING: OnceLock<TcpSocket> = OnceLock::new();
    let socket = REFUSING.get_or_init(|| {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any_port).expect("a loopback port can be bound");
        socket
    });
    let address = socket.local_addr().expect("a bound socket has an address");
    format!("http://{address}")
}
