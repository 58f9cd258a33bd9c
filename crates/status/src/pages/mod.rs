//! Pages for people, made of a store. Pure.
//!
//! Responsible for HTML that works without a script, at the width of a telephone, in
//! the dark and by keyboard. What comes from a log is text and stays text: `maud` sees
//! to that. A part of a page is the same on the pages that are served and in the file
//! that stands alone; only where its links lead differs: see `Links`.

mod application;
mod drawing;
mod executors;
pub mod figures;
mod list;
mod settings;
mod stage;
mod tasks;
mod waiting;

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use mesquite_core::store::stages::{Stage, StageStatus};

pub use drawing::running_at_once;
pub use list::list;

use crate::logs::folder::{Shown, Standing};
use crate::route::Page;

/// The look of all pages.
pub const STYLE: &str = include_str!("style.css");

/// What keeps pages of a run that lasts up to date.
pub const SCRIPT: &str = include_str!("live.js");

/// Where links lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links<'a> {
    /// To other pages: what leads from here to the folder of the application.
    Pages(&'a str),
    /// To places in the same file.
    Within,
}

impl Links<'_> {
    fn stage(self, stage: &Stage) -> String {
        let (id, attempt) = (stage.info.stage, stage.info.attempt);
        match self {
            Self::Pages(up) => format!("{up}stages/{id}/{attempt}/"),
            Self::Within => format!("#{}", anchor(stage)),
        }
    }
}

fn anchor(stage: &Stage) -> String {
    format!("stage-{}-{}", stage.info.stage, stage.info.attempt)
}

/// A page of an application; none if what it is about is not there.
pub fn page(shown: Shown<'_>, served: Served, page: &Page) -> Option<String> {
    let Shown { store, .. } = shown;
    let framed = |title: &str, up: &str, content: &Markup| framed(title, served, Some(up), content);
    let name = &store.application.name;
    Some(match page {
        Page::Overview => {
            let links = Links::Pages("");
            framed(name, "", &application::overview(shown, links))
        }
        Page::Stage(id, attempt) => {
            let stage = store.stage(*id, *attempt)?;
            let links = Links::Pages("../../../");
            let content = stage::stage(store, stage, links, served);
            framed(&format!("Stage {id} of {name}"), "../../../", &content)
        }
        Page::Tasks(id, attempt, wanted) => {
            let stage = store.stage(*id, *attempt)?;
            let content = tasks::tasks(store, stage, wanted, served);
            framed(
                &format!("Tasks of stage {id} of {name}"),
                "../../../../",
                &content,
            )
        }
        Page::Executors => {
            let content = executors::executors(store);
            framed(&format!("Executors of {name}"), "../", &content)
        }
        Page::Waiting => {
            let content = waiting::waiting(store);
            framed(&format!("What {name} waits for"), "../", &content)
        }
        Page::Settings => {
            let content = settings::settings(store);
            framed(&format!("Settings of {name}"), "../", &content)
        }
    })
}

/// The most stages that are shown one by one in a file that stands alone.
const MOST_STAGES: usize = 500;

/// All of an application in one file that needs nothing else.
pub fn alone(shown: Shown<'_>) -> String {
    let Shown { store, .. } = shown;
    let has_begun = |it: &&Stage| !matches!(it.status, StageStatus::Skipped | StageStatus::Pending);
    let all = store.stages().filter(has_begun).count();
    let stages = store.stages().filter(has_begun).take(MOST_STAGES);
    let content = html! {
        (application::overview(shown, Links::Within))
        @for it in stages {
            section id=(anchor(it)) { (stage::stage(store, it, Links::Within, Served::ByHistory)) }
        }
        @if all > MOST_STAGES {
            p.faint { "The first " (MOST_STAGES) " of " (all) " stages are shown one by one." }
        }
        section { (executors::executors(store)) }
        @if !store.offers.is_empty() { section { (waiting::waiting(store)) } }
        section { (settings::settings(store)) }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let head = html! {
        meta http-equiv="content-security-policy" content=(policy);
        style { (PreEscaped(STYLE)) }
    };
    document(
        &store.application.name,
        &head,
        &html! { main { (content) } },
    )
}

/// Who serves a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The history, of many applications.
    ByHistory,
    /// The driver of the application, as long as it runs.
    ByDriver,
}

/// A page that is served. `up` leads to the folder of its application, if it has one.
fn framed(title: &str, served: Served, up: Option<&str>, content: &Markup) -> String {
    let head = html! {
        link rel="stylesheet" href="/style.css";
        @if served == Served::ByDriver { script src="/live.js" defer {} }
    };
    let body = html! {
        header {
            strong {
                @match served {
                    Served::ByHistory => a href="/" { "Mesquite history" },
                    Served::ByDriver => "Mesquite",
                }
            }
            @if let Some(up) = up {
                nav aria-label="application" {
                    a href=(or_here(up)) { "Overview" }
                    a href=(format!("{up}executors/")) { "Executors" }
                    a href=(format!("{up}waiting/")) { "Waiting" }
                    a href=(format!("{up}settings/")) { "Settings" }
                }
            }
            @if served == Served::ByDriver {
                button type="button" id="stop" hidden { "Stand still" }
                p.doubt id="told" role="status" {}
            }
        }
        main { (content) }
    };
    document(title, &head, &body)
}

/// A link to the folder itself is not empty.
fn or_here(up: &str) -> &str {
    if up.is_empty() { "./" } else { up }
}

fn document(title: &str, head: &Markup, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                (head)
            }
            body { (body) }
        }
    }
    .into_string()
}

/// What has become of an application, in a word and its colour.
fn standing(standing: Standing) -> Markup {
    let class = match standing {
        Standing::Running => "",
        Standing::Succeeded => "good",
        Standing::Failed => "bad",
        Standing::CutOff => "doubt",
    };
    html! { span class=(class) { (standing.word()) } }
}

/// What has become of a stage or job, by Spark's word.
fn status(word: &str) -> Markup {
    let class = match word {
        "COMPLETE" | "SUCCEEDED" | "SUCCESS" => "good",
        "FAILED" => "bad",
        "KILLED" => "doubt",
        "SKIPPED" | "PENDING" => "faint",
        _ => "",
    };
    html! { span class=(class) { (word.to_lowercase()) } }
}

/// A table that is wider than a small screen can be moved, by keyboard too.
fn wide(label: &str, table: &Markup) -> Markup {
    html! { div.wide tabindex="0" role="region" aria-label=(label) { (table) } }
}

/// Links that an application brings, by their names: to pages of others alone, for a log may
/// say what it wants.
fn links<'a>(links: impl IntoIterator<Item = (&'a String, &'a String)>) -> Markup {
    let is_page = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    html! {
        @for (name, url) in links {
            @if is_page(url) { a href=(url) rel="noreferrer" { (name) } " " }
            @else { span title=(url) { (name) } " " }
        }
    }
}

/// A link with a query.
fn query(pairs: &[(&str, String)]) -> String {
    let mut text = String::from("?");
    for (at, (name, value)) in pairs.iter().enumerate() {
        let between = if at > 0 { "&" } else { "" };
        // Writing to a string cannot fail; all values are plain words and numbers.
        let _ = write!(text, "{between}{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests;
