//! Embeddings: the bytes that go out, vectors in every encoding, and any number of inputs.

mod support;

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use openai_compatible::embeddings::{Embedding, EmbeddingInput, EmbeddingList, EmbeddingRequest, EncodingFormat};
use openai_compatible::{CallOptions, Client, ErrorKind};
use serde_json::{Value, json};
use support::{Reply, Server, fixture};
use tokio::time::Instant;

async fn serving(replies: impl IntoIterator<Item = Reply>) -> (Server, Client) {
    let server = Server::start(replies).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, client)
}

/// What a client reads when the server answers with these items.
async fn read(data: Value) -> openai_compatible::Result<EmbeddingList> {
    let (_server, client) = serving([Reply::ok_json(&json!({ "object": "list", "data": data, "model": "m" }))]).await;
    client.embeddings().create(request()).await
}

fn request() -> EmbeddingRequest {
    EmbeddingRequest::new("m", "Hi")
}

fn vector(numbers: &[f32]) -> Embedding {
    serde_json::from_value(json!({ "embedding": numbers })).unwrap()
}

fn in_base64(numbers: &[f32]) -> String {
    STANDARD.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>())
}

/// Numbers as embeddings have them, and a few that are hard to write.
fn numbers(count: u32) -> Vec<f32> {
    let some = (0..count).map(|n| (n as f32 * 0.37).sin() / 23.0);
    [0.1, -0.0, f32::MIN_POSITIVE, f32::MAX, 1e-45, 16_777_217.0].into_iter().chain(some).collect()
}

// ---- requests ----

#[tokio::test]
async fn only_what_is_set_is_sent() {
    let (server, client) = serving([Reply::ok_json(&json!({ "data": [] }))]).await;

    client.embeddings().create(request()).await.unwrap();

    let sent = &server.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/embeddings"));
    assert_eq!(sent.body, r#"{"model":"m","input":"Hi"}"#);
}

#[test]
fn every_field_is_written_under_its_name() {
    let request = EmbeddingRequest::new("m", ["a", "b"])
        .encoding_format(EncodingFormat::Float)
        .dimensions(256)
        .user("u")
        .extra("truncate", "END");

    let expected = json!({ "model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 256, "user": "u",
                           "truncate": "END" });
    assert_eq!(serde_json::to_value(&request).unwrap(), expected);
    assert_eq!(serde_json::from_value::<EmbeddingRequest>(expected).unwrap(), request);
}

#[test]
fn an_input_is_text_texts_tokens_token_lists_or_a_vendors_object() {
    for (input, json) in [
        (EmbeddingInput::from("a"), json!("a")),
        (EmbeddingInput::from(["a", "b"]), json!(["a", "b"])),
        (EmbeddingInput::from([1, 2]), json!([1, 2])),
        (EmbeddingInput::from([vec![1], vec![2]]), json!([[1], [2]])),
        (EmbeddingInput::from(json!([{ "image": "…" }])), json!([{ "image": "…" }])),
    ] {
        assert_eq!(serde_json::to_value(&input).unwrap(), json);
        assert_eq!(serde_json::from_value::<EmbeddingInput>(json).unwrap(), input);
    }
}

#[tokio::test]
async fn base64_is_asked_for_where_the_client_says_so_and_the_request_does_not() {
    let server = Server::start([Reply::ok_json(&json!({ "data": [] }))]).await;
    let client = Client::builder().base_url(server.base_url()).base64_embeddings(true).build().unwrap();

    for (request, sent) in [
        (request(), r#"{"model":"m","input":"Hi","encoding_format":"base64"}"#),
        (request().encoding_format("float"), r#"{"model":"m","input":"Hi","encoding_format":"float"}"#),
        (request().extra("encoding_format", "int8"), r#"{"model":"m","input":"Hi","encoding_format":"int8"}"#),
    ] {
        client.embeddings().create(&request).await.unwrap();
        assert_eq!(server.requests().last().unwrap().body, sent);
    }
}

#[tokio::test]
async fn an_empty_model_is_refused_before_anything_is_sent() {
    let (server, client) = serving([Reply::status(200)]).await;
    let request = EmbeddingRequest::new("", "x");

    assert_eq!(client.embeddings().create(&request).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(client.embeddings().create_all(request).await.unwrap_err().kind(), ErrorKind::Config);
    assert!(server.requests().is_empty());
}

// ---- vectors ----

#[tokio::test]
async fn numbers_and_base64_give_the_same_vector() {
    // Around the block of 768 floats that base64 is read in, and beyond it.
    for count in [0, 1, 761, 762, 763, 1536, 4000] {
        let numbers = numbers(count);
        let list =
            read(json!([{ "index": 0, "embedding": numbers }, { "index": 1, "embedding": in_base64(&numbers) }])).await;

        let data = list.unwrap().data;
        assert_eq!(data[0].embedding, numbers, "{count} numbers");
        assert_eq!(data[1].embedding, numbers, "{count} in base64");
    }
}

#[tokio::test]
async fn a_vector_takes_no_more_room_than_it_needs() {
    let numbers = numbers(1000);

    let list = read(json!([{ "embedding": numbers }, { "embedding": in_base64(&numbers) }])).await.unwrap();

    for item in list.data {
        assert_eq!(item.embedding.capacity(), numbers.len());
    }
}

#[tokio::test]
async fn base64_needs_no_padding() {
    let bytes: Vec<u8> = [0.5f32, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect();

    let list = read(json!([{ "embedding": STANDARD_NO_PAD.encode(bytes) }])).await.unwrap();

    assert_eq!(list.data[0].embedding, [0.5, -2.0]);
}

#[tokio::test]
async fn broken_base64_is_an_error_that_names_its_index() {
    let good = in_base64(&[1.0, 2.0, 3.0]);
    let cut = STANDARD.encode([0u8; 10]);
    let padded_inside = STANDARD.encode([0u8; 4]) + &good;
    // 4096 characters that end in padding are 3071 bytes: what follows makes the length even again.
    let padded_block = STANDARD.encode([0u8; 3071]) + &STANDARD.encode([0u8; 12]);
    for broken in ["not base64 at all!!!!", &cut, &padded_inside, &padded_block, &good[..good.len() - 3]] {
        let data = json!([{ "index": 8, "embedding": good }, { "index": 9, "embedding": broken }]);
        let error = read(data).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("embedding 9 is not base64"), "{error}");
        assert!(!error.to_string().contains(broken), "{error}");
    }
}

#[test]
fn broken_base64_that_is_read_from_a_file_is_kept_as_it_is() {
    let item: Embedding = serde_json::from_value(json!({ "embedding": "no base64!" })).unwrap();

    assert_eq!(item.extra.get("embedding"), Some(&json!("no base64!")));
    assert_eq!(serde_json::to_value(item).unwrap()["embedding"], "no base64!");
}

#[tokio::test]
async fn integers_are_read_as_numbers() {
    let list = read(json!([{ "embedding": [-128, 0, 127] }])).await.unwrap();

    assert_eq!(list.data[0].embedding, [-128.0, 0.0, 127.0]);
}

#[tokio::test]
async fn a_null_among_the_numbers_is_not_a_number() {
    let list = read(json!([{ "embedding": [1.0, null] }])).await.unwrap();

    assert_eq!(list.data[0].embedding[0], 1.0);
    assert!(list.data[0].embedding[1].is_nan());
}

#[tokio::test]
async fn missing_or_null_vector_is_an_error_that_names_its_position() {
    let whole = json!({ "index": 0, "embedding": [1.0] });
    for vector in
        [json!({ "index": 1 }), json!({ "index": 1, "embedding": null }), json!({ "index": 1, "embedding": [] })]
    {
        let error = read(json!([whole, vector])).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("embedding 1 is missing or null"), "{error}");
    }
}

#[tokio::test]
async fn a_list_with_something_else_in_it_is_kept_whole() {
    let odd = json!([0.5, 1.0, "x", null, true]);

    let list = read(json!([{ "embedding": odd }])).await.unwrap();

    assert_eq!(list.data[0].extra.get("embedding"), Some(&odd));
}

#[tokio::test]
async fn several_vectors_for_one_input_are_kept() {
    let list = read(json!([{ "embedding": [[1.0, 2.0], [3.0, 4.0]] }])).await.unwrap();

    let vectors: Vec<Vec<f32>> = list.data[0].extra.get_as("embedding").unwrap();
    assert_eq!(vectors, [[1.0, 2.0], [3.0, 4.0]]);
    assert!(list.data[0].embedding.is_empty());
}

// ---- replies ----

#[tokio::test]
async fn vectors_are_sorted_by_their_indexes() {
    let list = read(json!([
        { "index": 2, "embedding": [2.0] },
        { "index": 0, "embedding": [0.0] },
        { "index": 1, "embedding": [1.0] },
    ]))
    .await
    .unwrap();

    assert_eq!(list.into_vectors(), [[0.0], [1.0], [2.0]]);
}

#[tokio::test]
async fn vectors_without_indexes_of_their_own_are_numbered_as_they_came() {
    for same in [json!({}), json!({ "index": null }), json!({ "index": 0 })] {
        let item = |number: f32| {
            let mut item = same.clone();
            item["embedding"] = json!([number]);
            item
        };

        let data = read(json!([item(5.0), item(4.0), item(3.0)])).await.unwrap().data;

        let numbered: Vec<_> = data.iter().map(|item| (item.index, item.embedding[0])).collect();
        assert_eq!(numbered, [(0, 5.0), (1, 4.0), (2, 3.0)], "{same}");
    }
}

#[tokio::test]
async fn an_index_of_zero_may_be_left_out() {
    let list = read(json!([{ "index": 1, "embedding": [1.0] }, { "embedding": [0.0] }])).await.unwrap();

    assert_eq!(list.into_vectors(), [[0.0], [1.0]]);
}

#[test]
fn a_reply_read_from_a_file_is_sorted_too() {
    let line = r#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[0]}]}"#;

    let list: EmbeddingList = serde_json::from_str(line).unwrap();

    assert_eq!(list.into_vectors(), [[0.0], [1.0]]);
}

#[tokio::test]
async fn usage_and_vendor_members_are_kept() {
    let (_server, client) = serving([Reply::ok_json(&json!({
        "id": "embd-1", "object": "list", "created": 1, "model": "m-1", "usage": { "prompt_tokens": 8, "total_tokens": 8 },
        "data": [{ "object": "embedding", "index": 0, "embedding": [1.0] }],
    }))])
    .await;

    let list = client.embeddings().create(request()).await.unwrap();

    assert_eq!(list.model, "m-1");
    assert_eq!(list.usage.as_ref().unwrap().prompt_tokens, 8);
    assert_eq!(list.extra.get_as::<String>("id").as_deref(), Some("embd-1"));
}

#[tokio::test]
async fn a_reply_without_usage_is_read() {
    let (_server, client) =
        serving([Reply::status(200).body(fixture("dialects/gemini_embeddings_no_usage.json"))]).await;

    let list = client.embeddings().create(request()).await.unwrap();

    assert_eq!(list.data[0].embedding, [0.1, -0.2, 0.3]);
    assert_eq!(list.usage, None);
}

#[tokio::test]
async fn null_for_no_vectors_is_an_empty_list() {
    assert!(read(Value::Null).await.unwrap().data.is_empty());
}

#[tokio::test]
async fn a_reply_without_data_is_an_error() {
    for (body, kind) in [
        (json!({ "error": "this model does not support embeddings" }), ErrorKind::Api),
        (json!({ "object": "list" }), ErrorKind::Decode),
    ] {
        let (_server, client) = serving([Reply::ok_json(&body)]).await;
        assert_eq!(client.embeddings().create(request()).await.unwrap_err().kind(), kind, "{body}");
    }
}

// ---- likeness ----

#[test]
fn dot_products_use_every_dimension() {
    let numbers: Vec<f32> = (1..=19u8).map(f32::from).collect();

    assert_eq!(vector(&numbers).dot(&numbers), 2470.0);
}

#[test]
fn cosine_similarity_of_parallel_orthogonal_and_opposite_vectors() {
    let right = vector(&[3.0, 0.0]);

    assert_eq!(right.cosine_similarity(vector(&[0.5, 0.0])), 1.0);
    assert_eq!(right.cosine_similarity([0.0, 9.0]), 0.0);
    assert_eq!(right.cosine_similarity(vec![-1.0, 0.0]), -1.0);
}

#[test]
fn a_cosine_is_never_beyond_one() {
    let numbers = numbers(1000)[6..].to_vec();

    assert!(vector(&numbers).cosine_similarity(&numbers) <= 1.0);
    assert!(vector(&numbers).cosine_similarity(&numbers) > 0.999_999);
}

#[test]
fn vectors_that_cannot_be_compared_are_not_a_number_alike() {
    assert!(vector(&[1.0, 2.0]).dot([1.0]).is_nan());
    assert!(vector(&[1.0, 2.0]).cosine_similarity([1.0]).is_nan());
    assert!(vector(&[0.0, 0.0]).cosine_similarity([1.0, 0.0]).is_nan());
}

// ---- any number of inputs ----

/// A reply with as many vectors, all of this one number.
fn vectors(count: usize, number: usize) -> Value {
    let data: Vec<_> = (0..count).map(|index| json!({ "index": index, "embedding": [number] })).collect();
    json!({ "data": data, "model": "m-1", "usage": { "prompt_tokens": count, "total_tokens": count } })
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("text {n}")).collect()
}

#[tokio::test]
async fn many_inputs_are_cut_into_requests_and_joined() {
    let (server, client) = serving([2, 2, 1].map(|count| Reply::ok_json(&vectors(count, count)))).await;

    let request = EmbeddingRequest::new("m", texts(5)).dimensions(1);
    let list = client.embeddings().create_all(request).batch_size(2).concurrency(1).await.unwrap();

    let sent: Vec<_> = server.requests().iter().map(|request| request.json()).collect();
    assert_eq!(sent[0], json!({ "model": "m", "input": ["text 0", "text 1"], "dimensions": 1 }));
    assert_eq!(sent[1]["input"], json!(["text 2", "text 3"]));
    assert_eq!(sent[2]["input"], json!(["text 4"]));
    assert_eq!(list.data.iter().map(|item| item.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(list.model, "m-1");
    let usage = list.usage.as_ref().unwrap();
    assert_eq!((usage.prompt_tokens, usage.total_tokens), (5, 5));
    assert_eq!(list.into_vectors(), [[2.0], [2.0], [2.0], [2.0], [1.0]]);
}

#[tokio::test]
async fn progress_is_reported_within_the_first_hundred() {
    let answer = |inputs: usize| Reply::ok_json(&json!({"data": vec![json!({"embedding": [1.0]}); inputs]}));
    let (server, client) = serving([answer(20)]).await;
    let progress = Arc::new(Mutex::new(Vec::new()));
    let seen = progress.clone();
    let call = client.embeddings().create_all(EmbeddingRequest::new("m", texts(80)));
    call.on_progress(move |done, all| seen.lock().unwrap().push((done, all))).await.unwrap();
    assert_eq!(*progress.lock().unwrap(), [(20, 80), (40, 80), (60, 80), (80, 80)]);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn vectors_keep_the_order_of_the_inputs_whichever_reply_comes_first() {
    let replies = [3, 1, 2].into_iter().enumerate().map(|(number, seconds)| {
        Reply::status(200).pause(Duration::from_secs(seconds)).piece(vectors(2, number).to_string())
    });
    let (server, client) = serving(replies).await;

    let request = EmbeddingRequest::new("m", texts(6));
    let list = client.embeddings().create_all(request).batch_size(2).concurrency(3).await.unwrap();

    for (number, request) in server.requests().iter().enumerate() {
        for text in request.json()["input"].as_array().unwrap() {
            let index: usize = text.as_str().unwrap().trim_start_matches("text ").parse().unwrap();
            assert_eq!(list.data[index].embedding, [number as f32], "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_run_at_a_time_than_allowed() {
    let second = Duration::from_secs(1);
    let (server, client) = serving([Reply::status(200).pause(second).piece(vectors(1, 0).to_string())]).await;

    let started = Instant::now();
    let request = EmbeddingRequest::new("m", texts(6));
    client.embeddings().create_all(request).batch_size(1).concurrency(2).await.unwrap();

    let started_at: Vec<_> = server.requests().iter().map(|request| (request.at - started).as_secs()).collect();
    assert_eq!(started_at, [0, 0, 1, 1, 2, 2]);
    assert_eq!(server.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_error_ends_it_at_once_and_drops_the_rest() {
    let refused = Reply::status(400).json(&json!({ "error": { "message": "too long" } }));
    for replies in [
        [refused.clone(), Reply::status(200).hang_before_headers()],
        [Reply::status(200).hang_before_headers(), refused.clone()],
    ] {
        let (server, client) = serving(replies).await;

        let started = Instant::now();
        let request = EmbeddingRequest::new("m", texts(9));
        let error = client.embeddings().create_all(request).batch_size(1).concurrency(2).await.unwrap_err();

        assert_eq!(error.api_error().unwrap().message, "too long");
        assert!(started.elapsed() < Duration::from_secs(1));
        server.closed().await;
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn progress_counts_inputs() {
    let (_server, client) = serving([2, 2, 1].map(|count| Reply::ok_json(&vectors(count, 0)))).await;
    let seen = Arc::new(Mutex::new(Vec::new()));

    let calls = seen.clone();
    client
        .embeddings()
        .create_all(EmbeddingRequest::new("m", texts(5)))
        .batch_size(2)
        .concurrency(1)
        .on_progress(move |done, total| calls.lock().unwrap().push((done, total)))
        .await
        .unwrap();

    assert_eq!(*seen.lock().unwrap(), [(2, 5), (4, 5), (5, 5)]);
}

#[tokio::test]
async fn a_broken_vector_among_many_inputs_is_an_error() {
    let (_server, client) = serving([Reply::ok_json(&json!({ "data": [{ "embedding": "no base64!" }] }))]).await;

    let error = client.embeddings().create_all(EmbeddingRequest::new("m", texts(1))).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn headers_and_query_reach_every_request() {
    let (server, client) = serving([Reply::ok_json(&vectors(1, 0))]).await;

    let request = EmbeddingRequest::new("m", texts(3));
    client
        .embeddings()
        .create_all(request)
        .batch_size(1)
        .options(CallOptions::new().header("x-tenant", "7").query("zone", "eu"))
        .await
        .unwrap();

    assert_eq!(server.requests().len(), 3);
    for request in server.requests() {
        assert_eq!(request.header("x-tenant"), Some("7"));
        assert_eq!(request.target, "/v1/embeddings?zone=eu");
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_is_retried_and_limited_by_itself() {
    let good = Reply::ok_json(&vectors(1, 0));
    let busy = || Reply::status(503);
    let slow = Reply::status(200).hang_before_headers();
    let (server, client) = serving([busy(), good.clone(), slow, busy(), good]).await;

    let started = Instant::now();
    let request = EmbeddingRequest::new("m", texts(2));
    let call = client.embeddings().create_all(request).batch_size(1).concurrency(1);
    call.options(CallOptions::new().max_retries(2).timeout(Duration::from_secs(20))).await.unwrap();

    assert_eq!(server.requests().len(), 5);
    assert!((20..25).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn no_inputs_need_no_request() {
    let (server, client) = serving([Reply::status(500)]).await;

    let list = client.embeddings().create_all(EmbeddingRequest::new("m", texts(0))).await.unwrap();

    assert!(list.data.is_empty());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn token_lists_are_cut_and_single_inputs_are_sent_as_they_are() {
    let (server, client) = serving([Reply::ok_json(&vectors(1, 0))]).await;
    let inputs: [EmbeddingInput; 4] =
        [vec![vec![1], vec![2]].into(), "text".into(), [1, 2].into(), json!({ "image": "…" }).into()];

    for input in inputs {
        client.embeddings().create_all(EmbeddingRequest::new("m", input)).batch_size(1).concurrency(1).await.unwrap();
    }

    let sent: Vec<_> = server.requests().iter().map(|request| request.json()["input"].clone()).collect();
    assert_eq!(sent, [json!([[1]]), json!([[2]]), json!("text"), json!([1, 2]), json!({ "image": "…" })]);
}

#[tokio::test]
async fn a_reply_with_another_number_of_vectors_is_an_error() {
    for count in [0, 1, 3] {
        let (_server, client) = serving([Reply::ok_json(&vectors(count, 0))]).await;

        let error = client.embeddings().create_all(EmbeddingRequest::new("m", texts(2))).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains(&format!("got {count} embeddings for 2 inputs")), "{error}");
    }
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused_before_anything_is_sent() {
    let (server, client) = serving([Reply::status(200)]).await;
    let call = || client.embeddings().create_all(EmbeddingRequest::new("m", texts(2)));

    for call in
        [call().batch_size(0), call().concurrency(0), call().options(CallOptions::new().header("x-a", "line\nbreak"))]
    {
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Config);
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn it_can_run_as_a_task_and_shows_no_text_of_its_inputs() {
    let (_server, client) = serving([Reply::ok_json(&vectors(1, 0))]).await;
    let call = client.embeddings().create_all(EmbeddingRequest::new("m", ["a secret"]));

    assert!(!format!("{call:?}").contains("secret"));
    assert_eq!(tokio::spawn(call.into_future()).await.unwrap().unwrap().data.len(), 1);
}

#[test]
fn nearest_returns_the_most_similar_first() {
    let vectors = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.7, 0.7]];
    let data = vectors.iter().zip(0..).map(|(vector, index)| json!({"index": index, "embedding": vector}));
    let mut value = json!({"data": data.collect::<Vec<_>>()});
    value["data"].as_array_mut().unwrap().push(json!({"index": 4, "embedding": [1.0, 0.0, 0.0]}));
    let list: EmbeddingList = serde_json::from_value(value).unwrap();
    let indexes = |count| Vec::from_iter(list.nearest([0.9, 0.1], count).into_iter().map(|(item, _)| item.index));
    assert_eq!(indexes(2), [0, 3]);
    assert_eq!(indexes(9), [0, 3, 1], "zeros and other dimensions are left out");
    assert!((list.nearest([2.0, 0.0], 1)[0].1 - 1.0).abs() < 1e-6);
}

#[tokio::test]
async fn a_format_that_litellm_forwards_as_null_is_sent_when_a_server_behind_it_refuses_that() {
    let refusal = || Reply::status(400).json(&json!({"error": {"message": "type must be string, but is null"}}));
    let good = || Reply::ok_json(&json!({"data": [{"embedding": [1.0]}]}));
    let (server, client) = serving([refusal().header("x-litellm-version", "1.80"), good()]).await;
    let reply = client.embeddings().create(request()).with_response().await.unwrap();
    assert_eq!((reply.attempts(), &*reply.data[0].embedding), (2, &[1.0][..]));
    let requests = server.requests();
    assert_eq!(requests[0].json().get("encoding_format"), None);
    assert_eq!(requests[1].json()["encoding_format"], "float");
    assert_eq!(requests[1].json()["input"], "Hi");

    // Once, and no other server.
    let (server, client) = serving([refusal().header("x-litellm-version", "1.80")]).await;
    client.embeddings().create(request()).await.unwrap_err();
    assert_eq!(server.requests().len(), 2);
    let (server, client) = serving([refusal()]).await;
    client.embeddings().create(request()).await.unwrap_err();
    assert_eq!(server.requests().len(), 1);
}
