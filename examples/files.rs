//! Uploads a file, lists all files, downloads it again, and deletes it.
//!
//! `OPENAI_API_KEY=… cargo run --example files [PATH]`; `OPENAI_BASE_URL` names another server that has files.

use futures::TryStreamExt;
use openai_compatible::files::{FileListRequest, Purpose};
use openai_compatible::{Client, FileSource};

mod frame;

#[tokio::main]
async fn main() -> frame::Result {
    let files = Client::from_env()?.files();

    let source = match std::env::args().nth(1) {
        Some(path) => FileSource::path(path),
        None => FileSource::bytes("rivers.txt", "The Nile, the Rhine, the Mekong.\n"),
    };
    let name = source.name().to_owned();
    let progress = frame::Progress::bytes("upload");
    let source = source.on_progress(move |sent, length| progress.set(sent, length.unwrap_or(0)));
    let file = files.upload(source, Purpose::UserData).await?;
    println!("uploaded {name} as {}\n", file.id);

    println!("all files:");
    let mut all = std::pin::pin!(files.list(FileListRequest::new()).await?.into_stream());
    while let Some(file) = all.try_next().await? {
        println!("  {}  {}  {} bytes", file.id, file.filename, file.bytes.unwrap_or_default());
    }

    // Some servers do not return the content of some purposes.
    let target = frame::new_file("downloaded", "txt");
    match files.content(&file.id).await {
        Ok(content) => println!("\n{} bytes are in {}", content.save_to(&target).await?, target.display()),
        Err(error) => println!("\nno download: {error}"),
    }

    let deleted = files.delete(&file.id).await?;
    println!("deleted: {}", deleted.deleted);
    Ok(())
}
