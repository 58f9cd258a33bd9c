//! What the commands of an attempt wrote to stderr, asked of its executor.
//!
//! Responsible for which attempt is meant and who has its log: how that is asked is the
//! driver's business ([`AttemptLogs`]), which knows its executors and they it. What comes is
//! others' text: it is handed on as it is, and as text.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use hyper::StatusCode;
use mesquite_core::facts::{Fact, Happened};
use mesquite_core::store::Store;

use crate::route::NamedAttempt;
use crate::server::Answer;

/// The log of an attempt, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLog {
    /// Where its executor serves; empty if that is the driver itself.
    pub address: String,
    /// The stage.
    pub stage: u32,
    /// The attempt at the stage.
    pub stage_attempt: u32,
    /// The partition.
    pub partition: u32,
    /// How many attempts at the partition came before.
    pub attempt: u32,
}

/// The bytes of a log, none if nothing was written; why it cannot be had, for people.
pub type Read = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, String>> + Send>>;

/// Reads logs of attempts.
pub trait AttemptLogs: Send + Sync {
    /// Asks whoever has it.
    fn read(&self, log: &AttemptLog) -> Read;
}

/// Where executors serve.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Result<String, String>>);

impl Places {
    /// Takes in who comes and goes.
    pub(super) fn add(&mut self, facts: &[Happened]) {
        for happened in facts {
            match &happened.fact {
                Fact::ExecutorCame {
                    executor, address, ..
                } => {
                    let name = executor.as_str().to_owned();
                    self.0.insert(name, Ok(address.clone()));
                }
                Fact::ExecutorRemoved { executor, reason } => {
                    let name = executor.as_str().to_owned();
                    self.0.insert(name, Err(reason.to_string()));
                }
                _ => {}
            }
        }
    }

    /// Where an executor serves.
    fn of(&self, executor: &str) -> Result<String, Answer> {
        let why = match self.0.get(executor) {
            Some(Ok(address)) => return Ok(address.clone()),
            Some(Err(why)) => why,
            None => {
                let text = format!("executor {executor} has not come yet: nothing is written");
                return Err(Answer::not_found(text));
            }
        };
        Err(Answer::refusal(
            StatusCode::GONE,
            format!(
                "executor {executor}, which had it, is gone ({why}). The last lines of an attempt that \
                 failed are on the page of its stage and in the event log; on Mesos all of it is in \
                 the executor's sandbox, in `attempts`"
            ),
        ))
    }

    /// The log of an attempt.
    pub(super) fn log(&self, store: &Store, wanted: &NamedAttempt) -> Result<AttemptLog, Answer> {
        let none = || Answer::not_found(format!("there is no attempt {wanted} in this run"));
        let row = find(store, wanted).ok_or_else(none)?;
        let attempts = &store.attempts;
        let stage = &store.stage_of(row).info;
        Ok(AttemptLog {
            address: self.of(store.text(attempts.executor(row)))?,
            stage: stage.stage,
            stage_attempt: stage.attempt,
            partition: attempts.partition(row),
            attempt: attempts.attempt(row),
        })
    }
}

/// The row of an attempt: of several the last.
fn find(store: &Store, wanted: &NamedAttempt) -> Option<u32> {
    let attempts = &store.attempts;
    match *wanted {
        NamedAttempt::Task(task) => (0..attempts.len())
            .rev()
            .find(|row| attempts.task(*row) == task),
        NamedAttempt::At {
            stage,
            partition,
            attempt,
        } => {
            let is_it = |row: &u32| {
                attempts.partition(*row) == partition
                    && attempt.is_none_or(|it| attempts.attempt(*row) == it)
            };
            let stages = store.stages().filter(|it| it.info.stage == stage);
            let mut rows = stages.rev().flat_map(|it| it.rows().iter().rev().copied());
            rows.find(is_it)
        }
    }
}
