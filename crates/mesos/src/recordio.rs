//! RecordIO: from the bytes of an event stream to its records. Pure.
//!
//! Responsible for the framing alone (a decimal length, a line feed, that many
//! bytes, and at once the next length); what a record means is the codec's
//! business. Bytes may be handed over in pieces of any size.

use bytes::{Buf, Bytes, BytesMut};

/// The longest record taken unless told otherwise: an OFFERS event of a very
/// large cluster in JSON has tens of megabytes.
pub const DEFAULT_LIMIT: u64 = 256 * 1024 * 1024;

/// The most digits a length may have: those of the largest 64-bit number.
const MAX_DIGITS: usize = 20;

/// Why a stream cannot be read on. All are final for the connection: where the
/// next record begins is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordIoError {
    /// The length is not a decimal number on a line of its own.
    #[error("the event stream is not RecordIO: expected a record's length, found {found:?}")]
    NotALength {
        /// The first bytes of what stands there, made printable.
        found: String,
    },
    /// A length of zero, which no sender produces.
    #[error("the event stream announces a record of no bytes")]
    Zero,
    /// The record is longer than this side takes.
    #[error("the event stream announces a record of {length} bytes; at most {limit} are taken")]
    TooLong {
        /// The announced length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The stream ended in the middle of a record.
    #[error("the event stream ended in the middle of a record")]
    CutOff,
}

/// An incremental decoder.
///
/// ```
/// use mesquite_mesos::recordio::Decoder;
/// let mut decoder = Decoder::default();
/// decoder.push(b"5\nhello3\nyo");
/// assert_eq!(decoder.next_record().unwrap().unwrap(), "hello");
/// assert_eq!(decoder.next_record().unwrap(), None);
/// decoder.push(b"u");
/// assert_eq!(decoder.next_record().unwrap().unwrap(), "you");
/// ```
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// The length of the record that is being gathered, once it is known.
    length: Option<usize>,
    limit: u64,
    failed: Option<RecordIoError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl Decoder {
    /// A decoder that refuses records of more than `limit` bytes.
    pub fn with_limit(limit: u64) -> Self {
        Self {
            buffer: BytesMut::new(),
            length: None,
            limit,
            failed: None,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        // After an error nothing is kept: the sender must not fill our memory.
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole record, or `None` until more bytes come.
    ///
    /// # Errors
    /// The framing is broken; every later call says so again.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, RecordIoError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.advance();
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.buffer = BytesMut::new();
        }
        result
    }

    /// To be asked when the stream ends.
    ///
    /// # Errors
    /// The end came in the middle of a record.
    pub fn finish(&self) -> Result<(), RecordIoError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.length.is_some() || !self.buffer.is_empty() => Err(RecordIoError::CutOff),
            None => Ok(()),
        }
    }

    fn advance(&mut self) -> Result<Option<Bytes>, RecordIoError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.read_length()? {
                Some(length) => *self.length.insert(length),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    fn read_length(&mut self) -> Result<Option<usize>, RecordIoError> {
        let digits = self
            .buffer
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .take(MAX_DIGITS + 1)
            .count();
        let complete = self.buffer.get(digits) == Some(&b'\n');
        if !complete && digits == self.buffer.len() && digits <= MAX_DIGITS {
            return Ok(None);
        }
        let not_a_length = || RecordIoError::NotALength {
            found: self.buffer[..self.buffer.len().min(32)]
                .escape_ascii()
                .to_string(),
        };
        if !complete || digits == 0 || digits > MAX_DIGITS {
            return Err(not_a_length());
        }
        let text = std::str::from_utf8(&self.buffer[..digits]).expect("digits are ASCII");
        let length: u64 = text.parse().map_err(|_| not_a_length())?;
        if length == 0 {
            return Err(RecordIoError::Zero);
        }
        let too_long = RecordIoError::TooLong {
            length,
            limit: self.limit,
        };
        if length > self.limit {
            return Err(too_long);
        }
        self.buffer.advance(digits + 1);
        usize::try_from(length).map(Some).map_err(|_| too_long)
    }
}

/// Frames a record as the sender does. For peers in tests and for benchmarks.
pub fn encode(record: &[u8]) -> Vec<u8> {
    let mut framed = record.len().to_string().into_bytes();
    framed.push(b'\n');
    framed.extend_from_slice(record);
    framed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_all(decoder: &mut Decoder) -> Result<Vec<Bytes>, RecordIoError> {
        let mut records = Vec::new();
        while let Some(record) = decoder.next_record()? {
            records.push(record);
        }
        Ok(records)
    }

    fn error_of(bytes: &[u8]) -> RecordIoError {
        let mut decoder = Decoder::with_limit(100);
        decoder.push(bytes);
        decode_all(&mut decoder).expect_err("the framing is broken")
    }

    #[test]
    fn a_heartbeat_as_the_master_sends_it() {
        let mut decoder = Decoder::default();
        decoder.push(&[0x32, 0x0a, 0x08, 0x08]);
        assert_eq!(decoder.next_record(), Ok(Some(Bytes::from_static(&[8, 8]))));
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for bytes in [
            &b"x"[..],
            b"\n",
            b"-1\n",
            b"+1\n",
            b" 1\n",
            b"1 \n",
            b"1\r\n",
            b"0x1\n",
        ] {
            assert!(
                matches!(error_of(bytes), RecordIoError::NotALength { .. }),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn a_length_without_end_is_refused_before_its_line_ends() {
        assert!(matches!(
            error_of(&[b'1'; 21]),
            RecordIoError::NotALength { .. }
        ));
        assert!(matches!(
            error_of(b"99999999999999999999\n"),
            RecordIoError::NotALength { .. }
        ));
    }

    #[test]
    fn zero_and_more_than_the_limit_are_refused() {
        assert_eq!(error_of(b"0\n"), RecordIoError::Zero);
        assert_eq!(
            error_of(b"101\n"),
            RecordIoError::TooLong {
                length: 101,
                limit: 100
            }
        );
    }

    #[test]
    fn after_an_error_the_decoder_keeps_nothing_and_says_so_again() {
        let mut decoder = Decoder::default();
        decoder.push(b"0\n");
        assert_eq!(decoder.next_record(), Err(RecordIoError::Zero));
        decoder.push(b"1\na");
        assert_eq!(decoder.next_record(), Err(RecordIoError::Zero));
        assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn an_end_inside_a_record_is_noticed() {
        for bytes in [&b"1"[..], b"5\n", b"5\nhell"] {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            assert_eq!(decoder.next_record(), Ok(None));
            assert_eq!(decoder.finish(), Err(RecordIoError::CutOff));
        }
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_records(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
            cuts in prop::collection::vec(1usize..40, 1..60),
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|record| encode(record)).collect();
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            let mut rest = &stream[..];
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((*cuts.next().unwrap_or(&1)).min(rest.len()));
                decoder.push(piece);
                got.extend(decode_all(&mut decoder)?);
                rest = tail;
            }
            prop_assert_eq!(got, records);
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn no_bytes_make_it_panic_or_hand_out_more_than_came(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut decoder = Decoder::with_limit(64);
            decoder.push(&bytes);
            let mut out = 0;
            while let Ok(Some(record)) = decoder.next_record() {
                prop_assert!(record.len() <= 64);
                out += record.len();
            }
            prop_assert!(out <= bytes.len());
        }
    }
}
