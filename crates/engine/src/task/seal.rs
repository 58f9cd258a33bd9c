//! Encryption of what tasks write to disk (`spark.io.encryption.enabled`).
//!
//! Responsible for the bytes of one thing that is sealed, and for which key and
//! number it is sealed with. What is a thing - a block of records - and where it lies
//! is the storage's business. All executors of a run open what any of them has sealed,
//! so that blocks are moved as they are, and outlive the process that made them.
//!
//! ```text
//! 16 bytes of salt | u64 number, big endian | ciphertext | 16 bytes of tag     (AES-GCM)
//! ```
//! Each process draws a salt, from which and the key of the run follows its own key,
//! and counts what it seals: no number is used twice with a key.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

type Salt = [u8; 16];

const NUMBER: usize = size_of::<u64>();
const HEAD: usize = size_of::<Salt>() + NUMBER;
const TAG: usize = 16;

/// The keys of so many other processes are remembered.
const OTHERS: usize = 1024;

/// No key can be made.
#[derive(Debug, thiserror::Error)]
#[error("what tasks write to disk cannot be encrypted: {0}")]
pub struct SealError(&'static str);

/// Seals and opens, or leaves all as it is. Cheap to clone.
#[derive(Clone, Default)]
pub struct Seal(Option<Arc<Keys>>);

struct Keys {
    run: hmac::Key,
    algorithm: &'static Algorithm,
    salt: Salt,
    own: Arc<LessSafeKey>,
    next: AtomicU64,
    others: Mutex<BTreeMap<Salt, Arc<LessSafeKey>>>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Seal(..)"
        } else {
            "no Seal"
        })
    }
}

impl Seal {
    /// The seal of a run that has this key, of 16 or 32 bytes; none if it is empty.
    ///
    /// # Errors
    /// It is of another length, or the system has no random numbers.
    pub fn of_run(key: &[u8]) -> Result<Self, SealError> {
        let algorithm = match key.len() {
            0 => return Ok(Self(None)),
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return Err(SealError("its key has neither 128 nor 256 bits")),
        };
        let run = hmac::Key::new(hmac::HMAC_SHA256, key);
        let salt = random()?;
        Ok(Self(Some(Arc::new(Keys {
            own: Arc::new(key_of(&run, algorithm, &salt)),
            run,
            algorithm,
            salt,
            next: AtomicU64::new(0),
            others: Mutex::default(),
        }))))
    }

    /// The seal of a run that is this process alone, with a key of so many bytes.
    ///
    /// # Errors
    /// As for [`of_run`](Self::of_run).
    pub fn of_process(bytes: usize) -> Result<Self, SealError> {
        let key: [u8; 32] = random()?;
        Self::of_run(key.get(..bytes).unwrap_or_default())
    }

    /// Whether anything is encrypted.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// So many bytes have to be left free before what is to be sealed.
    pub const fn room(&self) -> usize {
        if self.is_on() { HEAD } else { 0 }
    }

    /// So many bytes more than what is sealed are stored.
    pub const fn around(&self) -> usize {
        if self.is_on() { HEAD + TAG } else { 0 }
    }

    /// Seals `out` from `start` on, where the free bytes are, together with `about`,
    /// which is not stored.
    pub fn seal(&self, about: &[u8], out: &mut Vec<u8>, start: usize) {
        let Some(keys) = &self.0 else {
            return;
        };
        // More than any process can write.
        let number = keys.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let (head, text) = out[start..].split_at_mut(HEAD);
        let (salt, at) = head.split_at_mut(size_of::<Salt>());
        salt.copy_from_slice(&keys.salt);
        at.copy_from_slice(&number);
        let sealed = keys
            .own
            .seal_in_place_separate_tag(nonce(number), Aad::from(about), text);
        let tag = sealed.expect("a block is shorter than what AES-GCM can take");
        out.extend_from_slice(tag.as_ref());
    }

    /// What was sealed; `None` if it is not that any more.
    pub fn open<'a>(&self, about: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let Some(keys) = &self.0 else {
            return Some(sealed);
        };
        let (head, text) = sealed.split_at_mut_checked(HEAD)?;
        let (salt, number) = head.split_first_chunk()?;
        let number = *number.first_chunk()?;
        let key = keys.of(salt);
        let opened = key.open_in_place(nonce(number), Aad::from(about), text);
        opened.ok().map(|it| &*it)
    }
}

impl Keys {
    /// The key of the process that has this salt.
    fn of(&self, salt: &Salt) -> Arc<LessSafeKey> {
        if *salt == self.salt {
            return Arc::clone(&self.own);
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = others.get(salt) {
            return Arc::clone(key);
        }
        // Damage can have any salt.
        if others.len() >= OTHERS {
            others.clear();
        }
        let key = Arc::new(key_of(&self.run, self.algorithm, salt));
        others.insert(*salt, Arc::clone(&key));
        key
    }
}

fn key_of(run: &hmac::Key, algorithm: &'static Algorithm, salt: &Salt) -> LessSafeKey {
    let derived = hmac::sign(run, salt);
    let key = UnboundKey::new(algorithm, &derived.as_ref()[..algorithm.key_len()]);
    LessSafeKey::new(key.expect("it has the length of a key"))
}

fn nonce(number: [u8; NUMBER]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[12 - NUMBER..].copy_from_slice(&number);
    Nonce::assume_unique_for_key(nonce)
}

fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SealError("the system has no random numbers"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(seal: &Seal, text: &[u8]) -> Vec<u8> {
        let mut out = [&[7; 3][..], &vec![0; seal.room()], text].concat();
        seal.seal(b"about", &mut out, 3);
        out.split_off(3)
    }

    fn opened(seal: &Seal, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = sealed.to_vec();
        seal.open(about, &mut sealed).map(<[u8]>::to_vec)
    }

    proptest! {
        #[test]
        fn another_process_of_the_run_opens_it_whole_or_not_at_all(
            text in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(),
            cut in any::<bool>(), bytes in prop_oneof![Just(16), Just(32)],
        ) {
            let key = &[5; 32][..bytes];
            let (one, other) = (Seal::of_run(key).unwrap(), Seal::of_run(key).unwrap());
            let whole = sealed(&one, &text);
            prop_assert_eq!(opened(&one, b"about", &whole), Some(text.clone()));
            prop_assert_eq!(opened(&other, b"about", &whole), Some(text.clone()));
            prop_assert_eq!(opened(&other, b"abouT", &whole), None);
            let stranger = Seal::of_run(&[6; 32][..bytes]).unwrap();
            prop_assert_eq!(opened(&stranger, b"about", &whole), None);
            let mut damaged = whole;
            let at = at.index(damaged.len());
            if cut { damaged.truncate(at) } else { damaged[at] ^= 0x10 }
            prop_assert_eq!(opened(&other, b"about", &damaged), None);
        }
    }

    #[test]
    fn nothing_is_sealed_twice_in_the_same_way() {
        let (one, other) = (
            Seal::of_run(&[5; 32]).unwrap(),
            Seal::of_run(&[5; 32]).unwrap(),
        );
        let made = [&one, &one, &other, &other].map(|seal| sealed(seal, b"text"));
        for (number, text) in made.iter().enumerate() {
            assert!(made[..number].iter().all(|it| it[..HEAD] != text[..HEAD]));
        }
    }

    #[test]
    fn without_a_key_all_stays_as_it_is_and_odd_keys_are_refused() {
        let none = Seal::of_run(&[]).unwrap();
        assert_eq!(sealed(&none, b"text"), b"text");
        assert_eq!(opened(&none, b"", b"text"), Some(b"text".to_vec()));
        assert!(Seal::of_run(&[0; 24]).is_err());
        assert_eq!(format!("{:?}", Seal::of_process(16).unwrap()), "Seal(..)");
    }
}
