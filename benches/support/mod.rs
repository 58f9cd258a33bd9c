//! The situations that the benches of the scheduling core measure.

use std::sync::Arc;

use mesquite::clock::Timestamp;
use mesquite::ids::{JobId, Partition, ResourceProfileId, StageAttempt, StageId};
use mesquite::plan::TaskNeeds;
use mesquite::scheduler::ordering::SchedulingMode;
use mesquite::scheduler::pool::{PoolDefinition, PoolTree, SetIx, SetToPlace};
use mesquite::scheduler::stock::Stock;
use mesquite::scheduler::task::{StageKind, TaskCommand, TaskLocation, TaskSet, TaskSpec};
use mesquite::scheduler::{
    Actions, TaskScheduler, TaskSchedulerConfig, TaskSchedulerEvent, WorkerOffer,
};

/// Tasks that wait.
pub(crate) const TASKS: u32 = 100_000;
/// Offers that come at once, each from a host of its own.
pub(crate) const OFFERS: u32 = 1_000;
/// Hosts in each rack.
const HOSTS_IN_A_RACK: u32 = 20;
/// The moment at which all happens.
pub(crate) const NOW: Timestamp = Timestamp::ZERO;

/// What a task needs: cores and GPUs.
pub(crate) fn needs(cpus: u32, gpus: u32) -> TaskNeeds {
    TaskNeeds {
        profile: ResourceProfileId(0),
        cpus,
        resources: match gpus {
            0 => Vec::new(),
            gpus => vec![("gpu".into(), gpus.into())],
        },
    }
}

fn task_set(needs: TaskNeeds, locations: impl Iterator<Item = Box<[TaskLocation]>>) -> TaskSet {
    TaskSet {
        stage: StageId(0),
        attempt: StageAttempt(0),
        kind: StageKind::Result,
        job: JobId(0),
        pool: None,
        barrier: false,
        skips: false,
        needs,
        epoch: 0,
        tasks: (0..)
            .map(Partition)
            .zip(locations)
            .map(|(partition, locations)| TaskSpec {
                partition,
                locations,
                to_keep: Box::default(),
            })
            .collect(),
    }
}

/// A set of so many tasks that run anywhere.
pub(crate) fn without_preference(tasks: u32) -> TaskSet {
    task_set(needs(1, 0), (0..tasks).map(|_| Box::default()))
}

fn host(number: u32) -> String {
    format!("host-{number}.example.org")
}

fn executor(number: u32) -> String {
    format!("executor-{number}")
}

/// Three hosts out of `hosts`, as blocks of a distributed file lie.
fn three_hosts(task: u32, hosts: u32) -> Box<[TaskLocation]> {
    [0, 1, 2]
        .map(|copy| {
            let number = (task.wrapping_mul(2_654_435_761) >> 8).wrapping_add(copy * 337) % hosts;
            TaskLocation::Host(host(number).into())
        })
        .into()
}

/// A set of so many tasks that prefer three hosts each; of every ten, one has
/// an executor for one of them, so that every level is there.
pub(crate) fn with_preferences(tasks: u32, hosts: u32) -> TaskSet {
    task_set(
        needs(1, 0),
        (0..tasks).map(|task| {
            let mut locations = three_hosts(task, hosts);
            if task % 10 == 0 {
                let number = task / 10 % hosts;
                locations[0] = TaskLocation::Executor {
                    host: host(number).into(),
                    executor: executor(number).into(),
                };
            }
            locations
        }),
    )
}

/// Offers of so many cores from so many hosts; every second has GPUs if any.
pub(crate) fn offers(count: u32, cores: u32, gpus: u32) -> Vec<WorkerOffer> {
    let gpu: Arc<str> = "gpu".into();
    (0..count)
        .map(|number| {
            let mut offer = WorkerOffer::new(executor(number), host(number), cores);
            if gpus > 0 && number % 2 == 0 {
                let addresses = (0..gpus).map(|gpu| gpu.to_string());
                offer.resources = vec![Stock::new(Arc::clone(&gpu), addresses)];
            }
            offer
        })
        .collect()
}

/// A task scheduler with Spark's defaults.
pub(crate) fn scheduler() -> TaskScheduler {
    TaskScheduler::new(TaskSchedulerConfig::default(), None, 1)
}

/// Lets it know the executors and racks of so many hosts.
pub(crate) fn introduce(scheduler: &mut TaskScheduler, hosts: u32) {
    let racks = (0..hosts)
        .map(|number| {
            let rack = format!("rack-{}", number / HOSTS_IN_A_RACK);
            (host(number).into(), rack.into())
        })
        .collect();
    done(scheduler.handle(NOW, TaskSchedulerEvent::RacksKnown(racks)));
    done(offer(scheduler, NOW, offers(hosts, 0, 0)));
}

/// Submits a task set.
pub(crate) fn submit(scheduler: &mut TaskScheduler, set: TaskSet) {
    done(scheduler.handle(NOW, TaskSchedulerEvent::Command(TaskCommand::Submit(set))));
}

/// Offers all that is free.
pub(crate) fn offer(
    scheduler: &mut TaskScheduler,
    now: Timestamp,
    offers: Vec<WorkerOffer>,
) -> Actions {
    scheduler.handle(
        now,
        TaskSchedulerEvent::Offers {
            offers,
            all_free: true,
        },
    )
}

/// Nobody carries these actions out.
pub(crate) fn done(actions: Actions) {
    drop(actions);
}

/// A scheduler with 100,000 waiting tasks that prefer hosts, and an offer that
/// is of use to none: the first kind has too few cores, the second comes from
/// a host that nobody prefers while all still wait for theirs.
pub(crate) fn misfits() -> (TaskScheduler, [WorkerOffer; 2]) {
    let mut scheduler = scheduler();
    introduce(&mut scheduler, OFFERS);
    submit(&mut scheduler, with_preferences(TASKS, OFFERS));
    let offers = [
        WorkerOffer::new("executor-0", "host-0.example.org", 0),
        WorkerOffer::new("elsewhere", "elsewhere.example.org", 8),
    ];
    (scheduler, offers)
}

/// 200 tasks that need two cores and a GPU and prefer three hosts, and 10,000
/// offers of which half have GPUs, from executors never seen before or all
/// known.
pub(crate) fn constrained(known: bool) -> (TaskScheduler, Vec<WorkerOffer>) {
    let mut scheduler = scheduler();
    if known {
        done(offer(&mut scheduler, NOW, offers(10_000, 0, 0)));
    }
    let set = task_set(needs(2, 1), (0..200).map(|task| three_hosts(task, 10_000)));
    submit(&mut scheduler, set);
    (scheduler, offers(10_000, 4, 1))
}

/// 1,000 fair pools of one task set each, and what runs in them.
pub(crate) fn pools() -> (PoolTree, Vec<u32>) {
    let defined: Vec<_> = (0..1000)
        .map(|number| PoolDefinition {
            weight: number % 7 + 1,
            min_share: number % 3,
            ..PoolDefinition::new(format!("pool-{number}"))
        })
        .collect();
    let mut tree = PoolTree::new(SchedulingMode::Fair, Some(&defined));
    let running: Vec<u32> = (0..1000).map(|number| number * 31 % 17).collect();
    for (number, running) in (0..1000).zip(&running) {
        let set = SetIx::new(number);
        tree.add(&SetToPlace {
            set,
            pool: Some(&format!("pool-{number}")),
            job: JobId(number),
            stage: StageId(number),
            attempt: StageAttempt(0),
        });
        tree.running_changed(set, 0, *running);
    }
    (tree, running)
}
