//! The layers of `src/` are kept: a file uses its own layer and those below,
//! and what decides is free of everything that waits or surprises.
//!
//! Two rules, checked on the tokens of every source file:
//!
//! 1. A path that begins with `crate::` leads to the same or a lower layer.
//! 2. Files of layers 0 and 1, and files whose `//!` says "Pure", touch no
//!    clock, socket, file, environment, process, thread, runtime or output, are
//!    not asynchronous, and draw no random number of their own. That includes
//!    the standard hash maps, whose order differs from run to run.
//!
//! Code of tests (`#[cfg(test)]`, and files in folders named `tests`) may do
//! what it likes, except sleep.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Which layer a file or folder of `src/` belongs to; the longest match wins.
const LAYERS: &[(&str, u8)] = &[
    // 0: vocabulary
    ("ids", 0),
    ("clock", 0),
    ("backoff", 0),
    ("base64", 0),
    ("conf", 0),
    // 1: decisions; a file of `mesos` or `executor` that says it is pure
    ("resources", 1),
    ("offers", 1),
    ("plan", 1),
    ("scheduler", 1),
    ("backend", 1),
    ("rpc::frame", 1),
    // 1: messages generated from proto/
    ("mesos::proto", 1),
    // 2: sockets and files
    ("rpc::message", 1),
    ("timer", 2),
    ("task", 2),
    ("mesos", 2),
    ("rpc", 2),
    ("storage", 2),
    // 3: loops that wait and act
    ("driver", 3),
    ("executor", 3),
    // 4: parse, run, show
    ("status", 4),
    ("cli", 4),
];

/// The layers in which everything is pure.
const HIGHEST_PURE_LAYER: u8 = 1;

/// What pure code does not name, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::net", "pure code opens no sockets"),
    ("std::os::unix::net", "pure code opens no sockets"),
    ("std::fs", "pure code touches no files"),
    ("std::io::stdin", "pure code reads no input"),
    ("std::io::stdout", "pure code writes no output"),
    ("std::io::stderr", "pure code writes no output"),
    ("std::env", "pure code reads no environment"),
    ("std::process", "pure code starts no processes"),
    ("std::thread", "pure code has no threads"),
    ("std::sync::mpsc", "pure code has one owner"),
    ("std::sync::Mutex", "pure code has one owner"),
    ("std::sync::RwLock", "pure code has one owner"),
    ("std::sync::Condvar", "pure code does not wait"),
    ("std::future", "pure code does not wait"),
    (
        "std::time::Instant",
        "time is an argument: take a Timestamp",
    ),
    (
        "std::time::SystemTime",
        "time is an argument: take a Timestamp",
    ),
    ("Instant::now", "time is an argument: take a Timestamp"),
    ("SystemTime::now", "time is an argument: take a Timestamp"),
    (
        "crate::clock::SystemClock",
        "time is an argument: take a Timestamp",
    ),
    (
        "std::collections::HashMap",
        "its order differs from run to run",
    ),
    (
        "std::collections::HashSet",
        "its order differs from run to run",
    ),
    (
        "std::hash::RandomState",
        "randomness is an argument: take a seeded fastrand::Rng",
    ),
    (
        "rand",
        "randomness is an argument: take a seeded fastrand::Rng",
    ),
    (
        "getrandom",
        "randomness is an argument: take a seeded fastrand::Rng",
    ),
    (
        "fastrand",
        "randomness is an argument: take a seeded fastrand::Rng",
    ),
    ("Rng::new", "randomness is an argument: seed it"),
    ("Rng::default", "randomness is an argument: seed it"),
    ("Uuid::new_v4", "randomness is an argument"),
    ("uuid::Uuid::new_v4", "randomness is an argument"),
    ("tokio", "pure code does not wait"),
    ("futures", "pure code does not wait"),
    ("reqwest", "pure code opens no sockets"),
    ("hyper", "pure code opens no sockets"),
    ("zookeeper_client", "pure code opens no sockets"),
    ("nix", "pure code asks nothing of the system"),
    ("print", "pure code writes no output"),
    ("println", "pure code writes no output"),
    ("eprint", "pure code writes no output"),
    ("eprintln", "pure code writes no output"),
];

/// What is allowed although it begins with something forbidden.
const ALLOWED: &[&str] = &[
    "fastrand::Rng",
    // Addresses are values.
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
];

/// The one file that is what the others must not be.
const CLOCK: &str = "clock";

/// The paths and keywords of a piece of source, with their lines.
#[derive(Default)]
struct Names {
    paths: Vec<(String, usize)>,
    /// Paths that only tests use.
    in_tests: Vec<(String, usize)>,
    waits: Vec<usize>,
}

struct Source {
    file: PathBuf,
    /// As in `use`, without `crate::`: `scheduler::pool`.
    module: String,
    is_test: bool,
    says_pure: bool,
    names: Names,
}

struct Violation {
    file: PathBuf,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule } = self;
        write!(f, "{}:{line}: {rule}", file.display())
    }
}

impl Names {
    fn of(text: &str) -> Self {
        let mut names = Self::default();
        let tokens: TokenStream = text.parse().expect("a source file that compiles");
        names.read(tokens, "", false);
        names
    }

    /// Collects all paths of a token stream. `prefix` is the path before a
    /// group in a `use`.
    fn read(&mut self, tokens: TokenStream, prefix: &str, in_tests: bool) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        let mut test_item = false;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    let (path, next) = path_from(&tokens, at);
                    if path == "async" || (path == "await" && is_after_dot(&tokens, at)) {
                        self.waits.push(line);
                    }
                    let path = format!("{prefix}{path}");
                    at = next;
                    // `use a::{b, c}`: the group belongs to the path.
                    if let Some(group) = use_group(&tokens, at) {
                        self.read(group, &format!("{path}::"), in_tests || test_item);
                        at += 3;
                    } else if in_tests || test_item {
                        self.in_tests.push((path, line));
                    } else {
                        self.paths.push((path, line));
                    }
                }
                TokenTree::Group(group) => {
                    if is_cfg_test(&tokens, at) {
                        test_item = true;
                    } else {
                        let in_item = in_tests || test_item;
                        let inner = if group.delimiter() == Delimiter::Brace {
                            prefix
                        } else {
                            ""
                        };
                        self.read(group.stream(), inner, in_item);
                        // The body ends the item that the attribute was for.
                        test_item &= group.delimiter() != Delimiter::Brace;
                    }
                    at += 1;
                }
                TokenTree::Punct(punct) => {
                    test_item &= punct.as_char() != ';';
                    at += 1;
                }
                TokenTree::Literal(_) => at += 1,
            }
        }
    }
}

/// The path that begins at `at`, and where it ends.
fn path_from(tokens: &[TokenTree], at: usize) -> (String, usize) {
    let mut path = tokens[at].to_string();
    let mut at = at + 1;
    while is_colons(tokens, at)
        && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
    {
        path = format!("{path}::{next}");
        at += 3;
    }
    (path, at)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

fn use_group(tokens: &[TokenTree], at: usize) -> Option<TokenStream> {
    match tokens.get(at + 2) {
        Some(TokenTree::Group(group))
            if is_colons(tokens, at) && group.delimiter() == Delimiter::Brace =>
        {
            Some(group.stream())
        }
        _ => None,
    }
}

fn is_after_dot(tokens: &[TokenTree], at: usize) -> bool {
    at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(punct) if punct.as_char() == '.')
}

/// Whether the group at `at` is the bracket of `#[cfg(test)]`.
fn is_cfg_test(tokens: &[TokenTree], at: usize) -> bool {
    let is_hash =
        at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(punct) if punct.as_char() == '#');
    is_hash && tokens[at].to_string().replace(' ', "") == "[cfg(test)]"
}

/// Whether `path` is `prefix` or leads into it.
fn is_within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn read_sources(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(read_source(root, &path));
            }
        }
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

fn read_source(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a readable source file");
    let file = path.strip_prefix(root).expect("below the root").to_owned();
    let inside = file.strip_prefix("src").expect("a source file");
    let mut parts: Vec<_> = inside
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let is_test = parts.iter().any(|part| part == "tests");
    parts.pop_if(|last| last == "mod");
    Source {
        file,
        module: parts.join("::"),
        is_test,
        says_pure: says_pure(&text),
        names: Names::of(&text),
    }
}

/// Whether the module documentation contains the word "Pure".
fn says_pure(text: &str) -> bool {
    let docs = text.lines().filter_map(|line| line.strip_prefix("//!"));
    docs.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .any(|word| word == "Pure")
}

/// The layer of the module, or of the longest known part of its path.
fn layer_of(module: &str, sources: &[Source]) -> Option<u8> {
    let listed = LAYERS
        .iter()
        .filter(|(prefix, _)| is_within(module, prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, layer)| *layer)?;
    // A pure file of a folder that as a whole is not pure.
    let file = sources
        .iter()
        .filter(|source| !source.module.is_empty() && is_within(module, &source.module))
        .max_by_key(|source| source.module.len());
    let is_pure = file.is_some_and(|source| source.says_pure);
    Some(if is_pure {
        listed.min(HIGHEST_PURE_LAYER)
    } else {
        listed
    })
}

/// Where a path leads, if it leads into this crate: without `crate::`.
fn target(source: &Source, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_owned());
    }
    let mut base: Vec<_> = source.module.split("::").collect();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix("super::") {
        base.pop()?;
        rest = after;
    }
    (rest.len() < path.len() && !base.is_empty()).then(|| format!("{}::{rest}", base.join("::")))
}

fn violations(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        let mut report = |line, rule| {
            let file = source.file.clone();
            found.push(Violation { file, line, rule });
        };
        let tests_sleep = source.names.in_tests.iter();
        let all_sleep = source.names.paths.iter().filter(|_| source.is_test);
        for (path, line) in tests_sleep.chain(all_sleep) {
            if is_within(path, "std::thread::sleep") || is_within(path, "thread::sleep") {
                report(*line, "a test does not sleep: move the time".to_owned());
            }
        }
        let is_crate_root = source.module == "lib" || source.module == "main";
        if source.is_test || is_crate_root {
            continue;
        }
        let Some(layer) = layer_of(&source.module, sources) else {
            report(
                1,
                "the file is in no layer: add it to tests/layering.rs".to_owned(),
            );
            continue;
        };
        for (path, line) in &source.names.paths {
            let Some(target) = target(source, path) else {
                continue;
            };
            if let Some(other) = layer_of(&target, sources)
                && other > layer
            {
                report(
                    *line,
                    format!("layer {layer} uses {target}, which is in layer {other}"),
                );
            }
        }
        let is_pure = layer <= HIGHEST_PURE_LAYER || source.says_pure;
        if !is_pure || source.module == CLOCK {
            continue;
        }
        for line in &source.names.waits {
            report(*line, "pure code does not wait: async or await".to_owned());
        }
        for (path, line) in &source.names.paths {
            if ALLOWED.iter().any(|allowed| is_within(path, allowed)) {
                continue;
            }
            if let Some((_, why)) = FORBIDDEN.iter().find(|(what, _)| is_within(path, what)) {
                report(*line, format!("`{path}`: {why}"));
            }
        }
    }
    found
}

#[test]
fn every_file_keeps_to_its_layer_and_decisions_are_pure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = read_sources(root);
    assert!(
        sources.len() > 50,
        "the sources are where they are looked for"
    );
    let found = violations(&sources);
    let list: Vec<_> = found.iter().map(Violation::to_string).collect();
    assert!(found.is_empty(), "broken rules:\n{}", list.join("\n"));
}

/// A file as if it stood in `src/`.
fn file(name: &str, text: &str) -> Source {
    Source {
        file: Path::new("src").join(name),
        module: name.trim_end_matches(".rs").replace('/', "::"),
        is_test: false,
        says_pure: says_pure(text),
        names: Names::of(text),
    }
}

fn rules_broken(name: &str, text: &str) -> Vec<String> {
    let pure = file("mesos/codec.rs", "//! Pure.\n");
    let sources = [file(name, text), pure, file("mesos/client.rs", "")];
    violations(&sources)
        .iter()
        .map(Violation::to_string)
        .collect()
}

#[test]
fn each_way_to_break_a_rule_is_noticed_with_file_line_and_reason() {
    for (name, text, expected) in [
        (
            "scheduler/a.rs",
            "\nuse std::{\n  collections::BTreeMap,\n  fs::File,\n};",
            "src/scheduler/a.rs:4: `std::fs::File`: pure code touches no files",
        ),
        (
            "plan/a.rs",
            "fn f() { let t = std::time::Instant::now(); }",
            "src/plan/a.rs:1: `std::time::Instant::now`: time is an argument: take a Timestamp",
        ),
        (
            "offers/a.rs",
            "fn f() -> u32 { fastrand::u32(..) }",
            "src/offers/a.rs:1: `fastrand::u32`: randomness is an argument: take a seeded fastrand::Rng",
        ),
        (
            "conf/a.rs",
            "async fn f() {}",
            "src/conf/a.rs:1: pure code does not wait: async or await",
        ),
        (
            "scheduler/a.rs",
            "use crate::mesos::client::Client;",
            "src/scheduler/a.rs:1: layer 1 uses mesos::client::Client, which is in layer 2",
        ),
        (
            "ids.rs",
            "use crate::{clock::Timestamp, plan::Plan};",
            "src/ids.rs:1: layer 0 uses plan::Plan, which is in layer 1",
        ),
        (
            "mesos/a.rs",
            "//! Pure: it decides.\nuse super::client::Client;",
            "src/mesos/a.rs:2: layer 1 uses mesos::client::Client, which is in layer 2",
        ),
        (
            "mesos/a.rs",
            "//! Pure: it decides.\nuse tokio::time::sleep;",
            "src/mesos/a.rs:2: `tokio::time::sleep`: pure code does not wait",
        ),
        (
            "backend/a.rs",
            "fn f() { println!(\"x\"); }",
            "src/backend/a.rs:1: `println`: pure code writes no output",
        ),
        (
            "resources/a.rs",
            "#[cfg(test)]\nmod tests { fn f() { std::thread::sleep(x); } }",
            "src/resources/a.rs:2: a test does not sleep: move the time",
        ),
        (
            "new_folder/a.rs",
            "",
            "src/new_folder/a.rs:1: the file is in no layer: add it to tests/layering.rs",
        ),
    ] {
        assert_eq!(rules_broken(name, text), [expected]);
    }
}

#[test]
fn what_the_rules_allow_is_let_through() {
    for (name, text) in [
        (
            "scheduler/a.rs",
            "// std::fs in a comment\nconst A: &str = \"tokio::spawn\";",
        ),
        (
            "scheduler/a.rs",
            "use fastrand::Rng;\nfn f() { Rng::with_seed(1); }",
        ),
        ("scheduler/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
        (
            "scheduler/a.rs",
            "use std::time::Duration;\nuse crate::ids::JobId;",
        ),
        ("scheduler/a.rs", "use crate::mesos::codec::Codec;"),
        ("mesos/a.rs", "use tokio::net::TcpStream;\nasync fn f() {}"),
        ("executor/a.rs", "use crate::mesos::client::Client;"),
    ] {
        assert_eq!(rules_broken(name, text), [""; 0], "{text}");
    }
}
