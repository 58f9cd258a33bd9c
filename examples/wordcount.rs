//! The ten most frequent words of some files, and all counts in a folder.
//!
//! ```text
//! cargo run --release --example wordcount -- 'docs/*.md' out/words
//! cargo run --release --example wordcount -- --master mesos://127.0.0.1:5050 'docs/*.md' out/words
//! ```

use std::process::ExitCode;

use mesquite::{BoxError, Context};

fn words(line: &str) -> Vec<(String, u64)> {
    let words = line.split(|c: char| !c.is_ascii_alphabetic());
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| (word.to_ascii_lowercase(), 1)).collect()
}

fn word_count(cx: &Context) -> Result<(), BoxError> {
    let (files, folder) = match cx.arguments() {
        [files] => (files, None),
        [files, folder] => (files, Some(folder)),
        _ => return Err("give files, and a folder for all counts if they are wanted".into()),
    };
    let words = cx.text(files).flat_map(|line| words(&line));
    let counts = words.reduce_by_key(|a, b| a + b).named("counts").persist();
    counts
        .top(10, |(word, count)| (*count, word.clone()))
        .collect();
    if let Some(folder) = folder {
        counts.save(folder).overwrite();
    }
    Ok(())
}

fn main() -> ExitCode {
    mesquite::main(word_count)
}
