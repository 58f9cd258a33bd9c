//! Taking a task set in.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::kept::{NO_ATTEMPT, Task};
use super::{TaskSetExclusions, TaskSetManager};
use crate::clock::Timestamp;
use crate::cluster::Cluster;
use crate::config::{LocalityWait, TaskSchedulerConfig};
use crate::delay::DelaySchedule;
use crate::durations::Durations;
use crate::ids::Partition;
use crate::locality::{Levels, LocalityLevel};
use crate::making::ToKeep;
use crate::pending::{PendingTasks, Preferences};
use crate::plan::TaskNeeds;
use crate::speculation::Copying;
use crate::speculation::Speculation;
use crate::task::{TaskSet, TaskSpec};

/// The tasks of a set, all of which wait.
struct Listed {
    tasks: Vec<Task>,
    preferences: Preferences,
    to_keep: ToKeep,
    index_of: Option<FxHashMap<Partition, u32>>,
    pending: PendingTasks,
    waiting_at: [u32; LocalityLevel::ALL.len()],
}

impl Listed {
    fn of(specs: Vec<TaskSpec>, cluster: &mut Cluster) -> Self {
        let count = specs.len();
        assert!(count < NO_ATTEMPT as usize, "fewer than 2^32 - 1 tasks");
        let mut tasks = Vec::with_capacity(count);
        let mut preferences = Preferences::default();
        let ascending = specs
            .windows(2)
            .all(|pair| pair[0].partition < pair[1].partition);
        let mut without_preference = 0;
        for spec in &specs {
            preferences.push(&spec.locations, cluster);
            without_preference += usize::from(spec.locations.is_empty());
            tasks.push(Task {
                partition: spec.partition,
                last_attempt: NO_ATTEMPT,
                attempts: 0,
                failures: 0,
                copies: 0,
                successful: false,
                marked: false,
                parked: false,
                listed: Levels::ANY,
            });
        }
        preferences.seal();
        let index_of = (!ascending).then(|| {
            (0..)
                .zip(&specs)
                .map(|(index, spec)| (spec.partition, index))
                .collect()
        });
        let to_keep = ToKeep::of_all(specs.iter().map(|spec| &*spec.to_keep));
        // They are many: their memory is free again before more is taken.
        drop(specs);

        let mut pending = PendingTasks::default();
        pending.reserve(count, without_preference);
        let mut waiting_at = [0; LocalityLevel::ALL.len()];
        // Backwards, since each list is a stack: low indices go first.
        for index in (0..count).rev() {
            let listed = pending.push(index as u32, preferences.of(index as u32), cluster);
            tasks[index].listed = listed;
            for level in listed.iter() {
                waiting_at[level as usize] += 1;
            }
        }
        pending.seal();
        Self {
            tasks,
            preferences,
            to_keep,
            index_of,
            pending,
            waiting_at,
        }
    }
}

impl TaskSetManager {
    /// Takes a task set in: all of its tasks wait.
    pub(crate) fn new(
        now: Timestamp,
        set: TaskSet,
        config: &TaskSchedulerConfig,
        cluster: &mut Cluster,
    ) -> Self {
        let Listed {
            tasks,
            preferences,
            to_keep,
            index_of,
            pending,
            waiting_at,
        } = Listed::of(set.tasks, cluster);
        let count = tasks.len();

        let mut waits = config.locality_wait;
        if set.barrier && config.legacy_locality_reset {
            // The old rule would reset the clock with every task parked, and
            // the set would never start together.
            waits = LocalityWait::all(Duration::ZERO);
        }
        // The one executor of a local master has no other for a copy, and tasks of a
        // barrier set run together.
        let may_copy = !config.local && !set.barrier;
        let speculation = config
            .speculation
            .as_ref()
            .filter(|_| may_copy)
            .map(|speculation| {
                Speculation::new(speculation, count, slots_of_one(config, &set.needs))
            });
        Self {
            stage: set.stage,
            attempt: set.attempt,
            kind: set.kind,
            job: set.job,
            pool: set.pool,
            barrier: set.barrier,
            skips: set.skips,
            left_out: FxHashSet::default(),
            needs: Arc::new(set.needs),
            epoch: set.epoch,
            tasks,
            preferences,
            to_keep,
            index_of,
            delay: DelaySchedule::new(waits, pending.valid_levels(cluster), now),
            pending,
            copies: PendingTasks::default(),
            marked: 0,
            alone: Vec::new(),
            parked: 0,
            waiting: count as u32,
            waiting_at,
            attempts: Vec::new(),
            last_on_executor: FxHashMap::default(),
            running: 0,
            successful: 0,
            zombie: false,
            aborted: false,
            no_rejects_since_reset: true,
            exclusions: config.exclusion.clone().map(TaskSetExclusions::new),
            proven: config.exclusion.clone().map(TaskSetExclusions::new),
            durations: Durations::default(),
            ended_last: None,
            copying: match (&speculation, may_copy) {
                (Some(_), _) => Copying::On,
                (None, true) => Copying::Off,
                (None, false) => Copying::Never,
            },
            speculation,
            result_bytes: 0,
            results: 0,
            told_postponed: None,
        }
    }
}

/// How many tasks one executor runs at once; 1 if its size is not fixed.
fn slots_of_one(config: &TaskSchedulerConfig, needs: &TaskNeeds) -> u32 {
    let Some(cores) = config.executor_cores else {
        return 1;
    };
    let by_cores = cores / needs.cpus.max(1);
    needs
        .resources
        .iter()
        .map(|(name, amount)| {
            config
                .executor_resources
                .iter()
                .find(|(has, _)| has == name)
                .map_or(0, |(_, has)| amount.tasks_on(*has))
        })
        .fold(by_cores, u32::min)
}
