//! Spark's API, `/api/v1`, out of a store.
//!
//! Responsible for giving what Spark's history server of version 3.5 gives for the same
//! log, field by field; `tests/history` of the repository holds it against that, and has
//! the list of what differs and why. What a log of ours never has (push-based shuffles,
//! peaks of a Java machine) is there as the zeros that Spark gives.

mod application;
mod distributions;
mod executors;
mod jobs;
mod stages;
mod tasks;

use std::io::{self, Write};

use mesquite_core::store::Store;
use serde::Serialize;
use serde_json::{Value, json};

pub use application::{all, one};

use crate::logs::folder::Shown;
use crate::route::Of;

/// The version of Spark whose API this is.
const SPARK: &str = "3.5";

/// Why something is not answered.
#[derive(Debug, PartialEq, Eq)]
pub struct NotThere(pub String);

type OrNotThere<T> = Result<T, NotThere>;

/// An answer that is ready to be written.
pub type Writing<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// Which version answers.
pub fn version() -> Value {
    json!({ "spark": SPARK, "mesquite": env!("CARGO_PKG_VERSION") })
}

fn ready<'a>(value: impl Serialize + 'a) -> Writing<'a> {
    Box::new(move |out| serde_json::to_writer(out, &value).map_err(io::Error::from))
}

/// What is asked of an attempt at an application. Logs are no JSON, and are answered
/// elsewhere.
///
/// # Errors
/// There is no such thing.
pub fn of<'a>(shown: Shown<'a>, of: &'a Of) -> OrNotThere<Writing<'a>> {
    let Shown { store, listed, .. } = shown;
    Ok(match of {
        Of::Attempt => ready(application::attempt(listed)),
        Of::Jobs(states) => ready(jobs::all(store, states)),
        Of::Job(id) => ready(jobs::one(store, *id)?),
        Of::Stages(states, detail) => ready(stages::all(store, states, detail)),
        Of::StageAttempts(id, detail) => ready(stages::attempts(store, *id, detail)?),
        Of::Stage(id, attempt, detail) => {
            let stage = stages::find(store, *id, *attempt)?;
            ready(stages::StageData::of(store, stage, detail))
        }
        Of::TaskSummary(id, attempt, parts) => {
            let stage = stages::find(store, *id, *attempt)?;
            let none = || {
                NotThere(format!(
                    "No tasks reported metrics for {id} / {attempt} yet."
                ))
            };
            ready(distributions::of_tasks(store, stage, parts).ok_or_else(none)?)
        }
        Of::TaskList(id, attempt, wanted) => {
            let stage = stages::find(store, *id, *attempt)?;
            let (rows, _) = store.page(stage, wanted);
            ready(tasks::TaskList { store, rows })
        }
        Of::Executors => ready(executors::all(store, true)),
        Of::AllExecutors => ready(executors::all(store, false)),
        Of::Processes | Of::Storage | Of::Sql => ready(json!([])),
        Of::Environment => ready(environment(store)),
        Of::Logs => return Err(NotThere("the log is no JSON".to_owned())),
    })
}

/// The log may lack it, if it is damaged.
fn environment(store: &Store) -> Value {
    let environment = store.environment.clone().unwrap_or_default();
    let runtime: serde_json::Map<_, _> = [
        ("javaVersion", "Java Version"),
        ("javaHome", "Java Home"),
        ("scalaVersion", "Scala Version"),
    ]
    .into_iter()
    .filter_map(|(name, key)| {
        let value = environment.jvm.get(key)?;
        Some((name.to_owned(), json!(value)))
    })
    .collect();
    json!({
        "runtime": runtime,
        "sparkProperties": pairs(&environment.settings),
        "hadoopProperties": pairs(&environment.hadoop),
        "systemProperties": pairs(&environment.system),
        "metricsProperties": pairs(&environment.metrics),
        "classpathEntries": pairs(&environment.classpath),
        "resourceProfiles": [],
    })
}

fn pairs(texts: &mesquite_core::store::log_events::Texts) -> Value {
    texts
        .iter()
        .map(|(name, value)| json!([name, value]))
        .collect()
}

/// Adds a field that is there at times.
fn put(object: &mut Value, name: &str, value: Option<impl Serialize>) {
    if let (Some(value), Some(object)) = (value, object.as_object_mut()) {
        object.insert(name.to_owned(), json!(value));
    }
}

/// The peaks that Spark measures of its executors.
const PEAKS: [&str; 21] = [
    "JVMHeapMemory",
    "JVMOffHeapMemory",
    "OnHeapExecutionMemory",
    "OffHeapExecutionMemory",
    "OnHeapStorageMemory",
    "OffHeapStorageMemory",
    "OnHeapUnifiedMemory",
    "OffHeapUnifiedMemory",
    "DirectPoolMemory",
    "MappedPoolMemory",
    "ProcessTreeJVMVMemory",
    "ProcessTreeJVMRSSMemory",
    "ProcessTreePythonVMemory",
    "ProcessTreePythonRSSMemory",
    "ProcessTreeOtherVMemory",
    "ProcessTreeOtherRSSMemory",
    "MinorGCCount",
    "MinorGCTime",
    "MajorGCCount",
    "MajorGCTime",
    "TotalGCTime",
];

/// All of them with this value.
fn peaks(value: &Value) -> Value {
    let all = PEAKS.iter().map(|it| ((*it).to_owned(), value.clone()));
    Value::Object(all.collect())
}
