//! Running a batch to completion: [`Batches::run`] and [`Batches::wait`].

use std::time::Duration;

use super::{Batch, BatchInput, BatchRequest, BatchStatus, Batches};
use crate::call::job::{Job, JobState};
use crate::error::{ApiError, Error, ErrorKind, Result};
use crate::transport::options::CallOptions;

impl Batches {
    /// Runs a batch to completion: uploads the input (`POST /files`), creates the batch (`POST /batches`) and polls
    /// (`GET /batches/{id}`) until it finishes.
    ///
    /// Await the [`Job`] for the batch that completed, expired or was cancelled: completed requests have
    /// [`results`](Batches::results). Or read it as a stream of states. A failed batch, usually caused by an invalid input
    /// file, is an error, and [`Error::batch`] returns its last known state.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, input: openai_compatible::batches::BatchInput) -> openai_compatible::Result<()> {
    /// let batch = client.batches().run(input)
    ///     .on_progress(|batch| eprintln!("{}: {}", batch.id, batch.status))
    ///     .await?;
    /// println!("{:?}", batch.request_counts);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "create_and_poll")]
    pub fn run(&self, input: BatchInput) -> Job<Batch> {
        let (batches, get) = (self.clone(), self.clone());
        Job::start(move |options| Box::pin(batches.submit_with(input, options)), move |id| get.get(id))
    }

    /// Uploads the input and creates the batch without waiting for it to finish.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client, input: openai_compatible::batches::BatchInput) -> openai_compatible::Result<()> {
    /// let batch = client.batches().submit(input).await?;
    /// println!("wait for {} tomorrow", batch.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit(&self, input: BatchInput) -> impl Future<Output = Result<Batch>> + Send + use<> {
        self.clone().submit_with(input, CallOptions::new())
    }

    async fn submit_with(self, input: BatchInput, options: CallOptions) -> Result<Batch> {
        let (source, purpose, request) = input.into_parts()?;
        let file = self.client.files().upload(source, purpose).options(options.clone()).await?;
        let request = BatchRequest { input_file_id: file.id, ..request };
        self.create(&request).options(options).await.map_err(|error| {
            let file = &request.input_file_id;
            error.with_context(format!("input file `{file}` was uploaded, but creating the batch failed"))
        })
    }

    /// Waits for an existing batch, for example after a restart: polls `GET /batches/{id}` until it finishes.
    ///
    /// ```no_run
    /// # async fn run(client: openai_compatible::Client) -> openai_compatible::Result<()> {
    /// use std::time::Duration;
    ///
    /// let batch = client.batches().wait("batch_abc").total_timeout(Duration::from_secs(3600)).await?;
    /// println!("{}", batch.status);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "resume")]
    #[doc(alias = "poll")]
    pub fn wait(&self, id: impl Into<String>) -> Job<Batch> {
        let batches = self.clone();
        Job::existing(id.into(), move |id| batches.get(id))
    }
}

impl JobState for Batch {
    const NAME: &'static str = "batch";
    const POLL_INTERVAL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

    fn id(&self) -> &str {
        &self.id
    }

    fn is_finished(&self) -> bool {
        self.status.is_terminal()
    }

    fn failure(&self) -> Option<Error> {
        (self.status == BatchStatus::Failed).then(|| failed(self))
    }

    fn attach_to(self, error: Error) -> Error {
        error.with_batch(self)
    }
}

fn failed(batch: &Batch) -> Error {
    let error = Error::new(ErrorKind::Api, format!("batch `{}` failed", batch.id));
    let mut input_errors = batch.errors.iter().flat_map(|errors| &errors.data);
    let Some(first) = input_errors.next() else { return error };
    let mut message = match first.line {
        Some(line) => format!("line {line}: {}", first.message),
        None => first.message.clone(),
    };
    let others = input_errors.count();
    if others > 0 {
        message += &format!(" (and {others} more)");
    }
    let code = Some(first.code.clone()).filter(|code| !code.is_empty());
    error.with_api(ApiError { message, code, param: first.param.clone(), ..ApiError::default() })
}
