//! Pools: who shares the cluster with whom.
//!
//! Responsible for the tree of pools with task sets as its leaves, for the
//! number of attempts that run below each pool, and for the order in which the
//! task sets are offered room. The task scheduler tells it of every change; it
//! knows nothing of what a task set is.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ids::{JobId, StageAttempt, StageId};
use crate::ordering::{FairShare, SchedulingMode};

/// The pool of task sets that ask for none.
pub const DEFAULT_POOL: &str = "default";

/// What parts the names of a pool and of a pool inside it.
pub const NESTING: char = '/';

/// A task set's place in the task scheduler's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetIx(pub(super) u32);

impl SetIx {
    /// The place with this number.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The place as an index into a list.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A pool as the allocation file defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolDefinition {
    /// Its name; inside another pool, without the outer name.
    pub name: String,
    /// How its members are ordered.
    pub mode: SchedulingMode,
    /// So many running tasks it should have before others get more.
    pub min_share: u32,
    /// Its part of what is left, against its siblings'.
    pub weight: u32,
    /// The pools inside it.
    pub pools: Vec<PoolDefinition>,
}

impl PoolDefinition {
    /// A pool of this name with Spark's defaults: FIFO, 0, 1.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mode: SchedulingMode::Fifo,
            min_share: 0,
            weight: 1,
            pools: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PoolIx(u32);

impl PoolIx {
    const ROOT: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A member's key in its pool; the map's order is the FIFO order, or the order
/// of names in which equal fair shares stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MemberKey {
    /// Pools inside a FIFO pool come before its task sets, as in Spark, where
    /// their priority is 0 and their stage -1.
    Pool(Box<str>),
    /// Job, stage, and the order of coming for attempts of one stage.
    Fifo(JobId, StageId, u64),
    Fair(Box<str>, u64),
}

#[derive(Clone, Copy, Debug)]
enum Member {
    Pool(PoolIx),
    Set(SetIx),
}

#[derive(Debug)]
struct Pool {
    name: Arc<str>,
    mode: SchedulingMode,
    min_share: u32,
    weight: u32,
    parent: Option<PoolIx>,
    running: u32,
    members: BTreeMap<MemberKey, Member>,
}

/// A task set as its pool wants to know it.
#[derive(Clone, Debug)]
pub struct SetToPlace<'a> {
    /// Its place in the table.
    pub set: SetIx,
    /// The pool asked for.
    pub pool: Option<&'a str>,
    /// The FIFO priority.
    pub job: JobId,
    /// Its stage.
    pub stage: StageId,
    /// The stage's attempt.
    pub attempt: StageAttempt,
}

/// The tree; see the module.
#[derive(Debug)]
pub struct PoolTree {
    pools: Vec<Pool>,
    by_name: FxHashMap<Arc<str>, PoolIx>,
    homes: FxHashMap<SetIx, (PoolIx, MemberKey)>,
    arrivals: u64,
}

impl PoolTree {
    /// A tree in this mode. FIFO has no pools but the root, whatever is
    /// defined. FAIR without definitions has one pool, `default`, that is
    /// itself FAIR; with definitions that lack `default`, it is added as FIFO.
    pub fn new(mode: SchedulingMode, defined: Option<&[PoolDefinition]>) -> Self {
        let root = Pool {
            name: "".into(),
            mode,
            min_share: 0,
            weight: 1,
            parent: None,
            running: 0,
            members: BTreeMap::new(),
        };
        let mut tree = Self {
            pools: vec![root],
            by_name: FxHashMap::default(),
            homes: FxHashMap::default(),
            arrivals: 0,
        };
        if mode == SchedulingMode::Fair {
            for pool in defined.unwrap_or_default() {
                tree.define(PoolIx::ROOT, pool);
            }
            if !tree.by_name.contains_key(DEFAULT_POOL) {
                let mut default = PoolDefinition::new(DEFAULT_POOL);
                if defined.is_none() {
                    default.mode = SchedulingMode::Fair;
                }
                tree.define(PoolIx::ROOT, &default);
            }
        }
        tree
    }

    fn define(&mut self, parent: PoolIx, pool: &PoolDefinition) -> PoolIx {
        let name: Arc<str> = match parent {
            PoolIx::ROOT => pool.name.as_str().into(),
            _ => format!("{}{NESTING}{}", self.pools[parent.index()].name, pool.name).into(),
        };
        let index = match self.by_name.get(&name) {
            // Defined twice: the later definition holds.
            Some(known) => {
                let known = *known;
                let entry = &mut self.pools[known.index()];
                (entry.mode, entry.min_share, entry.weight) =
                    (pool.mode, pool.min_share, pool.weight);
                known
            }
            None => self.insert(parent, name, pool),
        };
        for inner in &pool.pools {
            self.define(index, inner);
        }
        index
    }

    fn insert(&mut self, parent: PoolIx, name: Arc<str>, pool: &PoolDefinition) -> PoolIx {
        let index = PoolIx(u32::try_from(self.pools.len()).expect("fewer than 2^32 pools"));
        self.pools.push(Pool {
            name: Arc::clone(&name),
            mode: pool.mode,
            min_share: pool.min_share,
            weight: pool.weight,
            parent: Some(parent),
            running: 0,
            members: BTreeMap::new(),
        });
        let outer = &mut self.pools[parent.index()];
        let key = match outer.mode {
            SchedulingMode::Fifo => MemberKey::Pool(Box::from(&*name)),
            SchedulingMode::Fair => MemberKey::Fair(Box::from(&*name), 0),
        };
        outer.members.insert(key, Member::Pool(index));
        self.by_name.insert(name, index);
        index
    }

    /// Puts a task set into its pool. The pool's name is given back if it was
    /// not defined and so was made with defaults.
    pub fn add(&mut self, placed: &SetToPlace<'_>) -> Option<Arc<str>> {
        let mut created = None;
        let pool = if self.pools[PoolIx::ROOT.index()].mode == SchedulingMode::Fifo {
            PoolIx::ROOT
        } else {
            let name = placed.pool.unwrap_or(DEFAULT_POOL);
            match self.by_name.get(name) {
                Some(pool) => *pool,
                None => {
                    let pool = self.define(PoolIx::ROOT, &PoolDefinition::new(name));
                    created = Some(Arc::clone(&self.pools[pool.index()].name));
                    pool
                }
            }
        };
        self.arrivals += 1;
        let entry = &mut self.pools[pool.index()];
        let key = match entry.mode {
            SchedulingMode::Fifo => MemberKey::Fifo(placed.job, placed.stage, self.arrivals),
            SchedulingMode::Fair => MemberKey::Fair(
                format!("TaskSet_{}.{}", placed.stage, placed.attempt).into(),
                self.arrivals,
            ),
        };
        entry.members.insert(key.clone(), Member::Set(placed.set));
        self.homes.insert(placed.set, (pool, key));
        created
    }

    /// Takes a task set out. Its running attempts must have been taken off by
    /// [`PoolTree::running_changed`] before.
    pub fn remove(&mut self, set: SetIx) {
        if let Some((pool, key)) = self.homes.remove(&set) {
            self.pools[pool.index()].members.remove(&key);
        }
    }

    /// The number of running attempts of a task set changed.
    pub fn running_changed(&mut self, set: SetIx, before: u32, after: u32) {
        if before == after {
            return;
        }
        let mut next = self.homes.get(&set).map(|(pool, _)| *pool);
        while let Some(pool) = next {
            let pool = &mut self.pools[pool.index()];
            pool.running = pool.running + after - before;
            next = pool.parent;
        }
    }

    /// The task sets in the order in which they are to be offered room, as it
    /// is now; `running` says how many attempts of a set run.
    pub fn order(&self, running: impl Fn(SetIx) -> u32) -> Vec<SetIx> {
        let mut order = Vec::with_capacity(self.homes.len());
        self.append(PoolIx::ROOT, &running, &mut order);
        order
    }

    fn append(&self, pool: PoolIx, running: &impl Fn(SetIx) -> u32, order: &mut Vec<SetIx>) {
        let pool = &self.pools[pool.index()];
        match pool.mode {
            SchedulingMode::Fifo => {
                for member in pool.members.values() {
                    self.append_member(*member, running, order);
                }
            }
            SchedulingMode::Fair => {
                let mut members: Vec<(FairShare, Member)> = pool
                    .members
                    .values()
                    .filter_map(|member| Some((self.share(*member, running)?, *member)))
                    .collect();
                // Stable, and the map is in order of names: equals stay so.
                members.sort_by(|(a, _), (b, _)| a.compare(b));
                for (_, member) in members {
                    self.append_member(member, running, order);
                }
            }
        }
    }

    fn append_member(
        &self,
        member: Member,
        running: &impl Fn(SetIx) -> u32,
        order: &mut Vec<SetIx>,
    ) {
        match member {
            Member::Pool(pool) => self.append(pool, running, order),
            Member::Set(set) => order.push(set),
        }
    }

    /// A member's share; `None` for a pool with nothing in it.
    fn share(&self, member: Member, running: &impl Fn(SetIx) -> u32) -> Option<FairShare> {
        match member {
            Member::Set(set) => Some(FairShare::new(running(set), 0, 1)),
            Member::Pool(pool) => {
                let pool = &self.pools[pool.index()];
                (!pool.members.is_empty())
                    .then(|| FairShare::new(pool.running, pool.min_share, pool.weight))
            }
        }
    }

    /// The name of the pool that holds a task set; empty for the root.
    pub fn pool_of(&self, set: SetIx) -> Option<&Arc<str>> {
        let (pool, _) = self.homes.get(&set)?;
        Some(&self.pools[pool.index()].name)
    }

    /// All pools, each after the one that holds it; the root, which has no
    /// name, is first.
    pub fn views(&self) -> impl Iterator<Item = PoolView> {
        self.pools.iter().map(|pool| PoolView {
            name: Arc::clone(&pool.name),
            parent: pool
                .parent
                .map(|parent| Arc::clone(&self.pools[parent.index()].name)),
            mode: pool.mode,
            min_share: pool.min_share,
            weight: pool.weight,
            running: pool.running,
            task_sets: pool
                .members
                .values()
                .filter(|member| matches!(member, Member::Set(_)))
                .count(),
        })
    }
}

/// A pool as it is now, to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Its name with those of the pools around it; the root has none.
    pub name: Arc<str>,
    /// The pool that holds it; `None` for the root.
    pub parent: Option<Arc<str>>,
    /// How its members are ordered.
    pub mode: SchedulingMode,
    /// Its minimum share.
    pub min_share: u32,
    /// Its weight.
    pub weight: u32,
    /// Attempts that run in it and in the pools inside.
    pub running: u32,
    /// Task sets directly in it.
    pub task_sets: usize,
}
