//! Which job is next, and what becomes of those that end.

use super::*;
use crate::plan::ApplicationBuilder;
use crate::plan::operation::SortOrder;

/// A count, and two actions of the same sort.
fn application() -> Arc<Application> {
    let mut builder = ApplicationBuilder::new();
    let numbers = builder.range("numbers", 0, 9, 3).expect("a dataset");
    let sorted = builder.sort("sorted", numbers, SortOrder::default(), Some(2));
    let sorted = sorted.expect("a dataset");
    builder.action(numbers, ActionKind::Count, None);
    builder.action(sorted, ActionKind::Count, None);
    builder.action(sorted, ActionKind::Collect { limit: Some(1) }, None);
    Arc::new(builder.build())
}

const SHUFFLE: ShuffleId = ShuffleId(0);

fn board() -> (Board, impl Fn(DatasetId) -> Vec<ShuffleId>) {
    let application = application();
    let sorted = application.actions[1].dataset;
    let missing = move |dataset| {
        if dataset == sorted {
            vec![SHUFFLE]
        } else {
            vec![]
        }
    };
    (Board::new(application), missing)
}

fn all(board: &mut Board, missing: impl Fn(DatasetId) -> Vec<ShuffleId>) -> Vec<Purpose> {
    std::iter::from_fn(|| board.next(&missing)).collect()
}

#[test]
fn a_sort_is_sampled_once_and_its_actions_wait_for_that() {
    let (mut board, missing) = board();
    let first = all(&mut board, missing);
    assert_eq!(first, [Purpose::Action(0), Purpose::Sample(SHUFFLE)]);
    for (job, purpose) in first.into_iter().enumerate() {
        let job = JobId(u32::try_from(job).expect("few"));
        board.accepted(Timestamp::ZERO, job, purpose);
        board.ended(Timestamp::from_millis(500), job, Status::Succeeded, None);
    }
    let then = all(&mut board, |_| vec![]);
    assert_eq!(then, [Purpose::Action(1), Purpose::Action(2)]);
    assert!(!board.is_done());
}

#[test]
fn without_its_sample_a_sort_is_given_up_for_the_samples_reason() {
    let (mut board, missing) = board();
    let _ = all(&mut board, &missing);
    board.accepted(Timestamp::ZERO, JobId(0), Purpose::Action(0));
    board.accepted(Timestamp::ZERO, JobId(1), Purpose::Sample(SHUFFLE));
    let error = Some("no luck".to_owned());
    board.ended(Timestamp::ZERO, JobId(1), Status::Failed, error);
    assert_eq!(all(&mut board, &missing), []);
    board.ended(Timestamp::ZERO, JobId(0), Status::Succeeded, None);
    assert!(board.is_done());
    let reports = board.reports();
    let told: Vec<_> = reports
        .iter()
        .map(|it| (it.action.as_str(), it.status, it.error.as_deref()))
        .collect();
    let failed = (Status::Failed, Some("no luck"));
    assert_eq!(
        told,
        [
            ("count", Status::Succeeded, None),
            ("sample", failed.0, failed.1),
            ("count", failed.0, failed.1),
            ("collect", failed.0, failed.1),
        ]
    );
}

#[test]
fn results_are_counted_and_timed() {
    let (mut board, _) = board();
    board.accepted(Timestamp::from_millis(1000), JobId(4), Purpose::Action(0));
    for partition in 0..3 {
        let three = Bytes::copy_from_slice(&3_u64.to_le_bytes());
        board.result(JobId(4), Partition(partition), three, &Metrics::default());
    }
    board.ended(
        Timestamp::from_millis(3000),
        JobId(4),
        Status::Succeeded,
        None,
    );
    let reports = board.reports();
    assert_eq!((reports[0].id, reports[0].records), (Some(4), 9));
    assert_eq!(reports[0].submitted_seconds, 1.0);
    assert_eq!(reports[0].seconds, 2.0);
}
