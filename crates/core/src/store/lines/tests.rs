//! Lines that are whole, cut, damaged, and of Spark.

use proptest::prelude::*;

use super::super::measures::Measure;
use super::*;

/// A line as Spark 3.5 writes it, with what is not asked for.
fn end(task: u64, finished: &str, host: &str, records: &str) -> String {
    format!(
        r#"{{"Event":"SparkListenerTaskEnd","Stage ID":1,"Stage Attempt ID":0,"Task Type":"ResultTask","Task End Reason":{{"Reason":"Success"}},"Task Info":{{"Task ID":{task},"Index":3,"Attempt":0,"Partition ID":4,"Launch Time":1000,"Executor ID":"7","Host":"{host}","Locality":"NODE_LOCAL","Speculative":false,"Getting Result Time":0,"Finish Time":{finished},"Failed":false,"Killed":false,"Accumulables":[{{"ID":{task},"Name":"internal.metrics.x","Update":5,"Value":-1,"Internal":true}}]}},"Task Executor Metrics":{{"JVMHeapMemory":0}},"Task Metrics":{{"Executor Run Time":9,"Input Metrics":{{"Bytes Read":12,"Records Read":{records}}}}}}}"#
    )
}

fn start(task: u64) -> String {
    format!(
        r#"{{"Event":"SparkListenerTaskStart","Stage ID":1,"Stage Attempt ID":0,"Task Info":{{"Task ID":{task},"Index":3,"Launch Time":1000,"Executor ID":"7","Host":"h","Locality":"NODE_LOCAL"}}}}"#
    )
}

/// The store of a text, and how many lines of it are damaged. `anew` reads each line
/// with a parser that has seen no other one.
fn read(text: &[u8], anew: bool) -> (Store, u64) {
    let mut store = Store::new();
    let mut parser = Parser::default();
    let mut damaged = 0;
    for line in text.split_inclusive(|it| *it == b'\n') {
        if anew {
            parser = Parser::default();
        }
        let batch = parser.parse(line);
        damaged += batch.damaged;
        store.apply(batch);
    }
    (store, damaged)
}

#[test]
fn a_task_of_spark_is_read_with_its_measures() {
    let text = format!("{}\n{}\n", start(5), end(5, "1500", "h", "77"));
    let (store, damaged) = read(text.as_bytes(), true);
    assert_eq!((store.attempts.len(), damaged), (1, 0));
    let attempts = &store.attempts;
    // Its beginning lacks the partition, as in logs of old versions: the index is it.
    assert_eq!(
        (attempts.task(0), attempts.index(0), attempts.partition(0)),
        (5, 3, 3)
    );
    assert_eq!(
        (attempts.state(0), attempts.duration(0)),
        (State::Succeeded, Some(500))
    );
    assert_eq!(attempts.locality(0), "NODE_LOCAL");
    assert_eq!(attempts.measure(0, Measure::RunTime), 9);
    assert_eq!(attempts.measure(0, Measure::InputRecords), 77);
    assert_eq!(store.text(attempts.executor(0)), "7");
}

#[test]
fn an_end_without_its_beginning_tells_of_the_attempt_and_a_second_end_does_not() {
    let text = format!(
        "{}\n{}\n",
        end(5, "1500", "h", "1"),
        end(5, "1600", "h", "1")
    );
    let (store, _) = read(text.as_bytes(), true);
    assert_eq!(
        (store.attempts.len(), store.attempts.duration(0)),
        (1, Some(500))
    );
}

#[test]
fn what_is_no_event_is_counted_and_the_first_one_named() {
    let text = format!("{}\nnonsense\n{{\"a\":1}}\n\n{}\n", start(1), start(2));
    let batch = Parser::default().parse(text.as_bytes());
    assert_eq!((batch.lines, batch.damaged), (5, 2));
    let (line, why) = batch.first_damage.expect("there is one");
    assert_eq!(line, 2);
    assert!(why.contains("expected"), "{why}");
    let unknown = Parser::default().parse(b"{\"Event\":\"org.example.Mine\",\"a\":1}\n");
    assert_eq!(unknown.damaged, 0);
}

proptest! {
    /// What looks like a line that was learned, and differs from it in ways that matter.
    #[test]
    fn a_line_is_read_alike_whatever_was_read_before(
        lines in proptest::collection::vec(
            (
                0_u64..4,
                prop_oneof![
                    Just("1500"), Just("01500"), Just("-3"), Just("1.5"), Just("1e3"), Just(""),
                    Just("18446744073709551615"), Just("18446744073709551616"), Just("\"7\""),
                    Just("15 "), Just("null"), Just("15,\"Failed\":true")
                ],
                prop_oneof![
                    Just("h"), Just("h2"), Just(""), Just("a\\nb"), Just("a\\"), Just("a\tb"),
                    Just("é"), Just("a\",\"b\":\"c")
                ],
                prop_oneof![Just("1"), Just("0"), Just("00"), Just("{}"), Just("\"x\""), Just("-1")],
                any::<bool>(),
                0_u8..8,
            ),
            0..20,
        ),
    ) {
        let mut text = Vec::new();
        for (task, finished, host, records, begins, change) in lines {
            let line = if begins { start(task) } else { end(task, finished, host, records) };
            let line = match change {
                0 => line.replace("\"Index\":3", "\"Index\":4294967296"),
                1 => line.replace("\"Stage ID\":1", "\"Stage ID\":\t2"),
                2 => line.replace("Host", "H\\u006fst"),
                3 => line.replace(":false", ": false"),
                _ => line,
            };
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        }
        prop_assert_eq!(read(&text, false), read(&text, true));
    }

    #[test]
    fn a_log_that_is_cut_or_damaged_anywhere_gives_all_that_is_whole(
        cut in 0_usize..4000,
        garbage in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let text: Vec<_> = (0..4).map(|it| format!("{}\n{}\n", start(it), end(it, "9", "h", "1"))).collect();
        let mut text = text.concat().into_bytes();
        let cut = cut.min(text.len());
        let whole = text[..cut].iter().filter(|it| **it == b'\n').count();
        let (store, damaged) = read(&text[..cut], false);
        prop_assert!(damaged <= 1);
        prop_assert!(store.attempts.len() as usize >= whole.div_ceil(2));
        text.splice(cut..cut, garbage.iter().copied());
        let breaks = garbage.iter().filter(|it| **it == b'\n').count() as u64;
        let (store, damaged) = read(&text, false);
        prop_assert!(damaged <= breaks + 1);
        prop_assert!(store.attempts.len() >= 3);
    }
}
