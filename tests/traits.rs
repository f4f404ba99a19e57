//! Types can be sent to, and shared with, other threads and tasks.

use std::fmt::Debug;
use std::future::IntoFuture;

use openai_compatible::chat::{
    Accumulator, AssistantMessage, Chat, ChatChunk, ChatCompletion, ChatRequest, ChatStream, Choice, Message,
    StoredListRequest, Tool, ToolCall, Usage,
};
use openai_compatible::{
    ApiError, Call, Client, ClientBuilder, Deleted, Download, Error, ErrorKind, EventStream, Extra, FileSource, Form,
    HttpError, HttpErrorKind, HttpService, ListRequest, Page, RateLimits, RequestBody, Response, ResponseBody, Result,
    SharedString, SortOrder, sse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn shared<T: Send + Sync + Debug + 'static>() {}
fn plain_data<T: Send + Sync + Clone + Debug + PartialEq + Serialize + DeserializeOwned + 'static>() {}
fn spawned<T: Send + 'static>(_: &T) {}

#[test]
fn public_types_are_send_sync_and_static() {
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Call<ChatCompletion>>();
    shared::<Call<ChatStream>>();
    shared::<Call<Download>>();
    shared::<Response<ChatCompletion>>();
    shared::<RateLimits>();
    shared::<Error>();
    shared::<ErrorKind>();
    shared::<ApiError>();
    shared::<EventStream<Value>>();
    shared::<ChatStream>();
    shared::<Download>();
    shared::<Page<ChatCompletion>>();
    shared::<FileSource>();
    shared::<Form>();
    shared::<HttpError>();
    shared::<HttpErrorKind>();
    shared::<RequestBody>();
    shared::<ResponseBody>();
    shared::<Chat>();
    shared::<Accumulator>();
    shared::<SharedString>();
    shared::<Extra>();
    shared::<sse::Decoder>();
    shared::<sse::Event>();
    shared::<sse::EventTooLarge>();
    fn service<T: HttpService + Send + Sync + 'static>() {}
    service::<reqwest::Client>();
}

#[test]
fn requests_and_replies_are_plain_data() {
    plain_data::<ChatRequest>();
    plain_data::<StoredListRequest>();
    plain_data::<ListRequest>();
    plain_data::<SortOrder>();
    plain_data::<Message>();
    plain_data::<AssistantMessage>();
    plain_data::<Tool>();
    plain_data::<ToolCall>();
    plain_data::<ChatCompletion>();
    plain_data::<ChatChunk>();
    plain_data::<Choice>();
    plain_data::<Usage>();
    plain_data::<Deleted>();
    plain_data::<FileSource>();
}

#[test]
fn calls_can_be_spawned() -> Result<()> {
    let client = Client::builder().base_url("http://localhost").build()?;
    let request = ChatRequest::new("m", [Message::user("hi")]);
    spawned(&client.chat().create(&request).into_future());
    spawned(&client.chat().create(&request).with_response());
    spawned(&client.chat().stream(&request).into_future());
    spawned(&client.chat().stream(request).with_response());
    spawned(&client.chat().list(StoredListRequest::new()).into_future());
    spawned(&client.get::<Value>("models").into_future());
    spawned(&client.post_multipart::<Value>("files", Form::new()).into_future());
    let download = client.download("files/1/content");
    // With what is done to their results, borrows over an await included.
    spawned(&async move {
        let file = download.await?;
        let type_ = file.content_type();
        tokio::task::yield_now().await;
        let _ = type_.is_some();
        file.save_to("x").await
    });
    let stream = client.get_stream::<Value>("events");
    spawned(&async move {
        let mut stream = stream.await?;
        let id = stream.request_id();
        tokio::task::yield_now().await;
        let _ = id.is_some();
        stream.try_next().await
    });
    let page = client.chat().list(StoredListRequest::new());
    spawned(&async move { page.await?.next_page().await });
    Ok(())
}
