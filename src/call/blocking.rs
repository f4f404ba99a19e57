//! Calls without async code: [`Block`] and [`BlockIter`]. *Feature* `blocking`.
//!
//! There is no second API: whatever is awaited in the examples of this crate can be blocked on.
//!
//! ```no_run
//! use openai_compatible::blocking::{Block, BlockIter};
//! use openai_compatible::{Client, chat::{ChatRequest, Message}};
//!
//! fn main() -> openai_compatible::Result<()> {
//!     let client = Client::from_env()?;
//!     let request = ChatRequest::new("llama3.2", [Message::user("Name three rivers.")]);
//!     println!("{}", client.chat().create(&request).block()?.text());
//!
//!     for chunk in client.chat().stream(&request).block()?.block_iter() {
//!         print!("{}", chunk?.text());
//!     }
//!     Ok(())
//! }
//! ```

use std::future::IntoFuture;
use std::sync::OnceLock;

use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// What is awaited, blocked on: calls, jobs, tool runs, and everything else that returns this crate's [`Result`].
pub trait Block {
    /// The value.
    type Value;

    /// Sends the call, and blocks the thread until it is answered.
    ///
    /// # Errors
    ///
    /// The errors of the call; [`ErrorKind::Config`](crate::ErrorKind::Config) within async code, where `.await` is the way.
    fn block(self) -> Result<Self::Value>;
}

impl<F: IntoFuture<Output = Result<T>>, T> Block for F {
    type Value = T;

    fn block(self) -> Result<T> {
        // Within the runtime: timers look for it where they are made.
        let runtime = runtime()?;
        runtime.block_on(async { self.await })
    }
}

/// A stream as an iterator.
pub trait BlockIter<T> {
    /// Converts the stream to an iterator that blocks the thread until the next item has arrived.
    fn block_iter(self) -> impl Iterator<Item = Result<T>>;
}

impl<S: Stream<Item = Result<T>> + Unpin, T> BlockIter<T> for S {
    fn block_iter(mut self) -> impl Iterator<Item = Result<T>> {
        let mut is_over = false;
        std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let item = match runtime() {
                Ok(runtime) => runtime.block_on(self.next()),
                Err(error) => Some(Err(error)),
            };
            is_over = !matches!(item, Some(Ok(_)));
            item
        })
    }
}

/// One runtime for all calls, with a thread for their connections.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    if Handle::try_current().is_ok() {
        return Err(Error::config(
            "`block` within async code would block the runtime: use `.await`, or in `spawn_blocking` `Handle::current().block_on(…)`",
        ));
    }
    let start = || Builder::new_multi_thread().worker_threads(1).thread_name("openai-compatible").enable_all().build();
    RUNTIME.get_or_init(start).as_ref().map_err(|error| Error::config(format!("failed to start a runtime: {error}")))
}
