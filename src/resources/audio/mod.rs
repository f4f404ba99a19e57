//! Speech synthesis, transcription and translation: `client.audio()`.
//!
//! ```no_run
//! # async fn run() -> openai_compatible::Result<()> {
//! use openai_compatible::audio::{SpeechRequest, TranscriptionRequest};
//! use openai_compatible::{Client, FileSource};
//!
//! let client = Client::from_env()?;
//! let request = TranscriptionRequest::new("gpt-transcribe", FileSource::path("talk.mp3")).language("en");
//! println!("{}", client.audio().transcribe(&request).await?.text);
//!
//! let request = SpeechRequest::new("kokoro", "Mind the gap.", "af_heart");
//! client.audio().speak(&request).await?.save_to("gap.mp3").await?;
//! # Ok(())
//! # }
//! ```

use std::borrow::Borrow;
use std::sync::Arc;

mod speech;
mod transcription;
mod voice;

#[doc(alias = "CreateSpeechResponseStreamEvent")]
pub use self::speech::SpeechEvent;
#[doc(alias = "CreateSpeechRequest")]
pub use self::speech::SpeechRequest;
pub use self::speech::{SpeechDelta, SpeechDone, SpeechFormat, SpeechUsage};
#[doc(alias = "CreateTranscriptionResponseDiarizedJson")]
pub use self::transcription::DiarizedTranscription;
#[doc(alias = "CreateTranscriptionResponseJson")]
pub use self::transcription::Transcription;
#[doc(alias = "CreateTranscriptionResponseStreamEvent")]
pub use self::transcription::TranscriptionEvent;
#[doc(alias = "CreateTranscriptionRequest")]
pub use self::transcription::TranscriptionRequest;
#[doc(alias = "TranscriptTextUsageTokens")]
#[doc(alias = "TranscriptTextUsageDuration")]
pub use self::transcription::TranscriptionUsage;
#[doc(alias = "CreateTranslationResponseJson")]
pub use self::transcription::Translation;
#[doc(alias = "CreateTranslationRequest")]
pub use self::transcription::TranslationRequest;
#[doc(alias = "CreateTranscriptionResponseVerboseJson")]
#[doc(alias = "CreateTranslationResponseVerboseJson")]
pub use self::transcription::VerboseTranscription;
pub use self::transcription::{
    ChunkingStrategy, DiarizedSegment, InputTokenDetails, ServerVad, TextFormat, TimestampGranularity, TokenLogprob,
    TranscriptionDelta, TranscriptionDone, TranscriptionInclude, TranscriptionLanguage, TranscriptionSegment,
    TranscriptionWord,
};
#[doc(alias = "VoiceResource")]
pub use self::voice::CustomVoice;
#[doc(alias = "VoiceConsentResource")]
pub use self::voice::VoiceConsent;
#[doc(alias = "CreateVoiceConsentRequest")]
pub use self::voice::VoiceConsentRequest;
#[doc(alias = "CreateVoiceRequest")]
pub use self::voice::VoiceRequest;
pub use self::voice::{Voice, VoiceConsents, VoicePromptRequest, Voices};
use crate::call::Call;
use crate::client::Client;
use crate::error::Result;
use crate::reply::download::Download;
use crate::reply::stream::{EventStream, StreamItem};
use crate::transport::BodyMode;
use crate::transport::file_source::FileSource;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Object, stream_override};

/// The audio API of a client: speech synthesis, transcription and translation.
#[derive(Clone, Debug)]
pub struct Audio {
    client: Client,
}

impl Client {
    /// Returns the audio API.
    pub fn audio(&self) -> Audio {
        Audio { client: self.clone() }
    }
}

impl Audio {
    /// Transcribes an audio file: `POST /audio/transcriptions`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranscriptionRequest};
    ///
    /// let request = TranscriptionRequest::new("gpt-transcribe", FileSource::path("talk.mp3"));
    /// println!("{}", client.audio().transcribe(&request).await?.text);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    #[doc(alias = "whisper")]
    #[doc(alias = "speech-to-text")]
    #[doc(alias = "stt")]
    pub fn transcribe(&self, request: impl Borrow<TranscriptionRequest>) -> Call<Transcription> {
        Call::send(&self.client.settings, transcription(request.borrow(), None, false))
    }

    /// Transcribes an audio file with segment and word timestamps: `POST /audio/transcriptions` with
    /// `"response_format": "verbose_json"`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranscriptionRequest};
    ///
    /// let request = TranscriptionRequest::new("whisper-large-v3", FileSource::path("talk.mp3"))
    ///     .timestamp_granularities(["word"]);
    /// for word in client.audio().transcribe_verbose(&request).await?.words {
    ///     println!("{:>7.2} s  {}", word.start, word.word);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    pub fn transcribe_verbose(&self, request: impl Borrow<TranscriptionRequest>) -> Call<VerboseTranscription> {
        Call::send(&self.client.settings, transcription(request.borrow(), Some("verbose_json"), false))
    }

    /// Transcribes an audio file with speaker labels: `POST /audio/transcriptions` with
    /// `"response_format": "diarized_json"`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranscriptionRequest};
    ///
    /// let request = TranscriptionRequest::new("voxtral-diarize", FileSource::path("meeting.mp3"));
    /// for segment in client.audio().transcribe_diarized(&request).await?.segments {
    ///     println!("{}: {}", segment.speaker, segment.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    pub fn transcribe_diarized(&self, request: impl Borrow<TranscriptionRequest>) -> Call<DiarizedTranscription> {
        Call::send(&self.client.settings, transcription(request.borrow(), Some("diarized_json"), false))
    }

    /// Transcribes an audio file to plain text or subtitles: `POST /audio/transcriptions` with the given
    /// `response_format`.
    ///
    /// The text is returned unchanged, including a leading space (Groq). *Providers*: some servers wrap the text in
    /// JSON; it is unwrapped unless the format is [`TextFormat::Other`].
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::{TextFormat, TranscriptionRequest}};
    ///
    /// let request = TranscriptionRequest::new("whisper-large-v3", FileSource::path("film.mp4"));
    /// let subtitles = client.audio().transcribe_text(&request, TextFormat::Srt).await?;
    /// println!("{subtitles}");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    pub fn transcribe_text(
        &self,
        request: impl Borrow<TranscriptionRequest>,
        format: impl Into<TextFormat>,
    ) -> Call<String> {
        let format = format.into();
        let request = transcription(request.borrow(), Some(format.as_str()), false);
        Call::new(&self.client.settings, request, BodyMode::Buffer, format.decode())
    }

    /// Streams a transcription: `POST /audio/transcriptions` with `"stream": true`.
    ///
    /// *Providers*: models that do not support streaming yield a single
    /// [`TranscriptionEvent::Done`].
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranscriptionRequest};
    ///
    /// let request = TranscriptionRequest::new("gpt-transcribe", FileSource::path("talk.mp3"));
    /// let mut events = client.audio().transcribe_stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     print!("{}", event.delta());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    pub fn transcribe_stream(
        &self,
        request: impl Borrow<TranscriptionRequest>,
    ) -> Call<EventStream<TranscriptionEvent>> {
        let request = transcription(request.borrow(), None, true);
        Call::new(&self.client.settings, request, BodyMode::Stream, TranscriptionEvent::open)
    }

    /// Streams a transcription with speaker labels: `POST /audio/transcriptions` with `"stream": true` and
    /// `"response_format": "diarized_json"`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::{TranscriptionEvent, TranscriptionRequest}};
    ///
    /// let request = TranscriptionRequest::new("voxtral-diarize", FileSource::path("meeting.mp3"));
    /// let mut events = client.audio().transcribe_diarized_stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     if let TranscriptionEvent::Segment(segment) = event {
    ///         println!("{}: {}", segment.speaker, segment.text);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.transcriptions.create")]
    pub fn transcribe_diarized_stream(
        &self,
        request: impl Borrow<TranscriptionRequest>,
    ) -> Call<EventStream<TranscriptionEvent>> {
        let request = transcription(request.borrow(), Some("diarized_json"), true);
        Call::new(&self.client.settings, request, BodyMode::Stream, TranscriptionEvent::open)
    }

    /// Translates an audio file into English: `POST /audio/translations`. *Providers*: OpenAI ends this endpoint on
    /// 2027-02-26; Groq, vLLM, LocalAI and LiteLLM keep it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranslationRequest};
    ///
    /// let request = TranslationRequest::new("whisper-large-v3", FileSource::path("vortrag.mp3"));
    /// println!("{}", client.audio().translate(&request).await?.text);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.translations.create")]
    pub fn translate(&self, request: impl Borrow<TranslationRequest>) -> Call<Translation> {
        Call::send(&self.client.settings, translation(request.borrow(), None))
    }

    /// Translates an audio file into English with segment timestamps: `POST /audio/translations` with
    /// `"response_format": "verbose_json"`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::TranslationRequest};
    ///
    /// let request = TranslationRequest::new("whisper-large-v3", FileSource::path("vortrag.mp3"));
    /// for segment in client.audio().translate_verbose(&request).await?.segments {
    ///     println!("{:>7.2} s {}", segment.start, segment.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.translations.create")]
    pub fn translate_verbose(&self, request: impl Borrow<TranslationRequest>) -> Call<VerboseTranscription> {
        Call::send(&self.client.settings, translation(request.borrow(), Some("verbose_json")))
    }

    /// Translates an audio file into English as plain text or subtitles: `POST /audio/translations` with the given
    /// `response_format`.
    ///
    /// The text is returned unchanged, as in [`transcribe_text`](Self::transcribe_text).
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::{TextFormat, TranslationRequest}};
    ///
    /// let request = TranslationRequest::new("whisper-large-v3", FileSource::path("film.mp4"));
    /// println!("{}", client.audio().translate_text(&request, TextFormat::Vtt).await?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.translations.create")]
    pub fn translate_text(
        &self,
        request: impl Borrow<TranslationRequest>,
        format: impl Into<TextFormat>,
    ) -> Call<String> {
        let format = format.into();
        let request = translation(request.borrow(), Some(format.as_str()));
        Call::new(&self.client.settings, request, BodyMode::Buffer, format.decode())
    }

    /// Synthesizes speech: `POST /audio/speech`. The audio is streamed.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::audio::SpeechRequest;
    ///
    /// let request = SpeechRequest::new("kokoro", "Mind the gap.", "af_heart").response_format("wav");
    /// client.audio().speak(&request).await?.save_to("gap.wav").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the body is HTML, or JSON without audio data, regardless of the status.
    #[doc(alias = "audio.speech.create")]
    #[doc(alias = "tts")]
    #[doc(alias = "text-to-speech")]
    pub fn speak(&self, request: impl Borrow<SpeechRequest>) -> Call<Download> {
        let request = speech(request.borrow(), None);
        Call::new(&self.client.settings, request, BodyMode::StreamMedia, speech::open_audio)
            .accept("application/octet-stream")
    }

    /// Streams speech as events that end with the token usage: `POST /audio/speech` with `"stream_format": "sse"`.
    ///
    /// *Providers*: Together and Mistral also require `.extra("stream", true)`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, mut player: impl std::io::Write) -> Result<(), Box<dyn std::error::Error>> {
    /// use openai_compatible::audio::SpeechRequest;
    ///
    /// let request = SpeechRequest::new("kokoro", "Mind the gap.", "af_heart").response_format("pcm");
    /// let mut events = client.audio().speak_stream(&request).await?;
    /// while let Some(event) = events.try_next().await? {
    ///     player.write_all(&event.audio_bytes()?)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.speech.create")]
    pub fn speak_stream(&self, request: impl Borrow<SpeechRequest>) -> Call<EventStream<SpeechEvent>> {
        Call::new(&self.client.settings, speech(request.borrow(), Some("sse")), BodyMode::Stream, SpeechEvent::open)
    }

    /// Returns the custom voices API.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::VoiceRequest};
    ///
    /// let request = VoiceRequest::new("Ada", FileSource::path("ada.wav"), "cons_123");
    /// println!("{}", client.audio().voices().create(&request).await?.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn voices(&self) -> Voices {
        Voices { client: self.client.clone() }
    }

    /// Returns the voice consents API.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::ListRequest;
    ///
    /// for consent in client.audio().voice_consents().list(ListRequest::new()).await?.data {
    ///     println!("{} {}", consent.id, consent.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn voice_consents(&self) -> VoiceConsents {
        VoiceConsents { client: self.client.clone() }
    }
}

fn transcription(request: &TranscriptionRequest, format: Option<&str>, stream: bool) -> Result<WireRequest> {
    upload("transcriptions", &request.model, request, &request.file, format, stream)
}

fn translation(request: &TranslationRequest, format: Option<&str>) -> Result<WireRequest> {
    upload("translations", &request.model, request, &request.file, format, false)
}

/// Builds a multipart body from the fields and the file of a request. `format` and `stream` take precedence over
/// `extra`.
fn upload(
    path: &str,
    model: &str,
    request: &dyn Object,
    file: &FileSource,
    format: Option<&str>,
    stream: bool,
) -> Result<WireRequest> {
    let added = [("response_format", format.into()), stream_override(stream)];
    let form = Form::new().fields(request, &added, &["file"]).map(|form| form.file("file", file.clone()));
    WireRequest::of_model(&["audio", path], Some(model), form.map(|form| Body::Form(Arc::new(form))))
}

fn speech(request: &SpeechRequest, stream_format: Option<&str>) -> Result<WireRequest> {
    let body = Body::of(request, &[("stream_format", stream_format.into())]);
    WireRequest::of_model(&["audio", "speech"], Some(&request.model), body)
}
