//! Uploads a large file in parts; after Ctrl-C, the same command resumes: `cargo run --example upload -- FILE`.
//!
//! Set `OPENAI_API_KEY`, or `OPENAI_BASE_URL` for another server that has `/uploads`.

use openai_compatible::files::Purpose;
use openai_compatible::uploads::UploadState;
use openai_compatible::{Client, FileSource};

mod frame;

#[tokio::main(flavor = "current_thread")]
async fn main() -> frame::Result {
    let file = std::env::args().nth(1).ok_or("usage: cargo run --example upload -- FILE")?;
    let stored = format!("{file}.upload.json");
    let state: Option<UploadState> = std::fs::read(&stored).ok().and_then(|json| serde_json::from_slice(&json).ok());

    let client = Client::from_env()?;
    let mut upload = client.uploads().upload(FileSource::path(&file), Purpose::UserData).part_size(8 << 20);
    if let Some(state) = state {
        eprintln!("resuming after {} parts", state.parts.len());
        upload = upload.resume(state);
    }
    let (place, progress) = (stored.clone(), frame::Progress::bytes("upload"));
    let uploaded = upload
        .on_progress(move |sent, total| progress.set(sent, total))
        .on_state(move |state| {
            let json = serde_json::to_vec(state).unwrap_or_default();
            let _ = std::fs::write(&place, json);
        })
        .await?;
    let _ = std::fs::remove_file(stored);
    println!("{}", uploaded.id);
    Ok(())
}
