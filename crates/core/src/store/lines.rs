//! From the lines of an event log into the store: ours, and Spark's as far as fields go.
//! Pure.
//!
//! Responsible for two steps. [`Parser::parse`] makes a [`Batch`] of a piece of a log,
//! with nothing but the piece, so pieces can be parsed on several threads;
//! [`Store::apply`] takes batches in the order of their pieces. A line that cannot be
//! read is counted and passed over: logs are cut off and damaged. Events that the store
//! has no use for are passed over in silence, as Spark does.

mod template;

use std::sync::Arc;

use memchr::memchr;
use serde::Deserialize;

use self::template::Template;
use super::Store;
use super::attempts::{Began, Ended, LOCALITIES, State};
use super::column::Names;
use super::log_events::{
    ApplicationEnd, ApplicationStart, BlockManagerAdded, CLUSTER, ClusterNote, Environment,
    ExecutorAdded, ExecutorRemoved, JobEnd, JobStart, LogStart, Reason, StageEvent, TaskEvent,
    TaskInfo,
};
use super::measures::Measures;
use super::offers::{OFFERS, OffersEvent};

/// What a piece of a log says.
#[derive(Default)]
pub struct Batch {
    items: Vec<Item>,
    /// Names in the items are of these.
    names: Names,
    measures: Vec<Measures>,
    /// How many lines it has.
    pub lines: u64,
    /// How many of them could not be read.
    pub damaged: u64,
    /// The first of those: which line of the piece, and why.
    pub first_damage: Option<(u64, String)>,
}

enum Item {
    Began(Began),
    Ended(Ending),
    Event(Box<Event>),
}

/// The end of an attempt, with all that its beginning said.
struct Ending {
    began: Began,
    getting_result: u64,
    finished: u64,
    state: State,
    counted: State,
    why: Option<Arc<str>>,
    /// A place in the batch.
    measures: Option<u32>,
}

/// What happens seldom.
enum Event {
    LogStart(LogStart),
    ApplicationStart(ApplicationStart),
    Environment(Environment),
    ExecutorAdded(ExecutorAdded),
    ExecutorRemoved(ExecutorRemoved),
    BlockManagerAdded(BlockManagerAdded),
    JobStart(JobStart),
    JobEnd(JobEnd),
    StageSubmitted(StageEvent),
    StageCompleted(StageEvent),
    ApplicationEnd(ApplicationEnd),
    Offers(OffersEvent),
    Cluster(ClusterNote),
}

/// So many shapes of lines are remembered.
const TEMPLATES: usize = 12;

/// Reads lines. Remembers how lines of tasks look, which makes those that look the same
/// cheap; what it gives does not depend on that.
#[derive(Default)]
pub struct Parser {
    templates: Vec<Template>,
}

/// How the line of every event begins.
const BEGINNING: &[u8] = b"{\"Event\":\"";

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "Event")]
    event: String,
}

impl Parser {
    /// Reads a piece of a log: whole lines, the last of which may lack its end.
    pub fn parse(&mut self, piece: &[u8]) -> Batch {
        let mut batch = Batch::default();
        let mut rest = piece;
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..end].trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            batch.lines += 1;
            if line.is_empty() || self.by_template(line, &mut batch) {
                continue;
            }
            if let Err(error) = self.read(line, &mut batch) {
                batch.damaged += 1;
                let at = batch.lines;
                batch.first_damage.get_or_insert((at, error.to_string()));
            }
        }
        batch
    }

    fn by_template(&mut self, line: &[u8], batch: &mut Batch) -> bool {
        let found = self.templates.iter().position(|it| it.read(line, batch));
        if let Some(place) = found {
            // Beginnings and ends alternate: two places are near enough.
            if place > 1 {
                self.templates.swap(place, place / 2);
            }
        }
        found.is_some()
    }

    fn read(&mut self, line: &[u8], batch: &mut Batch) -> serde_json::Result<()> {
        let named = line.strip_prefix(BEGINNING);
        let name = named.and_then(|it| Some(&it[..memchr(b'"', it)?]));
        let name = name.and_then(|it| std::str::from_utf8(it).ok());
        let read: Named;
        let name = match name {
            Some(name) => name,
            None => {
                read = serde_json::from_slice(line)?;
                &read.event
            }
        };
        let event = match name.strip_prefix("SparkListener").unwrap_or(name) {
            OFFERS => Event::Offers(serde_json::from_slice(line)?),
            CLUSTER => Event::Cluster(serde_json::from_slice(line)?),
            "TaskStart" => {
                let event: TaskEvent<'_> = serde_json::from_slice(line)?;
                batch.began(&event);
                self.learn(line, &event, false);
                return Ok(());
            }
            "TaskEnd" => {
                let event: TaskEvent<'_> = serde_json::from_slice(line)?;
                batch.ended(&event);
                self.learn(line, &event, true);
                return Ok(());
            }
            "LogStart" => Event::LogStart(serde_json::from_slice(line)?),
            "ApplicationStart" => Event::ApplicationStart(serde_json::from_slice(line)?),
            "EnvironmentUpdate" => Event::Environment(serde_json::from_slice(line)?),
            "ExecutorAdded" => Event::ExecutorAdded(serde_json::from_slice(line)?),
            "ExecutorRemoved" => Event::ExecutorRemoved(serde_json::from_slice(line)?),
            "BlockManagerAdded" => Event::BlockManagerAdded(serde_json::from_slice(line)?),
            "JobStart" => Event::JobStart(serde_json::from_slice(line)?),
            "JobEnd" => Event::JobEnd(serde_json::from_slice(line)?),
            "StageSubmitted" => Event::StageSubmitted(serde_json::from_slice(line)?),
            "StageCompleted" => Event::StageCompleted(serde_json::from_slice(line)?),
            "ApplicationEnd" => Event::ApplicationEnd(serde_json::from_slice(line)?),
            _ => {
                // Whether it is an event at all is to be known.
                let _: Named = serde_json::from_slice(line)?;
                return Ok(());
            }
        };
        batch.items.push(Item::Event(Box::new(event)));
        Ok(())
    }

    fn learn(&mut self, line: &[u8], event: &TaskEvent<'_>, is_end: bool) {
        let reason = event.reason.as_ref().map(|it| &*it.reason);
        if is_end != (reason == Some("Success")) {
            return;
        }
        if self.templates.len() == TEMPLATES {
            self.templates.pop();
        }
        self.templates.extend(Template::of(line, event, is_end));
    }
}

/// The place of a locality in [`LOCALITIES`].
fn locality(name: &str) -> u8 {
    let place = LOCALITIES.iter().position(|it| *it == name);
    place.unwrap_or(LOCALITIES.len() - 1) as u8
}

/// The state of an attempt that has ended, by the marks that Spark's pages go by.
fn state(info: &TaskInfo<'_>) -> State {
    match info {
        it if it.failed => State::Failed,
        it if it.killed => State::Killed,
        _ => State::Succeeded,
    }
}

/// As what it counts, by the reason that Spark's listener goes by.
fn counted(reason: Option<&Reason<'_>>, state: State) -> State {
    match reason {
        Some(reason) if reason.reason == "Success" => State::Succeeded,
        Some(reason) if reason.is_kill() => State::Killed,
        Some(_) => State::Failed,
        None => state,
    }
}

impl Batch {
    fn beginning(&mut self, event: &TaskEvent<'_>) -> Began {
        let info = &event.info;
        let partition = info.partition.and_then(|it| u32::try_from(it).ok());
        Began {
            task: info.task,
            stage: event.stage,
            stage_attempt: event.stage_attempt,
            index: info.index,
            attempt: info.attempt,
            partition: partition.unwrap_or(info.index),
            launched: info.launched,
            executor: self.names.of(&info.executor),
            host: self.names.of(&info.host),
            locality: locality(&info.locality),
            speculative: info.speculative,
        }
    }

    fn began(&mut self, event: &TaskEvent<'_>) {
        let began = self.beginning(event);
        self.items.push(Item::Began(began));
    }

    fn ended(&mut self, event: &TaskEvent<'_>) {
        let began = self.beginning(event);
        let measures = event.metrics.as_ref().map(|it| self.measured(it.0));
        let state = state(&event.info);
        self.items.push(Item::Ended(Ending {
            began,
            getting_result: event.info.getting_result,
            finished: event.info.finished,
            state,
            counted: counted(event.reason.as_ref(), state),
            why: event.reason.as_ref().and_then(Reason::text),
            measures,
        }));
    }

    fn measured(&mut self, measures: Measures) -> u32 {
        self.measures.push(measures);
        // A piece of a log is far smaller.
        (self.measures.len() - 1) as u32
    }
}

impl Store {
    /// Takes in what the next piece of a log says.
    pub fn apply(&mut self, batch: Batch) {
        let Batch {
            items,
            names,
            measures,
            ..
        } = batch;
        // Names of the batch become names of the store as they are come upon, so that
        // their order does not depend on how the log was cut into pieces.
        let mut ours = vec![None; names.texts().len()];
        let mut renamed = |store: &mut Self, mut began: Began| {
            for name in [&mut began.executor, &mut began.host] {
                let text = names.text(*name);
                if let Some(known) = ours.get_mut(name.0 as usize) {
                    *name = *known.get_or_insert_with(|| store.names.of(text));
                }
            }
            began
        };
        for item in items {
            match item {
                Item::Began(began) => {
                    let began = renamed(self, began);
                    self.task_started(&began);
                }
                Item::Ended(ending) => {
                    let began = renamed(self, ending.began);
                    // The line of its beginning may be damaged.
                    if !self.known.contains(began.task) {
                        self.task_started(&began);
                    }
                    let place = ending.measures.map(|it| it as usize);
                    let ended = Ended {
                        getting_result: ending.getting_result,
                        finished: ending.finished,
                        state: ending.state,
                        counted: ending.counted,
                        why: ending.why,
                        measures: place.and_then(|it| measures.get(it)).copied(),
                    };
                    self.task_ended(began.task, &ended);
                }
                Item::Event(event) => self.event(*event),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::LogStart(start) => self.application.version = start.version,
            Event::ApplicationStart(start) => self.application_started(start),
            Event::Environment(environment) => self.environment = Some(environment),
            Event::ExecutorAdded(added) => self.executor_added(added),
            Event::ExecutorRemoved(removed) => self.executor_removed(removed),
            Event::BlockManagerAdded(added) => self.block_manager_added(&added),
            Event::JobStart(started) => self.job_started(started),
            Event::JobEnd(ended) => self.job_ended(ended),
            Event::StageSubmitted(submitted) => self.stage_submitted(submitted),
            Event::StageCompleted(completed) => self.stage_completed(completed),
            Event::ApplicationEnd(ended) => self.application_ended(&ended),
            Event::Offers(told) => {
                self.at(told.at);
                self.offers.read(told);
            }
            Event::Cluster(note) => self.cluster_told(note),
        }
    }
}

#[cfg(test)]
mod tests;
