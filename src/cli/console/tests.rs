//! What reaches the terminal, byte by byte.

use super::*;

fn console(results: Results) -> (Console, Written) {
    let written = Written::default();
    let stderr = Box::new(written.clone());
    (Console::new(stderr, results, false), written)
}

fn rows(texts: &[&str]) -> Vec<Row> {
    let row = |text: &&str| Row::of(Paint::Name, *text);
    texts.iter().map(row).collect()
}

#[test]
fn lines_stand_above_the_block_which_is_drawn_again_below_them() {
    let (console, written) = console(Results::File);
    console.show(&rows(&["one", "two"]), false);
    let block = "\x1b[?7lone\r\ntwo\r\x1b[1A\x1b[?7h";
    assert_eq!(written.take(), block);
    console.show(&rows(&["one", "two"]), false);
    assert_eq!(written.take(), "", "nothing has changed");
    console.line("news");
    assert_eq!(written.take(), format!("{CLEAR}news\n{block}"));
    console.clear();
    assert_eq!(written.take(), CLEAR);
    console.line("last");
    assert_eq!(written.take(), "last\n");
}

#[test]
fn colours_are_for_rows_and_for_the_words_that_say_what_is_wrong() {
    let written = Written::default();
    let coloured = Console::new(Box::new(written.clone()), Results::File, true);
    coloured.line("warning: it\nwarning: goes on");
    let yellow = "\x1b[33mwarning:\x1b[0m it\n    warning: goes on\n";
    assert_eq!(written.take(), yellow);
    coloured.lines("error: it\nerror: goes on");
    let red = "\x1b[31merror:\x1b[0m it\nerror: goes on\n";
    assert_eq!(written.take(), red);
    coloured.line("pipe of `words`: error: it");
    assert_eq!(written.take(), "pipe of `words`: error: it\n");
    coloured.show(&rows(&["one"]), false);
    assert_eq!(written.take(), "\x1b[?7l\x1b[1mone\x1b[0m\r\x1b[?7h");
}

#[test]
fn words_of_others_are_escaped_and_cut() {
    let (console, written) = console(Results::File);
    console.line("a\u{1b}[2J\u{9b}2J\r\u{202e}\nerror: faked\n");
    assert_eq!(
        written.take(),
        "a\\u{1b}[2J\\u{9b}2J\\r\\u{202e}\n    error: faked\n"
    );
    console.line(&"x".repeat(1 << 20));
    assert!(written.take().len() < LONGEST_LINE + 100);
}

#[test]
fn what_another_program_reads_ends_the_block_for_good() {
    let (piped, written) = console(Results::Program);
    piped.show(&rows(&["bar"]), false);
    let _ = written.take();
    piped.results(b"").expect("nothing is written");
    assert_eq!(written.take(), "");
    // Not an empty text, but one that a test's stdout can bear.
    piped.results(b"\n").expect("written");
    assert_eq!(written.take(), CLEAR);
    piped.show(&rows(&["bar"]), true);
    assert_eq!(written.take(), "");
}
