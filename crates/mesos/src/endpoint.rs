//! Where the leading master may be, and whom to ask next. Pure.
//!
//! Responsible for the list of candidates, for following redirects and
//! remembering where they led, and for moving on when a candidate fails. It
//! connects to nobody.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

pub use mesquite_base::conf::master_url::Scheme;

/// Redirects followed in a row before giving up on them.
const MAX_REDIRECTS: u32 = 5;

/// A master's or an agent's HTTP server.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub scheme: Scheme,
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Endpoint {
    /// The URL of a path, which begins with a slash, on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// Whether what is sent there leaves this host.
    pub fn is_elsewhere(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        !address.map_or(self.host == "localhost", |it| it.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// A text that is no address of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a server's address, such as `http://host:5050`")]
pub struct NotAnEndpoint {
    /// The text.
    pub text: String,
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        parse(text, None).ok_or_else(|| NotAnEndpoint {
            text: text.to_owned(),
        })
    }
}

/// Reads `[scheme:][//]host[:port][/...]`. Without a scheme of its own it has
/// that of `from`; without a port, the scheme's own.
fn parse(text: &str, from: Option<Scheme>) -> Option<Endpoint> {
    let (scheme, rest) = if let Some(rest) = text.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else if let Some(rest) = text.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else if text.contains("://") {
        return None;
    } else {
        (from?, text.strip_prefix("//").unwrap_or(text))
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let url = url::Url::parse(&format!("{}://{authority}", scheme.as_str())).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default()?;
    (port != 0).then_some(Endpoint { scheme, host, port })
}

/// A redirect that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// There is no usable `Location`.
    #[error("{from} redirects to {location:?}, which is no master's address")]
    Nowhere {
        /// Who redirected.
        from: Endpoint,
        /// What it said.
        location: String,
    },
    /// What was to be said by TLS alone would be said in clear, the principal and
    /// its secret first.
    #[error(
        "{from} redirects to {to}, which is not followed: nothing that is spoken by https is said \
         again by http; does the leading master run with TLS?"
    )]
    LessSafe {
        /// Who redirected.
        from: Endpoint,
        /// Where to.
        to: Endpoint,
    },
    /// Masters send each other's clients around.
    #[error(
        "{from} redirects to {to} after {MAX_REDIRECTS} redirects in a row; no master admits to leading"
    )]
    Loop {
        /// Who redirected last.
        from: Endpoint,
        /// Where to.
        to: Endpoint,
    },
}

/// The masters to try, and the one to try now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    configured: Vec<Endpoint>,
    next: usize,
    /// Where a redirect led: asked before the configured ones until it fails.
    redirected: Option<Endpoint>,
    redirects: u32,
}

impl Candidates {
    /// The configured masters in the order they are tried. May be empty, as
    /// while ZooKeeper names no leader.
    pub const fn new(configured: Vec<Endpoint>) -> Self {
        Self {
            configured,
            next: 0,
            redirected: None,
            redirects: 0,
        }
    }

    /// Whom to ask now.
    pub fn current(&self) -> Option<&Endpoint> {
        self.redirected
            .as_ref()
            .or_else(|| self.configured.get(self.next))
    }

    /// Whether the current one is known by a redirect only.
    pub const fn is_redirected(&self) -> bool {
        self.redirected.is_some()
    }

    /// How many masters are configured.
    pub const fn count(&self) -> usize {
        self.configured.len()
    }

    /// The current one redirected to `location`.
    ///
    /// # Errors
    /// The redirect cannot be followed; the next candidate is then the current.
    pub fn redirect(&mut self, location: &str) -> Result<(), RedirectError> {
        let Some(from) = self.current().cloned() else {
            return Ok(());
        };
        let result = match parse(location, Some(from.scheme)) {
            None => Err(RedirectError::Nowhere {
                from,
                location: location.to_owned(),
            }),
            Some(to) if from.scheme == Scheme::Https && to.scheme == Scheme::Http => {
                Err(RedirectError::LessSafe { from, to })
            }
            Some(to) if self.redirects >= MAX_REDIRECTS => Err(RedirectError::Loop { from, to }),
            Some(to) => {
                self.redirects += 1;
                self.redirected = Some(to);
                Ok(())
            }
        };
        if result.is_err() {
            self.failed();
        }
        result
    }

    /// The current one cannot be reached or does not lead: try the next.
    pub fn failed(&mut self) {
        let known_by_redirect = self.redirected.take().is_some();
        let led = self.redirects == 0;
        self.redirects = 0;
        // One that led since it was redirected to may have died: whoever knew it
        // may know its successor. One that never led was no help to be sent to.
        let ask_again = known_by_redirect && led;
        if !ask_again && !self.configured.is_empty() {
            self.next = (self.next + 1) % self.configured.len();
        }
    }

    /// The current one leads.
    pub const fn succeeded(&mut self) {
        self.redirects = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    fn candidates(texts: &[&str]) -> Candidates {
        Candidates::new(texts.iter().map(|text| endpoint(text)).collect())
    }

    fn current(candidates: &Candidates) -> String {
        candidates.current().unwrap().to_string()
    }

    #[test]
    fn every_form_of_location_is_understood() {
        for (location, meant) in [
            ("//m2:5051/api/v1/scheduler", "https://m2:5051"),
            ("m2:5051", "https://m2:5051"),
            ("https://m2:5051/x?y", "https://m2:5051"),
            ("//[::1]:5050/api", "https://[::1]:5050"),
            ("//m2", "https://m2:443"),
        ] {
            let mut candidates = candidates(&["https://m1:5050"]);
            candidates.redirect(location).unwrap();
            assert_eq!(current(&candidates), meant, "{location}");
        }
    }

    #[test]
    fn from_https_a_redirect_never_leads_to_http() {
        for location in ["http://m2:5051/x?y", "http://m1:5050"] {
            let mut candidates = candidates(&["https://m1:5050", "https://m3:5050"]);
            assert!(matches!(
                candidates.redirect(location),
                Err(RedirectError::LessSafe { .. })
            ));
            assert_eq!(current(&candidates), "https://m3:5050");
        }
        // One that began in clear and was led to TLS stays there.
        let mut candidates = candidates(&["http://m1:5050"]);
        candidates.redirect("https://m2:5050").unwrap();
        assert!(matches!(
            candidates.redirect("http://m3:5050"),
            Err(RedirectError::LessSafe { .. })
        ));
    }

    #[test]
    fn a_location_that_is_no_address_leads_to_the_next_candidate() {
        for location in [
            "",
            "/api/v1/scheduler",
            "//",
            "//:5050",
            "//a:b",
            "//a:0",
            "//u:p@a:1",
            "ftp://a:1",
        ] {
            let mut candidates = candidates(&["http://m1:5050", "http://m2:5050"]);
            assert!(
                matches!(
                    candidates.redirect(location),
                    Err(RedirectError::Nowhere { .. })
                ),
                "{location}"
            );
            assert_eq!(current(&candidates), "http://m2:5050");
        }
    }

    #[test]
    fn a_redirect_is_remembered_until_it_fails() {
        let mut candidates = candidates(&["http://m1:5050", "http://m2:5050"]);
        candidates.redirect("//m3:5050").unwrap();
        candidates.succeeded();
        assert_eq!(current(&candidates), "http://m3:5050");
        candidates.failed();
        assert_eq!(current(&candidates), "http://m1:5050");
        candidates.failed();
        assert_eq!(current(&candidates), "http://m2:5050");
        candidates.failed();
        assert_eq!(current(&candidates), "http://m1:5050");
    }

    #[test]
    fn a_master_that_redirects_to_one_that_does_not_lead_is_passed_over() {
        let mut candidates = candidates(&["http://m1:5050", "http://m2:5050"]);
        candidates.redirect("//m3:5050").unwrap();
        candidates.failed();
        assert_eq!(current(&candidates), "http://m2:5050");
    }

    #[test]
    fn a_redirect_loop_ends() {
        let mut candidates = candidates(&["http://m1:5050"]);
        for hop in 0..MAX_REDIRECTS {
            candidates
                .redirect(&format!("//m{}:5050", 2 + hop % 2))
                .unwrap();
        }
        assert!(matches!(
            candidates.redirect("//m2:5050"),
            Err(RedirectError::Loop { .. })
        ));
        assert_eq!(current(&candidates), "http://m1:5050");
        candidates.redirect("//m2:5050").unwrap();
    }

    #[test]
    fn without_candidates_there_is_nobody_to_ask() {
        let mut candidates = candidates(&[]);
        candidates.failed();
        candidates.redirect("//m1:5050").unwrap();
        assert_eq!(candidates.current(), None);
    }

    #[test]
    fn addresses_print_as_urls() {
        assert_eq!(endpoint("http://h").url("/api/v1"), "http://h:80/api/v1");
        assert!("h:5050".parse::<Endpoint>().is_err());
        assert!("http://".parse::<Endpoint>().is_err());
    }
}
