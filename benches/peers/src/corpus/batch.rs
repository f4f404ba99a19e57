//! The output file of a batch.

use super::{Seen, words};

fn content(i: u64) -> String {
    words(i * 53, 300)
}

/// So many rows of about 1 KB, a chat completion each.
pub fn batch_output(n: u64) -> String {
    let row = |i: u64| {
        let content = serde_json::to_string(&content(i)).expect("a string is JSON");
        format!(
            r#"{{"id":"batch_req_6740a2f1c0c88190{i:016x}","custom_id":"request-{i}","response":{{"status_code":200,"request_id":"2f1c0c8819043b7f{i:016x}","body":{{"id":"chatcmpl-CfD4Y1mPqG7v0tR8{i:013}","object":"chat.completion","created":1763712000,"model":"gpt-4.1-mini-2025-04-14","choices":[{{"index":0,"message":{{"role":"assistant","content":{content},"refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":71,"total_tokens":90,"prompt_tokens_details":{{"cached_tokens":0,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}},"service_tier":"default","system_fingerprint":"fp_3f58d112f7"}}}},"error":null}}
"#
        )
    };
    (0..n).map(row).collect()
}

/// What a client must have received of `batch_output(n)`: the custom id and the content of each row.
pub fn expected_batch(n: u64) -> Seen {
    let mut seen = Seen { items: n, ..Seen::new() };
    for i in 0..n {
        seen.text(&format!("request-{i}"));
        seen.text(&content(i));
    }
    seen
}
