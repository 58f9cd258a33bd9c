//! Overviews of a made-up run, as text.

use super::super::seen::{Application, ApplicationAttempt, Job, Note};
use super::*;

fn seen() -> Seen {
    let stage = |id, status: &str, done| Stage {
        stage_id: id,
        name: format!("stage \u{1b}[31m{id}"),
        status: status.to_owned(),
        num_tasks: 1200,
        num_completed_indices: done,
        num_active_tasks: u64::from(status == "ACTIVE") * 8,
        num_failed_tasks: u64::from(status == "ACTIVE"),
        input_bytes: 3 << 20,
        ..Stage::default()
    };
    let executor = |id: &str, active| Executor {
        id: id.to_owned(),
        host_port: format!("host{id}:1"),
        max_tasks: 4,
        active_tasks: active,
        ..Executor::default()
    };
    Seen {
        ids: vec!["app-1".to_owned()],
        application: Application {
            id: "app-1".to_owned(),
            name: "words".to_owned(),
            attempts: vec![ApplicationAttempt {
                start_time_epoch: 1000,
                ..ApplicationAttempt::default()
            }],
        },
        jobs: vec![Job {
            status: "RUNNING".to_owned(),
        }],
        stages: vec![stage(1, "COMPLETE", 1200), stage(0, "ACTIVE", 300)],
        executors: vec![executor("0", 3), executor("1", 4)],
        notes: vec![Note {
            is_wrong: true,
            text: "an agent was lost".to_owned(),
        }],
        at: 13_000,
    }
}

#[test]
fn what_runs_stands_first_and_a_name_is_no_command_for_the_terminal() {
    let text = Drawing::still(&seen()).text(100);
    assert!(!text.contains('\u{1b}'), "{text}");
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows[0], "words  running for 12.0 s  app-1");
    assert_eq!(
        rows[1],
        "1,500 of 2,400 tasks, 8 running in 8 slots of 2 executors, 1 job; 1 failed attempt"
    );
    let row = |word: &str| rows.iter().position(|it| it.contains(word)).expect(word);
    assert!(row("active") < row("complete"), "{text}");
    assert!(rows[row("active")].contains("300/1,200"), "{text}");
    // The busier one comes first.
    assert!(row("host1:1") < row("host0:1"), "{text}");
    assert!(row("an agent was lost") > row("host0:1"), "{text}");
}

#[test]
fn it_can_be_drawn_at_any_size() {
    let mut seen = seen();
    seen.stages = (0..100).map(|_| seen.stages[0].clone()).collect();
    for (width, height) in [(1, 1), (20, 4), (80, 24), (300, 100)] {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let drawing = Drawing::live(&seen, "q".to_owned(), None);
        drawing.render(area, &mut buffer);
    }
    let text = Drawing::still(&seen).text(80);
    assert!(text.contains("and 51 stages more"), "{text}");
    let nothing = Seen::default();
    assert!(Drawing::still(&nothing).text(80).contains("0 of 0 tasks"));
}
