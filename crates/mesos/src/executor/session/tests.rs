//! An executor's subscription: what it tells again, and when it ends.

use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::response::Refusal;
use crate::task::TaskState;

const POLICY: SessionPolicy = SessionPolicy {
    recovery_timeout: Some(Duration::from_secs(900)),
    backoff: Duration::from_secs(2),
};

/// A session with a clock and a memory of the attempt it last made.
struct Bench {
    session: ExecutorSession,
    now: Timestamp,
    dial: Dial,
}

impl Bench {
    fn new(policy: SessionPolicy) -> Self {
        let now = Timestamp::from_millis(1000);
        Self {
            session: ExecutorSession::new(now, policy, 1),
            now,
            dial: Dial::default(),
        }
    }

    fn subscribed() -> Self {
        let mut bench = Self::new(POLICY);
        bench.wait();
        bench.subscribe();
        bench
    }

    fn handle(&mut self, input: Input) -> Vec<Action> {
        let actions = self.session.handle(self.now, input);
        for action in &actions {
            if let Action::Connect(dial, ..) = action {
                self.dial = *dial;
            }
        }
        actions
    }

    fn wait(&mut self) -> Vec<Action> {
        self.now = self
            .session
            .next_deadline()
            .expect("it waits for something");
        self.handle(Input::Tick)
    }

    fn answer(&mut self, answer: SubscribeAnswer) -> Vec<Action> {
        self.handle(Input::Answered(self.dial, answer))
    }

    fn event(&mut self, event: ExecutorEvent) -> Vec<Action> {
        self.handle(Input::Arrived(self.dial, event))
    }

    fn broken(&mut self) -> Vec<Action> {
        self.handle(Input::Broken(self.dial, "connection refused".into()))
    }

    fn no_tls(&mut self) -> Vec<Action> {
        self.handle(Input::NoTls(self.dial, "no TLS".into()))
    }

    fn subscribe(&mut self) {
        self.answer(SubscribeAnswer::Stream { stream_id: None });
        let actions = self.event(ExecutorEvent::Subscribed);
        assert_eq!(
            actions,
            [
                Action::OpenCalls(self.dial),
                Action::Deliver(Notice::Subscribed)
            ]
        );
    }

    /// Loses the agent and finds it again, and says what it was told.
    fn resubscribe(&mut self) -> (Vec<LaunchedTask>, Vec<TaskStatus>) {
        self.broken();
        let mut actions = self.wait();
        let Some(Action::Connect(_, tasks, statuses)) = actions.pop() else {
            panic!("it connects again")
        };
        self.subscribe();
        (tasks, statuses)
    }
}

fn task(id: &str) -> LaunchedTask {
    LaunchedTask::new(id.into(), id, Bytes::from_static(b"true"))
}

fn status(task: &str, state: TaskState, uuid: u128) -> TaskStatus {
    TaskStatus {
        uuid: Some(Uuid::from_u128(uuid)),
        ..TaskStatus::new(task.into(), state)
    }
}

fn ended(actions: &[Action]) -> bool {
    matches!(actions.last(), Some(Action::Deliver(Notice::Ended { .. })))
}

#[test]
fn a_task_is_told_again_until_a_status_of_it_is_acknowledged() {
    let mut bench = Bench::subscribed();
    bench.event(ExecutorEvent::Launch(vec![task("t")]));
    let (tasks, _) = bench.resubscribe();
    assert_eq!(tasks.len(), 1);
    bench.handle(Input::Status(status("t", TaskState::Running, 1)));
    bench.event(ExecutorEvent::Acknowledged {
        task: "t".into(),
        uuid: Uuid::from_u128(1),
    });
    let (tasks, statuses) = bench.resubscribe();
    assert!(tasks.is_empty() && statuses.is_empty());
}

#[test]
fn statuses_are_sent_again_in_their_order_with_their_uuids() {
    let mut bench = Bench::subscribed();
    let first = status("t", TaskState::Running, 1);
    let second = status("t", TaskState::Finished, 2);
    assert_eq!(
        bench.handle(Input::Status(first.clone())),
        [Action::Send(first.clone())]
    );
    bench.handle(Input::Status(second.clone()));
    let (_, statuses) = bench.resubscribe();
    assert_eq!(statuses, [first, second.clone()]);
    let uuid = Uuid::from_u128(1);
    let acknowledged = ExecutorEvent::Acknowledged {
        task: "t".into(),
        uuid,
    };
    assert_eq!(
        bench.event(acknowledged.clone()),
        [Action::Deliver(Notice::Settled(uuid))]
    );
    assert_eq!(bench.event(acknowledged), []);
    assert_eq!(bench.resubscribe().1, [second]);
}

#[test]
fn a_status_made_while_the_agent_is_away_goes_with_the_next_subscription() {
    let mut bench = Bench::subscribed();
    bench.broken();
    let status = status("t", TaskState::Finished, 1);
    assert_eq!(bench.handle(Input::Status(status.clone())), []);
    let actions = bench.wait();
    assert!(matches!(&actions[..], [Action::Connect(_, _, statuses)] if *statuses == [status]));
}

#[test]
fn a_refused_status_is_not_waited_for() {
    let mut bench = Bench::subscribed();
    bench.handle(Input::Status(status("t", TaskState::Finished, 1)));
    let uuid = Uuid::from_u128(1);
    assert_eq!(
        bench.handle(Input::StatusRefused(uuid)),
        [Action::Deliver(Notice::Settled(uuid))]
    );
    assert!(bench.resubscribe().1.is_empty());
}

#[test]
fn an_agent_that_is_away_is_sought_in_short_pauses_until_the_time_is_up() {
    let mut bench = Bench::subscribed();
    let lost = bench.now;
    bench.broken();
    let mut last = Vec::new();
    while !ended(&last) {
        let pause = bench.session.next_deadline().expect("it goes on") - bench.now;
        assert!(pause <= Duration::from_secs(2), "{pause:?}");
        bench.wait();
        last = bench.broken();
    }
    assert_eq!(bench.now - lost, Duration::from_secs(900));
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn the_time_to_recover_begins_anew_with_each_loss() {
    let mut bench = Bench::subscribed();
    bench.now += Duration::from_secs(10_000);
    assert!(!ended(&bench.broken()));
    bench.wait();
    bench.subscribe();
    bench.now += Duration::from_secs(10_000);
    assert!(!ended(&bench.broken()));
}

#[test]
fn a_loss_is_told_once() {
    let mut bench = Bench::subscribed();
    let told = |actions: &[Action]| {
        actions
            .iter()
            .filter(|it| matches!(it, Action::Deliver(Notice::Disconnected { .. })))
            .count()
    };
    assert_eq!(told(&bench.broken()), 1);
    for _ in 0..20 {
        bench.wait();
        assert_eq!(told(&bench.broken()), 0);
    }
    bench.wait();
    bench.subscribe();
    assert_eq!(told(&bench.broken()), 1);
}

#[test]
fn without_checkpointing_the_executor_ends_with_its_agent() {
    let mut bench = Bench::new(SessionPolicy {
        recovery_timeout: None,
        ..POLICY
    });
    bench.wait();
    bench.subscribe();
    bench.handle(Input::Status(status("t", TaskState::Running, 1)));
    let actions = bench.broken();
    assert!(ended(&actions));
    // Whoever waits for the status is told not to.
    assert!(actions.contains(&Action::Deliver(Notice::Settled(Uuid::from_u128(1)))));
    assert_eq!(
        bench.handle(Input::Status(status("t", TaskState::Killed, 2))),
        [Action::Deliver(Notice::Settled(Uuid::from_u128(2)))]
    );
}

#[test]
fn an_agent_that_recovers_is_waited_for_and_one_that_forgot_us_is_not() {
    let mut bench = Bench::subscribed();
    bench.broken();
    for why in ["status 503", "status 404"] {
        bench.wait();
        assert!(!ended(
            &bench.answer(SubscribeAnswer::Later { why: why.into() })
        ));
    }
    bench.wait();
    let refusal = Refusal::Invalid("status 400: Framework cannot be found".into());
    assert!(ended(&bench.answer(SubscribeAnswer::Refused(refusal))));
}

#[test]
fn an_agent_that_does_not_answer_is_asked_again() {
    let mut bench = Bench::new(POLICY);
    bench.wait();
    let first = bench.dial;
    bench.wait();
    bench.wait();
    assert_ne!(bench.dial, first);
    // What the first attempt brings at last is ignored.
    let late = Input::Answered(first, SubscribeAnswer::Stream { stream_id: None });
    assert_eq!(bench.handle(late), []);
    assert_eq!(
        bench.handle(Input::Arrived(first, ExecutorEvent::Shutdown)),
        []
    );
}

#[test]
fn shutdown_may_be_the_first_event() {
    let mut bench = Bench::new(POLICY);
    bench.wait();
    bench.answer(SubscribeAnswer::Stream { stream_id: None });
    assert_eq!(
        bench.event(ExecutorEvent::Shutdown),
        [Action::Deliver(Notice::Shutdown)]
    );
}

#[test]
fn an_error_ends_the_session() {
    let mut bench = Bench::subscribed();
    assert!(ended(&bench.event(ExecutorEvent::Error("no".into()))));
}

#[test]
fn an_unknown_event_is_skipped() {
    let mut bench = Bench::subscribed();
    assert_eq!(bench.event(ExecutorEvent::Unknown(Some(99))), []);
    assert_eq!(bench.event(ExecutorEvent::Heartbeat), []);
}

fn ends_without_tls(actions: &[Action]) -> bool {
    let told =
        |it: &Action| matches!(it, Action::Deliver(Notice::NoTls { why }) if why == "no TLS");
    actions.iter().any(told)
}

#[test]
fn an_agent_that_does_not_come_to_speak_tls_is_given_up_soon() {
    let mut bench = Bench::new(POLICY);
    let begun = bench.now;
    loop {
        bench.wait();
        if ends_without_tls(&bench.no_tls()) {
            break;
        }
    }
    let took = bench.now - begun;
    assert!((NO_TLS_FOR..2 * NO_TLS_FOR).contains(&took), "{took:?}");
    assert_eq!(bench.session.next_deadline(), None);
    // Whoever does not look for an agent does not look for this one either.
    let mut bench = Bench::new(SessionPolicy {
        recovery_timeout: None,
        ..POLICY
    });
    bench.wait();
    assert!(ends_without_tls(&bench.no_tls()));
}

#[test]
fn an_agent_that_was_away_in_between_or_has_spoken_is_looked_for() {
    let mut bench = Bench::new(POLICY);
    for _ in 0..20 {
        bench.wait();
        assert!(!ends_without_tls(&bench.no_tls()));
        bench.wait();
        bench.broken();
    }
    let mut bench = Bench::subscribed();
    bench.broken();
    for _ in 0..20 {
        bench.wait();
        assert!(!ends_without_tls(&bench.no_tls()));
    }
}

proptest! {
    #[test]
    fn every_status_settles_once_and_only_one_connection_lives(
        inputs in prop::collection::vec((0u8..9, 0u64..3_000), 1..200),
    ) {
        let mut bench = Bench::new(POLICY);
        let (mut connected, mut made) = (false, 0u128);
        let mut settled = std::collections::BTreeSet::new();
        for (number, millis) in inputs {
            bench.now += Duration::from_millis(millis);
            let dial = bench.dial;
            let input = match number {
                0 => Input::Answered(dial, SubscribeAnswer::Stream { stream_id: None }),
                1 => Input::Answered(dial, SubscribeAnswer::Later { why: "503".into() }),
                2 => Input::Arrived(dial, ExecutorEvent::Subscribed),
                3 => Input::Arrived(dial, ExecutorEvent::Launch(vec![task("t")])),
                4 => Input::Arrived(dial, ExecutorEvent::Acknowledged {
                    task: "t".into(),
                    uuid: Uuid::from_u128(made / 2),
                }),
                5 => Input::Broken(dial, "x".into()),
                6 => {
                    made += 1;
                    Input::Status(status("t", TaskState::Running, made))
                }
                7 => Input::StatusRefused(Uuid::from_u128(made)),
                _ => Input::Tick,
            };
            for action in bench.handle(input) {
                match action {
                    Action::Connect(..) => {
                        prop_assert!(!connected);
                        connected = true;
                    }
                    Action::Disconnect => {
                        prop_assert!(connected);
                        connected = false;
                    }
                    Action::Deliver(Notice::Settled(uuid)) => prop_assert!(settled.insert(uuid)),
                    _ => {}
                }
            }
            prop_assert_eq!(
                settled.len() + bench.session.statuses.len(),
                usize::try_from(made).unwrap()
            );
        }
    }
}

#[test]
fn a_status_made_while_subscribing_is_sent_once_subscribed() {
    let mut bench = Bench::subscribed();
    let before = status("t", TaskState::Running, 1);
    let asking = status("t", TaskState::Finished, 2);
    let opened = status("u", TaskState::Finished, 3);
    bench.broken();
    assert_eq!(bench.handle(Input::Status(before.clone())), []);
    let connected = bench.wait();
    assert!(
        matches!(&connected[..], [Action::Connect(_, _, carried)] if *carried == [before]),
        "{connected:?}"
    );
    assert_eq!(bench.handle(Input::Status(asking.clone())), []);
    bench.answer(SubscribeAnswer::Stream { stream_id: None });
    assert_eq!(bench.handle(Input::Status(opened.clone())), []);
    let subscribed = bench.event(ExecutorEvent::Subscribed);
    assert_eq!(
        subscribed,
        [
            Action::OpenCalls(bench.dial),
            Action::Send(asking),
            Action::Send(opened),
            Action::Deliver(Notice::Subscribed),
        ]
    );
}
