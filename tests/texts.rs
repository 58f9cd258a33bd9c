//! What people read, whole: help, reports, mistakes in job files.
//!
//! Each text is a file in `tests/snapshots`. `INSTA_UPDATE=always cargo test --test
//! texts` writes them anew: read the difference before it is kept. The report of a check
//! is there too, made by `cli/check/report.rs`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the binary in `folder`: its exit code, stdout and stderr, as a text.
fn told(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let mut told = format!("$ mesquite {}\n", arguments.join(" "));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            told += &format!("-- {name}\n{}", text(bytes));
        }
    }
    let code = output.status.code().expect("it was not killed");
    told + &format!("-- exit code {code}\n")
}

/// Without what differs from run to run: times and ports.
fn lasting(text: &str) -> String {
    let mut lasting = String::new();
    for line in text.lines() {
        if let Some((before, _)) = line.split_once("http://127.0.0.1:") {
            lasting += &format!("{before}http://127.0.0.1:PORT\n");
            continue;
        }
        match line.rsplit_once(", ") {
            Some((before, time)) if time.ends_with(" s") => {
                lasting += &format!("{before}, TIME\n");
            }
            _ => lasting += &format!("{line}\n"),
        }
    }
    lasting
}

fn same(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn help_of_each_command() {
    let here = Path::new(".");
    let all = ["", "run", "plan", "check", "conf"].map(|command| {
        let mut arguments = vec![command, "--help"];
        arguments.retain(|it| !it.is_empty());
        told(here, &arguments)
    });
    same("help", &all.join("\n"));
}

#[test]
fn what_shells_editors_and_man_are_told() {
    let here = Path::new(".");
    let schema = told(here, &["schema"]);
    assert!(schema.contains("\"$defs\""), "{schema}");
    same("man", &told(here, &["man"]));
    let man = told(here, &["man", "run"]);
    for part in [".TH mesquite-run 1", "\\-\\-set", "\\-\\-master"] {
        assert!(man.contains(part), "{part} is not in {man}");
    }
    let none = told(here, &["man", "nosuch"]);
    assert!(
        none.contains("error: there is no command `nosuch`: known are"),
        "{none}"
    );
    assert!(none.ends_with("-- exit code 2\n"), "{none}");
    for shell in ["bash", "zsh", "fish"] {
        let script = told(here, &["completions", shell]);
        for part in ["properties-file", "completions", "plan", "check"] {
            assert!(script.contains(part), "{shell}: {part}");
        }
        assert!(
            !script.contains("subcommand__executor"),
            "agents need no completion"
        );
        assert!(script.ends_with("-- exit code 0\n"), "{shell}");
    }
    let unknown = told(here, &["completions", "csh"]);
    assert!(
        unknown.contains("[possible values: bash, zsh, fish]"),
        "{unknown}"
    );
}

/// A shell that is here takes the script, and it knows our commands.
#[test]
fn bash_completes_commands_and_options() {
    let script = "eval \"$($0 completions bash)\"; COMP_WORDS=(mesquite \"$1\" \"$2\"); COMP_CWORD=$3; \
                  _mesquite mesquite \"${COMP_WORDS[$3]}\" mesquite; echo \"${COMPREPLY[*]}\"";
    for (first, second, at, wanted) in [
        ("pl", "", "1", "plan"),
        ("run", "--prop", "2", "--properties-file"),
    ] {
        let output = Command::new("bash")
            .args([
                "-c",
                script,
                env!("CARGO_BIN_EXE_mesquite"),
                first,
                second,
                at,
            ])
            .output()
            .expect("bash runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            told.trim(),
            wanted,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

const REPORTED: &str = r#"
name = "words"
[[action]]
count = "words"
[[action]]
collect = "counts"
[dataset.lines]
items = ["a b", "b"]
[dataset.words]
from = "lines"
pipe = "tr ' ' '\n'"
[dataset.counts]
from = "words"
count_by_key = { partitions = 1 }
"#;

const FAILS: &str = r#"
name = "fails"
[[action]]
count = "broken"
[dataset.lines]
items = ["a"]
[dataset.broken]
from = "lines"
pipe = "echo no such luck >&2; exit 3"
"#;

#[test]
fn reports_of_a_run_that_succeeds_and_of_one_that_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = String::new();
    for (file, text) in [("words.toml", REPORTED), ("fails.toml", FAILS)] {
        fs::write(folder.path().join(file), text).expect("written");
        let anywhere = [
            "run",
            "--master",
            "local[1]",
            "--conf",
            "spark.ui.port=0",
            file,
        ];
        all += &lasting(&told(folder.path(), &anywhere));
        all += "\n";
    }
    same("reports", &all);
}

const PLANNED: &str = r#"
name = "planned"
[params]
level = "ERROR"
nobody = 1
[dataset.lines]
text = ["a*.log", "ab.log", "b.log.gz"]
split = "4b"
[dataset.errors]
from = "lines"
filter = "${level}"
[dataset.counts]
from = "errors"
count_by_key = { partitions = 3 }
[dataset.kept]
from = "counts"
filter = "x"
persist = true
[dataset.sorted]
from = "errors"
sort = { partitions = 2 }
[dataset.idle]
from = "sorted"
distinct = true
[[action]]
name = "store"
save = "kept"
to = "out"
[[action]]
collect = "sorted"
limit = 5
after = ["store"]
pool = "p"
"#;

#[test]
fn plans_of_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in [
        ("job.toml", PLANNED),
        ("ab.log", "ERROR 1\n"),
        ("ac.log", "INFO\n"),
        ("b.log.gz", "not looked at"),
        ("bad.toml", "[dataset.a]\nitems = 1\n"),
    ] {
        fs::write(folder.path().join(file), text).expect("written");
    }
    let mut all = String::new();
    for arguments in [
        &["plan", "job.toml"][..],
        &["plan", "--check", "job.toml"],
        &["plan", "--json", "-q", "job.toml"],
        &["plan", "--dot", "-qq", "job.toml"],
        &["plan", "--check", "bad.toml"],
        &["plan", "--check", "--json", "job.toml"],
    ] {
        all += &told(folder.path(), arguments);
        all += "\n";
    }
    // Warnings have the time in front.
    let mut timeless = String::new();
    for line in all.lines() {
        let line = line.find(" WARN ").map_or(line, |at| &line[at..]);
        timeless += &format!("{line}\n");
    }
    all = timeless;
    // Where links lead to as well as what it is called.
    let real = folder.path().canonicalize().expect("there");
    for path in [real.as_path(), folder.path()] {
        all = all.replace(path.to_str().expect("text"), "FOLDER");
    }
    same("plan", &all);
    assert_eq!(
        fs::read_dir(folder.path()).expect("there").count(),
        5,
        "it writes nothing"
    );
}

/// Job files with mistakes, by what they are about.
const MISTAKES: &[(&str, &str)] = &[
    ("no TOML", "[[action]\ncount = 1"),
    ("nothing to do", "[dataset.a]\nitems = [\"x\"]"),
    (
        "names that are not known",
        "nam = \"x\"\n[[action]]\ncount = \"lines\"\n[dataset.line]\nitem = [\"x\"]",
    ),
    (
        "a circle",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nfrom = \"b\"\npipe = \"cat\"\n[dataset.b]\nfrom = \"a\"\npipe = \"cat\"",
    ),
    (
        "types",
        "[[action]]\ncount = \"a\"\n[dataset.a]\ntext = \"file\"\n[dataset.b]\nrange = 7\n[dataset.c]\nfrom = 1\nfilter = []",
    ),
    (
        "two operations and none",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]\nrange = { end = 3 }\n[dataset.b]\npersist = true",
    ),
    (
        "from",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nfrom = \"b\"\nitems = [\"x\"]\n[dataset.b]\nsort = true\nsplit = \"1m\"",
    ),
    (
        "ranges of numbers",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\nsample = { fraction = 2 }\n\
         [dataset.b]\nfrom = \"x\"\nrepartition = 0\n[dataset.c]\nfrom = \"x\"\nkey_by = { field = 0, separator = \"\" }",
    ),
    (
        "texts of an operation",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\\ny\"]\n[dataset.a]\nfrom = \"x\"\nfilter = \"(\"\n\
         [dataset.b]\nfrom = \"x\"\npipe = \"\"\n[dataset.c]\nunion = []\n[dataset.d]\ntext = [\"x\"]\nsplit = \"big\"",
    ),
    (
        "shuffles",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\njoin = { kind = \"outer\" }\n\
         [dataset.b]\nfrom = \"x\"\nsort = { by = \"valeu\", partitions = 0 }\n[dataset.c]\nfrom = \"x\"\nreduce_by_key = {}\n\
         [dataset.d]\nfrom = \"x\"\ncount_by_key = 3",
    ),
    (
        "actions",
        "[[action]]\nsave = \"a\"\n[[action]]\ncount = \"a\"\nlimit = 3\n[[action]]\n[[action]]\ncollect = \"a\"\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]",
    ),
    (
        "files that are not there",
        "[[action]]\ncount = \"a\"\n[dataset.a]\ntext = [\"absent.txt\", \"no*.txt\"]",
    ),
    (
        "times",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]\ntimeout = \"5\"\n[dataset.b]\nitems = [\"x\"]\ntimeout = 5\n\
         [dataset.c]\nitems = [\"x\"]\ntimeout = \"0s\"\n[dataset.d]\nitems = [\"x\"]\ntimout = \"5m\"",
    ),
    (
        "items that may fail",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]\non_failure = \"skip\"\n[dataset.n]\nrange = { end = 3 }\n\
         [dataset.b]\nfrom = \"n\"\npipe = \"cat\"\non_failure = \"skip\"",
    ),
    (
        "fields of items that may fail",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]\nfailed = \"f\"\n[dataset.b]\nfrom = \"a\"\npipe = \"cat\"\n\
         on_failure = \"ignore\"\n[dataset.c]\nfrom = \"a\"\npipe = \"cat\"\non_failure = \"skip\"\nallow_failures = -1\nfailed = \"\"",
    ),
    (
        "operations on text",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\nfilter = { not = true }\n\
         [dataset.b]\nfrom = \"x\"\nwords = \"yes\"\n[dataset.c]\nfrom = \"x\"\nsplit_by = \"[\"\n\
         [dataset.d]\nfrom = \"x\"\nreplace = { pattern = \"(a)\", with = \"$2 $b\" }\n\
         [dataset.e]\nfrom = \"x\"\nreplace = { patern = \"a\" }\n[dataset.f]\nfrom = \"x\"\nwords = { digit = false }",
    ),
    (
        "keys of several fields",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\nkey_by = { fields = [] }\n\
         [dataset.b]\nfrom = \"x\"\nkey_by = { field = 1, fields = [1, 0] }\n\
         [dataset.c]\nfrom = \"x\"\nkey_by = { field = 1, separator = \",\", white_space = true }",
    ),
    (
        "measures",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\naggregate_by_key = true\n\
         [dataset.b]\nfrom = \"x\"\naggregate_by_key = { values = [] }\n\
         [dataset.c]\nfrom = \"x\"\naggregate_by_key = { values = [\"avg\", { sum = 0 }, { max = 1, min = 2 }, { count = 1 }] }\n\
         [dataset.d]\nfrom = \"x\"\naggregate_by_key = { value = \"sum\" }",
    ),
    (
        "files",
        "[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]\nskip_header = true\n[dataset.b]\ntext = [\"x\"]\nskip_header = 1",
    ),
    (
        "fields of formats",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\ncsv = { fields = [\"age\", 0], separator = \"::\" }\n\
         [dataset.b]\nfrom = \"x\"\ncsv = { columns = [\"name\", \"age\"], fields = [\"nam\", \"age\"] }\n\
         [dataset.c]\nfrom = \"x\"\njsonl = { field = \"a\" }\n[dataset.d]\nfrom = \"x\"\njsonl = { fields = [\"a..b\", 1] }\n\
         [dataset.e]\nfrom = \"x\"\ncsv = { fields = [\"age\"] }",
    ),
    (
        "the first of all",
        "[[action]]\ncount = \"a\"\n[dataset.x]\nitems = [\"x\"]\n[dataset.a]\nfrom = \"x\"\ntop = 0\n\
         [dataset.b]\nfrom = \"x\"\ntop = { by = \"number\", partitions = 3 }\n[dataset.c]\nfrom = \"x\"\ntop = true",
    ),
    (
        "settings",
        "[conf]\n\"spark.task.cpus\" = 0\n\"spark.excutor.cores\" = 2\n[[action]]\ncount = \"a\"\n[dataset.a]\nitems = [\"x\"]",
    ),
];

#[test]
fn mistakes_in_job_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = String::new();
    for (about, text) in MISTAKES {
        fs::write(folder.path().join("job.toml"), text).expect("written");
        let told = told(folder.path(), &["run", "job.toml"]);
        all += &format!("# {about}\n{text}\n{told}\n");
    }
    same("mistakes", &all);
}
