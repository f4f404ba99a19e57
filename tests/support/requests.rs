//! Every operation as the client sends it: minimal, with all its fields set by setters, and in the other shapes that
//! the contract knows. What sends them, and what is looked at, is the business of the tests.

#![allow(dead_code, reason = "each test binary compiles this module for itself and uses a part of it")]
#![allow(unreachable_pub, reason = "nothing in a test binary can be reached from outside")]

#[path = "responses.rs"]
mod responses;

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::future::LocalBoxFuture;
use http::HeaderMap;
use openai_compatible::audio::{
    ServerVad, SpeechRequest, TranscriptionRequest, TranslationRequest, Voice, VoiceConsentRequest, VoiceRequest,
};
use openai_compatible::batches::BatchRequest;
use openai_compatible::chat::{
    AssistantMessage, ChatRequest, Custom, Function, FunctionCall, JsonSchema, Location, Message, ModerationRequest,
    Part, PromptCacheOptions, ResponseFormat, StoredListRequest, StreamOptions, Tool, ToolCall, ToolChoice,
    WebSearchOptions,
};
use openai_compatible::completions::CompletionRequest;
use openai_compatible::embeddings::EmbeddingRequest;
use openai_compatible::files::{FileListRequest, FileRequest, Purpose};
use openai_compatible::images::{ImageEditRequest, ImageInput, ImageRequest, ImageVariationRequest};
use openai_compatible::{Call, Client, Download, Error, EventStream, FileSource, ListRequest};
use serde_json::json;

/// One request of an operation.
pub struct Case {
    /// Its `operationId`.
    pub operation: &'static str,
    /// Which of the operation's requests it is.
    pub name: &'static str,
    /// Sends it and reads the reply to its end.
    pub play: fn(&Client) -> LocalBoxFuture<'static, Played>,
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Played {
    /// Headers of the reply.
    pub headers: HeaderMap,
    /// What was read: one value, or the items of a stream; as `Debug` shows them.
    pub read: Vec<String>,
    /// What went wrong.
    pub error: Option<Error>,
}

/// What `Debug` shows of members that found no field, and of kinds and words that found no variant.
pub fn leftover(debug: &str) -> Option<String> {
    // A missing value of a set is empty.
    let debug = &debug.replace("Other(\"\")", "");
    let place = ["extra: {\"", "Other("].iter().find_map(|mark| debug.find(mark))?;
    Some(debug[place..].chars().take(80).collect())
}

/// All cases.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(responses::CASES)
}

const CASES: &[Case] = &[
    // audio
    case("createSpeech", "minimal", |client| file(client.audio().speak(speech()))),
    case("createSpeech", "full", |client| file(client.audio().speak(full_speech()))),
    case("createSpeech", "stream", |client| stream(client.audio().speak_stream(speech()))),
    case("createSpeech", "full stream", |client| stream(client.audio().speak_stream(full_speech()))),
    case("createTranscription", "minimal", |client| whole(client.audio().transcribe(transcription()))),
    case("createTranscription", "full", |client| whole(client.audio().transcribe(full_transcription()))),
    case("createTranscription", "server VAD", |client| {
        let vad = ServerVad::new().prefix_padding_ms(300).silence_duration_ms(200).threshold(0.5);
        whole(client.audio().transcribe(transcription().chunking_strategy(vad)))
    }),
    case("createTranscription", "verbose", |client| whole(client.audio().transcribe_verbose(transcription()))),
    case("createTranscription", "diarized", |client| whole(client.audio().transcribe_diarized(transcription()))),
    case("createTranscription", "text", |client| whole(client.audio().transcribe_text(transcription(), "srt"))),
    case("createTranscription", "stream", |client| stream(client.audio().transcribe_stream(full_transcription()))),
    case("createTranscription", "diarized stream", |client| {
        stream(client.audio().transcribe_diarized_stream(transcription()))
    }),
    case("createTranslation", "minimal", |client| whole(client.audio().translate(translation()))),
    case("createTranslation", "full", |client| {
        whole(client.audio().translate_verbose(translation().prompt("Rivers.").temperature(0.5)))
    }),
    case("createTranslation", "text", |client| whole(client.audio().translate_text(translation(), "vtt"))),
    case("createVoiceConsent", "all", |client| {
        whole(client.audio().voice_consents().create(VoiceConsentRequest::new("Ada", recording(), "en-US")))
    }),
    case("listVoiceConsents", "minimal", |client| whole(client.audio().voice_consents().list(ListRequest::new()))),
    case("listVoiceConsents", "full", |client| {
        whole(client.audio().voice_consents().list(ListRequest::new().after("cons_1").limit(2)))
    }),
    case("getVoiceConsent", "all", |client| whole(client.audio().voice_consents().get("cons_1"))),
    case("updateVoiceConsent", "all", |client| whole(client.audio().voice_consents().update("cons_1", "Ada"))),
    case("deleteVoiceConsent", "all", |client| whole(client.audio().voice_consents().delete("cons_1"))),
    case("createVoice", "all", |client| {
        whole(client.audio().voices().create(VoiceRequest::new("Ada", recording(), "cons_1")))
    }),
    // batches
    case("createBatch", "minimal", |client| whole(client.batches().create(batch()))),
    case("createBatch", "full", |client| {
        let request = batch().completion_window("24h").metadata("run", "7").output_expires_after(3600);
        whole(client.batches().create(request))
    }),
    case("listBatches", "minimal", |client| whole(client.batches().list(ListRequest::new()))),
    case("listBatches", "full", |client| whole(client.batches().list(ListRequest::new().after("batch_1").limit(2)))),
    case("retrieveBatch", "all", |client| whole(client.batches().get("batch_1"))),
    case("cancelBatch", "all", |client| whole(client.batches().cancel("batch_1"))),
    // chat
    case("createChatCompletion", "minimal", |client| whole(client.chat().create(chat()))),
    case("createChatCompletion", "full", |client| {
        let chat = client.chat();
        Box::pin(async move { whole(chat.create(full_chat().await)).await })
    }),
    case("createChatCompletion", "other shapes", |client| whole(client.chat().create(other_chat()))),
    case("createChatCompletion", "more shapes", |client| whole(client.chat().create(more_chat()))),
    case("createChatCompletion", "stream", |client| stream(client.chat().stream(chat()))),
    case("createChatCompletion", "full stream", |client| {
        let chat = client.chat();
        Box::pin(async move { stream(chat.stream(full_chat().await)).await })
    }),
    case("listChatCompletions", "minimal", |client| whole(client.chat().list(StoredListRequest::new()))),
    case("listChatCompletions", "full", |client| {
        let request =
            StoredListRequest::new().model("m").metadata("run", "7").after("chatcmpl_1").limit(2).order("asc");
        whole(client.chat().list(request))
    }),
    case("getChatCompletion", "all", |client| whole(client.chat().get("chatcmpl_1"))),
    case("updateChatCompletion", "all", |client| {
        whole(client.chat().update("chatcmpl_1", &BTreeMap::from([("run".to_owned(), "7".to_owned())])))
    }),
    case("deleteChatCompletion", "all", |client| whole(client.chat().delete("chatcmpl_1"))),
    case("getChatCompletionMessages", "minimal", |client| {
        whole(client.chat().messages("chatcmpl_1", ListRequest::new()))
    }),
    case("getChatCompletionMessages", "full", |client| {
        whole(client.chat().messages("chatcmpl_1", ListRequest::new().after("msg_1").limit(2).order("desc")))
    }),
    // completions
    case("createCompletion", "minimal", |client| whole(client.completions().create(completion("Hello")))),
    case("createCompletion", "full", |client| whole(client.completions().create(full_completion()))),
    case("createCompletion", "texts", |client| whole(client.completions().create(completion(["a", "b"])))),
    case("createCompletion", "tokens", |client| whole(client.completions().create(completion([1, 2])))),
    case("createCompletion", "token lists", |client| {
        whole(client.completions().create(completion([vec![1, 2], vec![3]]).stop(["\n", "."])))
    }),
    case("createCompletion", "stream", |client| stream(client.completions().stream(completion("Hello")))),
    case("createCompletion", "full stream", |client| stream(client.completions().stream(full_completion()))),
    // embeddings
    case("createEmbedding", "minimal", |client| whole(client.embeddings().create(embedding("red")))),
    case("createEmbedding", "full", |client| {
        let request = embedding(["red", "green"]).encoding_format("float").dimensions(256).user("u");
        whole(client.embeddings().create(request))
    }),
    case("createEmbedding", "tokens", |client| whole(client.embeddings().create(embedding([1, 2])))),
    case("createEmbedding", "token lists", |client| {
        whole(client.embeddings().create(embedding([vec![1, 2], vec![3]]).encoding_format("base64")))
    }),
    // files
    case("createFile", "minimal", |client| whole(client.files().upload(lines(), Purpose::Batch))),
    case("createFile", "full", |client| {
        whole(client.files().create(FileRequest::new(lines(), Purpose::FineTune).expires_after(3600)))
    }),
    case("listFiles", "minimal", |client| whole(client.files().list(FileListRequest::new()))),
    case("listFiles", "full", |client| {
        let request = FileListRequest::new().purpose(Purpose::Batch).after("file-1").limit(2).order("asc");
        whole(client.files().list(request))
    }),
    case("retrieveFile", "all", |client| whole(client.files().get("file-1"))),
    case("deleteFile", "all", |client| whole(client.files().delete("file-1"))),
    case("downloadFile", "all", |client| file(client.files().content("file-1"))),
    // images
    case("createImage", "minimal", |client| whole(client.images().generate(image()))),
    case("createImage", "full", |client| whole(client.images().generate(full_image()))),
    case("createImage", "stream", |client| stream(client.images().generate_stream(image()))),
    case("createImage", "full stream", |client| stream(client.images().generate_stream(full_image()))),
    case("createImageEdit", "minimal form", |client| whole(client.images().edit(edit([png("a.png")])))),
    case("createImageEdit", "full form", |client| whole(client.images().edit(full_edit_form()))),
    case("createImageEdit", "minimal JSON", |client| {
        whole(client.images().edit(edit([ImageInput::file_id("file-1")])))
    }),
    case("createImageEdit", "full JSON", |client| whole(client.images().edit(full_edit_json()))),
    case("createImageEdit", "form stream", |client| stream(client.images().edit_stream(full_edit_form()))),
    case("createImageEdit", "JSON stream", |client| {
        let mask = ImageInput::url("https://example.org/mask.png");
        stream(client.images().edit_stream(full_edit_json().mask(mask)))
    }),
    case("createImageVariation", "minimal", |client| whole(client.images().variation(variation()))),
    case("createImageVariation", "full", |client| {
        let request = variation().n(2).response_format("b64_json").size("256x256").user("u");
        whole(client.images().variation(request))
    }),
    // models
    case("listModels", "all", |client| whole(client.models().list())),
    case("retrieveModel", "all", |client| whole(client.models().get("m"))),
    case("deleteModel", "all", |client| whole(client.models().delete("ft:m:acme::1"))),
];

const fn case(
    operation: &'static str,
    name: &'static str,
    play: fn(&Client) -> LocalBoxFuture<'static, Played>,
) -> Case {
    Case { operation, name, play }
}

// ---- What sends ----

fn whole<T: Debug + 'static>(call: Call<T>) -> LocalBoxFuture<'static, Played> {
    Box::pin(async {
        match call.with_response().await {
            Ok(reply) => {
                Played { headers: reply.headers().clone(), read: vec![format!("{:?}", reply.value())], error: None }
            }
            Err(error) => failed(error),
        }
    })
}

fn stream<T: Debug + 'static>(call: Call<EventStream<T>>) -> LocalBoxFuture<'static, Played> {
    Box::pin(async {
        // Servers go by the body; the mock goes by this header.
        let mut items = match call.header("accept", "text/event-stream").await {
            Ok(items) => items,
            Err(error) => return failed(error),
        };
        let mut played = Played { headers: items.headers().clone(), ..Played::default() };
        loop {
            match items.try_next().await {
                Ok(Some(item)) => played.read.push(format!("{item:?}")),
                Ok(None) => return played,
                Err(error) => return Played { error: Some(error), ..played },
            }
        }
    })
}

fn file(call: Call<Download>) -> LocalBoxFuture<'static, Played> {
    Box::pin(async {
        let file = match call.await {
            Ok(file) => file,
            Err(error) => return failed(error),
        };
        let headers = file.headers().clone();
        match file.bytes().await {
            Ok(bytes) => Played { headers, read: vec![format!("{} bytes", bytes.len())], error: None },
            Err(error) => Played { headers, ..failed(error) },
        }
    })
}

fn failed(error: Error) -> Played {
    Played { headers: error.headers().cloned().unwrap_or_default(), read: vec![], error: Some(error) }
}

// ---- What is sent ----

fn recording() -> FileSource {
    FileSource::bytes("talk.wav", "RIFF")
}

fn lines() -> FileSource {
    FileSource::bytes("in.jsonl", "{}\n")
}

fn png(name: &str) -> FileSource {
    FileSource::bytes(name.to_owned(), "PNG")
}

fn speech() -> SpeechRequest {
    SpeechRequest::new("tts-1", "Mind the gap.", "alloy")
}

fn full_speech() -> SpeechRequest {
    let voice = Voice::custom("voice_1");
    SpeechRequest::new("tts-1", "Mind the gap.", voice).instructions("Calmly.").response_format("wav").speed(1.25)
}

fn transcription() -> TranscriptionRequest {
    TranscriptionRequest::new("whisper-1", recording())
}

fn full_transcription() -> TranscriptionRequest {
    transcription()
        .language("en")
        .languages(["en", "de"])
        .keywords(["gap"])
        .prompt("Trains.")
        .temperature(0.5)
        .include(["logprobs"])
        .timestamp_granularities(["word", "segment"])
        .chunking_strategy("auto")
        .known_speaker("Ada", "data:audio/wav;base64,UklGRg==")
}

fn translation() -> TranslationRequest {
    TranslationRequest::new("whisper-1", recording())
}

fn batch() -> BatchRequest {
    BatchRequest::new("file-1", "/v1/chat/completions")
}

fn chat() -> ChatRequest {
    ChatRequest::new("gpt-5", [Message::user("Name three rivers.")])
}

async fn full_chat() -> ChatRequest {
    let pdf = Part::file(FileSource::bytes("a.pdf", "PDF")).await.expect("bytes can be read");
    let said = AssistantMessage::new()
        .content([Part::text("Let me see."), Part::refusal("No.")])
        .refusal("No.")
        .name("model")
        .audio("audio_1")
        .tool_calls([ToolCall::function("call_1", "weather", "{}"), ToolCall::custom("call_2", "shell", "ls")])
        .function_call(FunctionCall::new("weather", "{}"));
    let messages = [
        Message::developer([Part::text("Be brief.").cache_breakpoint()]).name("dev"),
        Message::system([Part::text("Be brief.")]).name("sys"),
        Message::user([
            Part::text("What is this?").cache_breakpoint(),
            Part::image_url("https://example.org/cat.png").detail("low").cache_breakpoint(),
            Part::audio("RIFF", "wav").cache_breakpoint(),
            Part::file_id("file-1").cache_breakpoint(),
            pdf,
        ])
        .name("Ada"),
        Message::from(said),
        Message::tool("call_1", [Part::text("Rain.")]),
        Message::function("weather", "Rain."),
    ];
    let schema = json!({"type": "object", "properties": {}});
    ChatRequest::new("gpt-5", messages)
        .audio("alloy", "mp3")
        .frequency_penalty(0.5)
        .function_call(json!({"name": "weather"}))
        .functions([Function::new("weather").description("The weather").parameters(schema.clone())])
        .logit_bias(50256, -100)
        .logprobs(true)
        .max_completion_tokens(100)
        .max_tokens(100)
        .metadata("run", "7")
        .modalities(["text", "audio"])
        .moderation(ModerationRequest::new("omni-moderation-latest").input("score").output("block"))
        .n(2)
        .parallel_tool_calls(true)
        .prediction([Part::text("fn main() {}").cache_breakpoint()])
        .presence_penalty(0.5)
        .prompt_cache_key("k")
        .prompt_cache_options(PromptCacheOptions::new().ttl("30m").mode("explicit"))
        .prompt_cache_retention("24h")
        .reasoning_effort("low")
        .response_format(JsonSchema::new("answer").description("The answer").schema(schema.clone()).strict(true))
        .safety_identifier("s")
        .seed(7)
        .service_tier("flex")
        .stop(["\n", "."])
        .store(true)
        .stream_options(StreamOptions::new().include_usage(true).include_obfuscation(false))
        .temperature(0.5)
        .tool_choice(ToolChoice::allowed("auto", ["weather"]))
        .tools([
            Function::new("weather").description("The weather").parameters(schema).strict(true).into(),
            Tool::from(Custom::new("shell").description("Runs a command").grammar("regex", "[a-z]+")),
        ])
        .top_logprobs(2)
        .top_p(0.5)
        .user("u")
        .verbosity("low")
        .web_search_options(
            WebSearchOptions::new()
                .search_context_size("low")
                .user_location(Location::new().country("NO").region("Oslo").city("Oslo").timezone("Europe/Oslo")),
        )
}

fn other_chat() -> ChatRequest {
    chat()
        .message(Message::assistant("The Rhine."))
        .audio(Voice::custom("voice_1"), "wav")
        .function_call("auto")
        .moderation("omni-moderation-latest")
        .prediction("The Nile.")
        .response_format(ResponseFormat::json_object())
        .stop("\n")
        .tool_choice(ToolChoice::function("weather"))
        .tools([Tool::custom("shell", "Runs a command")])
}

fn more_chat() -> ChatRequest {
    let shell = Custom::new("shell").format(json!({"type": "text"}));
    chat()
        .response_format(ResponseFormat::text())
        .tool_choice(ToolChoice::Custom("shell".to_owned()))
        .tools([Tool::from(shell)])
}

fn completion(prompt: impl Into<openai_compatible::completions::Prompt>) -> CompletionRequest {
    CompletionRequest::new("babbage-002", prompt)
}

fn full_completion() -> CompletionRequest {
    completion("Hello")
        .best_of(2)
        .echo(true)
        .frequency_penalty(0.5)
        .logit_bias(50256, -100)
        .logprobs(2)
        .max_tokens(10)
        .n(2)
        .presence_penalty(0.5)
        .seed(7)
        .stop("\n")
        .stream_options(StreamOptions::new().include_usage(true).include_obfuscation(false))
        .suffix("!")
        .temperature(0.5)
        .top_p(0.5)
        .user("u")
}

fn embedding(input: impl Into<openai_compatible::embeddings::EmbeddingInput>) -> EmbeddingRequest {
    EmbeddingRequest::new("text-embedding-3-small", input)
}

fn image() -> ImageRequest {
    ImageRequest::new("gpt-image-1", "A lighthouse in fog.")
}

fn full_image() -> ImageRequest {
    image()
        .background("transparent")
        .moderation("low")
        .n(2)
        .output_compression(80)
        .output_format("webp")
        .partial_images(1)
        .quality("high")
        .response_format("b64_json")
        .size("1024x1024")
        .style("vivid")
        .user("u")
}

fn edit(images: impl IntoIterator<Item = impl Into<ImageInput>>) -> ImageEditRequest {
    ImageEditRequest::new("gpt-image-1", "A hat.", images)
}

fn full_edit_form() -> ImageEditRequest {
    full_edit(edit([png("a.png"), png("b.png")]).mask(png("mask.png"))).response_format("b64_json")
}

/// An image by id or by address, and no format of the reply: as JSON the contract knows none.
fn full_edit_json() -> ImageEditRequest {
    let images = [ImageInput::file_id("file-1"), ImageInput::url("https://example.org/cat.png")];
    full_edit(edit(images).mask(ImageInput::file_id("file-2")).moderation("low"))
}

fn full_edit(request: ImageEditRequest) -> ImageEditRequest {
    request
        .background("opaque")
        .input_fidelity("high")
        .n(2)
        .output_compression(80)
        .output_format("jpeg")
        .partial_images(1)
        .quality("high")
        .size("1024x1024")
        .user("u")
}

fn variation() -> ImageVariationRequest {
    ImageVariationRequest::new("dall-e-2", png("a.png"))
}
