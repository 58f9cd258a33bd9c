//! What Spark's page for Prometheus tells of executors.
//!
//! Responsible for its names, which dashboards that were made for Spark ask for: those of
//! what is known here. What only a Java machine has is left out.
//! (`org.apache.spark.status.api.v1.PrometheusResource`.)

use std::fmt::Display;

use mesquite_core::store::Store;
use mesquite_core::store::executors::Executor;
use mesquite_core::store::measures::Measure;

use super::text::{Text, labels, seconds};

/// The metrics of the executors that are there.
pub fn of_executors(store: &Store) -> String {
    let mut metrics = Metrics {
        store,
        text: Text::new("metrics_executor"),
    };
    metrics.add("totalCores", "Cores.", |it| it.cores);
    metrics.add("maxTasks", "Tasks that run at once at most.", |it| {
        it.most_tasks
    });
    metrics.add("activeTasks", "Attempts at tasks that run.", |it| it.active);
    metrics.add("failedTasks_total", "Attempts that failed.", |it| it.failed);
    metrics.add("completedTasks_total", "Attempts that succeeded.", |it| {
        it.completed
    });
    metrics.add("totalTasks_total", "Attempts that began.", |it| it.total);
    metrics.add(
        "totalDuration_seconds_total",
        "What attempts took together.",
        |it| seconds(it.task_time),
    );
    metrics.add("totalInputBytes_bytes_total", "Bytes of inputs.", |it| {
        it.sums.get(Measure::InputBytes)
    });
    metrics.add(
        "totalShuffleRead_bytes_total",
        "Bytes of map outputs that were read.",
        |it| it.sums.shuffle_bytes_read(),
    );
    metrics.add(
        "totalShuffleWrite_bytes_total",
        "Bytes of map outputs that were written.",
        |it| it.sums.get(Measure::ShuffleBytesWritten),
    );
    metrics.add(
        "maxMemory_bytes",
        "Bytes of memory for what is kept.",
        |it| it.memory,
    );
    metrics.text.into_string()
}

struct Metrics<'a> {
    store: &'a Store,
    text: Text,
}

impl Metrics<'_> {
    fn add<V: Display>(&mut self, name: &str, help: &str, value: impl Fn(&Executor) -> V) {
        let Self { store, text } = self;
        let application = &store.application;
        let there = store.executors.all().filter(|it| it.removed.is_none());
        let values = there.map(|it| {
            let whose = [
                ("application_id", application.id.as_str()),
                ("application_name", application.name.as_str()),
                ("executor_id", store.text(it.name)),
            ];
            (labels(&whose), value(it))
        });
        text.add(name, help, values);
    }
}
