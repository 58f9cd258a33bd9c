//! Room on an executor, as a backend offers it.
//!
//! Responsible for saying what is free and how many tasks it has room for. A
//! backend makes these of threads, executors or Mesos offers; the task
//! scheduler only reads them.

use std::sync::Arc;

use crate::ids::{ExecutorId, Host, ResourceProfileId};
use crate::plan::TaskNeeds;

/// Free room on one executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOffer {
    /// The executor. Not yet known is fine: it is registered with the offer.
    pub executor: ExecutorId,
    /// The executor's host.
    pub host: Host,
    /// Free cores.
    pub cores: u32,
    /// Free addresses of named resources, in the order they are to be used,
    /// such as `gpu` and `["0", "1"]`.
    pub resources: Vec<(Arc<str>, Vec<Arc<str>>)>,
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
    resources: &[(Arc<str>, Vec<Arc<str>>)],
    needs: &TaskNeeds,
) -> u32 {
    if profile != needs.profile {
        return 0;
    }
    let by_cores = cores / needs.cpus.max(1);
    needs
        .resources
        .iter()
        .filter(|(_, amount)| *amount > 0)
        .map(|(name, amount)| free_addresses(resources, name) / amount)
        .fold(by_cores, u32::min)
}

/// How many addresses of a named resource are free.
pub(super) fn free_addresses(resources: &[(Arc<str>, Vec<Arc<str>>)], name: &str) -> u32 {
    resources
        .iter()
        .find(|(free, _)| **free == *name)
        .map_or(0, |(_, addresses)| {
            u32::try_from(addresses.len()).unwrap_or(u32::MAX)
        })
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
                gpus => vec![("gpu".into(), gpus)],
            },
        }
    }

    fn four_cores_four_gpus() -> WorkerOffer {
        WorkerOffer {
            resources: vec![("gpu".into(), (0..4).map(|i| i.to_string().into()).collect())],
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
