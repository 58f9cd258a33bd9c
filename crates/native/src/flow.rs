//! Records between the engine, which has lines, and closures, which have values.
//!
//! Responsible for reading lines as records and writing them again, one chunk at a
//! time, and for the end of a task whose closures fail: what they cannot read or
//! write, what they panic with, and what ended their input.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr;
use mesquite_engine::executor::functions::Input;
use mesquite_engine::task::{CHUNK, Metrics, Records, TaskContext, TaskError};

use crate::codec::{Record, decode, encode};
use crate::panics::{caught, cut};
use crate::source::Task;

/// Records on their way through the closures of one task.
pub(crate) type Flow<T> = Box<dyn Iterator<Item = T> + Send>;

/// Makes the records of a partition out of what it begins with.
pub(crate) type Make<T> = Arc<dyn Fn(Input, &Scope) -> Flow<T> + Send + Sync>;

/// What the closures of one task share.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) context: TaskContext,
    failure: Failure,
}

/// Why a flow ended before its end, if it did.
#[derive(Clone, Default)]
struct Failure(Arc<Mutex<Option<TaskError>>>);

impl Failure {
    fn lock(&self) -> MutexGuard<'_, Option<TaskError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    pub(crate) fn new(context: TaskContext) -> Self {
        Self {
            context,
            failure: Failure::default(),
        }
    }

    /// Which task it is.
    pub(crate) fn task(&self) -> Task {
        Task {
            partition: self.context.part.0,
            attempt: self.context.attempt,
            stage: self.context.stage.0,
            job: self.context.job.0,
        }
    }

    /// The task fails for this; whoever says so ends its flow. The first reason counts.
    pub(crate) fn fail(&self, error: TaskError) {
        self.failure.lock().get_or_insert(error);
    }

    fn has_failed(&self) -> bool {
        self.failure.lock().is_some()
    }

    fn failure(&self) -> Option<TaskError> {
        self.failure.lock().take()
    }
}

/// Reads lines as records.
pub(crate) struct Decoded<T> {
    records: Box<dyn Records>,
    chunk: Vec<u8>,
    at: usize,
    is_over: bool,
    scope: Scope,
    of: PhantomData<fn() -> T>,
}

impl<T> Decoded<T> {
    pub(crate) fn new(records: Box<dyn Records>, scope: &Scope) -> Self {
        Self {
            records,
            chunk: Vec::new(),
            at: 0,
            is_over: false,
            scope: scope.clone(),
            of: PhantomData,
        }
    }

    fn end(&mut self, error: Option<TaskError>) -> Option<T> {
        self.is_over = true;
        if let Some(error) = error {
            self.scope.fail(error);
        }
        None
    }
}

impl<T: Record> Iterator for Decoded<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.is_over {
            return None;
        }
        if self.at == self.chunk.len() {
            self.at = 0;
            match self.records.next(&mut self.chunk) {
                Ok(true) => {}
                Ok(false) => return self.end(None),
                Err(error) => return self.end(Some(error)),
            }
        }
        let rest = &self.chunk[self.at..];
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        match decode(line) {
            Ok(record) => {
                self.at = (self.at + end + 1).min(self.chunk.len());
                Some(record)
            }
            Err(error) => {
                const SHOWN: usize = 200;
                let shown = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]);
                let of = std::any::type_name::<T>();
                let told = format!("`{shown}` cannot be read as {of}: {error}");
                self.end(Some(TaskError::Permanent(told)))
            }
        }
    }
}

/// Writes records as lines, once somebody asks for them.
pub(crate) struct Encoded<T> {
    name: Arc<str>,
    /// Taken when the first records are wanted.
    begin: Option<(Make<T>, Input)>,
    flow: Flow<T>,
    is_over: bool,
    scope: Scope,
}

impl<T: Record> Encoded<T> {
    pub(crate) fn new(name: Arc<str>, make: Make<T>, input: Input, context: TaskContext) -> Self {
        Self {
            name,
            begin: Some((make, input)),
            flow: Box::new(std::iter::empty()),
            is_over: false,
            scope: Scope::new(context),
        }
    }

    fn fill(&mut self, chunk: &mut Vec<u8>) {
        if let Some((make, input)) = self.begin.take() {
            self.flow = make(input, &self.scope);
        }
        while chunk.len() < CHUNK {
            let Some(record) = self.flow.next() else {
                self.is_over = true;
                return;
            };
            if let Err(error) = encode(&record, chunk) {
                self.is_over = true;
                let of = std::any::type_name::<T>();
                let told = format!("a record of {of} cannot be written: {error}");
                return self.scope.fail(TaskError::Permanent(told));
            }
            chunk.push(b'\n');
        }
    }

    /// With whose closures it failed.
    fn named(&self, error: TaskError) -> TaskError {
        let named = |what: &str| format!("`{}`: {what}", self.name);
        match error {
            TaskError::Failed(what) => TaskError::Failed(named(&what)),
            TaskError::Permanent(what) => TaskError::Permanent(named(&what)),
            other => other,
        }
    }
}

impl<T: Record> Records for Encoded<T> {
    fn next(&mut self, chunk: &mut Vec<u8>) -> Result<bool, TaskError> {
        chunk.clear();
        self.scope.context.cancel.check()?;
        if self.is_over {
            return Ok(false);
        }
        let filled = caught(|| self.fill(chunk));
        let failed = match (self.scope.failure(), filled) {
            (Some(error), _) => Some(error),
            (None, Err(panic)) => Some(TaskError::Failed(panic.told)),
            (None, Ok(())) => None,
        };
        match failed {
            Some(error) => Err(self.named(error)),
            None => Ok(!chunk.is_empty()),
        }
    }
}

/// The records of a partition, for a closure that takes them all.
///
/// An iterator of values, read as they are asked for. Where the input cannot be read
/// to its end, because the task is to stop or a map output is gone, it does not
/// end: it unwinds, as a panic does, through the closure. So whatever comes behind the
/// last record is done only if that was the last.
pub struct Partition<T> {
    flow: Flow<T>,
    scope: Scope,
}

impl<T> Partition<T> {
    pub(crate) fn new(flow: Flow<T>, scope: &Scope) -> Self {
        Self {
            flow,
            scope: scope.clone(),
        }
    }
}

impl<T> Iterator for Partition<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let next = self.flow.next();
        if next.is_none() && self.scope.has_failed() {
            cut();
        }
        next
    }
}

/// So many records are made before it is asked whether the task is to stop.
const UNASKED: u64 = 1024;

/// The records of a source, counted.
pub(crate) struct Sourced<T> {
    flow: Flow<T>,
    count: u64,
    scope: Scope,
}

impl<T> Sourced<T> {
    pub(crate) fn new(flow: Flow<T>, scope: &Scope) -> Self {
        Self {
            flow,
            count: 0,
            scope: scope.clone(),
        }
    }

    fn tell(&mut self) {
        let count = std::mem::take(&mut self.count);
        Metrics::add(&self.scope.context.metrics.records_read, count);
    }
}

impl<T> Iterator for Sourced<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.count == UNASKED {
            self.tell();
            if let Err(killed) = self.scope.context.cancel.check() {
                self.scope.fail(killed);
                return None;
            }
        }
        let next = self.flow.next();
        match next {
            Some(_) => self.count += 1,
            None => self.tell(),
        }
        next
    }
}

/// Ends at the first error, by which the task fails.
pub(crate) struct Fallible<I> {
    pub(crate) results: I,
    pub(crate) scope: Scope,
}

impl<I, T, E> Iterator for Fallible<I>
where
    I: Iterator<Item = Result<T, E>>,
    E: Into<crate::BoxError>,
{
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.scope.has_failed() {
            return None;
        }
        match self.results.next()? {
            Ok(value) => Some(value),
            Err(error) => {
                self.scope.fail(failed(error));
                None
            }
        }
    }
}

/// What the user's own code says went wrong, with its causes.
pub(crate) fn failed(error: impl Into<crate::BoxError>) -> TaskError {
    TaskError::Failed(crate::chain(&*error.into()))
}

#[cfg(test)]
mod tests;
