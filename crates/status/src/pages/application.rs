//! The overview of an application: what became of it, its jobs, its stages.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::jobs::{Job, JobStatus};
use mesquite_core::store::measures::Measure;
use mesquite_core::store::stages::Stage;

use super::figures::{bytes, count, duration, many};
use super::{Links, drawing, status, wide};
use crate::logs::folder::{Note, Shown, Standing};
use crate::time;

/// The most jobs or stages of a page; the API has all.
const MOST: usize = 500;

pub(super) fn overview(shown: Shown<'_>, links: Links<'_>) -> Markup {
    let Shown {
        store,
        listed,
        notes,
    } = shown;
    let application = &store.application;
    html! {
        h1 { (application.name) }
        p { (sentence(shown)) }
        @if let Some(wrong) = &listed.wrong {
            p.doubt { "The log " code { (listed.log()) } " is not whole: " (wrong) "." }
        }
        p.faint {
            (application.id)
            @if let Some(attempt) = &application.attempt { ", attempt " (attempt) }
            " of " (application.user) ", by " (application.version)
            @if let Some(began) = application.began { ", began " (time::people(began)) " UTC" }
            @if let Some(master) = store.setting("spark.master") { ", on " (master) }
        }
        @if !store.attempts.is_empty() {
            h2 { "Tasks that ran at once" }
            (drawing::busy(store))
        }
        (told(notes))
        (jobs(store))
        (stages(store, links))
    }
}

/// What people were told last.
fn told(notes: &[Note]) -> Markup {
    html! {
        @if !notes.is_empty() {
            h2 { "Told last" }
            ul {
                @for it in notes {
                    li.bad[it.is_wrong] {
                        span.faint { (time::people(it.at)) " UTC " }
                        (it.text)
                    }
                }
            }
        }
    }
}

/// The state of the application.
fn sentence(Shown { store, listed, .. }: Shown<'_>) -> String {
    let began = store.application.began.unwrap_or(0);
    let took = duration(store.latest().saturating_sub(began));
    let done = extent(store);
    match listed.standing {
        Standing::Succeeded => format!("It succeeded after {took}: {done}."),
        Standing::Failed => {
            let mut failed = store.jobs().filter(|it| it.status != JobStatus::Succeeded);
            let why = failed.next().map(|job| {
                let why = job.why.as_deref().unwrap_or("it was not told how it ended");
                format!(" Job {} failed: {why}", job.id)
            });
            format!("It failed after {took}: {done}.{}", why.unwrap_or_default())
        }
        Standing::Running => {
            let running = many(store.running() as u64, "task");
            format!("It runs for {took} so far: {done}; {running} running now.")
        }
        Standing::CutOff => format!(
            "Its log ends without an end: its driver was killed, or could not write any more. Up to \
             {} UTC: {done}.",
            time::people(store.latest())
        ),
    }
}

/// How much there was.
fn extent(store: &Store) -> String {
    let (mut tasks, mut failed) = (0, 0);
    for stage in store.stages() {
        tasks += u64::from(stage.completed_indices());
        failed += u64::from(stage.failed);
    }
    let stages = store.stages().filter(|it| !it.rows().is_empty()).count();
    let mut text = format!(
        "{}, {}, {} done on {}",
        many(store.jobs().count() as u64, "job"),
        many(stages as u64, "stage"),
        many(tasks, "task"),
        many(store.executors.all().count() as u64, "executor"),
    );
    if failed > 0 {
        text += &format!("; {} failed", many(failed, "attempt"));
    }
    text
}

fn jobs(store: &Store) -> Markup {
    let all = store.jobs().count();
    html! {
        h2 { "Jobs" }
        @if all > MOST { p.faint { "The last " (MOST) " of " (count(all as u64)) "." } }
        (wide("jobs", &html! {
            table {
                thead {
                    tr {
                        th.n { "Job" } th { "What" } th { "State" } th.n { "Took" } th.n { "Tasks" }
                        th.n { "Failed" } th { "Stages" }
                    }
                }
                tbody { @for it in store.jobs().rev().take(MOST) { (job(store, it)) } }
            }
        }))
    }
}

fn job(store: &Store, job: &Job) -> Markup {
    let what = job.description.as_deref().unwrap_or(&job.name);
    html! {
        tr {
            td.n { (job.id) }
            td.text {
                (what)
                @if let Some(why) = &job.why { pre.bad { (why) } }
            }
            td { (status(job.status.name())) }
            td.n { (duration(job.took(store.latest()))) }
            td.n { (count(job.completed_indices().into())) " of " (count(job.tasks.saturating_sub(job.skipped_tasks).into())) }
            td.n { (count(job.failed_tasks.into())) }
            td {
                (job.completed_stages.len()) " done"
                @if !job.skipped_stages.is_empty() { ", " (job.skipped_stages.len()) " not needed" }
                @if job.failed_stages > 0 { ", " span.bad { (job.failed_stages) " failed" } }
            }
        }
    }
}

fn stages(store: &Store, links: Links<'_>) -> Markup {
    let all = store.stages().count();
    html! {
        h2 { "Stages" }
        @if all > MOST { p.faint { "The last " (MOST) " of " (count(all as u64)) "." } }
        (wide("stages", &html! {
            table {
                thead {
                    tr {
                        th.n { "Stage" } th { "What" } th { "State" } th.n { "Took" } th.n { "Tasks" }
                        th.n { "Failed" } th.n { "Input" } th.n { "Shuffle read" }
                        th.n { "Shuffle written" } th.n { "Spilled" } th.n { "Output" }
                    }
                }
                tbody { @for it in store.stages().rev().take(MOST) { (stage(store, it, links)) } }
            }
        }))
    }
}

fn stage(store: &Store, stage: &Stage, links: Links<'_>) -> Markup {
    let info = &stage.info;
    let size = |measure| {
        let sum = stage.sums.get(measure);
        if sum == 0 { String::new() } else { bytes(sum) }
    };
    let read = stage.sums.shuffle_bytes_read();
    html! {
        tr {
            td.n {
                (info.stage)
                @if info.attempt > 0 { "." (info.attempt) }
            }
            td.text {
                @if stage.rows().is_empty() { (info.name) }
                @else { a href=(links.stage(stage)) { (info.name) } }
                @if let Some(why) = &info.failure { pre.bad { (why) } }
            }
            td { (status(stage.status.name())) }
            td.n { @if info.submitted.is_some() { (duration(stage.took(store.latest()))) } }
            td.n { (count(stage.completed_indices().into())) " of " (count(info.tasks.into())) }
            td.n { (count(stage.failed.into())) }
            td.n { (size(Measure::InputBytes)) }
            td.n { @if read > 0 { (bytes(read)) } }
            td.n { (size(Measure::ShuffleBytesWritten)) }
            td.n { (size(Measure::DiskSpilled)) }
            td.n { (size(Measure::OutputBytes)) }
        }
    }
}
