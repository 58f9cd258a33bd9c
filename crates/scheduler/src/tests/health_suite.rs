//! Spark's `HealthTrackerSuite` and `TaskSetExcludelistSuite`.

use super::*;
use crate::action::ExecutorEnd;
use crate::cluster::HostIx;
use crate::config::KillExcluded;
use crate::health::TaskSetExclusions;
use crate::loss::WhyEnd;

const HOUR: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_millis(1);

/// A health tracker, its surroundings, and the failures of sets that end.
struct Health {
    tracker: HealthTracker,
    config: ExclusionConfig,
    cluster: Cluster,
    actions: Actions,
    now: Timestamp,
}

impl Health {
    fn new(configure: impl FnOnce(&mut ExclusionConfig)) -> Self {
        let mut config = ExclusionConfig::default();
        configure(&mut config);
        Self {
            tracker: HealthTracker::new(config.clone(), false),
            config,
            cluster: Cluster::new(0),
            actions: Actions::default(),
            now: Timestamp::ZERO,
        }
    }

    fn executor(&mut self, executor: &str, host: &str) -> (ExecutorIx, HostIx) {
        let host = self.cluster.host(&host.into());
        (self.cluster.executor(&executor.into(), host), host)
    }

    /// The exclusions of a set in which these tasks failed.
    fn set(&mut self, failures: &[(u32, &str, &str)]) -> TaskSetExclusions {
        let mut set = TaskSetExclusions::new(self.config.clone());
        for (task, executor, host) in failures {
            let (executor, host) = self.executor(executor, host);
            set.task_failed(self.now, *task, executor, host, "some failure".into());
        }
        set
    }

    /// A set in which these tasks failed succeeds in the end.
    fn succeed(&mut self, failures: &[(u32, &str, &str)]) {
        let set = self.set(failures);
        self.tracker
            .task_set_succeeded(self.now, &set, &self.cluster, &mut self.actions);
    }

    fn apply_timeout(&mut self) {
        self.tracker
            .apply_timeout(self.now, &self.cluster, &mut self.actions);
    }

    fn excluded_executors(&self) -> Vec<&str> {
        let (executors, _) = self.tracker.excluded();
        executors
            .map(|(executor, _)| self.cluster.executor_id(executor).as_str())
            .collect()
    }

    fn excluded_hosts(&self) -> Vec<&str> {
        let (_, hosts) = self.tracker.excluded();
        hosts
            .map(|(host, _)| self.cluster.host_name(host).as_str())
            .collect()
    }
}

// --- the application

#[test]
fn failures_of_successful_sets_add_up_and_later_successes_do_not_excuse_them() {
    let mut health = Health::new(|_| {});
    let mut failing = 0;
    for set in 0..20 {
        if set % 2 == 0 {
            health.succeed(&[(0, "1", "hostA")]);
            failing += 1;
        } else {
            health.succeed(&[]);
        }
        let expected: &[&str] = if failing >= 2 { &["1"] } else { &[] };
        assert_eq!(health.excluded_executors(), expected, "after set {set}");
    }
    assert!(health.actions.notices.contains(&Notice::ExecutorExcluded {
        executor: "1".into(),
        failures: 2,
    }));
}

#[test]
fn failures_of_a_set_count_for_the_application_only_if_it_succeeds() {
    for succeeds in [true, false] {
        let mut fixture = Fixture::excluding();
        fixture.submit(task_set(0, 0, 2));
        for task in fixture.offer(&[("1", "hostA", 2)]) {
            fixture.fail(&task);
        }
        assert!(fixture.notices.contains(&Notice::ExecutorExcludedForStage {
            executor: "1".into(),
            stage: StageId(0),
            stage_attempt: StageAttempt(0),
            failures: 2,
        }));
        for task in fixture.offer(&[("2", "hostA", 2)]) {
            if succeeds {
                fixture.finish(&task);
            } else {
                let reason = TaskEndReason::Failed {
                    message: "for good".into(),
                    permanent: true,
                };
                fixture.status(task.task, AttemptStatus::ended(reason));
            }
        }
        assert_eq!(fixture.set(0, 0), None);
        let excluded = fixture.scheduler.snapshot().excluded_executors.len();
        assert_eq!(excluded, usize::from(succeeds));
    }
}

#[test]
fn exclusions_end_after_the_timeout_and_failures_count_from_nothing_then() {
    let mut health = Health::new(|_| {});
    let four = |executor| (0..4).map(move |task| (task, executor, "hostA"));
    health.succeed(&four("1").collect::<Vec<_>>());
    assert_eq!(health.excluded_executors(), ["1"]);
    assert_eq!(health.excluded_hosts(), [""; 0]);
    health.succeed(&four("2").collect::<Vec<_>>());
    assert_eq!(health.excluded_executors(), ["1", "2"]);
    assert_eq!(health.excluded_hosts(), ["hostA"]);
    assert!(health.actions.notices.contains(&Notice::ExecutorExcluded {
        executor: "1".into(),
        failures: 4,
    }));
    assert!(health.actions.notices.contains(&Notice::HostExcluded {
        host: "hostA".into(),
        executors: 2,
    }));

    health.now += HOUR;
    health.apply_timeout();
    assert_eq!(health.excluded_hosts(), ["hostA"], "not over yet");
    assert_eq!(health.tracker.deadline(), Some(health.now + TICK));
    health.now += TICK;
    health.apply_timeout();
    assert_eq!(health.excluded_executors(), [""; 0]);
    assert_eq!(health.excluded_hosts(), [""; 0]);
    assert!(health.actions.notices.contains(&Notice::HostIncluded {
        host: "hostA".into()
    }));
    assert_eq!(health.tracker.deadline(), None);

    health.succeed(&[(0, "1", "hostA")]);
    assert_eq!(health.excluded_executors(), [""; 0]);
}

#[test]
fn failures_are_forgotten_after_the_timeout() {
    let mut health = Health::new(|_| {});
    health.succeed(&[(0, "1", "hostA")]);
    health.now += HOUR + TICK;
    health.succeed(&[(0, "1", "hostA")]);
    assert_eq!(health.excluded_executors(), [""; 0]);
    health.now += HOUR;
    health.succeed(&[(0, "1", "hostA")]);
    assert_eq!(health.excluded_executors(), ["1"], "within the timeout");
}

#[test]
fn a_task_that_fails_several_times_in_a_set_counts_once() {
    let mut health = Health::new(|config| config.task_attempts_per_executor = 9);
    health.succeed(&[(0, "1", "hostA"), (0, "1", "hostA"), (0, "1", "hostA")]);
    assert_eq!(health.excluded_executors(), [""; 0]);
}

#[test]
fn a_host_is_excluded_with_its_executors_and_not_with_those_of_others() {
    let mut health = Health::new(|_| {});
    health.succeed(&[
        (0, "1", "hostA"),
        (1, "1", "hostA"),
        (2, "2", "hostB"),
        (3, "2", "hostB"),
    ]);
    assert_eq!(health.excluded_executors(), ["1", "2"]);
    assert_eq!(health.excluded_hosts(), [""; 0]);
    health.succeed(&[(0, "3", "hostA"), (1, "3", "hostA")]);
    assert_eq!(health.excluded_executors(), ["1", "2", "3"]);
    assert_eq!(health.excluded_hosts(), ["hostA"]);
}

#[test]
fn an_excluded_executor_is_not_excluded_anew() {
    let mut health = Health::new(|_| {});
    health.succeed(&[(0, "1", "hostA"), (1, "1", "hostA")]);
    health.now += HOUR / 2;
    health.succeed(&[(0, "1", "hostA"), (1, "1", "hostA")]);
    health.now += HOUR / 2 + TICK;
    health.apply_timeout();
    assert_eq!(health.excluded_executors(), [""; 0]);
}

#[test]
fn a_dead_executor_counts_for_its_host() {
    let mut health = Health::new(|_| {});
    health.succeed(&[(0, "1", "hostA"), (1, "1", "hostA")]);
    let (executor, _) = health.executor("1", "hostA");
    health.tracker.executor_removed(executor);
    assert_eq!(health.excluded_executors(), ["1"]);
    health.succeed(&[(0, "2", "hostA"), (1, "2", "hostA")]);
    assert_eq!(health.excluded_hosts(), ["hostA"]);
}

#[test]
fn an_executor_that_died_has_its_few_failures_forgotten() {
    let mut health = Health::new(|_| {});
    health.succeed(&[(0, "1", "hostA")]);
    let (executor, _) = health.executor("1", "hostA");
    health.tracker.executor_removed(executor);
    health.succeed(&[(0, "1", "hostA")]);
    assert_eq!(health.excluded_executors(), [""; 0]);
}

#[test]
fn exclusions_that_begin_at_different_times_end_at_different_times() {
    let mut health = Health::new(|_| {});
    health.succeed(&[(0, "1", "hostA"), (1, "1", "hostA")]);
    health.now += HOUR / 2;
    health.succeed(&[(0, "2", "hostB"), (1, "2", "hostB")]);
    health.now += HOUR / 2 + TICK;
    health.apply_timeout();
    assert_eq!(health.excluded_executors(), ["2"]);
    assert_eq!(
        health.tracker.deadline(),
        Some(Timestamp::ZERO + HOUR / 2 + HOUR + TICK)
    );
}

// --- killing

#[test]
fn excluded_executors_stay_unless_they_are_to_be_killed() {
    let two_hosts: &[(u32, &str, &str)] = &[
        (0, "1", "hostA"),
        (1, "1", "hostA"),
        (2, "2", "hostA"),
        (3, "2", "hostA"),
    ];
    let mut health = Health::new(|_| {});
    health.succeed(two_hosts);
    assert_eq!(
        health.actions.requests,
        [BackendRequest::ExcludeHosts(vec!["hostA".into()])]
    );

    for (kill, end) in [
        (KillExcluded::Kill, ExecutorEnd::Kill),
        (KillExcluded::Decommission, ExecutorEnd::Decommission),
    ] {
        let mut health = Health::new(|config| config.kill = kill);
        health.succeed(two_hosts);
        let end_of = |executor: &str| BackendRequest::EndExecutor {
            executor: executor.into(),
            end,
            why: WhyEnd::Excluded,
        };
        assert_eq!(
            health.actions.requests,
            [
                end_of("1"),
                end_of("2"),
                BackendRequest::ExcludeHosts(vec!["hostA".into()]),
                BackendRequest::EndExecutorsOnHost {
                    host: "hostA".into(),
                    end,
                    why: WhyEnd::HostExcluded,
                },
            ],
            "the host is published before its executors are killed"
        );
    }
}

#[test]
fn a_failed_fetch_excludes_at_once_if_that_is_on() {
    let mut health = Health::new(|config| {
        config.on_fetch_failure = true;
        config.kill = KillExcluded::Kill;
    });
    let (executor, host) = health.executor("1", "hostA");
    health.tracker.fetch_failed(
        health.now,
        executor,
        host,
        &health.cluster,
        &mut health.actions,
    );
    assert_eq!(health.excluded_executors(), ["1"]);
    assert_eq!(health.actions.requests.len(), 1);
    health.now += HOUR + TICK;
    health.apply_timeout();
    assert_eq!(health.excluded_executors(), [""; 0]);

    let mut off = Health::new(|_| {});
    let (executor, host) = off.executor("1", "hostA");
    off.tracker
        .fetch_failed(off.now, executor, host, &off.cluster, &mut off.actions);
    assert_eq!(off.excluded_executors(), [""; 0]);
}

// --- one task set

#[test]
fn a_set_excludes_step_by_step() {
    let mut health = Health::new(|_| {});
    let mut set = TaskSetExclusions::new(ExclusionConfig::default());
    let (exec1, host) = health.executor("exec1", "hostA");
    let (exec2, _) = health.executor("exec2", "hostA");
    let (other, elsewhere) = health.executor("exec3", "hostB");
    let mut fail = |task, executor| {
        set.task_failed(Timestamp::ZERO, task, executor, host, "failure".into());
        let excluded = |executor, host| {
            (
                set.excludes(executor, host),
                set.excludes_task(0, executor, host),
                set.excludes_task(1, executor, host),
            )
        };
        (
            excluded(exec1, host),
            excluded(exec2, host),
            excluded(other, elsewhere),
        )
    };
    let none = (false, false, false);
    assert_eq!(fail(0, exec1), ((false, true, false), none, none));
    // Two tasks failed on exec1: excluded for the set.
    assert_eq!(fail(1, exec1), ((true, true, true), none, none));
    // Task 0 failed twice on the host: excluded there.
    assert_eq!(
        fail(0, exec2),
        ((true, true, true), (false, true, false), none)
    );
    // exec2 is excluded too, and with it the whole host.
    assert_eq!(
        fail(1, exec2),
        ((true, true, true), (true, true, true), none)
    );
    let (exec4, _) = health.executor("exec4", "hostA");
    assert!(set.excludes(exec4, host), "whoever comes to the host later");
}

#[test]
fn several_attempts_of_a_task_may_be_allowed_on_an_executor() {
    let mut health = Health::new(|_| {});
    let mut set = TaskSetExclusions::new(ExclusionConfig {
        task_attempts_per_executor: 3,
        task_attempts_per_node: 9,
        ..ExclusionConfig::default()
    });
    let (exec1, host) = health.executor("exec1", "hostA");
    for failed in 1..=3 {
        set.task_failed(Timestamp::ZERO, 0, exec1, host, "failure".into());
        assert_eq!(set.excludes_task(0, exec1, host), failed == 3);
    }
    assert!(!set.excludes(exec1, host), "one task only");
}

#[test]
fn the_attempts_of_a_task_are_added_up_over_the_executors_of_a_host() {
    let mut health = Health::new(|_| {});
    let mut set = TaskSetExclusions::new(ExclusionConfig {
        task_attempts_per_executor: 9,
        task_attempts_per_node: 3,
        stage_failed_tasks_per_executor: 9,
        ..ExclusionConfig::default()
    });
    let (exec1, host) = health.executor("exec1", "hostA");
    let (exec2, _) = health.executor("exec2", "hostA");
    let (exec3, _) = health.executor("exec3", "hostA");
    for executor in [exec1, exec1] {
        set.task_failed(Timestamp::ZERO, 0, executor, host, "failure".into());
    }
    assert!(!set.excludes_task(0, exec3, host));
    set.task_failed(Timestamp::ZERO, 0, exec2, host, "failure".into());
    assert!(set.excludes_task(0, exec3, host));
    assert!(!set.excludes_task(1, exec3, host));
}

#[test]
fn two_executors_excluded_on_different_hosts_exclude_no_host() {
    let mut health = Health::new(|_| {});
    let set = health.set(&[
        (0, "exec1", "hostA"),
        (1, "exec1", "hostA"),
        (0, "exec2", "hostB"),
        (1, "exec2", "hostB"),
    ]);
    for (executor, host) in [("exec1", "hostA"), ("exec2", "hostB")] {
        let (executor, host) = health.executor(executor, host);
        assert!(set.excludes(executor, host));
        let (another, _) = health.executor(&format!("another on {}", host.0), "hostC");
        assert!(!set.excludes(another, host));
    }
}

#[test]
fn losses_that_are_not_the_tasks_fault_exclude_nothing() {
    let mut fixture = Fixture::excluding();
    fixture.submit(task_set(0, 0, 4));
    let tasks = fixture.offer(&[("e0", "h0", 4)]);
    for task in &tasks {
        fixture.status(task.task, AttemptStatus::Running);
    }
    fixture.lose("e0", process_lost(false));
    assert_eq!(fixture.offer(&[("e0", "h0", 4)]).len(), 4);
    assert_eq!(fixture.notices, []);
}
