//! A way to run tasks of one's own: executors that come as they are needed.
//!
//! ```text
//! cargo run --release --example growing
//! ```
//!
//! What gives executors is a [`ClusterManager`]: a value that hears what happens - how much
//! could run, who is gone - and says what to do. This one starts with no executor, and has
//! one more process of this machine as long as tasks wait and there are not too many. What
//! runs where, retries and results are the driver's business, as with every other manager.
//!
//! Executors run the driver's own program, so `main` hands `executor` on to the library.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mesquite::backend::manager::{Action, ClusterManager, Input, Launched};
use mesquite::cli;
use mesquite::clock::Timestamp;
use mesquite::conf::Conf;
use mesquite::conf::layer::Layer;
use mesquite::conf::properties::application::MASTER;
use mesquite::driver::facts::cluster::NoHope;
use mesquite::driver::listener::Listener;
use mesquite::driver::report::{Progress, Status};
use mesquite::driver::run::run_with;
use mesquite::ids::ExecutorId;
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::{ActionKind, Application};
use tokio::sync::mpsc;

/// At most three executors, with one core and 512 MiB each.
const CLUSTER: &str = "local-cluster[3,1,512]";

/// As many executors as tasks can use, up to a limit.
struct Growing {
    most: u32,
    cores: u32,
    running: BTreeSet<ExecutorId>,
    /// How many were started, which is also the name of the next one.
    started: Arc<AtomicU32>,
}

impl Growing {
    /// Starts what is missing for so many cores.
    fn grow(&mut self, wanted: u64) -> Vec<Action> {
        let wanted = wanted.div_ceil(self.cores.into()).min(self.most.into());
        let mut actions = Vec::new();
        while (self.running.len() as u64) < wanted {
            let number = self.started.fetch_add(1, Ordering::Relaxed);
            // That many deaths are no accident: without this, a program that cannot start
            // is started for ever.
            if number >= 10 * self.most {
                let deaths = number;
                actions.push(Action::Hopeless(NoHope::ExecutorsDied { deaths }));
                break;
            }
            let executor = ExecutorId::from(format!("grown-{number}"));
            self.running.insert(executor.clone());
            actions.push(Action::StartProcess(executor));
        }
        actions
    }
}

impl ClusterManager for Growing {
    fn handle(&mut self, _now: Timestamp, _unix_time: Duration, input: Input) -> Vec<Action> {
        match input {
            Input::Wanted { cores, .. } => self.grow(cores),
            Input::GivenUp(executor) => {
                self.running.remove(&executor);
                let mut actions = vec![Action::KillProcess(executor)];
                // Its tasks wait again, and want what it had.
                actions.extend(self.grow(1));
                actions
            }
            Input::End(executor) => vec![Action::KillProcess(executor)],
            // What Mesos says, and what only managers with agents or time of their own need.
            _ => Vec::new(),
        }
    }

    fn launched(&self, executor: &ExecutorId) -> Option<Launched> {
        self.running.contains(executor).then(|| Launched {
            host: "localhost".into(),
            cores: Some(self.cores),
            agent: None,
            resources: Vec::new(),
        })
    }
}

/// Prints how many records there are, and what people are to know.
#[derive(Default)]
struct Printer {
    counted: Option<u64>,
}

impl Listener for Printer {
    fn progress(&mut self, progress: Progress) {
        if let Progress::Note(text) | Progress::Warning(text) = progress {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    fn counted(&mut self, _: usize, records: u64) -> io::Result<()> {
        self.counted = Some(records);
        writeln!(io::stdout(), "{records} numbers have a 7 in them")
    }

    fn collected(&mut self, _: usize, _: &[Bytes]) -> io::Result<()> {
        Ok(())
    }
}

fn sevens() -> Result<Application, Box<dyn Error>> {
    let mut builder = ApplicationBuilder::new();
    let numbers = builder.range("numbers", 0, 100_000, 12)?;
    let sevens = builder.filter("sevens", numbers, "7")?;
    let spread = builder.repartition("spread", sevens, 6)?;
    builder.action(spread, ActionKind::Count, None);
    Ok(builder.build())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("executor") {
        return Ok(cli::main(std::env::args_os(), &std::env::vars().collect()));
    }
    let conf = Conf::builder()
        .set(Layer::Option("master"), MASTER.name(), CLUSTER)
        .build()?;
    let started = Arc::new(AtomicU32::new(0));
    let make = |most, cores| -> Box<dyn ClusterManager> {
        Box::new(Growing {
            most,
            cores,
            running: BTreeSet::new(),
            started: Arc::clone(&started),
        })
    };
    let mut printer = Printer::default();
    let (_interrupt, interrupts) = mpsc::unbounded_channel();
    let run = run_with(&make, sevens()?, None, &conf, &mut printer, interrupts);
    let report = tokio::runtime::Runtime::new()?.block_on(run)?.report;
    let started = started.load(Ordering::Relaxed);
    writeln!(io::stdout(), "on {started} executors")?;
    // Of five digits each is another one than 7 in nine cases of ten.
    let is_right = printer.counted == Some(100_000 - 9_u64.pow(5)) && started == 3;
    Ok(if report.status == Status::Succeeded && is_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
