//! Servers behind a Unix socket.
#![cfg(unix)]

mod support;

use openai_compatible::{Client, ErrorKind};
use support::Folder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

#[tokio::test]
async fn a_base_url_may_be_a_unix_socket_with_a_path() {
    let folder = Folder::new();
    let socket = folder.path().join("server.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let body = r#"{"object":"list","data":[{"id":"m"}]}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let client = Client::builder().base_url(format!("unix://{}:/v1?tenant=7", socket.display())).build().unwrap();
    assert_eq!(client.models().list().await.unwrap().data[0].id, "m");
    assert!(server.await.unwrap().starts_with("GET /v1/models?tenant=7 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_error_names_the_socket() {
    let client = Client::builder().base_url("unix:///nowhere/server.sock").max_retries(0).build().unwrap();
    let error = client.models().list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("unix:///nowhere/server.sock: No such file"), "{error}");
}

#[test]
fn a_socket_needs_an_absolute_path() {
    for url in ["unix://", "unix:server.sock", "unix://server.sock:/v1"] {
        let error = Client::builder().base_url(url).build().unwrap_err();
        assert!(error.to_string().contains("unix:///run/server.sock:/v1"), "{error}");
    }
}
