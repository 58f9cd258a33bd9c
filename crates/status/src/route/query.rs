//! What a query may say. Pure.
//!
//! Responsible for the values that are allowed, and for saying which is not; what they are
//! for is [`route`](super)'s business.

use std::borrow::Cow;

use mesquite_core::store::attempts::State;
use mesquite_core::store::query::{Order, Wanted};

use super::{Applications, NoRoute, ORDERS, PAGE, StageDetail, TaskPage};
use crate::time;

/// The quantiles that Spark gives of the tasks of a stage if none are asked for, and
/// those that it gives beside a stage.
pub(super) const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
const BESIDE: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// The names and values of a query.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Of what stands behind the question mark.
    pub(super) fn read(text: &'a str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).collect())
    }
}

impl Query<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| &**value)
    }

    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(it, _)| it == name);
        found.map(|(_, value)| value.to_uppercase()).collect()
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, NoRoute> {
        let wrong = |text: &str| NoRoute::Query(format!("{name}={text} is no number"));
        let value = self.get(name);
        value
            .map(|it| it.parse().map_err(|_| wrong(it)))
            .transpose()
    }

    fn is(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|it| it.eq_ignore_ascii_case("true"))
    }

    pub(super) fn quantiles(&self, usual: &[f64]) -> Result<Vec<f64>, NoRoute> {
        let Some(text) = self.get("quantiles") else {
            return Ok(usual.to_vec());
        };
        let read = |it: &str| it.trim().parse::<f64>().ok();
        let read = |it| read(it).filter(|it| (0.0..=1.0).contains(it));
        let parts: Option<Vec<_>> = text.split(',').map(read).collect();
        let mut parts = parts.ok_or_else(|| {
            NoRoute::Query(format!(
                "quantiles={text} is no list of numbers from 0 to 1"
            ))
        })?;
        parts.sort_by(f64::total_cmp);
        Ok(parts)
    }

    pub(super) fn detail(&self, details: bool) -> Result<StageDetail, NoRoute> {
        let summaries = self.is("withSummaries");
        Ok(StageDetail {
            details: self.get("details").map_or(details, |it| it != "false"),
            summaries: summaries.then(|| self.quantiles(&BESIDE)).transpose()?,
            task_states: self.states("taskStatus")?,
        })
    }

    fn states(&self, name: &str) -> Result<Vec<State>, NoRoute> {
        let state = |text: String| {
            let wrong = || NoRoute::Query(format!("{name}={text} is no state of a task"));
            state(&text).ok_or_else(wrong)
        };
        self.all(name).into_iter().map(state).collect()
    }

    pub(super) fn task_list(&self) -> Result<Wanted, NoRoute> {
        let (order, descending) = match self.get("sortBy").unwrap_or("ID") {
            "ID" => (Order::Task, false),
            "INCREASING_RUNTIME" | "runtime" | "+runtime" | " runtime" => (Order::RunTime, false),
            "DECREASING_RUNTIME" | "-runtime" => (Order::RunTime, true),
            other => {
                return Err(NoRoute::Query(format!(
                    "sortBy={other} is none of ID, runtime, -runtime"
                )));
            }
        };
        Ok(Wanted {
            states: self.states("status")?,
            order,
            descending,
            offset: self.number("offset")?.unwrap_or(0),
            length: self.number("length")?.unwrap_or(20),
        })
    }

    pub(super) fn task_page(&self) -> Result<TaskPage, NoRoute> {
        let sort = self.get("sort").unwrap_or("task");
        let sort = ORDERS.iter().find(|(word, _)| *word == sort);
        let (sort, _) = sort.ok_or(NoRoute::NotFound)?;
        let offset: usize = self.number("offset")?.unwrap_or(0);
        Ok(TaskPage {
            sort,
            descending: self.get("down").is_some(),
            state: self.states("state")?.first().copied(),
            offset: offset - offset % PAGE,
        })
    }

    pub(super) fn applications(&self) -> Result<Applications, NoRoute> {
        let date = |name: &str, ends: bool| {
            let Some(text) = self.get(name) else {
                return Ok(None);
            };
            let wrong = || NoRoute::Query(format!("{name}={text} is no date"));
            let millis = time::parse(text).ok_or_else(wrong)?;
            // A day that ends something does so at its end.
            let day = 86_399_999;
            Ok(Some(if ends && !text.contains('T') {
                millis + day
            } else {
                millis
            }))
        };
        let completed = match &self.all("status")[..] {
            [one] if one == "COMPLETED" => Some(true),
            [one] if one == "RUNNING" => Some(false),
            _ => None,
        };
        Ok(Applications {
            completed,
            min_date: date("minDate", false)?,
            max_date: date("maxDate", true)?,
            min_end_date: date("minEndDate", false)?,
            max_end_date: date("maxEndDate", true)?,
            limit: self.number("limit")?,
        })
    }
}

/// The state of this name, as Spark writes it.
fn state(text: &str) -> Option<State> {
    let all = [
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Killed,
    ];
    all.into_iter().find(|it| it.name() == text)
}
