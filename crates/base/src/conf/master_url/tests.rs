//! Tests of every form, good and bad.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<MasterUrl, MasterUrlError> {
    text.parse()
}

fn shown(text: &str) -> String {
    match parse(text) {
        Ok(url) => url.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn local_forms_follow_sparks_rules_for_blanks() {
    for (text, expected) in [
        ("local", "local[1]"),
        ("local[4]", "local[4]"),
        ("local[*]", "local[*]"),
        ("local[4,3]", "local[4,3]"),
        ("local[* , 3]", "local[*,3]"),
        ("local[4,1]", "local[4,1]"),
        ("local-cluster[2,1,1024]", "local-cluster[2,1,1024]"),
        ("local-cluster[ 2 , 1 , 1024 ]", "local-cluster[2,1,1024]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
    for text in [
        "local[0]",
        "local[ 4]",
        "local[4 ]",
        "local[4,0]",
        "local[4,3,2]",
        "local[]",
        "local[-1]",
        "local[+1]",
        "local-cluster[2,1]",
        "local-cluster[2,0,1024]",
        "local-cluster[2,*,1024]",
        "local-cluster[99999999999,1,1]",
    ] {
        assert!(
            matches!(parse(text), Err(MasterUrlError::Local(_))),
            "{text}"
        );
    }
}

#[test]
fn masters_are_listed_with_their_ports() {
    for (text, expected) in [
        ("mesos://h1:5051", "mesos://h1:5051"),
        ("mesos://h1", "mesos://h1:5050"),
        ("mesos://h1:1,h2,h_3:3", "mesos://h1:1,h2:5050,h_3:3"),
        ("mesos://10.0.0.1:5050/", "mesos://10.0.0.1:5050"),
        (
            "mesos://[::1]:5050,[fe80::1]",
            "mesos://[::1]:5050,[fe80::1]:5050",
        ),
        ("http://h1:80,h2:80", "http://h1:80,h2:80"),
        ("https://h1:443", "https://h1:443"),
        ("HTTPS://h1", "error"),
    ] {
        assert!(shown(text).starts_with(expected), "{text}: {}", shown(text));
    }
}

#[test]
fn zookeeper_takes_servers_path_and_credentials() {
    let expected = MasterUrl::Mesos(MesosMaster::ZooKeeper(ZooKeeperUrl {
        servers: vec![
            HostPort {
                host: "h1".into(),
                port: 2181,
            },
            HostPort {
                host: "::1".into(),
                port: 2182,
            },
        ],
        path: "/eng/mesos".into(),
        credentials: Some(ZooKeeperCredentials {
            user: "me".into(),
            password: Secret::new("p@ss:word,"),
        }),
    }));
    for text in [
        "zk://me:p@ss:word,@h1,[::1]:2182/eng/mesos/",
        "mesos://zk://me:p@ss:word,@h1:2181,[0::1]:2182/eng/mesos",
    ] {
        assert_eq!(parse(text).as_ref(), Ok(&expected), "{text}");
    }
    assert_eq!(shown("zk://h1"), "zk://h1:2181/");
    assert_eq!(shown("zk://h1/"), "zk://h1:2181/");
}

#[test]
fn other_forms_are_told_what_is_supported() {
    for text in [
        "",
        "yarn",
        "spark://h:7077",
        "k8s://https://h",
        "local-cluster",
        "localhost",
        "local[2",
        "mesos:h",
        "h1:5050",
        "zk://zk://h",
        "http://zk://h/p",
        "MESOS://h",
    ] {
        assert_eq!(parse(text), Err(MasterUrlError::Unsupported), "{text}");
    }
    assert!(shown("yarn").contains("mesos://host:port"));
}

#[test]
fn a_bad_host_or_port_is_named() {
    assert_eq!(
        shown("mesos://h:0"),
        "error: `h:0` is not host:port (ports go from 1 to 65535)"
    );
    assert_eq!(
        shown("mesos://h:65536"),
        "error: `h:65536` is not host:port (ports go from 1 to 65535)"
    );
    assert_eq!(
        shown("mesos://::1:5050"),
        "error: `::1:5050` is not host:port (an IPv6 address stands in brackets)"
    );
    for text in [
        "mesos://h:",
        "mesos://[::1",
        "mesos://[h]:1",
        "mesos://[::1]5050",
        "zk://a b/p",
        "mesos://h:x",
    ] {
        assert!(
            matches!(parse(text), Err(MasterUrlError::HostPort(_))),
            "{text}"
        );
    }
    for text in [
        "mesos://",
        "mesos://h1,,h2",
        "zk:///mesos",
        "zk://u:p@/mesos",
    ] {
        assert_eq!(parse(text), Err(MasterUrlError::NoHost), "{text}");
    }
    assert_eq!(
        parse("mesos://h/p"),
        Err(MasterUrlError::MasterPath("/p".into()))
    );
    for text in ["zk://h//p", "zk://h/a/../b"] {
        assert!(
            matches!(parse(text), Err(MasterUrlError::ZooKeeperPath(_))),
            "{text}"
        );
    }
}

#[test]
fn credentials_are_in_no_message() {
    for text in [
        "zk://me:hunter2@h1/mesos",
        "zk://me:hunter2@h1:x/mesos",
        "zk://me:hunter2@h1,,/mesos",
        "zk://hunter2@h1/mesos",
        "zk://me:hunter2/more@h1/mesos",
        "mesos://me:hunter2@h1",
        "mesos://me:hun/hunter2@h1",
        "foo://me:hunter2@h1",
        "me:hunter2@h1",
    ] {
        assert!(!shown(text).contains("hunter2"), "{}", shown(text));
        assert!(
            !MasterUrl::redact(text).contains("hunter2"),
            "{}",
            MasterUrl::redact(text)
        );
        if let Ok(url) = parse(text) {
            assert!(!format!("{url:?}").contains("hunter2"));
        }
    }
    assert_eq!(
        MasterUrl::redact("mesos://zk://me:x@h/p"),
        "mesos://zk://***@h/p"
    );
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_the_same(
        hosts in proptest::collection::vec(("[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,3})?", 1u16..), 1..4),
        path in "(/[a-z]{1,5}){0,3}",
        form in 0usize..3,
    ) {
        let list: Vec<String> = hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        let list = list.join(",");
        let text = match form {
            0 => format!("mesos://{list}"),
            1 => format!("https://{list}"),
            _ => format!("zk://{list}{path}"),
        };
        let url = parse(&text).expect("a good URL");
        prop_assert_eq!(parse(&url.to_string()), Ok(url));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(local|local-cluster|mesos://|zk://|https://)?[\\PC]{0,40}") {
        let _ = parse(&text);
        let _ = MasterUrl::redact(&text);
    }
}

#[test]
fn more_threads_and_processes_than_a_machine_can_have_are_refused_with_the_most() {
    for good in ["local[4096]", "local-cluster[1000,4096,1]"] {
        assert!(good.parse::<MasterUrl>().is_ok(), "{good}");
    }
    for (bad, most) in [
        ("local[4097]", "at most 4096 threads"),
        ("local[99999,3]", "at most 4096 threads"),
        ("local-cluster[1001,1,1]", "at most 1000 executors"),
        ("local-cluster[1,4097,1]", "at most 4096 cores"),
    ] {
        let error = bad.parse::<MasterUrl>().expect_err(bad).to_string();
        assert!(error.contains(most), "{bad}: {error}");
    }
}

#[test]
fn a_password_whose_host_was_forgotten_is_not_shown() {
    for text in [
        "zk://me:hunter2",
        "zk://me:hunter2/mesos",
        "mesos://zk://h:2181,me:hunter2/mesos",
        "zk://me:hunter2/x@h/mesos",
    ] {
        let shown = format!("{} {}", shown(text), MasterUrl::redact(text));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let sound = "zk://h1:2181,[::1]:2181/mesos";
    assert_eq!(MasterUrl::redact(sound), sound);
}
