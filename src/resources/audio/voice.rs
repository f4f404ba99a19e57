//! Voices: built-in and custom voices, and the consent of speakers.

use std::borrow::Borrow;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::call::page::{Deleted, ListRequest, Page};
use crate::client::Client;
use crate::error::{ErrorKind, Result};
use crate::transport::file_source::FileSource;
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::transport::{BodyMode, RawResponse};
use crate::wire::{Input, InvalidInput, Object, Output, ReadOutcome, Wire, from_value};

/// A voice: a built-in voice by name, or a custom voice by id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voice {
    /// A built-in voice, such as `alloy`.
    Name(String),
    /// A custom voice, created from a recording.
    Custom {
        /// Id of the voice.
        id: String,
    },
}

impl Voice {
    /// Refers to a custom voice by id.
    pub fn custom(id: impl Into<String>) -> Self {
        Voice::Custom { id: id.into() }
    }
}

impl From<&str> for Voice {
    fn from(name: &str) -> Self {
        Voice::Name(name.to_owned())
    }
}

impl From<String> for Voice {
    fn from(name: String) -> Self {
        Voice::Name(name)
    }
}

serde_of_wire! { Voice }

impl Wire for Voice {
    fn read(&mut self, input: Input<'_>) -> std::result::Result<ReadOutcome, InvalidInput> {
        let value = input.value()?;
        *self = match (value.as_str(), value.get("id").and_then(Value::as_str)) {
            (Some(name), _) => Voice::Name(name.to_owned()),
            (None, Some(id)) => Voice::Custom { id: id.to_owned() },
            (None, None) => return Ok(ReadOutcome::mismatched(value)),
        };
        Ok(ReadOutcome::Matched)
    }

    fn output(&self) -> Output<'_> {
        match self {
            Voice::Name(name) => Output::String(name),
            Voice::Custom { id } => Output::Owned(json!({ "id": id })),
        }
    }

    fn default_value() -> Self {
        Voice::Name(String::new())
    }
}

/// The custom voices API of a client: `client.audio().voices()`.
#[derive(Clone, Debug)]
pub struct Voices {
    pub(super) client: Client,
}

impl Voices {
    /// Creates a custom voice from a recording and the speaker's consent: `POST /audio/voices`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::FileSource;
    /// use openai_compatible::audio::{SpeechRequest, VoiceRequest};
    ///
    /// let request = VoiceRequest::new("Ada", FileSource::path("ada.wav"), "cons_123");
    /// let ada = client.audio().voices().create(&request).await?;
    /// client.audio().speak(SpeechRequest::new("kokoro", "Hello.", &ada)).await?.save_to("hello.mp3").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.voices.create")]
    pub fn create(&self, request: impl Borrow<VoiceRequest>) -> Call<CustomVoice> {
        let request = request.borrow();
        Call::send(&self.client.settings, upload("voices", request, "audio_sample", &request.audio_sample))
    }

    /// Creates a custom voice from a description: `POST /audio/voices`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::audio::VoicePromptRequest;
    ///
    /// let request = VoicePromptRequest::new("Ada", "A calm voice with a northern accent.");
    /// println!("{}", client.audio().voices().create_from_prompt(&request).await?.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_from_prompt(&self, request: impl Borrow<VoicePromptRequest>) -> Call<CustomVoice> {
        let body = Body::of(request.borrow(), &[("type", "prompt".into())]);
        Call::post_body(&self.client.settings, &["audio", "voices"], body)
    }

    /// Lists the voices that a server has: `GET /audio/voices`. *Providers*: Kokoro, Speaches, LocalAI, vLLM; not OpenAI.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// for voice in client.audio().voices().list().await? {
    ///     println!("{} {}", voice.id, voice.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self) -> Call<Vec<CustomVoice>> {
        let request = WireRequest::new(Method::GET, &["audio", "voices"], Body::Empty);
        Call::new(&self.client.settings, request, BodyMode::Buffer, decode_voices)
    }

    /// Deletes a custom voice: `DELETE /audio/voices/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.audio().voices().delete("voice_123").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.voices.delete")]
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["audio", "voices", id])
    }
}

/// Servers list names or objects, in an array or in one of an object.
fn decode_voices(response: &mut RawResponse) -> Result<Vec<CustomVoice>> {
    let value: Value = response.buffered.decode_serde()?;
    let list = match &value {
        Value::Array(_) => Some(&value),
        _ => ["voices", "data"].iter().find_map(|name| value.get(name)),
    };
    let Some(Value::Array(list)) = list else {
        return Err(response.buffered.error(ErrorKind::Decode, "response has no list of voices".to_owned()));
    };
    let voice = |item: &Value| match item {
        Value::String(name) => {
            Some(CustomVoice { id: name.clone(), name: name.clone(), ..CustomVoice::default_value() })
        }
        object => {
            let mut voice: CustomVoice = from_value(object)?;
            let text = |names: [&str; 3]| names.iter().find_map(|name| object.get(name)?.as_str());
            if voice.id.is_empty() {
                voice.id = text(["voice_id", "name", "voice"])?.to_owned();
            }
            if voice.name.is_empty() {
                voice.name.clone_from(&voice.id);
            }
            Some(voice)
        }
    };
    Ok(list.iter().filter_map(voice).collect())
}

/// The voice consents API of a client: `client.audio().voice_consents()`.
///
/// A consent is a recording in which a speaker agrees to the use of their voice.
#[derive(Clone, Debug)]
pub struct VoiceConsents {
    pub(super) client: Client,
}

impl VoiceConsents {
    /// Uploads a voice consent: `POST /audio/voice_consents`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::{FileSource, audio::VoiceConsentRequest};
    ///
    /// let request = VoiceConsentRequest::new("Ada", FileSource::path("consent.wav"), "en-GB");
    /// let consent = client.audio().voice_consents().create(&request).await?;
    /// println!("{}", consent.id);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.voice_consents.create")]
    pub fn create(&self, request: impl Borrow<VoiceConsentRequest>) -> Call<VoiceConsent> {
        let request = request.borrow();
        Call::send(&self.client.settings, upload("voice_consents", request, "recording", &request.recording))
    }

    /// Lists voice consents: `GET /audio/voice_consents`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::ListRequest;
    ///
    /// for consent in client.audio().voice_consents().list(ListRequest::new().limit(10)).await?.data {
    ///     println!("{} {}", consent.id, consent.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self, request: impl Borrow<ListRequest>) -> Call<Page<VoiceConsent>> {
        Call::page(&self.client.settings, &["audio", "voice_consents"]).list_query(request.borrow())
    }

    /// Retrieves a voice consent: `GET /audio/voice_consents/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// let consent = client.audio().voice_consents().get("cons_123").await?;
    /// println!("{}", consent.language);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "retrieve")]
    pub fn get(&self, id: &str) -> Call<VoiceConsent> {
        Call::get(&self.client.settings, &["audio", "voice_consents", id])
    }

    /// Renames a voice consent: `POST /audio/voice_consents/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.audio().voice_consents().update("cons_123", "Ada Lovelace").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update(&self, id: &str, name: &str) -> Call<VoiceConsent> {
        Call::post_body(&self.client.settings, &["audio", "voice_consents", id], Body::json(&json!({ "name": name })))
    }

    /// Deletes a voice consent: `DELETE /audio/voice_consents/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.audio().voice_consents().delete("cons_123").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client.settings, &["audio", "voice_consents", id])
    }
}

fn upload(path: &str, request: &dyn Object, part: &'static str, file: &FileSource) -> Result<WireRequest> {
    let form = Form::new().fields(request, &[], &[part])?.file(part, file.clone());
    WireRequest::new(Method::POST, &["audio", path], Body::Form(Arc::new(form)))
}

wire_struct! {
    /// A request to create a custom voice from a recording.
    ///
    /// See [OpenAI: Voices](https://platform.openai.com/docs/api-reference/audio/voices).
    pub struct VoiceRequest {
        /// Name of the voice.
        pub name: String = always,
        /// Recording of the speaker.
        pub audio_sample: FileSource = always,
        /// Id of the speaker's consent.
        pub consent: String = always,
    }

    /// A request to create a custom voice from a description.
    pub struct VoicePromptRequest {
        /// Name of the voice.
        pub name: String = always,
        /// Description of the voice.
        pub prompt: String = always,
        /// Id of the model that makes the voice.
        pub model: Option<String>,
        /// What kind of text the voice will read.
        pub script_hint: Option<String>,
    }

    /// A request to upload a recording in which a speaker consents to the use of their voice.
    pub struct VoiceConsentRequest {
        /// Name of the consent.
        pub name: String = always,
        /// Recording of the phrase that the server requires.
        pub recording: FileSource = always,
        /// Language of the phrase (BCP 47), such as `en-US`.
        pub language: String = always,
    }

    /// A custom voice.
    pub struct CustomVoice {
        /// Id of the voice.
        pub id: String = always,
        /// The literal `audio.voice`.
        pub object: String,
        /// Name of the voice.
        pub name: String,
        /// How the voice was made: `audio_sample` or `prompt`.
        pub type_ as "type": String,
        /// The description that the voice was made from.
        pub prompt: Option<String>,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
    }

    /// A speaker's consent to the use of their voice.
    pub struct VoiceConsent {
        /// Id of the consent.
        pub id: String = always,
        /// The literal `audio.voice_consent`.
        pub object: String,
        /// Name of the consent.
        pub name: String,
        /// Language of the recorded phrase (BCP 47).
        pub language: String,
        /// Creation time, in Unix seconds.
        pub created_at: Option<u64>,
    }
}

impl VoiceRequest {
    /// Creates a request from a name, a recording and the id of the speaker's consent.
    pub fn new(name: impl Into<String>, audio_sample: impl Into<FileSource>, consent: impl Into<String>) -> Self {
        VoiceRequest {
            name: name.into(),
            audio_sample: audio_sample.into(),
            consent: consent.into(),
            ..VoiceRequest::default_value()
        }
    }
}

setters! { VoiceRequest {} }

impl VoicePromptRequest {
    /// Creates a request from a name and a description.
    pub fn new(name: impl Into<String>, prompt: impl Into<String>) -> Self {
        VoicePromptRequest { name: name.into(), prompt: prompt.into(), ..VoicePromptRequest::default_value() }
    }
}

setters! { VoicePromptRequest {
    model: impl Into<String>,
    script_hint: impl Into<String>,
} }

impl VoiceConsentRequest {
    /// Creates a request from a name, a recording of the phrase and its language.
    pub fn new(name: impl Into<String>, recording: impl Into<FileSource>, language: impl Into<String>) -> Self {
        VoiceConsentRequest {
            name: name.into(),
            recording: recording.into(),
            language: language.into(),
            ..VoiceConsentRequest::default_value()
        }
    }
}

setters! { VoiceConsentRequest {} }

responses! { CustomVoice: id, VoiceConsent: id }
page_items! { VoiceConsent }

impl From<&CustomVoice> for Voice {
    fn from(voice: &CustomVoice) -> Self {
        Voice::custom(&voice.id)
    }
}
