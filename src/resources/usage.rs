//! Token usage of responses and batches.

use std::fmt;
use std::ops::AddAssign;

use serde_json::Value;

use crate::wire::{Extra, Wire};

wire_struct! {
    /// Token usage of a response or a batch.
    pub struct ResponseUsage {
        /// Number of input tokens.
        pub input_tokens: u64,
        /// Number of input tokens by kind.
        pub input_tokens_details: Option<InputTokensDetails>,
        /// Number of output tokens.
        pub output_tokens: u64,
        /// Number of output tokens by kind.
        pub output_tokens_details: Option<OutputTokensDetails>,
        /// Total number of tokens.
        pub total_tokens: u64,
    }

    /// Number of input tokens by kind.
    pub struct InputTokensDetails {
        /// Number of tokens read from the prompt cache.
        pub cached_tokens: Option<u64>,
        /// Number of tokens written to the prompt cache.
        pub cache_write_tokens: Option<u64>,
    }

    /// Number of output tokens by kind.
    pub struct OutputTokensDetails {
        /// Number of reasoning tokens.
        pub reasoning_tokens: Option<u64>,
    }
}

impl Default for ResponseUsage {
    /// Returns no usage, to add to.
    fn default() -> Self {
        ResponseUsage::default_value()
    }
}

impl ResponseUsage {
    /// Returns the number of input tokens read from the prompt cache, if the server reports it.
    pub fn cached_tokens(&self) -> Option<u64> {
        let details = self.input_tokens_details.as_ref().and_then(|details| details.cached_tokens);
        details.or_else(|| cached_tokens(&self.extra))
    }

    /// Returns the number of reasoning tokens, if the server reports it.
    pub fn reasoning_tokens(&self) -> Option<u64> {
        let details = self.output_tokens_details.as_ref().and_then(|details| details.reasoning_tokens);
        details.or_else(|| self.extra.get("reasoning_tokens")?.as_u64())
    }

    /// Returns the cost in US dollars, if the server reports it.
    #[doc(alias = "price")]
    pub fn cost(&self) -> Option<f64> {
        cost(&self.extra)
    }
}

/// DeepSeek and Anthropic count the tokens of their caches separately.
pub(crate) fn cached_tokens(extra: &Extra) -> Option<u64> {
    ["prompt_cache_hit_tokens", "cache_read_input_tokens"].iter().find_map(|name| extra.get(name)?.as_u64())
}

/// What vendors call the cost.
const COSTS: [&str; 3] = ["cost", "estimated_cost", "cost_in_usd_ticks"];

/// The cost as OpenRouter, DeepInfra, Perplexity and xAI report it.
pub(crate) fn cost(extra: &Extra) -> Option<f64> {
    const TICKS: f64 = 1e10;
    let number = |name: &str| extra.get(name)?.as_f64();
    number("cost")
        .or_else(|| extra.get("cost")?.get("total_cost")?.as_f64())
        .or_else(|| number("estimated_cost"))
        .or_else(|| Some(number("cost_in_usd_ticks")? / TICKS))
}

/// Adds the usage of another response, whatever fields its vendor reports it in. The cost of the sum is known if that of each part
/// is.
impl AddAssign<&ResponseUsage> for ResponseUsage {
    fn add_assign(&mut self, other: &ResponseUsage) {
        let is_first = *self == ResponseUsage::default_value();
        let cached = sum(self.cached_tokens(), other.cached_tokens());
        let reasoning = sum(self.reasoning_tokens(), other.reasoning_tokens());
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        if let Some(other) = &other.input_tokens_details {
            let details = self.input_tokens_details.get_or_insert_with(InputTokensDetails::default_value);
            details.cache_write_tokens = sum(details.cache_write_tokens, other.cache_write_tokens);
        }
        if cached.is_some() {
            self.input_tokens_details.get_or_insert_with(InputTokensDetails::default_value).cached_tokens = cached;
        }
        if reasoning.is_some() {
            self.output_tokens_details.get_or_insert_with(OutputTokensDetails::default_value).reasoning_tokens =
                reasoning;
        }
        add_extra(&mut self.extra, &other.extra, is_first);
    }
}

/// Adds the numbers of vendors; of other values, the later one wins. `is_first` if there is nothing to add to.
pub(crate) fn add_extra(sum: &mut Extra, other: &Extra, is_first: bool) {
    let cost_of_both = match (cost(sum), cost(other)) {
        (None, cost) if is_first => cost,
        (Some(one), Some(two)) => Some(one + two),
        // A part of the cost would look like all of it.
        _ => None,
    };
    for (name, value) in other.iter() {
        let added = sum.get(name).and_then(|sum| added(sum, value));
        sum.insert(name, added.unwrap_or_else(|| value.clone()));
    }
    // Where both are reported in the same way, their sum is there already.
    let is_right = match (cost(sum), cost_of_both) {
        (Some(cost), Some(expected)) => (cost - expected).abs() <= 1e-9 * expected.abs(),
        (cost, expected) => cost == expected,
    };
    if !is_right {
        COSTS.iter().for_each(|name| drop(sum.remove(name)));
        if let Some(cost) = cost_of_both {
            sum.insert("cost", cost);
        }
    }
}

fn added(one: &Value, two: &Value) -> Option<Value> {
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => {
            let mut sum = one.clone();
            for (name, value) in two {
                let added = one.get(name).and_then(|one| added(one, value));
                sum.insert(name.clone(), added.unwrap_or_else(|| value.clone()));
            }
            Some(Value::Object(sum))
        }
        _ => match (one.as_u64(), two.as_u64()) {
            (Some(one), Some(two)) => Some(Value::from(one.saturating_add(two))),
            _ => Some(Value::from(one.as_f64()? + two.as_f64()?)),
        },
    }
}

impl fmt::Display for ResponseUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = (self.input_tokens, self.cached_tokens());
        let output = (self.output_tokens, self.reasoning_tokens());
        write_usage(f, ("input", input), ("output", output), self.total_tokens)
    }
}

/// Writes `10 prompt (4 cached) + 5 completion = 15 tokens`.
pub(crate) fn write_usage(
    f: &mut fmt::Formatter<'_>,
    (input_name, (input, cached)): (&str, (u64, Option<u64>)),
    (output_name, (output, reasoning)): (&str, (u64, Option<u64>)),
    total: u64,
) -> fmt::Result {
    write!(f, "{input} {input_name}")?;
    if let Some(cached) = cached.filter(|cached| *cached > 0) {
        write!(f, " ({cached} cached)")?;
    }
    write!(f, " + {output} {output_name}")?;
    if let Some(reasoning) = reasoning.filter(|reasoning| *reasoning > 0) {
        write!(f, " ({reasoning} reasoning)")?;
    }
    // Some servers leave it out.
    let total = if total == 0 { input.saturating_add(output) } else { total };
    write!(f, " = {total} tokens")
}

/// The sum of two counts, each of which may be missing.
pub(crate) fn sum(one: Option<u64>, two: Option<u64>) -> Option<u64> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.saturating_add(two)),
        (one, two) => one.or(two),
    }
}
