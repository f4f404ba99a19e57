//! Complete types: every field of the corpus has one, and those of the same server that the corpus does not use.

use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Chunk {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    #[serde(default)]
    pub service_tier: Option<String>,
    #[serde(default)]
    pub system_fingerprint: Option<String>,
    pub choices: Vec<ChunkChoice>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub obfuscation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Delta,
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Delta {
    #[serde(default)]
    pub role: Option<String>,
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    pub function_call: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct ToolCall {
    pub index: u32,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, rename = "type")]
    pub type_: Option<String>,
    #[serde(default)]
    pub function: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct FunctionCall {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub arguments: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Logprobs {
    #[serde(default)]
    pub content: Option<Vec<TokenLogprob>>,
    #[serde(default)]
    pub refusal: Option<Vec<TokenLogprob>>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct TokenLogprob {
    pub token: String,
    pub logprob: f64,
    pub bytes: Option<Vec<u8>>,
    #[serde(default)]
    pub top_logprobs: Vec<TokenLogprob>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    #[serde(default)]
    pub prompt_tokens_details: Option<TokenDetails>,
    #[serde(default)]
    pub completion_tokens_details: Option<TokenDetails>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct TokenDetails {
    #[serde(default)]
    pub cached_tokens: Option<u64>,
    #[serde(default)]
    pub audio_tokens: Option<u64>,
    #[serde(default)]
    pub reasoning_tokens: Option<u64>,
    #[serde(default)]
    pub accepted_prediction_tokens: Option<u64>,
    #[serde(default)]
    pub rejected_prediction_tokens: Option<u64>,
}

/// A chunk of vLLM.
#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct VllmChunk {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<VllmChoice>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub prompt_token_ids: Option<Vec<u32>>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct VllmChoice {
    pub index: u32,
    pub delta: LocalDelta,
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
    #[serde(default)]
    pub finish_reason: Option<String>,
    #[serde(default)]
    pub stop_reason: Option<StopReason>,
    #[serde(default)]
    pub token_ids: Option<Vec<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
pub enum StopReason {
    Token(u32),
    Text(String),
}

/// A piece of a message of vLLM or llama.cpp.
#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct LocalDelta {
    #[serde(default)]
    pub role: Option<String>,
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub reasoning_content: Option<String>,
    #[serde(default)]
    pub reasoning: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
}

/// A chunk of llama.cpp.
#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct LlamaChunk {
    pub choices: Vec<LlamaChoice>,
    pub created: u64,
    pub id: String,
    pub model: String,
    pub system_fingerprint: String,
    pub object: String,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub timings: Option<Timings>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct LlamaChoice {
    #[serde(default)]
    pub finish_reason: Option<String>,
    pub index: u32,
    pub delta: LocalDelta,
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Timings {
    pub cache_n: u64,
    pub prompt_n: u64,
    pub prompt_ms: f64,
    pub prompt_per_token_ms: f64,
    pub prompt_per_second: f64,
    pub predicted_n: u64,
    pub predicted_ms: f64,
    pub predicted_per_token_ms: f64,
    pub predicted_per_second: f64,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Completion {
    pub id: String,
    pub object: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<Choice>,
    #[serde(default)]
    pub usage: Option<Usage>,
    #[serde(default)]
    pub service_tier: Option<String>,
    #[serde(default)]
    pub system_fingerprint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Choice {
    pub index: u32,
    pub message: CompletionMessage,
    #[serde(default)]
    pub logprobs: Option<Logprobs>,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct CompletionMessage {
    pub role: String,
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub annotations: Option<Vec<Annotation>>,
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    pub function_call: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Annotation {
    #[serde(rename = "type")]
    pub type_: String,
    pub url_citation: UrlCitation,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct UrlCitation {
    pub start_index: u64,
    pub end_index: u64,
    pub title: String,
    pub url: String,
}

/// A row of a batch's output file.
#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct BatchRow {
    pub id: String,
    pub custom_id: String,
    pub response: Option<BatchResponse>,
    #[serde(default)]
    pub error: Option<BatchError>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct BatchResponse {
    pub status_code: u16,
    pub request_id: String,
    pub body: Completion,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct BatchError {
    pub code: String,
    pub message: String,
}

#[derive(Debug, Deserialize)]
pub struct ModelList {
    pub data: Vec<Model>,
}

/// A model of OpenRouter.
#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Model {
    pub id: String,
    pub canonical_slug: String,
    pub hugging_face_id: Option<String>,
    pub name: String,
    pub created: u64,
    pub description: String,
    pub context_length: u64,
    pub architecture: Architecture,
    pub pricing: Pricing,
    pub top_provider: TopProvider,
    pub per_request_limits: Option<RequestLimits>,
    pub supported_parameters: Vec<String>,
    pub default_parameters: Option<DefaultParameters>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Architecture {
    pub modality: String,
    pub input_modalities: Vec<String>,
    pub output_modalities: Vec<String>,
    pub tokenizer: String,
    pub instruct_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct Pricing {
    pub prompt: String,
    pub completion: String,
    #[serde(default)]
    pub request: Option<String>,
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub web_search: Option<String>,
    #[serde(default)]
    pub internal_reasoning: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct TopProvider {
    pub context_length: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    pub is_moderated: bool,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct RequestLimits {
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)]
pub struct DefaultParameters {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub frequency_penalty: Option<f64>,
}

#[derive(Deserialize)]
pub struct Embeddings<E> {
    pub data: Vec<Embedding<E>>,
}

#[derive(Deserialize)]
pub struct Embedding<E> {
    pub embedding: E,
}

#[derive(Serialize)]
pub struct EmbeddingRequest<'a> {
    pub model: &'a str,
    pub input: [&'a str; 1],
    pub encoding_format: &'a str,
}

#[derive(Serialize)]
pub struct Request<'a> {
    pub model: &'a str,
    pub messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
}

#[derive(Serialize)]
pub struct Message<'a> {
    pub role: &'a str,
    pub content: &'a str,
}
