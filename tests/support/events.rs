//! Events of the scheduler API as a Mesos 1.11 master sends them.

use bytes::Bytes;
use mesquite::mesos::proto::scheduler::{Event, event, event::Type};
use mesquite::mesos::proto::{self, task_status};

use crate::offers::{offer, offers_event};

/// The uuid in [`update`].
pub const UUID: [u8; 16] = *b"\x5f\x3c\x1a\x90\x8d\x21\x4b\x6e\x9f\x04\x77\xab\xcd\xef\x01\x23";

fn of_type(kind: Type) -> Event {
    Event {
        r#type: Some(kind.into()),
        ..Event::default()
    }
}

pub fn subscribed(framework: &str) -> Event {
    // The interval is Mesos's own.
    subscribed_with_heartbeats(framework, 15.0)
}

pub fn subscribed_with_heartbeats(framework: &str, seconds: f64) -> Event {
    Event {
        subscribed: Some(event::Subscribed {
            framework_id: proto::FrameworkId {
                value: framework.into(),
            },
            heartbeat_interval_seconds: Some(seconds),
            master_info: Some(proto::MasterInfo {
                id: "0a9f3a2c-7c0e-4d55-8d0e-5a3a6f6d3b21".into(),
                ip: 16_777_343,
                port: 5050,
                pid: Some("master@127.0.0.1:5050".into()),
                hostname: Some("master.example.com".into()),
                version: Some("1.11.0".into()),
                address: Some(proto::Address {
                    hostname: Some("master.example.com".into()),
                    ip: Some("127.0.0.1".into()),
                    port: 5050,
                }),
                ..proto::MasterInfo::default()
            }),
        }),
        ..of_type(Type::Subscribed)
    }
}

pub fn heartbeat() -> Event {
    of_type(Type::Heartbeat)
}

pub fn error(message: &str) -> Event {
    Event {
        error: Some(event::Error {
            message: message.into(),
        }),
        ..of_type(Type::Error)
    }
}

pub fn rescind(offer: &str) -> Event {
    Event {
        rescind: Some(event::Rescind {
            offer_id: offer_id(offer),
        }),
        ..of_type(Type::Rescind)
    }
}

pub fn update(task: &str) -> Event {
    Event {
        update: Some(event::Update {
            status: proto::TaskStatus {
                task_id: proto::TaskId { value: task.into() },
                state: proto::TaskState::TaskFailed.into(),
                message: Some("Command exited with status 1".into()),
                source: Some(task_status::Source::Executor.into()),
                reason: Some(task_status::Reason::ExecutorTerminated.into()),
                data: Some(Bytes::from_static(&[0, 0xff, b'\n'])),
                agent_id: Some(agent_id("agent-1")),
                executor_id: Some(executor_id("executor-1")),
                timestamp: Some(1_700_000_000.25),
                uuid: Some(Bytes::from_static(&UUID)),
                ..proto::TaskStatus::default()
            },
        }),
        ..of_type(Type::Update)
    }
}

/// An event of a type that only a newer master knows.
pub fn unknown() -> Event {
    Event {
        r#type: Some(99),
        ..Event::default()
    }
}

/// One of each kind, in the order of their numbers; SUBSCRIBED is the first.
pub fn every_kind() -> Vec<Event> {
    vec![
        subscribed("framework-1"),
        offers_event(3),
        rescind("offer-1"),
        update("task-1"),
        Event {
            message: Some(event::Message {
                agent_id: agent_id("agent-1"),
                executor_id: executor_id("executor-1"),
                data: Bytes::from_static(b"hello"),
            }),
            ..of_type(Type::Message)
        },
        Event {
            failure: Some(event::Failure {
                agent_id: Some(agent_id("agent-1")),
                executor_id: Some(executor_id("executor-1")),
                status: Some(9),
            }),
            ..of_type(Type::Failure)
        },
        error("Framework disconnected"),
        heartbeat(),
        Event {
            inverse_offers: Some(event::InverseOffers {
                inverse_offers: vec![proto::InverseOffer {
                    id: offer_id("offer-2"),
                    url: offer(1).url,
                    framework_id: offer(1).framework_id,
                    agent_id: Some(agent_id("agent-1")),
                    unavailability: proto::Unavailability {
                        start: proto::TimeInfo {
                            nanoseconds: 1_700_000_000_000_000_000,
                        },
                        duration: Some(proto::DurationInfo {
                            nanoseconds: 3_600_000_000_000,
                        }),
                    },
                    resources: Vec::new(),
                }],
            }),
            ..of_type(Type::InverseOffers)
        },
        Event {
            rescind_inverse_offer: Some(event::RescindInverseOffer {
                inverse_offer_id: offer_id("offer-2"),
            }),
            ..of_type(Type::RescindInverseOffer)
        },
        Event {
            update_operation_status: Some(event::UpdateOperationStatus {
                status: proto::OperationStatus {
                    operation_id: Some(proto::OperationId {
                        value: "operation-1".into(),
                    }),
                    state: proto::OperationState::OperationFinished.into(),
                    message: Some("done".into()),
                    ..proto::OperationStatus::default()
                },
            }),
            ..of_type(Type::UpdateOperationStatus)
        },
        unknown(),
    ]
}

fn offer_id(value: &str) -> proto::OfferId {
    proto::OfferId {
        value: value.into(),
    }
}

fn agent_id(value: &str) -> proto::AgentId {
    proto::AgentId {
        value: value.into(),
    }
}

fn executor_id(value: &str) -> proto::ExecutorId {
    proto::ExecutorId {
        value: value.into(),
    }
}
