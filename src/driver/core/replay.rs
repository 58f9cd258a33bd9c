//! Steps of an earlier driver, taken again. Pure.
//!
//! Responsible for bringing a driver to where another one was when it died: its
//! steps are taken, their effects are not carried out, for they were. What was
//! under way then and had no answer is told, to be started again.

use std::collections::BTreeMap;

use super::Driver;
use super::effect::{Delivery, Effect};
use super::input::{ConnectionId, Input, Step};
use crate::driver::report::Progress;
use crate::ids::{JobId, TaskId};

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
    /// How far stages were.
    pub progress: Vec<Progress>,
    /// The first number of a connection that was not in use.
    pub next_connection: ConnectionId,
    /// Whether the user wanted an end.
    pub interrupted: bool,
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
    let mut fetches: BTreeMap<TaskId, Effect> = BTreeMap::new();
    let mut saves: BTreeMap<JobId, Effect> = BTreeMap::new();
    let mut replay = Replay {
        steps: 0,
        printed: Vec::new(),
        unanswered: Vec::new(),
        undelivered: Vec::new(),
        progress: Vec::new(),
        next_connection: ConnectionId(1),
        interrupted: false,
    };
    for (step, then) in steps {
        for input in &step.inputs {
            match input {
                Input::Fetched { task, .. } => drop(fetches.remove(task)),
                Input::Delivered { job, .. } => {
                    saves.remove(job);
                    replay.undelivered.retain(|it| it != job);
                }
                Input::Interrupted => replay.interrupted = true,
                Input::Executor { connection, .. } => {
                    let next = ConnectionId(connection.0 + 1);
                    replay.next_connection = replay.next_connection.max(next);
                }
                _ => {}
            }
        }
        let effects = driver.handle(step);
        let effects = effects
            .into_iter()
            .filter(|effect| !matches!(effect, Effect::Keep(_)));
        let mut now = 0;
        for effect in effects {
            now += 1;
            match effect {
                Effect::Fetch { task, .. } => drop(fetches.insert(task, effect)),
                Effect::Deliver {
                    job,
                    delivery: Delivery::Save { .. },
                    ..
                } => drop(saves.insert(job, effect)),
                Effect::Deliver { job, .. } => {
                    replay.undelivered.push(job);
                    replay.printed.push(effect);
                }
                // What is told in passing is told once.
                Effect::Tell(Progress::Note(_) | Progress::Warning(_)) => {}
                Effect::Tell(progress) => replay.progress.push(progress),
                _ => {}
            }
        }
        if now != then {
            let step = replay.steps;
            return Err(Diverged { step, then, now });
        }
        replay.steps += 1;
    }
    replay.unanswered = fetches.into_values().chain(saves.into_values()).collect();
    Ok(replay)
}
