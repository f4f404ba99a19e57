//! Chat completions through the public API: what is sent and what comes back, stored completions included.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use openai_compatible::chat::{
    ChatRequest, Message, Part, ReasoningEffort, ResponseFormat, Role, StoredListRequest, Tool, ToolChoice, Usage,
};
use openai_compatible::{Client, ErrorKind, ListRequest};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn answering(matcher: impl wiremock::Match + 'static, verb: &str, reply: Value) -> (MockServer, Client) {
    let server = MockServer::start().await;
    let reply = ResponseTemplate::new(200).set_body_json(reply);
    Mock::given(method(verb)).and(matcher).respond_with(reply).expect(1).mount(&server).await;
    let client = Client::builder().base_url(server.uri()).max_retries(0).build().unwrap();
    (server, client)
}

fn completion() -> Value {
    json!({"id": "chatcmpl-1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]})
}

#[tokio::test]
async fn a_request_is_sent_as_it_was_set_and_nothing_else() {
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
            ]},
        ],
        "temperature": 0.2,
        "n": 2,
        "stop": ["\n"],
        "reasoning_effort": "low",
        "response_format": {"type": "json_object"},
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "top_k": 40,
    });
    let (_server, client) = answering(body_json(body), "POST", completion()).await;
    let picture = Part::image_url("https://example.org/a.png").detail("low");
    let request =
        ChatRequest::new("m", [Message::system("Be brief."), Message::user([Part::text("What is this?"), picture])])
            .temperature(0.2)
            .n(2)
            .stop(["\n"])
            .reasoning_effort(ReasoningEffort::Low)
            .response_format(ResponseFormat::json_object())
            .tools([Tool::with_schema("f", "d", json!({"type": "object"}))])
            .tool_choice(ToolChoice::function("f"))
            .extra("top_k", 40);
    assert_eq!(client.chat().create(&request).await.unwrap().text(), "Hi");
}

#[tokio::test]
async fn what_is_extra_replaces_a_typed_field_and_the_method_decides_about_streaming() {
    let body = json!({"model": "m", "messages": [], "temperature": null});
    let (_server, client) = answering(body_json(body), "POST", completion()).await;
    let request = ChatRequest::new("m", []).temperature(0.2).extra("temperature", Value::Null).extra("stream", true);
    client.chat().create(request).await.unwrap();
}

#[tokio::test]
async fn a_request_without_a_model_is_not_sent() {
    let client = Client::builder().base_url("http://127.0.0.1:9").build().unwrap();
    let error = client.chat().create(ChatRequest::new("", [])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[test]
fn a_request_and_a_reply_survive_being_written_down() {
    let request = ChatRequest::new("m", [Message::user("Hi"), Message::assistant("Hello"), Message::tool("c1", "4")])
        .temperature(0.1)
        .metadata("run", "7")
        .logit_bias(50256, -100)
        .audio("alloy", "wav")
        .extra("top_k", 40);
    let again: ChatRequest = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
    assert_eq!(again, request);
}

#[tokio::test]
async fn stored_completions_are_listed_over_all_pages() {
    let server = MockServer::start().await;
    let page = |ids: [&str; 2], has_more: bool| {
        let data: Vec<_> = ids.iter().map(|id| json!({"id": id, "choices": []})).collect();
        ResponseTemplate::new(200)
            .set_body_json(json!({"object": "list", "data": data, "last_id": ids[1], "has_more": has_more}))
    };
    let list = || {
        let asked = Mock::given(method("GET")).and(path("/chat/completions")).and(query_param("metadata[run]", "7"));
        asked.and(query_param("project", "p"))
    };
    list().and(query_param_is_missing("after")).respond_with(page(["a", "b"], true)).expect(1).mount(&server).await;
    list().and(query_param("after", "b")).respond_with(page(["c", "d"], false)).expect(1).mount(&server).await;
    let client = Client::builder().base_url(server.uri()).build().unwrap();
    let request = StoredListRequest::new().metadata("run", "7").extra("project", "p");
    let first = client.chat().list(request).await.unwrap();
    assert_eq!(first.object, "list");
    let all: Vec<_> = first.into_stream().map_ok(|completion| completion.id).try_collect().await.unwrap();
    assert_eq!(all, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_stored_completion_is_got_updated_and_deleted() {
    let (_server, client) = answering(path("/chat/completions/chatcmpl-1"), "GET", completion()).await;
    assert_eq!(client.chat().get("chatcmpl-1").await.unwrap().id, "chatcmpl-1");

    let (_server, client) = answering(body_json(json!({"metadata": {"run": "8"}})), "POST", completion()).await;
    let notes = BTreeMap::from([("run".to_owned(), "8".to_owned())]);
    client.chat().update("chatcmpl-1", &notes).await.unwrap();

    let gone = json!({"object": "chat.completion.deleted", "id": "chatcmpl-1", "deleted": true});
    let (_server, client) = answering(path("/chat/completions/chatcmpl-1"), "DELETE", gone).await;
    assert!(client.chat().delete("chatcmpl-1").await.unwrap().deleted);
}

#[tokio::test]
async fn the_messages_of_a_stored_completion_are_listed() {
    let messages = json!({"object": "list", "has_more": false, "data": [{"id": "chatcmpl-1-0", "role": "user", "content": "Hi", "content_parts": null}]});
    let (_server, client) = answering(path("/chat/completions/chatcmpl-1/messages"), "GET", messages).await;
    let page = client.chat().messages("chatcmpl-1", ListRequest::new().limit(5)).await.unwrap();
    assert_eq!(page.data[0].role, Some(Role::User));
    assert!(page.next_page().await.unwrap().is_none());
}

#[test]
fn what_a_server_left_out_is_not_written() {
    let chunk: openai_compatible::chat::ChatChunk = serde_json::from_str(r#"{"choices":[]}"#).unwrap();
    assert_eq!(serde_json::to_value(chunk).unwrap(), json!({ "choices": [] }));
}

#[test]
fn usage_of_all_vendors_adds_up() {
    let usage = |value: Value| serde_json::from_value::<Usage>(value).unwrap();
    for (value, cached, reasoning, cost) in [
        (
            json!({"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}, "cost": 0.25}),
            Some(4),
            Some(2),
            Some(0.25),
        ),
        // DeepSeek, Perplexity, xAI, DeepInfra
        (json!({"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 6}), Some(64), None, None),
        (
            json!({"reasoning_tokens": 3, "cost": {"total_cost": 0.006, "request_cost": 0.005}}),
            None,
            Some(3),
            Some(0.006),
        ),
        (json!({"cost_in_usd_ticks": 37_756_000}), None, None, Some(0.003_775_6)),
        (json!({"estimated_cost": 0.001}), None, None, Some(0.001)),
        (json!({}), None, None, None),
    ] {
        let one = usage(value);
        assert_eq!((one.cached_tokens(), one.reasoning_tokens(), one.cost()), (cached, reasoning, cost), "{one:?}");
        let mut sum = one.clone();
        sum += &one;
        let twice = (cached.map(|n| 2 * n), reasoning.map(|n| 2 * n), cost.map(|n| 2.0 * n));
        assert_eq!((sum.cached_tokens(), sum.reasoning_tokens(), sum.cost()), twice, "{sum:?}");
    }
}

#[test]
fn usage_of_different_vendors_adds_up() {
    let usage = |value: Value| serde_json::from_value::<Usage>(value).unwrap();
    let openai =
        json!({"prompt_tokens_details": {"cached_tokens": 100}, "completion_tokens_details": {"reasoning_tokens": 5}});
    let deepseek = json!({"prompt_cache_hit_tokens": 640, "reasoning_tokens": 7});
    for (one, two) in [(&openai, &deepseek), (&deepseek, &openai)] {
        let mut sum = Usage::default();
        sum += &usage(one.clone());
        sum += &usage(two.clone());
        assert_eq!((sum.cached_tokens(), sum.reasoning_tokens()), (Some(740), Some(12)), "{sum:?}");
    }
    let mut cost = usage(json!({"prompt_tokens": 1, "cost": 0.5}));
    cost += &usage(json!({"cost_in_usd_ticks": 2_500_000_000_u64}));
    assert_eq!(cost.cost(), Some(0.75), "{cost:?}");
}

#[test]
fn cost_of_a_sum_is_unknown_if_that_of_a_part_is() {
    let usage = |value: Value| serde_json::from_value::<Usage>(value).unwrap();
    let (known, unknown) = (json!({"prompt_tokens": 1, "cost": 0.5}), json!({"prompt_tokens": 1}));
    for parts in [[&known, &unknown, &known], [&unknown, &known, &known], [&known, &known, &unknown]] {
        let mut sum = Usage::default();
        parts.into_iter().for_each(|part| sum += &usage(part.clone()));
        assert_eq!((sum.prompt_tokens, sum.cost()), (3, None), "{sum:?}");
    }
}

#[test]
fn missing_total_is_shown_as_the_sum() {
    let usage: Usage = serde_json::from_value(json!({"prompt_tokens": 3, "completion_tokens": 4})).unwrap();
    assert_eq!(usage.to_string(), "3 prompt + 4 completion = 7 tokens");
}
