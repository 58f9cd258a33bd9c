//! Who leads, by what stands in ZooKeeper. Pure.
//!
//! Responsible for choosing the leader among the children of the masters'
//! group, and for reading the `MasterInfo` that it wrote there. Talking to
//! ZooKeeper is `mesos_client::zookeeper`'s business.

use serde::Deserialize;

use super::endpoint::{Endpoint, Scheme};

/// The label of the nodes that masters write since Mesos 0.24.
const LABEL: &str = "json.info";

/// The child of the group whose owner leads: the one with the lowest sequence
/// number among those that masters made. Other children, such as the replicated
/// log's, are passed over.
pub fn leading_node<'a>(children: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    children
        .into_iter()
        .filter_map(|child| {
            let (label, number) = child.rsplit_once('_')?;
            let number: u64 = number.parse().ok()?;
            (label == LABEL).then_some((number, child))
        })
        .min()
        .map(|(_, child)| child)
}

/// A leader's node whose content says not where the leader is.
#[derive(Debug, thiserror::Error)]
pub enum MasterInfoError {
    /// It is no JSON, or not of a master's shape.
    #[error("the leader's entry in ZooKeeper is no MasterInfo in JSON")]
    NotMasterInfo(#[from] serde_json::Error),
    /// It has neither an address nor a host name.
    #[error("the leader's entry in ZooKeeper has no usable address")]
    NoAddress,
}

#[derive(Deserialize)]
struct MasterInfo {
    address: Option<Address>,
    hostname: Option<String>,
    /// An IPv4 address in network byte order, read as a little-endian number.
    ip: Option<u32>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Address {
    hostname: Option<String>,
    ip: Option<String>,
    port: u16,
}

/// Where the leader is, from its node's content. The name is preferred where
/// TLS needs one to check, the address elsewhere, for it needs no resolver.
///
/// # Errors
/// The content is not what a master writes.
pub fn leader_endpoint(content: &[u8], scheme: Scheme) -> Result<Endpoint, MasterInfoError> {
    let info: MasterInfo = serde_json::from_slice(content)?;
    let legacy_ip = info
        .ip
        .map(|ip| std::net::Ipv4Addr::from(ip.to_le_bytes()).to_string());
    let legacy = info.port.map(|port| (info.hostname, legacy_ip, port));
    let current = info.address.map(|it| (it.hostname, it.ip, it.port));
    let (name, ip, port) = current.or(legacy).ok_or(MasterInfoError::NoAddress)?;
    let usable = |host: &String| !host.is_empty();
    let (first, second) = match scheme {
        Scheme::Http => (ip, name),
        Scheme::Https => (name, ip),
    };
    let host = first
        .filter(usable)
        .or(second.filter(usable))
        .ok_or(MasterInfoError::NoAddress)?;
    // Parsed again, so that a name with anything odd in it is refused.
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let scheme = match scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    format!("{scheme}://{bracketed}:{port}")
        .parse()
        .map_err(|_| MasterInfoError::NoAddress)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INFO: &str = r#"{"address":{"hostname":"m1.example","ip":"10.0.0.1","port":5050},
        "capabilities":[{"type":"AGENT_UPDATE"}],"hostname":"m1.example","id":"i",
        "ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"}"#;

    fn endpoint(content: &str, scheme: Scheme) -> String {
        leader_endpoint(content.as_bytes(), scheme)
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_lowest_number_leads_whatever_the_order() {
        assert_eq!(
            leading_node([
                "log_replicas",
                "json.info_0000000042",
                "info_0000000001",
                "json.info_0000000009",
                "json.info_",
                "json.info_x",
                "json.info_0000000100",
            ]),
            Some("json.info_0000000009")
        );
        assert_eq!(leading_node(["log_replicas"]), None);
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert_eq!(
            leading_node(["json.info_10", "json.info_9"]),
            Some("json.info_9")
        );
    }

    #[test]
    fn the_address_is_taken_for_http_and_the_name_for_tls() {
        assert_eq!(endpoint(INFO, Scheme::Http), "http://10.0.0.1:5050");
        assert_eq!(endpoint(INFO, Scheme::Https), "https://m1.example:5050");
    }

    #[test]
    fn an_old_masters_number_is_read_as_an_address() {
        let old = r#"{"hostname":"","id":"i","ip":16777226,"port":5051}"#;
        assert_eq!(endpoint(old, Scheme::Http), "http://10.0.0.1:5051");
        assert_eq!(endpoint(old, Scheme::Https), "https://10.0.0.1:5051");
    }

    #[test]
    fn an_ipv6_master_is_bracketed() {
        let six = r#"{"address":{"ip":"fd00::1","port":5050}}"#;
        assert_eq!(endpoint(six, Scheme::Http), "http://[fd00::1]:5050");
    }

    #[test]
    fn content_without_an_address_is_refused() {
        for content in [
            "{}",
            r#"{"address":{"port":1}}"#,
            r#"{"hostname":"h"}"#,
            "",
            "null",
            "[]",
            r#"{"address":{"hostname":"a b","port":1}}"#,
            r#"{"address":{"ip":"1.2.3.4","port":70000}}"#,
        ] {
            assert!(
                leader_endpoint(content.as_bytes(), Scheme::Http).is_err(),
                "{content}"
            );
        }
    }

    proptest! {
        #[test]
        fn mutated_content_never_panics(at in 0usize..200, byte in any::<u8>(), end in 0usize..260) {
            let mut content = INFO.as_bytes().to_vec();
            if let Some(slot) = content.get_mut(at) {
                *slot = byte;
            }
            content.truncate(end);
            let _ = leader_endpoint(&content, Scheme::Http);
        }

        #[test]
        fn arbitrary_children_never_panic(names in prop::collection::vec(".{0,20}", 0..6)) {
            let _ = leading_node(names.iter().map(String::as_str));
        }
    }
}
