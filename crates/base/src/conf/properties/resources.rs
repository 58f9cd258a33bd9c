//! Properties of resources with names: GPUs, and whatever else agents have.

use std::collections::BTreeMap;

use super::application::MASTER;
use super::mesos::COARSE;
use crate::amount::Amount;
use crate::conf::Conf;
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{
    Family, Property, boolean, decimal, integer, integer_between, properties,
};

/// What Spark calls Mesos's `gpus`.
pub const GPU: &str = "gpu";

/// What has properties of its own, and Mesos's name of GPUs.
const OTHERWISE: [(&str, &str); 5] = [
    (
        "cpus",
        "spark.executor.cores and spark.task.cpus ask for cores",
    ),
    ("mem", "spark.executor.memory asks for memory"),
    ("disk", "no disk is asked for"),
    ("ports", "the system chooses the ports"),
    ("gpus", "Mesos's `gpus` are called `gpu` here, as in Spark"),
];

/// No executor holds more of a resource: each has a name of its own.
const MOST: u64 = 1 << 16;

properties! {
    title: "Resources with names";

    /// How many of a resource of the agents each executor holds in coarse mode: a set such as
    /// `fpga:{a,b,c}`, a range, or a number such as `gpus:4`. `gpu` is what Mesos calls `gpus`.
    /// Executors are started only where there are as many.
    pub EXECUTOR_RESOURCE: Family<u32> =
        integer_between("spark.executor.resource.NAME.amount", 0, MOST).family();

    /// How many of a resource each task has for itself while it runs: a whole number, or, up
    /// to 0.5, the part of one that it shares with others (coarse mode). Commands find their
    /// addresses in `MESQUITE_RESOURCE_NAME`, and those of `gpu` in `CUDA_VISIBLE_DEVICES` too.
    pub TASK_RESOURCE: Family<f64> = decimal("spark.task.resource.NAME.amount", 0.0).family();

    /// Where datasets of one stage say that their tasks need different resources, the larger of
    /// each is taken. If false, that is an error.
    pub MERGE_CONFLICTS: Property<bool> =
        boolean("spark.scheduler.resource.profileMergeConflicts").default("false");

    /// The most GPUs to take from the cluster, over all executors and tasks.
    pub GPUS_MAX: Property<Option<u32>> =
        integer("spark.mesos.gpus.max", 0).optional("as many as are asked for");
}

/// By its name, how many of a resource an executor holds in coarse mode; none of those
/// of which it holds none.
pub fn of_executor(conf: &Conf) -> BTreeMap<String, u32> {
    let all = conf.family(&EXECUTOR_RESOURCE).into_iter();
    all.filter(|(_, amount)| *amount > 0).collect()
}

/// By its name, how much of a resource a task needs. What is no amount is left out:
/// settings that were checked have none.
pub fn of_task(conf: &Conf) -> BTreeMap<String, Amount> {
    let all = conf.family(&TASK_RESOURCE).into_iter();
    all.filter_map(|(name, amount)| Some((name, Amount::of(amount).ok()??)))
        .collect()
}

/// Amounts that are none, or that nobody could ever meet.
pub(super) fn bad_amounts(conf: &Conf) -> Vec<String> {
    let (executor, task) = (of_executor(conf), of_task(conf));
    let mut problems = Vec::new();
    for (name, amount) in conf.family(&TASK_RESOURCE) {
        if let Err(why) = Amount::of(amount) {
            problems.push(format!(
                "spark.task.resource.{name}.amount is {amount}, and {why}"
            ));
        }
    }
    let by_executor = executor.keys().map(|it| (it, by_executor(it)));
    for (name, property) in by_executor.chain(task.keys().map(|it| (it, by_task(it)))) {
        problems.extend(bad_name(name).map(|why| format!("{property}: {why}")));
        if !is_on_mesos(conf) {
            problems.push(format!(
                "{property} asks for what only agents of Mesos say they have: the master {} has \
                 cores and memory",
                conf.get(&MASTER)
            ));
        }
    }
    if is_on_mesos(conf) {
        let tasks = task.iter();
        let of_tasks = tasks.filter_map(|(name, amount)| no_room(conf, &executor, name, *amount));
        problems.extend(of_tasks);
        problems.extend(too_few_gpus(conf, &executor, &task));
    }
    problems
}

fn by_executor(name: &str) -> String {
    format!("spark.executor.resource.{name}.amount")
}

fn by_task(name: &str) -> String {
    format!("spark.task.resource.{name}.amount")
}

fn is_on_mesos(conf: &Conf) -> bool {
    conf.get(&MASTER).mesos().is_some()
}

/// A task that no executor could ever run.
fn no_room(
    conf: &Conf,
    executor: &BTreeMap<String, u32>,
    name: &str,
    amount: Amount,
) -> Option<String> {
    let (by_executor, by_task) = (by_executor(name), by_task(name));
    if !conf.get(&COARSE) {
        return matches!(amount, Amount::Shared(_)).then(|| {
            format!(
                "{by_task} is less than one, and in fine mode each task takes its own of Mesos, \
                 which gives whole ones: set it to 1, or spark.mesos.coarse to true"
            )
        });
    }
    match executor.get(name) {
        None => Some(format!(
            "{by_task} asks for {amount} {name}, and executors hold none: set {by_executor}"
        )),
        Some(has) => (*has < amount.addresses()).then(|| {
            format!(
                "an executor of {has} {name} ({by_executor}) has no room for a task of {amount} \
                 ({by_task})"
            )
        }),
    }
}

/// A limit of GPUs that nothing can be done within, or that limits nothing.
fn too_few_gpus(
    conf: &Conf,
    executor: &BTreeMap<String, u32>,
    task: &BTreeMap<String, Amount>,
) -> Option<String> {
    let most = conf.get(&GPUS_MAX)?;
    let (needs, what, by) = if conf.get(&COARSE) {
        let needs = executor.get(GPU).copied().unwrap_or(0);
        (needs, "executor", "spark.executor.resource.gpu.amount")
    } else {
        let needs = task.get(GPU).map_or(0, |it| it.addresses());
        (needs, "task", "spark.task.resource.gpu.amount")
    };
    if needs > most {
        return Some(format!(
            "an application of {most} GPUs at most (spark.mesos.gpus.max) can have no {what} of \
             {needs} ({by})"
        ));
    }
    // In fine mode the tasks of a dataset may need some.
    (needs == 0 && most > 0 && conf.get(&COARSE)).then(|| {
        format!(
            "spark.mesos.gpus.max limits GPUs of which no {what} asks for any: set {by} too, \
             which is a requirement and no mere limit"
        )
    })
}

/// What is wrong with the name of a resource.
pub fn bad_name(name: &str) -> Option<&'static str> {
    if let Some((_, why)) = OTHERWISE.iter().find(|(other, _)| *other == name) {
        return Some(why);
    }
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_-.".contains(it);
    (name.is_empty() || name.len() > 100 || !name.chars().all(is_part)).then_some(
        "the name of a resource has letters, digits, `_`, `-` and `.`, and 100 of them at most",
    )
}

/// In fine mode executors hold nothing for tasks.
pub(super) fn of_executors_in_fine_mode(conf: &Conf) -> Vec<Warning> {
    if conf.get(&COARSE) || !is_on_mesos(conf) {
        return Vec::new();
    }
    let names = of_executor(conf).into_keys().map(|it| by_executor(&it));
    names
        .filter_map(|name| {
            let origin = conf.source(&name)?.clone();
            Some(Warning {
                name,
                origin,
                remark: Remark::NoEffect("in fine mode each task takes its own of Mesos"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layer;

    fn build(settings: &[(&str, &str)]) -> Result<Conf, String> {
        let mesos = [("spark.master", "mesos://m:5050")];
        mesos
            .iter()
            .chain(settings)
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            })
            .build()
            .map_err(|error| error.to_string())
    }

    const FINE: (&str, &str) = ("spark.mesos.coarse", "false");
    const TASK: &str = "spark.task.resource.fpga.amount";
    const EXECUTOR: &str = "spark.executor.resource.fpga.amount";
    const GPU_TASK: &str = "spark.task.resource.gpu.amount";
    const GPU_EXECUTOR: &str = "spark.executor.resource.gpu.amount";
    const MAX: &str = "spark.mesos.gpus.max";

    #[test]
    fn what_is_asked_for_is_found_by_its_name() {
        let conf = build(&[(TASK, "0.25"), (EXECUTOR, "2"), (GPU_TASK, "0")]).expect("good");
        assert_eq!(
            of_task(&conf),
            [("fpga".to_owned(), Amount::Shared(4))].into()
        );
        assert_eq!(of_executor(&conf), [("fpga".to_owned(), 2)].into());
        assert!(conf.warnings().is_empty());
    }

    #[test]
    fn what_could_never_be_met_is_refused_with_what_to_do() {
        for (settings, told) in [
            (
                &[(TASK, "0.75"), (EXECUTOR, "1")][..],
                "must be a whole number",
            ),
            (&[(TASK, "1")], "set spark.executor.resource.fpga.amount"),
            (&[(TASK, "3"), (EXECUTOR, "2")], "no room for a task of 3"),
            (&[FINE, (TASK, "0.5")], "set it to 1, or spark.mesos.coarse"),
            (
                &[("spark.master", "local"), (EXECUTOR, "1")],
                "the master local",
            ),
            (
                &[("spark.executor.resource.cpus.amount", "1")],
                "spark.executor.cores",
            ),
            (
                &[("spark.executor.resource.gpus.amount", "1")],
                "called `gpu`",
            ),
            (&[("spark.executor.resource.a b.amount", "1")], "letters"),
            (
                &[(MAX, "1"), (GPU_EXECUTOR, "2")],
                "can have no executor of 2",
            ),
            (
                &[FINE, (MAX, "1"), (GPU_TASK, "2")],
                "can have no task of 2",
            ),
            (&[(MAX, "1")], "set spark.executor.resource.gpu.amount too"),
        ] {
            let error = build(settings).expect_err(told);
            assert!(error.contains(told), "{settings:?}: {error}");
            assert_eq!(error.lines().count(), 1, "once: {error}");
        }
        for settings in [
            &[(TASK, "1"), (EXECUTOR, "1")][..],
            &[(EXECUTOR, "1")],
            &[FINE, (TASK, "2")],
            &[(MAX, "0")],
            &[(MAX, "4"), (GPU_EXECUTOR, "2"), (GPU_TASK, "0.5")],
        ] {
            assert!(build(settings).is_ok(), "{settings:?}");
        }
    }

    #[test]
    fn what_executors_were_to_hold_in_fine_mode_is_warned_of() {
        let conf = build(&[FINE, (TASK, "1"), (EXECUTOR, "1")]).expect("good");
        let told: Vec<_> = conf.warnings().iter().map(|it| &*it.name).collect();
        assert_eq!(told, [EXECUTOR]);
    }
}
