//! A stage: how its tasks differ, who ran them when, the slowest and the failed ones.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::attempts::{Of, State};
use mesquite_core::store::measures::Measure;
use mesquite_core::store::query::{Order, Sample, Wanted};
use mesquite_core::store::stages::Stage;

use super::figures::{bytes, count, duration, many};
use super::{Links, Served, drawing, status, tasks, wide};

/// So many of the slowest and of the failed tasks are shown.
const FEW: usize = 10;

/// So many executors are listed.
const MOST_EXECUTORS: usize = 100;

/// The parts at which tasks are compared.
const PARTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

pub(super) fn stage(store: &Store, stage: &Stage, links: Links<'_>, served: Served) -> Markup {
    let info = &stage.info;
    let succeeded = store.succeeded(stage);
    html! {
        h1 { "Stage " (info.stage) ": " (info.name) @if info.attempt > 0 { ", attempt " (info.attempt) } }
        p { (sentence(store, stage, &succeeded)) }
        @if let Some(why) = &info.failure { pre.bad { (why) } }
        (parents(store, stage, links))
        (quantiles(&succeeded, stage))
        h2 { "Executors over time" }
        (drawing::lanes(store, stage))
        (extremes(store, stage, links, served))
        (shares(store, stage))
    }
}

fn sentence(store: &Store, stage: &Stage, succeeded: &Sample<'_>) -> Markup {
    let took = duration(stage.took(store.latest()));
    html! {
        "It is " (status(stage.status.name())) ", after " (took) ": "
        (count(stage.completed_indices().into())) " of " (many(stage.info.tasks.into(), "task")) " done in "
        (many(stage.rows().len() as u64, "attempt"))
        @if stage.failed > 0 { ", " span.bad { (count(stage.failed.into())) " failed" } }
        @if stage.killed > 0 { ", " (count(stage.killed.into())) " stopped" }
        @if stage.active > 0 { ", " (count(stage.active.into())) " run" }
        ". " (skew(succeeded))
    }
}

/// How much the slowest task differs from the usual one.
fn skew(succeeded: &Sample<'_>) -> String {
    let run_time = Of::Sum(&[Measure::RunTime]);
    match succeeded.quantiles(&[0.5, 1.0], run_time).as_deref() {
        Some([usual, slowest]) if *usual > 0 && *slowest >= 2 * *usual => {
            let ratio = *slowest as f64 / *usual as f64;
            format!("The slowest task took {ratio:.1} times as long as the usual one.")
        }
        Some([_, _]) => "No task took twice as long as the usual one.".to_owned(),
        _ => String::new(),
    }
}

fn parents(store: &Store, stage: &Stage, links: Links<'_>) -> Markup {
    let parents = &stage.info.parents;
    html! {
        @if !parents.is_empty() {
            p {
                "It reads the output of "
                @for (at, id) in parents.iter().enumerate() {
                    @if at > 0 { ", " }
                    @match store.stage(*id, 0) {
                        Some(parent) if !parent.rows().is_empty() => {
                            a href=(links.stage(parent)) { "stage " (id) ": " (parent.info.name) }
                        },
                        Some(parent) => { "stage " (id) ": " (parent.info.name) },
                        None => { "stage " (id) },
                    }
                }
                "."
            }
        }
        @if !stage.info.datasets.is_empty() {
            p.faint {
                "It computes "
                @for (at, it) in stage.info.datasets.iter().enumerate() {
                    @if at > 0 { ", " }
                    (it.name)
                }
                "."
            }
        }
    }
}

/// How a measure is written.
type Shown = fn(u64) -> String;

fn of_nanos(nanos: u64) -> String {
    duration(nanos / 1_000_000)
}

/// What is compared: a title, a number, and how it is written.
const COMPARED: [(&str, Of<'static>, Shown); 18] = {
    use Measure as M;
    use Of::Sum;
    [
        ("From launch to end", Of::Duration, duration),
        ("Run time", Sum(&[M::RunTime]), duration),
        ("Processor time", Sum(&[M::CpuTime]), of_nanos),
        ("Scheduler delay", Of::SchedulerDelay, duration),
        ("Waiting for map outputs", Sum(&[M::FetchWait]), duration),
        ("Garbage collection", Sum(&[M::GcTime]), duration),
        ("Peak memory", Sum(&[M::PeakMemory]), bytes),
        ("Input", Sum(&[M::InputBytes]), bytes),
        ("Input records", Sum(&[M::InputRecords]), count),
        ("Shuffle read", Sum(&[M::RemoteBytes, M::LocalBytes]), bytes),
        ("of it over the network", Sum(&[M::RemoteBytes]), bytes),
        ("Shuffle records read", Sum(&[M::ShuffleRecordsRead]), count),
        ("Shuffle written", Sum(&[M::ShuffleBytesWritten]), bytes),
        (
            "Shuffle records written",
            Sum(&[M::ShuffleRecordsWritten]),
            count,
        ),
        ("Spilled to disk", Sum(&[M::DiskSpilled]), bytes),
        ("Output", Sum(&[M::OutputBytes]), bytes),
        ("Output records", Sum(&[M::OutputRecords]), count),
        ("Result", Sum(&[M::ResultSize]), bytes),
    ]
};

/// Whether an attempt of the stage may have that. What none has is left out without a look
/// at all of them.
fn may_have(stage: &Stage, of: Of<'_>) -> bool {
    match of {
        Of::Sum(measures) => measures.iter().any(|it| stage.sums.get(*it) > 0),
        Of::Duration | Of::SchedulerDelay | Of::GettingResult => true,
    }
}

/// What a table is about, which is said once only where all stages are in one file.
fn of(what: &str, stage: &Stage) -> String {
    let info = &stage.info;
    format!("{what} of stage {}, attempt {}", info.stage, info.attempt)
}

fn quantiles(succeeded: &Sample<'_>, stage: &Stage) -> Markup {
    let there = COMPARED.into_iter().filter(|it| may_have(stage, it.1));
    let rows = there.filter_map(|(title, of, shown)| {
        let values = succeeded.quantiles(&PARTS, of)?;
        // What no task has is left out.
        (values.last() != Some(&0)).then_some((title, values, shown))
    });
    let rows: Vec<_> = rows.collect();
    html! {
        h2 { "How tasks differ" }
        @if rows.is_empty() {
            p { "No task has succeeded and told what it measured." }
        } @else {
            (wide(&of("quantiles", stage), &html! {
                table {
                    thead {
                        tr {
                            th { "Of tasks that succeeded" } th.n { "Least" } th.n { "A quarter below" }
                            th.n { "Half below" } th.n { "Three quarters below" } th.n { "Most" }
                        }
                    }
                    tbody {
                        @for (title, values, shown) in rows {
                            tr { th scope="row" { (title) } @for it in values { td.n { (shown(it)) } } }
                        }
                    }
                }
            }))
        }
    }
}

fn extremes(store: &Store, stage: &Stage, links: Links<'_>, served: Served) -> Markup {
    let some = |order, states: &[State]| {
        let wanted = Wanted {
            states: states.to_vec(),
            order,
            descending: true,
            offset: 0,
            length: FEW,
        };
        store.page(stage, &wanted)
    };
    let (slowest, _) = some(Order::Measure(Measure::RunTime), &[State::Succeeded]);
    let (failed, failures) = match stage.failed + stage.killed {
        0 => (Vec::new(), 0),
        _ => some(Order::Task, &[State::Failed]),
    };
    html! {
        @if !slowest.is_empty() {
            h2 { "Slowest tasks" }
            (tasks::table(store, &of("slowest tasks", stage), &slowest, served))
        }
        @if !failed.is_empty() {
            h2 { "Failed attempts" }
            @if failures > FEW { p.faint { "The last " (FEW) " of " (count(failures as u64)) "." } }
            (tasks::table(store, &of("failed attempts", stage), &failed, served))
        }
        @if let Links::Pages(_) = links {
            p { a href="tasks/" { "All " (many(stage.rows().len() as u64, "attempt")) } }
        }
    }
}

fn shares(store: &Store, stage: &Stage) -> Markup {
    let mut shares: Vec<_> = stage.shares.iter().collect();
    shares.sort_by_key(|(name, it)| (std::cmp::Reverse(it.task_time), **name));
    let all = shares.len();
    shares.truncate(MOST_EXECUTORS);
    html! {
        @if !shares.is_empty() {
            h2 { "What executors did" }
            @if all > MOST_EXECUTORS { p.faint { "Those " (MOST_EXECUTORS) " that did most, of " (count(all as u64)) "." } }
            (wide(&of("executors", stage), &html! {
                table {
                    thead {
                        tr {
                            th { "Executor" } th.n { "Task time" } th.n { "Done" } th.n { "Failed" } th.n { "Stopped" }
                            th.n { "Input" } th.n { "Shuffle read" } th.n { "Shuffle written" } th.n { "Spilled" }
                        }
                    }
                    tbody {
                        @for (name, it) in shares {
                            tr {
                                td.text { (store.text(*name)) }
                                td.n { (duration(it.task_time)) }
                                td.n { (count(it.succeeded.into())) }
                                td.n { (count(it.failed.into())) }
                                td.n { (count(it.killed.into())) }
                                td.n { (bytes(it.sums.get(Measure::InputBytes))) }
                                td.n { (bytes(it.sums.shuffle_bytes_read())) }
                                td.n { (bytes(it.sums.get(Measure::ShuffleBytesWritten))) }
                                td.n { (bytes(it.sums.get(Measure::DiskSpilled))) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
