//! A plan as people read it, and as Graphviz draws it. Pure.

use std::fmt::Write as _;

use super::around::AroundPlan;
use super::{DatasetPlan, InputPlan, JobPlan, Planned, StagePlan};
use crate::plain::{bytes, counted, plain, times};

/// A plan as people read it.
pub(super) fn text(planned: &Planned) -> String {
    let mut text = String::new();
    let stages = planned.jobs.iter().flat_map(|it| &it.stages);
    let tasks: u64 = stages.clone().map(|it| u64::from(it.tasks)).sum();
    let name = planned.name.as_deref().unwrap_or("the job");
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{name}: {}, {}, {}, {}",
        counted(planned.datasets.len() as u64, "dataset"),
        counted(planned.jobs.len() as u64, "job"),
        counted(stages.count() as u64, "stage"),
        counted(tasks, "task"),
    );
    text.push_str("\ndatasets\n");
    let widest = planned.datasets.iter().map(|it| it.name.chars().count());
    let width = widest.max().unwrap_or(0).min(30);
    for dataset in &planned.datasets {
        let _ = writeln!(text, "  {:width$}  {}", dataset.name, about(dataset));
    }
    for around in &planned.around {
        let _ = write!(text, "\n{}", around_text(around));
    }
    let mut number = 0;
    for job in &planned.jobs {
        let _ = writeln!(text, "\n{}", job_line(job));
        for stage in &job.stages {
            number += 1;
            let _ = writeln!(text, "  stage {number}: {}", stage_line(stage, job));
        }
    }
    let again = planned.datasets.iter().filter(|it| it.computed > 1);
    let again: Vec<_> = again
        .map(|it| format!("  {}: {}\n", it.name, times(it.computed.into())))
        .collect();
    if !again.is_empty() {
        let _ = write!(
            text,
            "\ncomputed more than once (`persist = true` keeps a dataset)\n{}",
            again.concat()
        );
    }
    let unused = planned.datasets.iter().filter(|it| it.computed == 0);
    let unused: Vec<_> = unused.map(|it| format!("  {}\n", it.name)).collect();
    if !unused.is_empty() {
        let _ = write!(text, "\nnever used\n{}", unused.concat());
    }
    text
}

fn around_text(around: &AroundPlan) -> String {
    let commands = match around.datasets.len() {
        1 => "the command",
        _ => "the commands",
    };
    let mut text = format!("{commands} of {} find", around.datasets.join(", "));
    if around.datasets.len() == 1 {
        text.push('s');
    }
    text.push('\n');
    for (name, value) in &around.env {
        let _ = writeln!(text, "  {name}={}", plain(value));
    }
    for file in &around.files {
        let size = file.bytes.map(|it| format!(" ({})", bytes(it)));
        let _ = writeln!(
            text,
            "  {}{}{} from {}",
            plain(&file.name),
            if file.unpacked { "/" } else { "" },
            size.unwrap_or_default(),
            plain(&file.path)
        );
    }
    text
}

fn about(dataset: &DatasetPlan) -> String {
    let mut text = dataset.operation.to_owned();
    if !dataset.from.is_empty() {
        let _ = write!(text, " of {}", dataset.from.join(", "));
    }
    let _ = write!(
        text,
        ": {}",
        counted(dataset.partitions.into(), "partition")
    );
    if let Some(input) = &dataset.input {
        let _ = write!(text, ", {}", sizes(input));
    }
    if dataset.persisted {
        text.push_str(", persisted");
    }
    if let Some(rounds) = &dataset.rounds {
        let most = if rounds.until_empty { "at most " } else { "" };
        let count = counted(rounds.most as u64, "round");
        let _ = write!(text, ", {most}{count}");
    }
    if let Some(looped) = &dataset.each_round_of {
        let _ = write!(text, ", in each round of {looped}");
    }
    text
}

fn sizes(input: &InputPlan) -> String {
    let files = counted(input.files as u64, "file");
    let size = bytes(input.bytes);
    match input.unknown {
        0 => format!("{size} in {files}"),
        unknown => format!("{size} in {files}, of which {unknown} do not tell their size"),
    }
}

fn job_line(job: &JobPlan) -> String {
    let mut line = format!("{} of {}", job.action, job.dataset);
    if let Some(name) = &job.name {
        let _ = write!(line, " ({name})");
    }
    if let Some(to) = &job.to {
        let _ = write!(line, " to {to}");
    }
    if let Some(limit) = job.limit {
        let _ = write!(line, ", {} at most", counted(limit, "record"));
    }
    if !job.after.is_empty() {
        let _ = write!(line, ", after {}", job.after.join(", "));
    }
    line
}

fn stage_line(stage: &StagePlan, job: &JobPlan) -> String {
    // The last stage of a job with a limit begins with one task.
    let until_enough = job.limit.is_some() && stage.makes == "result";
    let most = if until_enough { "up to " } else { "" };
    let makes = match stage.makes {
        "result" => String::new(),
        other => format!(", a {other}"),
    };
    let tasks = counted(stage.tasks.into(), "task");
    let rounds = match &stage.each_round_of {
        Some(looped) => format!(", in each round of {looped}"),
        None => String::new(),
    };
    format!(
        "{}: {most}{tasks}{makes}{rounds}",
        stage.datasets.join(", ")
    )
}

/// A plan as Graphviz draws it.
pub(super) fn dot(planned: &Planned) -> String {
    let mut text = String::from("digraph plan {\n  rankdir = LR\n  node [shape = box]\n");
    for dataset in &planned.datasets {
        let (name, about) = (node(&dataset.name), about(dataset));
        let style = if dataset.persisted {
            ", style = bold"
        } else {
            ""
        };
        let label = quoted(&format!("{}\n{about}", dataset.name));
        let _ = writeln!(text, "  {name} [label = {label}{style}]");
        for from in &dataset.from {
            let _ = writeln!(text, "  {} -> {name}", node(from));
        }
    }
    for (index, job) in planned.jobs.iter().enumerate() {
        let label = quoted(&job_line(job));
        let _ = writeln!(
            text,
            "  \"action {index}\" [label = {label}, shape = ellipse]"
        );
        let _ = writeln!(text, "  {} -> \"action {index}\"", node(&job.dataset));
    }
    text.push_str("}\n");
    text
}

/// The node of a dataset, which may be called like that of an action.
fn node(name: &str) -> String {
    quoted(&format!("dataset {name}"))
}

/// A text in Graphviz's language.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\n"))
}
