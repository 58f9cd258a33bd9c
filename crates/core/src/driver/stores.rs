//! Where the map outputs of executors are served. Pure.
//!
//! Responsible for outputs that outlive their executor: a process that is killed
//! leaves its files on its host, where another executor of the application can
//! serve them. The outputs of one executor are a store; it keeps its name
//! whoever serves it, so that nothing else has to know of a move.
//!
//! ```text
//!            its server is gone               somebody there serves it
//!  Served ─────────────────────▶ Abandoned ───────────────────────────▶ Served
//!     ├── its server is to go, and another one there serves it ─────────▶ Served
//!     │                             │ nobody in time, or the files are gone
//!     │ its host is gone            ▼
//!     └──────────────────────────▶ Lost
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::work::BlockPlace;
use crate::clock::Timestamp;
use crate::ids::{ExecutorId, Host};

/// So long an abandoned store waits for an executor on its host. Longer than an
/// agent takes to start one in the place of one that died, which its offer at
/// the next allocation (each second) allows; shorter than making much again.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Served {
        by: ExecutorId,
        /// Who is asked to serve it in its place.
        next: Option<ExecutorId>,
    },
    Abandoned {
        since: Timestamp,
        asked: Option<ExecutorId>,
    },
}

impl State {
    /// Whether this executor is asked to serve it, and has not answered.
    fn asks(&self, executor: &ExecutorId) -> bool {
        let (Self::Served { next, .. } | Self::Abandoned { asked: next, .. }) = self;
        next.as_ref() == Some(executor)
    }
}

#[derive(Debug)]
struct Store {
    host: Host,
    folder: String,
    state: State,
    /// Who waits to hear where it is.
    asking: BTreeSet<ExecutorId>,
}

#[derive(Debug)]
struct Server {
    host: Host,
    address: String,
}

/// What follows, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask an executor to serve a store.
    TakeOver {
        /// The executor.
        by: ExecutorId,
        /// The store.
        store: ExecutorId,
        /// Its folder.
        folder: String,
    },
    /// Whoever reads a store from now on finds it here; without an address it
    /// has to ask.
    Moved {
        /// The store.
        store: ExecutorId,
        /// Where.
        place: BlockPlace,
    },
    /// Tell an executor where a store is; without an address it is lost.
    Located {
        /// Who asked.
        to: ExecutorId,
        /// The store.
        store: ExecutorId,
        /// The block server that has it.
        address: Option<String>,
    },
    /// What was in a store is lost.
    Lost(ExecutorId),
    /// Others were asked to serve what an executor serves, which is to go, and have answered.
    HandedOver {
        /// The executor.
        executor: ExecutorId,
        /// Whether they serve all of it.
        all: bool,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub struct Stores {
    stores: BTreeMap<ExecutorId, Store>,
    servers: BTreeMap<ExecutorId, Server>,
    /// Those that hand over what they serve, each with whether some of it cannot be.
    leaving: BTreeMap<ExecutorId, bool>,
}

impl Stores {
    /// An executor has come, with a store of its own.
    pub fn came(&mut self, executor: &ExecutorId, host: &Host, place: &BlockPlace) -> Vec<Action> {
        let server = Server {
            host: host.clone(),
            address: place.address.clone(),
        };
        self.servers.insert(executor.clone(), server);
        let store = Store {
            host: host.clone(),
            folder: place.folder.clone(),
            state: State::Served {
                by: executor.clone(),
                next: None,
            },
            asking: BTreeSet::new(),
        };
        self.stores.insert(executor.clone(), store);
        let mut actions = vec![Action::Moved {
            store: executor.clone(),
            place: place.clone(),
        }];
        self.ask(&mut actions);
        actions
    }

    /// An executor has come back: what it was asked for may not have reached it.
    pub fn came_back(&mut self, executor: &ExecutorId) -> Vec<Action> {
        let mut actions = Vec::new();
        for (id, store) in &self.stores {
            if store.state.asks(executor) {
                actions.push(Action::TakeOver {
                    by: executor.clone(),
                    store: id.clone(),
                    folder: store.folder.clone(),
                });
            }
        }
        actions
    }

    /// An executor is gone; its host and files are there, unless `host_gone`.
    /// Stores that are not `needed` are forgotten.
    pub fn gone(
        &mut self,
        now: Timestamp,
        executor: &ExecutorId,
        host_gone: bool,
        needed: impl Fn(&ExecutorId) -> bool,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        self.servers.remove(executor);
        self.leaving.remove(executor);
        let ids: Vec<_> = self.stores.keys().cloned().collect();
        for id in ids {
            let Some(store) = self.stores.get_mut(&id) else {
                continue;
            };
            match &mut store.state {
                State::Served { by, next } if by == executor => {
                    if host_gone || !needed(&id) || store.folder.is_empty() {
                        self.lose(&id, &mut actions);
                        continue;
                    }
                    store.state = State::Abandoned {
                        since: now,
                        asked: next.take(),
                    };
                    actions.push(Action::Moved {
                        store: id.clone(),
                        place: BlockPlace {
                            address: String::new(),
                            folder: store.folder.clone(),
                        },
                    });
                }
                State::Abandoned { asked, .. } if asked.as_ref() == Some(executor) => {
                    *asked = None;
                }
                State::Served { by, next } if next.as_ref() == Some(executor) => {
                    *next = None;
                    let by = by.clone();
                    self.leaving.insert(by, true);
                }
                State::Served { .. } | State::Abandoned { .. } => {}
            }
        }
        self.ask(&mut actions);
        self.end_handing(&mut actions);
        actions
    }

    /// An executor is to go: asks others on its host to serve what it serves and is
    /// `needed`. None if nobody is there that could.
    pub fn hand_over(
        &mut self,
        executor: &ExecutorId,
        needed: impl Fn(&ExecutorId) -> bool,
    ) -> Option<Vec<Action>> {
        let host = &self.servers.get(executor)?.host;
        let mut there = self.servers.iter().filter(|(id, it)| {
            it.host == *host && *id != executor && !self.leaving.contains_key(*id)
        });
        let next = there.next()?.0.clone();
        self.leaving.insert(executor.clone(), false);
        let mut actions = Vec::new();
        for (id, store) in &mut self.stores {
            if let State::Served { by, next: asked } = &mut store.state
                && by == executor
                && needed(id)
            {
                *asked = Some(next.clone());
                actions.push(Action::TakeOver {
                    by: next.clone(),
                    store: id.clone(),
                    folder: store.folder.clone(),
                });
            }
        }
        Some(actions)
    }

    /// Tells of those that have handed over all that they can.
    fn end_handing(&mut self, actions: &mut Vec<Action>) {
        let open = |executor: &ExecutorId| {
            let mut all = self.stores.values();
            all.any(|it| matches!(&it.state, State::Served { by, next: Some(_) } if by == executor))
        };
        let done: Vec<_> = self
            .leaving
            .keys()
            .filter(|it| !open(it))
            .cloned()
            .collect();
        for executor in done {
            let all = self.leaving.remove(&executor) == Some(false);
            actions.push(Action::HandedOver { executor, all });
        }
    }

    /// Asks an executor on the host of each abandoned store to serve it.
    fn ask(&mut self, actions: &mut Vec<Action>) {
        for (id, store) in &mut self.stores {
            let State::Abandoned { asked, .. } = &mut store.state else {
                continue;
            };
            if asked.is_some() {
                continue;
            }
            let mut there = self.servers.iter().filter(|(_, it)| it.host == store.host);
            if let Some((by, _)) = there.next() {
                *asked = Some(by.clone());
                actions.push(Action::TakeOver {
                    by: by.clone(),
                    store: id.clone(),
                    folder: store.folder.clone(),
                });
            }
        }
    }

    /// An executor serves a store now, or cannot.
    pub fn took_over(
        &mut self,
        by: &ExecutorId,
        id: &ExecutorId,
        result: Result<(), &str>,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(store) = self.stores.get_mut(id) else {
            return actions;
        };
        // A late answer of one that is not asked any more.
        if !store.state.asks(by) {
            return actions;
        }
        let address = self.servers.get(by).map(|it| it.address.clone());
        let (Ok(()), Some(address)) = (result, address) else {
            match &mut store.state {
                // It is served as before.
                State::Served { by, next } => {
                    *next = None;
                    self.leaving.insert(by.clone(), true);
                    self.end_handing(&mut actions);
                }
                State::Abandoned { .. } => self.lose(id, &mut actions),
            }
            return actions;
        };
        store.state = State::Served {
            by: by.clone(),
            next: None,
        };
        actions.push(Action::Moved {
            store: id.clone(),
            place: BlockPlace {
                address: address.clone(),
                folder: store.folder.clone(),
            },
        });
        for to in std::mem::take(&mut store.asking) {
            actions.push(Action::Located {
                to,
                store: id.clone(),
                address: Some(address.clone()),
            });
        }
        self.end_handing(&mut actions);
        actions
    }

    /// An executor cannot reach a store and wants to know where it is. The
    /// answer comes when it is known.
    pub fn locate(&mut self, to: ExecutorId, id: &ExecutorId) -> Option<Action> {
        let address = match self.stores.get_mut(id) {
            Some(store) => match &store.state {
                State::Served { by, .. } => self.servers.get(by).map(|it| it.address.clone()),
                State::Abandoned { .. } => {
                    store.asking.insert(to);
                    return None;
                }
            },
            None => None,
        };
        Some(Action::Located {
            to,
            store: id.clone(),
            address,
        })
    }

    /// The stores that an executor serves, its own among them.
    pub fn served_by<'a>(
        &'a self,
        executor: &'a ExecutorId,
    ) -> impl Iterator<Item = &'a ExecutorId> {
        let all = self.stores.iter();
        all.filter(move |(_, it)| matches!(&it.state, State::Served { by, .. } if by == executor))
            .map(|(id, _)| id)
    }

    /// When [`time_passed`](Self::time_passed) is due, if ever.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let since = self.stores.values().filter_map(|it| match it.state {
            State::Abandoned { since, .. } => Some(since),
            State::Served { .. } => None,
        });
        since.min().map(|since| since + PATIENCE)
    }

    /// Gives up the stores that nobody serves in time.
    pub fn time_passed(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        let late = |it: &Store| matches!(it.state, State::Abandoned { since, .. } if since + PATIENCE <= now);
        let late: Vec<_> = self
            .stores
            .iter()
            .filter(|(_, it)| late(it))
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            self.lose(&id, &mut actions);
        }
        actions
    }

    fn lose(&mut self, id: &ExecutorId, actions: &mut Vec<Action>) {
        let Some(store) = self.stores.remove(id) else {
            return;
        };
        for to in store.asking {
            actions.push(Action::Located {
                to,
                store: id.clone(),
                address: None,
            });
        }
        actions.push(Action::Lost(id.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> BlockPlace {
        BlockPlace {
            address: format!("{name}:1"),
            folder: format!("/{name}"),
        }
    }

    fn came(stores: &mut Stores, name: &str, host: &str) -> Vec<Action> {
        let mut actions = stores.came(&name.into(), &host.into(), &place(name));
        assert!(matches!(actions.remove(0), Action::Moved { .. }));
        actions
    }

    fn take_over(by: &str, store: &str) -> Action {
        Action::TakeOver {
            by: by.into(),
            store: store.into(),
            folder: format!("/{store}"),
        }
    }

    fn moved(store: &str, server: &str) -> Action {
        let address = match server {
            "" => String::new(),
            server => place(server).address,
        };
        Action::Moved {
            store: store.into(),
            place: BlockPlace {
                address,
                folder: format!("/{store}"),
            },
        }
    }

    fn located(to: &str, store: &str, address: Option<&str>) -> Action {
        Action::Located {
            to: to.into(),
            store: store.into(),
            address: address.map(Into::into),
        }
    }

    const NOW: Timestamp = Timestamp::ZERO;

    fn gone(stores: &mut Stores, name: &str) -> Vec<Action> {
        stores.gone(NOW, &name.into(), false, |_| true)
    }

    #[test]
    fn a_store_is_served_by_another_executor_on_its_host_and_by_a_third_after_that() {
        let mut stores = Stores::default();
        for (name, host) in [("a", "h"), ("b", "h"), ("c", "i")] {
            assert_eq!(came(&mut stores, name, host), []);
        }
        assert_eq!(
            gone(&mut stores, "a"),
            [moved("a", ""), take_over("b", "a")]
        );
        assert_eq!(stores.locate("c".into(), &"a".into()), None);
        assert_eq!(
            stores.took_over(&"b".into(), &"a".into(), Ok(())),
            [moved("a", "b"), located("c", "a", Some("b:1"))]
        );
        assert_eq!(
            stores.locate("c".into(), &"a".into()),
            Some(located("c", "a", Some("b:1")))
        );
        assert_eq!(gone(&mut stores, "b"), [moved("a", ""), moved("b", "")]);
        let replaced = came(&mut stores, "d", "h");
        assert_eq!(replaced, [take_over("d", "a"), take_over("d", "b")]);
        assert_eq!(stores.came_back(&"d".into()), replaced);
    }

    #[test]
    fn what_nobody_serves_in_time_is_lost_and_whoever_asked_hears_it() {
        let mut stores = Stores::default();
        came(&mut stores, "a", "h");
        came(&mut stores, "c", "i");
        gone(&mut stores, "a");
        assert_eq!(stores.locate("c".into(), &"a".into()), None);
        let due = stores.next_deadline().expect("it waits");
        assert_eq!(due, NOW + PATIENCE);
        let lost = [located("c", "a", None), Action::Lost("a".into())];
        assert_eq!(stores.time_passed(due), lost);
        assert_eq!(
            stores.locate("c".into(), &"a".into()),
            Some(located("c", "a", None))
        );
        assert_eq!(stores.next_deadline(), None);
    }

    #[test]
    fn it_is_lost_at_once_with_its_host_or_if_nobody_needs_it_or_its_files_are_gone() {
        let mut stores = Stores::default();
        came(&mut stores, "a", "h");
        came(&mut stores, "b", "h");
        let lost = [Action::Lost("a".into())];
        assert_eq!(stores.gone(NOW, &"a".into(), true, |_| true), lost);
        came(&mut stores, "a", "h");
        assert_eq!(stores.gone(NOW, &"a".into(), false, |_| false), lost);
        came(&mut stores, "a", "h");
        gone(&mut stores, "a");
        let failed = stores.took_over(&"b".into(), &"a".into(), Err("not there"));
        assert_eq!(failed, lost);
    }

    #[test]
    fn if_the_one_that_was_asked_dies_another_is_asked() {
        let mut stores = Stores::default();
        for name in ["a", "b", "c"] {
            came(&mut stores, name, "h");
        }
        gone(&mut stores, "a");
        let actions = gone(&mut stores, "b");
        assert!(actions.contains(&take_over("c", "a")), "{actions:?}");
        assert_eq!(stores.took_over(&"b".into(), &"a".into(), Ok(())), []);
    }

    #[test]
    fn an_executor_goes_once_another_one_on_its_host_serves_all_that_is_needed() {
        let mut stores = Stores::default();
        for (name, host) in [("a", "h"), ("b", "g")] {
            came(&mut stores, name, host);
        }
        let needed = |_: &ExecutorId| true;
        // The other one is elsewhere.
        assert_eq!(stores.hand_over(&"a".into(), needed), None);
        came(&mut stores, "c", "h");
        assert_eq!(
            stores.hand_over(&"a".into(), needed),
            Some(vec![take_over("c", "a")])
        );
        // It cannot hand over to one that is to go itself.
        assert_eq!(stores.hand_over(&"c".into(), needed), None);
        assert_eq!(stores.served_by(&"a".into()).count(), 1);
        assert_eq!(stores.came_back(&"c".into()), [take_over("c", "a")]);
        let done = |all| Action::HandedOver {
            executor: "a".into(),
            all,
        };
        let actions = stores.took_over(&"c".into(), &"a".into(), Ok(()));
        assert!(matches!(&actions[0], Action::Moved { place, .. } if place.address == "c:1"));
        assert_eq!(actions[1], done(true));
        assert_eq!(gone(&mut stores, "a"), []);
        assert_eq!(stores.served_by(&"c".into()).count(), 2);
    }

    #[test]
    fn what_nobody_can_serve_in_its_place_stays_where_it_is() {
        let done = |all| Action::HandedOver {
            executor: "a".into(),
            all,
        };
        for dies in [false, true] {
            let mut stores = Stores::default();
            came(&mut stores, "a", "h");
            came(&mut stores, "c", "h");
            let needed = |it: &ExecutorId| it.as_str() == "a";
            assert!(stores.hand_over(&"a".into(), needed).is_some());
            let actions = match dies {
                true => gone(&mut stores, "c"),
                false => stores.took_over(&"c".into(), &"a".into(), Err("no")),
            };
            assert!(actions.contains(&done(false)), "{actions:?}");
            assert_eq!(stores.served_by(&"a".into()).count(), 1);
        }
    }

    #[test]
    fn one_that_dies_while_it_hands_over_has_asked_already() {
        let mut stores = Stores::default();
        came(&mut stores, "a", "h");
        came(&mut stores, "c", "h");
        assert!(stores.hand_over(&"a".into(), |_| true).is_some());
        let actions = gone(&mut stores, "a");
        assert!(!actions.contains(&take_over("c", "a")), "{actions:?}");
        let actions = stores.took_over(&"c".into(), &"a".into(), Ok(()));
        assert!(
            matches!(&actions[..], [Action::Moved { .. }]),
            "{actions:?}"
        );
    }
}
