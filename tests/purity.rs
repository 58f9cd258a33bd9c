//! What decides is pure: it is free of everything that waits or surprises.
//!
//! Which crate may use which other one is in their `Cargo.toml`, and the compiler sees
//! to it. What it does not see is looked for here, on the tokens of every source file:
//!
//! 1. The pure crates depend on no runtime, socket, file or clock of others.
//! 2. Their files, and files of other crates whose `//!` says "Pure", touch no clock,
//!    socket, file, environment, process, thread, runtime or output of the standard
//!    library, are not asynchronous, and draw no random number of their own. That
//!    includes the standard hash maps, whose order differs from run to run.
//! 3. No test sleeps.
//!
//! Code of tests (`#[cfg(test)]`, and files in folders named `tests`) may do
//! what else it likes.

use std::fs;
use std::path::Path;
use std::process::Command;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/sources.rs"]
mod sources;

use sources::{crates, sources_in};

/// The crates in which everything is pure.
const PURE: &[&str] = &[
    "mesquite_base",
    "mesquite_mesos",
    "mesquite_workload",
    "mesquite_scheduler",
    "mesquite_core",
];

/// What no pure crate depends on, by whatever way.
const IMPURE: &[&str] = &[
    "futures-util",
    "hyper",
    "mesquite-system",
    "mio",
    "nix",
    "object_store",
    "reqwest",
    "ring",
    "rustls",
    "tokio",
    "zookeeper-client",
];

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

/// The paths and keywords of a piece of source, with their lines.
#[derive(Default)]
struct Names {
    paths: Vec<(String, usize)>,
    /// Paths that only tests use.
    in_tests: Vec<(String, usize)>,
    waits: Vec<usize>,
}

struct Source {
    /// From the root of the workspace.
    file: String,
    is_pure: bool,
    is_test: bool,
    names: Names,
}

impl Source {
    fn of(of_crate: &str, file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            is_pure: PURE.contains(&of_crate) || says_pure(text),
            is_test: file.split(['/', '.']).any(|part| part == "tests"),
            names: Names::of(text),
        }
    }

    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut report =
            |line: usize, rule: String| found.push(format!("{}:{line}: {rule}", self.file));
        let Names {
            paths,
            in_tests,
            waits,
        } = &self.names;
        for (path, line) in in_tests.iter().chain(paths.iter().filter(|_| self.is_test)) {
            if is_within(path, "std::thread::sleep") || is_within(path, "thread::sleep") {
                report(*line, "a test does not sleep: move the time".to_owned());
            }
        }
        if self.is_test || !self.is_pure {
            return found;
        }
        for line in waits {
            report(*line, "pure code does not wait: async or await".to_owned());
        }
        for (path, line) in paths {
            if ALLOWED.iter().any(|allowed| is_within(path, allowed)) {
                continue;
            }
            if let Some((_, why)) = FORBIDDEN.iter().find(|(what, _)| is_within(path, what)) {
                report(*line, format!("`{path}`: {why}"));
            }
        }
        found
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

/// Whether the module documentation contains the word "Pure".
fn says_pure(text: &str) -> bool {
    let docs = text.lines().filter_map(|line| line.strip_prefix("//!"));
    docs.flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .any(|word| word == "Pure")
}

#[test]
fn what_decides_is_pure_and_no_test_sleeps() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut pure) = (0, 0);
    let mut found = Vec::new();
    for (name, folder) in crates() {
        for path in sources_in(&folder) {
            let text = fs::read_to_string(&path).expect("a readable source file");
            let file = path.strip_prefix(root).expect("below the root");
            let source = Source::of(&name, &file.to_string_lossy(), &text);
            files += 1;
            pure += usize::from(source.is_pure);
            found.extend(source.violations());
        }
    }
    assert!(
        files > 300 && pure > 150,
        "the sources are where they are looked for"
    );
    assert!(found.is_empty(), "broken rules:\n{}", found.join("\n"));
}

#[test]
fn pure_crates_depend_on_no_runtime_socket_file_or_clock() {
    for name in PURE {
        let package = name.replace('_', "-");
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--locked",
                "--offline",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                &package,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        assert!(
            tree.status.success(),
            "{}",
            String::from_utf8_lossy(&tree.stderr)
        );
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        let all: Vec<_> = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!(all.contains(&&*package), "{tree}");
        let impure: Vec<_> = all.iter().filter(|it| IMPURE.contains(it)).collect();
        assert!(impure.is_empty(), "{package} depends on {impure:?}");
    }
}

fn rules_broken(of_crate: &str, text: &str) -> Vec<String> {
    Source::of(of_crate, "a.rs", text).violations()
}

#[test]
fn each_way_to_break_a_rule_is_noticed_with_file_line_and_reason() {
    for (of_crate, text, expected) in [
        (
            "mesquite_scheduler",
            "\nuse std::{\n  collections::BTreeMap,\n  fs::File,\n};",
            "a.rs:4: `std::fs::File`: pure code touches no files",
        ),
        (
            "mesquite_workload",
            "fn f() { let t = std::time::Instant::now(); }",
            "a.rs:1: `std::time::Instant::now`: time is an argument: take a Timestamp",
        ),
        (
            "mesquite_mesos",
            "fn f() -> u32 { fastrand::u32(..) }",
            "a.rs:1: `fastrand::u32`: randomness is an argument: take a seeded fastrand::Rng",
        ),
        (
            "mesquite_base",
            "async fn f() {}",
            "a.rs:1: pure code does not wait: async or await",
        ),
        (
            "mesquite_engine",
            "//! Pure: it decides.\nuse tokio::time::sleep;",
            "a.rs:2: `tokio::time::sleep`: pure code does not wait",
        ),
        (
            "mesquite_core",
            "fn f() { println!(\"x\"); }",
            "a.rs:1: `println`: pure code writes no output",
        ),
        (
            "mesquite",
            "#[cfg(test)]\nmod tests { fn f() { std::thread::sleep(x); } }",
            "a.rs:2: a test does not sleep: move the time",
        ),
    ] {
        assert_eq!(rules_broken(of_crate, text), [expected]);
    }
}

#[test]
fn what_the_rules_allow_is_let_through() {
    for (of_crate, text) in [
        (
            "mesquite_scheduler",
            "// std::fs in a comment\nconst A: &str = \"tokio::spawn\";",
        ),
        (
            "mesquite_scheduler",
            "use fastrand::Rng;\nfn f() { Rng::with_seed(1); }",
        ),
        (
            "mesquite_scheduler",
            "#[cfg(test)]\nmod tests { use std::fs; }",
        ),
        (
            "mesquite_scheduler",
            "use std::time::Duration;\nuse crate::ids::JobId;",
        ),
        (
            "mesquite_engine",
            "use tokio::net::TcpStream;\nasync fn f() {}",
        ),
    ] {
        assert_eq!(rules_broken(of_crate, text), [""; 0], "{text}");
    }
}
