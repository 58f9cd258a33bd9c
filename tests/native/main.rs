//! Programs with closures, from outside: the examples, and [`programs`](programs) that
//! do everything, or something wrong.
//!
//! This test is such a program itself, which is why it has no harness: a driver starts
//! it as its executor. `cargo test --test native TEXT` runs the cases with TEXT in their
//! names.

#![expect(clippy::print_stdout, reason = "results of programs, and of cases")]

#[path = "../support/examples.rs"]
mod examples;
mod programs;

use std::fs;
use std::panic::catch_unwind;
use std::process::{Command, ExitCode, Output, Stdio};

use examples::{example, printed};

const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,2,512]"];

/// Says that this process is one of the programs.
const PROGRAM: &str = "MESQUITE_TEST_PROGRAM";

const CASES: [(&str, fn()); 8] = [
    ("word_count_is_that_of_coreutils", word_count),
    ("page_rank_is_that_of_one_thread", page_rank),
    ("a_source_of_the_users_gives_the_same_everywhere", pi),
    ("everything_gives_what_it_should", everything),
    ("a_panic_fails_the_task_and_not_the_executor", panics),
    ("an_executor_that_registers_something_else_says_so", drifts),
    ("all_mistakes_are_told_before_anything_runs", mistakes),
    ("what_fails_with_a_result_fails_the_program", answers),
];

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        return mesquite::main(programs::app);
    }
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    let wanted: Vec<_> = wanted.iter().filter(|it| !it.starts_with('-')).collect();
    let mut failed = 0;
    for (name, case) in CASES {
        if wanted.is_empty() || wanted.iter().any(|it| name.contains(it.as_str())) {
            let passed = catch_unwind(case).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            failed += u8::from(!passed);
        }
    }
    ExitCode::from(failed)
}

/// One of the programs of this test.
fn program(master: &str, words: &[&str]) -> Command {
    let mut program = Command::new(std::env::current_exe().expect("it runs"));
    program
        .args(["--master", master, "-q"])
        .args(words)
        .env(PROGRAM, "")
        .stdin(Stdio::null());
    program
}

fn ended(master: &str, words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = program(master, words).output().expect("it runs");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn word_count() {
    let script = "cat docs/*.md | tr -cs '[:alpha:]' '\\n' | tr '[:upper:]' '[:lower:]' \
                  | grep . | sort | uniq -c | awk '{ print $2 \"\\t\" $1 }' | sort";
    let mut shell = Command::new("/bin/sh");
    let counts = printed(shell.args(["-c", script]).env("LC_ALL", "C"));
    let mut sorted: Vec<(u64, &str)> = counts
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(word, count)| (count.parse().expect("a number"), word))
        .collect();
    sorted.sort_unstable();
    let top = sorted.iter().rev().take(10);
    let top: String = top
        .map(|(count, word)| format!("{word}\t{count}\n"))
        .collect();
    for master in MASTERS {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        let mut program = example("wordcount");
        program
            .args(["--master", master, "-q", "docs/*.md"])
            .arg(&out);
        assert_eq!(printed(&mut program), top, "{master}");
        let parts = fs::read_dir(&out).expect("it was saved").flatten();
        let parts = parts.filter(|it| it.file_name() != "_SUCCESS");
        let saved: String = parts
            .map(|it| fs::read_to_string(it.path()).expect("text"))
            .collect();
        let mut saved: Vec<&str> = saved.lines().collect();
        saved.sort_unstable();
        assert_eq!(saved, counts.lines().collect::<Vec<_>>(), "{master}");
    }
}

fn page_rank() {
    let text = include_str!("../../examples/links.tsv");
    let links: Vec<(&str, &str)> = text.lines().filter_map(|it| it.split_once('\t')).collect();
    let out_of = |page: &str| links.iter().filter(|(from, _)| *from == page).count();
    let mut ranks: Vec<(&str, f64)> = Vec::new();
    for (from, _) in &links {
        if ranks.iter().all(|(page, _)| page != from) {
            ranks.push((from, 1.0));
        }
    }
    for _ in 0..3 {
        let of = |page: &str| {
            ranks
                .iter()
                .find(|(it, _)| *it == page)
                .map(|(_, rank)| rank)
        };
        let mut sums: Vec<(&str, f64)> = Vec::new();
        for (from, to) in &links {
            let Some(rank) = of(from) else { continue };
            let share = rank / out_of(from) as f64;
            match sums.iter_mut().find(|(page, _)| page == to) {
                Some((_, sum)) => *sum += share,
                None => sums.push((to, share)),
            }
        }
        ranks = sums
            .iter()
            .map(|(page, sum)| (*page, 0.15 + 0.85 * sum))
            .collect();
    }
    ranks.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
    let lines = ranks
        .iter()
        .map(|(page, rank)| format!("{rank:.4} {page}\n"));
    let expected: String = lines.collect();
    for master in MASTERS {
        let arguments = ["--master", master, "-q", "examples/links.tsv", "3"];
        assert_eq!(
            printed(example("pagerank").args(arguments)),
            expected,
            "{master}"
        );
    }
}

fn pi() {
    for master in MASTERS {
        let pi = printed(example("pi").args(["--master", master, "-q", "20000", "3"]));
        let pi: f64 = pi.trim().parse().expect("a number");
        assert!((pi - std::f64::consts::PI).abs() < 0.05, "{pi}");
    }
}

fn everything() {
    for master in MASTERS {
        let printed = printed(&mut program(master, &["everything"]));
        assert_eq!(printed, programs::EVERYTHING, "{master}");
    }
}

fn panics() {
    for (master, attempts) in MASTERS.into_iter().zip(["failed once", "failed 4 times"]) {
        let (code, stderr) = ended(master, &["panics"]);
        assert_eq!(code, Some(1), "{stderr}");
        for part in ["`map at programs.rs:", "panicked at", "no seven", attempts] {
            assert!(stderr.contains(part), "{master}: {part} is not in {stderr}");
        }
        assert!(!stderr.contains("lost"), "{stderr}");
    }
}

fn drifts() {
    let (code, stderr) = ended(MASTERS[1], &["drifts"]);
    assert_eq!(code, Some(1), "{stderr}");
    for part in [
        "did something else in the executor",
        "`filter at programs.rs:",
    ] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
}

fn mistakes() {
    let (code, stderr) = ended(MASTERS[0], &["mistakes"]);
    assert_eq!(code, Some(2), "{stderr}");
    for part in [
        "error: text at programs.rs:",
        "error: partitions at programs.rs:",
    ] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    let (code, stderr) = ended(MASTERS[0], &["shares"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("target/shared`, to which another action saves"),
        "{stderr}"
    );
    let (code, stderr) = ended(MASTERS[0], &["nothing of this name"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("there is no such program"), "{stderr}");
    let (code, stderr) = ended("spark://h:1", &["everything"]);
    assert_eq!(code, Some(2), "{stderr}");
}

fn answers() {
    let (code, stderr) = ended(MASTERS[0], &["answers"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("failed with a result: too many: 3"),
        "{stderr}"
    );
}
