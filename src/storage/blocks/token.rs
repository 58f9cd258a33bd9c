//! The proof that a peer knows the application's secret.
//!
//! Responsible for the `Authorization` header of block requests:
//! `Bearer hex(HMAC-SHA256(secret, "blocks"))`. The secret itself is never
//! sent.

use std::fmt::Write;

use crate::rpc::frame::Secret;

const PURPOSE: &str = "blocks";

/// Makes and checks the proof.
#[derive(Clone)]
pub(super) struct Token(Secret);

impl Token {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(secret.clone())
    }

    /// The header's value.
    pub(super) fn header(&self) -> String {
        let mut header = String::from("Bearer ");
        for byte in self.0.token(PURPOSE) {
            // Writing to a string cannot fail.
            let _ = write!(header, "{byte:02x}");
        }
        header
    }

    /// Whether a header's value is right; takes the same time for all wrong
    /// ones of the right form.
    pub(super) fn is_proved(&self, header: Option<&[u8]>) -> bool {
        let proof = header
            .and_then(|value| value.strip_prefix(b"Bearer "))
            .and_then(from_hex);
        proof.is_some_and(|proof| self.0.is_token(PURPOSE, &proof))
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if text.len() != 64 {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_proves() {
        let token = Token::new(&Secret::new("a"));
        let header = token.header();
        assert!(token.is_proved(Some(header.as_bytes())));
        assert!(!Token::new(&Secret::new("b")).is_proved(Some(header.as_bytes())));
        let other = "Bearer ".to_owned() + &"g".repeat(64);
        for wrong in ["", "Bearer ", &header[7..], &header[..70], &other] {
            assert!(!token.is_proved(Some(wrong.as_bytes())), "{wrong}");
        }
        assert!(!token.is_proved(None));
    }
}
