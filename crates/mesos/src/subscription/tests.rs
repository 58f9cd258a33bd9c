//! A framework's subscription, from each state into the others.

use proptest::prelude::*;

use super::*;

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A subscription with a clock and a memory of the attempt it last made.
struct Bench {
    subscription: Subscription,
    now: Timestamp,
    dial: Dial,
}

impl Bench {
    fn new(framework: &str) -> Self {
        let framework = framework.into();
        Self {
            subscription: Subscription::new(framework, BackoffPolicy::MESOS, 1, ANSWER_WITHIN),
            now: Timestamp::from_millis(1000),
            dial: Dial::default(),
        }
    }

    fn handle(&mut self, input: Input) -> Vec<Action> {
        let actions = self.subscription.handle(self.now, input);
        for action in &actions {
            if let Action::Connect(dial, ..) = action {
                self.dial = *dial;
            }
        }
        actions
    }

    fn leaders(&mut self, leaders: &[&str]) -> Vec<Action> {
        self.handle(Input::LeaderKnown(
            leaders.iter().map(|it| endpoint(it)).collect(),
        ))
    }

    fn stream(&mut self) -> Vec<Action> {
        let stream_id = Some("s".to_owned());
        self.handle(Input::Answered(
            self.dial,
            SubscribeAnswer::Stream { stream_id },
        ))
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.handle(Input::Arrived(self.dial, event))
    }

    fn broken(&mut self, why: &str) -> Vec<Action> {
        self.handle(Input::Broken(self.dial, why.into()))
    }

    /// Lets the time come for which the machine waits.
    fn wait(&mut self) -> Vec<Action> {
        self.now = self
            .subscription
            .next_deadline()
            .expect("it waits for something");
        self.handle(Input::Tick)
    }

    /// Brings the subscription into force.
    fn subscribe(&mut self) {
        self.leaders(&["http://m1:5050"]);
        self.stream();
        self.event(subscribed());
        assert!(matches!(self.subscription.state, State::Subscribed { .. }));
    }
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn subscribed() -> Event {
    Event::Subscribed(Subscribed {
        framework: "f".into(),
        heartbeat_interval: Some(Duration::from_secs(15)),
        master: None,
    })
}

fn failing(actions: &[Action]) -> Option<&str> {
    actions.iter().find_map(|action| match action {
        Action::Deliver(Notice::Failing { why }) => Some(why.as_str()),
        _ => None,
    })
}

fn end(actions: &[Action]) -> Option<&End> {
    actions.iter().find_map(|action| match action {
        Action::Deliver(Notice::Ended(end)) => Some(end),
        _ => None,
    })
}

fn connects_to(actions: &[Action]) -> Option<String> {
    actions.iter().find_map(|action| match action {
        Action::Connect(_, endpoint, _) => Some(endpoint.to_string()),
        _ => None,
    })
}

#[test]
fn a_granted_subscription_opens_the_calls_before_the_owner_hears_of_it() {
    let mut bench = Bench::new("f");
    let actions = bench.leaders(&["http://m1:5050"]);
    assert_eq!(
        actions,
        [Action::Connect(
            bench.dial,
            endpoint("http://m1:5050"),
            "f".into()
        )]
    );
    assert_eq!(bench.stream(), []);
    let actions = bench.event(subscribed());
    assert!(matches!(
        &actions[..],
        [
            Action::OpenCalls(Session {
                stream_id: Some(_),
                ..
            }),
            Action::Deliver(Notice::Subscribed { .. })
        ]
    ));
}

#[test]
fn headers_alone_are_no_subscription() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    bench.stream();
    let actions = bench.event(Event::Error("role x is not whitelisted".into()));
    assert!(
        matches!(end(&actions), Some(End::Rejected { message, .. }) if message.contains("role x"))
    );
    assert_eq!(bench.subscription.next_deadline(), None);
}

#[test]
fn the_id_is_kept_for_the_next_subscription() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    bench.broken("end of stream");
    let actions = bench.wait();
    assert!(matches!(&actions[..], [Action::Connect(_, _, id)] if id.as_str() == "f"));
}

#[test]
fn an_id_of_an_earlier_run_is_sent_at_once() {
    let mut bench = Bench::new("old");
    let actions = bench.leaders(&["http://m1:5050"]);
    assert!(matches!(&actions[..], [Action::Connect(_, _, id)] if id.as_str() == "old"));
}

#[test]
fn a_silent_master_is_given_up_after_five_heartbeats() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    bench.now += Duration::from_secs(70);
    bench.event(Event::Heartbeat);
    assert_eq!(
        bench.subscription.next_deadline(),
        Some(bench.now + Duration::from_secs(75))
    );
    assert_eq!(bench.handle(Input::Tick), []);
    let actions = bench.wait();
    assert!(matches!(
        &actions[..],
        [
            Action::CloseCalls,
            Action::Deliver(Notice::Disconnected { .. }),
            Action::Disconnect
        ]
    ));
}

#[test]
fn without_promised_heartbeats_silence_means_nothing() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    bench.stream();
    bench.event(Event::Subscribed(Subscribed {
        framework: "f".into(),
        heartbeat_interval: None,
        master: None,
    }));
    assert_eq!(bench.subscription.next_deadline(), None);
}

#[test]
fn a_master_that_accepts_and_says_nothing_is_given_up() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    let actions = bench.wait();
    assert!(failing(&actions).unwrap().contains("no answer within 10s"));
    assert!(actions.contains(&Action::Disconnect));
    // The same with headers and nothing after them.
    bench.wait();
    bench.stream();
    bench.wait();
    assert!(matches!(bench.subscription.state, State::BackingOff { .. }));
}

#[test]
fn a_late_answer_of_a_connection_given_up_is_ignored() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    let old = bench.dial;
    bench.wait();
    bench.wait();
    assert_ne!(bench.dial, old);
    assert_eq!(bench.handle(Input::Arrived(old, subscribed())), []);
    assert_eq!(bench.handle(Input::Broken(old, "late".into())), []);
    assert_eq!(bench.handle(Input::CallsRefused(old, "late".into())), []);
    let answer = SubscribeAnswer::Redirect {
        location: "//m9:1".into(),
    };
    assert_eq!(bench.handle(Input::Answered(old, answer)), []);
    assert!(matches!(bench.subscription.state, State::Asking { .. }));
}

#[test]
fn a_redirect_is_followed_at_once_and_remembered() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    let answer = SubscribeAnswer::Redirect {
        location: "//m2:5050/api/v1/scheduler".into(),
    };
    let actions = bench.handle(Input::Answered(bench.dial, answer));
    assert_eq!(connects_to(&actions).as_deref(), Some("http://m2:5050"));
    bench.stream();
    bench.event(subscribed());
    bench.broken("end of stream");
    assert_eq!(
        connects_to(&bench.wait()).as_deref(),
        Some("http://m2:5050")
    );
}

#[test]
fn a_redirect_loop_ends_in_a_pause_and_is_told_once() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    let mut told = 0;
    for _ in 0..40 {
        let location = "//m1:5050".to_owned();
        let answer = SubscribeAnswer::Redirect { location };
        let actions = bench.handle(Input::Answered(bench.dial, answer));
        told += usize::from(failing(&actions).is_some());
        if matches!(bench.subscription.state, State::BackingOff { .. }) {
            bench.wait();
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn all_masters_of_a_list_are_asked_before_a_pause() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050", "http://m2:5050", "http://m3:5050"]);
    assert_eq!(
        connects_to(&bench.broken("x")).as_deref(),
        Some("http://m2:5050")
    );
    assert_eq!(
        connects_to(&bench.broken("x")).as_deref(),
        Some("http://m3:5050")
    );
    assert_eq!(connects_to(&bench.broken("x")), None);
    assert_eq!(
        connects_to(&bench.wait()).as_deref(),
        Some("http://m1:5050")
    );
}

#[test]
fn a_redirect_is_no_candidate_that_was_asked() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050", "http://m2:5050"]);
    let answer = SubscribeAnswer::Redirect {
        location: "//m3:5050".into(),
    };
    let _ = bench.handle(Input::Answered(bench.dial, answer));
    assert_eq!(
        connects_to(&bench.broken("refused")).as_deref(),
        Some("http://m2:5050")
    );
    assert_eq!(connects_to(&bench.broken("refused")), None);
}

#[test]
fn the_same_failure_is_told_once_until_it_was_mended() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    assert!(failing(&bench.broken("refused")).is_some());
    for _ in 0..1000 {
        bench.wait();
        assert_eq!(failing(&bench.broken("refused")), None);
    }
    bench.wait();
    assert!(failing(&bench.broken("another reason")).is_some());
    bench.wait();
    bench.stream();
    bench.event(subscribed());
    bench.broken("end");
    bench.wait();
    assert!(failing(&bench.broken("refused")).is_some());
}

#[test]
fn failures_that_never_repeat_are_not_told_for_ever() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    let mut told = 0;
    for number in 0..1000 {
        told += usize::from(failing(&bench.broken(&format!("request {number}"))).is_some());
        bench.wait();
    }
    assert!(told < 20, "{told}");
}

#[test]
fn pauses_are_short_enough_to_be_back_soon_after_the_master() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    bench.broken("killed");
    for _ in 0..100 {
        let pause = bench.subscription.next_deadline().unwrap() - bench.now;
        assert!(pause <= Duration::from_secs(4), "{pause:?}");
        bench.wait();
        bench.broken("connection refused");
    }
}

#[test]
fn refusals_end_it() {
    for refusal in [
        Refusal::Unauthenticated("401".into()),
        Refusal::Forbidden("403".into()),
        Refusal::Invalid("400".into()),
    ] {
        let mut bench = Bench::new("f");
        bench.leaders(&["http://m1:5050", "http://m2:5050"]);
        let answer = SubscribeAnswer::Refused(refusal.clone());
        let actions = bench.handle(Input::Answered(bench.dial, answer));
        assert!(matches!(end(&actions), Some(End::Refused { refusal: it, .. }) if *it == refusal));
        assert_eq!(bench.leaders(&["http://m3:5050"]), []);
    }
}

#[test]
fn another_scheduler_or_a_removal_ends_it() {
    for (message, expected) in [
        ("Framework failed over", End::FailedOver),
        ("Framework has been removed", End::Removed),
    ] {
        let mut bench = Bench::new("f");
        bench.subscribe();
        let actions = bench.event(Event::Error(message.into()));
        assert_eq!(actions.first(), Some(&Action::CloseCalls));
        assert_eq!(end(&actions), Some(&expected));
    }
}

#[test]
fn any_other_error_of_a_subscription_in_force_is_survived() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    let actions = bench.event(Event::Error("something".into()));
    assert!(matches!(
        actions[1],
        Action::Deliver(Notice::Disconnected { .. })
    ));
    assert!(connects_to(&bench.wait()).is_some());
}

#[test]
fn a_call_that_finds_no_subscription_leads_to_a_new_one() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    let actions = bench.handle(Input::CallsRefused(bench.dial, "status 403".into()));
    assert_eq!(actions[0], Action::CloseCalls);
    assert!(connects_to(&bench.wait()).is_some());
}

#[test]
fn a_new_leader_is_gone_to_and_the_old_one_left() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    let actions = bench.leaders(&["http://m2:5050"]);
    assert!(matches!(
        &actions[..],
        [
            Action::CloseCalls,
            Action::Deliver(Notice::Disconnected { .. }),
            Action::Disconnect,
            Action::Connect(_, to, _)
        ] if to.host == "m2"
    ));
}

#[test]
fn a_working_stream_outlives_the_loss_of_zookeeper() {
    let mut bench = Bench::new("f");
    bench.subscribe();
    let actions = bench.handle(Input::LeaderUnknown("session expired".into()));
    assert!(matches!(
        &actions[..],
        [Action::Deliver(Notice::Failing { .. })]
    ));
    assert_eq!(bench.leaders(&["http://m1:5050"]), []);
    // Broken while nobody is known to lead: wait for a leader, do not spin.
    bench.handle(Input::LeaderUnknown("session expired".into()));
    bench.broken("end of stream");
    bench.wait();
    assert!(matches!(bench.subscription.state, State::Leaderless));
    assert_eq!(bench.subscription.next_deadline(), None);
    assert!(connects_to(&bench.leaders(&["http://m1:5050"])).is_some());
}

#[test]
fn an_event_before_subscribed_breaks_the_attempt() {
    let mut bench = Bench::new("f");
    bench.leaders(&["http://m1:5050"]);
    bench.stream();
    let actions = bench.event(Event::Offers(Vec::new()));
    assert!(failing(&actions).unwrap().contains("first event"));
}

#[test]
fn stopping_ends_it_in_every_state() {
    let mut leaderless = Bench::new("f");
    assert_eq!(end(&leaderless.handle(Input::Stop)), Some(&End::Stopped));
    let mut asking = Bench::new("f");
    asking.leaders(&["http://m1:5050"]);
    let actions = asking.handle(Input::Stop);
    assert_eq!(actions[0], Action::Disconnect);
    let mut subscribed = Bench::new("f");
    subscribed.subscribe();
    let actions = subscribed.handle(Input::Stop);
    assert_eq!(actions[..2], [Action::CloseCalls, Action::Disconnect]);
    assert_eq!(subscribed.handle(Input::Stop), []);
}

/// One of the things that can happen, by number.
fn any_input(bench: &Bench, number: u8) -> Input {
    let dial = bench.dial;
    let old = Dial(dial.0.saturating_sub(1));
    match number % 14 {
        0 => Input::LeaderKnown(vec![endpoint("http://m1:1"), endpoint("http://m2:1")]),
        1 => Input::LeaderKnown(vec![endpoint("http://m2:1")]),
        2 => Input::LeaderUnknown("nobody".into()),
        3 => Input::Answered(dial, SubscribeAnswer::Stream { stream_id: None }),
        4 => Input::Answered(
            dial,
            SubscribeAnswer::Redirect {
                location: "//m3:1".into(),
            },
        ),
        5 => Input::Answered(dial, SubscribeAnswer::Later { why: "503".into() }),
        6 => Input::Arrived(dial, subscribed()),
        7 => Input::Arrived(dial, Event::Heartbeat),
        8 => Input::Arrived(dial, Event::Rescind("o".into())),
        9 => Input::Broken(dial, "x".into()),
        10 => Input::CallsRefused(dial, "x".into()),
        11 => Input::Broken(old, "old".into()),
        12 => Input::Arrived(dial, Event::Error("e".into())),
        _ => Input::Tick,
    }
}

proptest! {
    #[test]
    fn calls_are_open_exactly_while_subscribed_and_one_connection_lives(
        inputs in prop::collection::vec((any::<u8>(), 0u64..40_000), 1..200),
    ) {
        let mut bench = Bench::new("f");
        let (mut connected, mut open, mut ended) = (false, false, false);
        for (number, millis) in inputs {
            bench.now += Duration::from_millis(millis);
            let input = any_input(&bench, number);
            for action in bench.handle(input) {
                prop_assert!(!ended, "nothing follows the end");
                match action {
                    Action::Connect(..) => {
                        prop_assert!(!connected);
                        connected = true;
                    }
                    Action::Disconnect => {
                        prop_assert!(connected);
                        connected = false;
                    }
                    Action::OpenCalls(_) => {
                        prop_assert!(connected && !open);
                        open = true;
                    }
                    Action::CloseCalls => {
                        prop_assert!(open);
                        open = false;
                    }
                    Action::Deliver(Notice::Subscribed { .. } | Notice::Event(_)) => {
                        prop_assert!(open);
                    }
                    Action::Deliver(Notice::Ended(_)) => ended = true,
                    Action::Deliver(_) => {}
                }
            }
            prop_assert_eq!(
                open,
                matches!(bench.subscription.state, State::Subscribed { .. })
            );
            // It waits for the world, for a time, or is over.
            if !matches!(bench.subscription.state, State::Leaderless | State::Ended) {
                prop_assert!(bench.subscription.next_deadline().is_some());
            }
        }
    }
}
