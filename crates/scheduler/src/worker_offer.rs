//! Room on an executor, as a backend offers it.
//!
//! Responsible for saying what is free and how many tasks it has room for. A
//! backend makes these of threads, executors or Mesos offers; the task
//! scheduler only reads them.

use std::sync::Arc;

use crate::ids::{ExecutorId, Host, ResourceProfileId};
use crate::plan::TaskNeeds;
use crate::stock::{Stock, tasks_on};

/// Free room on one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOffer {
    /// The executor. Not yet known is fine: it is registered with the offer.
    pub executor: ExecutorId,
    /// The executor's host.
    pub host: Host,
    /// Free cores.
    pub cores: u32,
    /// What is free of named resources, such as `gpu`.
    pub resources: Vec<Stock>,
    /// Where other tasks of a barrier set can reach a task run here.
    pub address: Option<Arc<str>>,
    /// The resource profile that the executor was made for.
    pub profile: ResourceProfileId,
}

impl WorkerOffer {
    /// An offer of cores alone, for the default profile.
    pub fn new(executor: impl Into<ExecutorId>, host: impl Into<Host>, cores: u32) -> Self {
        Self {
            executor: executor.into(),
            host: host.into(),
            cores,
            resources: Vec::new(),
            address: None,
            profile: ResourceProfileId::default(),
        }
    }

    /// How many tasks of these needs can run here at once.
    pub fn slots(&self, needs: &TaskNeeds) -> u32 {
        slots(self.profile, self.cores, &self.resources, needs)
    }
}

/// How many tasks of these needs can run at once in the given room.
pub(super) fn slots(
    profile: ResourceProfileId,
    cores: u32,
    resources: &[Stock],
    needs: &TaskNeeds,
) -> u32 {
    if profile != needs.profile {
        return 0;
    }
    let by_cores = cores / needs.cpus.max(1);
    needs
        .resources
        .iter()
        .map(|(name, amount)| tasks_on(resources, name, *amount))
        .fold(by_cores, u32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(cpus: u32, gpus: u32) -> TaskNeeds {
        TaskNeeds {
            profile: ResourceProfileId(0),
            cpus,
            resources: match gpus {
                0 => Vec::new(),
                gpus => vec![("gpu".into(), gpus.into())],
            },
        }
    }

    fn four_cores_four_gpus() -> WorkerOffer {
        WorkerOffer {
            resources: vec![Stock::new("gpu", (0..4).map(|i| i.to_string()))],
            ..WorkerOffer::new("e", "h", 4)
        }
    }

    #[test]
    fn the_scarcest_resource_decides_how_many_tasks_run_at_once() {
        let offer = four_cores_four_gpus();
        for (cpus, gpus, slots) in [
            (1, 1, 4),
            (1, 2, 2),
            (1, 4, 1),
            (2, 1, 2),
            (2, 2, 2),
            (4, 1, 1),
            (1, 3, 1),
            (3, 1, 1),
            (1, 0, 4),
            (5, 0, 0),
            (1, 5, 0),
        ] {
            assert_eq!(offer.slots(&needs(cpus, gpus)), slots, "{cpus} {gpus}");
        }
    }

    #[test]
    fn an_executor_of_another_profile_has_no_slots() {
        let offer = WorkerOffer {
            profile: ResourceProfileId(1),
            ..four_cores_four_gpus()
        };
        assert_eq!(offer.slots(&needs(1, 0)), 0);
    }

    #[test]
    fn a_missing_resource_gives_no_slots() {
        assert_eq!(WorkerOffer::new("e", "h", 4).slots(&needs(1, 1)), 0);
    }
}
