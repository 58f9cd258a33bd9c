//! Lines to records.

use std::borrow::Cow;
use std::str::{self, FromStr};

use memchr::memchr;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::CodecError;

/// A whole line.
pub(super) struct Whole<'de>(pub(super) &'de [u8]);

/// The values of a field.
struct Field<'de> {
    /// `None` behind the last one.
    rest: Option<&'de [u8]>,
    /// Within so many that have several values.
    depth: u32,
}

type Read<T> = Result<T, CodecError>;

const TOO_FEW: CodecError = CodecError::Count("fewer", "values");
const TOO_MANY: CodecError = CodecError::Count("more", "values");

impl<'de> Field<'de> {
    const fn new(text: &'de [u8]) -> Self {
        Self {
            rest: Some(text),
            depth: 0,
        }
    }

    /// Where the next value ends.
    fn end(&self) -> Read<(&'de [u8], usize)> {
        let rest = self.rest.ok_or(TOO_FEW)?;
        let comma = memchr(b',', rest).filter(|_| self.depth > 0);
        Ok((rest, comma.unwrap_or(rest.len())))
    }

    /// The next value as it is written.
    fn next(&mut self) -> Read<&'de [u8]> {
        let (rest, end) = self.end()?;
        self.rest = rest.get(end + 1..);
        Ok(&rest[..end])
    }

    fn parsed<T: FromStr>(&mut self, expected: &'static str) -> Read<T> {
        let value = self.next()?;
        let text = str::from_utf8(value).ok();
        text.and_then(|it| it.parse().ok())
            .ok_or_else(|| no(value, expected))
    }

    fn text(&mut self) -> Read<Cow<'de, str>> {
        let value = self.next()?;
        let Some(first) = memchr(b'\\', value) else {
            let text = str::from_utf8(value).map_err(|_| CodecError::NotUtf8)?;
            return Ok(Cow::Borrowed(text));
        };
        let mut text = value[..first].to_vec();
        let mut bytes = value[first..].iter();
        while let Some(byte) = bytes.next() {
            text.push(match byte {
                b'\\' => match bytes.next() {
                    Some(b'\\') => b'\\',
                    Some(b't') => b'\t',
                    Some(b'n') => b'\n',
                    Some(b'c') => b',',
                    _ => {
                        return Err(no(
                            value,
                            "text: a `\\` stands before `\\`, `t`, `n` or `c`",
                        ));
                    }
                },
                plain => *plain,
            });
        }
        let text = String::from_utf8(text).map_err(|_| CodecError::NotUtf8)?;
        Ok(Cow::Owned(text))
    }

    fn bytes(&mut self) -> Read<Vec<u8>> {
        let value = self.next()?;
        let digits = str::from_utf8(value).ok().filter(|it| it.is_ascii());
        let digits = digits.filter(|it| it.len() % 2 == 0);
        let pairs = digits.map(|it| (0..it.len()).step_by(2).map(move |at| &it[at..at + 2]));
        let bytes = pairs.map(|pairs| pairs.map(|it| u8::from_str_radix(it, 16)).collect());
        match bytes {
            Some(Ok(bytes)) => Ok(bytes),
            _ => Err(no(value, "bytes in hexadecimal digits")),
        }
    }

    /// Nothing, as it is written for what has no values.
    fn nothing(&mut self) -> Read<()> {
        let value = self.next()?;
        if value.is_empty() {
            Ok(())
        } else {
            Err(no(value, "empty value"))
        }
    }

    /// Reads what has several values.
    fn several<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        let done = read(self);
        self.depth -= 1;
        done
    }

    /// How many values follow.
    fn count(&mut self) -> Read<usize> {
        self.parsed("number of values")
    }
}

fn no(value: &[u8], expected: &'static str) -> CodecError {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(value);
    let value = match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.into_owned(),
    };
    CodecError::Value { value, expected }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $expected:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
            visitor.$visit(self.parsed($expected)?)
        })*
    };
}

const ASKS: CodecError = CodecError::Unsupported(
    "its type asks what comes next, as with `#[serde(untagged)]` and `#[serde(flatten)]`: lines do \
     not say",
);

impl<'de> Deserializer<'de> for &mut Field<'de> {
    type Error = CodecError;

    parsed! {
        deserialize_bool visit_bool "`true` or `false`",
        deserialize_i8 visit_i8 "whole number from -128 to 127",
        deserialize_i16 visit_i16 "whole number of 16 bits",
        deserialize_i32 visit_i32 "whole number of 32 bits",
        deserialize_i64 visit_i64 "whole number of 64 bits",
        deserialize_i128 visit_i128 "whole number of 128 bits",
        deserialize_u8 visit_u8 "whole number from 0 to 255",
        deserialize_u16 visit_u16 "positive whole number of 16 bits",
        deserialize_u32 visit_u32 "positive whole number of 32 bits",
        deserialize_u64 visit_u64 "positive whole number of 64 bits",
        deserialize_u128 visit_u128 "positive whole number of 128 bits",
        deserialize_f32 visit_f32 "number",
        deserialize_f64 visit_f64 "number",
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let text = self.text()?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => visitor.visit_char(char),
            _ => Err(no(text.as_bytes(), "single character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        match self.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_byte_buf(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let (rest, end) = self.end()?;
        if end == 0 {
            self.next()?;
            return visitor.visit_none();
        }
        if rest.starts_with(b"\\e") {
            self.rest = Some(&rest[2..]);
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.nothing()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.several(|field| {
            let left = field.count()?;
            visitor.visit_seq(Values { field, left })
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Read<V::Value> {
        if left == 0 {
            self.nothing()?;
        }
        self.several(|field| visitor.visit_seq(Values { field, left }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.several(|field| {
            let left = field.count()?;
            visitor.visit_map(Values { field, left })
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.several(|field| visitor.visit_enum(Variant(field)))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(ASKS)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Read<V::Value> {
        Err(ASKS)
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

/// So many values of a field.
struct Values<'f, 'de> {
    field: &'f mut Field<'de>,
    left: usize,
}

impl<'de> Values<'_, 'de> {
    fn one<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.field).map(Some)
    }

    /// What to make room for: a wrong number must not take all memory.
    fn hint(&self) -> Option<usize> {
        let bytes = self.field.rest.map_or(0, <[u8]>::len);
        Some(self.left.min(bytes + 1))
    }
}

impl<'de> SeqAccess<'de> for Values<'_, 'de> {
    type Error = CodecError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        self.one(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Values<'_, 'de> {
    type Error = CodecError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        self.one(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<S::Value> {
        seed.deserialize(&mut *self.field)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// A variant: its name, and what it holds.
struct Variant<'f, 'de>(&'f mut Field<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Read<(S::Value, Self)> {
        let name = self.0.text()?;
        let name = seed.deserialize::<de::value::CowStrDeserializer<'_, CodecError>>(
            name.into_deserializer(),
        )?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = CodecError;

    fn unit_variant(self) -> Read<()> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Read<S::Value> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Read<V::Value> {
        let field = self.0;
        visitor.visit_seq(Values { field, left })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Read<V::Value> {
        self.tuple_variant(fields.len(), visitor)
    }
}

impl<'de> Whole<'de> {
    /// A record that is one field.
    fn field<T>(self, read: impl FnOnce(&mut Field<'de>) -> Read<T>) -> Read<T> {
        whole_field(self.0, read)
    }

    fn fields<V: Visitor<'de>>(self, count: usize, visitor: V) -> Read<V::Value> {
        if count == 0 {
            return if self.0.is_empty() {
                visitor.visit_seq(Tabbed { rest: None })
            } else {
                Err(CodecError::Count("more", "fields"))
            };
        }
        let mut fields = Tabbed { rest: Some(self.0) };
        let value = visitor.visit_seq(&mut fields)?;
        match fields.rest {
            None => Ok(value),
            Some(_) => Err(CodecError::Count("more", "fields")),
        }
    }
}

/// Reads a field to its end.
fn whole_field<'de, T>(text: &'de [u8], read: impl FnOnce(&mut Field<'de>) -> Read<T>) -> Read<T> {
    let mut field = Field::new(text);
    let value = read(&mut field)?;
    match field.rest {
        None => Ok(value),
        Some(_) => Err(TOO_MANY),
    }
}

/// The fields of a line.
struct Tabbed<'de> {
    rest: Option<&'de [u8]>,
}

impl<'de> SeqAccess<'de> for Tabbed<'de> {
    type Error = CodecError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Read<Option<S::Value>> {
        let rest = self.rest.ok_or(CodecError::Count("fewer", "fields"))?;
        let end = memchr(b'\t', rest).unwrap_or(rest.len());
        self.rest = rest.get(end + 1..);
        whole_field(&rest[..end], |field| seed.deserialize(field)).map(Some)
    }
}

macro_rules! as_field {
    ($($method:ident($($argument:ident: $type:ty),*),)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Read<V::Value> {
            self.field(|field| field.$method($($argument,)* visitor))
        })*
    };
}

type Names = &'static [&'static str];

impl<'de> Deserializer<'de> for Whole<'de> {
    type Error = CodecError;

    as_field! {
        deserialize_any(), deserialize_ignored_any(), deserialize_bool(), deserialize_i8(),
        deserialize_i16(), deserialize_i32(), deserialize_i64(), deserialize_i128(),
        deserialize_u8(), deserialize_u16(), deserialize_u32(), deserialize_u64(),
        deserialize_u128(), deserialize_f32(), deserialize_f64(), deserialize_char(),
        deserialize_option(), deserialize_unit(), deserialize_unit_struct(name: &'static str),
        deserialize_seq(), deserialize_map(), deserialize_identifier(),
        deserialize_enum(name: &'static str, variants: Names),
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        let text = str::from_utf8(self.0).map_err(|_| CodecError::NotUtf8)?;
        visitor.visit_borrowed_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Read<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Read<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Read<V::Value> {
        self.fields(count, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Read<V::Value> {
        self.fields(count, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: Names,
        visitor: V,
    ) -> Read<V::Value> {
        self.fields(fields.len(), visitor)
    }
}
