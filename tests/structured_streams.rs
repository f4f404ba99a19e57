//! Structured output that is asked for again, or read while it arrives; reasoning within text; the time of a stream.

mod support;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use openai_compatible::chat::{ChatRequest, FinishReason, Message, ThinkingTags, partial_json};
use openai_compatible::responses::ResponseRequest;
use openai_compatible::{CallOptions, Client, ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{Reply, Server};

#[derive(Debug, Deserialize, PartialEq)]
struct Recipe {
    title: String,
    minutes: u32,
}

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::user("A soup.")])
}

fn completion(text: &str, finish_reason: &str) -> Reply {
    Reply::ok_json(&json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }))
}

async fn client(replies: impl IntoIterator<Item = Reply>) -> (Server, Client) {
    let server = Server::start(replies).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn an_answer_that_does_not_match_goes_back_with_the_reason() {
    let answers = [
        completion(r#"{"title":"Soup"}"#, "stop"),
        completion("Sorry!\n```json\n{\"title\":\"Soup\",\"minutes\":20,}\n```", "stop"),
    ];
    let (server, client) = client(answers).await;
    let options = CallOptions::new().header("x-tenant", "7");
    let recipe = client.chat().parse::<Recipe>(ask()).attempts(3).options(options).await.unwrap();
    assert_eq!(recipe.minutes, 20);
    assert_eq!(recipe.attempts, 2);
    assert_eq!(recipe.usage.as_ref().unwrap().total_tokens, 30);
    let requests = server.requests();
    assert_eq!(requests[1].header("x-tenant"), Some("7"));
    let messages = requests[1].json()["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 3);
    assert_eq!(messages[1]["content"], r#"{"title":"Soup"}"#);
    assert!(messages[2]["content"].as_str().unwrap().contains("missing field `minutes`"), "{messages}");
}

#[tokio::test]
async fn the_last_answer_is_part_of_the_error() {
    let (server, client) = client([completion("soup", "stop")]).await;
    let error = client.chat().parse::<Recipe>(ask()).attempts(2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("after 2 answers"), "{error}");
    assert_eq!(error.completion().unwrap().text(), "soup");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_asking_again_would_not_help_is_an_error_at_once() {
    let refusal = json!({"choices":[{"message":{"role":"assistant","refusal":"No."},"finish_reason":"stop"}]});
    let call = json!({"choices":[{"message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]});
    for reply in [completion(r#"{"title":"#, "length"), Reply::ok_json(&refusal), Reply::ok_json(&call)] {
        let (server, client) = client([reply]).await;
        client.chat().parse::<Recipe>(ask()).attempts(5).await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn responses_are_asked_again_in_their_own_way() {
    let response = |id: &str, text: &str| {
        Reply::ok_json(&json!({
            "id": id, "object": "response", "status": "completed", "store": true,
            "output": [{"type":"message","role":"assistant","content":[{"type":"output_text","text":text}]}],
            "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
        }))
    };
    let (server, client) = client([response("r1", "{}"), response("r2", r#"{"title":"Soup","minutes":5}"#)]).await;
    let recipe = client.responses().parse::<Recipe>(ResponseRequest::new("m", "A soup.")).await.unwrap();
    assert_eq!(*recipe, Recipe { title: "Soup".to_owned(), minutes: 5 });
    assert_eq!(recipe.usage.as_ref().unwrap().total_tokens, 30);
    assert_eq!(server.requests()[1].json()["previous_response_id"], "r1");
}

/// A stream of these texts.
fn stream_of<'a>(texts: impl IntoIterator<Item = &'a str>, finish_reason: Option<&str>) -> Reply {
    let chunk = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"id":"c","choices":[{"index":0,"delta":delta,"finish_reason":finish}]}))
    };
    let mut body = chunk(json!({"role": "assistant", "content": ""}), None);
    body.extend(texts.into_iter().map(|text| chunk(json!({"content": text}), None)));
    body.extend(finish_reason.map(|reason| chunk(json!({}), Some(reason)) + "data: [DONE]\n\n"));
    Reply::sse(&body)
}

#[tokio::test]
async fn items_of_an_array_arrive_as_soon_as_they_are_whole_however_it_is_cut() {
    let text = r#"Here: {"rivers": [ {"title":"a ] , \" }","minutes":1}, {"title":"b","minutes":2} ], "more": [3]}"#;
    for size in 1..text.len() {
        let pieces: Vec<_> = text.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let (_server, client) = client([stream_of(pieces, Some("stop"))]).await;
        let items: Vec<Recipe> = client.chat().stream(ask()).await.unwrap().items().try_collect().await.unwrap();
        assert_eq!(items.len(), 2, "cut every {size} bytes");
        assert_eq!(items[0].title, "a ] , \" }");
    }
}

#[tokio::test]
async fn an_item_is_there_before_the_next_one_begins() {
    let (_server, client) = client([stream_of([r#"[1, 2"#, ", "], None).hang_after(10_000)]).await;
    let mut items = client.chat().stream(ask()).await.unwrap().items::<u8>();
    assert_eq!(items.try_next().await.unwrap(), Some(1));
    assert_eq!(items.try_next().await.unwrap(), Some(2));
}

#[tokio::test]
async fn an_array_that_ends_early_an_item_that_does_not_match_and_no_array_are_errors() {
    for (texts, whole) in [(vec!["[1, 2"], 1), (vec!["[1, \"x\"]"], 1), (vec!["none"], 0)] {
        let (_server, client) = client([stream_of(texts, Some("stop"))]).await;
        let items: Vec<_> = client.chat().stream(ask()).await.unwrap().items::<u8>().collect().await;
        assert_eq!(items.iter().filter(|item| item.is_ok()).count(), whole);
        assert_eq!(items.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Decode);
    }
}

#[test]
fn a_part_of_an_object_is_read_at_every_cut() {
    #[derive(Debug, Deserialize)]
    struct Partial {
        title: Option<String>,
        steps: Option<Vec<String>>,
        minutes: Option<u32>,
    }
    let text = r#"{"title": "So\"up \u00e9", "minutes": 25, "steps": ["cut", "boil {it}"], "x": {"y": [1]}}"#;
    let mut longest = 0;
    for end in 1..=text.len() {
        let partial: Partial = partial_json(&text[..end]).unwrap_or_else(|| panic!("{}", &text[..end]));
        let title = partial.title.unwrap_or_default();
        assert!("So\"up é".starts_with(&title), "{title}");
        assert!(matches!(partial.minutes, None | Some(25)), "a number is there when it is complete");
        longest = longest.max(partial.steps.map_or(0, |steps| steps.len()));
    }
    assert_eq!(longest, 2);
    assert!(partial_json::<Partial>("no JSON").is_none());
}

#[tokio::test]
async fn reasoning_is_told_apart_wherever_its_tags_are_cut() {
    let text = "\n<think>\nIs 1 < 2? </thin k></think>\n\n<thought>Yes.</thought> It is: <think> stays.";
    for size in 1..text.len() {
        let pieces: Vec<_> = text.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        for finish in [Some("stop"), None] {
            let (_server, client) = client([stream_of(pieces.clone(), finish)]).await;
            let stream = client.chat().stream(ask()).await.unwrap().split_thinking(ThinkingTags::default());
            let reply = match (stream.collect().await, finish) {
                (Ok(reply), Some(_)) => reply,
                (Err(error), None) => error.completion().unwrap().clone(),
                (other, _) => panic!("{other:?}"),
            };
            assert_eq!(reply.reasoning().unwrap(), "Is 1 < 2? </thin k>Yes.", "cut every {size} bytes");
            assert_eq!(reply.text(), "It is: <think> stays.");
        }
    }
}

#[tokio::test]
async fn whole_completions_are_split_by_the_same_rules() {
    let split = |text: &'static str, tags: ThinkingTags| async move {
        let (_server, client) = client([completion(text, "stop")]).await;
        let reply = client.chat().create(ask()).await.unwrap().split_thinking(tags);
        (reply.reasoning().map(std::borrow::Cow::into_owned), reply.text().into_owned())
    };
    let default = ThinkingTags::default;
    assert_eq!(split("<think>a</think>b", default()).await, (Some("a".into()), "b".into()));
    assert_eq!(split("<think>\n\n</think>\n\nb", default()).await, (None, "b".into()));
    assert_eq!(split("<think>cut", default()).await, (Some("cut".into()), String::new()));
    assert_eq!(split("<thin", default()).await, (None, "<thin".into()));
    assert_eq!(split("  Use <think>a</think>.", default()).await, (None, "  Use <think>a</think>.".into()));
    assert_eq!(split("a</think>b", default()).await, (None, "a</think>b".into()));
    assert_eq!(split("a</think>\nb", default().starts_open(true)).await, (Some("a".into()), "b".into()));
    let own = ThinkingTags::new("[THINK]", "[/THINK]");
    assert_eq!(split("[THINK]a[/THINK]b", own).await, (Some("a".into()), "b".into()));
    assert_eq!(split("<think>a", ThinkingTags::new("", "")).await, (None, "<think>a".into()));
}

#[tokio::test]
async fn text_that_may_become_a_tag_is_not_lost_when_a_stream_ends() {
    let (_server, client) = client([stream_of(["<thi"], Some("stop"))]).await;
    let reply = client.chat().stream(ask()).await.unwrap().split_thinking(ThinkingTags::default()).collect().await;
    let reply = reply.unwrap();
    assert_eq!(reply.text(), "<thi");
    assert_eq!(reply.finish_reason(), Some(&FinishReason::Stop));
}

#[tokio::test(start_paused = true)]
async fn a_stream_knows_its_time_to_the_first_output_and_its_speed() {
    let events = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"choices":[{"index":0,"delta":delta,"finish_reason":finish}]}))
    };
    let reply = Reply::sse("")
        .piece(events(json!({"role": "assistant", "content": ""}), None))
        .pause(Duration::from_secs(2))
        .piece(events(json!({"content": "Hi"}), None))
        .pause(Duration::from_secs(4))
        .piece(events(json!({}), Some("stop")) + "data: [DONE]\n\n");
    let (_server, client) = client([reply.clone(), reply]).await;
    let mut stream = client.chat().stream(ask()).await.unwrap();
    stream.try_next().await.unwrap();
    assert_eq!(stream.timing().time_to_first_output, None, "a role is no output");
    while stream.try_next().await.unwrap().is_some() {}
    let timing = stream.timing();
    assert_eq!(timing.time_to_first_output.unwrap().as_secs(), 2);
    assert_eq!(timing.elapsed.as_secs(), 6);
    assert_eq!(timing.tokens_per_second(20).unwrap().round(), 5.0);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(stream.timing(), timing, "the clock stops at the end");
    let (reply, timing) = client.chat().stream(ask()).await.unwrap().collect_with_timing().await.unwrap();
    assert_eq!((&*reply.text(), timing.elapsed.as_secs()), ("Hi", 6));
}
