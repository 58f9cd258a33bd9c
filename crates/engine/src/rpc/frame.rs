//! Frames, and proofs without encryption. Pure.
//!
//! Responsible for what the two ends of a connection must agree on before any
//! message passes: frames of a limited length, and the handshake of connections
//! that are not encrypted.
//!
//! ```text
//!  server                                  client
//!    nonce S ──────────────────────────────▶
//!    ◀── nonce C, HMAC(key, "client" S C name), name
//!    HMAC(key, "server" C S name) ─────────▶
//! ```
//!
//! Each side proves that it knows the key without showing it; a proof that was
//! overheard is of no use for another connection.

use prost::Message;
use ring::hmac;
use tokio_util::codec::LengthDelimitedCodec;

/// No message is longer, so that no peer can make us reserve more.
pub const MAX_FRAME: usize = 256 * 1024 * 1024;

/// Before the proof, a frame is at most so long.
pub const MAX_GREETING: usize = 512;

/// The length of a nonce and of a proof.
const PART: usize = 32;

/// A random value, used once.
pub type Nonce = [u8; PART];

/// Who proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who accepted the connection.
    Server,
    /// Who made it.
    Client,
}

/// What both sides know.
#[derive(Clone)]
pub struct ProofKey(hmac::Key);

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey(..)")
    }
}

impl ProofKey {
    /// From its bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn said(side: Side, first: &[u8], second: &[u8], name: &str) -> Vec<u8> {
        let side: &[u8] = match side {
            Side::Server => b"server",
            Side::Client => b"client",
        };
        [side, first, second, name.as_bytes()].concat()
    }

    /// The proof that `side`, which was given `challenge` and chose `own`, knows
    /// the key; `name` is whom the client claims to be.
    pub fn proof(&self, side: Side, challenge: &[u8], own: &[u8], name: &str) -> Vec<u8> {
        let said = Self::said(side, challenge, own, name);
        hmac::sign(&self.0, &said).as_ref().to_vec()
    }

    /// Whether a proof is right; takes the same time for all wrong ones.
    pub fn is_proved(
        &self,
        side: Side,
        (challenge, other): (&[u8], &[u8]),
        name: &str,
        proof: &[u8],
    ) -> bool {
        let said = Self::said(side, challenge, other, name);
        hmac::verify(&self.0, &said, proof).is_ok()
    }
}

/// The client's answer to the server's nonce.
pub fn answer(key: &ProofKey, challenge: &[u8], own: &Nonce, name: &str) -> Vec<u8> {
    let mut answer = own.to_vec();
    answer.extend(key.proof(Side::Client, challenge, own, name));
    answer.extend(name.as_bytes());
    answer
}

/// A client's answer, not yet checked.
#[derive(Debug)]
pub struct Claim<'a> {
    /// Whom it claims to be.
    pub name: &'a str,
    /// Its nonce.
    pub nonce: &'a [u8],
    proof: &'a [u8],
}

impl<'a> Claim<'a> {
    /// `None` if it is no answer at all.
    pub fn read(answer: &'a [u8]) -> Option<Self> {
        let (nonce, rest) = answer.split_at_checked(PART)?;
        let (proof, name) = rest.split_at_checked(PART)?;
        let name = std::str::from_utf8(name).ok()?;
        Some(Self { name, nonce, proof })
    }

    /// Whether it knows the key.
    pub fn is_proved(&self, key: &ProofKey, challenge: &Nonce) -> bool {
        key.is_proved(Side::Client, (challenge, self.nonce), self.name, self.proof)
    }
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

/// The message that a frame has.
///
/// # Errors
/// It has none of this kind.
pub fn message<M: Message + Default>(body: impl bytes::Buf) -> Result<M, prost::DecodeError> {
    M::decode(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_proves_and_only_for_its_own_challenge_and_name() {
        let (ours, theirs) = (ProofKey::new(b"a"), ProofKey::new(b"b"));
        let answered = answer(&ours, &[1; 32], &[2; 32], "e");
        let claim = Claim::read(&answered).expect("an answer");
        assert_eq!((claim.name, claim.nonce), ("e", &[2; 32][..]));
        assert!(claim.is_proved(&ours, &[1; 32]));
        assert!(!claim.is_proved(&ours, &[3; 32]));
        assert!(!claim.is_proved(&theirs, &[1; 32]));
        let renamed = [&answered[..64], b"f"].concat();
        assert!(
            !Claim::read(&renamed)
                .expect("an answer")
                .is_proved(&ours, &[1; 32])
        );
        assert!(Claim::read(&answered[..63]).is_none());
        assert!(Claim::read(&[&answered[..64], &[0xff]].concat()).is_none());
        let proof = ours.proof(Side::Server, &[2; 32], &[1; 32], "e");
        assert!(ours.is_proved(Side::Server, (&[2; 32], &[1; 32]), "e", &proof));
        assert!(!ours.is_proved(Side::Client, (&[2; 32], &[1; 32]), "e", &proof));
    }
}
