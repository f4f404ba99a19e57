//! [`StreamTiming`]: how long a stream took.

use std::time::Duration;

use tokio::time::Instant;

/// How long a stream took to its first output and until now, from the start of its call, retries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamTiming {
    /// Time until the first output: text, reasoning, a tool call or audio. `None` before it.
    pub time_to_first_output: Option<Duration>,
    /// Time until the end of the stream; until now, while it is open.
    pub elapsed: Duration,
}

impl StreamTiming {
    /// Returns the output tokens per second after the first output; `None` if no time passed after it.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, request: openai_compatible::chat::ChatRequest) -> openai_compatible::Result<()> {
    /// let request = request.include_usage(true);
    /// let (response, timing) = client.chat().stream(&request).await?.collect_with_timing().await?;
    /// if let (Some(first), Some(usage)) = (timing.time_to_first_output, &response.usage) {
    ///     let speed = timing.tokens_per_second(usage.completion_tokens).unwrap_or_default();
    ///     println!("first token after {first:.2?}, then {speed:.0} tokens/s");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokens_per_second(&self, output_tokens: u64) -> Option<f64> {
        let time = self.elapsed.saturating_sub(self.time_to_first_output?).as_secs_f64();
        (time > 0.0).then(|| output_tokens as f64 / time)
    }
}

/// The moments of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamClock {
    started: Instant,
    first_output: Option<Instant>,
    ended: Option<Instant>,
}

impl StreamClock {
    /// The clock of a stream whose call started this long ago.
    pub(super) fn since(elapsed: Duration) -> Self {
        let now = Instant::now();
        StreamClock { started: now.checked_sub(elapsed).unwrap_or(now), first_output: None, ended: None }
    }

    pub(super) fn has_output(&self) -> bool {
        self.first_output.is_some()
    }

    pub(super) fn record_output(&mut self) {
        self.first_output.get_or_insert_with(Instant::now);
    }

    pub(super) fn record_end(&mut self) {
        self.ended.get_or_insert_with(Instant::now);
    }

    /// Goes on after the stream has been opened again.
    pub(super) fn resume(&mut self) {
        self.ended = None;
    }

    pub(super) fn timing(&self) -> StreamTiming {
        let since_start = |moment: Instant| moment.saturating_duration_since(self.started);
        StreamTiming {
            time_to_first_output: self.first_output.map(since_start),
            elapsed: since_start(self.ended.unwrap_or_else(Instant::now)),
        }
    }
}
