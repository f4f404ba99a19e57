//! A list of models, as OpenRouter writes it.

use super::{Seen, words};

/// Number of models in the list.
pub const MODELS: u64 = 1000;

fn id(i: u64) -> String {
    format!("vendor-{}/model-{i}-instruct", i % 60)
}

fn description(i: u64) -> String {
    words(i * 31, 240)
}

fn price(i: u64) -> String {
    format!("0.{:08}", 5 + i * 7 % 9000)
}

/// The response to `GET /models`: about 1.1 KB per model.
pub fn models() -> String {
    let model = |i: u64| {
        let (id, price, context) = (id(i), price(i), 8192 << (i % 6));
        let description = serde_json::to_string(&description(i)).expect("a string is JSON");
        format!(
            r#"{{"id":"{id}","canonical_slug":"{id}-2025-11-20","hugging_face_id":"Vendor-{0}/Model-{i}-Instruct","name":"Vendor {0}: Model {i} Instruct","created":{created},"description":{description},"context_length":{context},"architecture":{{"modality":"text+image->text","input_modalities":["text","image"],"output_modalities":["text"],"tokenizer":"Other","instruct_type":null}},"pricing":{{"prompt":"{price}","completion":"{price}","request":"0","image":"0","web_search":"0","internal_reasoning":"0"}},"top_provider":{{"context_length":{context},"max_completion_tokens":16384,"is_moderated":false}},"per_request_limits":null,"supported_parameters":["frequency_penalty","max_tokens","presence_penalty","response_format","seed","stop","structured_outputs","temperature","tool_choice","tools","top_k","top_p"],"default_parameters":{{"temperature":0.6,"top_p":0.95,"frequency_penalty":null}}}}"#,
            i % 60,
            created = 1_763_712_000 - i * 1000,
        )
    };
    let models: Vec<String> = (0..MODELS).map(model).collect();
    format!(r#"{{"data":[{}]}}"#, models.join(","))
}

/// What a client must have received: the ids; with `fields`, also a description, a price and a supported parameter.
pub fn expected_models(fields: bool) -> Seen {
    let mut seen = Seen { items: MODELS, ..Seen::new() };
    for i in 0..MODELS {
        seen.text(&id(i));
        if fields {
            seen.text(&description(i));
            seen.text(&price(i));
            seen.text("top_p");
        }
    }
    seen
}
