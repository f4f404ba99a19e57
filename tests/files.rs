//! Files: uploads as forms, lists over pages, and what servers answer.
mod support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use openai_compatible::files::{File, FileListRequest, FileRequest, FileStatus, Purpose};
use openai_compatible::{Client, ErrorKind, FileSource, Order, Page};
use serde_json::{Value, json};
use support::{Folder, FormPart, Reply, Server, fixture_json};

const KIB: usize = 1024;

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).api_key("sk-test").build().unwrap()
}

fn file(id: &str) -> Value {
    json!({ "id": id, "object": "file", "bytes": 1, "created_at": 1, "filename": "a", "purpose": "batch" })
}

async fn taking_files() -> Server {
    Server::start([Reply::ok_json(&file("file-1"))]).await
}

/// Bytes without a pattern that a mistake in order or length could hide behind.
fn random(length: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

// What goes out

#[tokio::test]
async fn an_upload_has_the_parts_and_headers_of_the_official_clients() {
    let vectors = fixture_json("vectors/requests.json");
    let mut compared = 0;
    for case in vectors["cases"].as_array().unwrap().iter().filter(|case| case["call"] == "files.create") {
        let (args, expect) = (&case["args"], &case["expect"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let source = FileSource::bytes(text(&args["file"]["name"]), text(&args["file"]["utf8"]));
        let mut request = FileRequest::new(source, text(&args["purpose"]));
        if let Some(seconds) = args["expires_after"]["seconds"].as_u64() {
            request = request.expires_after(seconds);
        }
        let server = taking_files().await;
        client(&server).files().create(&request).await.unwrap();

        let sent = &server.requests()[0];
        assert_eq!((&*sent.method, &*sent.target), ("POST", "/v1/files"));
        for name in ["authorization", "accept"] {
            assert_eq!(sent.header(name), expect["headers"][name].as_str(), "{name} of {}", case["name"]);
        }
        let mut parts = sent.form();
        for part in expect["multipart"].as_array().unwrap() {
            let wanted = FormPart {
                disposition: text(&part["disposition"]),
                content_type: part["content-type"].as_str().map(str::to_owned),
                data: text(&part["data"]).into(),
            };
            let place = parts.iter().position(|part| *part == wanted);
            parts.remove(place.unwrap_or_else(|| panic!("{}: no {wanted:?} in {parts:?}", case["name"])));
        }
        assert_eq!(parts, [], "{}: parts that nobody asked for", case["name"]);
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[tokio::test]
async fn a_file_on_disk_goes_under_its_base_name_with_the_type_of_its_ending() {
    let folder = Folder::new();
    let server = taking_files().await;
    client(&server).files().upload(folder.write("größe.JSONL", "{}\n"), Purpose::Batch).await.unwrap();

    let sent = &server.requests()[0];
    let parts = sent.form();
    assert_eq!(parts[0], FormPart::text("purpose", "batch"));
    assert_eq!(parts[1].parameter("name"), Some("file"));
    assert_eq!(parts[1].parameter("filename"), Some("größe.JSONL"));
    assert_eq!(parts[1].content_type.as_deref(), Some("application/jsonl"));
    assert_eq!(parts[1].data, "{}\n");
    assert_eq!(sent.header("content-length"), Some(&*sent.body.len().to_string()));
    assert_eq!(sent.header("transfer-encoding"), None);
}

#[tokio::test]
async fn name_and_type_of_a_file_can_be_set() {
    let source = FileSource::bytes("a.txt", "x").file_name("b\r\n\"c.bin").content_type("text/x-test");
    let server = taking_files().await;
    client(&server).files().upload(source, "ocr").await.unwrap();

    let parts = server.requests()[0].form();
    assert_eq!(parts[0], FormPart::text("purpose", "ocr"));
    assert_eq!(parts[1].parameter("filename"), Some("b%0D%0A%22c.bin"));
    assert_eq!(parts[1].content_type.as_deref(), Some("text/x-test"));
}

#[tokio::test]
async fn extra_members_are_fields_of_the_form_and_win_over_typed_ones() {
    let request = FileRequest::new(FileSource::bytes("a", "x"), Purpose::Batch)
        .extra("purpose", "batch-api")
        .extra("tags", json!(["one", "two"]))
        .extra("options", json!({ "check": true, "depth": { "most": 3 }, "none": null }));
    let server = taking_files().await;
    client(&server).files().create(request).await.unwrap();

    let mut fields = server.requests()[0].form();
    fields.retain(|part| part.content_type.is_none());
    let expected = [
        ("options[check]", "true"),
        ("options[depth][most]", "3"),
        ("purpose", "batch-api"),
        ("tags[]", "one"),
        ("tags[]", "two"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| FormPart::text(name, value)));
}

#[tokio::test]
async fn a_reader_of_unknown_length_is_sent_in_chunks() {
    let server = taking_files().await;
    let source = FileSource::reader("a.txt", io::Cursor::new("from a reader"));
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!(sent.header("transfer-encoding"), Some("chunked"));
    assert_eq!(sent.form()[1].data, "from a reader");
}

#[tokio::test]
async fn a_reader_of_known_length_is_sent_with_it() {
    let server = taking_files().await;
    let source = FileSource::reader("a.txt", io::Cursor::new("from a reader, and more")).length(13);
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!(sent.header("content-length"), Some(&*sent.body.len().to_string()));
    assert_eq!(sent.form()[1].data, "from a reader");
}

#[tokio::test]
async fn an_empty_file_is_sent() {
    let server = taking_files().await;
    let folder = Folder::new();
    client(&server).files().upload(folder.write("empty", ""), Purpose::Batch).await.unwrap();
    assert_eq!(server.requests()[0].form()[1].data, "");
}

#[tokio::test]
async fn a_mebibyte_goes_up_and_comes_down_unchanged() {
    let content = random(1024 * KIB);
    let folder = Folder::new();
    let up = taking_files().await;
    client(&up).files().upload(folder.write("random", &content), Purpose::UserData).await.unwrap();
    let arrived = up.requests()[0].form()[1].data.clone();
    assert!(arrived == content, "the upload changed the content");

    let down = Server::start([Reply::status(200).body(arrived)]).await;
    let target = folder.path().join("back");
    let length = client(&down).files().content("file-1").await.unwrap().save_to(&target).await.unwrap();
    assert_eq!(length, content.len() as u64);
    assert!(std::fs::read(target).unwrap() == content, "the download changed the content");
}

// Retries

async fn is_sent_again_unchanged(source: FileSource, content: &[u8]) {
    let server = Server::start([Reply::status(503), Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    let response = client(&server).files().upload(source, Purpose::Batch).with_response().await.unwrap();

    assert_eq!(response.attempts(), 3);
    let requests = server.requests();
    assert!(requests[0].form()[1].data == content);
    assert!(requests[1].body == requests[0].body && requests[2].body == requests[0].body);
}

#[tokio::test(start_paused = true)]
async fn a_file_on_disk_is_sent_again_unchanged() {
    let (folder, content) = (Folder::new(), random(300 * KIB));
    is_sent_again_unchanged(FileSource::path(folder.write("a", &content)), &content).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_are_sent_again_unchanged() {
    let content = random(300 * KIB);
    is_sent_again_unchanged(FileSource::bytes("a", content.clone()), &content).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_opens_again_is_sent_again_unchanged() {
    let content = random(300 * KIB);
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, shared) = (opened.clone(), content.clone());
    let source = FileSource::reopen("a", move || {
        count.fetch_add(1, Ordering::Relaxed);
        let content = shared.clone();
        async move { Ok(io::Cursor::new(content)) }
    });
    is_sent_again_unchanged(source, &content).await;
    assert_eq!(opened.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_a_reason_to_send_a_file_again() {
    let server = Server::start([Reply::status(200).reset_after(0), Reply::ok_json(&file("file-1"))]).await;
    client(&server).files().upload(FileSource::bytes("a", random(300 * KIB)), Purpose::Batch).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_one_shot_reader_is_not_retried() {
    let server = Server::start([Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    let source = FileSource::reader("a", io::Cursor::new("once"));
    let error = client(&server).files().upload(source.clone(), Purpose::Batch).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Api, 1));
    assert_eq!(server.requests().len(), 1);

    let error = client(&server).files().upload(source, Purpose::Batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "a second call finds the reader empty");
    assert_eq!(server.requests().len(), 1);
}

// Files that make trouble

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_an_error_and_nothing_is_sent() {
    let folder = Folder::new();
    let server = taking_files().await;
    for path in [folder.path().join("missing.jsonl"), folder.path().to_owned()] {
        let error = client(&server).files().upload(path.clone(), Purpose::Batch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(error.to_string().contains(&*name), "{error} does not name the file");
    }
    assert_eq!(server.connections(), 0);
}

/// A source on disk whose first piece, once read, lets something happen to the file.
fn disturbed(path: &std::path::Path, disturb: impl Fn(std::fs::File) + Send + Sync + 'static) -> FileSource {
    let open = path.to_owned();
    FileSource::path(path).on_progress(move |sent, _| {
        if sent == 256 * KIB as u64 {
            disturb(std::fs::OpenOptions::new().append(true).open(&open).unwrap());
        }
    })
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_sent_goes_in_its_first_length() {
    let (folder, content) = (Folder::new(), random(600 * KIB));
    let source = disturbed(&folder.write("log", &content), |mut file| {
        io::Write::write_all(&mut file, b"one more line").unwrap();
    });
    let server = taking_files().await;
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();
    assert!(server.requests()[0].form()[1].data == content);
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_is_an_error_that_names_it() {
    let folder = Folder::new();
    let source = disturbed(&folder.write("log", random(600 * KIB)), |file| file.set_len(300 * KIB as u64).unwrap());
    let server = taking_files().await;
    let error = client(&server).files().upload(source, Purpose::UserData).max_retries(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let expected = "the file `log` cannot be read: it ended after 307200 of 614400 bytes";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(server.requests().len(), 0, "half a request counts as none");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_shrank_is_sent_again_as_it_is_by_then() {
    let (folder, content) = (Folder::new(), random(600 * KIB));
    let source = disturbed(&folder.write("log", &content), |file| file.set_len(300 * KIB as u64).unwrap());
    let server = taking_files().await;
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();
    assert!(server.requests()[0].form()[1].data == content[..300 * KIB]);
}

#[tokio::test]
async fn a_reader_that_fails_is_an_error_that_names_its_file() {
    struct Broken;
    impl tokio::io::AsyncRead for Broken {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Err(io::Error::other("the tape is torn")))
        }
    }
    let server = taking_files().await;
    let error = client(&server).files().upload(FileSource::reader("tape", Broken), "batch").await.unwrap_err();
    assert!(error.to_string().contains("the file `tape` cannot be read: the tape is torn"), "{error}");
}

// Progress

type Steps = Arc<Mutex<Vec<(u64, Option<u64>)>>>;

fn watched(source: FileSource) -> (FileSource, Steps) {
    let steps = Steps::default();
    let seen = steps.clone();
    (source.on_progress(move |sent, length| seen.lock().unwrap().push((sent, length))), steps)
}

#[tokio::test]
async fn progress_counts_up_to_the_length() {
    let folder = Folder::new();
    let path = folder.write("a", random(600 * KIB));
    for source in [FileSource::path(&path), FileSource::bytes("a", random(600 * KIB))] {
        let (source, steps) = watched(source);
        let server = taking_files().await;
        client(&server).files().upload(source, Purpose::Batch).await.unwrap();
        let expected = [256, 512, 600].map(|kib| (kib * 1024, Some(600 * 1024)));
        assert_eq!(*steps.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn progress_of_a_reader_knows_no_length() {
    let (source, steps) = watched(FileSource::reader("a", io::Cursor::new(random(300 * KIB))));
    let server = taking_files().await;
    client(&server).files().upload(source, Purpose::Batch).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [(256 * 1024, None), (300 * 1024, None)]);
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_retry_starts_again() {
    let (source, steps) = watched(FileSource::bytes("a", "12345"));
    let server = Server::start([Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    client(&server).files().upload(source, Purpose::Batch).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [(5, Some(5)), (5, Some(5))]);
}

// Routes

#[tokio::test]
async fn the_routes_of_one_file() {
    let server = Server::start([
        Reply::ok_json(&file("file-1")),
        Reply::ok_json(&json!({ "id": "file-1", "object": "file", "deleted": true })),
        Reply::status(200).header("content-type", "application/jsonl").body("{}\n"),
    ])
    .await;
    let files = client(&server).files();
    assert_eq!(files.get("file-1").await.unwrap().id, "file-1");
    assert!(files.delete("file-1").await.unwrap().deleted);
    let content = files.content("file-1").await.unwrap();
    assert_eq!(content.content_type(), Some("application/jsonl"));
    assert_eq!(content.text().await.unwrap(), "{}\n");

    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(lines, ["GET /v1/files/file-1", "DELETE /v1/files/file-1", "GET /v1/files/file-1/content"]);
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert_eq!(requests[2].header("accept"), Some("application/binary"));
    assert!(requests.iter().all(|request| request.body.is_empty()));
}

#[tokio::test]
async fn the_accept_header_of_a_download_can_be_replaced() {
    let server = Server::start([Reply::status(200).body("x")]).await;
    client(&server).files().content("file-1").header("accept", "*/*").await.unwrap();
    assert_eq!(server.requests()[0].header("accept"), Some("*/*"));
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_route() {
    let server = taking_files().await;
    let files = client(&server).files();
    for id in ["", ".", ".."] {
        assert_eq!(files.get(id).await.unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(files.delete(id).await.unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(files.content(id).await.unwrap_err().kind(), ErrorKind::Config);
    }
    assert_eq!(server.requests().len(), 0);
    files.get("a/../b?c").await.unwrap();
    assert_eq!(server.requests()[0].target, "/v1/files/a%2F..%2Fb%3Fc");
}

// Lists

fn page(ids: &[&str], has_more: bool) -> Reply {
    let data: Vec<_> = ids.iter().map(|id| file(id)).collect();
    Reply::ok_json(&json!({
        "object": "list", "data": data, "first_id": ids.first(), "last_id": ids.last(), "has_more": has_more,
    }))
}

async fn three_pages() -> Server {
    Server::start([page(&["a", "b"], true), page(&["c", "d"], true), page(&["e"], false)]).await
}

fn ids(files: &[File]) -> Vec<&str> {
    files.iter().map(|file| file.id.as_str()).collect()
}

fn targets(server: &Server) -> Vec<String> {
    server.requests().iter().map(|request| request.target.clone()).collect()
}

#[tokio::test]
async fn a_list_asks_for_what_is_set_and_no_more() {
    let server = three_pages().await;
    let request = FileListRequest::new().purpose(Purpose::FineTune).after("x y").limit(2).order(Order::Asc);
    let files = client(&server).files();
    files.list(request.extra("owner", "me")).await.unwrap();
    files.list(FileListRequest::new()).await.unwrap();
    assert_eq!(targets(&server), ["/v1/files?purpose=fine-tune&after=x+y&limit=2&order=asc&owner=me", "/v1/files"]);
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let server = three_pages().await;
    let first = client(&server).files().list(FileListRequest::new().limit(2).after("0")).await.unwrap();
    let second = first.next_page().await.unwrap().unwrap();
    let third = second.next_page().await.unwrap().unwrap();
    assert!(third.next_page().await.unwrap().is_none());

    assert_eq!([ids(&first.data), ids(&second.data), ids(&third.data)], [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    let expected = ["limit=2", "limit=2&after=b", "limit=2&after=d"].map(|query| format!("/v1/files?{query}"));
    assert_eq!(targets(&server)[1..], expected[1..]);
}

#[tokio::test]
async fn all_files_come_in_one_stream_with_the_options_of_the_first_call() {
    let server = three_pages().await;
    let call = client(&server).files().list(FileListRequest::new().purpose("batch")).header("x-tenant", "7");
    let all: Vec<File> = call.await.unwrap().into_stream().try_collect().await.unwrap();

    assert_eq!(ids(&all), ["a", "b", "c", "d", "e"]);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(request.target.contains("purpose=batch"), "{}", request.target);
        assert_eq!(request.header("x-tenant"), Some("7"));
    }
}

#[tokio::test]
async fn a_stream_asks_for_a_page_when_it_is_needed() {
    let server = three_pages().await;
    let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
    let mut files = std::pin::pin!(first.into_stream());
    files.try_next().await.unwrap();
    files.try_next().await.unwrap();
    assert_eq!(server.requests().len(), 1);
    files.try_next().await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_later_page_is_retried_and_its_failure_ends_the_stream() {
    let server = Server::start([page(&["a"], true), Reply::status(503), page(&["b"], true), Reply::status(404)]).await;
    let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
    let mut files = std::pin::pin!(first.into_stream());
    assert_eq!(files.try_next().await.unwrap().unwrap().id, "a");
    assert_eq!(files.try_next().await.unwrap().unwrap().id, "b");
    assert!(files.try_next().await.unwrap_err().is_not_found());
    assert!(files.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_server_that_repeats_its_cursor_is_an_error_and_no_loop() {
    // The first one ignores the cursor; the second one goes in a circle.
    for pages in [vec![page(&["a"], true)], vec![page(&["a"], true), page(&["b"], true), page(&["a"], true)]] {
        let (server, count) = (Server::start(pages.clone()).await, pages.len().max(2));
        let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
        let error = first.into_stream().try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(server.requests().len(), count);
    }
}

#[tokio::test]
async fn a_list_without_has_more_ends_where_nothing_new_comes() {
    let whole = Reply::ok_json(&json!({ "data": [file("a"), file("b")] }));
    let with_last = Reply::ok_json(&json!({ "data": [file("a"), file("b")], "last_id": "b" }));
    let bare = Reply::ok_json(&json!([file("a"), file("b")]));
    for (reply, requests) in [(whole, 1), (with_last, 2), (bare, 1)] {
        let server = Server::start([reply]).await;
        let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
        let all: Vec<File> = first.into_stream().try_collect().await.unwrap();
        assert_eq!(ids(&all), ["a", "b"]);
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_list_without_last_id_goes_on_behind_its_last_file() {
    let first = Reply::ok_json(&json!({ "data": [file("a"), file("b")], "has_more": true }));
    let server = Server::start([first, page(&["c"], false)]).await;
    let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
    let all: Vec<File> = first.into_stream().try_collect().await.unwrap();
    assert_eq!(ids(&all), ["a", "b", "c"]);
    assert_eq!(targets(&server)[1], "/v1/files?after=b");
}

#[tokio::test]
async fn an_empty_list_has_no_next_page_whatever_it_says() {
    for body in [json!({ "data": [], "has_more": true, "last_id": "x" }), json!({ "data": null }), json!([])] {
        let server = Server::start([Reply::ok_json(&body)]).await;
        let page: Page<File> = client(&server).files().list(FileListRequest::new()).await.unwrap();
        assert!(page.data.is_empty() && page.next_page().await.unwrap().is_none(), "{body}");
    }
}

// What comes back

#[tokio::test]
async fn every_member_of_a_file_is_read_and_written_back() {
    let whole = json!({
        "id": "file-1", "object": "file", "bytes": 5_000_000_000_u64, "created_at": 1_700_000_000,
        "expires_at": 1_700_003_600, "filename": "a.jsonl", "purpose": "fine-tune-results", "status": "error",
        "status_details": "line 3",
    });
    let server = Server::start([Reply::ok_json(&whole)]).await;
    let file = client(&server).files().get("file-1").await.unwrap();
    assert_eq!(file.bytes, Some(5_000_000_000));
    assert_eq!(file.created_at, Some(1_700_000_000));
    assert_eq!(file.expires_at, Some(1_700_003_600));
    assert_eq!(file.filename, "a.jsonl");
    assert_eq!(file.purpose, Some(Purpose::FineTuneResults));
    assert_eq!(file.status, Some(FileStatus::Error));
    assert_eq!(file.status_details.as_deref(), Some("line 3"));
    assert!(file.extra.is_empty());
    assert_eq!(serde_json::to_value(&file).unwrap(), whole);
}

#[test]
fn files_of_other_servers_are_read() {
    let groq: File = serde_json::from_value(json!({ "id": "file_1" })).unwrap();
    assert_eq!((groq.bytes, groq.purpose, groq.status), (None, None, None));

    let together: File = serde_json::from_value(json!({
        "id": "file-1", "object": "file", "created_at": "2026-01-02T03:04:05Z", "purpose": "batch-api",
        "filename": "a.jsonl", "bytes": 10.0, "LineCount": 3, "Processed": true, "FileType": "jsonl", "status": null,
    }))
    .unwrap();
    assert_eq!(together.purpose, Some(Purpose::Other("batch-api".into())));
    assert_eq!((together.bytes, together.created_at), (Some(10), None));
    assert_eq!(together.extra.get_as::<String>("created_at").as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(together.extra.get_as::<u32>("LineCount"), Some(3));

    let mistral: File = serde_json::from_value(json!({
        "id": "497f6eca", "object": "file", "bytes": 13_000, "created_at": 1_716_963_433, "filename": "files.jsonl",
        "purpose": "ocr", "sample_type": "ocr_input", "num_lines": null, "source": "upload",
    }))
    .unwrap();
    assert_eq!(mistral.purpose, Some("ocr".into()));
    assert_eq!(mistral.extra.get_as::<String>("source").as_deref(), Some("upload"));
}

#[tokio::test]
async fn a_reply_without_an_id_is_an_error() {
    let refusal = Reply::ok_json(&json!({ "error": { "message": "no room", "code": "full" } }));
    let server = Server::start([refusal, Reply::ok_json(&json!({ "ok": true }))]).await;
    let files = client(&server).files();
    let error = files.get("file-1").await.unwrap_err();
    assert_eq!((error.kind(), error.api().unwrap().message.as_str()), (ErrorKind::Api, "no room"));
    assert_eq!(files.get("file-1").await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn a_file_deleted_without_a_word_is_deleted() {
    let server = Server::start([Reply::status(204)]).await;
    assert!(client(&server).files().delete("file-1").await.unwrap().deleted);
}

#[tokio::test]
async fn a_refused_upload_tells_why() {
    let error =
        json!({ "error": { "message": "Invalid purpose", "type": "invalid_request_error", "param": "purpose" } });
    let server = Server::start([Reply::status(400).json(&error)]).await;
    let error = client(&server).files().upload(FileSource::bytes("a", "x"), "nonsense").await.unwrap_err();
    assert_eq!(error.api().unwrap().param.as_deref(), Some("purpose"));
}

// Requests as data

#[test]
fn a_request_can_be_kept_and_read_again() {
    let request = FileRequest::new(FileSource::bytes("a.txt", "content"), Purpose::Vision).expires_after(7200);
    let kept = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<FileRequest>(&kept).unwrap(), request);
}

#[test]
fn what_an_upload_shows_of_itself_leaves_the_content_out() {
    let request = FileRequest::new(FileSource::bytes("a.txt", "a secret"), Purpose::Vision);
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn purposes_are_known_words_or_any_other() {
    let words = [
        "assistants",
        "assistants_output",
        "batch",
        "batch_output",
        "fine-tune",
        "fine-tune-results",
        "vision",
        "user_data",
        "evals",
    ];
    for word in words {
        assert!(!matches!(Purpose::from(word), Purpose::Other(_)), "{word}");
        assert_eq!(Purpose::from(word).as_str(), word);
    }
    assert_eq!(Purpose::from("batch-api").to_string(), "batch-api");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_gets_no_answer_times_out() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let call = client(&server).files().upload(FileSource::bytes("a", "x"), Purpose::Batch);
    let error = call.timeout(Duration::from_secs(7)).max_retries(0).await.unwrap_err();
    assert!(error.is_timeout());
}
