//! Steps of an earlier driver, taken again. Pure.
//!
//! Responsible for bringing a driver to where another one was when it died: its
//! steps are taken, their effects are not carried out, for they were. What was
//! under way then and had no answer is told, to be started again.

use std::collections::BTreeMap;

use super::Driver;
use super::effect::{Delivery, Effect};
use super::input::{ConnectionId, Input, Step};
use crate::facts::Happened;
use crate::ids::{JobId, TaskId};
use crate::report::Progress;
use crate::telling::Teller;

/// A step led to something else than it did: the driver is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "step {step} led to {then} effects, and leads to {now} now: this is a bug of mesquite; delete the folder to start afresh"
)]
pub struct Diverged {
    step: usize,
    then: u64,
    now: u64,
}

/// What is left to do when all steps are taken.
#[derive(Debug, PartialEq)]
pub struct Replay {
    /// How many steps there were.
    pub steps: usize,
    /// Results that were printed, and are to be printed again by this process.
    pub printed: Vec<Effect>,
    /// What was under way, and is to be started again.
    pub unanswered: Vec<Effect>,
    /// Jobs whose result was printed without the driver hearing of it.
    pub undelivered: Vec<JobId>,
    /// How far stages were: what people were told, but for what is told in passing.
    pub progress: Vec<Progress>,
    /// Knows what people were told.
    pub teller: Teller,
    /// All that happened, if somebody wants to know.
    pub facts: Vec<Happened>,
    /// The first number of a connection that was not in use.
    pub next_connection: ConnectionId,
    /// Whether the user wanted an end.
    pub interrupted: bool,
}

impl Replay {
    /// Takes in what happened; for a record `all` of it is kept.
    fn told(&mut self, facts: Vec<Happened>, all: bool) {
        let told = self.teller.read(&facts).into_iter();
        // What is told in passing is told once.
        let passing = |it: &Progress| matches!(it, Progress::Note(_) | Progress::Warning(_));
        self.progress.extend(told.filter(|it| !passing(it)));
        if all {
            self.facts.extend(facts);
        }
    }
}

/// What was asked for and has not been answered yet.
#[derive(Default)]
struct Unanswered {
    fetches: BTreeMap<TaskId, Effect>,
    saves: BTreeMap<JobId, Effect>,
}

impl Replay {
    /// Takes note of what came in, and of what it answers.
    fn came(&mut self, input: &Input, asked: &mut Unanswered) {
        match input {
            Input::Fetched { task, .. } => drop(asked.fetches.remove(task)),
            Input::Delivered { job, .. } => {
                asked.saves.remove(job);
                self.undelivered.retain(|it| it != job);
            }
            Input::Interrupted => self.interrupted = true,
            Input::Executor { connection, .. } => {
                let next = ConnectionId(connection.0 + 1);
                self.next_connection = self.next_connection.max(next);
            }
            Input::Started
            | Input::Recovered
            | Input::Disconnected { .. }
            | Input::Mesos(_)
            | Input::Refused { .. }
            | Input::ProcessEnded { .. }
            | Input::TimePassed => {}
        }
    }
}

/// Takes the steps of an earlier driver, each with how many effects it had. The
/// driver must be made of the same parts, and have taken no step.
///
/// # Errors
/// A step leads to something else.
pub fn replay(
    driver: &mut Driver,
    steps: impl IntoIterator<Item = (Step, u64)>,
) -> Result<Replay, Diverged> {
    let mut asked = Unanswered::default();
    let mut replay = Replay {
        steps: 0,
        printed: Vec::new(),
        unanswered: Vec::new(),
        undelivered: Vec::new(),
        progress: Vec::new(),
        teller: Teller::default(),
        facts: Vec::new(),
        next_connection: ConnectionId(1),
        interrupted: false,
    };
    for (step, then) in steps {
        for input in &step.inputs {
            replay.came(input, &mut asked);
        }
        let effects = driver.handle(step);
        let effects = effects
            .into_iter()
            .filter(|effect| !matches!(effect, Effect::Keep(_)));
        let mut now = 0;
        for effect in effects {
            if let Effect::Facts(facts) = effect {
                replay.told(facts, driver.tells_all());
                continue;
            }
            now += 1;
            match effect {
                Effect::Fetch { task, .. } => drop(asked.fetches.insert(task, effect)),
                Effect::Deliver {
                    job,
                    delivery: Delivery::Save { .. },
                    ..
                } => drop(asked.saves.insert(job, effect)),
                Effect::Deliver { job, .. } => {
                    replay.undelivered.push(job);
                    replay.printed.push(effect);
                }
                // The driver that died did them, or the executors and the master
                // are asked anew.
                Effect::Keep(_)
                | Effect::Send(..)
                | Effect::Close(_)
                | Effect::Call(_)
                | Effect::StartProcess(_)
                | Effect::KillProcess(_)
                | Effect::AbortSave { .. }
                | Effect::Facts(_) => {}
            }
        }
        if now != then {
            let step = replay.steps;
            return Err(Diverged { step, then, now });
        }
        replay.steps += 1;
    }
    let Unanswered { fetches, saves } = asked;
    replay.unanswered = fetches.into_values().chain(saves.into_values()).collect();
    Ok(replay)
}
