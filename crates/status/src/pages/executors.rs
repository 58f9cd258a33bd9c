//! The executors of an application.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::executors::Executor;
use mesquite_core::store::measures::Measure;

use super::figures::{bytes, count, duration};
use super::{links, wide};
use crate::time;

/// The most executors of a page; the API has all.
const MOST: usize = 1000;

pub(super) fn executors(store: &Store) -> Markup {
    let all = store.executors.all().count();
    let there = store
        .executors
        .all()
        .filter(|it| it.removed.is_none())
        .count();
    let has_logs = store.executors.all().any(|it| !it.logs.is_empty());
    html! {
        h1 { "Executors" }
        p { (count(all as u64)) " came, " (count((all - there) as u64)) " of them went before the end." }
        @if all > MOST { p.faint { "The last " (MOST) " are listed." } }
        (wide("executors", &html! {
            table {
                thead {
                    tr {
                        th { "Executor" } th { "Host" } th.n { "Cores" } th { "Came (UTC)" } th { "Went (UTC)" }
                        th.n { "Task time" } th.n { "Done" } th.n { "Failed" } th.n { "Run" } th.n { "Input" }
                        th.n { "Shuffle read" } th.n { "Shuffle written" } th.n { "Spilled" }
                        @if has_logs { th { "Logs" } }
                    }
                }
                tbody { @for it in store.executors.all().rev().take(MOST) { (row(store, it, has_logs)) } }
            }
        }))
    }
}

fn row(store: &Store, executor: &Executor, has_logs: bool) -> Markup {
    let sums = &executor.sums;
    html! {
        tr {
            td.text { (store.text(executor.name)) }
            td.text { (executor.host_port) }
            td.n { @if executor.cores > 0 { (executor.cores) } }
            td { (time::people(executor.added)) }
            td.text {
                @if let Some(at) = executor.removed { (time::people(at)) }
                @if let Some(why) = &executor.why { pre { (why) } }
            }
            td.n { (duration(executor.task_time)) }
            td.n { (count(executor.completed.into())) }
            td.n { (count(executor.failed.into())) }
            td.n { (count(executor.active.into())) }
            td.n { (bytes(sums.get(Measure::InputBytes))) }
            td.n { (bytes(sums.shuffle_bytes_read())) }
            td.n { (bytes(sums.get(Measure::ShuffleBytesWritten))) }
            td.n { (bytes(sums.get(Measure::DiskSpilled))) }
            @if has_logs { td { (links(&executor.logs)) } }
        }
    }
}
