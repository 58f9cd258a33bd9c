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
    },
    Abandoned {
        since: Timestamp,
        asked: Option<ExecutorId>,
    },
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
}

/// See the module.
#[derive(Debug, Default)]
pub struct Stores {
    stores: BTreeMap<ExecutorId, Store>,
    servers: BTreeMap<ExecutorId, Server>,
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
            if matches!(&store.state, State::Abandoned { asked: Some(asked), .. } if asked == executor)
            {
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
        let ids: Vec<_> = self.stores.keys().cloned().collect();
        for id in ids {
            let Some(store) = self.stores.get_mut(&id) else {
                continue;
            };
            match &mut store.state {
                State::Served { by } if by == executor => {
                    if host_gone || !needed(&id) || store.folder.is_empty() {
                        self.lose(&id, &mut actions);
                        continue;
                    }
                    store.state = State::Abandoned {
                        since: now,
                        asked: None,
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
                _ => {}
            }
        }
        self.ask(&mut actions);
        actions
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
        if !matches!(&store.state, State::Abandoned { asked: Some(asked), .. } if asked == by) {
            return actions;
        }
        let address = self.servers.get(by).map(|it| it.address.clone());
        let (Ok(()), Some(address)) = (result, address) else {
            self.lose(id, &mut actions);
            return actions;
        };
        store.state = State::Served { by: by.clone() };
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
        actions
    }

    /// An executor cannot reach a store and wants to know where it is. The
    /// answer comes when it is known.
    pub fn locate(&mut self, to: ExecutorId, id: &ExecutorId) -> Option<Action> {
        let address = match self.stores.get_mut(id) {
            Some(store) => match &store.state {
                State::Served { by } => self.servers.get(by).map(|it| it.address.clone()),
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
        all.filter(move |(_, it)| matches!(&it.state, State::Served { by } if by == executor))
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
}
