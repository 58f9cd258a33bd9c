//! `mesquite plan`: what a job file would do.
//!
//! Responsible for putting together what there is to say of a job: datasets,
//! inputs, jobs, stages and tasks. How it looks is the business of
//! `text`; nothing runs.

mod around;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde::Serialize;

use self::around::{AroundPlan, around};
use super::Environment;
use super::args::PlanArgs;
use super::exit_code::Failure;
use super::prepare::{Prepared, prepare};
use crate::ids::DatasetId;
use crate::job_file::JobFile;
use crate::plan::application::{ActionKind, Application};
use crate::plan::outline::{Makes, Outline, StageOutline};
use crate::plan::rounds::{Loop, Until, in_round};
use crate::plan::split::Split;

/// All that is said of a job.
#[derive(Serialize)]
struct Planned {
    name: Option<String>,
    datasets: Vec<DatasetPlan>,
    jobs: Vec<JobPlan>,
    /// What commands find around them.
    around: Vec<AroundPlan>,
}

#[derive(Serialize)]
struct DatasetPlan {
    name: String,
    /// The word for what it does.
    operation: &'static str,
    from: Vec<String>,
    partitions: u32,
    persisted: bool,
    /// What it reads, if that is files.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<InputPlan>,
    /// How often it is computed, in rounds once; 0 if nothing uses it.
    computed: u32,
    /// The dataset in each of whose rounds it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    each_round_of: Option<String>,
    /// Its rounds, if it is made so.
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<RoundsPlan>,
}

#[derive(Serialize)]
struct RoundsPlan {
    /// How many there are, or may be.
    most: usize,
    /// Whether there may be fewer.
    until_empty: bool,
}

#[derive(Serialize)]
struct InputPlan {
    files: usize,
    bytes: u64,
    /// Of how many files the size is not known.
    unknown: usize,
}

#[derive(Serialize)]
struct JobPlan {
    action: &'static str,
    dataset: String,
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    after: Vec<String>,
    stages: Vec<StagePlan>,
}

#[derive(Serialize)]
struct StagePlan {
    /// What it computes, in order.
    datasets: Vec<String>,
    /// `map output`, `sample` or `result`.
    makes: &'static str,
    tasks: u32,
    /// The dataset in each of whose rounds it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    each_round_of: Option<String>,
}

/// Shows what a job would do.
///
/// # Errors
/// It has mistakes, or cannot be shown.
pub fn run(
    args: &PlanArgs,
    environment: &Environment,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let prepared = prepare(&args.job, &args.settings, environment)?;
    if args.check {
        return Ok(());
    }
    let planned = planned(&prepared);
    let shown = if args.json {
        let json = serde_json::to_string(&planned).expect("a plan has only text and numbers");
        format!("{json}\n")
    } else if args.dot {
        text::dot(&planned)
    } else {
        text::text(&planned)
    };
    output.write_all(shown.as_bytes()).map_err(Failure::Output)
}

fn planned(prepared: &Prepared) -> Planned {
    let Prepared {
        application,
        conf,
        file,
    } = prepared;
    let outline = Outline::of(application);
    let datasets = application.plan.datasets();
    let only_in_rounds = file.only_in_rounds();
    let jobs = application.actions.iter().zip(&outline.jobs);
    Planned {
        around: around(application, conf),
        name: file.name().map(str::to_owned),
        datasets: datasets
            .filter_map(|(id, _)| dataset(id, application, file, &outline, &only_in_rounds))
            .collect(),
        jobs: jobs
            .map(|(action, stages)| {
                let (to, limit) = match &action.kind {
                    ActionKind::Save { to, .. } => (Some(to.clone()), None),
                    ActionKind::Collect { limit } => (None, *limit),
                    ActionKind::Count => (None, None),
                };
                let others = action.after.iter().map(|it| &application.actions[*it]);
                JobPlan {
                    action: action.kind.name(),
                    dataset: name(application, action.dataset),
                    name: action.name.as_deref().map(str::to_owned),
                    to,
                    limit,
                    after: others
                        .filter_map(|it| Some(it.name.as_ref()?.to_string()))
                        .collect(),
                    stages: stages.iter().map(|it| stage(application, it)).collect(),
                }
            })
            .collect(),
    }
}

/// As it is written: of what is made in rounds the first one stands for all.
fn name(application: &Application, dataset: DatasetId) -> String {
    let name = application.plan.dataset(dataset).name();
    let written = round_of(application, dataset).and(name.strip_suffix(&in_round("", 1)));
    written.unwrap_or(name).to_owned()
}

/// The loop in whose first round a dataset is made.
fn round_of(application: &Application, dataset: DatasetId) -> Option<&Loop> {
    let mut loops = application.loops.iter();
    loops.find(|it| it.rounds[0].datasets.contains(&dataset))
}

fn dataset(
    id: DatasetId,
    application: &Application,
    file: &JobFile,
    outline: &Outline,
    only_in_rounds: &BTreeSet<&str>,
) -> Option<DatasetPlan> {
    let name = name(application, id);
    let written = file.dataset(&name)?;
    let round_of = round_of(application, id);
    // Made outside of the rounds too, it is told of there.
    if round_of.is_some() && !only_in_rounds.contains(&*name) {
        return None;
    }
    let own = application.loops.iter().find(|it| it.result == id);
    let operation = &application.program.recipe(id).operation;
    Some(DatasetPlan {
        operation: written.word,
        from: written.parents.into_iter().map(str::to_owned).collect(),
        partitions: application.plan.dataset(id).partitions(),
        persisted: application.plan.dataset(id).is_persisted(),
        input: operation.files().map(input),
        computed: outline.times_computed(id),
        each_round_of: round_of.map(|it| it.name.to_string()),
        rounds: own.map(|it| RoundsPlan {
            most: it.rounds.len(),
            until_empty: it.until != Until::AllRounds,
        }),
        name,
    })
}

/// How many files there are, and how large they are on disk.
fn input(splits: &[Split]) -> InputPlan {
    let mut files: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for split in splits {
        // A file that is read twice is as large as it is.
        if !seen.insert((&*split.path, split.start)) {
            continue;
        }
        let size = files.entry(&split.path).or_insert(Some(0));
        *size = match (*size, split.length) {
            (Some(size), Some(length)) => Some(size + length),
            _ => None,
        };
    }
    let sizes = files.iter().map(|(path, size)| match size {
        Some(size) => Some(*size),
        // What is packed is one split, and its size nobody has asked for.
        None => std::fs::metadata(path).ok().map(|it| it.len()),
    });
    let sizes: Vec<Option<u64>> = sizes.collect();
    InputPlan {
        files: sizes.len(),
        bytes: sizes.iter().flatten().sum(),
        unknown: sizes.iter().filter(|it| it.is_none()).count(),
    }
}

fn stage(application: &Application, stage: &StageOutline) -> StagePlan {
    StagePlan {
        datasets: stage
            .datasets
            .iter()
            .rev()
            .map(|it| name(application, *it))
            .collect(),
        makes: match stage.makes {
            Makes::Shuffle(_) => "map output",
            Makes::Sample(_) => "sample",
            Makes::Result => "result",
        },
        tasks: stage.tasks,
        each_round_of: stage
            .in_rounds_of
            .map(|it| application.loops[it].name.to_string()),
    }
}
