//! Downloads: what arrives, what breaks off, and what is left on the disk.
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use openai_compatible::{Client, Download, Error, ErrorKind, Result};
use support::{Folder, Reply, Server};
use tokio::time::{Instant, sleep, timeout};

const IDLE: Duration = Duration::from_secs(30);

async fn open(server: &Server) -> Result<Download> {
    let client =
        Client::builder().base_url(server.base_url()).idle_timeout(IDLE).max_response_size(10).build().unwrap();
    client.files().content("file-1").await
}

/// A folder with a file that a download is to replace.
fn with_older() -> (Folder, std::path::PathBuf) {
    let folder = Folder::new();
    let path = folder.write("out.txt", "older");
    (folder, path)
}

/// A download to a file that fails: nothing may be left of it, and the older file stays.
async fn fails_without_a_trace(reply: Reply) -> Error {
    let (folder, path) = with_older();
    let server = Server::start([reply]).await;
    let error = open(&server).await.unwrap().save_to(&path).await.unwrap_err();
    assert_eq!(folder.names(), ["out.txt"]);
    assert_eq!(std::fs::read(path).unwrap(), b"older");
    assert_eq!(server.requests().len(), 1, "a download that has begun is not asked for again");
    error
}

// What arrives

#[tokio::test]
async fn a_download_is_a_stream_of_its_pieces() {
    let server = Server::start([Reply::status(200).piece("one ").piece("two ").piece("three")]).await;
    let pieces: Vec<Bytes> = open(&server).await.unwrap().try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"one two three");
}

#[tokio::test]
async fn a_download_is_bytes_of_any_size() {
    // More than the limit of replies that are read whole.
    let server = Server::start([Reply::status(200).repeat("0123456789", 1000)]).await;
    let bytes = open(&server).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, "0123456789".repeat(1000));
}

#[tokio::test]
async fn malformed_utf8_loses_single_characters() {
    let server = Server::start([Reply::status(200).body(&b"r\xC3\xA9sum\xE9"[..])]).await;
    assert_eq!(open(&server).await.unwrap().text().await.unwrap(), "résum\u{FFFD}");
}

#[tokio::test]
async fn the_head_of_a_download_is_known_before_it_is_read() {
    let reply = Reply::status(200).header("content-type", "audio/mpeg").header("x-more", "1").body("12345");
    let download = open(&Server::start([reply]).await).await.unwrap();
    assert_eq!(download.content_type(), Some("audio/mpeg"));
    assert_eq!(download.content_length(), Some(5));
    assert_eq!(download.headers()["x-more"], "1");
}

#[tokio::test]
async fn an_empty_download_is_an_empty_file() {
    let (folder, path) = with_older();
    let server = Server::start([Reply::status(200).body("")]).await;
    assert_eq!(open(&server).await.unwrap().save_to(&path).await.unwrap(), 0);
    assert_eq!(std::fs::read(path).unwrap(), b"");
    assert_eq!(folder.names(), ["out.txt"]);
}

#[tokio::test]
async fn progress_counts_what_has_arrived() {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let server = Server::start([Reply::status(200).piece("123").piece("45").content_length(5)]).await;
    let download = open(&server).await.unwrap();
    let download = download.on_progress(move |received, length| seen.lock().unwrap().push((received, length)));
    download.bytes().await.unwrap();
    let steps = steps.lock().unwrap();
    assert_eq!(steps.last(), Some(&(5, Some(5))));
    assert!(steps.is_sorted() && steps.iter().all(|(_, length)| *length == Some(5)), "{steps:?}");
}

// What is written

#[tokio::test]
async fn a_saved_download_replaces_an_older_file() {
    let (folder, path) = with_older();
    let server = Server::start([Reply::status(200).piece("newer ").piece("content")]).await;
    assert_eq!(open(&server).await.unwrap().save_to(&path).await.unwrap(), 13);
    assert_eq!(std::fs::read(path).unwrap(), b"newer content");
    assert_eq!(folder.names(), ["out.txt"]);
}

#[tokio::test]
async fn many_pieces_are_saved_in_their_order() {
    let mut reply = Reply::status(200);
    let mut expected = Vec::new();
    for number in 0..2000_u32 {
        let piece = number.to_le_bytes().repeat(100);
        expected.extend_from_slice(&piece);
        reply = reply.piece(piece);
    }
    let (_folder, path) = with_older();
    let server = Server::start([reply]).await;
    assert_eq!(open(&server).await.unwrap().save_to(&path).await.unwrap(), expected.len() as u64);
    assert!(std::fs::read(path).unwrap() == expected);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_an_error_and_left_alone() {
    let folder = Folder::new();
    for path in [folder.path().join("missing/out.txt"), folder.path().to_owned(), "".into()] {
        let server = Server::start([Reply::status(200).body("x")]).await;
        let error = open(&server).await.unwrap().save_to(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{}", path.display());
        assert!(error.to_string().contains("failed to write"), "{error}");
    }
    assert_eq!(folder.names(), [""; 0]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = with_older();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start([Reply::status(200).body("newer")]).await;
    open(&server).await.unwrap().save_to(&path).await.unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_stays_a_link() {
    let (folder, path) = with_older();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let server = Server::start([Reply::status(200).body("newer")]).await;
    open(&server).await.unwrap().save_to(&link).await.unwrap();
    assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
    assert_eq!(std::fs::read(path).unwrap(), b"newer");
}

#[cfg(unix)]
#[tokio::test]
async fn a_device_is_written_and_stays_one() {
    let server = Server::start([Reply::status(200).body("12345")]).await;
    assert_eq!(open(&server).await.unwrap().save_to("/dev/null").await.unwrap(), 5);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

// What breaks off

#[tokio::test]
async fn a_cut_download_is_an_error() {
    let reply = || Reply::status(200).body("0123456789").cut_after(42);
    let server = Server::start([reply()]).await;
    let error = open(&server).await.unwrap().bytes().await.unwrap_err();
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Transport, Some(200)));
    assert_eq!(fails_without_a_trace(reply()).await.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn a_reset_download_is_an_error() {
    let reply = Reply::status(200).repeat("0123456789", 100).reset_after(500);
    assert_eq!(fails_without_a_trace(reply).await.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn a_download_shorter_than_promised_is_an_error() {
    let reply = Reply::status(200).body("0123456789").content_length(11).keep_alive(false);
    assert_eq!(fails_without_a_trace(reply).await.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn a_chunked_download_without_its_last_chunk_is_an_error() {
    let reply = Reply::status(200).piece("0123456789").header("x", "y").cut_after(70);
    assert_eq!(fails_without_a_trace(reply).await.kind(), ErrorKind::Transport);
}

#[tokio::test]
async fn a_download_ends_at_the_length_that_was_promised() {
    let reply = Reply::status(200).body("0123456789").content_length(4).keep_alive(false);
    let server = Server::start([reply]).await;
    assert_eq!(open(&server).await.unwrap().text().await.unwrap(), "0123");
}

#[tokio::test(start_paused = true)]
async fn a_silent_download_times_out() {
    let started = Instant::now();
    let error = fails_without_a_trace(Reply::status(200).body("0123456789").hang_after(5)).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_timeout());
    assert_eq!(started.elapsed().as_secs(), IDLE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn the_idle_timeout_counts_from_piece_to_piece() {
    let almost = IDLE - Duration::from_secs(1);
    let reply = Reply::status(200).piece("a").pause(almost).piece("b").pause(almost).piece("c");
    let server = Server::start([reply]).await;
    assert_eq!(open(&server).await.unwrap().text().await.unwrap(), "abc");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_time_out() {
    let server = Server::start([Reply::status(200).piece("a").piece("b")]).await;
    let mut download = open(&server).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = download.try_next().await.unwrap() {
        text.extend_from_slice(&piece);
        sleep(10 * IDLE).await;
    }
    assert_eq!(text, b"ab");
}

#[tokio::test]
async fn after_an_error_a_download_has_ended() {
    let server = Server::start([Reply::status(200).body("0123456789").cut_after(42)]).await;
    let mut download = open(&server).await.unwrap();
    while let Some(Ok(_)) = download.next().await {}
    assert!(download.next().await.is_none());
}

#[tokio::test]
async fn the_end_of_a_download_frees_its_connection_for_the_next_call() {
    let server = Server::start([Reply::status(200).body("12345")]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    for _ in 0..2 {
        client.files().content("file-1").await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

// What nobody waits for any more

#[tokio::test(start_paused = true)]
async fn a_save_that_is_dropped_leaves_nothing_and_closes_its_connection() {
    let (folder, path) = with_older();
    let server = Server::start([Reply::status(200).repeat(vec![b'x'; 10_000], 100).hang_after(900_000)]).await;
    let download = open(&server).await.unwrap();
    let saved = timeout(Duration::from_secs(1), download.save_to(&path)).await;
    assert!(saved.is_err(), "it was still waiting for the rest");
    assert_eq!(folder.names(), ["out.txt"]);
    assert_eq!(std::fs::read(path).unwrap(), b"older");
    server.closed().await;
}

/// Drops a save after each number of polls, so that it is hit while it makes its file, while it writes, and while it
/// renames. Work on the disk that has begun ends by itself; then nothing may be left, or the whole file.
#[tokio::test]
async fn dropped_save_leaves_no_file() {
    let content = "0123456789".repeat(60_000);
    let (mut dropped, mut polls) = (0, 0);
    loop {
        let (folder, path) = with_older();
        let server = Server::start([Reply::status(200).body(content.clone())]).await;
        let mut save = Box::pin(open(&server).await.unwrap().save_to(&path));
        let mut left = polls;
        let limited = std::future::poll_fn(|context| match left {
            0 => std::task::Poll::Ready(None),
            _ => {
                left -= 1;
                save.as_mut().poll(context).map(Some)
            }
        });
        let saved = limited.await;
        drop(save);
        let is_done = matches!(saved, Some(Ok(_)));
        // The disk is not tokio's: this is the one place that waits for it.
        let mut patience = 1000;
        while folder.names() != ["out.txt"] && patience > 0 {
            std::thread::sleep(Duration::from_millis(1));
            patience -= 1;
        }
        assert_eq!(folder.names(), ["out.txt"], "dropped after {polls} polls");
        let found = std::fs::read(&path).unwrap();
        assert!(found == b"older" || found == content.as_bytes(), "dropped after {polls} polls");
        if is_done {
            assert!(found == content.as_bytes());
            break;
        }
        dropped += 1;
        polls += 1;
    }
    assert!(dropped > 3, "only {dropped} points were hit");
}

#[tokio::test(start_paused = true)]
async fn a_download_that_is_dropped_closes_its_connection() {
    let server = Server::start([Reply::status(200).body("0123456789").hang_after(5)]).await;
    let mut download = open(&server).await.unwrap();
    download.next().await.unwrap().unwrap();
    drop(download);
    server.closed().await;
}

#[tokio::test]
async fn what_is_not_read_is_not_fetched() {
    const PIECE: usize = 64 * 1024;
    let server = Server::start([Reply::status(200).repeat(vec![0; PIECE], 1000)]).await;
    let mut download = open(&server).await.unwrap();
    let first = download.next().await.unwrap().unwrap().len();
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let written = server.bytes_written();
    assert!(written < 500 * PIECE, "{written} bytes were sent to a reader that had stopped");
    let all = download.try_fold(first, async |sum, piece| Ok(sum + piece.len())).await.unwrap();
    assert_eq!(all, 1000 * PIECE);
}

// Before it begins

#[tokio::test(start_paused = true)]
async fn a_refused_download_is_retried_and_then_an_error() {
    let missing = Reply::status(404).json(&serde_json::json!({ "error": { "message": "No such File" } }));
    let server = Server::start([Reply::status(503), missing]).await;
    let error = open(&server).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.api_error().unwrap().message, "No such File");
    assert_eq!(error.attempts(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_download_ends_where_it_begins() {
    let limit = Duration::from_secs(5);
    let reply = Reply::status(200).piece("a").pause(Duration::from_secs(20)).piece("b");
    let server = Server::start([reply, Reply::status(200).hang_before_headers()]).await;
    let client = Client::builder().base_url(server.base_url()).timeout(limit).max_retries(0).build().unwrap();
    assert_eq!(client.files().content("file-1").await.unwrap().text().await.unwrap(), "ab");
    assert!(client.files().content("file-1").await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn what_a_download_shows_of_itself_leaves_the_content_out() {
    let reply = Reply::status(200).header("content-type", "text/plain").header("x-key", "secret-1").body("secret-2");
    let shown = format!("{:?}", open(&Server::start([reply]).await).await.unwrap());
    assert!(shown.contains("text/plain") && !shown.contains("secret"), "{shown}");
}
