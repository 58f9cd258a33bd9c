//! What is asked for, by path and query. Pure.
//!
//! Responsible for every path there is; what queries may say is `query`'s business. Names of
//! applications are looked up and never become paths of files.

mod query;

use std::fmt;

use mesquite_core::store::attempts::State;
use mesquite_core::store::measures::Measure;
use mesquite_core::store::query::{Order, Wanted};
use percent_encoding::percent_decode_str;

use self::query::{QUANTILES, Query};

/// The most rows of a page for people.
const PAGE: usize = 100;

/// The longest path and query that are looked at.
const LONGEST: usize = 4096;

/// Whose pages or answers are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The application.
    pub app: String,
    /// Which attempt at it, if that is said.
    pub attempt: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// The list of applications.
    List,
    /// The look of all pages.
    Style,
    /// Whether it serves.
    Health,
    /// For Prometheus.
    Metrics,
    /// A page of an application.
    Page(Whose, Page),
    /// Something of Spark's API.
    Api(Api),
    /// Something beside it, of a run that lasts.
    Own(Own),
    /// For Prometheus, of the executors of a run that lasts.
    ExecutorMetrics,
    /// What keeps the pages of a run that lasts up to date.
    Script,
    /// A page that stands elsewhere.
    Moved(String),
}

/// What there is of a run that lasts beside Spark's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Why tasks wait.
    Waiting,
    /// What became of offers.
    Offers,
    /// What happened when.
    Timeline,
    /// What happens, as a stream, from this number on.
    Events(u64),
    /// What the commands of an attempt wrote to stderr.
    Log(NamedAttempt),
}

/// An attempt at a task, as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedAttempt {
    /// By its number.
    Task(u64),
    /// By what it computes.
    At {
        /// The stage.
        stage: u32,
        /// The partition.
        partition: u32,
        /// Which attempt at that; the last one if that is not said.
        attempt: Option<u32>,
    },
}

impl NamedAttempt {
    /// `TASK`, `STAGE.PARTITION` or `STAGE.PARTITION.ATTEMPT`; none if it is nothing such.
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('.').collect();
        let at = |stage: &str, partition: &str, attempt| {
            Some(Self::At {
                stage: stage.parse().ok()?,
                partition: partition.parse().ok()?,
                attempt,
            })
        };
        match parts[..] {
            [task] => task.parse().ok().map(Self::Task),
            [stage, partition] => at(stage, partition, None),
            [stage, partition, attempt] => at(stage, partition, Some(attempt.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for NamedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => write!(f, "{task}"),
            Self::At {
                stage,
                partition,
                attempt,
            } => {
                write!(f, "{stage}.{partition}")?;
                attempt.map_or(Ok(()), |it| write!(f, ".{it}"))
            }
        }
    }
}

/// A page of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// What became of it, its jobs and stages.
    Overview,
    /// A stage.
    Stage(u32, u32),
    /// The tasks of a stage.
    Tasks(u32, u32, TaskPage),
    /// The executors.
    Executors,
    /// What waits and why, and what became of offers.
    Waiting,
    /// What it was set to.
    Settings,
}

/// Which tasks a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPage {
    /// The word for the order, as it stands in a query.
    pub sort: &'static str,
    /// Whether the order is the other way round.
    pub descending: bool,
    /// The state that they are in, if not any.
    pub state: Option<State>,
    /// How many are passed over.
    pub offset: usize,
}

/// The orders of a page of tasks.
const ORDERS: [(&str, Order); 11] = [
    ("task", Order::Task),
    ("duration", Order::Duration),
    ("run", Order::Measure(Measure::RunTime)),
    ("processor", Order::Measure(Measure::CpuTime)),
    ("memory", Order::Measure(Measure::PeakMemory)),
    ("input", Order::Measure(Measure::InputBytes)),
    ("remote", Order::Measure(Measure::RemoteBytes)),
    ("local", Order::Measure(Measure::LocalBytes)),
    ("written", Order::Measure(Measure::ShuffleBytesWritten)),
    ("output", Order::Measure(Measure::OutputBytes)),
    ("spilled", Order::Measure(Measure::DiskSpilled)),
];

impl TaskPage {
    /// Which rows these are.
    pub fn wanted(&self) -> Wanted {
        let order = ORDERS.iter().find(|(word, _)| *word == self.sort);
        Wanted {
            states: self.state.into_iter().collect(),
            order: order.map_or(Order::Task, |(_, order)| *order),
            descending: self.descending,
            offset: self.offset,
            length: PAGE,
        }
    }

    /// How many rows a page has at most.
    pub const fn length(&self) -> usize {
        PAGE
    }
}

/// Which applications are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applications {
    /// `completed` or `running`; both if it says nothing.
    pub completed: Option<bool>,
    /// They began then or later: milliseconds since the Unix epoch.
    pub min_date: Option<u64>,
    /// They began then or earlier.
    pub max_date: Option<u64>,
    /// They ended then or later.
    pub min_end_date: Option<u64>,
    /// They ended then or earlier.
    pub max_end_date: Option<u64>,
    /// So many at most.
    pub limit: Option<usize>,
}

/// How much of stages is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageDetail {
    /// Their tasks and executors too.
    pub details: bool,
    /// Quantiles of what their tasks and executors measured, too, at these parts.
    pub summaries: Option<Vec<f64>>,
    /// Of their tasks those in these states.
    pub task_states: Vec<State>,
}

/// Something of Spark's API.
#[derive(Clone, Debug, PartialEq)]
pub enum Api {
    /// Which version answers.
    Version,
    /// All applications.
    Applications(Applications),
    /// One, with its attempts.
    Application(String),
    /// Something of an attempt at an application.
    Of(Whose, Of),
}

/// Something of an attempt at an application.
#[derive(Clone, Debug, PartialEq)]
pub enum Of {
    /// The attempt itself.
    Attempt,
    /// Its jobs, in one of these states.
    Jobs(Vec<String>),
    /// A job.
    Job(u32),
    /// Its stages, in one of these states.
    Stages(Vec<String>, StageDetail),
    /// All attempts at a stage.
    StageAttempts(u32, StageDetail),
    /// An attempt at a stage.
    Stage(u32, u32, StageDetail),
    /// Quantiles of what its tasks measured.
    TaskSummary(u32, u32, Vec<f64>),
    /// Its tasks.
    TaskList(u32, u32, Wanted),
    /// Executors that are there.
    Executors,
    /// Those that were, too.
    AllExecutors,
    /// Other processes: none.
    Processes,
    /// Persisted datasets, as far as a log tells: none.
    Storage,
    /// What it was set to.
    Environment,
    /// Statements of SQL, as Spark has them: none.
    Sql,
    /// Its log, as a zip.
    Logs,
}

/// Why there is no such route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing is there.
    NotFound,
    /// The query asks for what cannot be.
    Query(String),
}

/// What is asked for of a history.
///
/// # Errors
/// There is no such thing.
pub fn route(path: &str, query: &str) -> Result<Route, NoRoute> {
    routed(path, query, None)
}

/// What is asked for of a run that lasts, whose id is `app`: its pages are at the root,
/// and where the history has them.
///
/// # Errors
/// There is no such thing.
pub fn of_run(path: &str, query: &str, app: &str) -> Result<Route, NoRoute> {
    routed(path, query, Some(app))
}

fn routed(path: &str, query: &str, only: Option<&str>) -> Result<Route, NoRoute> {
    if path.len() + query.len() > LONGEST {
        return Err(NoRoute::Query("the path and query are too long".into()));
    }
    let query = Query::read(query);
    let parts: Result<Vec<_>, _> = path
        .split('/')
        .filter(|it| !it.is_empty())
        .map(|it| percent_decode_str(it).decode_utf8())
        .collect();
    let parts = parts.map_err(|_| NoRoute::NotFound)?;
    let parts: Vec<&str> = parts.iter().map(|it| &**it).collect();
    match (&parts[..], only) {
        ([], Some(app)) => page("/", app, &parts, &query),
        ([first, ..], Some(app)) if PAGES.contains(first) => page(path, app, &parts, &query),
        (["live.js"], Some(_)) => Ok(Route::Script),
        (["metrics", "executors", "prometheus"], Some(_)) => Ok(Route::ExecutorMetrics),
        (["api", "mesquite", "v1", what], Some(_)) => own(what, &query).map(Route::Own),
        (["api", "mesquite", "v1", "logs", attempt], Some(_)) => {
            let attempt = NamedAttempt::read(attempt).ok_or(NoRoute::NotFound)?;
            Ok(Route::Own(Own::Log(attempt)))
        }
        (parts, _) => elsewhere(path, parts, &query),
    }
}

fn elsewhere(path: &str, parts: &[&str], query: &Query<'_>) -> Result<Route, NoRoute> {
    match parts {
        [] => Ok(Route::List),
        ["style.css"] => Ok(Route::Style),
        ["healthz"] => Ok(Route::Health),
        ["metrics"] => Ok(Route::Metrics),
        ["history", app, rest @ ..] => page(path, app, rest, query),
        ["api", "v1", rest @ ..] => api(rest, query).map(Route::Api),
        _ => Err(NoRoute::NotFound),
    }
}

/// The words that a page's path goes on with; anything else there names an attempt.
const PAGES: [&str; 5] = ["jobs", "stages", "executors", "waiting", "settings"];

fn page(path: &str, app: &str, rest: &[&str], query: &Query<'_>) -> Result<Route, NoRoute> {
    // Links in pages are relative to the folder that each page is.
    if !path.ends_with('/') {
        let last = path.rsplit('/').next().unwrap_or_default();
        return Ok(Route::Moved(format!("{last}/")));
    }
    let (attempt, rest) = match rest {
        [first, rest @ ..] if !PAGES.contains(first) => (Some((*first).to_owned()), rest),
        rest => (None, rest),
    };
    let number = |text: &str| text.parse().map_err(|_| NoRoute::NotFound);
    let page = match rest {
        [] => Page::Overview,
        // As Spark's pages are called; both lists are in the overview here.
        ["jobs"] | ["stages"] => return Ok(Route::Moved("../".to_owned())),
        ["stages", stage, attempt] => Page::Stage(number(stage)?, number(attempt)?),
        ["stages", stage, attempt, "tasks"] => {
            Page::Tasks(number(stage)?, number(attempt)?, query.task_page()?)
        }
        ["executors"] => Page::Executors,
        ["waiting"] => Page::Waiting,
        ["settings"] => Page::Settings,
        _ => return Err(NoRoute::NotFound),
    };
    let app = app.to_string();
    Ok(Route::Page(Whose { app, attempt }, page))
}

fn own(what: &str, query: &Query<'_>) -> Result<Own, NoRoute> {
    match what {
        "waiting" => Ok(Own::Waiting),
        "offers" => Ok(Own::Offers),
        "timeline" => Ok(Own::Timeline),
        "events" => Ok(Own::Events(query.number("from")?.unwrap_or(0))),
        _ => Err(NoRoute::NotFound),
    }
}

fn api(parts: &[&str], query: &Query<'_>) -> Result<Api, NoRoute> {
    match parts {
        ["version"] => Ok(Api::Version),
        ["applications"] => Ok(Api::Applications(query.applications()?)),
        ["applications", app] => Ok(Api::Application((*app).to_owned())),
        ["applications", app, rest @ ..] => {
            let app = (*app).to_owned();
            if let Some(of) = of(rest, query)? {
                return Ok(Api::Of(Whose { app, attempt: None }, of));
            }
            let [attempt, rest @ ..] = rest else {
                return Err(NoRoute::NotFound);
            };
            let of = match rest {
                [] => Some(Of::Attempt),
                rest => of(rest, query)?,
            };
            let attempt = Some((*attempt).to_owned());
            of.map(|of| Api::Of(Whose { app, attempt }, of))
                .ok_or(NoRoute::NotFound)
        }
        _ => Err(NoRoute::NotFound),
    }
}

fn of(parts: &[&str], query: &Query<'_>) -> Result<Option<Of>, NoRoute> {
    let number = |text: &str| text.parse().map_err(|_| NoRoute::NotFound);
    Ok(Some(match parts {
        ["jobs"] => Of::Jobs(query.all("status")),
        ["jobs", job] => Of::Job(number(job)?),
        ["stages"] => Of::Stages(query.all("status"), query.detail(false)?),
        ["stages", stage] => Of::StageAttempts(number(stage)?, query.detail(true)?),
        ["stages", stage, attempt] => {
            Of::Stage(number(stage)?, number(attempt)?, query.detail(true)?)
        }
        ["stages", stage, attempt, "taskSummary"] => Of::TaskSummary(
            number(stage)?,
            number(attempt)?,
            query.quantiles(&QUANTILES)?,
        ),
        ["stages", stage, attempt, "taskList"] => {
            Of::TaskList(number(stage)?, number(attempt)?, query.task_list()?)
        }
        ["executors"] => Of::Executors,
        ["allexecutors"] => Of::AllExecutors,
        ["allmiscellaneousprocess"] => Of::Processes,
        ["storage", "rdd"] => Of::Storage,
        ["environment"] => Of::Environment,
        ["sql"] => Of::Sql,
        ["logs"] => Of::Logs,
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
