//! Calls that block, and streams as iterators.

mod support;

use openai_compatible::blocking::{Block, BlockIter};
use openai_compatible::chat::{ChatRequest, Message, ToolSet};
use openai_compatible::testing::{self, MockService};
use openai_compatible::{Client, ErrorKind};
use serde_json::json;
use support::{Reply, Server};

fn ask() -> ChatRequest {
    ChatRequest::new("m", [Message::user("Hi")])
}

#[test]
fn calls_streams_and_helpers_need_no_runtime_of_the_program() {
    let replies =
        [testing::chat("Nile"), testing::chat_stream(["Ni", "le"]), testing::chat("Nile"), testing::chat("Nile")];
    let client = MockService::new(replies).client().unwrap();
    assert_eq!(client.chat().create(ask()).block().unwrap().text(), "Nile");
    let chunks = client.chat().stream(ask()).block().unwrap().block_iter();
    assert_eq!(chunks.map(|chunk| chunk.unwrap().text().into_owned()).collect::<String>(), "Nile");
    assert_eq!(client.chat().run_tools(ask(), &ToolSet::new()).block().unwrap().text(), "Nile");
    assert_eq!(client.chat().create(ask()).with_response().block().unwrap().status(), 200);
}

#[test]
fn sockets_are_kept_from_call_to_call_and_threads_share_them() {
    let server_runtime = tokio::runtime::Runtime::new().unwrap();
    let good = json!({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let server = server_runtime.block_on(Server::start([Reply::ok_json(&good)]));
    let client = Client::builder().base_url(server.base_url()).build().unwrap();
    for _ in 0..20 {
        client.chat().create(ask()).block().unwrap();
    }
    // A call may start before the socket of the last one is back in the pool, but not each.
    assert!(server.connections() < 10, "{} connections", server.connections());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            std::thread::spawn(move || client.chat().create(ask()).block().unwrap().text().into_owned())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), "Hi");
    }
}

#[tokio::test]
async fn within_async_code_it_is_an_error_that_says_what_to_do() {
    let client = MockService::new([testing::chat("Nile")]).client().unwrap();
    let error = client.chat().create(ask()).block().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("use `.await`"), "{error}");
    let stream =
        MockService::new([testing::chat_stream(["Nile"])]).client().unwrap().chat().stream(ask()).await.unwrap();
    let items: Vec<_> = stream.block_iter().collect();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn an_iterator_ends_after_an_error() {
    let client = MockService::new([testing::chat_stream(["Ni", "le"]).interrupted()]).client().unwrap();
    let items: Vec<_> = client.chat().stream(ask()).block().unwrap().block_iter().collect();
    assert!(items.last().unwrap().is_err());
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1);
}
