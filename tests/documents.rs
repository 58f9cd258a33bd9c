//! Documents name what there is: the tests that `docs/scheduling-cases.md` says show a
//! case, and the files that documents lead to.

use std::fs;
use std::path::{Path, PathBuf};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/sources.rs"]
mod sources;

use sources::{crates, sources_in};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between single backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn the_tests_that_show_a_case_of_spark_are_there() {
    let mut folders: Vec<_> = crates().into_iter().map(|(_, folder)| folder).collect();
    folders.push(root().join("tests"));
    let sources = folders.iter().flat_map(|it| sources_in(it));
    let code: String = sources.map(|it| text_of(&it)).collect();
    let text = text_of(&root().join("docs/scheduling-cases.md"));
    let is_test = |name: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.matches('_').count() >= 3 && name.chars().all(plain)
    };
    let tests: Vec<_> = quoted(&text).filter(is_test).collect();
    assert!(tests.len() > 100, "the cases are where they are looked for");
    let gone: Vec<_> = tests
        .into_iter()
        .filter(|name| !code.contains(&format!("fn {name}(")))
        .collect();
    assert_eq!(gone, [""; 0], "no such tests");
}

#[test]
fn the_files_that_documents_lead_to_are_there() {
    let documents = fs::read_dir(root().join("docs")).expect("a folder");
    let mut documents: Vec<PathBuf> = documents
        .map(|it| it.expect("a readable folder").path())
        .filter(|it| it.extension().is_some_and(|it| it == "md"))
        .collect();
    documents.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|it| root().join(it)));
    let tops = [
        "crates/",
        "src/",
        "tests/",
        "scripts/",
        "docs/",
        "examples/",
        "proto/",
        "benches/",
    ];
    let mut looked_at = 0;
    for document in documents {
        let text = text_of(&document);
        for name in quoted(&text).filter(|it| tops.iter().any(|top| it.starts_with(top))) {
            // Of a command the first word; of a pattern what stands before it.
            let path = name.split([' ', '*', '{', '<']).next().unwrap_or(name);
            looked_at += 1;
            assert!(
                root().join(path).exists(),
                "{}: there is no `{path}`",
                document.display()
            );
        }
    }
    assert!(looked_at > 50, "documents lead to files");
}
