//! Generates an image, or edits one: `cargo run --example images -- "A lighthouse in fog." [lighthouse.png]`
//!
//! `OPENAI_BASE_URL` and `OPENAI_API_KEY` name the server, `OPENAI_MODEL` the model.

use openai_compatible::images::{ImageEditRequest, ImageRequest};
use openai_compatible::{Client, FileSource};

mod frame;

#[tokio::main]
async fn main() -> frame::Result {
    let mut arguments = std::env::args().skip(1);
    let prompt = arguments.next().unwrap_or_else(|| "A lighthouse in fog.".into());
    let model = frame::model(frame::models::IMAGE);
    let client = Client::from_env()?;

    let images = match arguments.next() {
        None => client.images().generate(ImageRequest::new(model, prompt)).await?,
        Some(path) => client.images().edit(ImageEditRequest::new(model, prompt, [FileSource::path(path)])).await?,
    };

    for image in &images.data {
        match &image.url {
            Some(url) => println!("{url}"),
            None => {
                let path = frame::new_file("image", "png");
                image.save_to(&path).await?;
                println!("{}", path.display());
            }
        }
    }
    Ok(())
}
