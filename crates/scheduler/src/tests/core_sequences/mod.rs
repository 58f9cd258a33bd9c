//! The joined core under random sequences of events.
//!
//! [`World`] plays everything around the core: executors that run what they
//! are given and lose what they made, people who submit and cancel. After a
//! sequence of faults it lets everything go well, and every job must end. A
//! sequence that breaks a rule is shrunk and printed by proptest; the rules
//! themselves are checked in `world`.

mod world;

use proptest::prelude::*;

use self::world::{Setting, Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = any::<u16>;
    let step = prop_oneof![
        4 => pick().prop_map(Step::Submit),
        1 => pick().prop_map(Step::SubmitMapStage),
        6 => Just(Step::OfferAll),
        4 => pick().prop_map(Step::OfferOne),
        14 => pick().prop_map(Step::Succeed),
        2 => pick().prop_map(Step::Fail),
        1 => pick().prop_map(Step::FailForGood),
        3 => pick().prop_map(Step::FailToFetch),
        1 => pick().prop_map(Step::ReportKilled),
        1 => pick().prop_map(Step::ReportTwice),
        2 => pick().prop_map(Step::LoseExecutor),
        1 => pick().prop_map(Step::LoseHost),
        1 => pick().prop_map(Step::Decommission),
        2 => pick().prop_map(Step::AddExecutor),
        1 => Just(Step::CancelAll),
        2 => pick().prop_map(Step::AskToCommit),
        2 => pick().prop_map(Step::Cache),
        4 => (0..400_u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..120)
}

fn settings() -> impl Strategy<Value = Setting> {
    (
        any::<Option<bool>>(),
        any::<bool>(),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(speculation, fair, outputs_outlive_executors, seed)| Setting {
                speculation,
                fair,
                outputs_outlive_executors,
                seed,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn every_rule_holds_and_every_job_ends_when_the_faults_stop(
        setting in settings(),
        steps in steps(),
    ) {
        let mut world = World::new(setting);
        for step in steps {
            world.take(step);
        }
        world.let_everything_go_well();
    }

    #[test]
    fn equal_input_gives_equal_output(setting in settings(), steps in steps()) {
        let run = || {
            let mut world = World::new(setting);
            for step in &steps {
                world.take(*step);
            }
            world.let_everything_go_well();
            world.into_record()
        };
        prop_assert!(run() == run());
    }
}
