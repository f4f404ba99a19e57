//! Makes an image, or changes one: `cargo run --example images -- "A lighthouse in fog." [lighthouse.png]`
//!
//! `OPENAI_MODEL` names the model, `OPENAI_BASE_URL` and `OPENAI_API_KEY` the server.

use openai_compatible::images::{ImageEditRequest, ImageRequest};
use openai_compatible::{Client, FileSource};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let prompt = arguments.next().unwrap_or_else(|| "A lighthouse in fog.".into());
    let model = std::env::var("OPENAI_MODEL").unwrap_or_else(|_| "gpt-image-2".into());
    let client = Client::from_env()?;

    let images = match arguments.next() {
        None => client.images().generate(ImageRequest::new(model, prompt)).await?,
        Some(path) => client.images().edit(ImageEditRequest::new(model, prompt, [FileSource::path(path)])).await?,
    };

    for (n, image) in images.data.iter().enumerate() {
        match &image.url {
            Some(url) => println!("{url}"),
            None => {
                let path = format!("image-{n}.png");
                image.save_to(&path).await?;
                println!("{path}");
            }
        }
    }
    Ok(())
}
