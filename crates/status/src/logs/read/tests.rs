//! Logs that are whole, large, cut, compressed and broken.

use std::fs;
use std::path::Path;

use super::*;

fn line(name: &str, rest: &str) -> String {
    format!("{{\"Event\":\"SparkListener{name}\",{rest}}}\n")
}

fn log(tasks: u64) -> String {
    let mut text = line(
        "ApplicationStart",
        r#""App Name":"n","App ID":"a","Timestamp":5,"User":"u""#,
    );
    for task in 0..tasks {
        let info = format!(
            r#""Stage ID":0,"Task Info":{{"Task ID":{task},"Index":{task},"Launch Time":{task},"Executor ID":"e","Host":"h","Finish Time":9}}"#
        );
        text += &line("TaskStart", &info);
        text += &line(
            "TaskEnd",
            &format!(r#""Task End Reason":{{"Reason":"Success"}},{info}"#),
        );
    }
    text + &line("ApplicationEnd", r#""Timestamp":9"#)
}

fn read_at(path: &Path, depth: Depth) -> Opened {
    let place = LogFiles::at(path).expect("readable").expect("a log");
    read(&place, depth).expect("it opens")
}

/// A log of this content, under this name, as it is read.
fn opened(name: &str, content: &[u8], depth: Depth) -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    read_at(&path, depth)
}

#[test]
fn a_large_log_read_on_threads_is_what_it_is_in_one_piece() {
    let text = log(20_000);
    assert!(text.len() > 3 * PIECE, "it has several pieces");
    let read = opened("a", text.as_bytes(), Depth::Whole);
    let mut whole = Store::new();
    whole.apply(Parser::default().parse(text.as_bytes()));
    whole.shrink();
    assert_eq!(read.wrong, None);
    assert!(read.store == whole);
    let compressed = zstd::encode_all(text.as_bytes(), 1).expect("compressed");
    assert!(opened("a.zstd", &compressed, Depth::Whole).store == whole);
    let outline = opened("a", text.as_bytes(), Depth::Outline).store;
    assert_eq!(
        (outline.attempts.len(), outline.application),
        (0, whole.application)
    );
}

#[test]
fn a_log_that_was_cut_off_is_read_up_to_there() {
    let text = log(10);
    let cut = &text.as_bytes()[..text.len() - 60];
    let running = opened("a.inprogress", cut, Depth::Whole);
    assert_eq!((running.wrong, running.store.attempts.len()), (None, 10));
    let ended = opened("a", cut, Depth::Whole).wrong.expect("it is cut");
    assert!(ended.starts_with("line 21 is no event"), "{ended}");
    let compressed = zstd::encode_all(log(5000).as_bytes(), 1).expect("compressed");
    let cut = &compressed[..compressed.len() / 2];
    let running = opened("a.zstd.inprogress", cut, Depth::Whole);
    assert_eq!(running.wrong, None);
    let ended = opened("a.zstd", cut, Depth::Whole);
    assert_eq!(ended.store, running.store);
    let wrong = ended.wrong.expect("it is cut");
    assert!(wrong.starts_with("cannot be read to its end"), "{wrong}");
}

#[test]
fn a_log_may_be_cut_at_any_byte() {
    let text = log(3);
    let whole = opened("a", text.as_bytes(), Depth::Whole);
    assert_eq!(whole.wrong, None);
    for length in 0..text.len() {
        let cut = &text.as_bytes()[..length];
        let ended = opened("a", cut, Depth::Whole);
        let running = opened("a.inprogress", cut, Depth::Whole);
        // A line that lacks nothing but its end is one.
        let is_line = text.as_bytes()[length] == b'\n';
        let whole = cut
            .iter()
            .rposition(|it| *it == b'\n')
            .map_or(0, |it| it + 1);
        let mut wanted = Store::new();
        wanted.apply(Parser::default().parse(match is_line {
            true => cut,
            false => &cut[..whole],
        }));
        wanted.shrink();
        let is_cut = !is_line && length > 0 && cut[length - 1] != b'\n';
        assert_eq!(ended.store, wanted, "{length}");
        assert_eq!(ended.store, running.store, "{length}");
        if running.store.application.began.is_some() {
            assert_eq!(running.wrong, None, "{length}");
            assert_eq!(ended.wrong.is_some(), is_cut, "{length}");
        } else {
            assert!(running.wrong.is_some() && ended.wrong.is_some(), "{length}");
        }
    }
}

#[test]
fn what_is_damaged_says_where_and_the_rest_is_there() {
    let mut text = log(3).into_bytes();
    let middle = text.len() / 2;
    text.splice(middle..middle, *b"\xff\nwhat\n\0");
    let read = opened("a", &text, Depth::Whole);
    let wrong = read.wrong.expect("it is damaged");
    assert!(wrong.contains("(and 2 more) is no event"), "{wrong}");
    assert_eq!(read.store.attempts.len(), 3);
    for text in ["", "nonsense", "\n\n"] {
        let wrong = opened("a", text.as_bytes(), Depth::Whole).wrong;
        assert!(wrong.is_some(), "{text:?}");
    }
}

#[test]
fn a_line_without_end_takes_no_memory_in_proportion() {
    let mut source = Cutter::new(
        Box::new(io::repeat(b'x').take(3 * LONGEST_LINE as u64)),
        Depth::Whole,
    );
    let mut pieces = 0;
    while let Some(piece) = source.next().expect("readable") {
        assert!(piece.len() <= LONGEST_LINE + 2 * PIECE);
        pieces += 1;
    }
    assert_eq!(pieces, 1);
}

#[test]
fn files_of_a_folder_follow_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("eventlog_v2_a");
    fs::create_dir(&path).expect("made");
    let text = log(10);
    let at = text.match_indices('\n').nth(6).expect("lines").0 + 1;
    fs::write(path.join("events_1_a"), &text[..at]).expect("written");
    let rest = zstd::encode_all(&text.as_bytes()[at..], 1).expect("compressed");
    fs::write(path.join("events_2_a.zstd"), rest).expect("written");
    let read = read_at(&path, Depth::Whole);
    assert_eq!((read.wrong, read.store.attempts.len()), (None, 10));
    assert_eq!(read.store.application.ended, Some(9));
}
