//! The requests of responses and conversations.

use futures::future::LocalBoxFuture;
use openai_compatible::Call;
use openai_compatible::chat::{
    Custom, Function, JsonSchema, ModerationRequest, PromptCacheOptions, StreamOptions, Tool,
};
use openai_compatible::conversations::ConversationRequest;
use openai_compatible::responses::{
    ContextManagement, Include, Item, ItemListRequest, PromptTemplate, Reasoning, ResponseGetRequest, ResponseRequest,
    ResponseStream, TextOptions, ToolChoice,
};
use serde_json::{Value, json};

use super::{Case, Played, case, failed, whole};
use crate::spec::Spec;

pub const CASES: &[Case] = &[
    case("createResponse", "minimal", |client| whole(client.responses().create(request()))),
    case("createResponse", "full", |client| whole(client.responses().create(full_request()))),
    case("createResponse", "every item", |client| {
        whole(client.responses().create(ResponseRequest::new("gpt-5", items())))
    }),
    case("createResponse", "every tool", |client| {
        let tools = samples("Tool").into_iter().map(from_json::<openai_compatible::responses::Tool>);
        let request = request().tool_choice("required");
        whole(client.responses().create(request.tools(tools)))
    }),
    case("createResponse", "a conversation", |client| {
        let call = json!({"type": "function_call", "call_id": "c", "name": "now", "arguments": "{}"});
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "noon"});
        let items = [Item::user("What time is it?"), from_json(call), from_json(output)];
        whole(client.responses().create(ResponseRequest::new("gpt-5", items)))
    }),
    case("createResponse", "allowed tools", |client| {
        let allowed = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "now"}]});
        whole(client.responses().create(request().tool_choice(from_json::<ToolChoice>(allowed))))
    }),
    case("createResponse", "a tool of an MCP server", |client| {
        let choice = json!({"type": "mcp", "server_label": "docs", "name": "search"});
        whole(client.responses().create(request().tool_choice(from_json::<ToolChoice>(choice))))
    }),
    case("createResponse", "conversation as an object", |client| {
        whole(client.responses().create(request().extra("conversation", json!({"id": "conv_1"}))))
    }),
    case("createResponse", "stream", |client| stream(client.responses().stream(request()))),
    case("createResponse", "full stream", |client| {
        stream(
            client.responses().stream(full_request().stream_options(StreamOptions::new().include_obfuscation(false))),
        )
    }),
    case("getResponse", "minimal", |client| whole(client.responses().get("resp_1"))),
    case("getResponse", "full stream", |client| {
        let request = ResponseGetRequest::new("resp_1").include([Include::FileSearchResults]);
        stream(client.responses().get_stream(request.starting_after(3).include_obfuscation(false)))
    }),
    case("deleteResponse", "all", |client| whole(client.responses().delete("resp_1"))),
    case("cancelResponse", "all", |client| whole(client.responses().cancel("resp_1"))),
    case("listInputItems", "minimal", |client| whole(client.responses().input_items("resp_1", ItemListRequest::new()))),
    case("listInputItems", "full", |client| whole(client.responses().input_items("resp_1", item_range()))),
    case("Getinputtokencounts", "minimal", |client| whole(client.responses().count_input_tokens(request()))),
    case("Getinputtokencounts", "full", |client| {
        whole(client.responses().count_input_tokens(full_request().extra("personality", "friendly")))
    }),
    case("Getinputtokencounts", "every item", |client| {
        whole(client.responses().count_input_tokens(ResponseRequest::new("gpt-5", items())))
    }),
    case("Getinputtokencounts", "every tool", |client| {
        let tools = samples("Tool").into_iter().map(from_json::<openai_compatible::responses::Tool>);
        let choice = json!({"type": "mcp", "server_label": "docs", "name": "search"});
        let request = request().tools(tools).tool_choice(from_json::<ToolChoice>(choice));
        whole(client.responses().count_input_tokens(request.extra("conversation", json!({"id": "conv_1"}))))
    }),
    case("Getinputtokencounts", "allowed tools", |client| {
        let allowed = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "now"}]});
        let request = request().tool_choice(from_json::<ToolChoice>(allowed));
        whole(client.responses().count_input_tokens(request))
    }),
    case("Compactconversation", "a message", |client| {
        whole(client.responses().compact(full_request().input([Item::user("Hi")])))
    }),
    case("Compactconversation", "full", |client| {
        let request = full_request().input(items());
        whole(client.responses().compact(request))
    }),
    case("createConversation", "minimal", |client| whole(client.conversations().create(ConversationRequest::new()))),
    case("createConversation", "a message", |client| {
        whole(client.conversations().create(ConversationRequest::new().metadata("a", "b").item(Item::user("Hi"))))
    }),
    case("createConversation", "full", |client| {
        let request = ConversationRequest::new().metadata("a", "b");
        whole(client.conversations().create(items().into_iter().fold(request, ConversationRequest::item)))
    }),
    case("getConversation", "all", |client| whole(client.conversations().get("conv_1"))),
    case("updateConversation", "all", |client| {
        whole(client.conversations().update("conv_1", &[("a".to_owned(), "b".to_owned())].into()))
    }),
    case("deleteConversation", "all", |client| whole(client.conversations().delete("conv_1"))),
    case("createConversationItems", "a message", |client| {
        whole(client.conversations().items("conv_1").create([Item::user("Hi")]))
    }),
    case("createConversationItems", "full", |client| {
        let items_of = client.conversations().items("conv_1").include([Include::FileSearchResults]);
        whole(items_of.create(items()))
    }),
    case("listConversationItems", "minimal", |client| {
        whole(client.conversations().items("conv_1").list(ItemListRequest::new()))
    }),
    case("listConversationItems", "full", |client| whole(client.conversations().items("conv_1").list(item_range()))),
    case("getConversationItem", "all", |client| {
        whole(client.conversations().items("conv_1").include([Include::FileSearchResults]).get("msg_1"))
    }),
    case("deleteConversationItem", "all", |client| whole(client.conversations().items("conv_1").delete("msg_1"))),
];

fn request() -> ResponseRequest {
    ResponseRequest::new("gpt-5", "Name three rivers.")
}

fn item_range() -> ItemListRequest {
    ItemListRequest::new().after("msg_0").limit(2).order("asc").include([Include::WebSearchSources])
}

fn full_request() -> ResponseRequest {
    let schema = JsonSchema::new("rivers").description("Rivers.").schema(json!({"type": "object"})).strict(true);
    let reasoning =
        Reasoning::new().effort("low").summary("auto").context("auto").mode("standard").generate_summary("auto");
    let prompt = PromptTemplate::new("pmpt_1").version("2").variable("city", "Oslo");
    let image = json!({"type": "input_image", "image_url": "https://example.com/a.png", "file_id": "file_1", "detail": "low", "prompt_cache_breakpoint": {"mode": "explicit"}});
    let file = json!({"type": "input_file", "file_id": "file_1", "filename": "a.txt", "file_data": "data:,", "file_url": "https://example.com/a.txt", "detail": "low"});
    let text = json!({"type": "input_text", "text": "Oslo"});
    request()
        .instructions("Be brief.")
        .background(false)
        .context_management([ContextManagement::compaction(1000)])
        .conversation("conv_1")
        .include([Include::ReasoningEncryptedContent, Include::OutputTextLogprobs])
        .max_output_tokens(100)
        .max_tool_calls(3)
        .metadata("a", "b")
        .moderation(ModerationRequest::new("omni-moderation-latest").input("score").output("block"))
        .parallel_tool_calls(true)
        .previous_response_id("resp_0")
        .prompt(prompt.variable("image", image).variable("file", file).variable("text", text))
        .prompt_cache_key("rivers")
        .prompt_cache_options(PromptCacheOptions::new().ttl("30m").mode("explicit"))
        .prompt_cache_retention("24h")
        .reasoning(reasoning)
        .safety_identifier("7")
        .service_tier("flex")
        .store(false)
        .temperature(0.5)
        .text(TextOptions::new().format(schema).verbosity("low"))
        .tool_choice(ToolChoice::function("now"))
        .tools([Tool::from(Function::new("now")), Custom::new("sql").into()])
        .top_logprobs(2)
        .top_p(0.5)
        .truncation("auto")
        .user("7")
}

fn samples(schema: &str) -> Vec<Value> {
    let spec = Spec::read();
    spec.samples(spec.schema(schema))
}

fn items() -> Vec<Item> {
    samples("InputItem").into_iter().map(from_json).collect()
}

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a sample is read")
}

/// Streams of responses have a type of their own, which ends with its last event.
fn stream(call: Call<ResponseStream>) -> LocalBoxFuture<'static, Played> {
    Box::pin(async {
        let mut events = match call.await {
            Ok(events) => events,
            Err(error) => return failed(error),
        };
        let mut played = Played { headers: events.headers().clone(), ..Played::default() };
        loop {
            match events.try_next().await {
                Ok(Some(event)) => played.read.push(format!("{event:?}")),
                Ok(None) => return played,
                Err(error) => return Played { error: Some(error), ..played },
            }
        }
    })
}
