//! What must hold whatever happens, in whatever order.
//!
//! Random submissions, offers, statuses, losses and time are fed to a task
//! scheduler; a model that only counts watches what comes out.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::loss::WhyEnd;
use crate::ordering::SchedulingMode;
use crate::tests::snapshot::TaskSchedulerSnapshot;

const EXECUTORS: u8 = 5;
const STAGES: u32 = 3;

/// Something that happens; numbers choose among what there is at that moment.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        stage: u32,
        tasks: u32,
        cpus: u32,
        gpus: u32,
        /// Bits: preferred hosts by task, barrier, shuffle map.
        shape: u16,
        pool: u8,
    },
    Offer {
        executors: u8,
        all_free: bool,
    },
    Run(u16),
    Finish(u16),
    Fail(u16, u8),
    Ready(u16),
    Kill(u16),
    Lose(u8, u8),
    Decommission(u8),
    Complete(u32, u32),
    Cancel(u32),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..STAGES, 1u32..7, 1u32..3, 0u32..2, any::<u16>(), 0u8..4).prop_map(
            |(stage, tasks, cpus, gpus, shape, pool)| Step::Submit {
                stage, tasks, cpus, gpus, shape, pool
            }
        ),
        6 => (any::<u8>(), any::<bool>())
            .prop_map(|(executors, all_free)| Step::Offer { executors, all_free }),
        3 => any::<u16>().prop_map(Step::Run),
        6 => any::<u16>().prop_map(Step::Finish),
        3 => (any::<u16>(), 0u8..8).prop_map(|(task, how)| Step::Fail(task, how)),
        1 => any::<u16>().prop_map(Step::Ready),
        1 => any::<u16>().prop_map(Step::Kill),
        1 => (0..EXECUTORS, 0u8..4).prop_map(|(executor, why)| Step::Lose(executor, why)),
        1 => (0..EXECUTORS).prop_map(Step::Decommission),
        1 => (0..STAGES, 0u32..7).prop_map(|(stage, partition)| Step::Complete(stage, partition)),
        1 => (0..STAGES).prop_map(Step::Cancel),
        3 => (0u16..5000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..120)
}

/// An attempt as the model knows it.
#[derive(Clone)]
struct ModelAttempt {
    description: TaskDescription,
    map: bool,
    /// Its room was given back, though it is not over.
    fetching: bool,
}

/// What the model keeps: rooms, attempts and ends, by counting alone.
struct Model {
    fixture: Fixture,
    /// Free cores and gpu addresses by executor.
    free: BTreeMap<u8, (u32, Vec<Arc<str>>)>,
    live: BTreeMap<TaskId, ModelAttempt>,
    attempts: BTreeMap<u32, u32>,
    sizes: BTreeMap<(StageId, StageAttempt), (u32, bool)>,
    cpus: BTreeMap<(StageId, StageAttempt), u32>,
    ended: BTreeSet<TaskId>,
    successes: BTreeMap<(StageId, StageAttempt, Partition), i32>,
    reports_seen: usize,
}

fn name(executor: u8) -> String {
    format!("e{executor}")
}

/// Two executors on the first host, one on each other.
fn host(executor: u8) -> String {
    format!("h{}", executor / 2)
}

fn end_reason(how: u8) -> TaskEndReason {
    match how {
        0 => fetch_failed("e0", "h0"),
        1 => TaskEndReason::CommitDenied,
        2 => TaskEndReason::ResultLost,
        3 => TaskEndReason::Unknown,
        _ => failure(),
    }
}

fn loss_reason(why: u8) -> ExecutorLossReason {
    match why {
        0 => ExecutorLossReason::Killed,
        1 => process_lost(false),
        2 => ExecutorLossReason::Decommissioned {
            host: None,
            why: WhyEnd::AgentWanted,
        },
        _ => process_lost(true),
    }
}

impl Model {
    fn new(mode: SchedulingMode, exclusion: bool, speculation: bool) -> Self {
        let pools = [PoolDefinition {
            weight: 3,
            min_share: 1,
            ..PoolDefinition::new("a")
        }];
        Self {
            fixture: Fixture::with_pools(
                |config| {
                    config.mode = mode;
                    config.exclusion = exclusion.then(ExclusionConfig::default);
                    config.speculation = speculation.then(|| SpeculationConfig {
                        multiplier: 1.0,
                        quantile: 0.3,
                        min_task_runtime: Duration::ZERO,
                        ..SpeculationConfig::default()
                    });
                },
                Some(&pools),
            ),
            free: BTreeMap::new(),
            live: BTreeMap::new(),
            attempts: BTreeMap::new(),
            sizes: BTreeMap::new(),
            cpus: BTreeMap::new(),
            ended: BTreeSet::new(),
            successes: BTreeMap::new(),
            reports_seen: 0,
        }
    }

    fn room(&mut self, executor: u8) -> &mut (u32, Vec<Arc<str>>) {
        self.free
            .entry(executor)
            .or_insert_with(|| (3, vec!["g0".into(), "g1".into()]))
    }

    fn pick(&self, number: u16) -> Option<ModelAttempt> {
        let count = self.live.len();
        (count > 0).then(|| {
            self.live
                .values()
                .nth(number as usize % count)
                .expect("within")
                .clone()
        })
    }

    fn give_back(&mut self, attempt: &ModelAttempt) {
        let executor: u8 = attempt.description.executor.as_str()[1..]
            .parse()
            .expect("a number");
        let description = attempt.description.clone();
        let (cores, gpus) = self.room(executor);
        *cores += description.cpus;
        for held in description.resources {
            gpus.extend(held.addresses);
        }
    }

    /// Picks an attempt whose end is told next.
    fn take(&mut self, number: u16) -> Option<ModelAttempt> {
        let attempt = self.pick(number)?;
        self.live.remove(&attempt.description.task);
        if !attempt.fetching {
            self.give_back(&attempt);
        }
        Some(attempt)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Submit {
                stage,
                tasks,
                cpus,
                gpus: gpu,
                shape,
                pool,
            } => self.submit(*stage, *tasks, *cpus, *gpu, *shape, *pool),
            Step::Offer {
                executors,
                all_free,
            } => self.offer(*executors, *all_free),
            Step::Run(number) => {
                if let Some(attempt) = self.pick(*number) {
                    self.fixture
                        .status(attempt.description.task, AttemptStatus::Running);
                }
            }
            Step::Finish(number) => {
                if let Some(attempt) = self.take(*number) {
                    if attempt.map {
                        self.fixture.finish_map(&attempt.description, "h");
                    } else {
                        self.fixture.finish(&attempt.description);
                    }
                    // Statuses may come twice.
                    self.fixture.fail(&attempt.description);
                }
            }
            Step::Fail(number, how) => {
                if let Some(attempt) = self.take(*number) {
                    let status = AttemptStatus::ended(end_reason(*how));
                    self.fixture.status(attempt.description.task, status);
                }
            }
            Step::Ready(number) => {
                if let Some(attempt) = self.pick(*number)
                    && !attempt.fetching
                {
                    let task = attempt.description.task;
                    self.give_back(&attempt);
                    self.live.get_mut(&task).expect("picked").fetching = true;
                    self.fixture
                        .status(task, AttemptStatus::ResultReady { bytes: 5 });
                }
            }
            Step::Kill(number) => {
                if let Some(attempt) = self.take(*number) {
                    let reason = "by hand".into();
                    self.fixture.status(
                        attempt.description.task,
                        AttemptStatus::ended(TaskEndReason::Killed { reason }),
                    );
                }
            }
            Step::Lose(executor, why) => {
                self.forget(*executor);
                self.fixture.lose(&name(*executor), loss_reason(*why));
            }
            Step::Decommission(executor) => self.fixture.decommission(&name(*executor), None),
            Step::Complete(stage, partition) => {
                self.fixture.command(TaskCommand::PartitionCompleted {
                    stage: StageId(*stage),
                    partition: Partition(*partition),
                });
            }
            Step::Cancel(stage) => self.fixture.command(TaskCommand::CancelStage {
                stage: StageId(*stage),
                reason: "no longer wanted".into(),
            }),
            Step::Wait(millis) => self
                .fixture
                .time_passed(Duration::from_millis(u64::from(*millis))),
        }
        self.check_reports();
        self.check_counts();
    }

    fn forget(&mut self, executor: u8) {
        let id = ExecutorId::from(name(executor));
        self.live
            .retain(|_, attempt| attempt.description.executor != id);
        self.free.remove(&executor);
    }

    fn submit(&mut self, stage: u32, tasks: u32, cpus: u32, gpu: u32, shape: u16, pool: u8) {
        let attempt = self.attempts.entry(stage).or_default();
        let attempt_id = StageAttempt(*attempt);
        *attempt += 1;
        let mut set = TaskSet {
            job: JobId(u32::from(shape & 1)),
            pool: match pool {
                0 => None,
                1 => Some("a".into()),
                2 => Some("b".into()),
                _ => Some("default".into()),
            },
            barrier: shape & 2 != 0,
            needs: if gpu > 0 {
                gpus(cpus, gpu)
            } else {
                needs(cpus)
            },
            ..task_set(stage, attempt_id.0, tasks)
        };
        if shape & 4 != 0 {
            set = shuffle_map(set);
        }
        for (task, spec) in (3..).zip(&mut set.tasks) {
            let text = match (shape >> task) & 3 {
                0 => continue,
                1 => host((shape >> 3) as u8 % EXECUTORS),
                2 => {
                    let executor = (shape >> 5) as u8 % EXECUTORS;
                    format!("executor_{}_{}", host(executor), name(executor))
                }
                _ => format!("hdfs_cache_{}", host((shape >> 7) as u8 % EXECUTORS)),
            };
            spec.locations = Box::from([text.parse().expect("well formed")]);
        }
        self.sizes
            .insert((set.stage, set.attempt), (tasks, shape & 4 != 0));
        self.cpus.insert((set.stage, set.attempt), cpus);
        self.fixture.submit(set);
    }

    fn offer(&mut self, executors: u8, all_free: bool) {
        let chosen: Vec<u8> = (0..EXECUTORS)
            .filter(|executor| executors & (1 << executor) != 0)
            .collect();
        let mut offers = Vec::new();
        for executor in &chosen {
            let (cores, addresses) = self.room(*executor).clone();
            offers.push(WorkerOffer {
                resources: vec![Stock::new("gpu", addresses)],
                ..offer(&name(*executor), &host(*executor), cores)
            });
        }
        let launches = self
            .fixture
            .handle(TaskSchedulerEvent::Offers { offers, all_free });
        assert_eq!(launches.len(), chosen.len());
        for (executor, launched) in chosen.iter().zip(launches) {
            for description in launched {
                assert_eq!(description.executor.as_str(), name(*executor));
                let (cores, free) = self.room(*executor);
                assert!(*cores >= description.cpus, "more cores than offered");
                *cores -= description.cpus;
                for address in description.resources.iter().flat_map(|it| &it.addresses) {
                    let at = free.iter().position(|it| it == address);
                    free.remove(at.expect("an address that was offered and is free"));
                }
                let key = (description.stage, description.stage_attempt);
                let (_, map) = self.sizes[&key];
                let known = self.live.insert(
                    description.task,
                    ModelAttempt {
                        description,
                        map,
                        fetching: false,
                    },
                );
                assert!(known.is_none(), "a task id is used once");
            }
        }
    }

    /// Every attempt ends once, and no partition succeeds twice without its
    /// output having been lost meanwhile, unless a copy did.
    fn check_reports(&mut self) {
        let reports: Vec<_> = self.fixture.reports[self.reports_seen..].to_vec();
        self.reports_seen = self.fixture.reports.len();
        for report in reports {
            let TaskReport::TaskEnded {
                stage,
                stage_attempt,
                partition,
                task,
                reason,
                ..
            } = report
            else {
                continue;
            };
            let successes = self
                .successes
                .entry((stage, stage_attempt, partition))
                .or_default();
            match reason {
                TaskEndReason::Resubmitted => {
                    assert!(self.ended.contains(&task), "it had ended before");
                    *successes -= 1;
                }
                TaskEndReason::Success(_) => {
                    assert!(self.ended.insert(task), "an attempt ends once");
                    *successes += 1;
                }
                _ => assert!(self.ended.insert(task), "an attempt ends once"),
            }
            assert!(
                (0..=1).contains(successes),
                "{stage}.{stage_attempt} {partition}"
            );
        }
    }

    /// The running counts equal what is counted anew.
    fn check_counts(&self) {
        let snapshot: TaskSchedulerSnapshot = self.fixture.scheduler.snapshot();
        let alive = self.live.len() as u64;
        let running: u64 = snapshot
            .task_sets
            .iter()
            .map(|set| u64::from(set.running))
            .sum();
        assert_eq!(self.fixture.scheduler.running(), running);
        assert_eq!(running, alive, "attempts that run");
        let cores = snapshot.task_sets.iter().map(|set| {
            let tasks = set.running + set.waiting + set.waiting_copies;
            u64::from(tasks) * u64::from(self.cpus[&(set.stage, set.attempt)])
        });
        assert_eq!(self.fixture.scheduler.cores(), cores.sum::<u64>());
        assert_eq!(u64::from(snapshot.pools[0].running), running);
        for pool in &snapshot.pools[1..] {
            let inside: u32 = snapshot
                .task_sets
                .iter()
                .filter(|set| set.pool == pool.name)
                .map(|set| set.running)
                .sum();
            assert_eq!(pool.running, inside, "pool {}", pool.name);
        }
        for executor in &snapshot.executors {
            let held = self
                .live
                .values()
                .filter(|it| it.description.executor == executor.executor && !it.fetching)
                .count();
            assert_eq!(executor.running as usize, held, "{}", executor.executor);
        }
        let waiting: u64 = snapshot
            .task_sets
            .iter()
            .map(|set| u64::from(set.waiting + set.waiting_copies))
            .sum();
        assert_eq!(self.fixture.scheduler.waiting(), waiting);
        for set in &snapshot.task_sets {
            assert!(set.successful as usize <= set.tasks);
            assert!(set.running > 0 || !set.zombie, "a done set is taken away");
        }
    }

    /// No more faults: offers come, tasks finish. Every set must end.
    fn drain(&mut self) {
        for _ in 0..400 {
            if self.fixture.scheduler.snapshot().task_sets.is_empty() {
                assert_eq!(self.live.len(), 0);
                return;
            }
            // New executors, on which nothing was ever excluded, and large
            // enough for a barrier set.
            self.step(&Step::Wait(4000));
            let offers: Vec<WorkerOffer> = (0..8)
                .map(|i| {
                    let id = format!("fresh{}-{i}", self.fixture.now.since_start().as_millis());
                    offer_with_gpus(&id, &id, 4, 0..4)
                })
                .collect();
            let launched = self.fixture.place(offers, true);
            for description in launched {
                let key = (description.stage, description.stage_attempt);
                if self.sizes[&key].1 {
                    self.fixture.finish_map(&description, "h");
                } else {
                    self.fixture.finish(&description);
                }
            }
            self.check_reports();
            while let Some(attempt) = self.pick(0) {
                if attempt.map {
                    self.fixture.finish_map(&attempt.description, "h");
                } else {
                    self.fixture.finish(&attempt.description);
                }
                self.live.remove(&attempt.description.task);
            }
            self.check_reports();
        }
        panic!("{:#?}", self.fixture.scheduler.snapshot());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_placed_beyond_what_was_offered_and_counts_hold(
        steps in steps(),
        fair in any::<bool>(),
        exclusion in any::<bool>(),
        speculation in any::<bool>(),
    ) {
        let mode = if fair { SchedulingMode::Fair } else { SchedulingMode::Fifo };
        let mut model = Model::new(mode, exclusion, speculation);
        for step in &steps {
            model.step(step);
        }
        model.drain();
    }

    #[test]
    fn equal_events_lead_to_equal_actions(steps in steps()) {
        let run = || {
            let mut model = Model::new(SchedulingMode::Fair, true, true);
            for step in &steps {
                model.step(step);
            }
            (model.fixture.reports, model.fixture.requests, model.fixture.notices)
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn the_order_of_pools_is_total_and_holds_every_set_once(
        sets in proptest::collection::vec((0u32..4, 0u32..5, 0u32..9), 1..40),
        shares in proptest::collection::vec((0u32..5, 1u32..5, any::<bool>()), 4),
    ) {
        use crate::pool::{PoolTree, SetIx, SetToPlace};
        let pools: Vec<PoolDefinition> = shares.iter().zip(0..).map(|((share, weight, fair), i)| {
            PoolDefinition {
                min_share: *share,
                weight: *weight,
                mode: if *fair { SchedulingMode::Fair } else { SchedulingMode::Fifo },
                ..PoolDefinition::new(format!("p{i}"))
            }
        }).collect();
        let running: Vec<u32> = sets.iter().map(|(_, _, running)| *running).collect();
        let order_of = |arrival: &[usize]| {
            let mut tree = PoolTree::new(SchedulingMode::Fair, Some(&pools));
            for set in arrival {
                let (pool, job, _) = sets[*set];
                let name = format!("p{pool}");
                let index = SetIx(*set as u32);
                let created = tree.add(&SetToPlace {
                    set: index,
                    pool: Some(&name),
                    job: JobId(job),
                    // One stage each, so that ties end with the stage.
                    stage: StageId(*set as u32),
                    attempt: StageAttempt(0),
                });
                assert_eq!(created, None);
                tree.running_changed(index, 0, running[*set]);
            }
            tree.order(|set| running[set.index()])
        };
        let forwards: Vec<usize> = (0..sets.len()).collect();
        let backwards: Vec<usize> = (0..sets.len()).rev().collect();
        let order = order_of(&forwards);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted.len(), sets.len());
        sorted.dedup();
        prop_assert_eq!(sorted.len(), sets.len());
        // The order does not depend on who came first.
        prop_assert_eq!(order, order_of(&backwards));
    }
}
