//! What an application must have come to in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesquite::driver::core::effect::Delivery;
use mesquite::driver::report::Status;
use mesquite::ids::Partition;
use mesquite::plan::application::ActionKind;

use super::World;
use crate::faults;
use crate::work::Expected;

impl World {
    /// Every job ended with the result that it must have.
    pub(super) fn check_results(&mut self) {
        let (reports, over) = self.reports.take().expect("the application ended");
        assert_eq!(over, None, "the framework was removed");
        let application = Arc::clone(&self.application);
        let expected = Expected::of(&application);
        let mut given_up = false;
        for report in &reports {
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
        let real = reports.iter().filter(|it| it.action != "sample").count();
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
            let partitions = application.plan.dataset(action.dataset).partitions();
            let values = (0..partitions).map(|it| expected.value(action.dataset, Partition(it)));
            match &action.kind {
                ActionKind::Count => wanted.push(values.sum::<u64>().to_string()),
                ActionKind::Collect { .. } => {
                    let lines = values
                        .enumerate()
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
}
