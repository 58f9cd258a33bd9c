//! The threads that run tasks.
//!
//! Responsible for starting tasks in the order in which they came, as many at
//! once as there are threads, for stopping those that are to stop, and for
//! telling how each ended, once. Used by executors and by the driver when it
//! runs tasks itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::rpc::message::{Outcome, Task, outcome::End};
use crate::task::Cancel;

/// Runs one task.
pub trait RunTask: Send + Sync + 'static {
    /// Runs a task to its end.
    fn run(&self, task: &Task, cancel: &Cancel) -> Outcome;
}

/// Hears how a task ended; called on the task's thread.
pub type OnEnd = Box<dyn Fn(Task, Outcome) + Send + Sync>;

/// See the module. Dropping it stops all tasks.
pub struct TaskPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    on_end: OnEnd,
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
}

impl TaskPool {
    /// A pool of so many threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        threads: usize,
        runner: &Arc<dyn RunTask>,
        on_end: OnEnd,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            on_end,
        });
        let pool = Self {
            shared: Arc::clone(&shared),
        };
        for index in 0..threads.max(1) {
            let (shared, runner) = (Arc::clone(&shared), Arc::clone(runner));
            thread::Builder::new()
                .name(format!("task-{index}"))
                .spawn(move || shared.work(&*runner))?;
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
                (self.shared.on_end)(task, killed(reason));
            }
        } else if let Some(running) = state.running.get_mut(&task) {
            running.reason.get_or_insert_with(|| reason.to_owned());
            let cancel = running.cancel.clone();
            drop(state);
            cancel.cancel();
        }
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

    fn work(&self, runner: &dyn RunTask) {
        while let Some((task, cancel)) = self.next() {
            let mut outcome = runner.run(&task, &cancel);
            let reason = self
                .lock()
                .running
                .remove(&task.id)
                .and_then(|it| it.reason);
            if let (Some(reason), Some(End::Killed(why))) = (reason, &mut outcome.end) {
                *why = reason;
            }
            self.changed.notify_all();
            (self.on_end)(task, outcome);
        }
    }

    /// The next task to run; `None` when the pool is closed.
    fn next(&self) -> Option<(Task, Cancel)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(task) = state.waiting.pop_front() {
                let cancel = Cancel::new();
                let running = Running {
                    cancel: cancel.clone(),
                    reason: None,
                };
                state.running.insert(task.id, running);
                return Some((task, cancel));
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
        fn run(&self, task: &Task, cancel: &Cancel) -> Outcome {
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

    fn pool(threads: usize) -> (TaskPool, mpsc::Receiver<(u64, Outcome)>) {
        let (ends, ended) = mpsc::channel();
        let on_end = move |task: Task, outcome| {
            let _ = ends.send((task.id, outcome));
        };
        let runner: Arc<dyn RunTask> = Arc::new(UntilStopped);
        let pool = TaskPool::start(threads, &runner, Box::new(on_end));
        (pool.expect("threads"), ended)
    }

    fn task(id: u64) -> Task {
        Task {
            id,
            ..Task::default()
        }
    }

    #[test]
    fn tasks_run_in_order_and_waiting_and_running_ones_can_be_stopped() {
        let (pool, ended) = pool(1);
        pool.submit([task(2), task(1), task(3)]);
        assert_eq!(ended.recv().expect("an end").0, 2);
        pool.kill(3, "not wanted");
        assert_eq!(ended.recv().expect("an end"), (3, killed("not wanted")));
        pool.kill(1, "enough");
        assert_eq!(ended.recv().expect("an end"), (1, killed("enough")));
        pool.kill(1, "late");
        pool.submit([task(4)]);
        assert_eq!(ended.recv().expect("an end").0, 4);
    }

    #[test]
    fn closing_stops_what_runs() {
        let (pool, ended) = pool(2);
        pool.submit([task(1), task(3)]);
        pool.kill(1, "so that it is known to have run");
        assert_eq!(ended.recv().expect("an end").0, 1);
        pool.close();
        pool.wait();
    }
}
