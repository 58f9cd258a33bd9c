//! Tests of calls that the master refused.

use super::*;

fn refused(bench: &mut Bench, code: u16, tasks: &[u64]) -> Vec<Action> {
    let tasks = tasks.iter().map(|id| format!("e-task-{id}").into());
    let call = Refused::Accept {
        offers: vec!["o1".into()],
        tasks: tasks.collect(),
    };
    let why = format!("status {code}");
    bench.handle(Input::Refused(call, CallRefusal { code, why }))
}

#[test]
fn tasks_whose_launch_is_refused_are_dropped_at_once_and_their_offers_given_back() {
    for code in [400, 408, 413, 429] {
        let mut bench = Bench::new(config(), 9);
        let executor = bench.launched(&[1, 2]);
        let dropped = refused(&mut bench, code, &[1, 2]);
        assert_eq!(
            names(&dropped),
            [
                "not launched",
                "not launched",
                "executor lost",
                "DECLINE",
                "told"
            ]
        );
        assert_eq!(bench.0.cores(), 0);
        // Not as fast as it can be repeated.
        let early = bench.offered(vec![offer("o2", "cpus:4;mem:2000")]);
        assert_eq!(names(&early), ["DECLINE"]);
        assert_eq!(bench.handle(waiting(11)), []);
        let why = bench.why_nothing_runs();
        assert!(why.contains(&format!("status {code}")), "{why}");
        assert_eq!(names(&bench.wait()), ["REVIVE"]);
        // The executor never was; it was told of, and its id is used up.
        assert_ne!(bench.launched(&[3]), executor);
        // A launch that was taken after all is ended.
        assert_eq!(
            names(&bench.update("e-task-1", TaskState::Running)),
            ["KILL", "ACKNOWLEDGE"]
        );
    }
}

#[test]
fn when_every_launch_is_refused_the_run_is_given_up() {
    let mut bench = Bench::new(config(), 9);
    for round in 1..=10 {
        bench.launched(&[round]);
        let hopeless = names(&refused(&mut bench, 400, &[round])).contains(&"hopeless");
        assert_eq!(hopeless, round == 10);
        let _ = bench.wait();
    }
}
