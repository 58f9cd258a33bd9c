//! What is done with the files that people write, for properties and fuzzers, which
//! throw anything at it. None of it may panic, and some of it must always hold.

use std::collections::BTreeMap;
use std::path::Path;

use mesquite::conf::{Conf, Layer};
use mesquite::job_file::places::{Place, inputs_written, plain, shared_outputs};
use mesquite::job_file::{JobFile, Problem, show};
use mesquite::plan::application::Application;
use mesquite::pools_file;
use mesquite::scheduler::pool::PoolDefinition;
use mesquite::scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};

/// Examples of job files.
pub const JOB_FILES: [&str; 5] = [
    include_str!("../../examples/array.toml"),
    include_str!("../../examples/bigsort.toml"),
    include_str!("../../examples/loganalysis.toml"),
    include_str!("../../examples/wordcount.toml"),
    EVERY_FIELD,
];

/// Examples of pools files.
pub const POOLS_FILES: [&str; 3] = [
    include_str!("../../examples/pools.toml"),
    include_str!("../../examples/pools.xml"),
    "[pool.a]\nmode = \"FAIR\"\nweight = 2\n[pool.a.pool.b]\nmin_share = 3\n",
];

const EVERY_FIELD: &str = r#"
name = "all"
[conf]
spark.task.cpus = 1
"spark.app.name" = "w"
[dataset.a]
text = ["a*", { path = "s3://b/c", hosts = ["h1"] }]
split = "1m"
[dataset.b]
items = [1, "x", 2.5]
[dataset.c]
from = ["a", "b"]
persist = true
[dataset.d]
from = "c"
key_by = { field = 2, separator = "," }
[dataset.e]
from = "d"
reduce_by_key = "sum"
[dataset.f]
from = "e"
join = { with = "d", kind = "left", partitions = 4 }
[dataset.g]
from = "f"
sample = { fraction = 0.5, seed = 1 }
[[action]]
collect = "g"
limit = 3
pool = "p"
[[action]]
save = "f"
to = "out"
compress = "gzip"
overwrite = true
"#;

/// A job file, up to where its inputs would be looked for.
pub fn job_file(text: &str) {
    let file = match JobFile::read(text) {
        Ok(file) => file,
        Err(problems) => return told("job.toml", text, &problems),
    };
    let lines = text.matches('\n').count() + 1;
    let mut conf = Conf::builder();
    for setting in file.conf() {
        assert!((1..=lines).contains(&setting.line));
        let path = "job.toml".into();
        let line = setting.line;
        conf = conf.set(Layer::JobFile { path, line }, &setting.name, &setting.value);
    }
    if let Err(error) = conf.build() {
        assert!(!error.problems().is_empty());
    }
    let place = |written: &str, span: &std::ops::Range<usize>| Place {
        path: plain(Path::new(written)),
        span: span.clone(),
        written: written.to_owned(),
    };
    let outputs: Vec<_> = file.outputs().map(|(to, span)| place(to, span)).collect();
    let entries = file.inputs().flat_map(|(_, input)| &input.entries);
    let inputs: Vec<_> = entries.map(|it| place(&it.path, &it.span)).collect();
    let mut problems = shared_outputs(&outputs);
    problems.extend(inputs_written(&inputs, &outputs));
    for (_, span) in file.pools() {
        assert!(text.get(span.clone()).is_some());
    }
    let splits: BTreeMap<_, _> = file
        .inputs()
        .map(|(name, _)| (name.to_owned(), Vec::new()))
        .collect();
    match file.application(splits, None, 1) {
        Ok(application) => sound(&application),
        Err(problem) => problems.push(problem),
    }
    if !problems.is_empty() {
        told("job.toml", text, &problems);
    }
}

/// An application has for the scheduler what it has for executors.
fn sound(application: &Application) {
    assert!(!application.actions.is_empty());
    for action in &application.actions {
        assert!(application.program.has(action.dataset, None));
        let _ = application.plan.dataset(action.dataset).partitions();
    }
}

/// A pools file, in each of its forms, and the pools that it makes.
pub fn pools_file(text: &str) {
    for name in ["pools.xml", "pools.toml"] {
        match pools_file::read(name, text) {
            Ok(pools) => {
                pools.iter().for_each(sensible);
                let _core = Core::new(
                    Default::default(),
                    DagSchedulerConfig::default(),
                    TaskSchedulerConfig::default(),
                    Some(&pools),
                    1,
                );
            }
            Err(problems) => told(name, text, &problems),
        }
    }
}

fn sensible(pool: &PoolDefinition) {
    assert!(!pool.name.is_empty() && pool.weight > 0);
    pool.pools.iter().for_each(sensible);
}

/// Each mistake is shown, with its place.
fn told(name: &str, text: &str, problems: &[Problem]) {
    let shown = show(name, text, problems);
    assert!(!shown.is_empty());
    assert_eq!(shown.len(), problems.len());
    for one in shown {
        assert!(one.starts_with(&format!("{name}:")));
    }
}
