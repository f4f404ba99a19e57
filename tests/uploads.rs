//! Uploads in parts.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use openai_compatible::files::Purpose;
use openai_compatible::uploads::{UploadState, UploadStatus};
use openai_compatible::{CallOptions, Client, ErrorKind, FileSource, HttpError, RequestBody, ResponseBody};
use serde_json::{Value, json};
use support::Folder;

/// A server of uploads in memory, which fails at some requests.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    created: Vec<Value>,
    parts: BTreeMap<String, Vec<u8>>,
    completed: Vec<Value>,
    requests: usize,
    headers: Vec<Option<String>>,
    /// The requests that fail, by their number, and their status.
    failing: BTreeMap<usize, u16>,
}

impl Store {
    fn client(&self) -> Client {
        let store = self.clone();
        let service = move |request: http::Request<RequestBody>| store.clone().answer(request);
        Client::builder().base_url("http://memory/v1").http_service(service).build().unwrap()
    }

    fn fail(self, requests: impl IntoIterator<Item = usize>, status: u16) -> Self {
        self.0.lock().unwrap().failing.extend(requests.into_iter().map(|request| (request, status)));
        self
    }

    async fn answer(self, request: http::Request<RequestBody>) -> Result<http::Response<ResponseBody>, HttpError> {
        let (head, body) = request.into_parts();
        let body = collect(body).await;
        let mut stored = self.0.lock().unwrap();
        stored.requests += 1;
        stored.headers.push(head.headers.get("x-tenant").map(|value| value.to_str().unwrap().to_owned()));
        if let Some(status) = stored.failing.get(&stored.requests) {
            return Ok(http::Response::builder().status(*status).body("{}".into()).unwrap());
        }
        let answer = match head.uri.path() {
            "/v1/uploads" => {
                stored.created.push(serde_json::from_slice(&body).unwrap());
                json!({"id": "up_1", "object": "upload", "status": "pending", "filename": "f"})
            }
            "/v1/uploads/up_1/parts" => {
                let id = format!("part_{}", stored.requests);
                let text = body.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
                let end = body.len() - body.iter().rev().skip(2).position(|byte| *byte == b'\n').unwrap() - 4;
                stored.parts.insert(id.clone(), body[text..end].to_vec());
                json!({"id": id, "object": "upload.part", "upload_id": "up_1"})
            }
            "/v1/uploads/up_1/complete" => {
                stored.completed.push(serde_json::from_slice(&body).unwrap());
                json!({"id": "up_1", "status": "completed", "file": {"id": "file_1", "filename": "f"}})
            }
            _ => json!({"id": "up_1", "status": "cancelled"}),
        };
        Ok(http::Response::new(answer.to_string().into()))
    }

    /// What the server has put together.
    fn content(&self) -> Vec<u8> {
        let stored = self.0.lock().unwrap();
        let ids = stored.completed[0]["part_ids"].as_array().unwrap();
        ids.iter().flat_map(|id| stored.parts[id.as_str().unwrap()].clone()).collect()
    }
}

async fn collect(mut body: RequestBody) -> Bytes {
    use http_body::Body;
    let mut bytes = Vec::new();
    let mut body = std::pin::Pin::new(&mut body);
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    bytes.into()
}

fn content() -> Vec<u8> {
    (0..1000_u32).flat_map(|number| format!("{number:>9}\n").into_bytes()).collect()
}

#[tokio::test]
async fn any_source_is_sent_in_parts_and_put_together_in_its_order() {
    let folder = Folder::new();
    let path = folder.write("rivers.jsonl", content());
    let bytes = content();
    let sources = [
        FileSource::path(path),
        FileSource::bytes("rivers.jsonl", content()),
        FileSource::reader("rivers.jsonl", std::io::Cursor::new(bytes)).length(10_000),
    ];
    for source in sources {
        let store = Store::default();
        let progress = Arc::new(Mutex::new(Vec::new()));
        let seen = progress.clone();
        let upload = store.client().uploads().upload(source, Purpose::Batch).part_size(3_000).concurrency(3);
        let upload = upload.options(CallOptions::new().header("x-tenant", "7"));
        let file = upload.on_progress(move |sent, of| seen.lock().unwrap().push((sent, of))).await.unwrap();
        assert_eq!(file.id, "file_1");
        assert_eq!(store.content(), content());
        let stored = store.0.lock().unwrap();
        assert_eq!(stored.created[0]["bytes"], 10_000);
        assert_eq!(stored.created[0]["mime_type"], "application/jsonl");
        assert_eq!(stored.parts.len(), 4);
        assert!(stored.headers.iter().all(|tenant| tenant.as_deref() == Some("7")));
        let progress = progress.lock().unwrap();
        assert_eq!((progress.first(), progress.last()), (Some(&(0, 10_000)), Some(&(10_000, 10_000))));
    }
}

#[tokio::test(start_paused = true)]
async fn each_part_is_retried_alone() {
    let store = Store::default().fail([3], 503);
    store.client().uploads().upload(FileSource::bytes("f", content()), Purpose::Batch).part_size(2_000).await.unwrap();
    assert_eq!(store.content(), content());
    assert_eq!(store.0.lock().unwrap().requests, 8, "one upload, five parts, one of them twice, and the end");
}

#[tokio::test]
async fn an_upload_that_failed_goes_on_where_it_stopped() {
    let store = Store::default().fail([4], 400);
    let client = store.client();
    let source = || FileSource::bytes("f", content());
    let states = Arc::new(Mutex::new(Vec::new()));
    let seen = states.clone();
    let upload = client.uploads().upload(source(), Purpose::Batch).part_size(2_000).concurrency(1);
    let error = upload.on_state(move |state| seen.lock().unwrap().push(state.clone())).await.unwrap_err();
    assert!(error.to_string().contains("part 3"), "{error}");
    let state = error.upload_state().unwrap();
    assert_eq!(state.parts.len(), 2);
    assert_eq!(states.lock().unwrap().last(), Some(state));
    // In another process.
    let state: UploadState = serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap();
    client.uploads().upload(source(), Purpose::Batch).resume(state.clone()).await.unwrap();
    assert_eq!(store.content(), content());
    assert_eq!(store.0.lock().unwrap().requests, 4 + 3 + 1);
    let other = client.uploads().upload(FileSource::bytes("f", "x"), Purpose::Batch).resume(state).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn an_empty_file_has_one_part_and_a_length_must_be_known() {
    let store = Store::default();
    let uploads = store.client().uploads();
    uploads.upload(FileSource::bytes("f", ""), Purpose::Batch).await.unwrap();
    assert_eq!(store.content(), b"");
    let reader = FileSource::reader("f", std::io::Cursor::new(content()));
    let error = uploads.upload(reader, Purpose::Batch).await.unwrap_err();
    assert!(error.to_string().contains("FileSource::length"), "{error}");
    let error = uploads.upload(FileSource::bytes("f", "x"), Purpose::Batch).part_size(0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(uploads.cancel("up_1").await.unwrap().status, UploadStatus::Cancelled);
}
