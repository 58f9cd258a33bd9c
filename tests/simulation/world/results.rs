//! What an application must have come to in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesquite::driver::core::effect::Delivery;
use mesquite::driver::report::{JobReport, Status};
use mesquite::ids::Partition;
use mesquite::plan::application::ActionKind;

use super::{Setting, World};
use crate::faults;
use crate::jobs::POISON;
use crate::work::Expected;

impl World {
    /// Every job ended with the result that it must have.
    pub(super) fn check_results(&mut self) {
        let (reports, over) = self.reports.take().expect("the application ended");
        assert_eq!(over, None, "the framework was removed");
        let application = Arc::clone(&self.application);
        let expected = Expected::of(&application);
        let mut given_up = false;
        self.check_what_was_let_go();
        self.check_poisoned(&reports);
        for report in &reports {
            if report.dataset.starts_with(POISON) {
                continue;
            }
            // Spark's rules: some results cannot be made again as they were, and
            // a stage whose input stays out of reach is given up.
            let error = report.error.as_deref().unwrap_or_default();
            let unreachable = faults::LASTING
                .iter()
                .any(|it| self.counts.contains_key(it));
            if error.contains("cannot be rolled back")
                || (unreachable && error.contains("maximum allowable number of times"))
            {
                given_up = true;
                continue;
            }
            assert_eq!(report.status, Status::Succeeded, "{error}");
        }
        if given_up {
            return self.count("jobs given up by Spark's rules");
        }
        let is_real = |it: &&JobReport| it.action != "sample" && it.round_of.is_none();
        let real = reports.iter().filter(is_real).count();
        assert_eq!(real, application.actions.len(), "a job for each action");
        let mut printed: Vec<String> = Vec::new();
        for delivery in self.deliveries.values() {
            printed.push(match delivery {
                Delivery::Count(count) => count.to_string(),
                Delivery::Records(records) => String::from_utf8_lossy(&records.concat()).into(),
                Delivery::Save { .. } => unreachable!("files are not printed"),
            });
        }
        let mut wanted = Vec::new();
        for action in &application.actions {
            let dataset = application.plan.dataset(action.dataset);
            if dataset.name().starts_with(POISON) {
                continue;
            }
            let partitions = application.plan.dataset(action.dataset).partitions();
            let values = (0..partitions).map(|it| expected.value(action.dataset, Partition(it)));
            match &action.kind {
                ActionKind::Count => wanted.push(values.sum::<u64>().to_string()),
                ActionKind::Collect { limit } => {
                    let most = limit.map_or(usize::MAX, |it| it as usize);
                    let lines = values
                        .enumerate()
                        .take(most)
                        .map(|(at, value)| format!("{at}:{value}\n"));
                    wanted.push(lines.collect());
                }
                ActionKind::Save { to, .. } => {
                    let values: BTreeMap<_, _> = (0..).zip(values).collect();
                    assert_eq!(self.saved.of(to), Some(&values), "what is saved in {to}");
                }
            }
        }
        printed.sort();
        wanted.sort();
        assert_eq!(printed, wanted, "what is printed");
    }

    /// Executors that went since they had nothing to do took nothing along that was needed.
    fn check_what_was_let_go(&mut self) {
        let (let_go, again) = self.facts.let_go();
        *self.counts.entry("executors let go").or_default() += let_go;
        let Setting {
            faults,
            task_failures,
            ..
        } = self.setting;
        if faults == 0 && task_failures == 0.0 && self.poison.is_none() {
            assert_eq!(
                again, 0,
                "{let_go} were let go, and something was made again"
            );
        }
    }

    /// The job with the poison task failed, and says by which task, how often it was
    /// tried and where. What ran beside it was tried again and again, too.
    fn check_poisoned(&self, reports: &[JobReport]) {
        let Some(poison) = self.poison else {
            return;
        };
        let mut reports = reports.iter().filter(|it| it.dataset.starts_with(POISON));
        let report = reports.next().expect("a report of the poisoned job");
        assert_eq!(report.status, Status::Failed, "{report:?}");
        let error = report.error.as_deref().expect("an error");
        let named = if self.setting.exclusion && error.contains("can run nowhere") {
            format!("task {} (", poison.partition)
        } else {
            assert!(error.contains("failed 4 times"), "{error}");
            format!("Task {} in stage", poison.partition)
        };
        for part in [&named, "executor lost", "its attempts ran on host-"] {
            assert!(error.contains(part), "`{part}` is not in {error}");
        }
        let deaths = self.counts.get("executors ended by their task");
        let deaths = deaths.copied().unwrap_or_default();
        // A loss that it shared with others is not the last: it is tried once more,
        // alone. A copy, and losses whose telling was lost, do not count.
        let most = 5 + u64::from(self.setting.speculation) + 4 * self.setting.faults as u64;
        assert!(deaths <= most, "it ended {deaths} executors: {error}");
    }
}
