//! The examples of `docs/jobs.md`, run as they stand there.
//!
//! A job file that is followed by a block of text prints that text, on threads and on
//! executor processes alike.

#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "support/jobs.rs"]
mod jobs;

use std::fs;

use jobs::{Job, root};

/// An example: the line where it begins, the job file, and what it prints.
struct Example {
    line: usize,
    job: String,
    printed: String,
}

/// All of them, in order. Words may stand between the two blocks, another block not.
fn examples(document: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut job: Option<(usize, String)> = None;
    let mut lines = document.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let block = lines.by_ref().map(|(_, line)| line);
        let block: String = block
            .take_while(|line| *line != "```")
            .flat_map(|line| [line, "\n"])
            .collect();
        match (kind, job.take()) {
            ("toml", _) => job = Some((at + 1, block)),
            ("text", Some((line, job))) => found.push(Example {
                line,
                job,
                printed: block,
            }),
            _ => {}
        }
    }
    found
}

#[test]
fn every_example_prints_what_stands_below_it() {
    let document = fs::read_to_string(root().join("docs/jobs.md")).expect("the document");
    let examples = examples(&document);
    assert!(!examples.is_empty());
    for Example { line, job, printed } in examples {
        for master in ["local[2]", "local-cluster[2,2,512]"] {
            let job = Job::new(&job);
            let ended = job.run(&["--master", master, "-q"]);
            let stdout = String::from_utf8_lossy(&ended.output.stdout);
            let whose = format!("docs/jobs.md:{line} on {master}: {}", ended.stderr());
            assert_eq!(stdout, printed, "{whose}");
            assert_eq!(ended.code(), Some(0), "{whose}");
        }
    }
}
