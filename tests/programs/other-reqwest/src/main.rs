//! Builds a client of this crate, then a reqwest client as any other crate of the program would.

fn main() {
    let client = openai_compatible::Client::builder().base_url("https://localhost:1/v1").build();
    assert!(client.is_ok());
    let other = reqwest::Client::new();
    println!("{other:?}");
}
