//! One figure: how long a change of the leader takes with many tasks.

use std::sync::Arc;
use std::time::Duration;

use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;

use super::Setting;
use super::World;
use crate::master::Held;
use crate::master::Master;

impl World {
    /// Another master leads while so many tasks run: how long until it has
    /// answered for all of them, by the clock of the simulation, and how many
    /// tasks were launched twice.
    pub fn leader_change(tasks: u32) -> (Duration, u64) {
        let mut builder = ApplicationBuilder::new();
        let all = builder.range("all", 0, 1, tasks).expect("a dataset");
        builder.action(all, ActionKind::Count, None);
        let setting = Setting {
            fine: true,
            agents: 100,
            // Longer than all this takes.
            longest_task: 40,
            shortest_task: 39,
            size: Some(Held {
                cpus: u64::from(tasks) * 10 + 1000,
                mem: 10_000,
            }),
            faults: 0,
            poison: false,
            exclusion: false,
            ..Setting::draw(&mut fastrand::Rng::with_seed(1))
        };
        let random = fastrand::Rng::with_seed(1);
        let mut world = Self::with(1, setting, Arc::new(builder.build()), random);
        let live = |world: &Self| world.master.as_ref().map_or(0, Master::live_tasks);
        world.run_until(|world| live(world) >= tasks as usize);
        let calm = world.now + Duration::from_secs(30);
        world.run_until(|world| world.now >= calm);
        world.reconciled.clear();
        world.master_dies(Duration::from_secs(1));
        world.run_until(|world| world.master.is_some());
        let begin = world.now;
        world.run_until(|world| world.reconciled.len() >= tasks as usize);
        let launched = world.master.as_ref().map_or(0, |it| it.launched);
        (world.now - begin, launched)
    }

    pub(super) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let ((at, _), happening) = self.queue.pop_first().expect("something happens");
            self.now = at;
            self.happen(happening);
        }
    }
}
