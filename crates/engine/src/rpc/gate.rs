//! How many strangers may stand at the door.
//!
//! Responsible for what peers cost before they have proved who they are: only so
//! many connections at a time, and whoever comes then takes the place of the one
//! that has stood there longest, of the address with the most. So a stranger who
//! opens connections and says nothing keeps out neither executors nor, by more
//! addresses than one, all but a few of them. How long each may take is the
//! [`guard`](super::guard)'s business.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::descriptors;

/// So many peers at most that have not proved who they are.
const STRANGERS: usize = 128;

/// And no more than such a part of what may be open.
const PART: usize = 8;

/// How many peers may stand at the gate of one listener.
pub fn strangers() -> usize {
    descriptors::share(STRANGERS, PART)
}

/// Nobody is sent away sooner: an honest peer needs a few milliseconds.
const UNDISTURBED: Duration = Duration::from_millis(250);

/// Who stands there. Pure.
#[derive(Debug)]
struct Visitors<T> {
    most: usize,
    next: u64,
    here: BTreeMap<u64, Visitor<T>>,
}

#[derive(Debug)]
struct Visitor<T> {
    from: IpAddr,
    since: Timestamp,
    door: T,
}

/// What is to be done with somebody who comes.
#[derive(Debug, PartialEq, Eq)]
enum Reception<T> {
    /// There is room.
    In(u64),
    /// There is room when this one is gone.
    InsteadOf(u64, T),
    /// There may be room then.
    Later(Timestamp),
}

impl<T> Visitors<T> {
    const fn new(most: usize) -> Self {
        Self {
            most,
            next: 0,
            here: BTreeMap::new(),
        }
    }

    fn come(&mut self, now: Timestamp, from: IpAddr, door: &mut Option<T>) -> Reception<T> {
        let mut gone = None;
        if self.here.len() >= self.most {
            let mut of_each: BTreeMap<IpAddr, usize> = BTreeMap::new();
            for visitor in self.here.values() {
                *of_each.entry(visitor.from).or_default() += 1;
            }
            let most = of_each.values().max();
            // In the order in which they came.
            let first = self
                .here
                .iter()
                .find(|(_, visitor)| of_each.get(&visitor.from) == most);
            if let Some((&id, visitor)) = first {
                let until = visitor.since + UNDISTURBED;
                if until > now {
                    return Reception::Later(until);
                }
                gone = self.here.remove(&id);
            }
        }
        let id = self.next;
        self.next += 1;
        if let Some(door) = door.take() {
            let since = now;
            self.here.insert(id, Visitor { from, since, door });
        }
        match gone {
            Some(gone) => Reception::InsteadOf(id, gone.door),
            None => Reception::In(id),
        }
    }
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opened: Instant,
    visitors: Mutex<Visitors<oneshot::Sender<()>>>,
}

impl Shared {
    fn visitors(&self) -> MutexGuard<'_, Visitors<oneshot::Sender<()>>> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at the door, which is free again when this is dropped.
#[derive(Debug)]
pub struct Admission {
    id: u64,
    gate: Gate,
    sent_away: oneshot::Receiver<()>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.gate.0.visitors().here.remove(&self.id);
    }
}

impl Admission {
    /// Does what a stranger has to do; `None` if its place went to another one.
    pub async fn spend<T>(mut self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = what => Some(done),
            _ = &mut self.sent_away => None,
        }
    }
}

impl Gate {
    /// A gate with room for so many.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            opened: Instant::now(),
            visitors: Mutex::new(Visitors::new(most)),
        }))
    }

    /// A place for who comes from this address; waits until there is one.
    pub async fn enter(&self, from: IpAddr) -> Admission {
        let (door, sent_away) = oneshot::channel();
        let mut door = Some(door);
        loop {
            let now = Timestamp::ZERO + self.0.opened.elapsed();
            let answer = self.0.visitors().come(now, from, &mut door);
            let id = match answer {
                Reception::In(id) => id,
                Reception::InsteadOf(id, other) => {
                    // It may have left by itself.
                    let _ = other.send(());
                    id
                }
                Reception::Later(until) => {
                    tokio::time::sleep(until - now).await;
                    continue;
                }
            };
            let gate = self.clone();
            return Admission {
                id,
                gate,
                sent_away,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn whoever_takes_most_gives_way_first_and_nobody_at_once() {
        let [greedy, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let mut visitors = Visitors::new(3);
        let mut come = |millis, from, door| visitors.come(at(millis), from, &mut Some(door));
        assert_eq!(come(0, other, "a"), Reception::In(0));
        assert_eq!(come(10, greedy, "b"), Reception::In(1));
        assert_eq!(come(20, greedy, "c"), Reception::In(2));
        assert_eq!(come(30, other, "d"), Reception::Later(at(260)));
        assert_eq!(come(260, other, "d"), Reception::InsteadOf(3, "b"));
        // Now the other one has the most.
        assert_eq!(come(270, greedy, "e"), Reception::InsteadOf(4, "a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stranger_gives_way_and_one_that_leaves_makes_room() {
        let gate = Gate::new(1);
        let here = IpAddr::from([127, 0, 0, 1]);
        let silent = gate.enter(here).await;
        let silent = tokio::spawn(silent.spend(std::future::pending::<()>()));
        let next = gate.enter(here).await;
        assert_eq!(silent.await.expect("no panic"), None);
        assert_eq!(next.spend(async { 1 }).await, Some(1));
        // Its place is free at once.
        drop(gate.enter(here).await);
    }
}
