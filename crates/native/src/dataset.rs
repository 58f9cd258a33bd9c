//! Datasets of records of one type.
//!
//! Responsible for the chains of closures between one dataset of the plan and the
//! next: a chain is one function, in which records are values from its beginning to its
//! end. It becomes a dataset of the plan when a shuffle or an action wants its records,
//! or they are to be kept.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use mesquite_base::ids::{DatasetId, Host};
use mesquite_engine::executor::functions::Input;
use mesquite_engine::task::TaskError;
use mesquite_workload::plan::native::NativeSource;
use mesquite_workload::plan::operation::Change;

use crate::BoxError;
use crate::call_site::CallSite;
use crate::codec::Record;
use crate::context::Context;
use crate::flow::{Decoded, Encoded, Fallible, Flow, Make, Partition, Scope, Sourced, failed};
use crate::settings::Settings;
use crate::source::{Placed, Task};

/// Records of one type, in partitions: what is to be computed, not what has been.
///
/// Cheap to clone. A dataset that is used twice is computed twice, unless it is
/// [kept](Self::persist).
#[must_use = "a dataset is not computed until something is asked of it"]
pub struct Dataset<T> {
    node: Rc<Node<T>>,
}

impl<T> Clone for Dataset<T> {
    fn clone(&self) -> Self {
        Self {
            node: Rc::clone(&self.node),
        }
    }
}

type Plan = Rc<dyn Fn(&Context, &Settings) -> Option<DatasetId>>;

/// A dataset of the plan: made once, when it is asked for.
struct Lazy {
    settings: Settings,
    is_shuffled: bool,
    plan: Plan,
    known: OnceCell<Option<DatasetId>>,
}

impl Lazy {
    const fn new(settings: Settings, is_shuffled: bool, plan: Plan) -> Self {
        Self {
            settings,
            is_shuffled,
            plan,
            known: OnceCell::new(),
        }
    }

    /// The same dataset once more, with other settings.
    fn anew(&self, settings: Settings) -> Origin {
        let plan = Rc::clone(&self.plan);
        Origin::Dataset(Rc::new(Self::new(settings, self.is_shuffled, plan)))
    }

    fn planned(&self, context: &Context) -> Option<DatasetId> {
        *self
            .known
            .get_or_init(|| (self.plan)(context, &self.settings))
    }
}

/// Where a chain of closures begins.
#[derive(Clone)]
enum Origin {
    Dataset(Rc<Lazy>),
    Source {
        parts: Arc<[String]>,
        hosts: Rc<[Vec<Host>]>,
    },
}

struct Node<T> {
    context: Context,
    settings: Settings,
    origin: Origin,
    make: Make<T>,
    /// Whether the records are the origin's lines.
    is_plain: bool,
    order_sensitive: bool,
    known: OnceCell<Option<DatasetId>>,
}

impl<T: Record> Dataset<T> {
    /// The records of a dataset that the plan is to have, whose lines are such records.
    pub(crate) fn planned_by(
        context: &Context,
        place: CallSite,
        plan: impl Fn(&Context, &Settings) -> Option<DatasetId> + 'static,
    ) -> Self {
        let lazy = Lazy::new(Settings::new(place), false, Rc::new(plan));
        Self::of_lazy(context, lazy)
    }

    /// The same of one that begins with a shuffle.
    pub(crate) fn shuffled_by(
        context: &Context,
        place: CallSite,
        plan: impl Fn(&Context, &Settings) -> Option<DatasetId> + 'static,
    ) -> Self {
        let lazy = Lazy::new(Settings::new(place), true, Rc::new(plan));
        Self::of_lazy(context, lazy)
    }

    fn of_lazy(context: &Context, lazy: Lazy) -> Self {
        let settings = lazy.settings.clone();
        let make: Make<T> = Arc::new(|input, scope| match input {
            Input::Records(records) => Box::new(Decoded::new(records, scope)),
            Input::Partition(_) => ended(scope, "it is no source"),
        });
        Self::new(Node {
            context: context.clone(),
            settings,
            origin: Origin::Dataset(Rc::new(lazy)),
            make,
            is_plain: true,
            order_sensitive: false,
            known: OnceCell::new(),
        })
    }

    /// The dataset of the plan that has its records.
    pub(crate) fn planned(&self) -> Option<DatasetId> {
        let node = &self.node;
        *node.known.get_or_init(|| match &node.origin {
            Origin::Dataset(lazy) if node.is_plain => lazy.planned(&node.context),
            _ => node.planned_with(&node.settings),
        })
    }

    /// Keeps its partitions with the executors that make them, in memory or else on
    /// disk: whoever reads it next has them from there.
    pub fn persist(self) -> Self {
        let node = &self.node;
        let mut settings = node.settings.clone();
        settings.persist = true;
        let lazy = match &node.origin {
            Origin::Dataset(lazy) if node.is_plain => {
                Lazy::new(settings, lazy.is_shuffled, Rc::clone(&lazy.plan))
            }
            _ => {
                let chain = Rc::clone(node);
                let plan: Plan = Rc::new(move |_, settings| chain.planned_with(settings));
                Lazy::new(settings, false, plan)
            }
        };
        Self::of_lazy(&node.context, lazy)
    }

    /// Gives it a name, by which it is called in progress, errors and summaries; else
    /// that is where it was made.
    pub fn named(self, name: impl Into<Arc<str>>) -> Self {
        let node = &self.node;
        let mut settings = node.settings.clone();
        settings.named = Some(name.into());
        let origin = match &node.origin {
            Origin::Dataset(lazy) if node.is_plain => lazy.anew(settings.clone()),
            origin => origin.clone(),
        };
        self.again(settings, origin)
    }

    /// Into how many partitions the shuffle spreads its records that made it; else it
    /// is `spark.default.parallelism`, or as many as the larger of what it is made from
    /// has. To be said directly of what a shuffle made.
    #[track_caller]
    pub fn partitions(self, partitions: u32) -> Self {
        let node = &self.node;
        match &node.origin {
            Origin::Dataset(lazy) if lazy.is_shuffled => {
                let mut settings = lazy.settings.clone();
                settings.partitions = Some(partitions);
                self.again(node.settings.clone(), lazy.anew(settings))
            }
            _ => {
                let (place, name) = (CallSite::of("partitions"), node.settings.name());
                let _: Option<()> = node.context.problem(format!(
                    "{place}: `{name}` is not made by a shuffle: say it directly behind one, or \
                     use `repartition`"
                ));
                self
            }
        }
    }

    /// The same records under other settings.
    fn again(&self, settings: Settings, origin: Origin) -> Self {
        let node = &self.node;
        Self::new(Node {
            context: node.context.clone(),
            settings,
            origin,
            make: Arc::clone(&node.make),
            is_plain: node.is_plain,
            order_sensitive: node.order_sensitive,
            known: OnceCell::new(),
        })
    }
}

impl<T: Record> Node<T> {
    /// Adds its closures to the plan, as one function.
    fn planned_with(&self, settings: &Settings) -> Option<DatasetId> {
        let context = &self.context;
        // Whatever is not there in an executor: functions are registered all the same.
        let from = match &self.origin {
            Origin::Dataset(lazy) => Some(lazy.planned(context)),
            Origin::Source { .. } => None,
        };
        let name = settings.name();
        let label = format!("{name}, of {}", std::any::type_name::<T>());
        let make = Arc::clone(&self.make);
        let of = Arc::clone(&name);
        let function = context.register(
            label,
            Arc::new(move |input, task| {
                let make = Arc::clone(&make);
                Box::new(Encoded::new(Arc::clone(&of), make, input, task))
            }),
        );
        match (&self.origin, from) {
            (Origin::Source { parts, hosts }, _) => {
                let partitions = Arc::clone(parts);
                let source = NativeSource {
                    function,
                    partitions,
                };
                context.add(settings, |builder, name| {
                    builder.native_source(name, source, hosts.to_vec())
                })
            }
            (Origin::Dataset(_), from) => {
                let from = from.flatten()?;
                context.add(settings, |builder, name| {
                    let by_order = self.order_sensitive;
                    builder.change(name, from, Change::Native { function, by_order })
                })
            }
        }
    }
}

/// Reads a partition of a source.
pub(crate) type ReadPart<T> =
    Result<Box<dyn Iterator<Item = Result<T, BoxError>> + Send>, BoxError>;

impl<T: Record> Dataset<T> {
    /// The records of a source of the user's.
    pub(crate) fn sourced(
        context: &Context,
        place: CallSite,
        parts: Result<Vec<Placed<String>>, BoxError>,
        read: impl Fn(&str, &Task) -> ReadPart<T> + Send + Sync + 'static,
    ) -> Self {
        let parts = parts.unwrap_or_else(|error| {
            let told = format!("{place}: {}", crate::chain(&*error));
            let _: Option<()> = context.problem(told);
            Vec::new()
        });
        let hosts = parts.iter().map(|part| {
            let hosts = part.hosts.iter();
            hosts.map(|host| Host::from(host.as_str())).collect()
        });
        let hosts: Vec<Vec<Host>> = hosts.collect();
        let make: Make<T> = Arc::new(move |input, scope| {
            let Input::Partition(part) = input else {
                return ended(scope, "it is a source");
            };
            match read(&part, &scope.task()) {
                Ok(results) => {
                    let scope = scope.clone();
                    let records = Fallible {
                        results,
                        scope: scope.clone(),
                    };
                    Box::new(Sourced::new(Box::new(records), &scope))
                }
                Err(error) => {
                    scope.fail(failed(error));
                    Box::new(std::iter::empty())
                }
            }
        });
        Self::new(Node {
            context: context.clone(),
            settings: Settings::new(place),
            origin: Origin::Source {
                parts: parts.into_iter().map(|part| part.partition).collect(),
                hosts: hosts.into(),
            },
            make,
            is_plain: false,
            order_sensitive: false,
            known: OnceCell::new(),
        })
    }
}

/// A flow that fails its task: the program and its functions do not fit together.
fn ended<T: 'static>(scope: &Scope, why: &str) -> Flow<T> {
    scope.fail(TaskError::Permanent(format!(
        "the function is given something else than it takes: {why}"
    )));
    Box::new(std::iter::empty())
}

impl<T: Send + 'static> Dataset<T> {
    fn new(node: Node<T>) -> Self {
        Self {
            node: Rc::new(node),
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.node.context
    }

    /// What closures make of each partition, in the same task.
    pub(crate) fn derived<U: Send + 'static>(
        &self,
        place: CallSite,
        make: impl Fn(Flow<T>, &Scope) -> Flow<U> + Send + Sync + 'static,
    ) -> Dataset<U> {
        let node = &self.node;
        let before = Arc::clone(&node.make);
        Dataset::new(Node {
            context: node.context.clone(),
            settings: Settings::new(place),
            origin: node.origin.clone(),
            make: Arc::new(move |input, scope| make(before(input, scope), scope)),
            is_plain: false,
            order_sensitive: node.order_sensitive,
            known: OnceCell::new(),
        })
    }

    /// Says that its records depend on the order of those it is made from.
    pub(crate) fn order_sensitive(self) -> Self {
        let node = &self.node;
        Self::new(Node {
            context: node.context.clone(),
            settings: node.settings.clone(),
            origin: node.origin.clone(),
            make: Arc::clone(&node.make),
            is_plain: false,
            order_sensitive: true,
            known: OnceCell::new(),
        })
    }

    /// What a closure makes of each record.
    #[track_caller]
    pub fn map<U: Send + 'static>(&self, f: impl Fn(T) -> U + Send + Sync + 'static) -> Dataset<U> {
        let f = Arc::new(f);
        self.derived(CallSite::of("map"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.map(move |it| f(it)))
        })
    }

    /// What a closure makes of each record, if it can: its first error fails the task,
    /// which is tried again.
    #[track_caller]
    pub fn try_map<U: Send + 'static, E: Into<BoxError> + 'static>(
        &self,
        f: impl Fn(T) -> Result<U, E> + Send + Sync + 'static,
    ) -> Dataset<U> {
        let f = Arc::new(f);
        self.derived(CallSite::of("try_map"), move |flow, scope| {
            let f = Arc::clone(&f);
            let results = flow.map(move |it| f(it));
            let scope = scope.clone();
            Box::new(Fallible { results, scope })
        })
    }

    /// The records of which a closure says so.
    #[track_caller]
    pub fn filter(&self, f: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        let f = Arc::new(f);
        self.derived(CallSite::of("filter"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.filter(move |it| f(it)))
        })
    }

    /// What a closure makes of each record, if it makes something of it.
    #[track_caller]
    pub fn filter_map<U: Send + 'static>(
        &self,
        f: impl Fn(T) -> Option<U> + Send + Sync + 'static,
    ) -> Dataset<U> {
        let f = Arc::new(f);
        self.derived(CallSite::of("filter_map"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.filter_map(move |it| f(it)))
        })
    }

    /// All that a closure makes of each record.
    #[track_caller]
    pub fn flat_map<U, I>(&self, f: impl Fn(T) -> I + Send + Sync + 'static) -> Dataset<U>
    where
        U: Send + 'static,
        I: IntoIterator<Item = U> + 'static,
        I::IntoIter: Send,
    {
        let f = Arc::new(f);
        self.derived(CallSite::of("flat_map"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.flat_map(move |it| f(it)))
        })
    }

    /// What a closure makes of all records of a partition: it is given them as an
    /// iterator, and gives another one, so that neither has to be in memory.
    #[track_caller]
    pub fn map_partitions<U, I>(
        &self,
        f: impl Fn(&Task, Partition<T>) -> I + Send + Sync + 'static,
    ) -> Dataset<U>
    where
        U: Send + 'static,
        I: IntoIterator<Item = U> + 'static,
        I::IntoIter: Send,
    {
        let made = self.derived(CallSite::of("map_partitions"), move |flow, scope| {
            let records = Partition::new(flow, scope);
            Box::new(f(&scope.task(), records).into_iter())
        });
        made.order_sensitive()
    }

    /// Pairs of what a closure makes of each record, its key, and the record.
    #[track_caller]
    pub fn key_by<K: Send + 'static>(
        &self,
        f: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> Dataset<(K, T)> {
        let f = Arc::new(f);
        self.derived(CallSite::of("key_by"), move |flow, _| {
            let f = Arc::clone(&f);
            Box::new(flow.map(move |it| (f(&it), it)))
        })
    }
}
