//! Uploads a file, lists what is there, downloads the file again, and deletes it.
//!
//! `OPENAI_API_KEY=… cargo run --example files [PATH]`; `OPENAI_BASE_URL` leads to another server that has files.

use futures::TryStreamExt;
use openai_compatible::files::{FileListRequest, Purpose};
use openai_compatible::{Client, FileSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = Client::from_env()?.files();

    let source = match std::env::args().nth(1) {
        Some(path) => FileSource::path(path),
        None => FileSource::bytes("rivers.txt", "The Nile, the Rhine, the Mekong.\n"),
    };
    let source = source.on_progress(|sent, length| println!("  {sent} of {} bytes", length.unwrap_or(sent)));
    println!("uploading {}", source.name());
    let file = files.upload(source, Purpose::UserData).await?;
    println!("it is {} now\n", file.id);

    println!("all files:");
    let mut all = std::pin::pin!(files.list(FileListRequest::new()).await?.into_stream());
    while let Some(file) = all.try_next().await? {
        println!("  {}  {}  {} bytes", file.id, file.filename, file.bytes.unwrap_or_default());
    }

    // Some servers keep the content of some purposes to themselves.
    let target = std::env::temp_dir().join("downloaded");
    match files.content(&file.id).await {
        Ok(content) => println!("\n{} bytes are in {}", content.save_to(&target).await?, target.display()),
        Err(error) => println!("\nno download: {error}"),
    }

    let deleted = files.delete(&file.id).await?;
    println!("deleted: {}", deleted.deleted);
    Ok(())
}
