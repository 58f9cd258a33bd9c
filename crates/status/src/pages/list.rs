//! The list of applications.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::figures::duration;
use super::{Served, framed, standing, wide};
use crate::logs::folder::{List, Listed, Standing};
use crate::time;

/// The most applications that a page lists; the API has all.
const MOST: usize = 1000;

/// The page of a folder of logs.
pub fn list(folder: &str, list: &List) -> String {
    let count = |it: Standing| {
        let all = list.applications.iter();
        all.filter(|listed| listed.standing == it).count()
    };
    let content = html! {
        h1 { "Applications" }
        p {
            "In " code { (folder) } ": "
            @for (at, it) in Standing::ALL.into_iter().enumerate() {
                @if at > 0 { ", " }
                (count(it)) " " (standing(it))
            }
            "."
            @if !list.unreadable.is_empty() {
                " Of " a href="#unreadable" { (list.unreadable.len()) " files" } " nothing can be shown."
            }
        }
        @if list.waiting > 0 {
            p.doubt { (list.waiting) " logs are still to be read: ask again in a moment." }
        }
        @if list.applications.is_empty() {
            p {
                "There is no event log yet. " code { "mesquite run JOB.toml --conf spark.eventLog.enabled=true --conf spark.eventLog.dir=" (folder) }
                " writes one."
            }
        } @else {
            (wide("applications", &table(list)))
        }
        @if list.applications.len() > MOST {
            p.faint { "The last " (MOST) " of " (list.applications.len()) " are listed; the API has all." }
        }
        @if !list.unreadable.is_empty() {
            h2 id="unreadable" { "Nothing to show of" }
            (wide("files", &html! {
                table {
                    thead { tr { th { "File" } th { "What is wrong" } } }
                    tbody {
                        @for (name, why) in list.unreadable.iter().take(MOST) {
                            tr { td.text { (name) } td.text { (why) } }
                        }
                    }
                }
            }))
        }
    };
    framed("Mesquite history", Served::ByHistory, None, &content)
}

fn table(list: &List) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th { "Application" } th { "Id" } th { "State" } th { "Began (UTC)" }
                    th.n { "Took" } th.n { "Jobs" } th { "User" } th { "Log" }
                }
            }
            tbody {
                @for it in list.applications.iter().take(MOST) { (row(it)) }
            }
        }
    }
}

/// The path of an application's pages.
fn path(listed: &Listed) -> String {
    let coded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    match listed.attempt() {
        Some(attempt) => format!("/history/{}/{}/", coded(listed.id()), coded(attempt)),
        None => format!("/history/{}/", coded(listed.id())),
    }
}

fn row(listed: &Listed) -> Markup {
    let application = &listed.outline.application;
    let began = application.began.unwrap_or(0);
    let until = application.ended.unwrap_or_else(|| listed.outline.latest());
    html! {
        tr {
            td.text { a href=(path(listed)) { (application.name) } }
            td.text {
                (listed.id())
                @if let Some(attempt) = listed.attempt() { ", attempt " (attempt) }
            }
            td { (standing(listed.standing)) }
            td { (time::people(began)) }
            td.n { (duration(until.saturating_sub(began))) }
            td.n { (listed.outline.jobs().count()) }
            td { (application.user) }
            td.text {
                @match &listed.wrong {
                    Some(wrong) => span.doubt { (wrong) },
                    None => "whole",
                }
            }
        }
    }
}
