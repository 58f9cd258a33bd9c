//! How large an executor is, as Spark on Mesos reckons it. Pure.
//!
//! Responsible for cores, memory and overhead of one executor, and for how many
//! of them an offer holds. Which offers are taken is decided elsewhere.

use std::sync::Arc;

use super::mesos::named::mesos_name;
use crate::conf::properties::executor::{
    EXECUTOR_CORES, EXECUTOR_MEMORY, EXECUTOR_MEMORY_OVERHEAD, EXECUTOR_MEMORY_OVERHEAD_FACTOR,
};
use crate::conf::properties::mesos::COARSE;
use crate::conf::properties::resources::{of_executor, of_task};
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::conf::{ByteSize, Conf};
use crate::resources::{Demand, ResourceName, Resources, Scalar, Tenure};

/// No executor has less overhead, in MiB.
const MIN_OVERHEAD_MIB: u64 = 384;

/// What one executor takes of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSize {
    /// Its cores; `None` for all that an offer has (`spark.executor.cores`).
    pub cores: Option<u32>,
    /// Cores without which it could run no task (`spark.task.cpus`).
    pub least_cores: u32,
    /// Its memory with its overhead, in MiB.
    pub memory_mib: u64,
    /// So much of that is overhead.
    pub overhead_mib: u64,
    /// Units of resources with names, such as `gpu`: those that it holds for its tasks, or, in
    /// fine mode, those that one task takes beside it.
    pub named: Vec<(Arc<str>, u32)>,
}

/// How many executors an offer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Capacity {
    /// So many executors.
    pub executors: u64,
    /// Their cores in all.
    pub cores: u64,
}

impl ExecutorSize {
    /// The size that the settings ask for.
    pub fn of(conf: &Conf) -> Self {
        let memory_mib = conf.get(&EXECUTOR_MEMORY).whole_mib();
        let overhead = conf.get(&EXECUTOR_MEMORY_OVERHEAD).map_or_else(
            || default_overhead(memory_mib, conf.get(&EXECUTOR_MEMORY_OVERHEAD_FACTOR)),
            ByteSize::whole_mib,
        );
        Self {
            cores: conf.get(&EXECUTOR_CORES),
            least_cores: conf.get(&TASK_CPUS),
            memory_mib: memory_mib.saturating_add(overhead),
            overhead_mib: overhead,
            named: named(conf),
        }
    }

    /// What an offer must have to hold one.
    pub fn demand(&self) -> Demand {
        let demand = Demand::new()
            .with_cpus(Scalar::new(self.cores.unwrap_or(self.least_cores)))
            .with_mem(Scalar::from_milli(self.memory_mib.saturating_mul(1000)));
        self.with_named(demand)
    }

    /// A demand, and that of resources with names.
    pub fn with_named(&self, demand: Demand) -> Demand {
        let named = self.named.iter();
        named.fold(demand, |demand, (name, count)| {
            demand.with_units(mesos_name(name), u64::from(*count))
        })
    }

    /// How many an offer of these resources holds.
    pub fn capacity(&self, offered: &Resources) -> Capacity {
        let units = |name| offered.available(&name, Tenure::Firm).whole_units();
        let (cpus, mem) = (units(ResourceName::CPUS), units(ResourceName::MEM));
        let named = self.named.iter().map(|(name, count)| {
            offered.units(&mesos_name(name), Tenure::Firm) / u64::from(*count).max(1)
        });
        let by_memory = named.fold(mem / self.memory_mib.max(1), u64::min);
        match self.cores.map(u64::from) {
            Some(cores) => {
                let executors = by_memory.min(cpus / cores.max(1));
                Capacity {
                    executors,
                    cores: executors * cores,
                }
            }
            None if by_memory > 0 && cpus >= u64::from(self.least_cores) => Capacity {
                executors: 1,
                cores: cpus,
            },
            None => Capacity::default(),
        }
    }
}

/// In coarse mode executors hold them, and in fine mode tasks do.
fn named(conf: &Conf) -> Vec<(Arc<str>, u32)> {
    if conf.get(&COARSE) {
        let all = of_executor(conf).into_iter();
        return all.map(|(name, count)| (name.into(), count)).collect();
    }
    let all = of_task(conf).into_iter();
    all.map(|(name, amount)| (name.into(), amount.addresses()))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rounded down as Spark does; the cast saturates"
)]
fn default_overhead(memory_mib: u64, factor: f64) -> u64 {
    ((memory_mib as f64 * factor) as u64).max(MIN_OVERHEAD_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    fn size(settings: &[(&str, &str)]) -> ExecutorSize {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        ExecutorSize::of(&builder.build().unwrap())
    }

    fn offer(text: &str) -> Resources {
        text.parse().unwrap()
    }

    #[test]
    fn memory_has_the_overhead_that_spark_adds() {
        let memory = |memory| size(&[("spark.executor.memory", memory)]).memory_mib;
        assert_eq!(memory("512m"), 896);
        assert_eq!(memory("4096m"), 4505);
        let fixed = [
            ("spark.executor.memory", "1g"),
            ("spark.mesos.executor.memoryOverhead", "512"),
        ];
        assert_eq!(size(&fixed).memory_mib, 1536);
    }

    #[test]
    fn without_a_number_of_cores_one_executor_takes_all() {
        let size = size(&[]);
        let capacity = size.capacity(&offer("cpus:10;mem:9000"));
        assert_eq!((capacity.executors, capacity.cores), (1, 10));
        assert_eq!(
            size.capacity(&offer("cpus:0.9;mem:9000")),
            Capacity::default()
        );
        assert_eq!(
            size.capacity(&offer("cpus:10;mem:1000")),
            Capacity::default()
        );
    }

    #[test]
    fn resources_with_names_limit_how_many_there_are() {
        let size = size(&[
            ("spark.master", "mesos://m:5050"),
            ("spark.executor.cores", "1"),
            ("spark.executor.resource.gpu.amount", "1"),
            ("spark.executor.resource.fpga.amount", "2"),
        ]);
        for (offered, executors) in [
            ("cpus:9;mem:90000;gpus:4;fpga:{a,b,c,d,e}", 2),
            ("cpus:9;mem:90000;gpus:1;fpga:{a,b,c,d,e}", 1),
            ("cpus:9;mem:90000;gpus:4", 0),
        ] {
            let capacity = size.capacity(&offer(offered));
            assert_eq!(capacity.executors, executors, "{offered}");
        }
        let shortages = offer("cpus:9;mem:90000;fpga:1").shortages(&size.demand());
        let told: Vec<_> = shortages.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["2 fpga needed, 1 available", "1 gpus needed, 0 available"]
        );
    }

    #[test]
    fn several_executors_share_an_offer() {
        let size = size(&[("spark.executor.cores", "4")]);
        let capacity = size.capacity(&offer("cpus:9;mem:9000"));
        assert_eq!((capacity.executors, capacity.cores), (2, 8));
        let capacity = size.capacity(&offer("cpus:9;mem:2000"));
        assert_eq!((capacity.executors, capacity.cores), (1, 4));
    }
}
