//! Offers as a Mesos 1.11 master makes them for a framework with MULTI_ROLE and
//! RESERVATION_REFINEMENT: the same fields, and ids of the same form.

use mesquite::mesos::proto::{self, resource, scheduler, value};

/// The master's part of all ids that it gives.
const MASTER: &str = "b2d3e0c4-6c1f-4d0e-9a53-0f7c8e5d2a11";

/// An OFFERS event with one offer of each of so many agents.
pub fn offers_event(count: usize) -> scheduler::Event {
    scheduler::Event {
        r#type: Some(scheduler::event::Type::Offers.into()),
        offers: Some(scheduler::event::Offers {
            offers: (0..count).map(offer).collect(),
        }),
        ..Default::default()
    }
}

/// The offer of the agent with that number. Every fourth agent has a reservation
/// too, and the busier an agent is, the more holes are in its ports.
pub fn offer(number: usize) -> proto::Offer {
    let hostname = format!("agent-{number:05}.rack{}.example.com", number % 40);
    let ip = format!("10.{}.{}.7", number / 256, number % 256);
    let mut resources = vec![
        scalar("cpus", 16.0 - (number % 13) as f64 * 0.5),
        scalar("mem", 62_464.0 - (number % 29) as f64 * 512.0),
        scalar("disk", 1_862_400.0),
        ports(1 + number % 4),
    ];
    if number.is_multiple_of(4) {
        resources.push(reserved(scalar("cpus", 4.0)));
        resources.push(reserved(scalar("mem", 8192.0)));
    }
    proto::Offer {
        id: proto::OfferId {
            value: format!("{MASTER}-O{number}"),
        },
        framework_id: proto::FrameworkId {
            value: format!("{MASTER}-0000"),
        },
        agent_id: proto::AgentId {
            value: format!("{MASTER}-S{number}"),
        },
        hostname: hostname.clone(),
        url: Some(proto::Url {
            scheme: "http".into(),
            address: proto::Address {
                hostname: Some(hostname),
                ip: Some(ip),
                port: 5051,
            },
            path: Some("/slave(1)".into()),
            ..Default::default()
        }),
        resources,
        attributes: vec![
            text("rack", &format!("r{}", number % 40)),
            text(
                "disk_type",
                if number.is_multiple_of(3) {
                    "ssd"
                } else {
                    "hdd"
                },
            ),
            proto::Attribute {
                name: "generation".into(),
                r#type: value::Type::Scalar.into(),
                scalar: Some(value::Scalar { value: 7.0 }),
                ..Default::default()
            },
        ],
        allocation_info: Some(allocated()),
        ..Default::default()
    }
}

fn allocated() -> resource::AllocationInfo {
    resource::AllocationInfo {
        role: Some("batch".into()),
    }
}

fn scalar(name: &str, amount: f64) -> proto::Resource {
    proto::Resource {
        name: name.into(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar { value: amount }),
        allocation_info: Some(allocated()),
        ..Default::default()
    }
}

fn reserved(mut resource: proto::Resource) -> proto::Resource {
    resource.reservations = vec![resource::ReservationInfo {
        r#type: Some(resource::reservation_info::Type::Dynamic.into()),
        role: Some("batch".into()),
        principal: Some("operator".into()),
        labels: None,
    }];
    resource
}

fn ports(pieces: usize) -> proto::Resource {
    let range = (0..pieces as u64)
        .map(|piece| value::Range {
            begin: 31_000 + piece * 250,
            end: 31_000 + piece * 250 + 200,
        })
        .collect();
    proto::Resource {
        r#type: value::Type::Ranges.into(),
        scalar: None,
        ranges: Some(value::Ranges { range }),
        ..scalar("ports", 0.0)
    }
}

fn text(name: &str, value: &str) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        r#type: value::Type::Text.into(),
        text: Some(value::Text {
            value: value.into(),
        }),
        ..Default::default()
    }
}
