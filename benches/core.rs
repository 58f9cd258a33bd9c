//! The numbers of the scheduling core, one `name value unit` a line.
//!
//! Run by `scripts/bench core`. Each time is the median of several runs; the
//! bytes are those that the allocator (counted by `stats_alloc`) holds for
//! 100,000 waiting tasks once their set is submitted.

#[path = "support/answers.rs"]
mod answers;
mod support;

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use answers::Case;
use mesquite::clock::{SystemClock, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{NOW, OFFERS, TASKS};

/// Long enough for every locality wait to be over.
const LATER: Timestamp = Timestamp::from_millis(60_000);

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The median time of `run` over what `prepare` makes anew for each of `times`.
fn median<T, R>(times: usize, prepare: impl Fn() -> T, run: impl Fn(T) -> R) -> Duration {
    let clock = SystemClock::start();
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let prepared = prepare();
            let start = clock.now();
            let result = black_box(run(prepared));
            let took = clock.now() - start;
            drop(result);
            took
        })
        .collect();
    took.sort_unstable();
    took[times / 2]
}

#[expect(clippy::print_stdout, reason = "its output is the result")]
fn print(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.1} {unit}");
}

fn placements_per_second(prefer: bool) -> f64 {
    let took = median(
        15,
        || {
            let mut scheduler = support::scheduler();
            support::introduce(&mut scheduler, OFFERS);
            support::submit(
                &mut scheduler,
                if prefer {
                    support::with_preferences(TASKS, OFFERS)
                } else {
                    support::without_preference(TASKS)
                },
            );
            (scheduler, support::offers(OFFERS, TASKS / OFFERS, 0))
        },
        |(mut scheduler, offers)| {
            // With preferences, the second round is past every wait, so that
            // what found no place near its input goes anywhere.
            let later = offers.clone();
            let near = support::offer(&mut scheduler, NOW, offers);
            let placed = near.launched();
            let left = later
                .into_iter()
                .zip(&near.launches)
                .map(|(mut offer, launched)| {
                    offer.cores -= launched.len() as u32;
                    offer
                })
                .collect();
            let far = support::offer(&mut scheduler, LATER, left);
            assert_eq!(placed + far.launched(), TASKS as usize);
            (scheduler, near, far)
        },
    );
    f64::from(TASKS) / took.as_secs_f64()
}

fn misfit_us() -> f64 {
    const ROUNDS: u32 = 1000;
    let (mut scheduler, offers) = support::misfits();
    let clock = SystemClock::start();
    offers
        .iter()
        .map(|offer| {
            let start = clock.now();
            for _ in 0..ROUNDS {
                let actions = support::offer(&mut scheduler, NOW, vec![offer.clone()]);
                assert_eq!(black_box(actions).launched(), 0);
            }
            (clock.now() - start).as_secs_f64() * 1e6 / f64::from(ROUNDS)
        })
        .fold(0.0, f64::max)
}

/// With executors never seen before, or all known.
fn constrained_ms(known: bool) -> f64 {
    let took = median(
        25,
        || support::constrained(known),
        |(mut scheduler, offers)| {
            let actions = support::offer(&mut scheduler, NOW, offers);
            assert_eq!(actions.launched(), 200);
            (scheduler, actions)
        },
    );
    took.as_secs_f64() * 1e3
}

fn order_us() -> f64 {
    let (tree, running) = support::pools();
    let took = median(
        101,
        || (),
        |()| tree.order(|set| running[set.index()]).len(),
    );
    took.as_secs_f64() * 1e6
}

fn bytes_per_task() -> f64 {
    let mut scheduler = support::scheduler();
    support::introduce(&mut scheduler, OFFERS);
    let region = Region::new(ALLOCATOR);
    support::submit(&mut scheduler, support::with_preferences(TASKS, OFFERS));
    let change = region.change();
    let held = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
    black_box(scheduler);
    held / f64::from(TASKS)
}

fn main() {
    print("placements_per_s", placements_per_second(false), "1/s");
    print(
        "placements_preferred_per_s",
        placements_per_second(true),
        "1/s",
    );
    print("misfit_offer_us", misfit_us(), "us");
    print("fenzo_200x10000_ms", constrained_ms(false), "ms");
    print("fenzo_200x10000_known_ms", constrained_ms(true), "ms");
    print("order_1000_pools_us", order_us(), "us");
    print("bytes_per_waiting_task", bytes_per_task(), "B");
    for (case, name) in [
        (Case::Coarse, "offers_10000_answered_coarse_p99_ms"),
        (Case::Fine, "offers_10000_answered_fine_p99_ms"),
        (Case::Idle, "offers_10000_declined_p99_ms"),
    ] {
        let p99 = answers::p99(case, 10_000, 100);
        print(name, p99.as_secs_f64() * 1e3, "ms");
    }
}
