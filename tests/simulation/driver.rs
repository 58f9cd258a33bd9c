//! A driver process: the real decisions of a driver and of its subscription,
//! what it keeps, and another process that goes on from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesquite::backend::executor_size::ExecutorSize;
use mesquite::backend::manager::ClusterManager;
use mesquite::backend::mesos::coarse::MesosCoarse;
use mesquite::backend::mesos::desk::MesosConfig;
use mesquite::backend::mesos::fine::{MesosFine, MesosFineConfig};
use mesquite::backoff::BackoffPolicy;
use mesquite::clock::Timestamp;
use mesquite::conf::{Conf, Layer};
use mesquite::driver::core::effect::{Delivery, Effect};
use mesquite::driver::core::heard::Heard;
use mesquite::driver::core::input::{ConnectionId, Input, Step};
use mesquite::driver::core::instruction::Welcome;
use mesquite::driver::core::record::{Record, line, read};
use mesquite::driver::core::replay::replay;
use mesquite::driver::core::{Driver, DriverParts};
use mesquite::driver::wire::heard;
use mesquite::executor::worker::variable;
use mesquite::ids::{ExecutorId, FrameworkId, TaskId};
use mesquite::mesos::call::Call;
use mesquite::mesos::endpoint::{Endpoint, Scheme};
use mesquite::mesos::subscription::{self, Dial, Notice, Subscription};
use mesquite::mesos::task::Command;
use mesquite::offers::{Constraints, RefusePolicy, Requirement};
use mesquite::resources::{Demand, Scalar};
use mesquite::rpc::message::{FromDriver, from_driver};
use mesquite::scheduler::config::task_needs;
use mesquite::scheduler::{Core, DagSchedulerConfig, TaskSchedulerConfig};

use crate::network::{Channel, Message, Node};
use crate::world::{Happening, World};

/// The calendar at the beginning.
const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// The framework's id.
pub fn framework() -> FrameworkId {
    FrameworkId::from("mesquite")
}

impl World {
    /// The time by the calendar.
    pub fn calendar(&self) -> Duration {
        BEGIN + self.now.since_start()
    }
}

/// See the module.
pub struct DriverProcess {
    driver: Driver,
    subscription: Subscription,
    /// The stream of events, and the attempt that it belongs to.
    stream: Option<Channel>,
    dial: Option<Dial>,
    calls: bool,
    subscribed_before: bool,
    /// Steps wait for the subscription, as a driver's loop begins with it.
    first: Option<Vec<Input>>,
    links: BTreeMap<ConnectionId, Channel>,
    executors: BTreeMap<Channel, (ConnectionId, ExecutorId)>,
    next_connection: u64,
    woken_at: Option<Timestamp>,
    pub leaving: bool,
}

fn size() -> ExecutorSize {
    ExecutorSize {
        cores: Some(2),
        least_cores: 1,
        memory_mib: 500,
        overhead_mib: 384,
        named: Vec::new(),
    }
}

fn coarse_config() -> MesosConfig {
    MesosConfig {
        size: size(),
        cores_max: None,
        gpus_max: None,
        requirement: Requirement {
            demand: size().demand(),
            constraints: Constraints::default(),
            role: Some("*".into()),
            ..Requirement::default()
        },
        refuse: RefusePolicy::default(),
        role: "*".into(),
        command: Command::shell("exec mesquite executor"),
        container: None,
        labels: Vec::new(),
        variables: [variable::EXECUTOR, variable::HOST, variable::CORES],
        prefix: "sim".into(),
        rack_attribute: None,
    }
}

fn fine_config() -> MesosFineConfig {
    MesosFineConfig {
        shared: MesosConfig {
            requirement: Requirement {
                demand: Demand::new(),
                ..coarse_config().requirement
            },
            ..coarse_config()
        },
        offered: Vec::new(),
        executor_cores: Scalar::from_milli(100),
        idle_timeout: Duration::from_secs(60),
    }
}

impl World {
    fn parts(&self) -> DriverParts {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        // Faults of the cluster are not to end a job.
        let failures = if self.setting.poison { "4" } else { "1000" };
        let mut settings = vec![
            set("spark.master", "mesos://master:5050"),
            set("spark.task.maxFailures", failures),
            set("spark.locality.wait", "500ms"),
        ];
        if self.setting.speculation {
            settings.push(set("spark.speculation", "true"));
            settings.push(set("spark.speculation.quantile", "0.5"));
            settings.push(set("spark.speculation.minTaskRuntime", "50ms"));
            let efficiency = self.setting.efficiency.to_string();
            settings.push(set("spark.speculation.efficiency.enabled", &efficiency));
        }
        if self.setting.exclusion {
            settings.push(set("spark.excludeOnFailure.enabled", "true"));
        }
        let mut builder = Conf::builder();
        for (name, value) in &settings {
            builder = builder.set(Layer::ConfOption, name.as_str(), value.as_str());
        }
        let conf = builder.build().expect("good settings");
        let tasks = TaskSchedulerConfig {
            outputs_outlive_executors: true,
            dynamic_allocation: self.setting.allocation.is_some(),
            ..TaskSchedulerConfig::from_conf(&conf)
        };
        let dag = DagSchedulerConfig {
            task_needs: task_needs(&conf),
            // Twice Spark's, for several faults may hit one stage; outputs that
            // are lost must be known as lost all at once.
            max_consecutive_stage_attempts: 8,
            ..DagSchedulerConfig::default()
        };
        let plan = Arc::clone(&self.application.plan);
        let core = Core::new(plan, dag, tasks, None, self.seed);
        let manager: Box<dyn ClusterManager> = if self.setting.fine {
            Box::new(MesosFine::new(fine_config()))
        } else {
            Box::new(MesosCoarse::new(coarse_config(), false))
        };
        DriverParts {
            core,
            application: Arc::clone(&self.application),
            manager,
            tells_all: true,
            welcome: Welcome::default(),
            task_cpus: 1,
            named: None,
            allocation: self.setting.allocation.clone(),
            keeps: true,
            longest_message: 1 << 20,
            is_saved: mesquite::storage::sink::is_saved,
        }
    }

    /// A driver process starts; it goes on with what is in the journal.
    pub fn driver_starts(&mut self) {
        self.lives.driver += 1;
        let mut driver = Driver::new(self.parts());
        let steps = self.read_journal();
        let mut next_connection = 1;
        let mut told = Vec::new();
        let mut first = vec![Input::Started];
        self.deliveries.clear();
        if !steps.is_empty() {
            self.count("recoveries of the driver");
            let replayed = replay(&mut driver, steps).expect("the same steps, the same effects");
            next_connection = replayed.next_connection.0;
            told = replayed.facts;
            first = vec![Input::Recovered];
            for effect in replayed.printed.into_iter().chain(replayed.unanswered) {
                let undelivered = replayed.undelivered.clone();
                if let Some(input) = self.carry_out_aside(effect) {
                    match &input {
                        Input::Delivered { job, .. } if !undelivered.contains(job) => {}
                        _ => first.push(input),
                    }
                }
            }
        }
        self.facts.anew(&told);
        let seed = self.random.u64(..);
        self.driver = Some(DriverProcess {
            driver,
            subscription: Subscription::new(
                framework(),
                BackoffPolicy::MESOS,
                seed,
                Duration::from_secs(75),
            ),
            stream: None,
            dial: None,
            calls: false,
            subscribed_before: false,
            first: Some(first),
            links: BTreeMap::new(),
            executors: BTreeMap::new(),
            next_connection,
            woken_at: None,
            leaving: false,
        });
        let master = Endpoint {
            scheme: Scheme::Http,
            host: "master".into(),
            port: 5050,
        };
        self.tell_subscription(subscription::Input::LeaderKnown(vec![master]));
        self.driver_settles();
    }

    /// Reads what is kept as a driver does: a torn end is dropped.
    fn read_journal(&mut self) -> Vec<(Step, u64)> {
        let mut steps = Vec::new();
        let mut whole = 0;
        for text in self.journal.split_inclusive(|byte| *byte == b'\n') {
            let Some(text) = text.strip_suffix(b"\n") else {
                break;
            };
            match read(text).expect("whole lines are good") {
                Record::Step(step, effects) => steps.push((*step, effects)),
                other => panic!("{other:?} is not expected"),
            }
            whole += text.len() + 1;
        }
        self.journal.truncate(whole);
        steps
    }

    pub fn driver_wakes(&mut self) {
        let now = self.now;
        let Some(process) = &mut self.driver else {
            return;
        };
        process.woken_at = None;
        if process
            .subscription
            .next_deadline()
            .is_some_and(|at| at <= now)
        {
            self.tell_subscription(subscription::Input::Tick);
        }
        // Its loop begins once there is a subscription.
        let begun = self.driver.as_ref().filter(|it| it.first.is_none());
        let due = begun.and_then(|it| it.driver.next_deadline());
        if due.is_some_and(|at| at <= now) {
            self.drive(vec![Input::TimePassed]);
        }
        self.driver_settles();
    }

    fn driver_settles(&mut self) {
        let Some(process) = &mut self.driver else {
            return;
        };
        let own = process
            .driver
            .next_deadline()
            .filter(|_| process.first.is_none() && !process.leaving);
        let due = own
            .into_iter()
            .chain(process.subscription.next_deadline())
            .min();
        if let Some(due) = due
            && process.woken_at.is_none_or(|at| due < at)
        {
            process.woken_at = Some(due);
            let life = self.lives.driver;
            self.at(due, Happening::Wake(Node::Driver, life));
        }
    }

    fn tell_subscription(&mut self, input: subscription::Input) {
        let Some(process) = &mut self.driver else {
            return;
        };
        let actions = process.subscription.handle(self.now, input);
        for action in actions {
            let Some(process) = &mut self.driver else {
                return;
            };
            match action {
                subscription::Action::Connect(dial, _, id) => {
                    process.dial = Some(dial);
                    let first = Message::Subscribe(id);
                    self.connect(Node::Driver, Node::Master, Some(first));
                }
                subscription::Action::Disconnect => {
                    if let Some(stream) = process.stream.take() {
                        self.hang_up(stream, Node::Driver);
                    }
                }
                subscription::Action::OpenCalls(_) => process.calls = true,
                subscription::Action::CloseCalls => process.calls = false,
                subscription::Action::Deliver(notice) => self.notice(notice),
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        let Some(process) = &mut self.driver else {
            return;
        };
        if matches!(notice, Notice::Subscribed { .. }) && !process.subscribed_before {
            process.subscribed_before = true;
            // The loop begins now; a driver that goes on hears of it.
            let mut first = process.first.take().expect("it has not begun");
            if first[0] == Input::Recovered {
                first.insert(1, Input::Mesos(notice));
            }
            return self.drive(first);
        }
        if process.subscribed_before {
            self.drive(vec![Input::Mesos(notice)]);
        }
    }

    pub fn driver_hears(&mut self, channel: Channel, message: Message) {
        let Some(process) = &mut self.driver else {
            return;
        };
        match message {
            Message::Answer(answer) if process.stream == Some(channel) => {
                if let Some(dial) = process.dial {
                    self.tell_subscription(subscription::Input::Answered(dial, answer));
                }
            }
            Message::Event(event) if process.stream == Some(channel) => {
                if let Some(dial) = process.dial {
                    self.tell_subscription(subscription::Input::Arrived(dial, *event));
                }
            }
            Message::Refused(call, refusal) if process.stream == Some(channel) => {
                let refused = Input::Refused {
                    call: *call,
                    refusal,
                };
                self.drive(vec![refused]);
            }
            Message::FromExecutor(message) => {
                let message = heard(message).expect("executors say what is known");
                self.driver_hears_executor(channel, message);
            }
            _ => {}
        }
        self.driver_settles();
    }

    fn driver_hears_executor(&mut self, channel: Channel, message: Heard) {
        let Some(process) = &mut self.driver else {
            return;
        };
        if process.leaving || process.first.is_some() && !matches!(message, Heard::Registered(_)) {
            return;
        }
        if let Heard::Registered(register) = &message {
            let connection = ConnectionId(process.next_connection);
            process.next_connection += 1;
            let executor = register.executor.clone();
            process.links.insert(connection, channel);
            process.executors.insert(channel, (connection, executor));
        }
        let Some((connection, executor)) = process.executors.get(&channel).cloned() else {
            return;
        };
        let input = Input::Executor {
            connection,
            executor,
            message,
        };
        match &mut process.first {
            // It waits in the loop's queue until the loop begins.
            Some(first) => first.push(input),
            None => self.drive(vec![input]),
        }
    }

    pub fn driver_connected(&mut self, channel: Option<Channel>) {
        let Some(process) = &mut self.driver else {
            return;
        };
        process.stream = channel;
        if channel.is_none()
            && let Some(dial) = process.dial
        {
            let broken = subscription::Input::Broken(dial, "refused".into());
            self.tell_subscription(broken);
        }
        self.driver_settles();
    }

    pub fn driver_loses(&mut self, channel: Channel) {
        let Some(process) = &mut self.driver else {
            return;
        };
        if process.stream == Some(channel) {
            process.stream = None;
            if let Some(dial) = process.dial {
                let broken = subscription::Input::Broken(dial, "broken".into());
                self.tell_subscription(broken);
            }
        } else if let Some((connection, executor)) = process.executors.remove(&channel) {
            process.links.remove(&connection);
            self.checks.disconnected(connection);
            let input = Input::Disconnected {
                connection,
                executor,
                why: "it broke".into(),
            };
            match &mut process.first {
                Some(first) => first.push(input),
                None => self.drive(vec![input]),
            }
        }
        self.driver_settles();
    }

    /// Something that the driver started has come to its end.
    pub fn driver_input(&mut self, input: Input) {
        if let Some(process) = &mut self.driver {
            match &mut process.first {
                Some(first) => first.push(input),
                None => self.drive(vec![input]),
            }
        }
        self.driver_settles();
    }

    /// The loop: a step, its effects in order, and what follows at once.
    pub fn drive(&mut self, mut inputs: Vec<Input>) {
        while !inputs.is_empty() {
            let Some(process) = &mut self.driver else {
                return;
            };
            if process.leaving {
                return;
            }
            let step = Step {
                at: self.now,
                unix_time: BEGIN + self.now.since_start(),
                inputs,
            };
            self.steps += 1;
            let given = self.checks.given(&step);
            let effects = process.driver.handle(step);
            self.checks.answered(&given, &effects);
            let crash = self.crash_at.take_if(|_| effects.len() > 1);
            let most = crash.map_or(effects.len(), |at| at % effects.len());
            let runs = |task| process.driver.runs(TaskId(task));
            // A step that was not kept did not happen.
            if most > 0 {
                self.checks.commits(&given, &effects[..most], runs);
            }
            if crash.is_none() {
                let links = &process.links;
                self.checks.releases(&effects, |it| links.contains_key(it));
                self.facts.of_step(&effects);
            }
            inputs = Vec::new();
            for effect in effects.into_iter().take(most) {
                inputs.extend(self.carry_out(effect));
            }
            if crash.is_some() {
                self.count("driver killed within a step");
                return self.driver_dies();
            }
            if self.driver.as_ref().is_some_and(|it| it.driver.is_done()) {
                return self.driver_leaves();
            }
        }
        self.driver_settles();
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        if !matches!(effect, Effect::Keep(_)) {
            self.trace(|| format!("    {effect:?}"));
        }
        let process = self.driver.as_mut()?;
        match effect {
            Effect::Keep(record) => {
                self.journal.extend(line(&record));
                None
            }
            Effect::Send(connection, message) => {
                if let Some(channel) = process.links.get(&connection) {
                    let channel = *channel;
                    self.say(channel, 0, Message::FromDriver(message));
                }
                None
            }
            Effect::Close(connection) => {
                if let Some(channel) = process.links.remove(&connection) {
                    process.executors.remove(&channel);
                    self.close_after_all(channel);
                }
                None
            }
            Effect::Call(call) => {
                if let Some(stream) = process.stream.filter(|_| process.calls) {
                    self.say(stream, 1, Message::Call(Box::new(call)));
                }
                None
            }
            Effect::StartProcess(_) | Effect::KillProcess(_) => None,
            aside => self.carry_out_aside(aside),
        }
    }

    /// Carries out what concerns neither connections nor the journal.
    fn carry_out_aside(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Fetch { task, place, .. } => {
                let after = self.now + Duration::from_millis(self.random.u64(1..20));
                let address = place.address;
                self.at(after, Happening::Fetch { task, address });
                None
            }
            Effect::Deliver { job, delivery, .. } => match delivery {
                Delivery::Save { to, partitions, .. } => {
                    let after = self.now + Duration::from_millis(self.random.u64(1..20));
                    let life = self.lives.driver;
                    let saved = Happening::Save {
                        life,
                        job,
                        to,
                        partitions,
                    };
                    self.at(after, saved);
                    None
                }
                printed => {
                    let before = self.deliveries.insert(job, printed);
                    assert!(before.is_none(), "the result of job {job} is printed twice");
                    Some(Input::Delivered {
                        job,
                        result: Ok(()),
                    })
                }
            },
            Effect::AbortSave { to } => {
                self.saved.abort(&to);
                None
            }
            _ => None,
        }
    }

    /// Every job has ended: executors are told, the framework is torn down.
    fn driver_leaves(&mut self) {
        let Some(process) = &mut self.driver else {
            return;
        };
        process.leaving = true;
        self.facts.is_over();
        let links: Vec<_> = process.links.values().copied().collect();
        let stream = process.stream.filter(|_| process.calls);
        for channel in links {
            let stop = from_driver::Stop {
                reason: "the application is over".into(),
            };
            let message = FromDriver {
                message: Some(from_driver::Message::Stop(stop)),
            };
            self.say(channel, 0, Message::FromDriver(message));
        }
        self.journal.clear();
        if let Some(stream) = stream {
            self.say(stream, 1, Message::Call(Box::new(Call::Teardown)));
        }
        let life = self.lives.driver;
        self.at(
            self.now + Duration::from_secs(5),
            Happening::DriverLeft(life),
        );
    }

    /// The process has ended in good order.
    pub fn driver_left(&mut self) {
        let Some(process) = self.driver.take() else {
            return;
        };
        self.node_is_gone(Node::Driver);
        self.ended_at = Some(self.now);
        let over = process.driver.over().cloned();
        let reports = process.driver.into_results().jobs;
        self.reports = Some((reports, over));
    }

    /// The process is killed.
    pub fn driver_dies(&mut self) {
        if self.driver.take().is_some() {
            self.node_is_gone(Node::Driver);
            self.checks.driver_died();
            // Its last line may not have been written whole.
            if self.random.bool() && !self.journal.is_empty() {
                let half = line(&Record::Step(
                    Box::new(Step {
                        at: self.now,
                        unix_time: BEGIN,
                        inputs: vec![Input::TimePassed],
                    }),
                    0,
                ));
                self.journal.extend(&half[..half.len() / 2]);
            }
            let after = self.now + Duration::from_millis(self.random.u64(100..20_000));
            self.at(after, Happening::DriverStarts);
        }
    }
}
