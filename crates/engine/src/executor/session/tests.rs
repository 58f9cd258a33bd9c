//! What survives a broken connection, and when an executor gives its driver up.

use super::*;
use crate::rpc::message::from_driver::Message as Said;

struct Bench {
    session: Session,
    now: Timestamp,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Bench {
    fn new() -> Self {
        let register = Register {
            executor: "e".into(),
            ..Register::default()
        };
        Self {
            session: Session::new(Timestamp::ZERO, register, PATIENCE, 1),
            now: Timestamp::ZERO,
        }
    }

    fn attached() -> Self {
        let mut bench = Self::new();
        assert_eq!(bench.handle(Input::Tick), [Action::Connect]);
        bench.come_back();
        bench
    }

    fn handle(&mut self, input: Input) -> Vec<Action> {
        self.session.handle(self.now, input)
    }

    fn hear(&mut self, message: Said) -> Vec<Action> {
        self.handle(Input::Heard(FromDriver {
            message: Some(message),
        }))
    }

    /// The tasks that it registers with, and what it says then.
    fn come_back(&mut self) -> (Vec<u64>, Vec<Message>) {
        let said = said_in(self.handle(Input::Connected));
        let [Message::Register(register)] = &said[..] else {
            panic!("{said:?}");
        };
        let tasks = register.tasks.clone();
        let actions = self.hear(Said::Registered(from_driver::Registered::default()));
        (tasks, said_in(actions))
    }

    fn launch(&mut self, tasks: &[u64]) {
        let task = |id: &u64| Task {
            id: *id,
            ..Task::default()
        };
        let tasks: Vec<_> = tasks.iter().map(task).collect();
        let launch = from_driver::Launch {
            tasks: tasks.clone(),
        };
        assert_eq!(self.hear(Said::Launch(launch)), [Action::Run(tasks)]);
    }

    fn end(&mut self, task: u64) -> Vec<Message> {
        said_in(self.handle(Input::Ended(vec![(task, Outcome::default())])))
    }

    fn lose_connection(&mut self) {
        let why = "test".to_owned();
        assert_eq!(self.handle(Input::Broken { why }), []);
        self.now = self.session.next_deadline().expect("it tries again");
        assert_eq!(self.handle(Input::Tick), [Action::Connect]);
    }
}

fn said_in(actions: Vec<Action>) -> Vec<Message> {
    let said = actions.into_iter().filter_map(|action| match action {
        Action::Say(message) => message.message,
        _ => None,
    });
    said.collect()
}

/// The attempts that are said to run, by message.
fn begun_in(messages: &[Message]) -> Vec<Vec<u64>> {
    let batches = messages.iter().filter_map(|message| match message {
        Message::Statuses(batch) if batch.number == 0 => Some(&batch.statuses),
        _ => None,
    });
    let begun = batches.map(|it| {
        assert!(it.iter().all(|it| it.outcome.is_none()), "{it:?}");
        it.iter().map(|it| it.task).collect()
    });
    begun.collect()
}

fn tasks_in(messages: &[Message]) -> Vec<u64> {
    let batches = messages.iter().filter_map(|message| match message {
        Message::Statuses(batch) => Some(batch.statuses.iter().map(|it| it.task)),
        _ => None,
    });
    batches.flatten().collect()
}

#[test]
fn ends_are_said_again_until_the_driver_has_heard_them() {
    let mut bench = Bench::attached();
    bench.launch(&[1, 2, 3, 4]);
    assert_eq!(tasks_in(&bench.end(1)), [1]);
    assert_eq!(tasks_in(&bench.end(2)), [2]);
    let acknowledge = from_driver::Acknowledge { number: 1 };
    assert_eq!(bench.hear(Said::Acknowledge(acknowledge)), []);
    bench.lose_connection();
    assert_eq!(bench.end(3), []);
    let (tasks, said) = bench.come_back();
    assert_eq!(tasks, [4, 2, 3]);
    assert_eq!(tasks_in(&said), [2, 3]);
    assert_eq!(bench.session.running.len(), 1);
}

#[test]
fn attempts_are_told_of_as_running_unless_they_end_within_a_moment() {
    let mut bench = Bench::attached();
    bench.launch(&[1, 2, 3]);
    let began = |bench: &mut Bench, task, at_once| {
        let said = said_in(bench.handle(Input::Began { task, at_once }));
        begun_in(&said)
    };
    assert!(began(&mut bench, 1, false).is_empty());
    assert!(began(&mut bench, 2, false).is_empty());
    assert_eq!(began(&mut bench, 3, true), [[3]]);
    let said = bench.end(2);
    assert_eq!((tasks_in(&said), begun_in(&said).len()), (vec![2], 0));
    let start = bench.now;
    bench.now = bench.session.next_deadline().expect("one is to be told of");
    assert_eq!(bench.now - start, UNTOLD);
    let said = said_in(bench.handle(Input::Tick));
    assert_eq!(begun_in(&said), [[1]]);
    let next = bench.session.next_deadline().expect("it beats");
    assert!(next > bench.now + UNTOLD, "each is told of once");
}

#[test]
fn what_runs_is_told_again_to_a_driver_that_was_away() {
    let mut bench = Bench::attached();
    bench.launch(&[1, 2, 3]);
    for task in [1, 2] {
        let at_once = true;
        let _ = bench.handle(Input::Began { task, at_once });
    }
    bench.lose_connection();
    let began = Input::Began {
        task: 3,
        at_once: true,
    };
    assert_eq!(bench.handle(began), []);
    let _ = bench.handle(Input::Over { task: 2 });
    let (_, said) = bench.come_back();
    assert_eq!(begun_in(&said), [[1, 3]]);
}

#[test]
fn open_questions_are_asked_again() {
    let mut bench = Bench::attached();
    bench.launch(&[1]);
    let request = CommitRequest {
        task: 1,
        ..CommitRequest::default()
    };
    let asked = [Message::Commit(request)];
    assert_eq!(said_in(bench.handle(Input::AskCommit(request))), asked);
    bench.lose_connection();
    let store = "gone".to_owned();
    assert_eq!(bench.handle(Input::AskWhere { store }), []);
    let (_, said) = bench.come_back();
    let locate = Message::Locate(Locate {
        executor: "gone".into(),
    });
    assert_eq!(said, [Message::Commit(request), locate]);
    let decision = from_driver::CommitDecision {
        task: 1,
        granted: true,
    };
    let decided = [Action::Decide {
        task: 1,
        granted: true,
    }];
    assert_eq!(bench.hear(Said::Commit(decision)), decided);
    assert_eq!(bench.hear(Said::Commit(decision)), []);
    let located = from_driver::Located {
        executor: "gone".into(),
        address: String::new(),
    };
    let found = [Action::Found {
        store: "gone".into(),
        address: None,
    }];
    assert_eq!(bench.hear(Said::Located(located)), found);
}

#[test]
fn it_looks_for_its_driver_for_as_long_as_it_may_and_then_ends() {
    let mut bench = Bench::attached();
    let why = || "refused".to_owned();
    let start = bench.now;
    assert_eq!(bench.handle(Input::Broken { why: why() }), []);
    loop {
        bench.now = bench.session.next_deadline().expect("it tries again");
        assert_eq!(bench.handle(Input::Tick), [Action::Connect]);
        let then = bench.handle(Input::NotConnected { why: why() });
        if !then.is_empty() {
            assert_eq!(then, [Action::End(End::Alone { why: why() })]);
            break;
        }
    }
    let looked = bench.now - start;
    assert!(looked > PATIENCE - Duration::from_secs(2) && looked <= PATIENCE);
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn what_the_driver_asks_for_twice_is_done_once() {
    let mut bench = Bench::attached();
    let wanted = || {
        Said::TakeOver(from_driver::TakeOver {
            executor: "dead".into(),
            folder: "/f".into(),
        })
    };
    let store = || "dead".to_owned();
    let take_over = [Action::TakeOver {
        store: store(),
        folder: "/f".into(),
    }];
    assert_eq!(bench.hear(wanted()), take_over);
    let answer = TookOver {
        executor: store(),
        error: String::new(),
    };
    let told = [Message::TookOver(answer.clone())];
    assert_eq!(said_in(bench.handle(Input::TookOver(answer))), told);
    assert_eq!(said_in(bench.hear(wanted())), told);
}

#[test]
fn a_driver_that_does_not_want_it_ends_it() {
    let stop = || {
        Said::Stop(from_driver::Stop {
            reason: "no".into(),
        })
    };
    let mut bench = Bench::new();
    let _ = bench.handle(Input::Tick);
    let _ = bench.handle(Input::Connected);
    let refused = [Action::End(End::Refused("no".into()))];
    assert_eq!(bench.hear(stop()), refused);
    let mut bench = Bench::attached();
    let stopped = [Action::End(End::Stopped("no".into()))];
    assert_eq!(bench.hear(stop()), stopped);
}

#[test]
fn ends_go_in_messages_of_a_sensible_length() {
    let mut bench = Bench::attached();
    let ended = |task: u64, bytes: usize| {
        let outcome = Outcome {
            end: Some(crate::rpc::message::outcome::End::Killed("x".repeat(bytes))),
            ..Outcome::default()
        };
        (task, outcome)
    };
    let ends = [1, BATCH_BYTES / 2, BATCH_BYTES / 2, 2 * BATCH_BYTES, 1];
    let ends: Vec<_> = (1..).zip(ends).map(|(task, it)| ended(task, it)).collect();
    let said = said_in(bench.handle(Input::Ended(ends)));
    let batches: Vec<_> = said
        .iter()
        .map(|message| match message {
            Message::Statuses(batch) => (batch.number, batch.statuses.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(batches, [(1, 2), (2, 1), (3, 1), (4, 1)]);
}

#[test]
fn an_attempt_that_is_sent_twice_runs_once() {
    let mut bench = Bench::attached();
    let task = |id| Task {
        id,
        ..Task::default()
    };
    let launch = |ids: &[u64]| {
        let tasks = ids.iter().map(|it| task(*it)).collect();
        Said::Launch(from_driver::Launch { tasks })
    };
    assert_eq!(bench.hear(launch(&[1, 1])), [Action::Run(vec![task(1)])]);
    assert_eq!(bench.hear(launch(&[1, 2])), [Action::Run(vec![task(2)])]);
}
