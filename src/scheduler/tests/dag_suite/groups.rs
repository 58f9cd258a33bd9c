//! Job groups.

use super::*;
use crate::plan::JobProperties;

fn grouped(h: &mut Harness, dataset: DatasetId, group: &str) -> JobId {
    let properties = JobProperties {
        group: Some(group.into()),
        ..JobProperties::default()
    };
    let request = h.plan().result_job(dataset).expect("a valid job");
    h.submit_request(request.with_properties(properties))
}

fn cancel(h: &mut Harness, group: &str, and_future_jobs: bool) {
    h.send(DagEvent::GroupCancelled {
        group: group.into(),
        and_future_jobs,
    });
}

fn one_dataset() -> (Harness, DatasetId) {
    let mut plan = PlanBuilder::new();
    let data = plan.data(NewDataset::source("", 1));
    (Harness::new(plan), data)
}

#[test]
fn cancelling_a_group_cancels_its_active_jobs_and_no_others() {
    let (mut h, data) = one_dataset();
    let members = [grouped(&mut h, data, "a"), grouped(&mut h, data, "a")];
    let others = [grouped(&mut h, data, "b"), h.submit(data)];
    cancel(&mut h, "a", false);
    for job in members {
        assert_eq!(
            h.failure(job),
            format!("Job {job} cancelled part of cancelled job group a")
        );
    }
    assert!(others.iter().all(|job| h.is_active(*job)));
    let later = grouped(&mut h, data, "a");
    assert!(h.is_active(later));
}

#[test]
fn cancelling_an_unknown_group_does_nothing() {
    let (mut h, data) = one_dataset();
    let job = grouped(&mut h, data, "a");
    cancel(&mut h, "nobody", false);
    assert!(h.is_active(job));
}

#[test]
fn jobs_to_come_can_be_cancelled_with_their_group() {
    let (mut h, data) = one_dataset();
    cancel(&mut h, "a", true);
    let job = grouped(&mut h, data, "a");
    assert!(!h.is_active(job));
    assert!(h.sets.is_empty());
    let other = grouped(&mut h, data, "b");
    assert!(h.is_active(other));
}
