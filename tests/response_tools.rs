//! Runs of tools over the Responses API: the same tools as with chat, and three ways to send a result back.

mod support;

use openai_compatible::chat::{Message, Permission, Tool, ToolSet};
use openai_compatible::responses::{Item, McpTool, ResponseRequest, ToolChoice, ToolEvent};
use openai_compatible::{Client, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Reply, Server};

#[derive(Deserialize)]
struct Place {
    city: String,
}

fn weather() -> ToolSet {
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tool = Tool::with_schema("weather", "For tests", place);
    ToolSet::new().add(tool, |place: Place| async move { format!("rain in {}", place.city) })
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn ask() -> ResponseRequest {
    ResponseRequest::new("m", "What is the weather?")
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "weather", "arguments": arguments,
        "status": "completed"})
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}]})
}

fn response(id: &str, output: Value, extra: Value) -> Value {
    let usage = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
    let mut response = json!({"id": id, "object": "response", "status": "completed", "model": "m", "output": output,
        "usage": usage});
    response.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    response
}

/// A round that calls the tool and one that answers.
async fn two_rounds(extra: Value) -> Server {
    let first = response("resp_1", json!([call("c1", r#"{"city":"Oslo"}"#)]), extra.clone());
    let second = response("resp_2", json!([message("Take an umbrella.")]), extra);
    Server::start([Reply::ok_json(&first), Reply::ok_json(&second)]).await
}

#[tokio::test]
async fn stored_run_refers_to_the_response_and_sends_results_only() {
    let server = two_rounds(json!({"store": true})).await;

    let run = client(&server).responses().run_tools(ask(), &weather()).await.unwrap();

    assert_eq!((run.text().as_ref(), run.rounds), ("Take an umbrella.", 2));
    assert_eq!(run.usage.as_ref().unwrap().total_tokens, 30);
    let [first, second] = &server.requests()[..] else { panic!("two requests expected") };
    assert_eq!(first.json()["tools"][0]["name"], "weather");
    assert_eq!(second.json()["previous_response_id"], "resp_1");
    let result = json!({"type": "function_call_output", "call_id": "c1", "output": "rain in Oslo"});
    assert_eq!(second.json()["input"], json!([result]));
    assert_eq!(run.request.previous_response_id.as_deref(), Some("resp_2"), "the run can be followed up");
}

#[tokio::test]
async fn run_in_a_conversation_sends_results_only() {
    let server = two_rounds(json!({})).await;
    client(&server).responses().run_tools(ask().conversation("conv_1"), &weather()).await.unwrap();
    let sent = server.requests()[1].json();
    assert_eq!((&sent["conversation"], sent["input"].as_array().unwrap().len()), (&json!("conv_1"), 1));
    assert_eq!(sent["previous_response_id"], Value::Null);
}

#[tokio::test]
async fn stateless_run_carries_reasoning_calls_and_results() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"});
    let first = response("resp_1", json!([reasoning, call("c1", r#"{"city":"Oslo"}"#)]), json!({"store": false}));
    let second = response("resp_2", json!([message("Rain.")]), json!({"store": false}));
    let server = Server::start([Reply::ok_json(&first), Reply::ok_json(&second)]).await;

    let run = client(&server).responses().run_tools(ask().stateless(), &weather()).await.unwrap();

    let sent = server.requests()[1].json();
    let kinds: Vec<_> = sent["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "function_call", "function_call_output"]);
    assert_eq!(sent["input"][1]["encrypted_content"], "secret");
    assert_eq!(run.request.input.into_items().len(), 5, "the answer is part of the conversation");
}

#[tokio::test]
async fn result_of_a_custom_tool_is_an_item_of_its_own() {
    let custom = json!({"type": "custom_tool_call", "id": "ct_1", "call_id": "c1", "name": "shell", "input": "ls"});
    let first = response("resp_1", json!([custom]), json!({"store": true}));
    let second = response("resp_2", json!([message("Done.")]), json!({"store": true}));
    let server = Server::start([Reply::ok_json(&first), Reply::ok_json(&second)]).await;
    let tools = ToolSet::new().add(Tool::custom("shell", "Runs a command"), |command: String| async move { command });

    client(&server).responses().run_tools(ask(), &tools).await.unwrap();

    let result = json!({"type": "custom_tool_call_output", "call_id": "c1", "output": "ls"});
    assert_eq!(server.requests()[1].json()["input"], json!([result]));
}

#[tokio::test]
async fn calls_of_an_incomplete_response_do_not_run() {
    let incomplete = json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}});
    let body = response("resp_1", json!([call("c1", r#"{"city":"Oslo"}"#)]), incomplete);
    let server = Server::start([Reply::ok_json(&body)]).await;

    let error = client(&server).responses().run_tools(ask(), &weather()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Tool);
    assert!(error.to_string().contains("max_output_tokens"), "{error}");
    assert_eq!(error.response().unwrap().id, "resp_1");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn forced_choice_holds_for_the_first_round() {
    for (choice, later) in [
        (ToolChoice::function("weather"), Value::Null),
        ("required".into(), Value::Null),
        ("auto".into(), json!("auto")),
    ] {
        let server = two_rounds(json!({"store": true})).await;
        let request = ask().tool_choice(choice.clone());
        client(&server).responses().run_tools(request, &weather()).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests[0].json()["tool_choice"], serde_json::to_value(&choice).unwrap());
        assert_eq!(requests[1].json()["tool_choice"], later, "after {choice:?}");
    }
}

#[tokio::test]
async fn streamed_run_has_the_events_of_each_response_and_the_results() {
    let events = |id: &str, item: Value, deltas: &[Value]| {
        let state = |status: &str, output: Value| json!({"id": id, "status": status, "store": true, "output": output});
        let mut events = vec![json!({"type": "response.created", "response": state("in_progress", json!([]))})];
        events.extend_from_slice(deltas);
        events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
        events.push(json!({"type": "response.completed", "response": state("completed", json!([item]))}));
        Reply::sse(&events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>())
    };
    let delta = |text: &str| json!({"type": "response.output_text.delta", "output_index": 0, "delta": text});
    let first = events("resp_1", call("c1", r#"{"city":"Oslo"}"#), &[]);
    let second = events("resp_2", message("It rains."), &[delta("It "), delta("rains.")]);
    let server = Server::start([first, second]).await;

    let mut run = client(&server).responses().run_tools(ask(), &weather()).stream();
    let mut log = Vec::new();
    while let Some(event) = run.try_next().await.unwrap() {
        match event {
            ToolEvent::Event(event) if !event.text_delta().is_empty() => log.push(event.text_delta().to_owned()),
            ToolEvent::Response(response) => log.push(format!("<{} calls>", response.tool_calls().count())),
            ToolEvent::Result(result) => log.push(format!("<{}: {}>", result.call.name(), result.text())),
            ToolEvent::Done(run) => log.push(format!("<{} rounds>", run.rounds)),
            _ => {}
        }
    }

    assert_eq!(log, ["<1 calls>", "<weather: rain in Oslo>", "It ", "rains.", "<0 calls>", "<2 rounds>"]);
    assert!(server.requests().iter().all(|request| request.json()["stream"] == true));
}

#[tokio::test]
async fn interrupted_round_is_an_error_with_its_response_so_far() {
    let created = json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}});
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "delta": "It "});
    let body = format!("data: {created}\n\ndata: {delta}\n\n");
    let server = Server::start([Reply::sse(&body)]).await;

    let mut run = client(&server).responses().run_tools(ask(), &weather()).stream();
    let error = loop {
        match run.try_next().await {
            Ok(event) => assert!(event.is_some(), "a run that was cut has an end"),
            Err(error) => break error,
        }
    };

    assert_eq!((error.kind(), error.response().unwrap().text().as_ref()), (ErrorKind::Stream, "It "));
}

#[tokio::test]
async fn request_for_an_approval_ends_the_run_and_is_answered_by_the_next() {
    let asks = json!({"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "search",
        "arguments": "{}"});
    let first = response("resp_1", json!([asks]), json!({"store": true}));
    let second = response("resp_2", json!([message("Found.")]), json!({"store": true}));
    let server = Server::start([Reply::ok_json(&first), Reply::ok_json(&second)]).await;
    let responses = client(&server).responses();

    let run =
        responses.run_tools(ask().tools([McpTool::new("docs", "https://docs.invalid")]), &weather()).await.unwrap();
    let [Item::McpApprovalRequest(request)] = &run.response.output[..] else { panic!("no request for an approval") };
    let run = responses.run_tools(run.request.clone().item(request.answer(true)), &weather()).await.unwrap();

    assert_eq!(run.text(), "Found.");
    let sent = server.requests()[1].json();
    assert_eq!(sent["previous_response_id"], "resp_1");
    assert_eq!(sent["input"][0]["approval_request_id"], "mcpr_1");
    assert_eq!(sent["tools"].as_array().unwrap().len(), 2, "each tool is sent once");
}

#[tokio::test]
async fn denied_and_unknown_calls_are_reported_to_the_model() {
    let unknown = json!({"type": "function_call", "call_id": "c2", "name": "nothing", "arguments": "{}"});
    let first = response("resp_1", json!([call("c1", r#"{"city":"Oslo"}"#), unknown]), json!({"store": true}));
    let second = response("resp_2", json!([message("Done.")]), json!({"store": true}));
    let server = Server::start([Reply::ok_json(&first), Reply::ok_json(&second)]).await;

    let deny = |call: &openai_compatible::chat::ToolCall| {
        let is_weather = call.name() == "weather";
        async move { if is_weather { Permission::deny("Not today.") } else { Permission::Allow } }
    };
    client(&server).responses().run_tools(ask(), &weather()).on_tool_call(deny).await.unwrap();

    let sent = server.requests()[1].json();
    assert_eq!(sent["input"][0]["output"], "Not today.");
    assert!(sent["input"][1]["output"].as_str().unwrap().contains("nothing"), "{sent}");
}

#[tokio::test]
async fn background_request_is_refused() {
    let server = two_rounds(json!({})).await;
    let error = client(&server).responses().run_tools(ask().background(true), &weather()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn one_set_of_tools_serves_both_apis() {
    let chat =
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "stop"}]});
    let hello = response("resp_1", json!([message("Hi.")]), json!({}));
    let server = Server::start([Reply::ok_json(&chat), Reply::ok_json(&hello)]).await;
    let (client, tools) = (client(&server), weather());

    let request = openai_compatible::chat::ChatRequest::new("m", [Message::user("Hi")]);
    let over_chat = client.chat().run_tools(request, &tools).await.unwrap();
    let over_responses = client.responses().run_tools(ask(), &tools).await.unwrap();

    assert_eq!(over_chat.text(), over_responses.text());
    let requests = server.requests();
    assert_eq!(requests[0].json()["tools"][0]["function"]["name"], requests[1].json()["tools"][0]["name"]);
}
