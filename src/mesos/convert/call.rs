//! Calls of the scheduler API.

use std::time::Duration;

use bytes::Bytes;

use super::super::call::{Call, FrameworkInfo};
use super::super::proto::{self, framework_info::capability, offer, scheduler};
use super::resource::resources_to_wire;
use super::task::{agent_id, duration_to_wire, executor_id, task_id, task_to_wire};
use crate::ids::{FrameworkId, OfferId, Role};

/// The message of a call of the framework of that id.
pub(in super::super) fn call_to_wire(call: &Call, framework: &FrameworkId) -> scheduler::Call {
    use scheduler::call::{self, Type};
    let mut wire = scheduler::Call {
        framework_id: Some(framework_id(framework)),
        ..scheduler::Call::default()
    };
    let kind = match call {
        Call::Subscribe {
            framework,
            suppressed,
        } => {
            wire.subscribe = Some(call::Subscribe {
                framework_info: framework_to_wire(framework),
                suppressed_roles: roles(suppressed),
                offer_constraints: None,
            });
            Type::Subscribe
        }
        Call::Teardown => Type::Teardown,
        Call::Accept {
            offers,
            launch,
            refuse,
        } => {
            wire.accept = Some(call::Accept {
                offer_ids: offer_ids(offers),
                operations: vec![offer::Operation {
                    r#type: Some(offer::operation::Type::Launch.into()),
                    launch: Some(offer::operation::Launch {
                        task_infos: launch.iter().map(task_to_wire).collect(),
                    }),
                    ..offer::Operation::default()
                }],
                filters: filters(*refuse),
            });
            Type::Accept
        }
        Call::Decline { offers, refuse } => {
            wire.decline = Some(call::Decline {
                offer_ids: offer_ids(offers),
                filters: filters(*refuse),
            });
            Type::Decline
        }
        Call::AcceptInverseOffers { offers } => {
            wire.accept_inverse_offers = Some(call::AcceptInverseOffers {
                inverse_offer_ids: offer_ids(offers),
                filters: None,
            });
            Type::AcceptInverseOffers
        }
        Call::DeclineInverseOffers { offers, refuse } => {
            wire.decline_inverse_offers = Some(call::DeclineInverseOffers {
                inverse_offer_ids: offer_ids(offers),
                filters: filters(*refuse),
            });
            Type::DeclineInverseOffers
        }
        Call::Revive { roles: which } => {
            wire.revive = Some(call::Revive {
                roles: roles(which),
            });
            Type::Revive
        }
        Call::Suppress { roles: which } => {
            wire.suppress = Some(call::Suppress {
                roles: roles(which),
            });
            Type::Suppress
        }
        Call::Kill {
            task,
            agent,
            grace_period,
        } => {
            wire.kill = Some(call::Kill {
                task_id: task_id(task),
                agent_id: agent.as_ref().map(agent_id),
                kill_policy: grace_period.map(|period| proto::KillPolicy {
                    grace_period: Some(duration_to_wire(period)),
                }),
            });
            Type::Kill
        }
        Call::Shutdown { executor, agent } => {
            wire.shutdown = Some(call::Shutdown {
                executor_id: executor_id(executor),
                agent_id: agent_id(agent),
            });
            Type::Shutdown
        }
        Call::Acknowledge { agent, task, uuid } => {
            wire.acknowledge = Some(call::Acknowledge {
                agent_id: agent_id(agent),
                task_id: task_id(task),
                uuid: Bytes::copy_from_slice(uuid.as_bytes()),
            });
            Type::Acknowledge
        }
        Call::Reconcile { tasks } => {
            let tasks = tasks
                .iter()
                .map(|(task, agent)| call::reconcile::Task {
                    task_id: task_id(task),
                    agent_id: agent.as_ref().map(agent_id),
                })
                .collect();
            wire.reconcile = Some(call::Reconcile { tasks });
            Type::Reconcile
        }
        Call::Message {
            agent,
            executor,
            data,
        } => {
            wire.message = Some(call::Message {
                agent_id: agent_id(agent),
                executor_id: executor_id(executor),
                data: data.clone(),
            });
            Type::Message
        }
        Call::Request { requests } => {
            let requests = requests
                .iter()
                .map(|(agent, resources)| proto::Request {
                    agent_id: agent.as_ref().map(agent_id),
                    resources: resources_to_wire(resources),
                })
                .collect();
            wire.request = Some(call::Request { requests });
            Type::Request
        }
        Call::UpdateFramework {
            framework,
            suppressed,
        } => {
            wire.update_framework = Some(call::UpdateFramework {
                framework_info: framework_to_wire(framework),
                suppressed_roles: roles(suppressed),
                offer_constraints: None,
            });
            Type::UpdateFramework
        }
    };
    wire.r#type = Some(kind.into());
    wire
}

fn framework_to_wire(framework: &FrameworkInfo) -> proto::FrameworkInfo {
    let mut capabilities = vec![
        capability::Type::MultiRole,
        capability::Type::PartitionAware,
        capability::Type::ReservationRefinement,
        capability::Type::TaskKillingState,
    ];
    if framework.gpus {
        capabilities.push(capability::Type::GpuResources);
    }
    proto::FrameworkInfo {
        user: framework.user.clone(),
        name: framework.name.clone(),
        id: framework.id.as_ref().map(framework_id),
        failover_timeout: Some(framework.failover_timeout.as_secs_f64()),
        // Without it every restart of an agent kills every task there.
        checkpoint: Some(true),
        roles: roles(&framework.roles),
        hostname: Some(framework.hostname.clone()),
        principal: framework.principal.clone(),
        webui_url: framework.webui_url.clone(),
        capabilities: capabilities
            .into_iter()
            .map(|kind| proto::framework_info::Capability {
                r#type: Some(kind.into()),
            })
            .collect(),
        ..proto::FrameworkInfo::default()
    }
}

fn framework_id(id: &FrameworkId) -> proto::FrameworkId {
    proto::FrameworkId {
        value: id.to_string(),
    }
}

fn offer_ids(ids: &[OfferId]) -> Vec<proto::OfferId> {
    ids.iter()
        .map(|id| proto::OfferId {
            value: id.to_string(),
        })
        .collect()
}

fn roles(roles: &[Role]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

/// Always present: left out it would mean five seconds.
fn filters(refuse: Duration) -> Option<proto::Filters> {
    Some(proto::Filters {
        refuse_seconds: Some(refuse.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::codec::Codec;

    fn json(call: &Call) -> String {
        let wire = call_to_wire(call, &"f".into());
        String::from_utf8(Codec::Json.encode(&wire).to_vec()).unwrap()
    }

    #[test]
    fn calls_without_content_need_none() {
        assert_eq!(
            json(&Call::Teardown),
            r#"{"framework_id":{"value":"f"},"type":"TEARDOWN"}"#
        );
    }

    #[test]
    fn an_empty_reconciliation_still_carries_its_message() {
        assert!(json(&Call::Reconcile { tasks: Vec::new() }).contains(r#""reconcile":{}"#));
    }

    #[test]
    fn a_refusal_of_no_time_is_written_out() {
        let decline = Call::Decline {
            offers: vec!["o".into()],
            refuse: Duration::ZERO,
        };
        assert!(json(&decline).contains(r#""filters":{"refuse_seconds":0.0}"#));
    }

    #[test]
    fn the_framework_id_stands_in_both_places() {
        let subscribe = Call::Subscribe {
            framework: FrameworkInfo {
                user: "u".into(),
                name: "n".into(),
                id: Some("f".into()),
                failover_timeout: Duration::from_secs(60),
                roles: vec!["eng/web".into()],
                hostname: "h".into(),
                principal: None,
                webui_url: None,
                gpus: true,
            },
            suppressed: Vec::new(),
        };
        let json = json(&subscribe);
        assert_eq!(json.matches(r#"{"value":"f"}"#).count(), 2);
        assert!(json.contains(r#""roles":["eng/web"]"#));
        assert!(!json.contains(r#""role":"#));
        assert!(json.contains("GPU_RESOURCES"));
    }

    #[test]
    fn every_call_has_mesoss_name() {
        let calls = [
            Call::Teardown,
            Call::Accept {
                offers: vec![],
                launch: vec![],
                refuse: Duration::ZERO,
            },
            Call::Decline {
                offers: vec![],
                refuse: Duration::ZERO,
            },
            Call::AcceptInverseOffers { offers: vec![] },
            Call::DeclineInverseOffers {
                offers: vec![],
                refuse: Duration::ZERO,
            },
            Call::Revive { roles: vec![] },
            Call::Suppress { roles: vec![] },
            Call::Kill {
                task: "t".into(),
                agent: None,
                grace_period: None,
            },
            Call::Shutdown {
                executor: "e".into(),
                agent: "a".into(),
            },
            Call::Acknowledge {
                agent: "a".into(),
                task: "t".into(),
                uuid: uuid::Uuid::nil(),
            },
            Call::Reconcile { tasks: vec![] },
            Call::Message {
                agent: "a".into(),
                executor: "e".into(),
                data: Bytes::new(),
            },
            Call::Request { requests: vec![] },
        ];
        for call in calls {
            assert!(
                json(&call).contains(&format!(r#""type":"{}""#, call.name())),
                "{}",
                call.name()
            );
        }
    }
}
