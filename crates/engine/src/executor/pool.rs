//! The threads that run tasks.
//!
//! Responsible for starting tasks in the order in which they came, as many at
//! once as there are threads, for stopping those that are to stop, and for
//! telling that each begins, how far it is, and how it ended, once. Used by executors and by the driver when it
//! runs tasks itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::clock::{SystemClock, Timestamp};
use crate::rpc::message::{Outcome, Task, from_executor::Progress, outcome::End};
use crate::task::{Cancel, Metrics};

/// Runs one task.
pub trait RunTask: Send + Sync + 'static {
    /// Runs a task to its end, and counts what it does.
    fn run(self: Arc<Self>, task: &Arc<Task>, cancel: &Cancel, metrics: &Arc<Metrics>) -> Outcome;
}

/// Hears of tasks; called on the thread of each.
pub trait Hears: Send + Sync + 'static {
    /// A task begins: nothing of it has run.
    fn began(&self, task: &Task);

    /// A task has ended. Of one that was stopped before it began nothing else is
    /// heard.
    fn ended(&self, task: &Task, outcome: Outcome);
}

/// See the module. Dropping it stops all tasks.
pub struct TaskPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    hears: Box<dyn Hears>,
    clock: SystemClock,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    running: HashMap<u64, Running>,
    closed: bool,
}

struct Running {
    cancel: Cancel,
    /// Why it is to stop.
    reason: Option<String>,
    metrics: Arc<Metrics>,
    since: Timestamp,
}

impl TaskPool {
    /// A pool of so many threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        threads: usize,
        runner: &Arc<dyn RunTask>,
        hears: Box<dyn Hears>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            hears,
            clock: SystemClock::start(),
        });
        let pool = Self {
            shared: Arc::clone(&shared),
        };
        for index in 0..threads.max(1) {
            let (shared, runner) = (Arc::clone(&shared), Arc::clone(runner));
            thread::Builder::new()
                .name(format!("task-{index}"))
                .spawn(move || shared.work(&runner))?;
        }
        Ok(pool)
    }

    /// Runs these when there is a thread for them.
    pub fn submit(&self, tasks: impl IntoIterator<Item = Task>) {
        self.shared.lock().waiting.extend(tasks);
        self.shared.changed.notify_all();
    }

    /// Stops a task; its end is told as always. One that is over is left alone.
    pub fn kill(&self, task: u64, reason: &str) {
        let mut state = self.shared.lock();
        if let Some(at) = state.waiting.iter().position(|it| it.id == task) {
            let task = state.waiting.remove(at);
            drop(state);
            if let Some(task) = task {
                self.shared.hears.ended(&task, killed(reason));
            }
        } else if let Some(running) = state.running.get_mut(&task) {
            running.reason.get_or_insert_with(|| reason.to_owned());
            let cancel = running.cancel.clone();
            drop(state);
            cancel.cancel();
        }
    }

    /// How far each task is that runs, in no order.
    pub fn progress(&self) -> Vec<Progress> {
        let now = self.shared.clock.now();
        let state = self.shared.lock();
        let running = state.running.iter();
        let progress = running.map(|(task, running)| Progress {
            task: *task,
            records: running.metrics.snapshot().records_read,
            run_micros: u64::try_from((now - running.since).as_micros()).unwrap_or(u64::MAX),
        });
        progress.collect()
    }

    /// Stops all tasks and takes no more.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.waiting.clear();
        let running: Vec<_> = state.running.values().map(|it| it.cancel.clone()).collect();
        drop(state);
        for cancel in running {
            cancel.cancel();
        }
        self.shared.changed.notify_all();
    }

    /// Waits until no task runs; [`close`](Self::close) comes first.
    pub fn wait(&self) {
        let mut state = self.shared.lock();
        while !state.running.is_empty() {
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for TaskPool {
    fn drop(&mut self) {
        self.close();
    }
}

fn killed(reason: &str) -> Outcome {
    Outcome {
        end: Some(End::Killed(reason.to_owned())),
        ..Outcome::default()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, runner: &Arc<dyn RunTask>) {
        while let Some((task, cancel, metrics)) = self.next() {
            self.hears.began(&task);
            let mut outcome = Arc::clone(runner).run(&task, &cancel, &metrics);
            let reason = self
                .lock()
                .running
                .remove(&task.id)
                .and_then(|it| it.reason);
            if let (Some(reason), Some(End::Killed(why))) = (reason, &mut outcome.end) {
                *why = reason;
            }
            self.changed.notify_all();
            self.hears.ended(&task, outcome);
        }
    }

    /// The next task to run; `None` when the pool is closed.
    fn next(&self) -> Option<(Arc<Task>, Cancel, Arc<Metrics>)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.waiting.pop_front() {
                let (cancel, metrics) = (Cancel::new(), Arc::<Metrics>::default());
                let running = Running {
                    cancel: cancel.clone(),
                    reason: None,
                    metrics: Arc::clone(&metrics),
                    since: self.clock.now(),
                };
                state.running.insert(task.id, running);
                return Some((Arc::new(task), cancel, metrics));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Odd tasks run until they are stopped.
    struct UntilStopped;

    impl RunTask for UntilStopped {
        fn run(
            self: Arc<Self>,
            task: &Arc<Task>,
            cancel: &Cancel,
            metrics: &Arc<Metrics>,
        ) -> Outcome {
            Metrics::add(&metrics.records_read, 10 * task.id);
            if task.id.is_multiple_of(2) {
                return Outcome::default();
            }
            let (stop, stopped) = mpsc::channel();
            let _guard = cancel.on_cancel(move || {
                let _ = stop.send(());
            });
            stopped.recv().expect("stopped at last");
            killed("")
        }
    }

    /// What was heard: that a task begins, or its end.
    struct Told(mpsc::Sender<(u64, Option<Outcome>)>);

    impl Hears for Told {
        fn began(&self, task: &Task) {
            let _ = self.0.send((task.id, None));
        }

        fn ended(&self, task: &Task, outcome: Outcome) {
            let _ = self.0.send((task.id, Some(outcome)));
        }
    }

    type Heard = mpsc::Receiver<(u64, Option<Outcome>)>;

    fn pool(threads: usize) -> (TaskPool, Heard) {
        let (told, heard) = mpsc::channel();
        let runner: Arc<dyn RunTask> = Arc::new(UntilStopped);
        let pool = TaskPool::start(threads, &runner, Box::new(Told(told)));
        (pool.expect("threads"), heard)
    }

    fn next(heard: &Heard) -> (u64, Option<Outcome>) {
        heard.recv().expect("something is heard")
    }

    fn task(id: u64) -> Task {
        Task {
            id,
            ..Task::default()
        }
    }

    #[test]
    fn tasks_run_in_order_and_waiting_and_running_ones_can_be_stopped() {
        let (pool, heard) = pool(1);
        pool.submit([task(2), task(1), task(3)]);
        assert_eq!(next(&heard), (2, None));
        assert_eq!(next(&heard), (2, Some(Outcome::default())));
        assert_eq!(next(&heard), (1, None));
        pool.kill(3, "not wanted");
        let never_began = (3, Some(killed("not wanted")));
        assert_eq!(next(&heard), never_began);
        pool.kill(1, "enough");
        assert_eq!(next(&heard), (1, Some(killed("enough"))));
        pool.kill(1, "late");
        pool.submit([task(4)]);
        assert_eq!(next(&heard), (4, None));
        assert_eq!(next(&heard), (4, Some(Outcome::default())));
    }

    #[test]
    fn it_is_known_how_far_each_task_is_that_runs() {
        let (pool, heard) = pool(2);
        pool.submit([task(1), task(3)]);
        let mut records = Vec::new();
        while records != [(1, 10), (3, 30)] {
            let progress = pool.progress();
            records = progress.iter().map(|it| (it.task, it.records)).collect();
            records.sort_unstable();
            thread::yield_now();
        }
        pool.kill(1, "enough");
        while next(&heard) != (1, Some(killed("enough"))) {}
        let left: Vec<_> = pool.progress().iter().map(|it| it.task).collect();
        assert_eq!(left, [3]);
    }

    #[test]
    fn closing_stops_what_runs() {
        let (pool, heard) = pool(2);
        pool.submit([task(1), task(3)]);
        next(&heard);
        next(&heard);
        pool.close();
        pool.wait();
    }
}
