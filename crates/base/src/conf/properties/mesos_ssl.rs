//! Properties of TLS towards masters and agents, and what of them is in effect.
//!
//! Responsible for the names, for which of them contradict each other or the
//! master's URL, and for [`scheme_of_masters`] and [`scheme_of_agents`], which
//! are all that others need to ask. Reading the files is not done here.
//!
//! Spark's names apply to all that speaks TLS, ours to Mesos alone: as with
//! Spark's own `spark.ssl.[namespace].*`, what ours leave unsaid is inherited.

use std::path::PathBuf;

use super::application::MASTER;
use crate::conf::Conf;
use crate::conf::master_url::{MesosMaster, Scheme};
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{Property, boolean, path, properties};

properties! {
    title: "TLS to Mesos";

    /// Whether masters and agents are spoken to by TLS where the master's URL
    /// does not say so itself: `mesos://` and `zk://`. Nothing else in Mesquite
    /// needs it: driver and executors encrypt by keys of their own.
    pub SPARK_SSL: Property<bool> = boolean("spark.ssl.enabled").default("false");

    /// A PEM file of the certificate authorities to trust.
    pub SPARK_TRUST_STORE: Property<Option<PathBuf>> =
        path("spark.ssl.trustStore").optional("those the system trusts");

    /// A PEM file of the certificate to show to who demands one, followed by
    /// those of its issuers.
    pub SPARK_CERTIFICATES: Property<Option<PathBuf>> =
        path("spark.ssl.certChain").optional("none is shown");

    /// A PEM file of the key that belongs to the certificate; not encrypted.
    pub SPARK_KEY: Property<Option<PathBuf>> =
        path("spark.ssl.privateKey").optional("none is used");

    /// Whether masters are spoken to by TLS. An `https://` URL says so itself;
    /// for `mesos://` and `zk://` (ZooKeeper does not say how masters speak)
    /// this does.
    pub SSL: Property<Option<bool>> = boolean("mesquite.mesos.ssl.enabled")
        .optional("as the URL of the master and `spark.ssl.enabled` say");

    /// A PEM file of the certificate authorities by which masters and agents are
    /// known. Executors are sent the certificates, so agents need no copy.
    pub CA_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.caFile")
            .same_as_optional(&SPARK_TRUST_STORE)
            .formerly("mesquite.mesos.tls.caFile");

    /// A PEM file of the certificate that the driver shows to masters that demand
    /// one, followed by those of its issuers.
    pub CERTIFICATE_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.certFile").same_as_optional(&SPARK_CERTIFICATES);

    /// A PEM file of the key that belongs to the driver's certificate; not
    /// encrypted. It stays with the driver.
    pub KEY_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.keyFile").same_as_optional(&SPARK_KEY);

    /// Whether executors speak to their agents by TLS. Mesos tells them nothing
    /// of that.
    pub AGENTS: Property<Option<bool>> = boolean("mesquite.mesos.ssl.agents")
        .optional("as with the masters");

    /// A file on the agents with the certificate authorities by which executors
    /// know their agent, in place of those that the driver sends along.
    pub EXECUTOR_CA_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.executor.caFile").optional("the driver's are sent along");

    /// A file on the agents with the certificate that executors show to agents
    /// that demand one. No key is ever sent along.
    pub EXECUTOR_CERTIFICATE_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.executor.certFile").optional("none is shown");

    /// A file on the agents with the key that belongs to it.
    pub EXECUTOR_KEY_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.ssl.executor.keyFile").optional("none is used");
}

/// How the masters are spoken to.
pub fn scheme_of_masters(conf: &Conf, master: &MesosMaster) -> Scheme {
    let wanted = conf
        .get(&SSL)
        .unwrap_or_else(|| match scheme_written(master) {
            Some(scheme) => scheme == Scheme::Https,
            None => conf.get(&SPARK_SSL),
        });
    if wanted { Scheme::Https } else { Scheme::Http }
}

/// How executors speak to their agents; plainly where there is no Mesos.
pub fn scheme_of_agents(conf: &Conf) -> Scheme {
    match (conf.get(&MASTER).mesos(), conf.get(&AGENTS)) {
        (Some(_), Some(true)) => Scheme::Https,
        (Some(master), None) => scheme_of_masters(conf, master),
        (Some(_), Some(false)) | (None, _) => Scheme::Http,
    }
}

/// The scheme that a URL names for masters, if it does.
fn scheme_written(master: &MesosMaster) -> Option<Scheme> {
    match master {
        MesosMaster::Hosts { scheme, .. } => *scheme,
        MesosMaster::ZooKeeper(_) => None,
    }
}

/// The URL says one thing and a property another: nobody may believe in a safety
/// that is not there, nor be surprised by one.
pub(super) fn other_scheme_than_the_url(conf: &Conf) -> Option<String> {
    let master = conf.get(&MASTER);
    let written = scheme_written(master.mesos()?)?;
    let (name, wanted) = match (conf.get(&SSL), conf.get(&SPARK_SSL)) {
        (Some(wanted), _) => (SSL.name(), wanted),
        (None, true) => (SPARK_SSL.name(), true),
        // It is Spark's default, and says nothing.
        (None, false) => return None,
    };
    (wanted != (written == Scheme::Https)).then(|| {
        format!(
            "{name} is {wanted}, but the master {master} is an {}:// URL: leave one of them out, \
             or name the master by mesos://",
            written.as_str()
        )
    })
}

/// A certificate proves nothing without its key, and a key without a certificate
/// is of no use.
pub(super) fn half_an_identity(conf: &Conf) -> Option<String> {
    let pairs = [
        (&CERTIFICATE_FILE, &KEY_FILE),
        (&EXECUTOR_CERTIFICATE_FILE, &EXECUTOR_KEY_FILE),
    ];
    pairs.into_iter().find_map(|(certificate, key)| {
        let (there, missing) = match (conf.get(certificate), conf.get(key)) {
            (Some(_), None) => (certificate, key),
            (None, Some(_)) => (key, certificate),
            _ => return None,
        };
        Some(format!(
            "{} is set without {}: a certificate is shown with its key",
            there.name(),
            missing.name()
        ))
    })
}

/// Settings of TLS where nothing is spoken by it.
pub(super) fn not_spoken(conf: &Conf) -> Vec<Warning> {
    let master = conf.get(&MASTER);
    let to_masters = |it| scheme_of_masters(conf, it) == Scheme::Https;
    let to_masters = master.mesos().is_some_and(to_masters);
    let to_agents = scheme_of_agents(conf) == Scheme::Https;
    let of_masters = [
        SPARK_CERTIFICATES.name(),
        SPARK_KEY.name(),
        CERTIFICATE_FILE.name(),
        KEY_FILE.name(),
    ];
    let of_both = [SPARK_TRUST_STORE.name(), CA_FILE.name()];
    let of_agents = [
        EXECUTOR_CA_FILE.name(),
        EXECUTOR_CERTIFICATE_FILE.name(),
        EXECUTOR_KEY_FILE.name(),
    ];
    let switches = master.mesos().is_none() && conf.get(&SPARK_SSL);
    let switches = switches.then(|| SPARK_SSL.name());
    let unused = |names: &[&'static str], used: bool| -> Vec<&'static str> {
        if used { Vec::new() } else { names.to_vec() }
    };
    [
        unused(&of_masters, to_masters),
        unused(&of_both, to_masters || to_agents),
        unused(&of_agents, to_agents),
        switches.into_iter().collect(),
    ]
    .concat()
    .into_iter()
    .filter_map(|name| {
        Some(Warning {
            origin: conf.source(name)?.clone(),
            name: name.to_owned(),
            remark: Remark::NoEffect(
                "it is for masters and agents that speak TLS: name the master by https://, or set \
                 mesquite.mesos.ssl.enabled",
            ),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{ConfError, Layer};

    fn conf(settings: &[(&str, &str)]) -> Result<Conf, ConfError> {
        let builder = settings
            .iter()
            .fold(Conf::builder(), |builder, (name, value)| {
                builder.set(Layer::ConfOption, *name, *value)
            });
        builder.build()
    }

    /// How masters and agents are spoken to.
    fn schemes(settings: &[(&str, &str)]) -> (Scheme, Scheme) {
        let conf = conf(settings).expect("good settings");
        let master = conf.get(&MASTER);
        let master = master.mesos().expect("a master of Mesos");
        (scheme_of_masters(&conf, master), scheme_of_agents(&conf))
    }

    #[test]
    fn the_url_says_how_masters_speak_and_a_property_where_it_does_not() {
        use Scheme::{Http, Https};
        for (master, more, expected) in [
            ("https://h", &[][..], (Https, Https)),
            ("http://h", &[], (Http, Http)),
            ("mesos://h", &[], (Http, Http)),
            ("zk://h/mesos", &[], (Http, Http)),
            (
                "mesos://h",
                &[("mesquite.mesos.ssl.enabled", "true")],
                (Https, Https),
            ),
            (
                "zk://h/m",
                &[("mesquite.mesos.ssl.enabled", "true")],
                (Https, Https),
            ),
            ("zk://h/m", &[("spark.ssl.enabled", "true")], (Https, Https)),
            // Spark's default, which its files often say.
            (
                "https://h",
                &[("spark.ssl.enabled", "false")],
                (Https, Https),
            ),
            (
                "zk://h/m",
                &[
                    ("spark.ssl.enabled", "true"),
                    ("mesquite.mesos.ssl.enabled", "false"),
                ],
                (Http, Http),
            ),
            (
                "https://h",
                &[("mesquite.mesos.ssl.agents", "false")],
                (Https, Http),
            ),
            (
                "http://h",
                &[("mesquite.mesos.ssl.agents", "true")],
                (Http, Https),
            ),
        ] {
            let settings = [&[("spark.master", master)], more].concat();
            assert_eq!(schemes(&settings), expected, "{settings:?}");
        }
    }

    #[test]
    fn a_property_that_contradicts_the_url_is_refused() {
        for (master, name, value) in [
            ("https://h", "mesquite.mesos.ssl.enabled", "false"),
            ("http://h", "mesquite.mesos.ssl.enabled", "true"),
            ("http://h", "spark.ssl.enabled", "true"),
        ] {
            let error = conf(&[("spark.master", master), (name, value)]).expect_err(master);
            let error = error.to_string();
            assert!(error.contains(name) && error.contains(master), "{error}");
        }
    }

    #[test]
    fn a_certificate_and_its_key_come_together() {
        for (there, missing) in [
            ("spark.ssl.certChain", "mesquite.mesos.ssl.keyFile"),
            ("mesquite.mesos.ssl.keyFile", "mesquite.mesos.ssl.certFile"),
            (
                "mesquite.mesos.ssl.executor.certFile",
                "mesquite.mesos.ssl.executor.keyFile",
            ),
        ] {
            let error = conf(&[("spark.master", "https://h"), (there, "/a.pem")]);
            let error = error.expect_err("half of it").to_string();
            assert!(error.contains(missing), "{error}");
        }
    }

    #[test]
    fn what_is_set_for_nothing_is_told() {
        let warned = |settings: &[(&str, &str)]| -> Vec<String> {
            let conf = conf(settings).expect("good settings");
            conf.warnings().iter().map(|it| it.name.clone()).collect()
        };
        let ca = ("mesquite.mesos.ssl.caFile", "/ca.pem");
        assert_eq!(warned(&[("spark.master", "mesos://h"), ca]), [ca.0]);
        assert_eq!(warned(&[ca]), [ca.0]);
        assert_eq!(
            warned(&[("spark.ssl.enabled", "true")]),
            ["spark.ssl.enabled"]
        );
        assert_eq!(warned(&[("spark.master", "https://h"), ca]), [""; 0]);
        let agents = ("mesquite.mesos.ssl.agents", "true");
        assert_eq!(
            warned(&[("spark.master", "mesos://h"), ca, agents]),
            [""; 0]
        );
        let of_executors = ("mesquite.mesos.ssl.executor.caFile", "/ca.pem");
        assert_eq!(
            warned(&[
                ("spark.master", "https://h"),
                ("mesquite.mesos.ssl.agents", "false"),
                of_executors
            ]),
            [of_executors.0]
        );
    }

    #[test]
    fn ours_go_before_sparks() {
        let both = conf(&[
            ("spark.master", "https://h"),
            ("spark.ssl.trustStore", "/spark.pem"),
            ("mesquite.mesos.ssl.caFile", "/ours.pem"),
        ]);
        let ours = both.expect("good settings").get(&CA_FILE);
        assert_eq!(ours, Some(PathBuf::from("/ours.pem")));
        let one = conf(&[
            ("spark.master", "https://h"),
            ("spark.ssl.trustStore", "/spark.pem"),
        ]);
        let inherited = one.expect("good settings").get(&CA_FILE);
        assert_eq!(inherited, Some(PathBuf::from("/spark.pem")));
    }
}
