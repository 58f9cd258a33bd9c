//! What tasks of datasets need, against what executors have.
//!
//! Responsible for needs that nobody could ever meet with these settings: a run would wait
//! for ever. Whether agents have as much is seen when they offer it.

use std::sync::Arc;

use crate::conf::Conf;
use crate::conf::properties::application::MASTER;
use crate::conf::properties::executor::{CORES_MAX, EXECUTOR_CORES};
use crate::conf::properties::mesos::COARSE;
use crate::conf::properties::resources::{GPU, GPUS_MAX, of_executor, of_task};
use crate::job_file::{JobFile, NeedsSpec, Problem};
use crate::plan::Amount;

/// The mistakes with needs.
pub(super) fn problems(file: &JobFile, conf: &Conf) -> Vec<Problem> {
    let all = file.needs();
    all.flat_map(|(name, needs)| problems_of(name, needs, conf))
        .collect()
}

/// Says that GPUs are limited of which nothing asks for any.
pub(super) fn limit_of_nothing(file: &JobFile, conf: &Conf) -> Option<String> {
    let most = conf.get(&GPUS_MAX).filter(|most| *most > 0)?;
    let is_gpu = |(name, _): &(Arc<str>, Amount)| **name == *GPU;
    let of_dataset = file.needs().any(|(_, it)| it.named.iter().any(is_gpu));
    let of_conf = of_executor(conf).contains_key(GPU) || of_task(conf).contains_key(GPU);
    (!of_dataset && !of_conf).then(|| {
        format!(
            "{}={most} has no effect: nothing asks for GPUs (spark.task.resource.gpu.amount, or \
             `resources` of a dataset)",
            GPUS_MAX.name()
        )
    })
}

fn problems_of(dataset: &str, needs: &NeedsSpec, conf: &Conf) -> Vec<Problem> {
    let problem = |message: String, help: String| {
        let message = format!("tasks of dataset `{dataset}` {message}");
        Problem::new(needs.span.clone(), message).help(help)
    };
    let mut problems = Vec::new();
    if let (Some(cpus), Some((most, who))) = (needs.cpus, most_cores(conf))
        && cpus > most
    {
        let message = format!("need {cpus} cores, and {who} has {most}");
        problems.push(problem(message, "ask for fewer, or have more".to_owned()));
    }
    let on_mesos = conf.get(&MASTER).mesos().is_some();
    let coarse = conf.get(&COARSE);
    let executor = of_executor(conf);
    for (name, amount) in &needs.named {
        let has = executor.get(&**name).copied().unwrap_or(0);
        let gpus = conf.get(&GPUS_MAX).filter(|_| **name == *GPU);
        if !on_mesos {
            let message =
                format!("need {amount} {name}, of which only agents of Mesos say they have any");
            let help = format!("the master {} has cores and memory", conf.get(&MASTER));
            problems.push(problem(message, help));
        } else if coarse && has < amount.addresses() {
            let message = format!("need {amount} {name}, and an executor holds {has}");
            let help = format!("set `spark.executor.resource.{name}.amount` to as many at least");
            problems.push(problem(message, help));
        } else if !coarse && matches!(amount, Amount::Shared(_)) {
            let message = format!("need {amount} {name}, and in fine mode each takes whole ones");
            let help = "ask for 1, or set `spark.mesos.coarse` to true".to_owned();
            problems.push(problem(message, help));
        } else if let Some(most) = gpus.filter(|most| *most < amount.addresses()) {
            let message = format!("need {amount} {name}, and spark.mesos.gpus.max is {most}");
            problems.push(problem(message, "set it higher".to_owned()));
        }
    }
    problems
}

/// The most cores that a task can have, and of whom; if that is known.
fn most_cores(conf: &Conf) -> Option<(u32, &'static str)> {
    let master = conf.get(&MASTER);
    if master.mesos().is_none() {
        return master.cores().map(|(cores, who)| (cores.get(), who));
    }
    let of_one = conf.get(&EXECUTOR_CORES).filter(|_| conf.get(&COARSE));
    let of_one = of_one.map(|it| (it, "an executor (spark.executor.cores)"));
    let of_all = conf.get(&CORES_MAX);
    let of_all = of_all.map(|it| (it, "an application (spark.cores.max)"));
    of_one
        .into_iter()
        .chain(of_all)
        .min_by_key(|(cores, _)| *cores)
}
