//! What each call says, field by field, as the Mesos documentation has it.

use std::time::Duration;

use bytes::Bytes;
use mesquite::ids::FrameworkId;
use mesquite::mesos::call::{Call, FrameworkInfo};
use mesquite::mesos::codec::Codec;
use mesquite::mesos::container::{Container, Image, Label, Runtime, Volume};
use mesquite::mesos::proto::scheduler;
use mesquite::mesos::task::{Command, ExecutorInfo, Run, TaskInfo, Uri, Variable};
use mesquite::mesos::wire::encode_call;
use mesquite::resources::Resources;
use serde_json::{Value, json};

use crate::framework::framework_info;

/// The call's JSON; its protobuf must say the same.
fn body(call: &Call) -> Value {
    let id = FrameworkId::from("framework-1");
    let text = encode_call(Codec::Json, call, &id);
    let from_json: scheduler::Call = Codec::Json.decode(text.clone()).expect("a call");
    let binary = encode_call(Codec::Protobuf, call, &id);
    let from_protobuf: scheduler::Call = Codec::Protobuf.decode(binary).expect("a call");
    assert_eq!(from_json, from_protobuf, "{}", call.name());
    serde_json::from_slice(&text).expect("JSON")
}

/// Checks a call without content of its own, or with that content.
fn check(call: &Call, content: &Value) {
    let mut expected = json!({
        "framework_id": {"value": "framework-1"},
        "type": call.name(),
    });
    if !content.is_null() {
        expected[call.name().to_lowercase()] = content.clone();
    }
    assert_eq!(body(call), expected);
}

fn resources(text: &str) -> Resources {
    text.parse().expect("resources")
}

fn scalar(name: &str, amount: f64) -> Value {
    json!({"name": name, "type": "SCALAR", "scalar": {"value": amount}})
}

#[test]
fn calls_that_only_name_things() {
    check(&Call::Teardown, &Value::Null);
    check(
        &Call::Revive {
            roles: vec!["a".into(), "b".into()],
        },
        &json!({"roles": ["a", "b"]}),
    );
    check(&Call::Revive { roles: vec![] }, &json!({}));
    check(
        &Call::Suppress {
            roles: vec!["a".into()],
        },
        &json!({"roles": ["a"]}),
    );
    check(&Call::Suppress { roles: vec![] }, &json!({}));
    check(
        &Call::Shutdown {
            executor: "e".into(),
            agent: "a".into(),
        },
        &json!({"executor_id": {"value": "e"}, "agent_id": {"value": "a"}}),
    );
    check(
        &Call::Kill {
            task: "t".into(),
            agent: None,
            grace_period: None,
        },
        &json!({"task_id": {"value": "t"}}),
    );
    check(
        &Call::Kill {
            task: "t".into(),
            agent: Some("a".into()),
            grace_period: Some(Duration::from_millis(1500)),
        },
        &json!({
            "task_id": {"value": "t"},
            "agent_id": {"value": "a"},
            "kill_policy": {"grace_period": {"nanoseconds": 1_500_000_000}},
        }),
    );
}

#[test]
fn calls_about_offers() {
    let offers = vec!["o1".into(), "o2".into()];
    let ids = json!([{"value": "o1"}, {"value": "o2"}]);
    check(
        &Call::Decline {
            offers: offers.clone(),
            refuse: Duration::from_millis(2500),
        },
        &json!({"offer_ids": ids, "filters": {"refuse_seconds": 2.5}}),
    );
    check(
        &Call::AcceptInverseOffers {
            offers: offers.clone(),
        },
        &json!({"inverse_offer_ids": ids}),
    );
    check(
        &Call::DeclineInverseOffers {
            offers,
            refuse: Duration::ZERO,
        },
        &json!({"inverse_offer_ids": ids, "filters": {"refuse_seconds": 0.0}}),
    );
}

#[test]
fn calls_about_tasks_and_executors() {
    check(
        &Call::Acknowledge {
            agent: "a".into(),
            task: "t".into(),
            uuid: uuid::Uuid::from_bytes(*b"sixteen bytes .."),
        },
        // Base64 of the sixteen bytes, not the usual text of a uuid.
        &json!({
            "agent_id": {"value": "a"},
            "task_id": {"value": "t"},
            "uuid": "c2l4dGVlbiBieXRlcyAuLg==",
        }),
    );
    check(
        &Call::Reconcile {
            tasks: vec![("t1".into(), Some("a".into())), ("t2".into(), None)],
        },
        &json!({"tasks": [
            {"task_id": {"value": "t1"}, "agent_id": {"value": "a"}},
            {"task_id": {"value": "t2"}},
        ]}),
    );
    check(&Call::Reconcile { tasks: vec![] }, &json!({}));
}

#[test]
fn an_accept_launches_tasks_on_an_executor() {
    let task = TaskInfo {
        name: "a task".into(),
        task: "t".into(),
        agent: "a".into(),
        resources: resources("cpus:1;ports:[31000-31001]"),
        executor: Some(ExecutorInfo {
            executor: "e".into(),
            name: "an executor".into(),
            command: Command {
                run: Run::Shell("exec true".into()),
                uris: vec![Uri {
                    value: "http://h/data.tar".into(),
                    name: None,
                    executable: false,
                    cache: true,
                }],
                environment: vec![Variable {
                    name: "COLOUR".into(),
                    value: "blue".into(),
                    secret: false,
                }],
            },
            container: None,
            resources: resources("mem:32"),
            shutdown_grace_period: Some(Duration::from_secs(5)),
        }),
        data: Bytes::from_static(b"data"),
        labels: vec![Label {
            key: "team".into(),
            value: "blue".into(),
        }],
    };
    let ports = json!({
        "name": "ports",
        "type": "RANGES",
        "ranges": {"range": [{"begin": 31000, "end": 31001}]},
    });
    let executor = json!({
        "type": "CUSTOM",
        "executor_id": {"value": "e"},
        "name": "an executor",
        "resources": [scalar("mem", 32.0)],
        "shutdown_grace_period": {"nanoseconds": 5_000_000_000_u64},
        "command": {
            "shell": true,
            "value": "exec true",
            "uris": [{"value": "http://h/data.tar", "executable": false, "extract": true, "cache": true}],
            "environment": {"variables": [{"name": "COLOUR", "type": "VALUE", "value": "blue"}]},
        },
    });
    check(
        &Call::Accept {
            offers: vec!["o".into()],
            launch: vec![task],
            refuse: Duration::ZERO,
        },
        &json!({
            "offer_ids": [{"value": "o"}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [{
                "name": "a task",
                "task_id": {"value": "t"},
                "agent_id": {"value": "a"},
                "resources": [scalar("cpus", 1.0), ports],
                "executor": executor,
                "data": "ZGF0YQ==",
                "labels": {"labels": [{"key": "team", "value": "blue"}]},
            }]}}],
            "filters": {"refuse_seconds": 0.0},
        }),
    );
}

/// How an executor in a container is said, with the command of its executor.
fn said_of(runtime: Runtime, run: Run) -> (Value, Value) {
    let volume = |container: &str, host: Option<&str>, read_only| Volume {
        container_path: container.into(),
        host_path: host.map(Into::into),
        read_only,
    };
    let info = ExecutorInfo {
        executor: "e".into(),
        name: "an executor".into(),
        command: Command {
            run,
            ..Command::shell("")
        },
        container: Some(Container {
            runtime,
            volumes: vec![
                volume("/in", Some("/on"), true),
                volume("/empty", None, false),
            ],
        }),
        resources: Resources::new(),
        shutdown_grace_period: None,
    };
    let task = TaskInfo {
        name: "a task".into(),
        task: "t".into(),
        agent: "a".into(),
        resources: resources("cpus:1"),
        executor: Some(info),
        data: Bytes::new(),
        labels: Vec::new(),
    };
    let call = Call::Accept {
        offers: vec!["o".into()],
        launch: vec![task],
        refuse: Duration::ZERO,
    };
    let body = body(&call);
    let said = &body["accept"]["operations"][0]["launch"]["task_infos"][0]["executor"];
    (said["command"].clone(), said["container"].clone())
}

#[test]
fn an_executor_in_an_image_is_said_as_each_containerizer_wants_it() {
    let image = Image {
        name: "python:3".into(),
        pull: true,
    };
    let volumes = json!([
        {"mode": "RO", "container_path": "/in", "host_path": "/on"},
        {"mode": "RW", "container_path": "/empty"},
    ]);
    let program = |path: Option<&str>, arguments: &[&str]| Run::Program {
        path: path.map(Into::into),
        arguments: arguments.iter().map(ToString::to_string).collect(),
    };
    let (command, container) = said_of(
        Runtime::Mesos(image.clone()),
        program(Some("/p"), &["p", "executor"]),
    );
    assert_eq!(
        command,
        json!({"shell": false, "value": "/p", "arguments": ["p", "executor"]})
    );
    assert_eq!(
        container,
        json!({
            "type": "MESOS",
            "volumes": volumes,
            "mesos": {"image": {"type": "DOCKER", "docker": {"name": "python:3"}, "cached": false}},
        })
    );
    let docker = Runtime::Docker {
        image,
        parameters: vec![("ipc".into(), "host".into())],
    };
    let (command, container) = said_of(docker, program(None, &["executor"]));
    assert_eq!(command, json!({"shell": false, "arguments": ["executor"]}));
    assert_eq!(
        container,
        json!({
            "type": "DOCKER",
            "volumes": volumes,
            "docker": {
                "image": "python:3",
                "network": "HOST",
                "parameters": [{"key": "ipc", "value": "host"}],
                "force_pull_image": true,
            },
        })
    );
}

#[test]
fn the_framework_introduces_itself_when_it_subscribes_and_when_it_changes() {
    let framework = FrameworkInfo {
        id: Some("framework-1".into()),
        principal: Some("p".into()),
        webui_url: Some("http://driver:4040".into()),
        gpus: true,
        ..framework_info()
    };
    let suppressed = vec!["batch".into()];
    let capabilities = [
        "MULTI_ROLE",
        "PARTITION_AWARE",
        "RESERVATION_REFINEMENT",
        "TASK_KILLING_STATE",
        "GPU_RESOURCES",
    ]
    .map(|name| json!({"type": name}));
    let content = json!({
        "framework_info": {
            "id": {"value": "framework-1"},
            "user": "nobody",
            "name": "a test",
            "hostname": "driver.example.com",
            "principal": "p",
            "webui_url": "http://driver:4040",
            "failover_timeout": 60.0,
            "checkpoint": true,
            "roles": ["batch"],
            "capabilities": capabilities,
        },
        "suppressed_roles": ["batch"],
    });
    check(
        &Call::Subscribe {
            framework: framework.clone(),
            suppressed: suppressed.clone(),
        },
        &content,
    );
    check(
        &Call::UpdateFramework {
            framework,
            suppressed,
        },
        &content,
    );
}
