//! What the function of an application is given.
//!
//! Responsible for the application while it is being described, in either of two
//! places. In the driver it grows a plan; in executors nothing is planned and no file
//! looked for, and only the functions count, which are registered in both alike.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use mesquite_engine::executor::functions::Functions;
use mesquite_workload::plan::application::{Action, ActionKind, Application};
use mesquite_workload::plan::native::{FunctionId, Native};
use mesquite_workload::plan::{ApplicationBuilder, PlanError};

use crate::BoxError;
use crate::broadcast::Broadcast;
use crate::codec::{CodecError, Record, decode, encode};
use crate::registry::{Function, Registered, Registry, build};
use crate::settings::Settings;
use mesquite_base::ids::DatasetId;

/// What the function of an application is given: from here come its arguments and its
/// first datasets.
///
/// Mistakes (files that are not there, wrong numbers of partitions) are not told one by
/// one where they are made: all of them are, each with its place, when the function
/// is done, and then nothing runs.
#[derive(Clone)]
pub struct Context {
    inner: Rc<Inner>,
}

struct Inner {
    arguments: Vec<String>,
    /// In an executor: values of the driver that have not been asked for yet.
    given: Option<RefCell<VecDeque<String>>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    builder: ApplicationBuilder,
    functions: Vec<Registered>,
    values: Vec<String>,
    problems: Vec<String>,
    asked: Vec<AskedAction>,
}

/// Something asked of a dataset, and what is done with the answer.
pub(crate) struct AskedAction {
    pub(crate) dataset: Option<DatasetId>,
    pub(crate) action: Action,
    pub(crate) then: Option<Then>,
}

/// What is done with records, chunk by chunk.
type WithRecords = Box<dyn FnOnce(&[Bytes]) -> Result<(), BoxError>>;

/// What is done in the driver with a result.
pub(crate) enum Then {
    Count(Box<dyn FnOnce(u64) -> Result<(), BoxError>>),
    Records(WithRecords),
}

/// What is done with results, by the place of their actions.
#[derive(Default)]
pub struct Results(Vec<Option<Then>>);

impl Results {
    /// Whether the application itself does something with the result of an action.
    pub fn are_wanted(&self, action: usize) -> bool {
        matches!(self.0.get(action), Some(Some(_)))
    }

    /// The actions with whose results it does.
    pub fn wanted(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len()).filter(|action| self.are_wanted(*action))
    }

    /// An action counted so many records.
    ///
    /// # Errors
    /// What is done with it failed.
    pub fn counted(&mut self, action: usize, records: u64) -> Result<(), BoxError> {
        match self.0.get_mut(action).and_then(Option::take) {
            Some(Then::Count(then)) => then(records),
            Some(Then::Records(_)) | None => Ok(()),
        }
    }

    /// An action collected these records, chunk by chunk.
    ///
    /// # Errors
    /// What is done with them failed.
    pub fn collected(&mut self, action: usize, records: &[Bytes]) -> Result<(), BoxError> {
        match self.0.get_mut(action).and_then(Option::take) {
            Some(Then::Records(then)) => then(records),
            Some(Then::Count(_)) | None => Ok(()),
        }
    }
}

/// An application that has been described.
pub struct Described {
    /// What is to be run.
    pub application: Application,
    /// Its functions, for tasks that run in the driver.
    pub functions: Arc<dyn Functions>,
    /// What is done with results.
    pub results: Results,
}

impl Context {
    /// In the driver. Shuffles make so many partitions unless they say so.
    pub fn of_driver(arguments: Vec<String>, parallelism: Option<u32>) -> Self {
        let context = Self::new(arguments, None);
        let mut state = context.inner.state.borrow_mut();
        state.builder.default_parallelism(parallelism);
        drop(state);
        context
    }

    pub(crate) fn of_executor(arguments: Vec<String>, values: Vec<String>) -> Self {
        Self::new(arguments, Some(RefCell::new(values.into())))
    }

    fn new(arguments: Vec<String>, given: Option<RefCell<VecDeque<String>>>) -> Self {
        Self {
            inner: Rc::new(Inner {
                arguments,
                given,
                state: RefCell::default(),
            }),
        }
    }

    // --- for applications

    /// What was given on the command line behind the options of Mesquite. Executors
    /// have the same.
    pub fn arguments(&self) -> &[String] {
        &self.inner.arguments
    }

    /// A value that the driver makes and all tasks have: what is read from files of the
    /// driver's machine, drawn at random, or costs much. It is made in the driver
    /// alone, and sent to each executor once.
    ///
    /// # Errors
    /// It cannot be made, or not be written.
    ///
    /// ```
    /// # fn app(cx: &mesquite_native::Context) -> Result<(), mesquite_native::BoxError> {
    /// let stop = cx.broadcast(|| std::fs::read_to_string("stop.txt"))?;
    /// let words = cx.text("docs/*.md").filter(move |word| !stop.contains(word));
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast<T: Record + Sync, E: Into<BoxError>>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Broadcast<T>, BoxError> {
        let value = match &self.inner.given {
            Some(given) => {
                let next = given.borrow_mut().pop_front();
                let next = next.ok_or("the driver sent fewer values than are asked for here")?;
                decode::<(T,)>(next.as_bytes())?.0
            }
            None => {
                let value = make().map_err(Into::into)?;
                let written = field(&value)?;
                self.inner.state.borrow_mut().values.push(written);
                value
            }
        };
        Ok(Broadcast(Arc::new(value)))
    }

    // --- for datasets

    pub(crate) fn is_executor(&self) -> bool {
        self.inner.given.is_some()
    }

    pub(crate) fn problem<T>(&self, text: String) -> Option<T> {
        self.inner.state.borrow_mut().problems.push(text);
        None
    }

    /// Adds a dataset to the plan; in an executor there is none.
    pub(crate) fn add(
        &self,
        settings: &Settings,
        add: impl FnOnce(&mut ApplicationBuilder, &str) -> Result<DatasetId, PlanError>,
    ) -> Option<DatasetId> {
        if self.is_executor() {
            return None;
        }
        let mut state = self.inner.state.borrow_mut();
        if settings.persist {
            state.builder.persist();
        }
        match add(&mut state.builder, &settings.name()) {
            Ok(dataset) => Some(dataset),
            Err(error) => {
                let place = settings.place;
                state.problems.push(format!("{place}: {error}"));
                None
            }
        }
    }

    pub(crate) fn register(&self, label: String, function: Function) -> FunctionId {
        let functions = &mut self.inner.state.borrow_mut().functions;
        functions.push(Registered { label, function });
        FunctionId(u32::try_from(functions.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn ask(&self, dataset: Option<DatasetId>, kind: ActionKind) -> usize {
        let asked = &mut self.inner.state.borrow_mut().asked;
        let action = Action::new(dataset.unwrap_or(DatasetId(0)), kind);
        asked.push(AskedAction {
            dataset,
            action,
            then: None,
        });
        asked.len() - 1
    }

    pub(crate) fn change(&self, action: usize, change: impl FnOnce(&mut AskedAction)) {
        change(&mut self.inner.state.borrow_mut().asked[action]);
    }

    // --- for whoever runs it

    pub(crate) fn into_registry(self) -> Registry {
        Registry(std::mem::take(&mut self.inner.state.borrow_mut().functions))
    }

    /// The application, once its function is done.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn finish(self) -> Result<Described, Vec<String>> {
        let state = std::mem::take(&mut *self.inner.state.borrow_mut());
        let mut problems = state.problems;
        if state.asked.is_empty() && problems.is_empty() {
            let why = "nothing is asked of any dataset: `count`, `collect`, `save` or `for_each_partition`";
            problems.push(why.into());
        }
        let build = build().map_err(|error| format!("cannot read the program: {error}"));
        let build = build.unwrap_or_else(|problem| {
            problems.push(problem);
            String::new()
        });
        let mut builder = state.builder;
        let mut results = Vec::new();
        for asked in state.asked {
            if asked.dataset.is_some() {
                builder.add_action(asked.action);
                results.push(asked.then);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let registry = Registry(state.functions);
        builder.native(Native {
            arguments: self.inner.arguments.clone(),
            values: state.values,
            functions: registry.0.iter().map(|it| it.label.clone()).collect(),
            build,
        });
        Ok(Described {
            application: builder.build(),
            functions: Arc::new(registry),
            results: Results(results),
        })
    }
}

/// A value as a text.
pub(crate) fn field<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, CodecError> {
    let mut text = Vec::new();
    encode(&(value,), &mut text)?;
    String::from_utf8(text).map_err(|_| CodecError::NotUtf8)
}

#[cfg(test)]
mod tests;
