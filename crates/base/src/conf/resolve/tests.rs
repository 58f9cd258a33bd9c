//! Tests of precedence, checking and asking.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::conf::properties::application::APP_NAME;
use crate::conf::properties::executor::{EXECUTOR_CORES, EXECUTOR_MEMORY};
use crate::conf::properties::mesos::{
    COARSE, CODEC, CONSTRAINTS, PRINCIPAL, REJECT_OFFER_DURATION,
    REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS, SECRET, WireFormat,
};
use crate::conf::properties::scheduler::TASK_CPUS;
use crate::conf::property::{
    Family, Group, decimal_between, duration, integer, integer_between, list, properties, text,
};
use crate::conf::units::TimeUnit;
use crate::conf::value::ByteSize;

fn file(line: usize) -> Layer {
    let path = "spark-defaults.conf".into();
    Layer::PropertiesFile { path, line }
}

fn job(line: usize) -> Layer {
    let path = "job.toml".into();
    Layer::JobFile { path, line }
}

/// The messages of building what `--conf` gives.
fn problems(settings: &[(&str, &str)]) -> Vec<String> {
    let builder = settings
        .iter()
        .fold(Conf::builder(), |builder, (name, value)| {
            builder.set(Layer::ConfOption, *name, *value)
        });
    match builder.build() {
        Ok(_) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn what_nobody_sets_has_its_default() {
    let conf = Conf::default();
    assert!(conf.get(&COARSE));
    assert_eq!(conf.get(&EXECUTOR_CORES), None);
    assert_eq!(conf.get(&EXECUTOR_MEMORY), ByteSize::from_mib(1024));
    assert_eq!(conf.get(&CODEC), WireFormat::Protobuf);
    assert_eq!(conf.source("spark.mesos.coarse"), None);
    assert_eq!(conf.settings().count(), 0);
}

#[test]
fn the_nearer_source_wins_whatever_the_order() {
    let written = [
        (Layer::Option("--name"), "option"),
        (Layer::ConfOption, "conf"),
        (job(3), "job"),
        (file(9), "file"),
        (Layer::Environment("NAME"), "environment"),
    ];
    for strongest in 0..written.len() {
        let rest = &written[strongest..];
        let forwards: Vec<_> = rest.to_vec();
        let backwards: Vec<_> = rest.iter().rev().cloned().collect();
        for order in [forwards, backwards] {
            let builder = order
                .into_iter()
                .fold(Conf::builder(), |builder, (source, value)| {
                    builder.set(source, "spark.app.name", value)
                });
            let conf = builder.build().expect("good settings");
            assert_eq!(conf.get(&APP_NAME), rest[0].1);
            assert_eq!(conf.source("spark.app.name"), Some(&rest[0].0));
        }
    }
}

#[test]
fn within_one_source_the_later_wins() {
    let conf = Conf::builder()
        .set(file(1), "spark.app.name", "first")
        .set(file(2), "spark.app.name", "second")
        .build()
        .expect("good settings");
    assert_eq!(conf.get(&APP_NAME), "second");
    assert_eq!(conf.source("spark.app.name"), Some(&file(2)));
}

#[test]
fn a_bad_value_that_is_overridden_does_no_harm() {
    let conf = Conf::builder()
        .set(file(1), "spark.mesos.coarse", "maybe")
        .set(Layer::ConfOption, "spark.mesos.coarse", "false")
        .build()
        .expect("good settings");
    assert!(!conf.get(&COARSE));
}

#[test]
fn a_default_can_be_another_property() {
    let conf = Conf::builder()
        .set(job(1), "spark.mesos.rejectOfferDuration", "30")
        .build()
        .expect("good settings");
    assert_eq!(conf.get(&REJECT_OFFER_DURATION), Duration::from_secs(30));
    assert_eq!(
        conf.get(&REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS),
        Duration::from_secs(30)
    );
}

#[test]
fn the_environment_sets_what_nothing_else_sets() {
    let variables = BTreeMap::from([
        ("SPARK_MESOS_PRINCIPAL".to_owned(), "me".to_owned()),
        ("SPARK_MESOS_SECRET".to_owned(), String::new()),
    ]);
    let conf = Conf::builder()
        .environment(&variables)
        .build()
        .expect("good");
    assert_eq!(conf.get(&PRINCIPAL).as_deref(), Some("me"));
    assert_eq!(conf.get(&SECRET), None, "an empty variable is not set");
    let conf = Conf::builder()
        .set(file(1), "spark.mesos.principal", "you")
        .environment(&variables)
        .build()
        .expect("good");
    assert_eq!(conf.get(&PRINCIPAL).as_deref(), Some("you"));
}

#[test]
fn every_bad_setting_is_reported_at_once_with_its_place() {
    let error = Conf::builder()
        .set(Layer::ConfOption, "spark.mesos.corse", "true")
        .set(file(7), "spark.executor.cores", "0")
        .set(job(2), "spark.executor.memory", "1.5g")
        .set(Layer::Option("--master"), "spark.master", "yarn")
        .set(file(8), "zzz", "1")
        .build()
        .expect_err("all are bad");
    let messages = error.to_string();
    for expected in [
        "spark.executor.cores is `0` (spark-defaults.conf line 7), but must be a whole number",
        "spark.executor.memory is `1.5g` (job.toml line 2), but must be a size",
        "spark.master is `yarn` (command line, --master), but must be a master URL: supported are local,",
        "unknown property spark.mesos.corse (command line, --conf); did you mean spark.mesos.coarse?",
        "unknown property zzz (spark-defaults.conf line 8); `mesquite conf` lists all",
    ] {
        assert!(messages.contains(expected), "{expected}\n--\n{messages}");
    }
    assert_eq!(error.problems().len(), 5);
    assert_eq!(messages.lines().count(), 5);
}

#[test]
fn secrets_are_in_no_message_and_no_listing() {
    let messages = problems(&[
        ("spark.mesos.secret", "hunter2"),
        ("spark.master", "mesos://me:hunter2@h"),
    ]);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(!messages.concat().contains("hunter2"), "{messages:?}");

    let conf = Conf::builder()
        .set(Layer::ConfOption, "spark.mesos.principal", "me")
        .set(Layer::ConfOption, "spark.mesos.secret", "hunter2")
        .set(Layer::ConfOption, "spark.master", "zk://me:hunter2@h/p")
        .build()
        .expect("good settings");
    let shown: Vec<_> = conf.settings().map(|(_, value, _)| value).collect();
    assert_eq!(shown, ["zk://me:***@h:2181/p", "me", "***"]);
    assert!(!format!("{conf:?}").contains("hunter2"));
    assert_eq!(conf.get(&SECRET).expect("set").expose(), "hunter2");
}

#[test]
fn values_that_do_not_go_together_are_reported() {
    assert_eq!(
        problems(&[("spark.mesos.secret", "x")]),
        ["there is a secret for Mesos without a principal: set spark.mesos.principal too"]
    );
    assert_eq!(
        problems(&[("spark.executor.cores", "2"), ("spark.task.cpus", "3")]),
        [
            "an executor of 2 cores (spark.executor.cores) has no room for a task of 3 (spark.task.cpus)"
        ]
    );
    assert!(problems(&[("spark.executor.cores", "2"), ("spark.task.cpus", "2")]).is_empty());
}

#[test]
fn whoever_asks_for_a_container_does_not_get_the_bare_host() {
    let image = ("spark.mesos.executor.docker.image", "i");
    let mesos = ("spark.master", "mesos://h:5050");
    let by_mesos = ("spark.mesos.containerizer", "mesos");
    let parameters = ("spark.mesos.executor.docker.parameters", "ipc=host");
    let volumes = ("spark.mesos.executor.docker.volumes", "/a:/b:ro");
    for (settings, words) in [
        (&[image][..], "the master local[*] starts no containers"),
        (&[mesos, volumes], "docker.volumes is of an image: set"),
        (
            &[mesos, parameters],
            "docker.parameters is of an image: set",
        ),
        (&[mesos, image, by_mesos, parameters], "is for `docker run`"),
    ] {
        let found = problems(settings);
        assert!(
            matches!(&*found, [one] if one.contains(words)),
            "{words}: {found:?}"
        );
    }
    for good in [
        &[mesos, image, parameters, volumes][..],
        &[mesos, image, by_mesos, volumes],
    ] {
        assert_eq!(problems(good), Vec::<String>::new());
    }
}

#[test]
fn what_could_never_run_is_reported_at_the_start() {
    let settings = |master, more: &[(&'static str, &'static str)]| {
        problems(&[&[("spark.master", master)], more].concat())
    };
    let mesos = "mesos://m:5050";
    assert_eq!(
        settings(
            mesos,
            &[("spark.cores.max", "2"), ("spark.executor.cores", "4")]
        ),
        [
            "an application of 2 cores at most (spark.cores.max) can have no executor of 4 (spark.executor.cores)"
        ]
    );
    assert_eq!(
        settings(mesos, &[("spark.cores.max", "2"), ("spark.task.cpus", "3")]),
        [
            "an application of 2 cores at most (spark.cores.max) can run no task of 3 (spark.task.cpus)"
        ]
    );
    // In fine mode executors hold no cores for tasks.
    let fine = [
        ("spark.mesos.coarse", "false"),
        ("spark.cores.max", "2"),
        ("spark.executor.cores", "4"),
    ];
    assert!(settings(mesos, &fine).is_empty());
    assert_eq!(settings("local[2]", &[("spark.task.cpus", "3")]).len(), 1);
    assert_eq!(
        settings("local-cluster[2,2,900]", &[("spark.task.cpus", "3")]).len(),
        1
    );
    assert!(settings("local[3]", &[("spark.task.cpus", "3")]).is_empty());
}

#[test]
fn a_higher_layer_can_add_a_rule() {
    let build = |value: &str| {
        Conf::builder()
            .check(&CONSTRAINTS, |text| match text {
                Some(text) if text.contains(':') => Ok(()),
                _ => Err("attribute:value".to_owned()),
            })
            .set(file(4), "spark.mesos.constraints", value)
            .build()
    };
    assert!(build("os:linux").is_ok());
    assert_eq!(
        build("os").expect_err("no colon").to_string(),
        "spark.mesos.constraints is `os` (spark-defaults.conf line 4), but must be attribute:value"
    );
    assert_eq!(Conf::default().get(&TASK_CPUS), 1);
}

#[test]
fn what_would_be_missed_is_refused_with_its_reason_unless_it_asks_for_nothing() {
    let messages = problems(&[
        ("spark.authenticate", "true"),
        ("spark.authenticate.secret", "hunter2"),
        ("spark.authenticate.secretBitLength", "256"),
        ("spark.mesos.executor.gpus", "2"),
    ]);
    let names: Vec<_> = messages
        .iter()
        .map(|message| message.split_once(" is refused: ").expect("refused").0)
        .collect();
    assert_eq!(
        names,
        [
            "spark.authenticate.secret (command line, --conf)",
            "spark.mesos.executor.gpus (command line, --conf)"
        ]
    );
    assert!(messages[0].ends_with("; `--conf spark.authenticate.secret=` does without it"));
    assert!(!messages.concat().contains("hunter2"));

    let conf = Conf::builder()
        .set(file(1), "spark.authenticate.secret", "hunter2")
        .set(Layer::ConfOption, "spark.authenticate.secret", "")
        .build()
        .expect("taken back");
    assert_eq!(conf.warnings(), []);
}

#[test]
fn an_old_name_of_sparks_sets_its_property_unless_the_new_name_does() {
    use crate::conf::properties::scheduler::{EXCLUDE, UNSCHEDULABLE_TIMEOUT};
    let old = "spark.blacklist.enabled";
    let built = |settings: &[(&str, &str)]| {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(file(3), *name, *value)
            });
        builder.build()
    };
    let conf = built(&[
        (old, "true"),
        ("spark.scheduler.blacklist.unschedulableTaskSetTimeout", "7"),
    ])
    .expect("good settings");
    assert!(conf.get(&EXCLUDE));
    assert_eq!(conf.get(&UNSCHEDULABLE_TIMEOUT), Duration::from_secs(7));
    assert_eq!(
        conf.warnings()[0].to_string(),
        "spark.blacklist.enabled (spark-defaults.conf line 3) is the old name of \
         spark.excludeOnFailure.enabled, and sets it"
    );
    let conf = built(&[(old, "true"), ("spark.excludeOnFailure.enabled", "false")])
        .expect("good settings");
    assert!(!conf.get(&EXCLUDE), "as in Spark, the new name wins");
    assert!(conf.warnings()[0].to_string().contains("has no effect"));
    let error = built(&[(old, "yes")]).expect_err("no boolean");
    assert!(
        error
            .to_string()
            .starts_with("spark.blacklist.enabled is `yes`"),
        "{error}"
    );
    assert!(
        built(&[("spark.blacklist.enable", "true")]).is_err(),
        "misspelt"
    );
}

/// Families and numbers that no real property has yet.
mod made_up {
    use super::*;

    properties! {
        title: "Made up";

        /// Variables.
        pub(super) VARIABLES: Family<String> = text("spark.executorEnv.NAME").family();

        /// Amounts.
        pub(super) AMOUNTS: Family<u32> = integer("spark.task.resource.NAME.amount", 1).family();

        /// A part of one.
        pub(super) SHARE: Property<f64> = decimal_between("mesquite.share", 0.0, 1.0).default("0.5");

        /// A number with bounds.
        pub(super) NUMBER: Property<u64> = integer_between("mesquite.number", 1, 9).default("3");

        /// A time with bounds.
        pub(super) TIME: Property<Duration> = duration("mesquite.time", TimeUnit::Milliseconds)
            .within(Duration::from_secs(1)..=Duration::from_secs(60))
            .default("1000");

        /// Several texts.
        pub(super) LIST: Property<Vec<String>> = list("mesquite.list").default("a, b");

        /// A name that a family would match too.
        pub(super) PARTICULAR: Property<String> = text("spark.executorEnv.PARTICULAR").default("p");
    }

    pub(super) static GROUPS: &[&Group] = &[&GROUP];
}

fn made_up() -> ConfBuilder {
    ConfBuilder::with_registry(Registry::of(made_up::GROUPS))
}

#[test]
fn a_family_answers_with_the_members_that_are_set() {
    let conf = made_up()
        .set(Layer::ConfOption, "spark.executorEnv.B_C", "2")
        .set(Layer::ConfOption, "spark.executorEnv.A", "1")
        .set(Layer::ConfOption, "spark.executorEnv.PARTICULAR", "3")
        .set(Layer::ConfOption, "spark.task.resource.gpu.amount", "4")
        .build()
        .expect("good settings");
    let amounts = conf.family(&made_up::AMOUNTS);
    assert_eq!(amounts, BTreeMap::from([("gpu".to_owned(), 4)]));
    let variables = conf.family(&made_up::VARIABLES);
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(variables, [("A", "1"), ("B_C", "2")]);
    assert_eq!(conf.get(&made_up::PARTICULAR), "3");
}

#[test]
fn bounds_hold_at_both_ends() {
    let conf = made_up().build().expect("nothing set");
    assert_eq!(conf.get(&made_up::LIST), ["a", "b"]);
    assert_eq!(conf.get(&made_up::TIME), Duration::from_secs(1));
    let conf = made_up()
        .set(Layer::ConfOption, "mesquite.share", "1")
        .set(Layer::ConfOption, "mesquite.number", "9")
        .set(Layer::ConfOption, "mesquite.time", "1m")
        .set(Layer::ConfOption, "mesquite.list", "")
        .build()
        .expect("just within");
    assert_eq!(conf.get(&made_up::SHARE), 1.0);
    assert_eq!(conf.get(&made_up::NUMBER), 9);
    assert_eq!(conf.get(&made_up::TIME), Duration::from_secs(60));
    assert!(conf.get(&made_up::LIST).is_empty());
    let error = made_up()
        .set(Layer::ConfOption, "mesquite.share", "1.01")
        .set(Layer::ConfOption, "mesquite.number", "10")
        .set(Layer::ConfOption, "mesquite.time", "61s")
        .build()
        .expect_err("just beyond");
    let messages = error.to_string();
    for expected in [
        "must be a number, from 0 to 1",
        "must be a whole number, from 1 to 9",
        "must be a time, from 1s to 1m, such as",
    ] {
        assert!(messages.contains(expected), "{expected}\n--\n{messages}");
    }
}

#[test]
fn what_a_file_says_cannot_break_a_line_or_a_terminal() {
    let messages = problems(&[("spark.x\ny", "1"), ("spark.task.cpus", "\u{1b}[31m1")]);
    assert!(messages[0].contains("`\\u{1b}[31m1`"), "{messages:?}");
    assert!(
        messages[1].starts_with("unknown property spark.x\\ny ("),
        "{messages:?}"
    );
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_shown_so_that_it_reads_back(
        which in 0..Registry::all().declarations().count(),
        text in "[0-9]{1,6}(us|ms|s|m|h|d|k|g)?|true|json|[a-z/:,.]{1,12}|(mesos|zk|https)://[a-z0-9.:,\\[\\]]{1,12}(/[a-z]{0,3})?|\\PC{0,12}",
    ) {
        let declaration = Registry::all().declarations().nth(which).expect("within");
        let written = Conf::builder()
            .set(Layer::ConfOption, "spark.mesos.principal", "me")
            .set(Layer::ConfOption, declaration.name(), text);
        if let Ok(conf) = written.build()
            && declaration.name() != "spark.mesos.secret"
        {
            let shown = |conf: &Conf| -> Vec<String> {
                conf.settings().map(|(_, value, _)| value).collect()
            };
            let again = conf.settings().fold(Conf::builder(), |builder, (name, value, source)| {
                builder.set(source.clone(), name, value)
            });
            let again = again.build().expect("good as it was");
            prop_assert_eq!(shown(&conf), shown(&again));
        }
    }
}

#[test]
fn a_member_is_checked_and_must_have_a_name() {
    let error = made_up()
        .set(Layer::ConfOption, "spark.task.resource.gpu.amount", "0")
        .set(Layer::ConfOption, "spark.executorEnv.", "x")
        .build()
        .expect_err("both are bad");
    assert_eq!(
        error.to_string(),
        "unknown property spark.executorEnv. (command line, --conf); did you mean spark.executorEnv.NAME?\n\
         spark.task.resource.gpu.amount is `0` (command line, --conf), but must be a whole number, at least 1"
    );
}
