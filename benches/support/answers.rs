//! How long a driver takes from the bytes of an OFFERS event to those of the calls
//! that answer it: decoded, handled by the driver's machine in one step, encoded.

#[path = "../../tests/support/offers.rs"]
mod offers;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesquite::backend::executor_size::ExecutorSize;
use mesquite::backend::manager::ClusterManager;
use mesquite::backend::mesos::coarse::MesosCoarse;
use mesquite::backend::mesos::desk::MesosConfig;
use mesquite::backend::mesos::fine::{MesosFine, MesosFineConfig};
use mesquite::clock::{SystemClock, Timestamp};
use mesquite::driver::core::effect::Effect;
use mesquite::driver::core::input::{Input, Step};
use mesquite::driver::core::instruction::Welcome;
use mesquite::driver::core::{Driver, DriverParts};
use mesquite::executor::worker::variable;
use mesquite::ids::FrameworkId;
use mesquite::mesos::call::Call;
use mesquite::mesos::codec::Codec;
use mesquite::mesos::subscription::Notice;
use mesquite::mesos::task::Command;
use mesquite::mesos::wire::{decode_event, encode_call};
use mesquite::offers::{Constraints, RefusePolicy, Requirement};
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::ActionKind;
use mesquite::resources::{Demand, Scalar};
use mesquite::scheduler::config::TaskSchedulerConfig;
use mesquite::scheduler::core::Core;
use mesquite::scheduler::dag_scheduler::DagSchedulerConfig;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Coarse mode, which wants an executor on each of a fifth of the agents.
    Coarse,
    /// Fine mode, with as many tasks waiting as there are offers.
    Fine,
    /// Fine mode with nothing to do: all is declined.
    Idle,
}

fn coarse(tasks: u32) -> MesosConfig {
    let size = ExecutorSize {
        cores: Some(2),
        least_cores: 1,
        memory_mib: 1024,
        overhead_mib: 384,
        named: Vec::new(),
    };
    MesosConfig {
        cores_max: Some(tasks / 5 * 2),
        gpus_max: None,
        requirement: Requirement {
            demand: size.demand(),
            constraints: Constraints::default(),
            role: Some("batch".into()),
            ..Requirement::default()
        },
        refuse: RefusePolicy::default(),
        role: "batch".into(),
        command: Command::shell("exec mesquite executor"),
        container: None,
        labels: Vec::new(),
        variables: [variable::EXECUTOR, variable::HOST, variable::CORES],
        prefix: "bench".into(),
        rack_attribute: None,
        size,
    }
}

fn driver(case: Case, tasks: u32) -> Driver {
    let mut builder = ApplicationBuilder::new();
    let all = builder.range("all", 0, 1, tasks).expect("a dataset");
    builder.action(all, ActionKind::Count, None);
    let application = Arc::new(builder.build());
    let plan = Arc::clone(&application.plan);
    let manager: Box<dyn ClusterManager> = if case == Case::Coarse {
        Box::new(MesosCoarse::new(coarse(tasks), false))
    } else {
        let shared = coarse(tasks);
        Box::new(MesosFine::new(MesosFineConfig {
            shared: MesosConfig {
                requirement: Requirement {
                    demand: Demand::new(),
                    ..shared.requirement
                },
                ..shared
            },
            offered: Vec::new(),
            executor_cores: Scalar::from_milli(100),
            idle_timeout: Duration::from_secs(60),
        }))
    };
    let tasks = TaskSchedulerConfig::default();
    let core = Core::new(plan, DagSchedulerConfig::default(), tasks, None, 7);
    let mut driver = Driver::new(DriverParts {
        core,
        application,
        manager,
        tells_all: false,
        welcome: Welcome::default(),
        task_cpus: 1,
        named: None,
        allocation: None,
        keeps: false,
        longest_message: 1 << 20,
        is_saved: mesquite::storage::sink::is_saved,
    });
    if case != Case::Idle {
        handle(&mut driver, vec![Input::Started]);
    }
    driver
}

fn handle(driver: &mut Driver, inputs: Vec<Input>) -> Vec<Effect> {
    driver.handle(Step {
        at: Timestamp::from_millis(1),
        unix_time: Duration::from_secs(1_800_000_000),
        inputs,
    })
}

/// The slowest but one in a hundred of so many answers to so many offers.
pub fn p99(case: Case, offers: usize, times: usize) -> Duration {
    let record: Bytes = Codec::Protobuf.encode(&offers::offers_event(offers));
    let framework = FrameworkId::from("framework");
    let clock = SystemClock::start();
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let mut driver = driver(case, offers as u32);
            let record = record.clone();
            let start = clock.now();
            let event = decode_event(Codec::Protobuf, record).expect("a good record");
            let effects = handle(&mut driver, vec![Input::Mesos(Notice::Event(event))]);
            let mut answered = 0;
            for effect in &effects {
                let Effect::Call(call) = effect else {
                    continue;
                };
                if let Call::Accept { offers, .. } | Call::Decline { offers, .. } = call {
                    answered += offers.len();
                }
                black_box(encode_call(Codec::Protobuf, call, &framework));
            }
            let took = clock.now() - start;
            assert_eq!(answered, offers, "each offer is answered");
            took
        })
        .collect();
    took.sort_unstable();
    took[(times * 99).div_ceil(100) - 1]
}
