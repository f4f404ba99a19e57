//! Waits until a server is ready: `cargo run --example health -- http://localhost:8080/v1`.
//!
//! Or `scripts/with-local-model cargo run --example health`; without an argument, `OPENAI_BASE_URL` is used.

use std::time::{Duration, Instant};

use openai_compatible::{Client, HealthState};

mod frame;

/// How long a server may take to load its model.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let client = match std::env::args().nth(1) {
        Some(base_url) => Client::builder().base_url(base_url).build()?,
        None => Client::from_env()?,
    };
    let started = Instant::now();
    loop {
        let health = client.health().await;
        println!("{:>5.1} s  {health}", started.elapsed().as_secs_f64());
        match (health.state, health.error) {
            (HealthState::Healthy, _) => return Ok(()),
            (HealthState::Loading, _) if started.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            (_, Some(error)) => return Err(error.into()),
            (state, None) => return Err(format!("the server is {state}").into()),
        }
    }
}
