//! Tokens counted by the server.

mod support;

use openai_compatible::Client;
use openai_compatible::chat::{ChatRequest, Message, Part};
use openai_compatible::tokens::TokenCounter;
use serde_json::{Value, json};
use support::{Reply, Server};

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::system("Be brief."), Message::user("Name three rivers.")])
}

async fn counter(replies: impl IntoIterator<Item = Reply>) -> (Server, TokenCounter) {
    let server = Server::start(replies).await;
    let client = Client::builder().base_url(server.base_url()).max_retries(0).build().unwrap();
    (server, TokenCounter::new(&client))
}

#[tokio::test]
async fn llama_cpp_counts_a_chat_request_as_it_is() {
    let (server, counter) =
        counter([Reply::ok_json(&json!({"object":"response.input_tokens","input_tokens":17}))]).await;
    assert_eq!(counter.count(ask()).await.unwrap(), 17);
    let request = &server.requests()[0];
    assert_eq!(request.target, "/v1/chat/completions/input_tokens");
    assert_eq!(request.json()["messages"][0]["role"], "system");
}

#[tokio::test]
async fn the_endpoint_that_a_server_has_is_remembered() {
    let (server, counter) =
        counter([Reply::status(404), Reply::ok_json(&json!({"count":9,"max_model_len":4096,"tokens":[1,2]}))]).await;
    assert_eq!(counter.count(ask()).await.unwrap(), 9);
    assert_eq!(counter.clone().count(ask()).await.unwrap(), 9);
    let targets: Vec<_> = server.requests().iter().map(|request| request.target.clone()).collect();
    assert_eq!(targets, ["/v1/chat/completions/input_tokens", "/tokenize", "/tokenize"]);
}

#[tokio::test]
async fn a_tokenizer_of_plain_text_is_not_one_of_messages() {
    let answers = [
        Reply::status(404),
        Reply::ok_json(&json!({"tokens":[]})),
        Reply::ok_json(&json!({"object":"response.input_tokens","input_tokens":5})),
    ];
    let (server, counter) = counter(answers).await;
    let request = ChatRequest::new("m", [Message::user(vec![Part::text("What?"), Part::image_url("https://x/y.png")])]);
    assert_eq!(counter.count(request).await.unwrap(), 5);
    let sent: Value = server.requests()[2].json();
    assert_eq!(sent["input"][0]["content"][0], json!({"type":"input_text","text":"What?"}));
    assert_eq!(sent["input"][0]["content"][1]["image_url"], "https://x/y.png");
}

#[tokio::test]
async fn a_server_without_any_is_an_error_that_says_so() {
    let (server, counter) = counter([Reply::status(404)]).await;
    let error = counter.count(ask()).await.unwrap_err();
    assert!(error.to_string().contains("the server has no endpoint that counts tokens"), "{error}");
    assert!(error.is_not_found());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn another_failure_is_returned_at_once() {
    let (server, counter) = counter([Reply::status(401)]).await;
    assert_eq!(counter.count(ask()).await.unwrap_err().status().map(|status| status.as_u16()), Some(401));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_conversation_is_trimmed_by_the_counts_of_the_server() {
    // What is counted: everything, the least, and the middle of three old turns.
    let counts = [100, 20, 60, 40].map(|count| Reply::ok_json(&json!({ "input_tokens": count })));
    let (server, counter) = counter(counts).await;
    let mut request = ChatRequest::new("m", [Message::system("Be brief.")]);
    for turn in 0..4 {
        request = request.message(Message::user(format!("Question {turn}")));
        if turn < 3 {
            request = request.message(Message::assistant(format!("Answer {turn}")));
        }
    }
    assert_eq!(counter.trim_to_budget(&mut request, 50).await.unwrap(), 40);
    assert_eq!(server.requests().len(), 4);
    let texts: Vec<_> = request.messages.iter().map(|message| message.text().into_owned()).collect();
    assert_eq!(texts, ["Be brief.", "Question 2", "Answer 2", "Question 3"]);
}

#[tokio::test]
async fn tool_calls_and_results_are_items_of_a_response() {
    let answers = [Reply::status(404), Reply::status(404), Reply::ok_json(&json!({ "input_tokens": 8 }))];
    let (server, counter) = counter(answers).await;
    let answer: Message = serde_json::from_value(json!({
        "role": "assistant",
        "content": null,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    }))
    .unwrap();
    let request = ChatRequest::new("m", [Message::user("Weather?"), answer, Message::tool("c1", "sunny")]);
    counter.count(&request).await.unwrap();
    let sent: Value = server.requests()[2].json();
    let expected = json!([
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ]);
    assert_eq!(sent["input"], expected);
}
