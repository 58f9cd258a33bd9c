//! Applications and their attempts, as the API lists them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::put;
use crate::logs::folder::{List, Listed};
use crate::route::Applications;
use crate::time;

/// Spark's word for no time: the millisecond before the epoch.
const NEVER: &str = "1969-12-31T23:59:59.999GMT";

/// An attempt at an application.
pub(super) fn attempt(listed: &Listed) -> Value {
    let application = &listed.outline.application;
    let began = application.began.unwrap_or(0);
    let end = application.ended;
    let mut attempt = json!({
        "startTime": time::api(began),
        "endTime": end.map_or_else(|| NEVER.to_owned(), time::api),
        "lastUpdated": time::api(listed.updated),
        // As Spark's history server has it of one that has not ended.
        "duration": end.map_or(0, |it| it.saturating_sub(began)),
        "sparkUser": application.user,
        "completed": end.is_some(),
        "appSparkVersion": application.version,
        "startTimeEpoch": began,
        "endTimeEpoch": end.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)),
        "lastUpdatedEpoch": listed.updated,
    });
    put(&mut attempt, "attemptId", application.attempt.as_ref());
    attempt
}

/// An application with these attempts, of which there is at least one.
fn application(attempts: &[&Listed]) -> Value {
    let first = attempts.first();
    json!({
        "id": first.map(|it| it.id()),
        "name": first.map(|it| &it.outline.application.name),
        "attempts": attempts.iter().map(|it| attempt(it)).collect::<Value>(),
    })
}

/// An application; none if it is not in the list.
pub fn one(list: &List, id: &str) -> Option<Value> {
    let all = list.applications.iter();
    let attempts: Vec<_> = all.filter(|it| it.id() == id).collect();
    (!attempts.is_empty()).then(|| application(&attempts))
}

/// The applications that are wanted, those that ended last first, as in Spark; what has
/// not ended comes after them.
pub fn all(list: &List, wanted: &Applications) -> Value {
    let mut order = Vec::new();
    let mut attempts: BTreeMap<&str, Vec<&Listed>> = BTreeMap::new();
    for listed in &list.applications {
        let of_one = attempts.entry(listed.id()).or_default();
        if of_one.is_empty() {
            order.push(listed.id());
        }
        of_one.push(listed);
    }
    order.sort_by_key(|id| Reverse(attempts.get(id).and_then(|it| ended(it))));
    let found = order.into_iter().filter_map(|id| attempts.get(id));
    let found = found.filter(|attempts| {
        let is_running = attempts
            .iter()
            .any(|it| it.outline.application.ended.is_none());
        wanted.completed.is_none_or(|it| it != is_running)
            && attempts.iter().any(|it| is_within(it, wanted))
    });
    let limit = wanted.limit.unwrap_or(usize::MAX);
    found.take(limit).map(|it| application(it)).collect()
}

/// When the last one of some attempts ended, if it has.
fn ended(attempts: &[&Listed]) -> Option<u64> {
    attempts.first()?.outline.application.ended
}

fn is_within(listed: &Listed, wanted: &Applications) -> bool {
    let application = &listed.outline.application;
    let began = application.began.unwrap_or(0);
    let after = |from: Option<u64>, at: u64| from.is_none_or(|it| it <= at);
    let before = |to: Option<u64>, at: u64| to.is_none_or(|it| at <= it);
    let asks_for_ends = wanted.min_end_date.is_some() || wanted.max_end_date.is_some();
    let ended = match application.ended {
        Some(at) => after(wanted.min_end_date, at) && before(wanted.max_end_date, at),
        // One that runs ends later than any date.
        None => !asks_for_ends || wanted.max_end_date.is_none(),
    };
    after(wanted.min_date, began) && before(wanted.max_date, began) && ended
}
