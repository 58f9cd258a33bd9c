//! The tasks of a stage, page by page.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::attempts::State;
use mesquite_core::store::measures::Measure;
use mesquite_core::store::stages::Stage;

use super::figures::{bytes, count, duration};
use super::{Served, links, query, status, wide};
use crate::route::TaskPage;
use crate::time;

/// Orders that are worth a link: a word of the query, and what it is called.
const ORDERS: [(&str, &str, bool); 8] = [
    ("task", "in order", false),
    ("run", "slowest first", true),
    ("processor", "most processor time first", true),
    ("memory", "most memory first", true),
    ("input", "most input first", true),
    (
        "local",
        "most read of map outputs of their host first",
        true,
    ),
    ("remote", "most read over the network first", true),
    ("spilled", "most spilled first", true),
];

pub(super) fn tasks(store: &Store, stage: &Stage, wanted: &TaskPage, served: Served) -> Markup {
    let (rows, all) = store.page(stage, &wanted.wanted());
    let first = wanted.offset;
    let at = |offset: usize| link(wanted, offset);
    html! {
        h1 { "Attempts at tasks of stage " (stage.info.stage) ": " (stage.info.name) }
        p { a href="../" { "Back to the stage" } }
        nav aria-label="order" {
            p {
                "Sorted: "
                @for (number, (word, title, descending)) in ORDERS.into_iter().enumerate() {
                    @if number > 0 { ", " }
                    @if word == wanted.sort { strong { (title) } }
                    @else { a href=(sorted(wanted, word, descending)) { (title) } }
                }
                ". Shown: "
                @for (number, (state, title)) in STATES.into_iter().enumerate() {
                    @if number > 0 { ", " }
                    @if state == wanted.state { strong { (title) } }
                    @else { a href=(shown(wanted, state)) { (title) } }
                }
                "."
            }
        }
        @if rows.is_empty() {
            p { "There are none." }
        } @else {
            p.faint { (count(first as u64 + 1)) " to " (count((first + rows.len()) as u64)) " of " (count(all as u64)) }
            (table(store, "attempts at tasks", &rows, served))
        }
        nav aria-label="pages" {
            p {
                @if first > 0 { a href=(at(first.saturating_sub(wanted.length()))) rel="prev" { "Before" } " " }
                @if first + rows.len() < all { a href=(at(first + wanted.length())) rel="next" { "Next" } }
            }
        }
    }
}

const STATES: [(Option<State>, &str); 5] = [
    (None, "all"),
    (Some(State::Succeeded), "done"),
    (Some(State::Failed), "failed"),
    (Some(State::Killed), "stopped"),
    (Some(State::Running), "running"),
];

fn link(wanted: &TaskPage, offset: usize) -> String {
    let mut pairs = vec![
        ("sort", wanted.sort.to_owned()),
        ("offset", offset.to_string()),
    ];
    if wanted.descending {
        pairs.push(("down", "1".to_owned()));
    }
    if let Some(state) = wanted.state {
        pairs.push(("state", state.name().to_owned()));
    }
    query(&pairs)
}

fn sorted(wanted: &TaskPage, sort: &'static str, descending: bool) -> String {
    let wanted = TaskPage {
        sort,
        descending,
        ..wanted.clone()
    };
    link(&wanted, 0)
}

fn shown(wanted: &TaskPage, state: Option<State>) -> String {
    let wanted = TaskPage {
        state,
        ..wanted.clone()
    };
    link(&wanted, 0)
}

/// These attempts, one a row. What they wrote to stderr only their executors know.
pub(super) fn table(store: &Store, label: &str, rows: &[u32], served: Served) -> Markup {
    let has_logs =
        served == Served::ByDriver || rows.iter().any(|it| sandbox(store, *it).is_some());
    wide(
        label,
        &html! {
            table {
                thead {
                    tr {
                        th.n { "Task" } th.n { "Partition" } th { "State" } th { "Executor" } th { "Host" }
                        th { "Locality" } th { "Launched (UTC)" } th.n { "Took" } th.n { "Ran" }
                        th.n { "Processor" } th.n { "Memory" } th.n { "Input" }
                        th.n { "Shuffle read" } th.n { "Shuffle written" } th.n { "Spilled" } th.n { "Output" }
                        @if has_logs { th { "Logs" } }
                    }
                }
                tbody { @for it in rows { (row(store, *it, served, has_logs)) } }
            }
        },
    )
}

/// The page of the files of an attempt's executor, or what there is of it, of one such
/// link: an attempt has a line, and not a list.
fn sandbox(store: &Store, row: u32) -> Option<(&String, &String)> {
    let executor = store.executors.get(store.attempts.executor(row))?;
    let wanted = ["sandbox", "stderr", "stdout"];
    wanted
        .iter()
        .find_map(|it| executor.logs.get_key_value(*it))
}

fn row(store: &Store, row: u32, served: Served, has_logs: bool) -> Markup {
    let attempts = &store.attempts;
    let size = |number| {
        if number == 0 {
            String::new()
        } else {
            bytes(number)
        }
    };
    let it = |measure| attempts.measure(row, measure);
    let read = it(Measure::RemoteBytes).saturating_add(it(Measure::LocalBytes));
    html! {
        tr {
            td.n { (attempts.task(row)) }
            td.n {
                (attempts.partition(row))
                @if attempts.attempt(row) > 0 { ", again " (attempts.attempt(row)) }
            }
            td {
                (status(attempts.state(row).name()))
                @if attempts.is_speculative(row) { " copy" }
            }
            td.text { (store.text(attempts.executor(row))) }
            td { (store.text(attempts.host(row))) }
            td { (attempts.locality(row)) }
            td { (time::people(attempts.launched(row))) }
            td.n { @if let Some(took) = attempts.duration(row) { (duration(took)) } }
            td.n { @if attempts.is_measured(row) { (duration(it(Measure::RunTime))) } }
            td.n { @if it(Measure::CpuTime) > 0 { (duration(it(Measure::CpuTime) / 1_000_000)) } }
            td.n { (size(it(Measure::PeakMemory))) }
            td.n { (size(it(Measure::InputBytes))) }
            td.n { (size(read)) }
            td.n { (size(it(Measure::ShuffleBytesWritten))) }
            td.n { (size(it(Measure::DiskSpilled))) }
            td.n { (size(it(Measure::OutputBytes))) }
            @if has_logs {
                td {
                    @if served == Served::ByDriver {
                        a href=(format!("/api/mesquite/v1/logs/{}", attempts.task(row))) { "log" } " "
                    }
                    (links(sandbox(store, row)))
                }
            }
        }
        @if let Some(why) = attempts.why(row) {
            tr { td {} td colspan="15" { pre { (why) } } }
        }
    }
}
