//! Documents name what there is: the tests that `docs/scheduling-cases.md` says show a
//! case, the files that documents lead to, and those that maintainers are led through.

use std::collections::BTreeSet;
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

/// The sources that a maintainer may be led to, from the name of their crate on, and the
/// folders in which they lie.
fn modules() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (_, folder) in crates() {
        let of_crate = folder.parent().expect("a crate");
        let name = match of_crate.file_name() {
            Some(name) if of_crate != root() => name.to_string_lossy().into_owned(),
            _ => "src".to_owned(),
        };
        for source in sources_in(&folder) {
            let inside = source.strip_prefix(&folder).expect("below");
            let path = Path::new(&name).join(inside.with_extension(""));
            let folders = path.ancestors().take_while(|it| *it != Path::new(""));
            all.extend(folders.map(|it| it.to_string_lossy().into_owned()));
        }
    }
    all
}

/// What a name with one group of alternatives stands for.
fn alternatives(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('{') else {
        return vec![name.to_owned()];
    };
    let (group, after) = rest.split_once('}').unwrap_or((rest, ""));
    let all = group.split(',');
    all.map(|it| format!("{before}{}{after}", it.trim()))
        .collect()
}

/// A name of a document as the path of a module; none if it cannot be one.
fn as_module(name: &str) -> Option<String> {
    let name = name.strip_suffix(".rs").unwrap_or(name);
    let path = name
        .replace("mesos_client", "mesos-client")
        .replace("::", "/");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-/".contains(c);
    let path = path.trim_end_matches('/');
    (!path.is_empty() && path.chars().all(plain)).then(|| path.to_owned())
}

fn leads_to(modules: &BTreeSet<String>, path: &str) -> bool {
    let end = format!("/{path}");
    modules.iter().any(|it| it == path || it.ends_with(&end))
}

#[test]
fn the_files_that_maintainers_are_led_through_are_there() {
    let modules = modules();
    // Those are looked for above, or are no sources.
    let elsewhere = [
        "/",
        "benches/",
        "crates/",
        "docs/",
        "examples/",
        "fuzz",
        "mesos-test-cluster/",
        "proto/",
        "scripts/",
        "src/",
        "tests/",
    ];
    let is_elsewhere = |name: &str| elsewhere.iter().any(|it| name.starts_with(it));
    let (mut looked_at, mut gone) = (0, Vec::new());
    for document in ["docs/architecture.md", "CONTRIBUTING.md"] {
        let text = text_of(&root().join(document));
        for name in quoted(&text).filter(|it| it.contains(['/', ':']) && !is_elsewhere(it)) {
            for path in alternatives(name).iter().filter_map(|it| as_module(it)) {
                looked_at += 1;
                if !leads_to(&modules, &path) {
                    gone.push(format!("{document}: {path}"));
                }
            }
        }
    }
    assert!(looked_at > 100, "documents lead through files");
    assert_eq!(gone, [""; 0], "there are no such files");
}

#[test]
fn the_walk_of_an_offer_enters_no_file_twice_and_walks_name_files_alone() {
    let modules = modules();
    let text = text_of(&root().join("docs/architecture.md"));
    // What a job file says.
    let is_operation = |name: &String| name == "collect";
    let mut walks = 0;
    for walk in text
        .split("\n## ")
        .filter(|it| it.starts_with("The life of"))
    {
        walks += 1;
        let steps = quoted(walk).filter_map(as_module);
        let steps: Vec<_> = steps.filter(|it| !is_operation(it)).collect();
        let gone: Vec<_> = steps.iter().filter(|it| !leads_to(&modules, it)).collect();
        assert_eq!(gone, [""; 0], "no such files in {walk}");
        let entered: BTreeSet<_> = steps.iter().collect();
        if walk.starts_with("The life of an offer") {
            assert_eq!(
                entered.len(),
                steps.len(),
                "a file is entered twice: {steps:?}"
            );
        }
    }
    assert_eq!(walks, 4, "of an offer, a status, a job and a record");
}
