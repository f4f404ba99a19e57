//! Runs of tools: a model, the functions it calls, and the loop between them.

mod support;

use std::future::IntoFuture;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openai_compatible::chat::{
    ChatRequest, Json, Message, Permission, Tool, ToolCall, ToolChoice, ToolEvent, ToolOutcome, ToolSet,
};
use openai_compatible::testing::{self, MockService};
use openai_compatible::{CallOptions, Client, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{Reply, Server};
use tokio::time::{Instant, sleep};

#[derive(Deserialize)]
struct Place {
    city: String,
}

#[derive(Serialize)]
struct Weather {
    degrees: i64,
}

fn tool(name: &str) -> Tool {
    let place = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool::with_schema(name, "For tests", place)
}

fn weather() -> ToolSet {
    ToolSet::new().add(tool("weather"), |place: Place| async move { format!("rain in {}", place.city) })
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// A reply that calls tools.
fn calls(calls: impl IntoIterator<Item = Value>) -> Reply {
    let message = json!({"role": "assistant", "content": null, "tool_calls": Vec::from_iter(calls)});
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.5});
    Reply::ok_json(
        &json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage}),
    )
}

/// The reply that ends a run.
fn says(text: &str) -> Reply {
    let message = json!({"role": "assistant", "content": text});
    let usage = json!({"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22,
        "completion_tokens_details": {"reasoning_tokens": 1}, "cost": 0.25});
    Reply::ok_json(&json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}))
}

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap()
}

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::user("What is the weather?")])
}

/// The tool messages that the model got in the last request.
fn told(server: &Server) -> Vec<(String, String)> {
    let messages = server.requests().last().unwrap().json()["messages"].take();
    let texts = messages.as_array().unwrap().iter().filter(|message| message["role"] == "tool");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    texts.map(|message| (text(&message["tool_call_id"]), text(&message["content"]))).collect()
}

#[tokio::test]
async fn a_run_goes_from_the_model_to_its_tools_and_back() {
    let server = Server::start([calls([call("c1", "weather", r#"{"city":"Oslo"}"#)]), says("Take an umbrella.")]).await;

    let run = client(&server).chat().run_tools(ask(), &weather()).await.unwrap();

    assert_eq!((run.text().as_ref(), run.rounds), ("Take an umbrella.", 2));
    let [first, second] = &server.requests()[..] else { panic!("two requests expected") };
    assert_eq!(first.json()["tools"], json!([tool("weather")]));
    let sent = second.json();
    assert_eq!(sent["messages"][1]["tool_calls"], json!([call("c1", "weather", r#"{"city":"Oslo"}"#)]));
    assert_eq!(sent["messages"][2], json!({"role": "tool", "tool_call_id": "c1", "content": "rain in Oslo"}));
    assert_eq!(run.messages.len(), 4);
    assert_eq!(run.messages.last().unwrap().text(), "Take an umbrella.");
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_round_run_side_by_side_and_answer_in_their_order() {
    let server = Server::start([
        calls([call("slow", "wait", "3"), call("quick", "wait", "1"), call("middle", "wait", "2")]),
        says("Done."),
    ])
    .await;
    let tools = ToolSet::new().add(tool("wait"), |seconds: u64| async move {
        sleep(Duration::from_secs(seconds)).await;
        Json(seconds)
    });
    let started = Instant::now();
    let mut events = client(&server).chat().run_tools(ask(), &tools).events();

    let mut order = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        if let ToolEvent::Result(result) = event {
            order.push(result.call.id);
        }
    }

    assert_eq!(order, ["quick", "middle", "slow"]);
    let ids: Vec<_> = told(&server).into_iter().collect();
    assert_eq!(ids, [("slow", "3"), ("quick", "1"), ("middle", "2")].map(|(id, text)| (id.into(), text.into())));
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_functions_run_at_a_time() {
    for (limit, expected) in [(None, 16), (Some(1), 1), (Some(0), 1)] {
        let server = Server::start([calls((0..40).map(|n| call(&n.to_string(), "wait", "{}"))), says("Done.")]).await;
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tools = ToolSet::new().add(tool("wait"), {
            let (running, most) = (running.clone(), most.clone());
            move |()| {
                let (running, most) = (running.clone(), most.clone());
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_secs(1)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    "waited"
                }
            }
        });
        let mut run = client(&server).chat().run_tools(ask(), &tools);
        if let Some(limit) = limit {
            run = run.max_parallel(limit);
        }

        run.await.unwrap();

        assert_eq!(most.load(Ordering::SeqCst), expected, "with {limit:?}");
        assert_eq!(told(&server).len(), 40);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_run_closes_its_request() {
    let server = Server::start([Reply::status(200).hang_before_headers()]).await;
    let run = client(&server).chat().run_tools(ask(), &weather());
    tokio::time::timeout(Duration::from_secs(1), run.into_future()).await.expect_err("no answer comes");
    server.closed().await;

    let chunk = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let server = Server::start([Reply::sse(chunk).hang_after(chunk.len())]).await;
    let mut events = client(&server).chat().run_tools(ask(), &weather()).stream();
    assert!(matches!(events.try_next().await.unwrap(), Some(ToolEvent::Chunk(_))));
    drop(events);
    server.closed().await;
}

#[tokio::test]
async fn unknown_tools_and_invalid_arguments_are_reported_to_the_model() {
    let server = Server::start([
        calls([call("a", "wether", "{}"), call("b", "weather", r#"{"town":"Oslo"}"#), call("c", "weather", "{\"ci")]),
        says("Sorry."),
    ])
    .await;

    let mut events = client(&server).chat().run_tools(ask(), &weather()).events();
    let mut outcomes = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        if let ToolEvent::Result(result) = event {
            outcomes.push(result.outcome);
        }
    }

    assert_eq!(outcomes, [ToolOutcome::UnknownTool, ToolOutcome::InvalidArguments, ToolOutcome::InvalidArguments]);
    let [(_, unknown), (_, wrong), (_, cut)] = &told(&server)[..] else { panic!("three results expected") };
    assert!(unknown.contains("Unknown tool `wether`") && unknown.contains("Available tools: `weather`"), "{unknown}");
    assert!(wrong.contains("missing field `city`") && wrong.contains(r#""required":["city"]"#), "{wrong}");
    assert!(cut.contains("EOF while parsing"), "{cut}");
}

#[tokio::test]
async fn function_errors_are_reported_to_the_model() {
    let server = Server::start([calls([call("a", "fail", "{}")]), says("Sorry.")]).await;
    let tools = ToolSet::new().add(tool("fail"), |_: Value| async move { Err::<(), _>("the station is closed") });

    client(&server).chat().run_tools(ask(), &tools).await.unwrap();

    assert_eq!(told(&server), [("a".to_owned(), "Error: the station is closed".to_owned())]);
}

#[tokio::test]
async fn an_error_of_a_function_ends_the_run_where_that_is_asked_for() {
    let server = Server::start([calls([call("a", "fail", "{}")]), says("Sorry.")]).await;
    let tools =
        ToolSet::new().add(tool("fail"), |_: Value| async move { Err::<(), _>(std::io::Error::other("closed")) });

    let error = client(&server).chat().run_tools(ask(), &tools).fail_on_error(true).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Tool);
    assert_eq!(error.to_string(), "tool run failed: tool `fail` failed");
    assert!(std::error::Error::source(&error).unwrap().is::<std::io::Error>());
    assert_eq!(error.completion().unwrap().tool_calls()[0].id, "a");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn text_goes_as_it_is_and_everything_else_as_json() {
    let names = ["text", "word", "json", "value", "result", "ok_text", "unit"];
    let server = Server::start([calls(names.map(|name| call(name, name, "{}"))), says("Done.")]).await;
    type Any = Result<Weather, std::io::Error>;
    let tools = ToolSet::new()
        .add(tool("text"), |_: Value| async { String::from("a \"text\"") })
        .add(tool("word"), |_: Value| async { "word" })
        .add(tool("json"), |_: Value| async { Json(Weather { degrees: 4 }) })
        .add(tool("value"), |_: Value| async { json!([1, null]) })
        .add(tool("result"), |_: Value| async { Any::Ok(Weather { degrees: 4 }) })
        .add(tool("ok_text"), |_: Value| async { Ok::<_, String>("a \"text\"") })
        .add(tool("unit"), |_: Value| async { Ok::<_, String>(()) });

    client(&server).chat().run_tools(ask(), &tools).await.unwrap();

    let texts: Vec<_> = told(&server).into_iter().map(|(_, text)| text).collect();
    let weather = r#"{"degrees":4}"#;
    assert_eq!(texts, ["a \"text\"", "word", weather, "[1,null]", weather, "a \"text\"", "null"]);
}

#[tokio::test]
async fn calls_get_an_id_of_their_own() {
    let oslo = r#"{"city":"Oslo"}"#;
    let round = || calls([call("", "weather", oslo), call("x", "weather", oslo), call("x", "weather", oslo)]);
    let server = Server::start([round(), round(), says("Done.")]).await;

    let run = client(&server).chat().run_tools(ask(), &weather()).await.unwrap();

    let mut asked = Vec::new();
    for message in &run.messages {
        if let Message::Assistant(message) = message {
            asked.extend(message.tool_calls.iter().map(|call| call.id.clone()));
        }
    }
    let answered: Vec<_> = told(&server).into_iter().map(|(id, _)| id).collect();
    assert_eq!(asked, answered);
    assert_eq!(asked.len(), 6);
    assert_eq!(asked.iter().filter(|id| *id == "x").count(), 1);
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 6, "{asked:?}");
    assert!(asked.iter().all(|id| id == "x" || id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric())));
}

#[tokio::test]
async fn a_hook_sees_each_call_and_may_deny_it() {
    let server =
        Server::start([calls([call("a", "weather", r#"{"city":"Oslo"}"#), call("b", "delete", "{}")]), says("Done.")])
            .await;
    let deleted = Arc::new(AtomicUsize::new(0));
    let tools = weather().add(tool("delete"), {
        let deleted = deleted.clone();
        move |_: Value| {
            deleted.fetch_add(1, Ordering::SeqCst);
            async { "deleted" }
        }
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let seen = seen.clone();
        move |call: &ToolCall| {
            seen.lock().unwrap().push(call.name().to_owned());
            let allowed = call.name() != "delete";
            async move {
                tokio::task::yield_now().await;
                if allowed { Permission::Allow } else { Permission::deny("The user says no.") }
            }
        }
    };

    client(&server).chat().run_tools(ask(), &tools).on_tool_call(hook).await.unwrap();

    assert_eq!(*seen.lock().unwrap(), ["weather", "delete"]);
    assert_eq!(deleted.load(Ordering::SeqCst), 0);
    let texts: Vec<_> = told(&server).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["rain in Oslo", "The user says no."]);
}

#[tokio::test]
async fn a_model_that_never_answers_is_stopped() {
    let server = Server::start([calls([call("", "weather", r#"{"city":"Oslo"}"#)])]).await;

    let error = client(&server).chat().run_tools(ask(), &weather()).max_rounds(3).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Tool);
    assert!(error.to_string().contains("no final answer after 3 rounds"), "{error}");
    assert_eq!(error.completion().unwrap().tool_calls()[0].name(), "weather");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn rounds_are_limited_to_ten_by_default() {
    let server = Server::start([calls([call("", "weather", r#"{"city":"Oslo"}"#)])]).await;
    client(&server).chat().run_tools(ask(), &weather()).await.unwrap_err();
    assert_eq!(server.requests().len(), 10);
}

#[tokio::test]
async fn the_usage_of_all_rounds_adds_up() {
    let server = Server::start([calls([call("a", "weather", r#"{"city":"Oslo"}"#)]), says("Rain.")]).await;
    let usage = client(&server).chat().run_tools(ask(), &weather()).await.unwrap().usage.unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (30, 7, 37));
    assert_eq!(usage.completion_tokens_details.unwrap().reasoning_tokens, Some(1));
    assert_eq!(usage.extra.get("cost"), Some(&json!(0.75)));
}

#[tokio::test]
async fn a_streamed_run_shows_its_text_as_it_comes() {
    let chunk = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "s", "choices": [choice]}))
    };
    let piece = |delta: Value| chunk(json!({"tool_calls": [delta]}), None);
    let first = [
        chunk(json!({"role": "assistant", "content": "Let me see. "}), None),
        piece(json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}})),
        piece(json!({"index": 0, "function": {"arguments": "{\"city\":"}})),
        piece(json!({"index": 0, "function": {"arguments": "\"Oslo\"}"}})),
        chunk(json!({}), Some("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let second = [chunk(json!({"content": "It "}), None), chunk(json!({"content": "rains."}), Some("stop"))];
    let server = Server::start([Reply::sse(&first.concat()), Reply::sse(&second.concat())]).await;

    let mut events = client(&server).chat().run_tools(ask(), &weather()).stream();
    let mut log = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        match event {
            ToolEvent::Chunk(chunk) if !chunk.text().is_empty() => log.push(chunk.text().into_owned()),
            ToolEvent::Completion(reply) => log.push(format!("<{} calls>", reply.tool_calls().len())),
            ToolEvent::Result(result) => log.push(format!("<{}: {}>", result.call.name(), result.text())),
            ToolEvent::Done(run) => log.push(format!("<{} messages>", run.messages.len())),
            _ => {}
        }
    }

    let expected =
        ["Let me see. ", "<1 calls>", "<weather: rain in Oslo>", "It ", "rains.", "<0 calls>", "<4 messages>"];
    assert_eq!(log, expected);
    assert!(server.requests().iter().all(|request| request.json()["stream"] == true));
    assert_eq!(told(&server), [("c1".to_owned(), "rain in Oslo".to_owned())]);
}

#[tokio::test]
async fn a_run_follows_one_answer_only() {
    let server = Server::start([says("Never.")]).await;
    let error = client(&server).chat().run_tools(ask().n(2), &weather()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_forced_choice_holds_for_the_first_round() {
    for (choice, later) in [
        (ToolChoice::function("weather"), Value::Null),
        ("required".into(), Value::Null),
        ("any".into(), Value::Null),
        (
            ToolChoice::allowed("required", ["weather"]),
            serde_json::to_value(ToolChoice::allowed("auto", ["weather"])).unwrap(),
        ),
        ("auto".into(), json!("auto")),
        ("none".into(), json!("none")),
    ] {
        let server = Server::start([calls([call("a", "weather", r#"{"city":"Oslo"}"#)]), says("Rain.")]).await;
        let request = ask().tool_choice(choice.clone());
        client(&server).chat().run_tools(request, &weather()).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests[0].json()["tool_choice"], serde_json::to_value(&choice).unwrap());
        assert_eq!(requests[1].json()["tool_choice"], later, "after {choice:?}");
    }
}

#[tokio::test]
async fn dropping_a_run_drops_the_functions_under_way() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let server =
        Server::start([calls([call("a", "wait", "{}"), call("b", "wait", "{}"), call("c", "quick", "{}")])]).await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let tools = ToolSet::new().add(tool("quick"), |_: Value| async { "quick" }).add(tool("wait"), {
        let dropped = dropped.clone();
        move |_: Value| {
            let guard = Guard(dropped.clone());
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                "never"
            }
        }
    });
    let mut events = client(&server).chat().run_tools(ask(), &tools).events();
    assert!(matches!(events.try_next().await.unwrap(), Some(ToolEvent::Completion(_))));
    assert!(matches!(events.try_next().await.unwrap(), Some(ToolEvent::Result(result)) if result.call.id == "c"));
    assert_eq!(dropped.load(Ordering::SeqCst), 0);

    drop(events);

    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_try_next_is_cancel_safe() {
    let server = Server::start([calls([call("a", "wait", "{}")]), says("Done.")]).await;
    let tools = ToolSet::new().add(tool("wait"), |_: Value| async {
        sleep(Duration::from_secs(5)).await;
        "waited"
    });
    let mut events = client(&server).chat().run_tools(ask(), &tools).events();
    assert!(matches!(events.try_next().await.unwrap(), Some(ToolEvent::Completion(_))));
    for _ in 0..4 {
        tokio::time::timeout(Duration::from_secs(1), events.try_next()).await.expect_err("it takes five seconds");
    }
    assert!(matches!(events.try_next().await.unwrap(), Some(ToolEvent::Result(_))));
}

#[tokio::test]
async fn an_error_ends_a_run_and_leaves_the_conversation() {
    let server = Server::start([calls([call("a", "weather", r#"{"city":"Oslo"}"#)]), Reply::status(500)]).await;
    let mut events = client(&server).chat().run_tools(ask(), &weather()).events();
    let error = loop {
        match events.try_next().await {
            Ok(event) => assert!(!matches!(event, None | Some(ToolEvent::Done(_)))),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Api, 500));
    assert!(events.try_next().await.unwrap().is_none());
    assert_eq!((events.messages().len(), events.rounds()), (3, 2));
    assert_eq!(events.usage().unwrap().total_tokens, 15);
}

#[tokio::test]
async fn each_request_to_the_model_takes_the_options() {
    let body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let server =
        Server::start([calls([call("a", "weather", r#"{"city":"Oslo"}"#)]), says("Rain."), Reply::sse(body)]).await;
    let run =
        || client(&server).chat().run_tools(ask(), &weather()).options(CallOptions::new().header("x-tenant", "7"));
    run().await.unwrap();
    assert_eq!(run().stream().finish().await.unwrap().text(), "Hi");
    assert!(server.requests().iter().all(|request| request.header("x-tenant") == Some("7")));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn the_function_of_a_custom_tool_gets_the_text() {
    let custom = json!({"id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls \"x\""}});
    let server = Server::start([calls([custom]), says("Done.")]).await;
    let tools = ToolSet::new().add(Tool::custom("shell", "Runs a command"), |command: String| async move { command });
    client(&server).chat().run_tools(ask(), &tools).await.unwrap();
    assert_eq!(told(&server), [("a".to_owned(), "ls \"x\"".to_owned())]);
}

#[tokio::test]
async fn tools_of_the_request_stay_and_are_not_doubled() {
    let server = Server::start([says("Hi.")]).await;
    let own = Tool::with_schema("weather", "My words", json!({"type": "object"}));
    let tools = weather().add(tool("time"), |_: Value| async { "noon" });
    client(&server).chat().run_tools(ask().tools([own.clone()]), &tools).await.unwrap();
    assert_eq!(server.requests()[0].json()["tools"], json!([own, tool("time")]));
}

#[tokio::test]
async fn one_call_can_be_run_by_hand() {
    let call = ToolCall::function("a", "weather", r#"{"city":"Oslo"}"#);
    let result = weather().call(&call).await;
    assert_eq!(result.outcome, ToolOutcome::Completed);
    assert_eq!(result.into_message(), Message::tool("a", "rain in Oslo"));
}

#[test]
fn a_tool_of_the_same_name_is_replaced() {
    let tools = weather().add(Tool::with_schema("weather", "Newer", json!({})), |_: Value| async { "sun" });
    assert_eq!(Vec::from_iter(tools.tools()), [&Tool::with_schema("weather", "Newer", json!({}))]);
    assert_eq!(format!("{tools:?}"), r#"["weather"]"#);
}

#[tokio::test]
async fn the_errors_of_a_function_that_failed_reach_the_program_and_only_its_message_the_model() {
    #[derive(Debug, thiserror::Error)]
    #[error("no forecast")]
    struct NoForecast(#[source] std::io::Error);
    let failing = || {
        let place = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        ToolSet::new().add(Tool::with_schema("weather", "Weather", place), |_: Value| async {
            Err::<String, _>(NoForecast(std::io::Error::other("the station is down")))
        })
    };
    let service = MockService::new([testing::tool_call("weather", json!({"city": "Oslo"})), testing::chat("Unknown.")]);
    let mut events = service.client().unwrap().chat().run_tools(ask(), &failing()).stream();
    let mut failed = None;
    while let Some(event) = events.try_next().await.unwrap() {
        if let ToolEvent::Result(result) = event {
            failed = Some(result);
        }
    }
    let failed = failed.unwrap();
    assert_eq!(failed.outcome, ToolOutcome::Failed);
    let error = failed.error.unwrap();
    assert!(error.get_ref().is::<NoForecast>());
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the station is down");
    let told = service.requests()[1].json()["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    assert_eq!(told, "Error: no forecast");
}
