//! Frames and the proof of the secret. Pure.
//!
//! Responsible for what the two ends of a connection must agree on before any
//! message passes: frames of a limited length, and the handshake.
//!
//! ```text
//!  driver                                  executor
//!    nonce S ──────────────────────────────▶
//!    ◀────────── nonce C, HMAC(secret, "executor" S C)
//!    HMAC(secret, "driver" C S) ───────────▶
//! ```
//!
//! Each side proves that it knows the application's secret without showing it;
//! a proof that was overheard is of no use for another connection.

use prost::Message;
use ring::hmac;
use tokio_util::codec::LengthDelimitedCodec;

/// No message is longer, so that no peer can make us reserve more.
pub const MAX_FRAME: usize = 256 * 1024 * 1024;

/// Before the proof, a frame is at most so long.
pub const MAX_GREETING: usize = 128;

/// The length of a nonce and of a proof.
const PART: usize = 32;

/// A random value, used once.
pub type Nonce = [u8; PART];

/// Who proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The driver.
    Driver,
    /// An executor.
    Executor,
}

/// The application's secret.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// From its text.
    pub fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    fn said(side: Side, first: &[u8], second: &[u8]) -> Vec<u8> {
        let name: &[u8] = match side {
            Side::Driver => b"driver",
            Side::Executor => b"executor",
        };
        [name, first, second].concat()
    }

    /// The proof that `side`, which was given `challenge` and chose `own`,
    /// knows the secret.
    pub fn proof(&self, side: Side, challenge: &[u8], own: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, &Self::said(side, challenge, own))
            .as_ref()
            .to_vec()
    }

    /// Whether a proof is right; takes the same time for all wrong ones.
    pub fn is_proved(&self, side: Side, challenge: &[u8], other: &[u8], proof: &[u8]) -> bool {
        hmac::verify(&self.0, &Self::said(side, challenge, other), proof).is_ok()
    }

    /// The proof for requests that are no connection of this protocol, such as
    /// those for `"blocks"`.
    pub fn token(&self, purpose: &str) -> Vec<u8> {
        hmac::sign(&self.0, purpose.as_bytes()).as_ref().to_vec()
    }

    /// Whether a token is right; takes the same time for all wrong ones.
    pub fn is_token(&self, purpose: &str, token: &[u8]) -> bool {
        hmac::verify(&self.0, purpose.as_bytes(), token).is_ok()
    }
}

/// The executor's answer to the driver's nonce.
pub fn answer(secret: &Secret, challenge: &[u8], own: &Nonce) -> Vec<u8> {
    let mut answer = own.to_vec();
    answer.extend(secret.proof(Side::Executor, challenge, own));
    answer
}

/// The executor's nonce, if its answer proves the secret.
pub fn check_answer<'a>(secret: &Secret, challenge: &Nonce, answer: &'a [u8]) -> Option<&'a [u8]> {
    let (nonce, proof) = answer.split_at_checked(PART)?;
    secret
        .is_proved(Side::Executor, challenge, nonce, proof)
        .then_some(nonce)
}

/// The frames of one direction: four bytes of length, big endian, and a body.
pub fn codec(longest: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder()
        .max_frame_length(longest)
        .new_codec()
}

/// A message as the body of a frame.
pub fn body(message: &impl Message) -> bytes::Bytes {
    message.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_proves_and_only_for_its_own_challenge() {
        let (ours, theirs) = (Secret::new("a"), Secret::new("b"));
        let answered = answer(&ours, &[1; 32], &[2; 32]);
        assert_eq!(check_answer(&ours, &[1; 32], &answered), Some(&[2; 32][..]));
        assert_eq!(check_answer(&ours, &[3; 32], &answered), None);
        assert_eq!(check_answer(&theirs, &[1; 32], &answered), None);
        assert_eq!(check_answer(&ours, &[1; 32], &answered[..40]), None);
        assert_eq!(check_answer(&ours, &[1; 32], b""), None);
        let proof = ours.proof(Side::Driver, &[2; 32], &[1; 32]);
        assert!(ours.is_proved(Side::Driver, &[2; 32], &[1; 32], &proof));
        assert!(!ours.is_proved(Side::Executor, &[2; 32], &[1; 32], &proof));
    }
}
