//! Spark's `TaskSchedulerImplSuite`: determinism.

use super::*;

#[test]
fn equal_seeds_place_alike() {
    let place = |seed: u64| {
        let mut scheduler = TaskScheduler::new(TaskSchedulerConfig::default(), None, seed);
        let set = task_set(0, 0, 5);
        let _ = scheduler.handle(
            Timestamp::ZERO,
            TaskSchedulerEvent::Command(TaskCommand::Submit(set)),
        );
        let offers = (0..20)
            .map(|i| offer(&format!("e{i}"), &format!("h{i}"), 1))
            .collect();
        scheduler
            .handle(
                Timestamp::ZERO,
                TaskSchedulerEvent::Offers {
                    offers,
                    all_free: true,
                },
            )
            .launches
    };
    assert_eq!(place(1), place(1));
    assert_ne!(place(1), place(2));
}
