//! Speech and transcription: multipart forms, every response format, events, voices.

mod support;

use openai_compatible::audio::{
    ChunkingStrategy, ServerVad, SpeechEvent, SpeechFormat, SpeechRequest, TextFormat, TranscriptionEvent,
    TranscriptionRequest, TranscriptionUsage, TranslationRequest, Voice, VoiceConsentRequest, VoiceRequest,
};
use openai_compatible::{Client, ErrorKind, EventStream, FileSource, ListRequest};
use serde_json::{Value, json};
use support::{Reply, Server, fixture_json, pairs};

fn client(server: &Server) -> Client {
    Client::builder().base_url(server.base_url()).build().unwrap()
}

fn wav() -> FileSource {
    FileSource::bytes("x.wav", "RIFF")
}

fn whisper() -> TranscriptionRequest {
    TranscriptionRequest::new("whisper-1", wav())
}

fn text(text: &str) -> Reply {
    Reply::status(200).header("content-type", "text/plain; charset=utf-8").body(text.to_owned())
}

fn events(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

/// Collects the items of a stream and the error that ended it.
async fn drain<T>(mut stream: EventStream<T>) -> (Vec<T>, Option<openai_compatible::Error>) {
    let mut items = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error)),
        }
    }
}

#[tokio::test]
async fn transcription_form_matches_the_official_clients() {
    let server = Server::start([Reply::ok_json(&json!({ "text": "Hello." }))]).await;
    let request = whisper().timestamp_granularities(["word", "segment"]).temperature(0.5);
    client(&server).audio().transcribe(&request).await.unwrap();

    let vectors = fixture_json("vectors/requests.json");
    let cases = vectors["cases"].as_array().unwrap();
    let expected = cases.iter().find(|case| case["name"] == "transcription_array_field").unwrap()["expect"].clone();
    let sent = &server.requests()[0];
    assert_eq!(sent.method, "POST");
    assert_eq!(sent.target, "/v1/audio/transcriptions");
    assert_eq!(Value::from(sent.form_vectors()), expected["multipart"]);
}

#[tokio::test]
async fn every_transcription_field_is_sent_in_the_form() {
    let server = Server::start([Reply::ok_json(&json!({ "text": "" }))]).await;
    let request = whisper()
        .language("en")
        .languages(["en", "de"])
        .keywords(["Ada"])
        .prompt("Über \"uns\"")
        .include(["logprobs"])
        .chunking_strategy(ServerVad::new().prefix_padding_ms(300).silence_duration_ms(200).threshold(0.5))
        .known_speaker("ada", wav().data_url().await.unwrap())
        .extra("vad_filter", true);
    client(&server).audio().transcribe(&request).await.unwrap();
    assert_eq!(
        server.requests()[0].form_fields(),
        pairs(&[
            ("chunking_strategy[prefix_padding_ms]", "300"),
            ("chunking_strategy[silence_duration_ms]", "200"),
            ("chunking_strategy[threshold]", "0.5"),
            ("chunking_strategy[type]", "server_vad"),
            ("include[]", "logprobs"),
            ("keywords[]", "Ada"),
            ("known_speaker_names[]", "ada"),
            ("known_speaker_references[]", "data:audio/x-wav;base64,UklGRg=="),
            ("language", "en"),
            ("languages[]", "en"),
            ("languages[]", "de"),
            ("model", "whisper-1"),
            ("prompt", "Über \"uns\""),
            ("vad_filter", "true"),
            ("file", "RIFF"),
        ])
    );
}

#[tokio::test]
async fn method_overrides_format_and_stream_in_extra() {
    let done = r#"data: {"type":"transcript.text.done","text":""}"#.to_owned() + "\n\n";
    let complete = Reply::ok_json(&json!({ "text": "" }));
    let server = Server::start([
        complete.clone(),
        complete.clone(),
        complete.clone(),
        text(""),
        Reply::sse(&done),
        Reply::sse(&done),
        complete.clone(),
        complete,
        text(""),
    ])
    .await;
    let audio = client(&server).audio();
    let request = whisper().extra("response_format", "xml").extra("stream", "perhaps");
    audio.transcribe(&request).await.unwrap();
    audio.transcribe_verbose(&request).await.unwrap();
    audio.transcribe_diarized(&request).await.unwrap();
    audio.transcribe_text(&request, "lrc").await.unwrap();
    drain(audio.transcribe_stream(&request).await.unwrap()).await;
    drain(audio.transcribe_diarized_stream(&request).await.unwrap()).await;
    let request = TranslationRequest::new("whisper-1", wav()).extra("response_format", "xml").extra("stream", true);
    audio.translate(&request).await.unwrap();
    audio.translate_verbose(&request).await.unwrap();
    audio.translate_text(&request, TextFormat::Srt).await.unwrap();

    let sent = server.requests().into_iter().map(|request| {
        let fields = request.form_fields();
        fields.into_iter().filter(|(name, _)| !["model", "file"].contains(&name.as_str())).collect::<Vec<_>>()
    });
    let expected = [
        pairs(&[]),
        pairs(&[("response_format", "verbose_json")]),
        pairs(&[("response_format", "diarized_json")]),
        pairs(&[("response_format", "lrc")]),
        pairs(&[("stream", "true")]),
        pairs(&[("response_format", "diarized_json"), ("stream", "true")]),
        pairs(&[]),
        pairs(&[("response_format", "verbose_json")]),
        pairs(&[("response_format", "srt")]),
    ];
    assert_eq!(sent.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn one_shot_reader_is_uploaded() {
    let server = Server::start([Reply::ok_json(&json!({ "text": "Hello." }))]).await;
    let request = TranscriptionRequest::new("whisper-1", FileSource::reader("x.wav", &b"RIFF"[..]));
    client(&server).audio().transcribe(&request).await.unwrap();
    assert_eq!(server.requests()[0].form_fields(), pairs(&[("model", "whisper-1"), ("file", "RIFF")]));
}

#[tokio::test(start_paused = true)]
async fn upload_is_resent_completely_after_status_503() {
    let server = Server::start([Reply::status(503), Reply::ok_json(&json!({ "text": "Hello." }))]).await;
    let response = client(&server).audio().transcribe(whisper()).with_response().await.unwrap();
    assert_eq!(response.attempts(), 2);
    let requests = server.requests();
    assert_eq!(requests[0].form_fields(), pairs(&[("model", "whisper-1"), ("file", "RIFF")]));
    assert_eq!(requests[0].form_fields(), requests[1].form_fields());
}

#[tokio::test]
async fn empty_model_fails_before_sending() {
    let server = Server::start([Reply::status(500)]).await;
    let audio = client(&server).audio();
    let errors = [
        audio.transcribe(TranscriptionRequest::new("", wav())).await.unwrap_err(),
        audio.translate(TranslationRequest::new("", wav())).await.unwrap_err(),
        audio.speak(SpeechRequest::new("", "Hi.", "alloy")).await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Config));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn transcription_exposes_languages_logprobs_and_usage() {
    let server = Server::start([Reply::ok_json(&json!({
        "text": "Hello.",
        "languages": [{ "code": "en" }],
        "logprobs": [{ "token": "Hello", "logprob": -0.1, "bytes": [72, 101] }],
        "usage": {
            "type": "tokens", "input_tokens": 14, "input_token_details": { "text_tokens": 0, "audio_tokens": 14 },
            "output_tokens": 45, "total_tokens": 59,
        },
        "x_groq": { "id": "req_1" },
    }))])
    .await;
    let transcription = client(&server).audio().transcribe(whisper()).await.unwrap();
    assert_eq!(transcription.text, "Hello.");
    assert_eq!(transcription.languages[0].code, "en");
    let logprob = &transcription.logprobs.unwrap()[0];
    assert_eq!((logprob.token.as_str(), logprob.logprob, logprob.bytes.as_deref()), ("Hello", -0.1, Some(&b"He"[..])));
    let usage = transcription.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (Some(14), Some(45), Some(59)));
    assert_eq!(usage.input_token_details.unwrap().audio_tokens, 14);
    assert_eq!(transcription.extra.get("x_groq"), Some(&json!({ "id": "req_1" })));
}

#[test]
fn transcription_usage_decodes_with_and_without_type() {
    let read = |usage: Value| serde_json::from_value::<TranscriptionUsage>(usage).unwrap();
    let typed = read(json!({ "type": "duration", "seconds": 9 }));
    assert_eq!((typed.type_.as_deref(), typed.seconds, typed.total_tokens), (Some("duration"), Some(9.0), None));
    let untyped = read(json!({ "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 }));
    assert_eq!((untyped.type_, untyped.seconds, untyped.total_tokens), (None, None, Some(3)));
}

#[tokio::test]
async fn verbose_transcription_exposes_words_and_segments() {
    let server = Server::start([Reply::ok_json(&json!({
        "task": "transcribe", "language": "english", "duration": 8.47, "text": "The beach.",
        "words": [{ "word": "The", "start": 0.0, "end": 0.24 }],
        "segments": [{
            "id": 3, "seek": 0, "start": 0.0, "end": 3.32, "text": " The beach.", "tokens": [50364, 440],
            "temperature": 0.0, "avg_logprob": -0.28, "compression_ratio": 1.23, "no_speech_prob": 0.009,
        }],
        "usage": { "type": "duration", "seconds": 9 },
    }))])
    .await;
    let transcription = client(&server).audio().transcribe_verbose(whisper()).await.unwrap();
    assert_eq!(
        (transcription.task.as_deref(), transcription.language.as_deref()),
        (Some("transcribe"), Some("english"))
    );
    assert_eq!((transcription.duration, transcription.text.as_str()), (Some(8.47), "The beach."));
    assert_eq!((transcription.words[0].word.as_str(), transcription.words[0].end), ("The", 0.24));
    let segment = &transcription.segments[0];
    assert_eq!((segment.id.as_str(), segment.end, segment.text.as_str()), ("3", 3.32, " The beach."));
    assert_eq!((segment.tokens.as_slice(), segment.avg_logprob), (&[50364, 440][..], Some(-0.28)));
    assert!(segment.extra.is_empty() && transcription.extra.is_empty());
    assert_eq!(transcription.usage.unwrap().seconds, Some(9.0));
}

#[tokio::test]
async fn verbose_transcriptions_of_other_servers_decode() {
    let server = Server::start([
        // Older whisper servers and vLLM
        Reply::ok_json(&json!({ "text": "a", "duration": "5.0", "words": null, "segments": [{ "id": "seg_0" }] })),
        // LocalAI
        Reply::ok_json(&json!({ "text": "a", "words": [{ "text": "a", "start": 1, "end": 2 }], "segments": null })),
        // Mistral
        Reply::ok_json(&json!({
            "model": "voxtral", "text": "a", "language": null,
            "segments": [{ "type": "transcription_segment", "text": "a", "start": 0.8, "end": 1.5 }],
            "usage": { "prompt_audio_seconds": 4, "prompt_tokens": 4, "total_tokens": 407, "completion_tokens": 35 },
        })),
    ])
    .await;
    let audio = client(&server).audio();

    let whisper_like = audio.transcribe_verbose(whisper()).await.unwrap();
    assert_eq!((whisper_like.duration, whisper_like.segments[0].id.as_str()), (Some(5.0), "seg_0"));
    assert!(whisper_like.words.is_empty());

    let local_ai = audio.transcribe_verbose(whisper()).await.unwrap();
    assert_eq!((local_ai.words[0].word.as_str(), local_ai.words[0].start), ("a", 1.0));
    assert!(local_ai.words[0].extra.is_empty());

    let mistral = audio.transcribe_verbose(whisper()).await.unwrap();
    assert_eq!((mistral.language, mistral.segments[0].start), (None, 0.8));
    let usage = mistral.usage.unwrap();
    assert_eq!((usage.total_tokens, usage.extra.get("prompt_audio_seconds")), (Some(407), Some(&json!(4))));
}

#[tokio::test]
async fn diarized_transcription_exposes_speakers() {
    let server = Server::start([Reply::ok_json(&json!({
        "task": "transcribe", "duration": 27.4, "text": "Agent: Hi.",
        "segments": [{
            "type": "transcript.text.segment", "id": "seg_001", "start": 0.0, "end": 4.7, "text": "Hi.", "speaker": "agent",
        }],
        "usage": { "type": "duration", "seconds": 28 },
    }))])
    .await;
    let transcription = client(&server).audio().transcribe_diarized(whisper()).await.unwrap();
    assert_eq!((transcription.duration, transcription.text.as_str()), (Some(27.4), "Agent: Hi."));
    let segment = &transcription.segments[0];
    assert_eq!((segment.id.as_str(), segment.speaker.as_str(), segment.text.as_str()), ("seg_001", "agent", "Hi."));
}

#[tokio::test]
async fn plain_text_response_is_returned_unchanged() {
    let subtitles = "\u{feff}WEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\n Hi.\r\n\r\n";
    let server = Server::start([text(" Hello.\n"), text(subtitles), text("\"Hi\"")]).await;
    let audio = client(&server).audio();
    assert_eq!(audio.transcribe_text(whisper(), TextFormat::Text).await.unwrap(), " Hello.\n");
    assert_eq!(audio.transcribe_text(whisper(), TextFormat::Vtt).await.unwrap(), subtitles);
    assert_eq!(audio.transcribe_text(whisper(), TextFormat::Text).await.unwrap(), "\"Hi\"");
}

#[tokio::test]
async fn text_in_json_is_unwrapped_except_for_other_formats() {
    let wrapped = json!({ "text": " Hi." });
    let server =
        Server::start([Reply::ok_json(&wrapped), Reply::ok_json(&json!(" Hi.")), Reply::ok_json(&wrapped)]).await;
    let audio = client(&server).audio();
    assert_eq!(audio.transcribe_text(whisper(), TextFormat::Text).await.unwrap(), " Hi.");
    assert_eq!(audio.transcribe_text(whisper(), TextFormat::Text).await.unwrap(), " Hi.");
    assert_eq!(audio.transcribe_text(whisper(), "json").await.unwrap(), wrapped.to_string());
}

#[tokio::test]
async fn error_body_instead_of_text_is_an_error() {
    let error = json!({ "error": { "message": "no such model" } });
    let server = Server::start([
        Reply::ok_json(&error),
        text(&error.to_string()),
        Reply::ok_json(&error),
        Reply::status(200).header("content-type", "text/html").body("<h1>hello</h1>"),
    ])
    .await;
    let audio = client(&server).audio();
    for format in [TextFormat::Text, TextFormat::Srt, "lrc".into()] {
        let error = audio.transcribe_text(whisper(), format).await.unwrap_err();
        assert_eq!((error.kind(), error.api_error().unwrap().message.as_str()), (ErrorKind::Api, "no such model"));
    }
    let error = audio.transcribe_text(whisper(), TextFormat::Text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn translation_decodes_as_json_verbose_json_and_text() {
    let server = Server::start([
        Reply::ok_json(&json!({ "text": "Hello." })),
        Reply::ok_json(&json!({ "task": "translate", "language": "english", "duration": "2.5", "text": "Hello.",
            "segments": [{ "id": 0, "start": 0.0, "end": 2.5, "text": "Hello." }] })),
        text("1\n00:00:00,000 --> 00:00:02,500\nHello.\n\n"),
    ])
    .await;
    let audio = client(&server).audio();
    let request = TranslationRequest::new("whisper-1", wav()).prompt("A greeting.").temperature(0.2);
    assert_eq!(audio.translate(&request).await.unwrap().text, "Hello.");
    let verbose = audio.translate_verbose(&request).await.unwrap();
    assert_eq!((verbose.duration, verbose.segments.len()), (Some(2.5), 1));
    let subtitles = audio.translate_text(&request, TextFormat::Srt).await.unwrap();
    assert!(subtitles.starts_with("1\n00:00:00,000") && subtitles.ends_with("\n\n"));
    let sent = &server.requests()[0];
    assert_eq!(sent.target, "/v1/audio/translations");
    let expected = [("model", "whisper-1"), ("prompt", "A greeting."), ("temperature", "0.2"), ("file", "RIFF")];
    assert_eq!(sent.form_fields(), pairs(&expected));
}

#[tokio::test]
async fn transcription_stream_ends_at_its_done_event() {
    let server = Server::start([Reply::sse(&events(&[
        json!({ "type": "transcript.text.delta", "delta": "I ", "logprobs": [{ "token": "I", "logprob": -0.5 }] }),
        json!({ "type": "transcript.text.segment", "id": "s1", "start": 0.0, "end": 1.0, "text": "I see", "speaker": "A" }),
        json!({ "type": "vendor.news", "color": "red" }),
        json!({ "type": "transcript.text.delta", "delta": "see", "segment_id": "s1" }),
        json!({ "type": "transcript.text.done", "text": "I see", "languages": [{ "code": "en" }],
            "usage": { "input_tokens": 14, "output_tokens": 2, "total_tokens": 16 } }),
    ]))])
    .await;
    let stream = client(&server).audio().transcribe_stream(whisper()).await.unwrap();
    let (events, error) = drain(stream).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(events.iter().map(TranscriptionEvent::delta).collect::<String>(), "I see");
    let TranscriptionEvent::Segment(segment) = &events[1] else { panic!("{:?}", events[1]) };
    assert_eq!((segment.speaker.as_str(), segment.text.as_str()), ("A", "I see"));
    assert_eq!(events[2].kind(), "vendor.news");
    let TranscriptionEvent::Delta(delta) = &events[3] else { panic!("{:?}", events[3]) };
    assert_eq!(delta.segment_id.as_deref(), Some("s1"));
    let TranscriptionEvent::Done(done) = &events[4] else { panic!("{:?}", events[4]) };
    assert_eq!((done.text.as_str(), done.languages[0].code.as_str()), ("I see", "en"));
    assert_eq!(done.usage.as_ref().unwrap().total_tokens, Some(16));
}

#[tokio::test]
async fn truncated_transcription_stream_is_an_error() {
    let delta = events(&[json!({ "type": "transcript.text.delta", "delta": "I " })]);
    let server = Server::start([Reply::sse(&delta), Reply::sse(&(delta + "data: [DONE]\n\n"))]).await;
    let audio = client(&server).audio();
    let (items, error) = drain(audio.transcribe_stream(whisper()).await.unwrap()).await;
    assert_eq!((items.len(), error.unwrap().kind()), (1, ErrorKind::Stream));
    let (items, error) = drain(audio.transcribe_stream(whisper()).await.unwrap()).await;
    assert_eq!((items.len(), error.is_none()), (1, true));
}

#[tokio::test]
async fn error_event_ends_the_stream_with_an_error() {
    let shapes = [
        r#"{"type":"error","error":{"message":"boom"}}"#,
        r#"{"type":"error","message":"boom"}"#,
        r#"{"type":"error","code":"boom"}"#,
        r#"{"error":{"message":"boom"}}"#,
        r#"{"detail":"boom"}"#,
    ];
    let delta = r#"{"type":"transcript.text.delta","delta":"I "}"#;
    let responses = shapes.map(|shape| Reply::sse(&format!("data: {delta}\n\ndata: {shape}\n\ndata: [DONE]\n\n")));
    let server = Server::start(responses).await;
    for shape in shapes {
        let stream = client(&server).audio().transcribe_stream(whisper()).await.unwrap();
        let (items, error) = drain(stream).await;
        let error = error.unwrap_or_else(|| panic!("{shape} is not an error"));
        assert_eq!((items.len(), error.kind()), (1, ErrorKind::Stream), "{shape}");
        assert_eq!(error.api_error().unwrap().message, "boom", "{shape}");
    }
}

#[tokio::test]
async fn transcription_streams_of_other_servers_decode() {
    let vllm = |delta: Value, finish: Value| {
        let chunk = json!({ "id": "trsc-1", "object": "transcription.chunk", "created": 1, "model": "w",
            "choices": [{ "delta": delta, "finish_reason": finish, "stop_reason": null }] });
        format!("data: {chunk}\n\n")
    };
    let server = Server::start([
        // vLLM, truncated before its `[DONE]`
        Reply::sse(
            &(vllm(json!({ "content": "I " }), Value::Null) + &vllm(json!({ "content": "see" }), json!("stop"))),
        ),
        // Mistral
        Reply::sse(&events(&[
            json!({ "type": "transcription.language", "audio_language": "en" }),
            json!({ "type": "transcription.text.delta", "text": "I " }),
            json!({ "type": "transcription.text.delta", "text": "see" }),
            json!({ "type": "transcription.done", "model": "voxtral", "text": "I see", "language": null, "usage": {} }),
        ])),
    ])
    .await;
    for server_name in ["vLLM", "Mistral"] {
        let (events, error) = drain(client(&server).audio().transcribe_stream(whisper()).await.unwrap()).await;
        assert!(error.is_none(), "{server_name}: {error:?}");
        assert_eq!(events.iter().map(TranscriptionEvent::delta).collect::<String>(), "I see", "{server_name}");
    }
}

#[tokio::test]
async fn json_response_becomes_its_text_and_the_end_of_a_transcription() {
    let server = Server::start([
        Reply::ok_json(&json!({ "text": "I see", "usage": { "type": "duration", "seconds": 2 } })),
        Reply::ok_json(&json!({ "error": { "message": "boom" } })),
    ])
    .await;
    let audio = client(&server).audio();
    let (events, error) = drain(audio.transcribe_stream(whisper()).await.unwrap()).await;
    assert!(error.is_none(), "{error:?}");
    let [new, TranscriptionEvent::Done(done)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(new.delta(), "I see", "the documented loop prints it");
    assert_eq!((done.text.as_str(), done.usage.as_ref().unwrap().seconds), ("I see", Some(2.0)));
    let (events, error) = drain(audio.transcribe_stream(whisper()).await.unwrap()).await;
    assert_eq!((events.len(), error.unwrap().api_error().unwrap().message.as_str()), (0, "boom"));
}

fn speech() -> SpeechRequest {
    SpeechRequest::new("tts-1", "Hi.", "alloy")
}

fn mp3(bytes: &'static [u8]) -> Reply {
    Reply::status(200).header("content-type", "audio/mpeg").body(bytes)
}

#[tokio::test]
async fn speech_is_an_audio_download() {
    let server = Server::start([mp3(b"\xff\xfbsound")]).await;
    let request =
        speech().instructions("Cheerful.").response_format(SpeechFormat::Mp3).speed(1.5).extra("stream_format", "sse");
    let download = client(&server).audio().speak(&request).await.unwrap();
    assert_eq!((download.content_type(), download.content_length()), (Some("audio/mpeg"), Some(7)));
    assert_eq!(download.bytes().await.unwrap(), &b"\xff\xfbsound"[..]);
    let sent = &server.requests()[0];
    assert_eq!((sent.target.as_str(), sent.header("accept")), ("/v1/audio/speech", Some("application/octet-stream")));
    assert_eq!(
        sent.json(),
        json!({ "model": "tts-1", "input": "Hi.", "voice": "alloy", "instructions": "Cheerful.",
            "response_format": "mp3", "speed": 1.5 })
    );
}

#[tokio::test]
async fn speech_download_is_saved_to_a_file() {
    let server = Server::start([mp3(b"sound")]).await;
    let path = std::env::temp_dir().join(format!("openai-compatible-speech-{}.mp3", std::process::id()));
    let length = client(&server).audio().speak(speech()).await.unwrap().save_to(&path).await.unwrap();
    assert_eq!((length, std::fs::read(&path).unwrap()), (5, b"sound".to_vec()));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn json_or_html_instead_of_audio_is_an_error() {
    let server = Server::start([
        Reply::ok_json(&json!({ "error": { "message": "no such voice" } })),
        Reply::ok_json(&json!({ "status": "queued" })),
        Reply::status(200).header("content-type", "Text/HTML; charset=utf-8").body("<h1>hello</h1>"),
    ])
    .await;
    let audio = client(&server).audio();
    let rejected = audio.speak(speech()).await.unwrap_err();
    assert_eq!((rejected.kind(), rejected.api_error().unwrap().message.as_str()), (ErrorKind::Api, "no such voice"));
    assert_eq!(audio.speak(speech()).await.unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(audio.speak(speech()).await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn audio_in_json_is_unwrapped() {
    let server = Server::start([Reply::ok_json(&json!({ "audio_data": "c291bmQ=" }))]).await;
    let download = client(&server).audio().speak(speech()).await.unwrap();
    assert_eq!((download.content_type(), download.content_length()), (None, Some(5)));
    assert_eq!(download.bytes().await.unwrap(), "sound");
}

#[tokio::test]
async fn speech_stream_ends_at_its_done_event() {
    let server = Server::start([Reply::sse(&events(&[
        json!({ "type": "speech.audio.delta", "audio": "c291" }),
        json!({ "type": "speech.audio.delta", "audio": "bmQ=" }),
        json!({ "type": "speech.audio.done", "usage": { "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 } }),
    ]))])
    .await;
    let request = speech().extra("stream_format", "audio");
    let (events, error) = drain(client(&server).audio().speak_stream(&request).await.unwrap()).await;
    assert!(error.is_none(), "{error:?}");
    let audio: Vec<u8> = events.iter().flat_map(|event| event.audio_bytes().unwrap()).collect();
    assert_eq!(audio, b"sound");
    let SpeechEvent::Done(done) = &events[2] else { panic!("{:?}", events[2]) };
    assert_eq!(done.usage.as_ref().unwrap().total_tokens, 3);
    let sent = server.requests()[0].json();
    assert_eq!(sent, json!({ "model": "tts-1", "input": "Hi.", "voice": "alloy", "stream_format": "sse" }));
}

#[tokio::test]
async fn truncated_or_failed_speech_stream_is_an_error() {
    let delta = events(&[json!({ "type": "speech.audio.delta", "audio": "c291" })]);
    let failed = delta.clone() + &events(&[json!({ "type": "error", "error": { "message": "boom" } })]);
    let server = Server::start([Reply::sse(&delta), Reply::sse(&failed), mp3(b"\xff\xfbsound")]).await;
    let audio = client(&server).audio();
    let (items, error) = drain(audio.speak_stream(speech()).await.unwrap()).await;
    assert_eq!((items.len(), error.unwrap().kind()), (1, ErrorKind::Stream));
    let (items, error) = drain(audio.speak_stream(speech()).await.unwrap()).await;
    assert_eq!((items.len(), error.unwrap().api_error().unwrap().message.as_str()), (1, "boom"));
    assert_eq!(audio.speak_stream(speech()).await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn speech_events_of_other_servers_decode() {
    let together = json!({ "object": "audio.tts.chunk", "model": "sonic", "b64": "c291bmQ=" });
    let server = Server::start([
        Reply::sse(&format!("data: {together}\n\ndata: [DONE]\n\n")),
        // Mistral
        Reply::sse(&events(&[
            json!({ "type": "speech.audio.delta", "audio_data": "c291bmQ=" }),
            json!({ "type": "speech.audio.done", "usage": { "prompt_tokens": 2, "total_tokens": 6 } }),
        ])),
    ])
    .await;
    for name in ["Together", "Mistral"] {
        let (events, error) = drain(client(&server).audio().speak_stream(speech()).await.unwrap()).await;
        assert!(error.is_none(), "{name}: {error:?}");
        let audio: Vec<u8> = events.iter().flat_map(|event| event.audio_bytes().unwrap()).collect();
        assert_eq!(audio, b"sound", "{name}");
    }
}

#[test]
fn invalid_base64_audio_error_omits_its_content() {
    let event: SpeechEvent = serde_json::from_value(json!({ "type": "speech.audio.delta", "audio": "%%%" })).unwrap();
    let error = event.audio_bytes().unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains('%')), (ErrorKind::Decode, false));
}

#[tokio::test]
async fn voice_is_created_from_recording_and_consent() {
    let voice = json!({ "object": "audio.voice", "id": "voice_1", "name": "Ada", "created_at": 1 });
    let server = Server::start([Reply::ok_json(&voice), mp3(b"sound")]).await;
    let audio = client(&server).audio();
    let voice = audio.voices().create(VoiceRequest::new("Ada", wav(), "cons_1").extra("x", 1)).await.unwrap();
    audio.speak(SpeechRequest::new("tts-1", "Hi.", &voice)).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].target, "/v1/audio/voices");
    let expected = [("consent", "cons_1"), ("name", "Ada"), ("x", "1"), ("audio_sample", "RIFF")];
    assert_eq!(requests[0].form_fields(), pairs(&expected));
    assert_eq!(requests[1].json()["voice"], json!({ "id": "voice_1" }));
}

#[tokio::test]
async fn voice_consents_support_create_list_get_update_and_delete() {
    let consent =
        json!({ "object": "audio.voice_consent", "id": "cons_1", "name": "Ada", "language": "en", "created_at": 1 });
    let server = Server::start([
        Reply::ok_json(&consent),
        Reply::ok_json(&json!({ "object": "list", "data": [consent], "last_id": null, "has_more": false })),
        Reply::ok_json(&consent),
        Reply::ok_json(&consent),
        Reply::ok_json(&json!({ "id": "cons_1", "object": "audio.voice_consent", "deleted": true })),
    ])
    .await;
    let consents = client(&server).audio().voice_consents();
    let created = consents.create(VoiceConsentRequest::new("Ada", wav(), "en")).await.unwrap();
    assert_eq!((created.id.as_str(), created.language.as_str(), created.created_at), ("cons_1", "en", Some(1)));
    assert_eq!(consents.list(ListRequest::new().after("cons_0").limit(5)).await.unwrap().data[0], created);
    assert_eq!(consents.get("cons_1").await.unwrap(), created);
    consents.update("cons_1", "Ada L.").await.unwrap();
    assert!(consents.delete("cons_1").await.unwrap().deleted);

    let requests = server.requests();
    let lines = requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect::<Vec<_>>();
    assert_eq!(
        lines,
        [
            "POST /v1/audio/voice_consents",
            "GET /v1/audio/voice_consents?after=cons_0&limit=5",
            "GET /v1/audio/voice_consents/cons_1",
            "POST /v1/audio/voice_consents/cons_1",
            "DELETE /v1/audio/voice_consents/cons_1",
        ]
    );
    assert_eq!(requests[0].form_fields(), pairs(&[("language", "en"), ("name", "Ada"), ("recording", "RIFF")]));
    assert_eq!(requests[3].json(), json!({ "name": "Ada L." }));
    assert_eq!(consents.get("").await.unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn audio_requests_and_events_round_trip_through_serde() {
    let request =
        whisper().language("en").chunking_strategy("auto").timestamp_granularities(["word"]).extra("vad_filter", true);
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["chunking_strategy"], "auto");
    assert_eq!(serde_json::from_value::<TranscriptionRequest>(written).unwrap(), request);

    let request = whisper().chunking_strategy(ServerVad::new().threshold(0.5));
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(written["chunking_strategy"], json!({ "type": "server_vad", "threshold": 0.5 }));
    let read = serde_json::from_value::<TranscriptionRequest>(written).unwrap();
    assert!(matches!(read.chunking_strategy, Some(ChunkingStrategy::ServerVad(_))));
    assert_eq!(read, request);

    let request = SpeechRequest::new("tts-1", "Hi.", Voice::custom("voice_1")).speed(2.0);
    let written = serde_json::to_value(&request).unwrap();
    assert_eq!(serde_json::from_value::<SpeechRequest>(written).unwrap(), request);

    let event =
        json!({ "type": "transcript.text.segment", "id": "s", "start": 0.0, "end": 1.0, "text": "a", "speaker": "A" });
    let read: TranscriptionEvent = serde_json::from_value(event.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), event);
}
