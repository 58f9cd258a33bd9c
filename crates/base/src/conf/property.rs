//! What a property is: its name, syntax, default and meaning, declared once.
//!
//! Responsible for [`Property`] and [`Family`], which callers pass to
//! [`Conf`](super::Conf) for a typed value, and for the [`Declaration`] behind
//! each, which the registry lists and documentation is made from. The
//! declarations themselves stand in [`properties`](super::properties).
//!
//! A declaration reads as a sentence, inside the `properties!` macro that takes
//! the meaning from the doc comment and lists it in its group:
//!
//! ```text
//! /// How long to refuse an offer's resources ...
//! pub REJECT_OFFER_DURATION: Property<Duration> =
//!     duration("spark.mesos.rejectOfferDuration", TimeUnit::Seconds).default("120s");
//! ```

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::master_url::MasterUrl;
use super::secret::Secret;
use super::syntax::{LONGEST, Syntax, TextRule};
use super::units::{SizeUnit, TimeUnit};
use super::value::{ByteSize, Choice, Setting, Textual, Whole};

/// What stands in a family's name for the part that users choose.
pub const PLACEHOLDER: &str = "NAME";

/// Everything about a property but the type of its value in Rust.
#[derive(Debug)]
pub struct Declaration {
    name: &'static str,
    syntax: Syntax,
    default: DefaultValue,
    environment: Option<&'static str>,
    former: Option<&'static str>,
    meaning: &'static str,
}

/// What a property is when nobody sets it.
#[derive(Clone, Copy, Debug)]
pub enum DefaultValue {
    /// The value that this text means.
    Text(&'static str),
    /// Whatever another property of the same type is.
    SameAs(&'static Declaration),
    /// No value; the text says what happens then.
    Unset(&'static str),
}

/// Whose name a property has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Spark has it; name and meaning are Spark's.
    Spark,
    /// Mesquite's own.
    Mesquite,
}

impl Declaration {
    /// The full name; a family's has [`PLACEHOLDER`] where users choose.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How values are written.
    pub fn syntax(&self) -> &Syntax {
        &self.syntax
    }

    /// What it is when not set.
    pub fn default(&self) -> DefaultValue {
        self.default
    }

    /// The environment variable that sets it when no file and no option does.
    pub fn environment(&self) -> Option<&'static str> {
        self.environment
    }

    /// The name that it had in older versions of Spark, which still sets it.
    pub fn former(&self) -> Option<&'static str> {
        self.former
    }

    /// What it does, as one paragraph.
    pub fn meaning(&self) -> String {
        let words: Vec<&str> = self.meaning.split_whitespace().collect();
        words.join(" ")
    }

    /// Whose name it is.
    pub fn origin(&self) -> Origin {
        if self.name.starts_with("spark.") {
            Origin::Spark
        } else {
            Origin::Mesquite
        }
    }

    /// The text before and after the part that users choose, of a family.
    pub fn family_parts(&self) -> Option<(&'static str, &'static str)> {
        self.name.split_once(PLACEHOLDER)
    }

    /// The part that the user chose, if `name` is of this family.
    pub fn member<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (prefix, suffix) = self.family_parts()?;
        let member = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
        (!member.is_empty()).then_some(member)
    }
}

/// A property whose value is a `T`; `Option<T>` if it can be without one.
#[derive(Debug)]
pub struct Property<T> {
    declaration: Declaration,
    value: PhantomData<fn() -> T>,
}

impl<T> Property<T> {
    /// What is declared of it.
    pub const fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// The full name.
    pub const fn name(&self) -> &'static str {
        self.declaration.name
    }
}

/// Properties with one meaning whose names differ in a part that users choose,
/// such as `spark.executorEnv.NAME`. A member that is not set does not exist.
#[derive(Debug)]
pub struct Family<T> {
    declaration: Declaration,
    value: PhantomData<fn() -> T>,
}

impl<T> Family<T> {
    /// What is declared of it.
    pub const fn declaration(&self) -> &Declaration {
        &self.declaration
    }
}

/// A declaration whose default is still to be said.
#[derive(Clone, Copy, Debug)]
pub struct Undecided<T> {
    name: &'static str,
    syntax: Syntax,
    value: PhantomData<fn() -> T>,
}

impl<T: Setting> Undecided<T> {
    const fn new(name: &'static str, syntax: Syntax) -> Self {
        Self {
            name,
            syntax,
            value: PhantomData,
        }
    }

    const fn with<V>(self, default: DefaultValue) -> Property<V> {
        Property {
            declaration: Declaration {
                name: self.name,
                syntax: self.syntax,
                default,
                environment: None,
                former: None,
                meaning: "",
            },
            value: PhantomData,
        }
    }

    /// Is what `text` means, when not set.
    pub const fn default(self, text: &'static str) -> Property<T> {
        self.with(DefaultValue::Text(text))
    }

    /// Is what `other` is, when not set.
    pub const fn same_as(self, other: &'static Property<T>) -> Property<T> {
        self.with(DefaultValue::SameAs(&other.declaration))
    }

    /// Is what `other` is, when not set, which may be nothing.
    pub const fn same_as_optional(
        self,
        other: &'static Property<Option<T>>,
    ) -> Property<Option<T>> {
        self.with(DefaultValue::SameAs(&other.declaration))
    }

    /// Has no value when not set; `otherwise` says what happens then.
    pub const fn optional(self, otherwise: &'static str) -> Property<Option<T>> {
        self.with(DefaultValue::Unset(otherwise))
    }

    /// Is a family; the name has [`PLACEHOLDER`] in it.
    pub const fn family(self) -> Family<T> {
        Family {
            declaration: self
                .with::<T>(DefaultValue::Unset("no member exists"))
                .declaration,
            value: PhantomData,
        }
    }
}

macro_rules! finishing_touches {
    ($($type:ident)*) => {$(
        impl<T> $type<T> {
            /// Says what the property does. Done by the `properties!` macro.
            #[must_use]
            pub const fn meaning(mut self, meaning: &'static str) -> Self {
                self.declaration.meaning = meaning;
                self
            }
        }
    )*};
}

finishing_touches! { Property Family }

impl<T> Property<T> {
    /// Names the environment variable that sets it when nothing else does.
    #[must_use]
    pub const fn or_environment(mut self, variable: &'static str) -> Self {
        self.declaration.environment = Some(variable);
        self
    }

    /// Names what it was called in older versions of Spark. That name sets it
    /// too, unless its own does.
    #[must_use]
    pub const fn formerly(mut self, name: &'static str) -> Self {
        self.declaration.former = Some(name);
        self
    }
}

impl Undecided<Duration> {
    /// Narrows the times that are accepted.
    #[must_use]
    pub const fn within(mut self, bounds: RangeInclusive<Duration>) -> Self {
        if let Syntax::Duration { min, max, .. } = &mut self.syntax {
            *min = *bounds.start();
            *max = *bounds.end();
        }
        self
    }

    /// Refuses shorter times.
    #[must_use]
    pub const fn at_least(self, min: Duration) -> Self {
        self.within(RangeInclusive::new(min, LONGEST))
    }
}

impl<T: Textual> Undecided<T> {
    /// Adds a rule to what text is accepted.
    #[must_use]
    pub const fn following(mut self, rule: TextRule) -> Self {
        self.syntax = Syntax::Text(rule);
        self
    }
}

/// A property that is `true` or `false`.
pub const fn boolean(name: &'static str) -> Undecided<bool> {
    Undecided::new(name, Syntax::Boolean)
}

/// A property that is a whole number of at least `min`.
pub const fn integer<T: Whole>(name: &'static str, min: u64) -> Undecided<T> {
    integer_between(name, min, T::MAX)
}

/// A property that is a whole number within bounds.
pub const fn integer_between<T: Whole>(name: &'static str, min: u64, max: u64) -> Undecided<T> {
    assert!(min <= max && max <= T::MAX);
    Undecided::new(name, Syntax::Integer { min, max })
}

/// A property that is a number, perhaps with a fraction, of at least `min`.
pub const fn decimal(name: &'static str, min: f64) -> Undecided<f64> {
    decimal_between(name, min, f64::INFINITY)
}

/// A property that is a number, perhaps with a fraction, within bounds.
pub const fn decimal_between(name: &'static str, min: f64, max: f64) -> Undecided<f64> {
    Undecided::new(name, Syntax::Decimal { min, max })
}

/// A property that is a time; a number without unit counts `bare`.
pub const fn duration(name: &'static str, bare: TimeUnit) -> Undecided<Duration> {
    let syntax = Syntax::Duration {
        bare,
        min: Duration::ZERO,
        max: LONGEST,
    };
    Undecided::new(name, syntax)
}

/// A property that is a size of at least `min`; a number without unit counts `bare`.
pub const fn size(name: &'static str, bare: SizeUnit, min: ByteSize) -> Undecided<ByteSize> {
    Undecided::new(name, Syntax::Size { bare, min })
}

/// A property that is text.
pub const fn text<T: Textual>(name: &'static str) -> Undecided<T> {
    Undecided::new(name, Syntax::Text(|_| Ok(())))
}

/// A property that is the path of a file or folder.
pub const fn path(name: &'static str) -> Undecided<PathBuf> {
    Undecided::new(name, Syntax::Path)
}

/// A property that is a list of texts.
pub const fn list(name: &'static str) -> Undecided<Vec<String>> {
    Undecided::new(name, Syntax::List)
}

/// A property that is never shown.
pub const fn secret(name: &'static str) -> Undecided<Secret> {
    Undecided::new(name, Syntax::Secret)
}

/// A property that is one word of an enumeration.
pub const fn choice<C: Choice>(name: &'static str) -> Undecided<C> {
    Undecided::new(name, Syntax::Choice(C::WORDS))
}

/// A property that is a master URL.
pub const fn master(name: &'static str) -> Undecided<MasterUrl> {
    Undecided::new(name, Syntax::Master)
}

/// Declarations that belong together.
#[derive(Debug)]
pub struct Group {
    /// What they are about, as a heading.
    pub title: &'static str,
    /// The declarations, in the order of reading.
    pub declarations: &'static [&'static Declaration],
}

/// Declares properties and families as statics, and the group that lists them.
///
/// The doc comment of each is its meaning: one text for the source, for
/// `mesquite conf` and for the documentation.
macro_rules! properties {
    (
        title: $title:literal;
        $($(#[doc = $meaning:literal])+ $visible:vis $name:ident: $type:ty = $declared:expr;)*
    ) => {
        $(
            $(#[doc = $meaning])+
            $visible static $name: $type = $declared.meaning(concat!($($meaning, "\n"),+));
        )*

        /// The properties declared here.
        pub(crate) static GROUP: $crate::conf::property::Group = $crate::conf::property::Group {
            title: $title,
            declarations: &[$($name.declaration()),*],
        };
    };
}

pub(crate) use properties;
