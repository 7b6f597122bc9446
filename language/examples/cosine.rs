//! Prints how similar two sentences are: `cosine MODEL.bin "first sentence" "second sentence"`; without
//! arguments, two sentences of its own by the model that `cargo xtask setup` makes.

use std::error::Error;

use language::StaticEmbedder;

#[expect(clippy::print_stdout, reason = "an example's output is its purpose")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let own = [
        concat!(env!("CARGO_MANIFEST_DIR"), "/model/static-minilm.bin"),
        "A dog is a mammal.",
        "Puppies are young animals.",
    ];
    let own = own.map(str::to_owned);
    let (model, first, second) = match arguments.as_slice() {
        [] => (&own[0], &own[1], &own[2]),
        [model, first, second] => (model, first, second),
        _ => return Err("usage: cosine MODEL.bin FIRST SECOND".into()),
    };
    let embedder = StaticEmbedder::from_bytes(std::fs::read(model)?)?;
    let vectors = embedder.embed_batch(&[first, second]);
    let (first, second) = vectors.split_at(embedder.dim());
    let cosine: f32 = first.iter().zip(second).map(|(a, b)| a * b).sum();
    println!("{cosine:.4}  ({}, {} components)", embedder.model_id(), embedder.dim());
    Ok(())
}
