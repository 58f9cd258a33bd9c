//! Whole clusters under random faults, in virtual time.
//!
//! The decisions are the real ones: the driver's, its subscription's, and those
//! of executors on both sides. Master, agents, network and disks are models of
//! what they do (`master`, `agent`, `network`, `work`). After each run, and while
//! it lasts, is checked what must always hold (`checks`, `world`):
//!
//! 1. each partition of a result counts once, and the result is right;
//! 2. nothing is launched beyond what was offered, every offer leaves once, in
//!    the step in which it came;
//! 3. every status with a uuid is acknowledged, after what it led to is kept;
//! 4. every job ends with its result, for no fault is the application's;
//! 5. at the end no task, executor or offer is left;
//! 6. whatever is killed, all this holds.
//!
//! A seed decides everything. One that fails is kept in `seeds.txt`.

mod agent;
mod checks;
mod driver;
mod executor;
mod facts;
mod faults;
mod jobs;
mod master;
mod network;
mod work;
mod world;
mod written;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use mesquite::clock::SystemClock;

use crate::world::World;

/// Seeds that failed once, and must not again.
const KEPT: &str = include_str!("seeds.txt");

/// Whether all that happens is told.
static TRACE: AtomicBool = AtomicBool::new(false);

/// Runs simulated clusters.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to try.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Only this one.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Only this: another master leads while so many tasks run.
    #[arg(long)]
    leader_change: Option<u32>,
    /// Go on after a violation.
    #[arg(long)]
    keep_going: bool,
    /// Tell what happens, as it happens (with --seed).
    #[arg(long)]
    trace: bool,
    /// What `cargo test` adds; without effect.
    #[arg(hide = true)]
    _filters: Vec<String>,
    #[arg(long, hide = true)]
    _quiet: bool,
}

/// What all runs did.
#[derive(Default)]
struct Totals {
    seeds: u64,
    events: u64,
    steps: u64,
    virtual_time: Duration,
    counts: BTreeMap<&'static str, u64>,
    violations: Vec<(u64, String)>,
}

fn main() -> ExitCode {
    // `cargo test` passes options of its own harness.
    let ours = std::env::args().filter(|it| !matches!(it.as_str(), "--quiet" | "-q" | "--ignored"));
    let arguments = Arguments::parse_from(ours);
    if let Some(tasks) = arguments.leader_change {
        return leader_change(tasks);
    }
    let seeds: Vec<u64> = match arguments.seed {
        Some(seed) => vec![seed],
        None => {
            let kept = KEPT
                .lines()
                .filter_map(|line| line.split('#').next()?.trim().parse().ok());
            kept.chain(arguments.from..arguments.from + arguments.seeds)
                .collect()
        }
    };
    World::check_efficiency();
    let clock = SystemClock::start();
    std::panic::set_hook(Box::new(|_| {}));
    TRACE.store(arguments.trace, Ordering::Relaxed);
    let totals = run_all(&seeds, arguments.keep_going);
    let took = clock.now().since_start();
    show(&totals, took);
    if totals.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs all seeds, on as many threads as there are processors.
fn run_all(seeds: &[u64], keep_going: bool) -> Totals {
    let totals = Mutex::new(Totals::default());
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(seeds.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = usize::try_from(index).ok().and_then(|it| seeds.get(it))
                    else {
                        return;
                    };
                    let (world, violation) = run(*seed);
                    let mut totals = totals.lock().expect("no thread dies with it");
                    totals.add(*seed, &world, violation);
                    if !totals.violations.is_empty() && !keep_going {
                        return;
                    }
                }
            });
        }
    });
    totals.into_inner().expect("no thread dies with it")
}

/// Runs one seed; what was violated, if anything.
fn run(seed: u64) -> (World, Option<String>) {
    let mut world = World::new(seed);
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = ran.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        text.unwrap_or_else(|| "a panic without words".into())
    });
    (world, violation)
}

impl Totals {
    fn add(&mut self, seed: u64, world: &World, violation: Option<String>) {
        self.seeds += 1;
        self.events += world.events;
        self.steps += world.steps;
        self.virtual_time += world.now.since_start();
        for (what, count) in &world.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.violations.extend(violation.map(|text| (seed, text)));
    }
}

#[expect(clippy::print_stdout, reason = "it is a program of its own")]
fn leader_change(tasks: u32) -> ExitCode {
    let clock = SystemClock::start();
    let (reconciled, launched) = World::leader_change(tasks);
    let took = clock.now().since_start().as_secs_f64();
    println!(
        "leader change with {tasks} tasks: reconciled {:.2} s after the new master was up, \
         {launched} tasks launched again ({took:.1} s of computing in all)",
        reconciled.as_secs_f64()
    );
    if launched == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(clippy::print_stdout, reason = "it is a program of its own")]
fn show(totals: &Totals, took: Duration) {
    let rate = totals.events as f64 / took.as_secs_f64();
    println!(
        "seeds {}  events {}  driver steps {}  virtual hours {:.1}  events/s {:.0}  seconds {:.1}",
        totals.seeds,
        totals.events,
        totals.steps,
        totals.virtual_time.as_secs_f64() / 3600.0,
        rate,
        took.as_secs_f64()
    );
    for (what, count) in &totals.counts {
        println!("{count:>9}  {what}");
    }
    for (seed, violation) in &totals.violations {
        println!("VIOLATION with seed {seed}: {violation}");
        println!("  again: scripts/simulate --seed {seed}");
    }
    match totals.violations.len() {
        0 => println!("violations: none"),
        some => println!("violations: {some}"),
    }
}
