//! Responses and conversations: what is sent, turns, streams that continue, background responses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt;
use openai_compatible::chat::{Custom, Function, JsonSchema, Tool};
use openai_compatible::conversations::ConversationRequest;
use openai_compatible::responses::{
    Include, Item, ItemListRequest, McpTool, Part, Response, ResponseEvent, ResponseGetRequest, ResponseRequest,
    ResponseStatus, ResponseUsage,
};
use openai_compatible::{Client, ErrorKind, HttpError, RequestBody, ResponseBody};
use serde_json::{Value, json};

mod support;
use support::{Reply, Server};

fn request() -> ResponseRequest {
    ResponseRequest::new("m", "Hi")
}

fn body(request: &ResponseRequest) -> Value {
    serde_json::to_value(request).unwrap()
}

fn completed(extra: Value) -> Value {
    let output = json!([{
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
    }]);
    let mut response =
        json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": output});
    response.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    response
}

fn response(extra: Value) -> Response {
    serde_json::from_value(completed(extra)).unwrap()
}

// ---- Requests ----

#[test]
fn text_is_sent_as_a_string_and_items_as_an_array() {
    assert_eq!(body(&request()), json!({"model": "m", "input": "Hi"}));
    let items = ResponseRequest::new(
        "m",
        [Item::system("Be brief."), Item::user([Part::text("Hi"), Part::image_id("file_1")])],
    );
    assert_eq!(
        body(&items),
        json!({"model": "m", "input": [
            {"type": "message", "role": "system", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Hi"}, {"type": "input_image", "file_id": "file_1"},
            ]},
        ]})
    );
}

#[test]
fn tools_of_chat_are_written_flat_and_mean_the_same() {
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let request = request().tools([
        openai_compatible::responses::Tool::from(Tool::with_schema("weather", "Today's weather", place.clone())),
        Function::new("now").strict(true).into(),
        Custom::new("sql").grammar("lark", "start: /.+/").into(),
        McpTool::new("docs", "https://example.com/mcp").require_approval("never").into(),
    ]);
    assert_eq!(
        body(&request)["tools"],
        json!([
            {"type": "function", "name": "weather", "description": "Today's weather", "parameters": place, "strict": false},
            {"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}, "strict": true},
            {"type": "custom", "name": "sql", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
            {"type": "mcp", "server_label": "docs", "server_url": "https://example.com/mcp", "require_approval": "never"},
        ])
    );
}

#[test]
fn schema_is_written_flat() {
    let schema = JsonSchema::new("recipe").schema(json!({"type": "object"})).strict(true);
    assert_eq!(
        body(&request().format(schema).verbosity("low"))["text"],
        json!({
            "format": {"type": "json_schema", "name": "recipe", "schema": {"type": "object"}, "strict": true},
            "verbosity": "low",
        })
    );
}

#[test]
fn token_and_headers_for_an_mcp_server_are_not_shown() {
    let tool = McpTool::new("docs", "https://example.com/mcp").authorization("sk-secret").header("x-key", "sk-secret");
    let request = request().tools([tool]);
    assert!(!format!("{request:?}").contains("sk-secret"));
    assert_eq!(body(&request)["tools"][0]["authorization"], "sk-secret");
    assert_eq!(body(&request)["tools"][0]["headers"]["x-key"], "sk-secret");
}

#[tokio::test]
async fn create_says_that_it_does_not_stream() {
    let server = Server::start([Reply::ok_json(&completed(json!({})))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let response = client.responses().create(request()).await.unwrap();
    assert_eq!(response.text(), "Hello.");
    let sent = &server.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/responses"));
    assert_eq!(sent.json(), json!({"model": "m", "input": "Hi", "stream": false}));
}

#[tokio::test]
async fn model_may_be_left_to_a_prompt_template() {
    let server = Server::start([Reply::ok_json(&completed(json!({})))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let prompt = openai_compatible::responses::PromptTemplate::new("pmpt_1").variable("city", "Oslo");
    client.responses().create(ResponseRequest::default().prompt(prompt)).await.unwrap();
    assert_eq!(
        server.requests()[0].json(),
        json!({"prompt": {"id": "pmpt_1", "variables": {"city": "Oslo"}}, "stream": false})
    );
    let error = client.responses().create(ResponseRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn included_fields_are_written_as_official_clients_do() {
    let server = Server::start([Reply::ok_json(&completed(json!({})))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let request = ResponseGetRequest::new("resp_1").include([Include::FileSearchResults, Include::OutputTextLogprobs]);
    client.responses().get(request).await.unwrap();
    let target = &server.requests()[0].target;
    assert_eq!(
        target,
        "/v1/responses/resp_1?include%5B%5D=file_search_call.results&include%5B%5D=message.output_text.logprobs"
    );
}

// ---- Items ----

#[test]
fn items_without_a_type_are_distinguished_by_their_fields() {
    let message: Item = serde_json::from_value(json!({"role": "user", "content": "Hi"})).unwrap();
    assert_eq!(message, Item::user("Hi"));
    let reference: Item = serde_json::from_value(json!({"id": "msg_1"})).unwrap();
    assert_eq!(reference, Item::reference("msg_1"));
    let unknown = json!({"id": "x_1", "zz": 1});
    let other: Item = serde_json::from_value(unknown.clone()).unwrap();
    assert!(matches!(other, Item::Other(_)), "{other:?}");
    assert_eq!(serde_json::to_value(other).unwrap(), unknown);
}

#[test]
fn unknown_items_are_kept_whole() {
    let item = json!({"type": "computer_call", "id": "cc_1", "call_id": "c", "action": {"type": "click", "x": 1}});
    let read: Item = serde_json::from_value(item.clone()).unwrap();
    assert_eq!((read.kind(), read.id()), ("computer_call", Some("cc_1")));
    assert_eq!(serde_json::to_value(&read).unwrap(), item);
    assert_eq!(read.without_id().id(), None);
}

// ---- Turns ----

#[test]
fn follow_up_refers_to_a_stored_response() {
    let next = request().instructions("Be brief.").follow_up(&response(json!({"store": true})), "And now?");
    assert_eq!(
        body(&next),
        json!({"model": "m", "input": "And now?", "instructions": "Be brief.", "previous_response_id": "resp_1"})
    );
    let chained = next.follow_up(&response(json!({"id": "resp_2"})), "And then?");
    assert_eq!(body(&chained)["previous_response_id"], "resp_2");
    assert_eq!(body(&chained)["input"], "And then?");
}

#[test]
fn follow_up_within_a_conversation_sends_new_input_only() {
    let next = request().conversation("conv_1").follow_up(&response(json!({"store": true})), "And now?");
    assert_eq!(body(&next), json!({"model": "m", "input": "And now?", "conversation": "conv_1"}));
}

#[test]
fn follow_up_carries_the_items_where_nothing_is_stored() {
    let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"});
    let lost = json!({"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "Hm."}]});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now", "arguments": "{}"});
    let other = json!({"type": "computer_call", "id": "cc_1", "call_id": "c"});
    for store in [json!({}), json!({"store": false})] {
        let mut extra = store.as_object().unwrap().clone();
        extra.insert("output".into(), json!([thought, lost, call, other]));
        let next = request().stateless().follow_up(&response(extra.into()), [Item::function_output("call_1", "noon")]);
        assert_eq!(
            body(&next),
            json!({"model": "m", "store": false, "include": ["reasoning.encrypted_content"], "input": [
                {"type": "message", "role": "user", "content": "Hi"},
                {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
                {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"},
                {"type": "computer_call", "call_id": "c"},
                {"type": "function_call_output", "call_id": "call_1", "output": "noon"},
            ]})
        );
    }
}

#[test]
fn follow_up_of_a_server_that_does_not_say_that_it_stores_carries_the_items() {
    let next = request().follow_up(&response(json!({})), "And now?");
    assert_eq!(body(&next)["previous_response_id"], Value::Null);
    assert_eq!(body(&next)["input"].as_array().unwrap().len(), 3);
}

// ---- Failures ----

#[tokio::test]
async fn response_that_failed_is_an_error_of_create_and_a_value_of_get() {
    let failed =
        completed(json!({"status": "failed", "output": [], "error": {"code": "server_error", "message": "Sorry."}}));
    let server = Server::start([Reply::ok_json(&failed)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.responses().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Api);
    assert_eq!(error.api_error().unwrap().message, "Sorry.");
    assert_eq!(error.api_error().unwrap().code.as_deref(), Some("server_error"));
    assert_eq!(error.response().unwrap().id, "resp_1");
    assert_eq!(client.responses().get("resp_1").await.unwrap().status, ResponseStatus::Failed);
}

#[tokio::test]
async fn parse_reads_the_text_and_says_why_it_cannot() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct River {
        name: String,
    }
    let with_text = |text: &str| {
        let part = json!({"type": "output_text", "text": text});
        response(json!({"output": [{"type": "message", "role": "assistant", "content": [part]}]}))
    };
    let river = River { name: "Nile".to_owned() };
    assert_eq!(with_text("```json\n{\"name\": \"Nile\"}\n```").parse::<River>().unwrap(), river);
    let error = with_text("{\"name\": 7}").parse::<River>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.response().is_some());
    let mut cut = with_text("{\"name\": \"Ni");
    cut.status = ResponseStatus::Incomplete;
    cut.incomplete_details = serde_json::from_value(json!({"reason": "max_output_tokens"})).unwrap();
    assert!(cut.parse::<River>().unwrap_err().to_string().contains("`max_output_tokens`"));
    let refusal = json!({"type": "refusal", "refusal": "No."});
    let refused = response(json!({"output": [{"type": "message", "role": "assistant", "content": [refusal]}]}));
    assert_eq!(refused.refusal(), Some("No."));
    assert!(refused.parse::<River>().unwrap_err().to_string().contains("refused"));
}

// ---- Streams ----

/// The numbered events of a response with this many deltas.
fn events(deltas: usize, store: bool) -> Vec<Value> {
    let state = |status: &str, output: Value| json!({"id": "resp_1", "status": status, "store": store, "model": "m", "output": output});
    let part = |text: String| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |status: &str, content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content});
    let text: String = (0..deltas).map(|n| format!("{n} ")).collect();
    let mut events = vec![
        json!({"type": "response.created", "response": state("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item("in_progress", json!([]))}),
        json!({"type": "response.content_part.added", "output_index": 0, "content_index": 0, "item_id": "msg_1", "part": part(String::new())}),
    ];
    events.extend((0..deltas).map(|n| {
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "msg_1", "delta": format!("{n} ")})
    }));
    events.push(json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "item_id": "msg_1", "text": text}));
    let done = item("completed", json!([part(text)]));
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": done}));
    events.push(json!({"type": "response.completed", "response": state("completed", json!([done]))}));
    for (event, number) in events.iter_mut().zip(0..) {
        event["sequence_number"] = json!(number);
    }
    events
}

/// A server that interrupts each stream after so many events, and continues after the event that it is asked for.
#[derive(Clone)]
struct Interrupting {
    events: Arc<Vec<Value>>,
    after: usize,
    /// Events before `starting_after` that are sent once more.
    overlap: usize,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Interrupting {
    fn client(&self, max_retries: u32) -> Client {
        let server = self.clone();
        let service = move |request: http::Request<RequestBody>| {
            let response = server.answer(&request);
            async move { Ok::<_, HttpError>(response) }
        };
        let builder = Client::builder().base_url("http://memory/v1").max_retries(max_retries);
        builder.http_service(service).build().unwrap()
    }

    fn answer(&self, request: &http::Request<RequestBody>) -> http::Response<ResponseBody> {
        self.requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path_and_query().unwrap()));
        let query = request.uri().query().unwrap_or_default();
        let after = query.split('&').find_map(|pair| pair.strip_prefix("starting_after=")?.parse::<usize>().ok());
        let start = after.map_or(0, |after| (after + 1).saturating_sub(self.overlap));
        let events = self.events.iter().skip(start).take(self.after);
        let pieces: Vec<_> = events.map(|event| Ok::<_, HttpError>(format!("data: {event}\n\n").into())).collect();
        let response = http::Response::builder().header("content-type", "text/event-stream");
        response.body(ResponseBody::streamed(futures::stream::iter(pieces))).unwrap()
    }
}

fn interrupting(events: Vec<Value>, after: usize, overlap: usize) -> Interrupting {
    Interrupting { events: Arc::new(events), after, overlap, requests: Arc::default() }
}

#[tokio::test]
async fn stored_stream_that_is_interrupted_anywhere_continues_without_a_gap_or_a_repetition() {
    let all = events(8, true);
    let whole = interrupting(all.clone(), usize::MAX, 0);
    let whole = whole.client(0).responses().stream(request()).await.unwrap().collect().await.unwrap();
    for overlap in [0, 2] {
        for after in overlap + 1..all.len() {
            let server = interrupting(all.clone(), after, overlap);
            let mut stream = server.client(50).responses().stream(request()).await.unwrap();
            let mut numbers = Vec::new();
            while let Some(event) = stream.try_next().await.unwrap() {
                numbers.push(event.sequence_number().unwrap());
            }
            let wanted: Vec<u64> = (0..all.len() as u64).collect();
            assert_eq!(numbers, wanted, "interrupted after {after} events, {overlap} sent twice");
            assert_eq!(stream.snapshot(), Some(&whole));
            let requests = server.requests.lock().unwrap().clone();
            assert_eq!(requests[0], "POST /v1/responses");
            let number = after - 1;
            assert_eq!(requests[1], format!("GET /v1/responses/resp_1?stream=true&starting_after={number}"));
        }
    }
}

#[tokio::test]
async fn stream_continues_as_often_as_the_call_may_be_retried() {
    let server = interrupting(events(8, true), 4, 0);
    let error = server.client(2).responses().stream(request()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(server.requests.lock().unwrap().len(), 3);
    assert_eq!(error.kind(), ErrorKind::Stream);
    assert_eq!(error.response().unwrap().text(), "0 1 2 3 4 5 6 7 8 ".get(..16).unwrap());
}

#[tokio::test]
async fn stream_that_is_not_stored_or_not_numbered_does_not_continue() {
    let mut unnumbered = events(8, true);
    unnumbered.iter_mut().for_each(|event| drop(event.as_object_mut().unwrap().remove("sequence_number")));
    for events in [events(8, false), unnumbered] {
        let server = interrupting(events, 6, 0);
        let error = server.client(5).responses().stream(request()).await.unwrap().collect().await.unwrap_err();
        assert_eq!(server.requests.lock().unwrap().len(), 1);
        assert_eq!(error.response().unwrap().text(), "0 1 2 ");
    }
}

#[tokio::test]
async fn done_marker_before_the_last_event_is_an_interruption() {
    let all = events(3, false);
    let body: String = all[..5].iter().map(|event| format!("data: {event}\n\n")).collect();
    let server = Server::start([Reply::sse(&(body + "data: [DONE]\n\n"))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.responses().stream(request()).await.unwrap().collect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stream);
    assert_eq!(error.response().unwrap().text(), "0 1 ");
}

#[tokio::test]
async fn stream_ends_with_its_last_event_whatever_the_connection_does() {
    let body: String = events(3, false).iter().map(|event| format!("data: {event}\n\n")).collect();
    let server = Server::start([Reply::sse(&body).hang_after(body.len())]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let response = client.responses().stream(request()).await.unwrap().collect().await.unwrap();
    assert_eq!(response.text(), "0 1 2 ");
}

#[tokio::test]
async fn complete_response_in_place_of_a_stream_is_its_last_event() {
    let server = Server::start([Reply::ok_json(&completed(json!({})))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let events: Vec<ResponseEvent> = client.responses().stream(request()).await.unwrap().try_collect().await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind(), "response.completed");
    assert_eq!(events[0].response().unwrap().text(), "Hello.");
}

#[tokio::test]
async fn texts_of_a_stream_are_its_text() {
    let server = interrupting(events(4, false), usize::MAX, 0);
    let texts = server.client(0).responses().stream(request()).await.unwrap().texts();
    assert_eq!(texts.try_collect::<Vec<_>>().await.unwrap(), ["0 ", "1 ", "2 ", "3 "]);
}

#[test]
fn events_are_distinguished_by_their_shape() {
    let kinds = [
        ("response.queued", "Lifecycle"),
        ("response.something_new", "Lifecycle"),
        ("response.output_item.done", "Item"),
        ("response.reasoning_summary_part.added", "Part"),
        ("response.reasoning_summary_text.delta", "ReasoningDelta"),
        ("response.reasoning_text.done", "ReasoningDone"),
        ("response.mcp_call_arguments.delta", "InputDelta"),
        ("response.code_interpreter_call_code.done", "InputDone"),
        ("response.apply_patch_call_operation_diff.delta", "InputDelta"),
        ("response.mcp_list_tools.failed", "Progress"),
        ("response.teleport_call.beaming", "Progress"),
        ("response.output_text.annotation.added", "Annotation"),
        ("response.image_generation_call.partial_image", "Image"),
        ("response.audio.transcript.delta", "AudioDelta"),
        ("response.audio.done", "Progress"),
        ("response.shell_call_output_content.delta", "Other"),
        ("codex.rate_limits", "Other"),
    ];
    for (kind, shape) in kinds {
        let event: ResponseEvent =
            serde_json::from_value(json!({"type": kind, "sequence_number": 7, "zz": [1]})).unwrap();
        assert!(format!("{event:?}").starts_with(shape), "{kind}: {event:?}");
        assert_eq!((event.kind(), event.sequence_number()), (kind, Some(7)));
        assert_eq!(serde_json::to_value(&event).unwrap()["zz"], json!([1]), "{kind}");
    }
}

// ---- Background ----

#[tokio::test(start_paused = true)]
async fn run_polls_until_the_response_is_finished() {
    let state = |status: &str| Reply::ok_json(&completed(json!({"status": status})));
    let server = Server::start([state("queued"), state("in_progress"), state("completed")]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let job =
        client.responses().run(request()).on_progress(move |state| log.lock().unwrap().push(state.status.to_string()));
    assert_eq!(job.await.unwrap().text(), "Hello.");
    assert_eq!(*seen.lock().unwrap(), ["queued", "in_progress", "completed"]);
    let requests = server.requests();
    assert_eq!(requests[0].json()["background"], true);
    let targets: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(targets, ["POST /v1/responses", "GET /v1/responses/resp_1", "GET /v1/responses/resp_1"]);
}

#[tokio::test(start_paused = true)]
async fn job_is_a_stream_of_states() {
    let state = |status: &str| Reply::ok_json(&completed(json!({"status": status})));
    let server = Server::start([state("in_progress"), Reply::status(503), state("cancelled")]).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    let states: Vec<_> =
        client.responses().wait("resp_1").map_ok(|state| state.status.to_string()).try_collect().await.unwrap();
    assert_eq!(states, ["in_progress", "cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn job_whose_time_is_up_names_the_response() {
    let server = Server::start([Reply::ok_json(&completed(json!({"status": "queued"})))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.responses().run(request()).total_timeout(Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("`resp_1`"), "{error}");
    assert_eq!(error.response().unwrap().status, ResponseStatus::Queued);
}

#[tokio::test(start_paused = true)]
async fn job_that_failed_is_an_error_with_the_response() {
    let queued = Reply::ok_json(&completed(json!({"status": "queued"})));
    let failed = json!({"status": "failed", "error": {"code": "server_error", "message": "Sorry."}});
    let server = Server::start([queued, Reply::ok_json(&completed(failed))]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let error = client.responses().run(request()).await.unwrap_err();
    assert_eq!(error.api_error().unwrap().message, "Sorry.");
    assert_eq!(error.response().unwrap().status, ResponseStatus::Failed);
}

// ---- Conversations ----

#[tokio::test]
async fn conversation_operations_have_their_paths() {
    let conversation =
        Reply::ok_json(&json!({"id": "conv_1", "object": "conversation", "created_at": 1, "metadata": {}}));
    let item =
        json!({"type": "message", "id": "msg_1", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]});
    let list = Reply::ok_json(
        &json!({"object": "list", "data": [item], "has_more": false, "first_id": "msg_1", "last_id": "msg_1"}),
    );
    let deleted = Reply::ok_json(&json!({"id": "conv_1", "object": "conversation.deleted", "deleted": true}));
    let server = Server::start([
        conversation.clone(),
        conversation.clone(),
        conversation.clone(),
        list.clone(),
        list,
        Reply::ok_json(&item),
        conversation,
        deleted,
    ])
    .await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let conversations = client.conversations();
    let created =
        conversations.create(ConversationRequest::new().item(Item::user("Hi")).metadata("a", "b")).await.unwrap();
    conversations.get(&created.id).await.unwrap();
    conversations.update(&created.id, &[("a".to_owned(), "c".to_owned())].into()).await.unwrap();
    let items = conversations.items(&created.id);
    items.create([Item::user("Hi")]).await.unwrap();
    let page = items.list(ItemListRequest::new().limit(2)).await.unwrap();
    assert_eq!(page.data[0].id(), Some("msg_1"));
    assert_eq!(items.get("msg_1").await.unwrap().id(), Some("msg_1"));
    items.delete("msg_1").await.unwrap();
    assert!(conversations.delete(&created.id).await.unwrap().deleted);
    let sent: Vec<_> =
        server.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(
        sent,
        [
            "POST /v1/conversations",
            "GET /v1/conversations/conv_1",
            "POST /v1/conversations/conv_1",
            "POST /v1/conversations/conv_1/items",
            "GET /v1/conversations/conv_1/items?limit=2",
            "GET /v1/conversations/conv_1/items/msg_1",
            "DELETE /v1/conversations/conv_1/items/msg_1",
            "DELETE /v1/conversations/conv_1",
        ]
    );
    assert_eq!(
        server.requests()[0].json(),
        json!({"items": [{"type": "message", "role": "user", "content": "Hi"}], "metadata": {"a": "b"}})
    );
}

#[tokio::test]
async fn input_items_of_all_pages_are_listed() {
    let page = |id: &str, more: bool| {
        Reply::ok_json(
            &json!({"data": [{"type": "message", "id": id, "role": "user", "content": "Hi"}], "has_more": more, "last_id": id}),
        )
    };
    let server = Server::start([page("msg_1", true), page("msg_2", false)]).await;
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    let page = client.responses().input_items("resp_1", ItemListRequest::new()).await.unwrap();
    let ids: Vec<_> = page.into_stream().map_ok(|item| item.id().unwrap().to_owned()).try_collect().await.unwrap();
    assert_eq!(ids, ["msg_1", "msg_2"]);
    assert_eq!(server.requests()[1].target, "/v1/responses/resp_1/input_items?after=msg_1");
}

#[tokio::test]
async fn error_of_a_server_without_the_api_names_chat() {
    let ask = async |status: u16, body: Value| {
        let server = Server::start([Reply::status(status).json(&body)]).await;
        let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
        client.responses().create(request()).await.unwrap_err().to_string()
    };
    for status in [404, 405, 501] {
        let text = ask(status, json!({"detail": "Not Found"})).await;
        assert!(text.contains("`POST /chat/completions`"), "{text}");
    }
    for message in ["The model `m` does not exist.", "Previous response with id 'resp_0' not found."] {
        let text = ask(404, json!({"error": {"message": message}})).await;
        assert!(!text.contains("chat/completions"), "{text}");
    }
}

#[test]
fn usage_of_different_vendors_adds_up() {
    let usage = |value: Value| serde_json::from_value::<ResponseUsage>(value).unwrap();
    let mut sum = ResponseUsage::default();
    sum += &usage(
        json!({"input_tokens_details": {"cached_tokens": 100}, "output_tokens_details": {"reasoning_tokens": 5}, "cost": 0.5}),
    );
    sum += &usage(json!({"cache_read_input_tokens": 640, "reasoning_tokens": 7, "cost": 0.25}));
    assert_eq!((sum.cached_tokens(), sum.reasoning_tokens(), sum.cost()), (Some(740), Some(12), Some(0.75)), "{sum:?}");
    sum += &usage(json!({"input_tokens": 1}));
    assert_eq!(sum.cost(), None, "the cost of a part is unknown");
}
