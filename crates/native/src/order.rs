//! Values as bytes that are ordered as the values are. Pure.
//!
//! Responsible for sorting by whatever closures give: the engine compares bytes.

use std::cmp::Reverse;

/// What records can be ordered by.
///
/// Numbers, texts, `bool`, `char`, options, tuples of up to three of them, and
/// [`Reverse`] for the other way round.
pub trait SortKey {
    /// Appends bytes that are smaller for a smaller value, and none of which begin with
    /// all of another value's.
    fn write(&self, bytes: &mut Vec<u8>);
}

macro_rules! unsigned {
    ($($type:ty)*) => {
        $(impl SortKey for $type {
            fn write(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_be_bytes());
            }
        })*
    };
}

macro_rules! signed {
    ($($type:ty)*) => {
        $(impl SortKey for $type {
            fn write(&self, bytes: &mut Vec<u8>) {
                // The sign comes first, and negative numbers have it set.
                bytes.extend_from_slice(&(*self ^ <$type>::MIN).to_be_bytes());
            }
        })*
    };
}

unsigned!(u8 u16 u32 u64 u128);
signed!(i8 i16 i32 i64 i128);

impl SortKey for usize {
    fn write(&self, bytes: &mut Vec<u8>) {
        (*self as u64).write(bytes);
    }
}

/// As `f64::total_cmp` has it, but with one zero.
impl SortKey for f64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        let bits = (self + 0.0).to_bits();
        let ordered = if bits >> 63 == 0 {
            bits | 1 << 63
        } else {
            !bits
        };
        ordered.write(bytes);
    }
}

impl SortKey for f32 {
    fn write(&self, bytes: &mut Vec<u8>) {
        f64::from(*self).write(bytes);
    }
}

impl SortKey for bool {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }
}

impl SortKey for char {
    fn write(&self, bytes: &mut Vec<u8>) {
        u32::from(*self).write(bytes);
    }
}

impl SortKey for str {
    fn write(&self, bytes: &mut Vec<u8>) {
        for byte in self.bytes() {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(1);
            }
        }
        // It is smaller than whatever it begins.
        bytes.extend_from_slice(&[0, 0]);
    }
}

impl SortKey for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.as_str().write(bytes);
    }
}

/// Nothing comes first.
impl<K: SortKey> SortKey for Option<K> {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self.is_some()));
        if let Some(key) = self {
            key.write(bytes);
        }
    }
}

impl<K: SortKey> SortKey for Reverse<K> {
    fn write(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        self.0.write(bytes);
        for byte in &mut bytes[start..] {
            *byte = !*byte;
        }
    }
}

impl<K: SortKey + ?Sized> SortKey for &K {
    fn write(&self, bytes: &mut Vec<u8>) {
        (**self).write(bytes);
    }
}

impl<A: SortKey, B: SortKey> SortKey for (A, B) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
}

impl<A: SortKey, B: SortKey, C: SortKey> SortKey for (A, B, C) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
        self.2.write(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(key: &impl SortKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        key.write(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_are_ordered_by_their_values() {
        let floats = [f64::NEG_INFINITY, -1.5, -0.0, 1e-300, 2.0, f64::INFINITY];
        assert!(floats.is_sorted_by_key(bytes));
        assert_eq!(bytes(&-0.0), bytes(&0.0));
    }

    proptest! {
        #[test]
        fn bytes_are_ordered_as_values_are(
            a in any::<(String, i64, Option<u8>)>(), b in any::<(String, i64, Option<u8>)>(),
            texts in ("[\0\u{1}a]{0,4}", "[\0\u{1}a]{0,4}"),
        ) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
            prop_assert_eq!(bytes(&texts.0).cmp(&bytes(&texts.1)), texts.0.cmp(&texts.1));
            let reversed = |texts: &(String, String)| (Reverse(texts.0.clone()), texts.1.clone());
            let other = (texts.1.clone(), texts.0.clone());
            let (one, other) = (reversed(&texts), reversed(&other));
            prop_assert_eq!(bytes(&one).cmp(&bytes(&other)), one.cmp(&other));
        }
    }
}
