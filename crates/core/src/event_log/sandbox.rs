//! Where people read what an executor of Mesos has written, and see its folder. Pure.
//!
//! Responsible for the links of `Log Urls`, from which Spark's tools and our pages have
//! theirs. The names of files and of pages are Mesos's: the agent serves the sandbox of an
//! executor under a path made of ids alone (`/files/download`, since Mesos 1.1), and the
//! master's page finds the folder by the same ids.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::AboutRun;
use crate::facts::AgentPlace;
use crate::ids::ExecutorId;
use crate::store::log_events::Texts;

/// What an id may have in a URL as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The sandboxes of a run.
#[derive(Default)]
pub(super) struct Sandboxes {
    framework: String,
    master: Option<String>,
}

impl Sandboxes {
    pub(super) fn of(about: &AboutRun) -> Self {
        Self {
            framework: encoded(&about.app_id),
            master: about.master.clone(),
        }
    }

    /// What an executor has, each with its URL: `stdout` and `stderr` of its agent, and
    /// `sandbox`, the master's page of all its files.
    pub(super) fn urls(&self, agent: &AgentPlace, executor: &ExecutorId) -> Texts {
        let framework = &self.framework;
        let executor = encoded(executor.as_str());
        let mut urls = Texts::new();
        if let Some(url) = &agent.url {
            for file in ["stderr", "stdout"] {
                let path =
                    format!("/frameworks/{framework}/executors/{executor}/runs/latest/{file}");
                urls.insert(file.to_owned(), format!("{url}/files/download?path={path}"));
            }
        }
        if let Some(master) = &self.master {
            let agent = encoded(agent.id.as_str());
            let page = format!(
                "{master}/#/agents/{agent}/frameworks/{framework}/executors/{executor}/browse"
            );
            urls.insert("sandbox".to_owned(), page);
        }
        urls
    }
}

fn encoded(id: &str) -> String {
    utf8_percent_encode(id, PLAIN).to_string()
}
