//! Records to lines.

use std::io::Write as _;

use memchr::memchr;
use serde::ser::{self, Serialize, Serializer};

use super::CodecError;

/// A whole record.
pub(super) struct Whole<'a>(pub(super) &'a mut Vec<u8>);

/// The fields of a record.
pub(super) struct Fields<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
}

/// The values of a field.
pub(super) struct Field<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
    /// Within so many that have several values.
    depth: u32,
    /// Of how many options the next value is what they have.
    somes: usize,
}

/// Several values within a field.
pub(super) struct Several<'a, 'b> {
    field: &'b mut Field<'a>,
}

type Done = Result<(), CodecError>;

impl<'a> Field<'a> {
    const fn new(line: &'a mut Vec<u8>) -> Self {
        Self {
            line,
            is_first: true,
            depth: 0,
            somes: 0,
        }
    }

    /// Begins a value; `is_empty` says that nothing will be written for it.
    fn begin(&mut self, is_empty: bool) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(b',');
        }
        let somes = std::mem::take(&mut self.somes);
        if is_empty {
            for _ in 0..somes {
                self.line.extend_from_slice(b"\\e");
            }
        }
    }

    fn plain(&mut self, value: impl std::fmt::Display) -> Done {
        self.begin(false);
        // Writing to memory cannot fail.
        let _ = write!(self.line, "{value}");
        Ok(())
    }

    fn text(&mut self, text: &str) -> Done {
        self.begin(text.is_empty());
        for byte in text.bytes() {
            let escaped = match byte {
                b'\\' => b'\\',
                b'\t' => b't',
                b'\n' => b'n',
                b',' if self.depth > 0 => b'c',
                plain => {
                    self.line.push(plain);
                    continue;
                }
            };
            self.line.extend_from_slice(&[b'\\', escaped]);
        }
        Ok(())
    }

    fn several<'b>(&'b mut self) -> Several<'a, 'b> {
        self.depth += 1;
        Several { field: self }
    }

    /// As many as are said first.
    fn counted<'b>(&'b mut self, length: Option<usize>) -> Result<Several<'a, 'b>, CodecError> {
        let length = length.ok_or(CodecError::Unsupported(
            "how many values it has is not known before they are written: this is so with \
             `#[serde(flatten)]`, which is not supported",
        ))?;
        self.depth += 1;
        self.plain(length)?;
        Ok(Several { field: self })
    }

    fn variant<'b>(&'b mut self, name: &str) -> Result<Several<'a, 'b>, CodecError> {
        self.depth += 1;
        self.text(name)?;
        Ok(Several { field: self })
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Done {
            self.plain(value)
        })*
    };
}

impl<'a, 'b> Serializer for &'b mut Field<'a> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Several<'a, 'b>;
    type SerializeTuple = Several<'a, 'b>;
    type SerializeTupleStruct = Several<'a, 'b>;
    type SerializeTupleVariant = Several<'a, 'b>;
    type SerializeMap = Several<'a, 'b>;
    type SerializeStruct = Several<'a, 'b>;
    type SerializeStructVariant = Several<'a, 'b>;

    plain! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
    }

    // As short as they can be read again as the same number.
    fn serialize_f32(self, value: f32) -> Done {
        self.plain(format_args!("{value:?}"))
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.plain(format_args!("{value:?}"))
    }

    fn serialize_char(self, value: char) -> Done {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Done {
        self.text(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.begin(bytes.is_empty());
        for byte in bytes {
            let _ = write!(self.line, "{byte:02x}");
        }
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.text("")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.somes += 1;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.text("")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.text("")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.variant(variant)?.close()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let mut several = self.variant(variant)?;
        several.put(value)?;
        several.close()
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Several<'a, 'b>, CodecError> {
        self.counted(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<Several<'a, 'b>, CodecError> {
        if length == 0 {
            self.text("")?;
        }
        Ok(self.several())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Several<'a, 'b>, CodecError> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a, 'b>, CodecError> {
        self.variant(variant)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Several<'a, 'b>, CodecError> {
        self.counted(length)
    }

    fn serialize_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Several<'a, 'b>, CodecError> {
        self.serialize_tuple(length)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several<'a, 'b>, CodecError> {
        self.variant(variant)
    }
}

/// Takes values one by one.
trait Sink {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Done;

    /// Nothing is written at the end: each type knows how many values it has.
    fn close(self) -> Done;
}

impl Sink for Several<'_, '_> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.field)
    }

    fn close(self) -> Done {
        self.field.depth -= 1;
        Ok(())
    }
}

impl Sink for Fields<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(b'\t');
        }
        value.serialize(&mut Field::new(self.line))
    }

    fn close(self) -> Done {
        Ok(())
    }
}

impl Sink for Listed<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut self.0)
    }

    fn close(self) -> Done {
        Ok(())
    }
}

impl<'a> Whole<'a> {
    fn field(self, write: impl FnOnce(&mut Field<'a>) -> Done) -> Done {
        write(&mut Field::new(self.0))
    }

    const fn fields(self) -> Fields<'a> {
        Fields {
            line: self.0,
            is_first: true,
        }
    }

    fn raw(self, bytes: &[u8]) -> Done {
        if memchr(b'\n', bytes).is_some() {
            return Err(CodecError::EndOfLine);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

macro_rules! as_field {
    ($($method:ident($($argument:ident: $type:ty),*),)*) => {
        $(fn $method(self, $($argument: $type),*) -> Done {
            self.field(|field| field.$method($($argument),*))
        })*
    };
}

/// What has fields is cut into them; a text is the record; all else is one field.
impl<'a> Serializer for Whole<'a> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Listed<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Listed<'a>;
    type SerializeMap = Listed<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Listed<'a>;

    as_field! {
        serialize_bool(value: bool), serialize_i8(value: i8), serialize_i16(value: i16),
        serialize_i32(value: i32), serialize_i64(value: i64), serialize_i128(value: i128),
        serialize_u8(value: u8), serialize_u16(value: u16), serialize_u32(value: u32),
        serialize_u64(value: u64), serialize_u128(value: u128), serialize_f32(value: f32),
        serialize_f64(value: f64), serialize_char(value: char), serialize_none(),
        serialize_unit(), serialize_unit_struct(name: &'static str),
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str),
    }

    fn serialize_str(self, text: &str) -> Done {
        self.raw(text.as_bytes())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.raw(bytes)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.field(|field| field.serialize_some(value))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.field(|field| field.serialize_newtype_variant(name, index, variant, value))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Listed<'a>, CodecError> {
        Listed::begin(self.0, |field| field.counted(length).map(drop))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Listed<'a>, CodecError> {
        self.serialize_seq(length)
    }

    fn serialize_tuple(self, _: usize) -> Result<Fields<'a>, CodecError> {
        Ok(self.fields())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, CodecError> {
        Ok(self.fields())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, CodecError> {
        Ok(self.fields())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Listed<'a>, CodecError> {
        Listed::begin(self.0, |field| field.variant(variant).map(drop))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Listed<'a>, CodecError> {
        self.serialize_tuple_variant(name, index, variant, length)
    }
}

/// Several values in the only field of a record.
pub(super) struct Listed<'a>(Field<'a>);

impl<'a> Listed<'a> {
    fn begin(
        line: &'a mut Vec<u8>,
        write: impl FnOnce(&mut Field<'a>) -> Done,
    ) -> Result<Self, CodecError> {
        let mut field = Field::new(line);
        write(&mut field)?;
        Ok(Self(field))
    }
}

/// What `serde` wants of whatever takes values.
macro_rules! takes_values {
    (@ $type:ty, $trait:ident, $method:ident) => {
        impl ser::$trait for $type {
            type Ok = ();
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.put(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    };
    (@named $type:ty, $trait:ident) => {
        impl ser::$trait for $type {
            type Ok = ();
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Done {
                self.put(value)
            }

            fn skip_field(&mut self, _: &'static str) -> Done {
                Err(SKIPPED)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    };
    ($($type:ty,)*) => {
        $(takes_values!(@ $type, SerializeSeq, serialize_element);
        takes_values!(@ $type, SerializeTuple, serialize_element);
        takes_values!(@ $type, SerializeTupleStruct, serialize_field);
        takes_values!(@ $type, SerializeTupleVariant, serialize_field);
        takes_values!(@named $type, SerializeStruct);
        takes_values!(@named $type, SerializeStructVariant);

        impl ser::SerializeMap for $type {
            type Ok = ();
            type Error = CodecError;

            fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
                self.put(key)
            }

            fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.put(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        })*
    };
}

takes_values!(Several<'_, '_>, Fields<'_>, Listed<'_>,);

const SKIPPED: CodecError = CodecError::Unsupported(
    "a field is left out (`skip_serializing_if`), and lines do not say which one",
);
