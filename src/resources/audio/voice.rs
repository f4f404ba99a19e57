//! Voices: which one speaks, voices of your own, and the consent of those they belong to.

use std::borrow::Borrow;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::FileSource;
use crate::call::Call;
use crate::client::Client;
use crate::error::Result;
use crate::page::{Deleted, ListRequest, Page};
use crate::transport::form::Form;
use crate::transport::request::{Body, WireRequest};
use crate::wire::{Json, NotJson, Object, Read, Wire, Writer};

/// A voice: one of the server's by name, or one of your own by id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Voice {
    /// A voice of the server, such as `alloy`.
    Name(String),
    /// A voice made from a recording.
    Custom {
        /// Its id.
        id: String,
    },
}

impl Voice {
    /// A voice made from a recording.
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
    fn read(&mut self, json: &mut Json<'_>) -> std::result::Result<Read, NotJson> {
        let value = json.value()?;
        *self = match (value.as_str(), value.get("id").and_then(Value::as_str)) {
            (Some(name), _) => Voice::Name(name.to_owned()),
            (None, Some(id)) => Voice::Custom { id: id.to_owned() },
            (None, None) => return Ok(Read::Odd(value)),
        };
        Ok(Read::Fits)
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Voice::Name(name) => writer.text(name),
            Voice::Custom { id } => writer.json(&json!({ "id": id })),
        }
    }

    fn blank() -> Self {
        Voice::Name(String::new())
    }
}

/// Voices of your own: `client.audio().voices()`.
#[derive(Clone, Debug)]
pub struct Voices {
    pub(super) client: Client,
}

impl Voices {
    /// Makes a voice from a recording and its speaker's consent: `POST /audio/voices`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use openai_compatible::FileSource;
    /// use openai_compatible::audio::{SpeechRequest, VoiceRequest};
    ///
    /// let request = VoiceRequest::new("Ada", FileSource::path("ada.wav"), "cons_123");
    /// let ada = client.audio().voices().create(&request).await?;
    /// client.audio().speak(SpeechRequest::new("gpt-4o-mini-tts", "Hello.", &ada)).await?.save_to("hello.mp3").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "audio.voices.create")]
    pub fn create(&self, request: impl Borrow<VoiceRequest>) -> Call<CustomVoice> {
        let request = request.borrow();
        Call::reply(&self.client, upload("voices", request, "audio_sample", &request.audio_sample))
    }
}

/// Recordings in which speakers agree to the use of their voice: `client.audio().voice_consents()`.
#[derive(Clone, Debug)]
pub struct VoiceConsents {
    pub(super) client: Client,
}

impl VoiceConsents {
    /// Uploads a consent: `POST /audio/voice_consents`.
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
        Call::reply(&self.client, upload("voice_consents", request, "recording", &request.recording))
    }

    /// Lists consents: `GET /audio/voice_consents`.
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
        Call::page(&self.client, &["audio", "voice_consents"]).list_query(request.borrow())
    }

    /// Gets a consent: `GET /audio/voice_consents/{id}`.
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
        Call::get(&self.client, &["audio", "voice_consents", id])
    }

    /// Renames a consent: `POST /audio/voice_consents/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.audio().voice_consents().update("cons_123", "Ada Lovelace").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update(&self, id: &str, name: &str) -> Call<VoiceConsent> {
        Call::post_body(&self.client, &["audio", "voice_consents", id], Body::json(&json!({ "name": name })))
    }

    /// Deletes a consent: `DELETE /audio/voice_consents/{id}`.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// client.audio().voice_consents().delete("cons_123").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn delete(&self, id: &str) -> Call<Deleted> {
        Call::deleted(&self.client, &["audio", "voice_consents", id])
    }
}

fn upload(route: &str, request: &dyn Object, part: &'static str, file: &FileSource) -> Result<WireRequest> {
    let form = Form::new().fields(request, &[], &[part])?.file(part, file.clone());
    WireRequest::new(Method::POST, &["audio", route], Body::Form(Arc::new(form)))
}

wire! {
    /// A voice to make from a recording.
    ///
    /// See [OpenAI: Voices](https://platform.openai.com/docs/api-reference/audio/voices).
    #[doc(alias = "CreateVoiceRequest")]
    pub struct VoiceRequest {
        /// Name of the voice.
        pub name: String = always,
        /// Recording of the speaker.
        pub audio_sample: FileSource = always,
        /// Id of the speaker's consent.
        pub consent: String = always,
    }

    /// A recording in which a speaker agrees to the use of the voice.
    #[doc(alias = "CreateVoiceConsentRequest")]
    pub struct VoiceConsentRequest {
        /// Name of the consent.
        pub name: String = always,
        /// Recording of the phrase that the server asks for.
        pub recording: FileSource = always,
        /// Language of the phrase (BCP 47), such as `en-US`.
        pub language: String = always,
    }

    /// A voice of your own.
    #[doc(alias = "VoiceResource")]
    pub struct CustomVoice {
        /// Its id.
        pub id: String = always,
        /// `audio.voice`.
        pub object: String,
        /// Its name.
        pub name: String,
        /// Moment of creation, in Unix seconds.
        pub created_at: Option<u64>,
    }

    /// A speaker's consent.
    #[doc(alias = "VoiceConsentResource")]
    pub struct VoiceConsent {
        /// Its id.
        pub id: String = always,
        /// `audio.voice_consent`.
        pub object: String,
        /// Its name.
        pub name: String,
        /// Language of its phrase (BCP 47).
        pub language: String,
        /// Moment of creation, in Unix seconds.
        pub created_at: Option<u64>,
    }
}

impl VoiceRequest {
    /// A voice out of a recording, with the id of its speaker's consent.
    pub fn new(name: impl Into<String>, audio_sample: impl Into<FileSource>, consent: impl Into<String>) -> Self {
        VoiceRequest {
            name: name.into(),
            audio_sample: audio_sample.into(),
            consent: consent.into(),
            ..VoiceRequest::blank()
        }
    }
}

setters! { VoiceRequest {} }

impl VoiceConsentRequest {
    /// A recording of the phrase in this language.
    pub fn new(name: impl Into<String>, recording: impl Into<FileSource>, language: impl Into<String>) -> Self {
        VoiceConsentRequest {
            name: name.into(),
            recording: recording.into(),
            language: language.into(),
            ..VoiceConsentRequest::blank()
        }
    }
}

setters! { VoiceConsentRequest {} }

replies! { CustomVoice: id, VoiceConsent: id }
items! { VoiceConsent }

impl From<&CustomVoice> for Voice {
    fn from(voice: &CustomVoice) -> Self {
        Voice::custom(&voice.id)
    }
}
