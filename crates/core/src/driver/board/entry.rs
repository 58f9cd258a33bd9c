//! A job of the board: what it is for, how far it is, and its figures. Pure.
//!
//! Responsible for what is counted and kept of one job. When it begins and ends the board
//! says, which alone sees its fields.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::count_in;
use crate::clock::Timestamp;
use crate::driver::purpose::Purpose;
use crate::driver::work::Making;
use crate::facts::Metrics;
use crate::ids::{DatasetId, Partition, StageId};
use crate::report::JobReport;

/// See the module.
#[derive(Debug)]
pub struct Entry {
    pub(super) purpose: Purpose,
    pub(super) dataset: DatasetId,
    /// What each task makes of a partition.
    pub(super) making: Making,
    /// Results by partition, until they are used; but counts, of which there may be
    /// millions.
    pub(super) results: BTreeMap<Partition, Bytes>,
    /// The sum of what was counted; none beyond what a number holds.
    pub(super) counted: Option<u64>,
    /// So many partitions, from the first one on, have been tried, if not all are
    /// wanted at once.
    pub(super) tried: u32,
    pub(super) started: Timestamp,
    /// When it had all its results, if only their printing is left.
    pub(super) finished: Option<Timestamp>,
    pub(super) stages: BTreeSet<StageId>,
    pub(super) report: JobReport,
}

impl Entry {
    /// What it is for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What its tasks make, and of which dataset.
    pub fn makes(&self) -> (DatasetId, Making) {
        (self.dataset, self.making.clone())
    }

    /// What it comes to in the report, as far as it is.
    pub const fn report(&self) -> &JobReport {
        &self.report
    }

    /// Results by partition that are not used yet.
    pub const fn results(&self) -> &BTreeMap<Partition, Bytes> {
        &self.results
    }

    /// So many partitions, from the first one on, have been tried, if not all are
    /// wanted at once.
    pub const fn tried(&self) -> u32 {
        self.tried
    }

    /// The partitions before this one are tried.
    pub const fn tries(&mut self, end: u32) {
        self.tried = end;
    }

    /// An attempt at a stage begins for it.
    pub const fn stage_began(&mut self) {
        self.report.stages += 1;
    }

    /// An attempt at a task was started for it.
    pub const fn attempt_began(&mut self) {
        self.report.attempts += 1;
    }

    /// An attempt has ended, with success or by a failure or neither.
    pub fn attempt_ended(&mut self, succeeded: bool, failed: bool) {
        self.report.tasks += u64::from(succeeded);
        self.report.failed_attempts += u64::from(failed);
    }

    /// A result counts, which is the only one of its partition.
    pub(super) fn result(&mut self, partition: Partition, bytes: Bytes, metrics: &Metrics) {
        let records = match self.making {
            Making::Count => {
                let count = count_in(&bytes);
                self.counted = self.counted.and_then(|it| it.checked_add(count));
                count
            }
            Making::Collect { .. } | Making::Save { .. } | Making::Sample(_) => {
                self.results.insert(partition, bytes);
                metrics.records_written
            }
        };
        self.report.records = self.report.records.saturating_add(records);
    }

    /// What was counted; none if it is more than a number holds.
    pub const fn counted(&self) -> Option<u64> {
        self.counted
    }

    /// Its results are used.
    pub fn take_results(&mut self) -> BTreeMap<Partition, Bytes> {
        std::mem::take(&mut self.results)
    }

    /// So many records are printed of it, and not what was counted.
    pub const fn prints(&mut self, records: u64) {
        self.report.records = records;
    }
}
