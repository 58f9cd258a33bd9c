//! Properties of dynamic allocation: executors come and go with what there is to do.

use std::time::Duration;

use super::application::MASTER;
use super::mesos::COARSE;
use crate::conf::Conf;
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{
    Declaration, Property, boolean, decimal_between, duration, integer, properties,
};
use crate::conf::units::TimeUnit;

properties! {
    title: "Dynamic allocation";

    /// Executors come as tasks wait for them, and go when they have nothing to do. On Mesos in
    /// coarse mode alone: in fine mode they always do, and `local-cluster` has as many as its
    /// URL says.
    pub DYNAMIC: Property<Option<bool>> =
        boolean("spark.dynamicAllocation.enabled").optional("true on Mesos in coarse mode");

    /// No fewer executors than so many are kept, with nothing to do too.
    pub MIN_EXECUTORS: Property<u32> =
        integer("spark.dynamicAllocation.minExecutors", 0).default("0");

    /// No more executors than so many are asked for.
    pub MAX_EXECUTORS: Property<Option<u32>> =
        integer("spark.dynamicAllocation.maxExecutors", 1)
            .optional("as many as waiting tasks can use");

    /// So many executors are asked for at the start, whatever there is to do; until a stage
    /// begins, or one of them has had nothing to do for its time.
    pub INITIAL_EXECUTORS: Property<u32> =
        integer("spark.dynamicAllocation.initialExecutors", 0).same_as(&MIN_EXECUTORS);

    /// `spark.dynamicAllocation.initialExecutors`, if that is less. Without dynamic allocation it
    /// has no effect on Mesos, as in Spark: `spark.cores.max` limits what is taken.
    pub EXECUTOR_INSTANCES: Property<Option<u32>> = integer("spark.executor.instances", 1)
        .optional("as spark.dynamicAllocation.initialExecutors says");

    /// An executor that has had nothing to do for so long is ended. In coarse mode not one whose
    /// map outputs somebody may still read, unless another executor on its host takes them over,
    /// and none with persisted partitions; in fine mode none with either. Spark's
    /// default is 60s: there it costs seconds to have another one, and a tenth of one here.
    pub IDLE_TIMEOUT: Property<Option<Duration>> =
        duration("spark.dynamicAllocation.executorIdleTimeout", TimeUnit::Seconds)
            .optional("1s; in fine mode, where an executor holds no cores to speak of, 60s");

    /// An executor that has had nothing to do for so long is ended although it has persisted
    /// partitions: whoever wants them makes them again.
    pub CACHED_IDLE_TIMEOUT: Property<Option<Duration>> =
        duration("spark.dynamicAllocation.cachedExecutorIdleTimeout", TimeUnit::Seconds)
            .optional("they are kept as long as somebody may read them");

    /// Executors are asked for when tasks have waited for so long: one, and after each
    /// `spark.dynamicAllocation.sustainedSchedulerBacklogTimeout` twice as many more, up to what
    /// waiting tasks can use. 0 asks for all of them at once. Spark's default is 1s.
    pub BACKLOG_TIMEOUT: Property<Duration> =
        duration("spark.dynamicAllocation.schedulerBacklogTimeout", TimeUnit::Seconds)
            .default("0s");

    /// How long tasks wait on before more executors are asked for.
    pub SUSTAINED_BACKLOG_TIMEOUT: Property<Duration> =
        duration("spark.dynamicAllocation.sustainedSchedulerBacklogTimeout", TimeUnit::Seconds)
            .same_as(&BACKLOG_TIMEOUT);

    /// Executors are kept for their map outputs. There is no external shuffle service that would
    /// keep them, so it cannot be false.
    pub SHUFFLE_TRACKING: Property<bool> =
        boolean("spark.dynamicAllocation.shuffleTracking.enabled").default("true");

    /// An executor that has had nothing to do for so long is ended although somebody may still
    /// read its map outputs: they are made again if they are read.
    pub SHUFFLE_TRACKING_TIMEOUT: Property<Option<Duration>> =
        duration("spark.dynamicAllocation.shuffleTracking.timeout", TimeUnit::Milliseconds)
            .optional("they are kept as long as somebody may read them");

    /// Executors are asked for as for this part of the tasks: with less than 1 each gets several
    /// of them, one after the other.
    pub ALLOCATION_RATIO: Property<f64> =
        decimal_between("spark.dynamicAllocation.executorAllocationRatio", 0.0, 1.0).default("1.0");
}

/// Whether executors come and go in this run.
pub fn is_dynamic(conf: &Conf) -> bool {
    is_coarse(conf) && conf.get(&DYNAMIC).unwrap_or(true)
}

fn is_coarse(conf: &Conf) -> bool {
    conf.get(&MASTER).mesos().is_some() && conf.get(&COARSE)
}

/// Bounds that nothing is between, and what cannot be had.
pub(super) fn bad_bounds(conf: &Conf) -> impl Iterator<Item = String> {
    let most = conf.get(&MAX_EXECUTORS).unwrap_or(u32::MAX);
    let above = |property: &'static Declaration, count: u32| {
        (count > most).then(|| {
            format!(
                "{} ({count}) must not be more than {} ({most})",
                property.name(),
                MAX_EXECUTORS.name()
            )
        })
    };
    let instances = conf.get(&EXECUTOR_INSTANCES).filter(|_| is_dynamic(conf));
    let tracks = conf.get(&SHUFFLE_TRACKING);
    [
        above(MIN_EXECUTORS.declaration(), conf.get(&MIN_EXECUTORS)),
        above(
            INITIAL_EXECUTORS.declaration(),
            conf.get(&INITIAL_EXECUTORS),
        ),
        instances.and_then(|it| above(EXECUTOR_INSTANCES.declaration(), it)),
        (conf.get(&ALLOCATION_RATIO) <= 0.0)
            .then(|| format!("{} must be more than 0", ALLOCATION_RATIO.name())),
        (!tracks && is_dynamic(conf)).then(|| {
            format!(
                "there is no external shuffle service, so {} cannot be false: \
                 spark.dynamicAllocation.enabled=false keeps all executors",
                SHUFFLE_TRACKING.name()
            )
        }),
    ]
    .into_iter()
    .flatten()
}

/// What tunes dynamic allocation is without effect where there is none.
pub(super) fn without_allocation(conf: &Conf) -> impl Iterator<Item = Warning> {
    let remark = if is_coarse(conf) {
        "spark.dynamicAllocation.enabled is false"
    } else {
        "executors come and go by it on Mesos in coarse mode only"
    };
    let wants = conf.get(&DYNAMIC) == Some(true);
    // Fine mode has it.
    let on_mesos = conf.get(&MASTER).mesos().is_some();
    let has_idle = on_mesos && !conf.get(&COARSE);
    let also = [
        (wants && !is_coarse(conf)).then_some(DYNAMIC.name()),
        (!has_idle).then_some(IDLE_TIMEOUT.name()),
    ];
    let tuned = [
        MIN_EXECUTORS.name(),
        MAX_EXECUTORS.name(),
        INITIAL_EXECUTORS.name(),
        EXECUTOR_INSTANCES.name(),
        CACHED_IDLE_TIMEOUT.name(),
        BACKLOG_TIMEOUT.name(),
        SUSTAINED_BACKLOG_TIMEOUT.name(),
        SHUFFLE_TRACKING.name(),
        SHUFFLE_TRACKING_TIMEOUT.name(),
        ALLOCATION_RATIO.name(),
    ];
    let all = tuned.into_iter().chain(also.into_iter().flatten());
    let set = all.filter_map(|name| Some((name, conf.source(name)?.clone())));
    let told = set.map(move |(name, origin)| Warning {
        name: name.to_owned(),
        origin,
        remark: Remark::NoEffect(remark),
    });
    let told: Vec<_> = told.filter(|_| !is_dynamic(conf)).collect();
    told.into_iter()
}

#[cfg(test)]
mod tests {
    use crate::conf::{Conf, Layer};

    fn read(settings: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let master = [("spark.master", "mesos://m:5050")];
        let conf = master
            .iter()
            .chain(settings)
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            })
            .build();
        let conf = conf.map_err(|error| error.to_string())?;
        Ok(conf.warnings().iter().map(ToString::to_string).collect())
    }

    fn named(name: &str) -> String {
        format!("spark.dynamicAllocation.{name}")
    }

    #[test]
    fn bounds_with_nothing_between_them_are_refused() {
        let (min, max) = (named("minExecutors"), named("maxExecutors"));
        for (low, high, sound) in [("2", "1", false), ("2", "2", true), ("0", "0", false)] {
            let read = read(&[(&min, low), (&max, high)]);
            assert_eq!(read.is_ok(), sound, "{low} {high}: {read:?}");
        }
        assert!(read(&[(&max, "3"), ("spark.executor.instances", "4")]).is_err());
        assert!(read(&[(&named("executorAllocationRatio"), "0")]).is_err());
    }

    #[test]
    fn what_would_lose_outputs_is_refused_where_it_would() {
        let (tracking, enabled) = (named("shuffleTracking.enabled"), named("enabled"));
        let error = read(&[(&tracking, "false")]).expect_err("it cannot be had");
        assert!(error.contains("no external shuffle service"), "{error}");
        assert!(read(&[(&tracking, "false"), (&enabled, "false")]).is_ok());
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let (min, enabled) = (named("minExecutors"), named("enabled"));
        let idle = named("executorIdleTimeout");
        assert_eq!(read(&[(&min, "1"), (&idle, "2s")]), Ok(vec![]));
        let off = read(&[(&min, "1"), (&enabled, "false"), (&idle, "2s")]).expect("sound");
        assert_eq!(off.len(), 2, "{off:?}");
        let fine = ("spark.mesos.coarse", "false");
        let fine = read(&[fine, (&min, "1"), (&enabled, "true"), (&idle, "2s")]).expect("sound");
        assert_eq!(fine.len(), 2, "{fine:?}");
        assert!(
            fine.iter().all(|it| !it.contains("executorIdleTimeout")),
            "{fine:?}"
        );
        let local = [
            ("spark.master", "local-cluster[2,1,512]"),
            ("spark.executor.instances", "2"),
        ];
        assert_eq!(read(&local).expect("sound").len(), 1);
    }
}
