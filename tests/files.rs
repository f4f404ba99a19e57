//! Files: multipart uploads, paginated lists and responses.
mod support;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use openai_compatible::files::{File, FileListRequest, FileRequest, FileStatus, Purpose};
use openai_compatible::{Client, ErrorKind, FileSource, Page, SortOrder};
use serde_json::{Value, json};
use support::{Folder, FormPart, Reply, Server, fixture_json};

const KIB: usize = 1024;

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).api_key("sk-test").build().unwrap()
}

fn file(id: &str) -> Value {
    json!({ "id": id, "object": "file", "bytes": 1, "created_at": 1, "filename": "a", "purpose": "batch" })
}

async fn upload_server() -> Server {
    Server::start([Reply::ok_json(&file("file-1"))]).await
}

/// Pseudorandom bytes, so that errors in order or length are detected.
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

// Uploads

#[tokio::test]
async fn upload_matches_parts_and_headers_of_official_clients() {
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
        let server = upload_server().await;
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
            let position = parts.iter().position(|part| *part == wanted);
            parts.remove(position.unwrap_or_else(|| panic!("{}: no {wanted:?} in {parts:?}", case["name"])));
        }
        assert_eq!(parts, [], "{}: unexpected parts", case["name"]);
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[tokio::test]
async fn file_name_and_content_type_derive_from_the_path() {
    let folder = Folder::new();
    let server = upload_server().await;
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
async fn file_name_and_content_type_can_be_set() {
    let source = FileSource::bytes("a.txt", "x").file_name("b\r\n\"c.bin").content_type("text/x-test");
    let server = upload_server().await;
    client(&server).files().upload(source, "ocr").await.unwrap();

    let parts = server.requests()[0].form();
    assert_eq!(parts[0], FormPart::text("purpose", "ocr"));
    assert_eq!(parts[1].parameter("filename"), Some("b%0D%0A%22c.bin"));
    assert_eq!(parts[1].content_type.as_deref(), Some("text/x-test"));
}

#[tokio::test]
async fn extra_form_fields_override_typed_fields() {
    let request = FileRequest::new(FileSource::bytes("a", "x"), Purpose::Batch)
        .extra("purpose", "batch-api")
        .extra("tags", json!(["one", "two"]))
        .extra("options", json!({ "check": true, "depth": { "most": 3 }, "none": null }));
    let server = upload_server().await;
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
async fn reader_of_unknown_length_uses_chunked_encoding() {
    let server = upload_server().await;
    let source = FileSource::reader("a.txt", io::Cursor::new("from a reader"));
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!(sent.header("transfer-encoding"), Some("chunked"));
    assert_eq!(sent.form()[1].data, "from a reader");
}

#[tokio::test]
async fn reader_of_known_length_sends_content_length() {
    let server = upload_server().await;
    let source = FileSource::reader("a.txt", io::Cursor::new("from a reader, and more")).length(13);
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!(sent.header("content-length"), Some(&*sent.body.len().to_string()));
    assert_eq!(sent.form()[1].data, "from a reader");
}

#[tokio::test]
async fn empty_file_is_uploaded() {
    let server = upload_server().await;
    let folder = Folder::new();
    client(&server).files().upload(folder.write("empty", ""), Purpose::Batch).await.unwrap();
    assert_eq!(server.requests()[0].form()[1].data, "");
}

#[tokio::test]
async fn upload_and_download_preserve_the_content() {
    let content = random(1024 * KIB);
    let folder = Folder::new();
    let up = upload_server().await;
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

async fn assert_resent_unchanged(source: FileSource, content: &[u8]) {
    let server = Server::start([Reply::status(503), Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    let response = client(&server).files().upload(source, Purpose::Batch).with_response().await.unwrap();

    assert_eq!(response.attempts(), 3);
    let requests = server.requests();
    assert!(requests[0].form()[1].data == content);
    assert!(requests[1].body == requests[0].body && requests[2].body == requests[0].body);
}

#[tokio::test(start_paused = true)]
async fn file_on_disk_is_resent_unchanged() {
    let (folder, content) = (Folder::new(), random(300 * KIB));
    assert_resent_unchanged(FileSource::path(folder.write("a", &content)), &content).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_are_resent_unchanged() {
    let content = random(300 * KIB);
    assert_resent_unchanged(FileSource::bytes("a", content.clone()), &content).await;
}

#[tokio::test(start_paused = true)]
async fn reader_fn_source_is_resent_unchanged() {
    let content = random(300 * KIB);
    let opened = Arc::new(AtomicUsize::new(0));
    let (count, shared) = (opened.clone(), content.clone());
    let source = FileSource::reader_fn("a", move || {
        count.fetch_add(1, Ordering::Relaxed);
        let content = shared.clone();
        async move { Ok(io::Cursor::new(content)) }
    });
    assert_resent_unchanged(source, &content).await;
    assert_eq!(opened.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn upload_is_retried_after_connection_reset() {
    let server = Server::start([Reply::status(200).reset_after(0), Reply::ok_json(&file("file-1"))]).await;
    client(&server).files().upload(FileSource::bytes("a", random(300 * KIB)), Purpose::Batch).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_shot_reader_is_not_retried() {
    let server = Server::start([Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    let source = FileSource::reader("a", io::Cursor::new("once"));
    let error = client(&server).files().upload(source.clone(), Purpose::Batch).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Api, 1));
    assert_eq!(server.requests().len(), 1);

    let error = client(&server).files().upload(source, Purpose::Batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "a second call finds the reader empty");
    assert_eq!(server.requests().len(), 1);
}

// Unreadable and changing files

#[tokio::test]
async fn unreadable_file_fails_before_sending() {
    let folder = Folder::new();
    let server = upload_server().await;
    for path in [folder.path().join("missing.jsonl"), folder.path().to_owned()] {
        let error = client(&server).files().upload(path.clone(), Purpose::Batch).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(error.to_string().contains(&*name), "{error} does not name the file");
    }
    assert_eq!(server.connections(), 0);
}

/// A source on disk whose file is modified after its first chunk was read.
fn modified(path: &std::path::Path, modify: impl Fn(std::fs::File) + Send + Sync + 'static) -> FileSource {
    let open = path.to_owned();
    FileSource::path(path).on_progress(move |sent, _| {
        if sent == 256 * KIB as u64 {
            modify(std::fs::OpenOptions::new().append(true).open(&open).unwrap());
        }
    })
}

#[tokio::test]
async fn growing_file_is_sent_with_its_initial_length() {
    let (folder, content) = (Folder::new(), random(600 * KIB));
    let source = modified(&folder.write("log", &content), |mut file| {
        io::Write::write_all(&mut file, b"one more line").unwrap();
    });
    let server = upload_server().await;
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();
    assert!(server.requests()[0].form()[1].data == content);
}

#[tokio::test]
async fn shrinking_file_error_names_the_file() {
    let folder = Folder::new();
    let source = modified(&folder.write("log", random(600 * KIB)), |file| file.set_len(300 * KIB as u64).unwrap());
    let server = upload_server().await;
    let error = client(&server).files().upload(source, Purpose::UserData).max_retries(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let expected = "file error: failed to read `log`: file ended after 307200 of 614400 bytes";
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(server.requests().len(), 0, "a truncated request is not counted");
}

#[tokio::test(start_paused = true)]
async fn shrunk_file_is_resent_with_its_new_length() {
    let (folder, content) = (Folder::new(), random(600 * KIB));
    let source = modified(&folder.write("log", &content), |file| file.set_len(300 * KIB as u64).unwrap());
    let server = upload_server().await;
    client(&server).files().upload(source, Purpose::UserData).await.unwrap();
    assert!(server.requests()[0].form()[1].data == content[..300 * KIB]);
}

#[tokio::test]
async fn reader_error_names_the_file() {
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
    let server = upload_server().await;
    let error = client(&server).files().upload(FileSource::reader("tape", Broken), "batch").await.unwrap_err();
    assert!(error.to_string().contains("file error: failed to read `tape`: the tape is torn"), "{error}");
}

// Progress

type Steps = Arc<Mutex<Vec<(u64, Option<u64>)>>>;

fn watched(source: FileSource) -> (FileSource, Steps) {
    let steps = Steps::default();
    let seen = steps.clone();
    (source.on_progress(move |sent, length| seen.lock().unwrap().push((sent, length))), steps)
}

#[tokio::test]
async fn upload_progress_counts_up_to_the_length() {
    let folder = Folder::new();
    let path = folder.write("a", random(600 * KIB));
    for source in [FileSource::path(&path), FileSource::bytes("a", random(600 * KIB))] {
        let (source, steps) = watched(source);
        let server = upload_server().await;
        client(&server).files().upload(source, Purpose::Batch).await.unwrap();
        let expected = [256, 512, 600].map(|kib| (kib * 1024, Some(600 * 1024)));
        assert_eq!(*steps.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn upload_progress_of_a_reader_has_no_length() {
    let (source, steps) = watched(FileSource::reader("a", io::Cursor::new(random(300 * KIB))));
    let server = upload_server().await;
    client(&server).files().upload(source, Purpose::Batch).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [(256 * 1024, None), (300 * 1024, None)]);
}

#[tokio::test(start_paused = true)]
async fn upload_progress_restarts_on_retry() {
    let (source, steps) = watched(FileSource::bytes("a", "12345"));
    let server = Server::start([Reply::status(503), Reply::ok_json(&file("file-1"))]).await;
    client(&server).files().upload(source, Purpose::Batch).await.unwrap();
    assert_eq!(*steps.lock().unwrap(), [(5, Some(5)), (5, Some(5))]);
}

// Endpoints

#[tokio::test]
async fn get_delete_and_content_use_their_endpoints() {
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
async fn accept_header_of_a_download_can_be_replaced() {
    let server = Server::start([Reply::status(200).body("x")]).await;
    client(&server).files().content("file-1").header("accept", "*/*").await.unwrap();
    assert_eq!(server.requests()[0].header("accept"), Some("*/*"));
}

#[tokio::test]
async fn file_id_cannot_escape_its_path_segment() {
    let server = upload_server().await;
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
async fn list_query_contains_only_set_fields() {
    let server = three_pages().await;
    let request = FileListRequest::new().purpose(Purpose::FineTune).after("x y").limit(2).order(SortOrder::Asc);
    let files = client(&server).files();
    files.list(request.extra("owner", "me")).await.unwrap();
    files.list(FileListRequest::new()).await.unwrap();
    assert_eq!(targets(&server), ["/v1/files?purpose=fine-tune&after=x+y&limit=2&order=asc&owner=me", "/v1/files"]);
}

#[tokio::test]
async fn next_page_follows_cursors_to_the_last_page() {
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
async fn page_stream_keeps_the_options_of_the_first_call() {
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
async fn page_stream_fetches_pages_on_demand() {
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
async fn page_stream_retries_pages_and_ends_on_failure() {
    let server = Server::start([page(&["a"], true), Reply::status(503), page(&["b"], true), Reply::status(404)]).await;
    let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
    let mut files = std::pin::pin!(first.into_stream());
    assert_eq!(files.try_next().await.unwrap().unwrap().id, "a");
    assert_eq!(files.try_next().await.unwrap().unwrap().id, "b");
    assert!(files.try_next().await.unwrap_err().is_not_found());
    assert!(files.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn repeated_cursor_is_an_error_instead_of_a_loop() {
    // The first server ignores the cursor; the second returns to its first page.
    for pages in [vec![page(&["a"], true)], vec![page(&["a"], true), page(&["b"], true), page(&["a"], true)]] {
        let (server, count) = (Server::start(pages.clone()).await, pages.len().max(2));
        let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
        let error = first.into_stream().try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(server.requests().len(), count);
    }
}

#[tokio::test]
async fn list_without_has_more_ends_after_last_new_item() {
    let plain = Reply::ok_json(&json!({ "data": [file("a"), file("b")] }));
    let with_last = Reply::ok_json(&json!({ "data": [file("a"), file("b")], "last_id": "b" }));
    let bare = Reply::ok_json(&json!([file("a"), file("b")]));
    for (response, requests) in [(plain, 1), (with_last, 2), (bare, 1)] {
        let server = Server::start([response]).await;
        let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
        let all: Vec<File> = first.into_stream().try_collect().await.unwrap();
        assert_eq!(ids(&all), ["a", "b"]);
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn list_without_last_id_continues_after_its_last_file() {
    let first = Reply::ok_json(&json!({ "data": [file("a"), file("b")], "has_more": true }));
    let server = Server::start([first, page(&["c"], false)]).await;
    let first = client(&server).files().list(FileListRequest::new()).await.unwrap();
    let all: Vec<File> = first.into_stream().try_collect().await.unwrap();
    assert_eq!(ids(&all), ["a", "b", "c"]);
    assert_eq!(targets(&server)[1], "/v1/files?after=b");
}

#[tokio::test]
async fn empty_list_has_no_next_page() {
    for body in [json!({ "data": [], "has_more": true, "last_id": "x" }), json!({ "data": null }), json!([])] {
        let server = Server::start([Reply::ok_json(&body)]).await;
        let page: Page<File> = client(&server).files().list(FileListRequest::new()).await.unwrap();
        assert!(page.data.is_empty() && page.next_page().await.unwrap().is_none(), "{body}");
    }
}

// Responses

#[tokio::test]
async fn every_file_field_round_trips() {
    let complete = json!({
        "id": "file-1", "object": "file", "bytes": 5_000_000_000_u64, "created_at": 1_700_000_000,
        "expires_at": 1_700_003_600, "filename": "a.jsonl", "purpose": "fine-tune-results", "status": "error",
        "status_details": "line 3",
    });
    let server = Server::start([Reply::ok_json(&complete)]).await;
    let file = client(&server).files().get("file-1").await.unwrap();
    assert_eq!(file.bytes, Some(5_000_000_000));
    assert_eq!(file.created_at, Some(1_700_000_000));
    assert_eq!(file.expires_at, Some(1_700_003_600));
    assert_eq!(file.filename, "a.jsonl");
    assert_eq!(file.purpose, Some(Purpose::FineTuneResults));
    assert_eq!(file.status, Some(FileStatus::Error));
    assert_eq!(file.status_details.as_deref(), Some("line 3"));
    assert!(file.extra.is_empty());
    assert_eq!(serde_json::to_value(&file).unwrap(), complete);
}

#[test]
fn files_of_other_servers_decode() {
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
async fn response_without_id_is_an_error() {
    let error = Reply::ok_json(&json!({ "error": { "message": "no room", "code": "full" } }));
    let server = Server::start([error, Reply::ok_json(&json!({ "ok": true }))]).await;
    let files = client(&server).files();
    let error = files.get("file-1").await.unwrap_err();
    assert_eq!((error.kind(), error.api_error().unwrap().message.as_str()), (ErrorKind::Api, "no room"));
    assert_eq!(files.get("file-1").await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn delete_with_empty_response_succeeds() {
    let server = Server::start([Reply::status(204)]).await;
    assert!(client(&server).files().delete("file-1").await.unwrap().deleted);
}

#[tokio::test]
async fn rejected_upload_error_names_the_parameter() {
    let error =
        json!({ "error": { "message": "Invalid purpose", "type": "invalid_request_error", "param": "purpose" } });
    let server = Server::start([Reply::status(400).json(&error)]).await;
    let error = client(&server).files().upload(FileSource::bytes("a", "x"), "nonsense").await.unwrap_err();
    assert_eq!(error.api_error().unwrap().param.as_deref(), Some("purpose"));
}

// Requests as data

#[test]
fn file_request_round_trips_through_serde() {
    let request = FileRequest::new(FileSource::bytes("a.txt", "content"), Purpose::Vision).expires_after(7200);
    let json = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<FileRequest>(&json).unwrap(), request);
}

#[test]
fn file_request_debug_output_omits_the_content() {
    let request = FileRequest::new(FileSource::bytes("a.txt", "a secret"), Purpose::Vision);
    assert!(!format!("{request:?}").contains("secret"));
}

#[test]
fn purpose_accepts_known_and_unknown_values() {
    let known = [
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
    for value in known {
        assert!(!matches!(Purpose::from(value), Purpose::Other(_)), "{value}");
        assert_eq!(Purpose::from(value).as_str(), value);
    }
    assert_eq!(Purpose::from("batch-api").to_string(), "batch-api");
}

#[tokio::test(start_paused = true)]
async fn upload_without_response_times_out() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let call = client(&server).files().upload(FileSource::bytes("a", "x"), Purpose::Batch);
    let error = call.timeout(Duration::from_secs(7)).max_retries(0).await.unwrap_err();
    assert!(error.is_timeout());
}
