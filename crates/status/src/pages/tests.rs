//! What pages say.

use std::sync::Arc;

use mesquite_core::store::Store;
use mesquite_core::store::lines::Parser;

use super::*;

fn task(id: u64, launched: u64, took: u64) -> String {
    let info = format!(
        r#""Stage ID":0,"Stage Attempt ID":0,"Task Info":{{"Task ID":{id},"Index":{id},"Launch Time":{launched},"Executor ID":"e{}","Host":"h","Locality":"ANY","Finish Time":{}}}"#,
        id % 3,
        launched + took
    );
    format!(
        "{{\"Event\":\"SparkListenerTaskStart\",{info}}}\n{{\"Event\":\"SparkListenerTaskEnd\",\"Task End Reason\":{{\"Reason\":\"Success\"}},{info},\"Task Metrics\":{{\"Executor Run Time\":{took}}}}}\n"
    )
}

fn store(tasks: u64) -> Store {
    let mut text = format!(
        "{{\"Event\":\"SparkListenerStageSubmitted\",\"Stage Info\":{{\"Stage ID\":0,\"Stage Name\":\"s\",\"Number of Tasks\":{tasks},\"Submission Time\":0}}}}\n"
    );
    for id in 0..tasks {
        text += &task(id, id, if id == 1 { 500 } else { 100 });
    }
    let mut store = Store::new();
    store.apply(Parser::default().parse(text.as_bytes()));
    store
}

#[test]
fn a_page_of_a_stage_does_not_grow_with_its_tasks() {
    let large = store(50_000);
    let stage = large.stage(0, 0).expect("the stage");
    let page =
        stage::stage(&large, stage, Links::Pages("../../../"), Served::ByDriver).into_string();
    assert!(page.len() < 100_000, "{}", page.len());
    assert!(page.contains("The slowest task took 5.0 times as long as the usual one"));
    let few = store(6);
    let stage = few.stage(0, 0).expect("the stage");
    let page = stage::stage(&few, stage, Links::Within, Served::ByHistory).into_string();
    // Each of few tasks is drawn.
    assert_eq!(page.matches("<rect").count(), 6);
    assert!(!page.contains("href=\"tasks/\""));
}

#[test]
fn what_ran_at_once_is_drawn_to_scale() {
    // Two tasks in the first half of the time, one in all of it.
    let mut store = Store::new();
    let text = [(0, 1000), (0, 500), (0, 500)].map(|(at, took)| (at, took));
    for (id, (at, took)) in text.into_iter().enumerate() {
        let text = task(id as u64, at, took);
        store.apply(Parser::default().parse(text.as_bytes()));
    }
    let drawing = drawing::busy(&store).into_string();
    assert!(
        drawing.contains("Up to 3 tasks at once, over 1.0 s"),
        "{drawing}"
    );
    // From the whole height to a third of it, in the middle.
    assert!(
        drawing.contains("M90 100.0H90V6.0H390V68.7H690V100.0Z"),
        "{drawing}"
    );
}

#[test]
fn a_list_without_logs_says_how_to_write_one() {
    let list = Arc::new(crate::logs::folder::List::default());
    let page = super::list("/logs", &list);
    assert!(page.contains("spark.eventLog.dir=/logs"), "{page}");
}

#[test]
fn links_to_logs_lead_to_pages_and_to_nothing_else() {
    let mut store = store(1);
    let logs = r#"{"sandbox":"http://m:5050/#/agents/a?b=<&c","stdout":"javascript:alert(1)"}"#;
    let added = format!(
        r#"{{"Event":"SparkListenerExecutorAdded","Timestamp":1,"Executor ID":"e0","Executor Info":{{"Host":"h","Total Cores":1,"Log Urls":{logs}}}}}"#
    );
    store.apply(Parser::default().parse(format!("{added}\n").as_bytes()));
    let executors = executors::executors(&store).into_string();
    let tasks = tasks::table(&store, "tasks", &[0], Served::ByHistory).into_string();
    for page in [&executors, &tasks] {
        let link =
            r#"<a href="http://m:5050/#/agents/a?b=&lt;&amp;c" rel="noreferrer">sandbox</a>"#;
        assert!(page.contains(link), "{page}");
        assert!(!page.contains("href=\"javascript"), "{page}");
    }
    assert!(executors.contains("stdout"), "{executors}");
}
