//! Executors that introduce themselves: those that are expected, those that come back,
//! and those that are sent away. Pure.
//!
//! Responsible for whether an executor is what it was launched as, for what it is told
//! first, and for what it and the driver have missed while it was away.

use std::collections::BTreeSet;

use super::{Fleet, say_on};
use crate::backend::manager::{ClusterManager, Input, Launched};
use crate::backend::roster::NewExecutor;
use crate::driver::effect::Effect;
use crate::driver::heard::{End, Outcome, Registration};
use crate::driver::input::ConnectionId;
use crate::driver::instruction::{Instruction, WhyStop};
use crate::driver::queue::{Next, Queue};
use crate::driver::work::BlockPlace;
use crate::facts::Fact;
use crate::facts::misfit::Misfit;
use crate::ids::{ExecutorId, TaskId};

/// No executor comes with more attempts: each that is not known is answered.
const MOST_TASKS: usize = 1 << 20;

impl Fleet {
    /// An executor introduces itself: `executor`, as it has proved.
    pub(in crate::driver) fn registered(
        &mut self,
        connection: ConnectionId,
        executor: &ExecutorId,
        register: Registration,
        manager: &dyn ClusterManager,
        queue: &mut Queue,
    ) {
        if register.executor != *executor {
            let misfit = Misfit::Name {
                is: executor.clone(),
                says: register.executor,
            };
            return refuse(connection, executor, misfit, queue);
        }
        match self.links.instance(executor) {
            Some(instance) if instance == register.instance => {
                return self.came_back(connection, executor, &register, queue);
            }
            Some(_) => {
                return send_away(connection, WhyStop::NameTaken, queue);
            }
            None => {}
        }
        let Some(launched) = manager.launched(executor) else {
            return send_away(connection, WhyStop::NotExpected, queue);
        };
        if let Err(misfit) = check(&launched, &register) {
            return refuse(connection, executor, misfit, queue);
        }
        if manager.has_other_hosts() && self.excluded.contains(&launched.host) {
            // Launched before that was known. It is not its agent's failure, and
            // its cores are wanted elsewhere.
            queue.fact(Fact::ExecutorSentAway {
                executor: executor.clone(),
                host: launched.host,
            });
            send_away(connection, WhyStop::HostExcluded, queue);
            return queue.manage(Input::End(executor.clone()));
        }
        let is_driver = !manager.has_comers();
        self.came((connection, executor), launched, register, is_driver, queue);
    }

    /// An executor has come that is expected and is what it says.
    fn came(
        &mut self,
        (connection, executor): (ConnectionId, &ExecutorId),
        launched: Launched,
        register: Registration,
        is_driver: bool,
        queue: &mut Queue,
    ) {
        let host = launched.host.clone();
        let cores = if self.is_fine { 0 } else { register.cores };
        if !self.is_fine {
            self.executors.add(NewExecutor {
                executor: executor.clone(),
                host: host.clone(),
                cores,
                resources: launched.resources.clone(),
            });
        }
        let instance = register.instance;
        self.links
            .came(executor, connection, instance, host.clone());
        let welcome = Instruction::Welcome(self.welcome.clone());
        queue.effect(say_on(connection, welcome));
        // Of an earlier driver process, if this one did not get to know of it.
        kill_unknown(connection, register.tasks, queue);
        let address = match register.port {
            0 => String::new(),
            port => format!("{host}:{port}"),
        };
        self.add(executor, launched, cores, queue);
        queue.fact(Fact::ExecutorCame {
            executor: executor.clone(),
            host: host.clone(),
            cores,
            is_driver,
            address: address.clone(),
        });
        let place = BlockPlace {
            address,
            folder: register.folder,
        };
        queue.then(Next::Came {
            executor: executor.clone(),
            host,
            place,
        });
        queue.manage(Input::Registered(executor.clone()));
        queue.then(Next::Room(executor.clone()));
    }

    /// An executor that was away is back, with what it still runs.
    fn came_back(
        &mut self,
        connection: ConnectionId,
        executor: &ExecutorId,
        register: &Registration,
        queue: &mut Queue,
    ) {
        let (before, killing) = self.links.came_back(executor, connection);
        if let Some(before) = before {
            queue.effect(Effect::Close(before));
        }
        let welcome = Instruction::Welcome(self.welcome.clone());
        queue.effect(say_on(connection, welcome));
        self.executors.set_away(executor, false);
        let has: BTreeSet<TaskId> = register.tasks.iter().copied().collect();
        for (task, reason) in killing.into_iter().filter(|(task, _)| has.contains(task)) {
            queue.effect(say_on(connection, Instruction::Kill { task, reason }));
        }
        if !self.is_fine {
            let known: BTreeSet<TaskId> = self.executors.attempts_on(executor).collect();
            // Its end may be on its way: then it is over already.
            kill_unknown(connection, has.difference(&known).copied(), queue);
            for task in known.difference(&has) {
                let why = "its launch did not reach the executor".into();
                let outcome = Outcome::of(End::Killed(why));
                queue.then(Next::Ended {
                    executor: executor.clone(),
                    task: *task,
                    outcome,
                });
            }
        }
        queue.then(Next::CameBack(executor.clone()));
        queue.then(Next::Room(executor.clone()));
    }
}

fn kill_unknown(
    connection: ConnectionId,
    tasks: impl IntoIterator<Item = TaskId>,
    queue: &mut Queue,
) {
    for task in tasks {
        let reason = "the driver does not know it".into();
        queue.effect(say_on(connection, Instruction::Kill { task, reason }));
    }
}

/// Sends an executor away that says what cannot be.
fn refuse(connection: ConnectionId, executor: &ExecutorId, misfit: Misfit, queue: &mut Queue) {
    queue.fact(Fact::ExecutorRefused {
        executor: executor.clone(),
        why: misfit.clone(),
    });
    send_away(connection, WhyStop::Misfit(misfit), queue);
}

pub(super) fn send_away(connection: ConnectionId, why: WhyStop, queue: &mut Queue) {
    queue.effect(say_on(connection, Instruction::Stop(why)));
    queue.effect(Effect::Close(connection));
}

/// Whether what an executor says of itself agrees with its launch.
fn check(launched: &Launched, register: &Registration) -> Result<(), Misfit> {
    let says = register.cores;
    match launched.cores {
        Some(launched) if launched != says => return Err(Misfit::Cores { launched, says }),
        _ => {}
    }
    let port = register.port;
    if port > u32::from(u16::MAX) {
        return Err(Misfit::Port(port));
    }
    let tasks = register.tasks.len();
    if tasks > MOST_TASKS {
        return Err(Misfit::Attempts(tasks));
    }
    Ok(())
}
