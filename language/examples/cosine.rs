//! Prints how similar two sentences are: `cosine MODEL.bin "first sentence" "second sentence"`.

use std::error::Error;

use language::StaticEmbedder;

#[expect(clippy::print_stdout, reason = "an example's output is its purpose")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, first, second] = arguments.as_slice() else {
        return Err("usage: cosine MODEL.bin FIRST SECOND".into());
    };
    let embedder = StaticEmbedder::from_bytes(std::fs::read(model)?)?;
    let vectors = embedder.embed_batch(&[first, second]);
    let (first, second) = vectors.split_at(embedder.dim());
    let cosine: f32 = first.iter().zip(second).map(|(a, b)| a * b).sum();
    println!("{cosine:.4}  ({}, {} components)", embedder.model_id(), embedder.dim());
    Ok(())
}
