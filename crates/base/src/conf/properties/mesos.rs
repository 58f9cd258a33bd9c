//! Properties of the Mesos framework: who it is, what offers it takes, and how
//! it talks to the master.

use std::path::PathBuf;
use std::time::Duration;

use super::application::MASTER;
use crate::conf::Conf;
use crate::conf::problem::{Remark, Warning};
use crate::conf::property::{
    Property, boolean, choice, decimal, duration, path, properties, secret, text,
};
use crate::conf::secret::Secret;
use crate::conf::units::TimeUnit;
use crate::conf::value::Choice;
use crate::ids::{FrameworkId, Role};

/// How calls and events are encoded between the framework and the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// Small and fast.
    Protobuf,
    /// Readable in a network trace.
    Json,
}

impl Choice for WireFormat {
    const WORDS: &'static [&'static str] = &["protobuf", "json"];

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "protobuf" => Some(Self::Protobuf),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// How executors are put onto agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Evenly.
    Spread,
    /// One agent after the other.
    Pack,
}

impl Choice for Placement {
    const WORDS: &'static [&'static str] = &["spread", "pack"];

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "spread" => Some(Self::Spread),
            "pack" => Some(Self::Pack),
            _ => None,
        }
    }
}

properties! {
    title: "Mesos";

    /// Coarse mode: long-lived executors hold their resources and run many
    /// tasks. If false, fine mode: every task is a Mesos task of its own.
    pub COARSE: Property<bool> = boolean("spark.mesos.coarse").default("true");

    /// The role to register with; `*` takes unreserved resources only.
    pub ROLE: Property<Role> = text("spark.mesos.role").following(role_name).default("*");

    /// The account that executors run as on the agents.
    pub USER: Property<Option<String>> =
        text("mesquite.mesos.user").optional("the user who runs mesquite");

    /// The principal to authenticate with at the master.
    pub PRINCIPAL: Property<Option<String>> = text("spark.mesos.principal")
        .optional("no authentication")
        .or_environment("SPARK_MESOS_PRINCIPAL");

    /// A file that holds the principal. Read if `spark.mesos.principal` is not
    /// set.
    pub PRINCIPAL_FILE: Property<Option<PathBuf>> = path("spark.mesos.principal.file")
        .optional("no file is read")
        .or_environment("SPARK_MESOS_PRINCIPAL_FILE");

    /// The secret that belongs to the principal. Better in a file or in the
    /// environment than on a command line, which others can see.
    pub SECRET: Property<Option<Secret>> = secret("spark.mesos.secret")
        .optional("the principal has no secret")
        .or_environment("SPARK_MESOS_SECRET");

    /// A file that holds the secret. Read if `spark.mesos.secret` is not set, and
    /// read again with each subscription, and when the master no longer accepts
    /// what it held.
    pub SECRET_FILE: Property<Option<PathBuf>> = path("spark.mesos.secret.file")
        .optional("no file is read")
        .or_environment("SPARK_MESOS_SECRET_FILE");

    /// A file that holds a token by which the master knows the framework, in
    /// place of principal and secret (`Authorization: Bearer`). Read again like
    /// the secret's: whoever renews it only has to replace the file.
    pub TOKEN_FILE: Property<Option<PathBuf>> =
        path("mesquite.mesos.token.file").optional("no token is sent");

    /// Attributes that an agent must have for its offers to be used:
    /// `attribute:value,value;attribute:value`. All attributes must match, each
    /// by one of its values (a set by all of them); without values the
    /// attribute must be there.
    pub CONSTRAINTS: Property<Option<String>> =
        text("spark.mesos.constraints").optional("every agent will do");

    /// The attribute of agents that says in which rack they stand: a task whose input lies on
    /// a host where there is no room takes another host of the rack before it goes farther
    /// (`RACK_LOCAL`).
    pub RACK_ATTRIBUTE: Property<Option<String>> = text("mesquite.locality.rack.attribute")
        .optional("an agent's rack is the zone of its fault domain, if it has one");

    /// How long to refuse the resources of an offer that is of no use.
    pub REJECT_OFFER_DURATION: Property<Duration> =
        duration("spark.mesos.rejectOfferDuration", TimeUnit::Seconds).default("120s");

    /// How long to refuse the resources of an agent that
    /// `spark.mesos.constraints` leave out.
    pub REJECT_OFFER_DURATION_FOR_UNMET_CONSTRAINTS: Property<Duration> =
        duration("spark.mesos.rejectOfferDurationForUnmetConstraints", TimeUnit::Seconds)
            .same_as(&REJECT_OFFER_DURATION);

    /// How long to refuse offers once `spark.cores.max` is reached.
    pub REJECT_OFFER_DURATION_FOR_REACHED_MAX_CORES: Property<Duration> =
        duration("spark.mesos.rejectOfferDurationForReachedMaxCores", TimeUnit::Seconds)
            .same_as(&REJECT_OFFER_DURATION);

    /// How long the master keeps the framework and its tasks after losing the
    /// driver, so that it can come back. With 0, which is Spark's default, both are gone
    /// at once.
    pub FAILOVER_TIMEOUT: Property<Duration> =
        duration("spark.mesos.driver.failoverTimeout", TimeUnit::Seconds).default("10m");

    /// The id to register with, to go on as a framework that was there before.
    pub FRAMEWORK_ID: Property<Option<FrameworkId>> = text("spark.mesos.driver.frameworkId")
        .following(mesos_id)
        .optional("the master gives a new one");

    /// The address of the web page that the Mesos master links to, if that is not to be the
    /// run's own.
    pub WEBUI_URL: Property<Option<String>> = text("spark.mesos.driver.webui.url")
        .following(web_address)
        .optional("the pages of the run, if it has any");

    /// How executors are put onto agents: spread evenly over what is offered, or
    /// packed onto one agent after the other.
    pub PLACEMENT: Property<Placement> = choice("mesquite.mesos.placement").default("spread");

    /// In fine mode, the cores that an executor holds for itself beside those of
    /// its tasks. Spark's default is 1.
    pub FINE_EXECUTOR_CORES: Property<f64> =
        decimal("spark.mesos.mesosExecutor.cores", 0.0).default("0.1");

    /// A folder on the agents with `bin/mesquite` in it; in the image, if there is one.
    /// Without it agents run the driver's own binary: from the same path if the same is
    /// there, else fetched from the driver with curl or wget; by Mesos's fetcher for an
    /// image.
    pub EXECUTOR_HOME: Property<Option<PathBuf>> =
        path("spark.mesos.executor.home").optional("the driver's own binary");

    /// Where agents fetch the mesquite binary with curl or wget, instead of from
    /// the driver: a copy of the driver's own, for its digest is checked. For an image
    /// Mesos's fetcher brings it, which checks nothing.
    pub EXECUTOR_URI: Property<Option<String>> =
        text("spark.executor.uri").optional("the driver serves it");

    /// An executor that the driver has not heard of for so long is given up.
    pub NETWORK_TIMEOUT: Property<Duration> =
        duration("spark.network.timeout", TimeUnit::Seconds).default("120s");

    /// The address at which executors reach the driver.
    pub DRIVER_HOST: Property<Option<String>> =
        text("spark.driver.host").optional("the address from which it reaches the master");

    /// How calls and events are encoded. JSON is for debugging.
    pub CODEC: Property<WireFormat> = choice("mesquite.mesos.codec").default("protobuf");

    /// How long to wait for a connection to a master.
    pub CONNECT_TIMEOUT: Property<Duration> =
        duration("mesquite.mesos.connectTimeout", TimeUnit::Seconds)
            .at_least(Duration::from_millis(1))
            .default("5s");

    /// How long to wait for the answer to a call.
    pub REQUEST_TIMEOUT: Property<Duration> =
        duration("mesquite.mesos.requestTimeout", TimeUnit::Seconds)
            .at_least(Duration::from_millis(1))
            .default("75s");

    /// How long to try to register before giving up with exit code 3.
    pub REGISTRATION_TIMEOUT: Property<Duration> =
        duration("mesquite.mesos.registrationTimeout", TimeUnit::Seconds)
            .at_least(Duration::from_millis(1))
            .default("10s");
}

/// A run that is its own cluster has one host.
pub(super) fn rack_without_mesos(conf: &Conf) -> Option<Warning> {
    let name = RACK_ATTRIBUTE.name();
    let origin = conf.source(name)?.clone();
    conf.get(&MASTER).mesos().is_none().then(|| Warning {
        name: name.to_owned(),
        origin,
        remark: Remark::NoEffect("agents of Mesos have racks, and this master has none"),
    })
}

/// A secret alone authenticates nobody; Spark refuses it too.
pub(super) fn secret_without_principal(conf: &Conf) -> Option<String> {
    let secret = conf.get(&SECRET).is_some() || conf.get(&SECRET_FILE).is_some();
    let principal = conf.get(&PRINCIPAL).is_some() || conf.get(&PRINCIPAL_FILE).is_some();
    (secret && !principal).then(|| {
        "there is a secret for Mesos without a principal: set spark.mesos.principal too".to_owned()
    })
}

/// A request has one `Authorization` header.
pub(super) fn secret_and_token(conf: &Conf) -> Option<String> {
    let secret = conf.get(&SECRET).is_some() || conf.get(&SECRET_FILE).is_some();
    (secret && conf.get(&TOKEN_FILE).is_some()).then(|| {
        "the framework authenticates by a secret or by a token: leave out spark.mesos.secret (and \
         its file), or mesquite.mesos.token.file"
            .to_owned()
    })
}

/// The master's rule for role names (Mesos documentation, "Roles").
fn role_name(text: &str) -> Result<(), &'static str> {
    let part = |part: &str| {
        !matches!(part, "" | "." | ".." | "*")
            && !part.starts_with('-')
            && !part.contains(|c: char| c == ' ' || c == '\u{7f}' || ('\t'..='\r').contains(&c))
    };
    if text == "*" || text.split('/').all(part) {
        Ok(())
    } else {
        Err("`*` or a role such as eng/web, without blanks, `.`, `..`, a leading - or empty parts")
    }
}

/// The master's rule for ids, which become names of folders.
fn mesos_id(text: &str) -> Result<(), &'static str> {
    let sound = text.len() <= 255
        && !matches!(text, "." | "..")
        && !text.contains(|c: char| c.is_control() || c == '/' || c == '\\');
    if sound {
        Ok(())
    } else {
        Err("an id of at most 255 bytes without slashes and control characters")
    }
}

fn web_address(text: &str) -> Result<(), &'static str> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err("a URL that begins with http:// or https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_names_follow_the_masters_rule() {
        for good in ["*", "web", "eng/web", "a.b", "a-"] {
            assert_eq!(role_name(good), Ok(()), "{good}");
        }
        for bad in [
            "/a", "a/", "a//b", "*/a", "a/*", "..", "a/.", "-a", "a/-b", "a b", "a\tb",
        ] {
            assert!(role_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_follow_the_masters_rule() {
        assert_eq!(mesos_id("0c5a3b2e-0000"), Ok(()));
        for bad in [".", "..", "a/b", "a\\b", "a\nb", "x".repeat(256).as_str()] {
            assert!(mesos_id(bad).is_err(), "{bad}");
        }
    }
}
