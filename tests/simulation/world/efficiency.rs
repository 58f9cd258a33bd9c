//! What executors tell of their tasks counts: an attempt that reads its records as
//! fast as the others get theirs done is spared by speculation for a while.

use std::sync::Arc;
use std::time::Duration;

use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;

use super::{Setting, World};

impl World {
    /// A stage whose last task is slow. The time at which that one gets a copy, with
    /// what heartbeats tell of its records being used or not.
    fn copied_after(efficiency: bool) -> Duration {
        let mut builder = ApplicationBuilder::new();
        let all = builder.range("all", 0, 1000, 4).expect("a dataset");
        builder.action(all, ActionKind::Count, None);
        let setting = Setting {
            fine: false,
            agents: 4,
            speculation: true,
            efficiency,
            // All take 16 s and the slow one 30 times that, with 30 times the records.
            longest_task: 15,
            shortest_task: 14,
            stragglers: 0.0,
            task_failures: 0.0,
            faults: 0,
            slow: Some(3),
            poison: false,
            exclusion: false,
            allocation: None,
            ..Setting::draw(&mut fastrand::Rng::with_seed(1))
        };
        let random = fastrand::Rng::with_seed(1);
        let mut world = Self::with(1, setting, Arc::new(builder.build()), random);
        world.run_until(|world| world.copied_at.is_some());
        world.now.since_start()
    }

    /// Without what heartbeats tell the slow attempt gets its copy once it has run for
    /// longer than 1.5 medians (24 s); with it not before twice that.
    ///
    /// # Panics
    /// It is not so.
    pub fn check_efficiency() {
        let (blind, seeing) = (Self::copied_after(false), Self::copied_after(true));
        let seconds = Duration::from_secs;
        assert!(blind > seconds(24) && blind < seconds(35), "{blind:?}");
        assert!(seeing > seconds(48) && seeing < seconds(60), "{seeing:?}");
    }
}
