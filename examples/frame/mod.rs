//! What the examples share: the names of models, errors as one sentence, and progress.
#![allow(dead_code, unreachable_pub, reason = "each example uses a part of it")]

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

/// Models that are asked for where `OPENAI_MODEL` names no other.
pub mod models {
    pub const CHAT: &str = "gpt-6-luna";
    pub const COMPLETION: &str = "codestral-latest";
    pub const EMBEDDING: &str = "text-embedding-3-small";
    pub const IMAGE: &str = "gpt-image-2";
    pub const RERANK: &str = "bge-reranker-v2-m3";
    pub const SPEECH: &str = "kokoro";
    pub const TRANSCRIPTION: &str = "gpt-transcribe";
}

/// The model in `OPENAI_MODEL`, or this one.
pub fn model(default: &str) -> String {
    std::env::var("OPENAI_MODEL").unwrap_or_else(|_| default.to_owned())
}

/// All arguments as one text, or this one.
pub fn words(default: &str) -> String {
    let words: Vec<_> = std::env::args().skip(1).collect();
    if words.is_empty() { default.to_owned() } else { words.join(" ") }
}

pub type Result<T = ()> = std::result::Result<T, Failure>;

/// An error that `main` prints as a sentence, with what helps, instead of as a structure.
pub struct Failure(Box<dyn std::error::Error>);

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.into())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.0.downcast_ref().and_then(advice) {
            Some(advice) => write!(f, "\n{advice}"),
            None => Ok(()),
        }
    }
}

/// Endpoints that many servers lack, and servers that have them.
const SERVERS: [(&str, &str); 10] = [
    ("/audio/speech", "Kokoro-FastAPI, Speaches, LocalAI or Groq"),
    ("/audio/transcriptions", "OpenAI, Groq, Speaches, vLLM, LocalAI or whisper.cpp"),
    ("/audio/voices", "Kokoro-FastAPI, Speaches or LocalAI"),
    ("/batches", "OpenAI, Azure, Groq, Together, LiteLLM or OGX"),
    ("/embeddings", "OpenAI, Ollama, vLLM, llama.cpp with --embeddings or LM Studio"),
    ("/files", "OpenAI, Azure, Groq, Together, LiteLLM or OGX"),
    ("/images", "OpenAI, Azure, Together, LocalAI or xAI"),
    ("/moderations", "OpenAI, Mistral or LiteLLM"),
    ("/rerank", "vLLM, llama.cpp with --reranking, LiteLLM, Jina or Voyage"),
    ("/responses", "OpenAI, Azure, Groq, OpenRouter, vLLM, llama.cpp, Ollama or OGX"),
];

fn advice(error: &openai_compatible::Error) -> Option<String> {
    use openai_compatible::ErrorKind;
    let status = error.status().map(|status| status.as_u16());
    let text = error.to_string();
    if let (ErrorKind::Api, Some(404 | 405 | 501)) = (error.kind(), status) {
        let (path, servers) = SERVERS.iter().find(|(path, _)| text.contains(path))?;
        return Some(format!("This server seems to have no {path}. Try {servers}: set OPENAI_BASE_URL."));
    }
    let needs_server = matches!(error.kind(), ErrorKind::Config | ErrorKind::Connect);
    needs_server.then(|| "A small local model without a key: scripts/with-local-model cargo run --example …".to_owned())
}

/// A bar with rate and time left where a person watches, a line every tenth where not.
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
}

impl Progress {
    pub fn bytes(what: &'static str) -> Self {
        Progress::new(what, "{msg} {wide_bar:.dim} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    }

    pub fn count(what: &'static str) -> Self {
        Progress::new(what, "{msg} {wide_bar:.dim} {pos}/{len} {per_sec} {eta}")
    }

    fn new(what: &'static str, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        // On a terminal, it is drawn to the standard error; elsewhere, not at all.
        let bar = ProgressBar::no_length().with_style(style.progress_chars("━━ ")).with_message(what);
        Progress { bar, what }
    }

    /// `total` may be 0 as long as it is unknown.
    pub fn set(&self, done: u64, total: u64) {
        let tenth = |done: u64| (done * 10).checked_div(total);
        if !stderr().is_terminal() && (tenth(done) != tenth(self.bar.position()) || (done == total && total > 0)) {
            eprintln!("{}: {done} of {total}", self.what);
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Says where the work is, next to the bar.
    pub fn message(&self, message: String) {
        self.bar.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A file that does not exist yet: `image.png`, `image-1.png`, …
pub fn new_file(name: &str, extension: &str) -> PathBuf {
    let numbered = (1..).map(|n| PathBuf::from(format!("{name}-{n}.{extension}")));
    std::iter::once(PathBuf::from(format!("{name}.{extension}")))
        .chain(numbered)
        .find(|path| !path.exists())
        .unwrap_or_default()
}
