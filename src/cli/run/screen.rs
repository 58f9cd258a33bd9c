//! The screen of a run: what `show` says, on the console.
//!
//! Responsible for when something is drawn: at most ten times a second, at once
//! when the terminal changes its size, and never while a result is written.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};

use super::results::{Kept, Results};
use super::show::{Show, Wanted};
use crate::cli::console::Console;
use crate::clock::SystemClock;
use crate::driver::listener::Listener;
use crate::driver::report::Progress;
use crate::timer::AbortOnDrop;

/// So often it is looked at what has changed.
const TICK: Duration = Duration::from_millis(100);

/// Shows progress on stderr and results on stdout.
pub(super) struct Screen {
    view: View,
    results: Results,
    _following: AbortOnDrop,
}

#[derive(Clone)]
struct View {
    show: Arc<Mutex<Show>>,
    console: Console,
    clock: SystemClock,
    /// Whether bars are wanted where they can be drawn.
    bars: bool,
}

impl Screen {
    /// Shows what is `wanted`, with `bars` where they can be drawn.
    /// It is drawn from a task of the runtime.
    pub(super) fn new(wanted: Wanted, bars: bool, console: &Console, results: Results) -> Self {
        let clock = SystemClock::start();
        let view = View {
            show: Arc::new(Mutex::new(Show::new(wanted, clock.now()))),
            console: console.clone(),
            clock,
            bars: wanted == Wanted::Progress && bars,
        };
        Self {
            _following: AbortOnDrop::spawn(view.clone().follow()),
            view,
            results,
        }
    }

    /// Takes the bars away; what programs are told of results.
    pub(super) fn close(self) -> Vec<Kept> {
        let Self {
            view,
            results,
            _following,
        } = self;
        drop(_following);
        // What is being drawn this moment is of no stage.
        *view.show() = Show::new(Wanted::Errors, view.clock.now());
        view.console.clear();
        results.kept()
    }
}

impl View {
    fn show(&self) -> MutexGuard<'_, Show> {
        self.show.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Without the signal a new size shows with the next change.
        let mut resized = signal(SignalKind::window_change()).ok();
        loop {
            let anew = tokio::select! {
                _ = ticks.tick() => false,
                () = changed(&mut resized) => true,
            };
            self.draw(anew);
        }
    }

    fn draw(&self, anew: bool) {
        let now = self.clock.now();
        let size = self.console.size().filter(|_| self.bars);
        let mut show = self.show();
        match size {
            Some(size) => self.console.show(&show.rows(now, size), anew),
            None => {
                if let Some(line) = show.now_and_then(now) {
                    self.console.line(&line);
                }
            }
        }
    }
}

async fn changed(resized: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = resized
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

impl Listener for Screen {
    fn progress(&mut self, progress: Progress) {
        let now = self.view.clock.now();
        let bars = self.view.bars && self.view.console.draws();
        let lines = self.view.show().progress(now, progress, bars);
        for line in lines {
            self.view.console.line(&line);
        }
    }

    fn counted(&mut self, action: usize, records: u64) -> io::Result<()> {
        let printed = self.results.counted(action, records);
        self.view.console.results(&printed)
    }

    fn collected(&mut self, action: usize, records: &[Bytes]) -> io::Result<()> {
        let (before, are_printed) = self.results.collected(action, records);
        self.view.console.results(&before)?;
        let mut records = records.iter().filter(|_| are_printed);
        records.try_for_each(|lines| self.view.console.results(lines))
    }
}
