//! Who may look, where not everybody may.
//!
//! Responsible for the password of pages: by HTTP's Basic authentication, with any name,
//! which browsers ask for, or as a bearer token, which is easier for programs. The
//! password itself is not kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::digest::{SHA256, digest};

/// What has to be known.
pub struct Login([u8; 32]);

impl Login {
    /// By this password.
    pub fn of(password: &str) -> Self {
        Self(summed(password.as_bytes()))
    }

    /// Whether these headers have it.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let said = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let Some((scheme, proof)) = said.and_then(|it| it.split_once(' ')) else {
            return false;
        };
        let proof = proof.trim().as_bytes();
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.is(proof);
        }
        let pair = STANDARD.decode(proof).unwrap_or_default();
        let name = pair.iter().position(|it| *it == b':');
        scheme.eq_ignore_ascii_case("basic") && name.is_some_and(|at| self.is(&pair[at + 1..]))
    }

    /// How long it takes to compare tells of the sum at most, of which nobody learns what
    /// it is of.
    fn is(&self, password: &[u8]) -> bool {
        summed(password) == self.0
    }
}

fn summed(text: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, text).as_ref());
    sum
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn who_has_the_password_is_admitted_by_whatever_name_and_nobody_else() {
        let login = Login::of("s3:cret");
        let admits = |said: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                AUTHORIZATION,
                HeaderValue::from_str(said).expect("a header"),
            );
            login.admits(&headers)
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(admits("Bearer s3:cret") && admits("bearer  s3:cret "));
        assert!(admits(&basic("anybody:s3:cret")) && admits(&basic(":s3:cret")));
        for wrong in [
            "",
            "Bearer",
            "Bearer s3:cre",
            "Digest s3:cret",
            "Basic s3:cret",
            "Basic !!!",
            &basic("s3:cret:"),
            &basic("s3cret"),
            &basic("cret"),
        ] {
            assert!(!admits(wrong), "{wrong}");
        }
        assert!(!login.admits(&HeaderMap::new()));
    }
}
