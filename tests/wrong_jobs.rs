//! Job files with mistakes, each as people see it answered.
//!
//! The files are in `tests/wrong_jobs`, one behind the other, each below a line with
//! what is wrong with it; what is said of them is in `tests/snapshots`, and written anew
//! by `INSTA_UPDATE=always cargo test --test wrong_jobs`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Files that others include.
const SHARED: [(&str, &str); 3] = [
    (
        "shared.toml",
        "[params]\ncommon = 1\n[dataset.shared]\nitems = [\"${common}\"]\n",
    ),
    (
        "wrong.toml",
        "name = \"x\"\n[dataset.wrong]\nitem = [1]\n[[action]]\ncount = \"wrong\"\n",
    ),
    ("broken.toml", "[dataset.a]\nitems = [\n"),
];

/// The job files of a group, each with what is wrong with it.
fn group(name: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wrong_jobs/{name}.txt"));
    let text = fs::read_to_string(path).expect("the group");
    let files = text.split("### ").skip(1);
    let one = |file: &str| {
        let (about, text) = file.split_once('\n').expect("a line");
        (about.to_owned(), text.to_owned())
    };
    files.map(one).collect()
}

/// What is said of a job file, without looking at anything but it.
fn told(folder: &Path, text: &str) -> String {
    fs::write(folder.join("job.toml"), text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_mesquite"))
        .args(["plan", "--check", "job.toml"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "it is taken:\n{text}");
    assert!(output.stdout.is_empty(), "mistakes are no results");
    String::from_utf8(output.stderr).expect("text")
}

/// That each mistake has its file, line, column, a caret below what it is about, and
/// what is allowed or meant.
fn assert_placed(told: &str) {
    for mistake in told.split("error: ").skip(1) {
        let lines: Vec<_> = mistake.lines().collect();
        let mut place = lines[0].splitn(4, ':');
        let file = place.next().expect("a file");
        assert!(file.ends_with(".toml"), "no file: {mistake}");
        let line = place.next().expect("a line");
        assert!(line.parse::<usize>().is_ok(), "no line: {mistake}");
        let column = place.next().expect("a column");
        assert!(column.parse::<usize>().is_ok(), "no column: {mistake}");
        assert!(lines[2].trim_end().ends_with('^'), "no caret: {mistake}");
        let says = lines.iter().any(|it| it.trim_start().starts_with("= "));
        assert!(
            says || lines[0].contains(" must be ") || lines[0].contains("expected `"),
            "it does not say what is allowed: {mistake}"
        );
    }
}

/// A line without the names of all operations, which are more with every one.
fn shortened(line: &str) -> String {
    let all = "say what it does with one of ";
    match line.split_once(all) {
        Some((before, names)) => {
            let first = names.split(',').next().unwrap_or_default();
            format!("{before}{all}{first}, ...")
        }
        None => line.to_owned(),
    }
}

fn check(name: &str) -> usize {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, text) in SHARED {
        fs::write(folder.path().join(file), text).expect("written");
    }
    let files = group(name);
    let mut all = String::new();
    for (about, text) in &files {
        let told = told(folder.path(), text);
        assert_placed(&told);
        let told: String = told.lines().map(|line| shortened(line) + "\n").collect();
        all += &format!("# {about}\n{text}--\n{told}\n");
    }
    // Where links lead to as well as what it is called.
    let real = folder.path().canonicalize().expect("there");
    for path in [real.as_path(), folder.path()] {
        all = all.replace(path.to_str().expect("text"), "FOLDER");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("wrong-{name}"), all);
    });
    files.len()
}

#[test]
fn every_wrong_job_file_is_answered_with_place_and_what_is_allowed() {
    let groups = ["toml", "sources", "operations", "actions", "language"];
    let checked: usize = groups.into_iter().map(check).sum();
    assert!(checked >= 80, "{checked} files are not many");
}
