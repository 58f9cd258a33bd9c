//! What is asked of datasets.
//!
//! Responsible for actions and what can be said of each. Nothing runs when one is
//! asked for: all are run when the function of the application is done.

use std::iter;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use mesquite_workload::line::lines;
use mesquite_workload::plan::application::{ActionKind, Compression, Format};

use crate::call_site::CallSite;
use crate::codec::{Record, decode};
use crate::context::{Context, Then};
use crate::dataset::Dataset;
use crate::flow::Partition;
use crate::outcome::Outcome;
use crate::source::Task;

/// Something asked of a dataset: a job of its own. Jobs run at the same time, unless
/// they say what they come [after](Self::after).
pub struct Action<R> {
    context: Context,
    index: usize,
    of: PhantomData<fn() -> R>,
}

/// The answer of an action that saves, or runs a closure for what it does.
pub struct Done;

impl<R> Action<R> {
    /// Gives it a name, by which its result is called.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        self.with(|action| action.name = Some(name))
    }

    /// The pool that its job goes to (`spark.scheduler.mode=FAIR`).
    pub fn pool(self, pool: impl Into<Arc<str>>) -> Self {
        let pool = pool.into();
        self.with(|action| action.pool = Some(pool))
    }

    /// Begins when that other one has succeeded.
    pub fn after<O>(self, other: &Action<O>) -> Self {
        let other = other.index;
        self.with(|action| action.after.push(other))
    }

    fn with(self, change: impl FnOnce(&mut mesquite_workload::plan::application::Action)) -> Self {
        self.context.change(self.index, |it| change(&mut it.action));
        self
    }

    fn then_do(self, then: Then) {
        self.context.change(self.index, |it| {
            it.action.to_stdout = false;
            it.then = Some(then);
        });
    }
}

impl Action<u64> {
    /// Has a closure do something with the number, in the driver, once all jobs are
    /// done; else it is printed. Of a job that failed there is none.
    pub fn then<R: Outcome>(self, f: impl FnOnce(u64) -> R + 'static) {
        self.then_do(Then::Count(Box::new(|count| f(count).outcome())));
    }
}

impl<T: Record> Action<Vec<T>> {
    /// At most so many records, from the first partitions.
    pub fn limit(self, most: u64) -> Self {
        let limit = Some(most);
        self.with(|action| action.kind = ActionKind::Collect { limit })
    }

    /// Has a closure do something with the records, in the order of the partitions, in
    /// the driver, once all jobs are done; else they are printed as they are written. Of a
    /// job that failed there are none.
    pub fn then<R: Outcome>(self, f: impl FnOnce(Vec<T>) -> R + 'static) {
        let read = |chunks: &[Bytes]| {
            let lines = chunks.iter().flat_map(|chunk| lines(chunk));
            let records: Result<Vec<T>, _> = lines.map(decode).collect();
            f(records?).outcome()
        };
        self.then_do(Then::Records(Box::new(read)));
    }
}

impl Action<Done> {
    /// Replaces what is in the folder to which it saves.
    pub fn overwrite(self) -> Self {
        self.with(|action| {
            if let ActionKind::Save { overwrite, .. } = &mut action.kind {
                *overwrite = true;
            }
        })
    }

    /// Packs the files that it saves, as well as the format does by itself.
    pub fn compress(self, format: Format) -> Self {
        self.with(|action| {
            if let ActionKind::Save { compress, .. } = &mut action.kind {
                compress.format = format;
            }
        })
    }
}

impl<T: Record> Dataset<T> {
    fn ask<R>(&self, kind: ActionKind) -> Action<R> {
        let dataset = self.planned();
        Action {
            context: self.context().clone(),
            index: self.context().ask(dataset, kind),
            of: PhantomData,
        }
    }

    /// How many records there are.
    pub fn count(&self) -> Action<u64> {
        self.ask(ActionKind::Count)
    }

    /// All records, in the driver.
    pub fn collect(&self) -> Action<Vec<T>> {
        self.ask(ActionKind::Collect { limit: None })
    }

    /// Files in a folder, one for each partition, with the records as they are
    /// [written](crate::codec). However many attempts there are at a partition, it is
    /// put in place once.
    pub fn save(&self, folder: impl Into<String>) -> Action<Done> {
        self.ask(ActionKind::Save {
            to: folder.into(),
            compress: Compression::default(),
            overwrite: false,
            partition_by: Vec::new(),
        })
    }

    /// Runs a closure for what it does with the records of each partition, where its
    /// task runs. A task that fails is tried again: what the closure does may be done
    /// more than once, and by several at the same time with `spark.speculation`.
    #[track_caller]
    pub fn for_each_partition<R: Outcome>(
        &self,
        f: impl Fn(&Task, Partition<T>) -> R + Send + Sync + 'static,
    ) -> Action<Done> {
        let place = CallSite::of("for_each_partition");
        let f = Arc::new(f);
        let done = self.derived(place, move |flow, scope| {
            let (f, scope) = (Arc::clone(&f), scope.clone());
            let mut flow = Some(flow);
            Box::new(iter::from_fn(move || {
                let records = Partition::new(flow.take()?, &scope);
                if let Err(error) = f(&scope.task(), records).outcome() {
                    scope.fail(crate::flow::failed(error));
                }
                None::<()>
            }))
        });
        let action = done.ask(ActionKind::Count);
        action.with(|action| action.to_stdout = false)
    }
}
