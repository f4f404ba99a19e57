//! A large file in parts, with progress; after Ctrl-C, the same command goes on: `cargo run --example upload -- FILE`.
//!
//! Set `OPENAI_API_KEY`, or `OPENAI_BASE_URL` for another server that has `/uploads`.

use std::path::Path;

use openai_compatible::files::Purpose;
use openai_compatible::uploads::UploadState;
use openai_compatible::{Client, FileSource, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: cargo run --example upload -- FILE");
        return Ok(());
    };
    let stored = format!("{file}.upload.json");
    let state: Option<UploadState> = std::fs::read(&stored).ok().and_then(|json| serde_json::from_slice(&json).ok());

    let client = Client::from_env()?;
    let mut upload = client.uploads().upload(FileSource::path(&file), Purpose::UserData).part_size(8 << 20);
    if let Some(state) = state {
        eprintln!("going on after {} parts", state.parts.len());
        upload = upload.resume(state);
    }
    let place = stored.clone();
    let uploaded = upload
        .on_progress(|sent, of| eprintln!("{:>3} %", 100 * sent / of.max(1)))
        .on_state(move |state| {
            let json = serde_json::to_vec(state).unwrap_or_default();
            let _ = std::fs::write(Path::new(&place), json);
        })
        .await?;
    let _ = std::fs::remove_file(stored);
    println!("{}", uploaded.id);
    Ok(())
}
