//! What an application was set to.

use maud::{Markup, html};
use mesquite_core::store::Store;
use mesquite_core::store::log_events::Texts;

use super::wide;

pub(super) fn settings(store: &Store) -> Markup {
    let environment = store.environment.clone().unwrap_or_default();
    let parts = [
        ("Settings", &environment.settings),
        ("Java machine", &environment.jvm),
        ("Hadoop", &environment.hadoop),
        ("System properties", &environment.system),
        ("Metrics", &environment.metrics),
        ("Class path", &environment.classpath),
    ];
    html! {
        h1 { "Settings" }
        @if parts.iter().all(|(_, texts)| texts.is_empty()) {
            p { "No setting is known of: all have their defaults." }
        }
        @for (title, texts) in parts {
            @if !texts.is_empty() { (part(title, texts)) }
        }
    }
}

fn part(title: &str, texts: &Texts) -> Markup {
    html! {
        h2 { (title) }
        (wide(title, &html! {
            table {
                thead { tr { th { "Name" } th { "Value" } } }
                tbody {
                    @for (name, value) in texts {
                        tr { td.text { code { (name) } } td.text { code { (value) } } }
                    }
                }
            }
        }))
    }
}
