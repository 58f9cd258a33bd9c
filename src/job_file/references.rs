//! `${...}` in a text: where each stands and what is in it.
//!
//! Responsible for taking a text apart, and for nothing else: what a name stands
//! for is the business of [`params`](super::params).

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// It stands for itself.
    Plain(&'t str),
    /// `${...}`, or `$${...}` if it is `kept`.
    Reference {
        /// All of it.
        whole: &'t str,
        /// What is in the braces; `None` if they are never closed.
        inner: Option<&'t str>,
        /// Whether another `$` stands before it.
        kept: bool,
    },
}

/// The pieces of a text, in order; put together they are the text.
///
/// Of a reference in another one both are found: the outer one up to the inner
/// one's end, which is no name, and whoever leaves it as it is goes on after its
/// first brace.
pub(super) struct Pieces<'t> {
    rest: &'t str,
}

/// Takes a text apart.
pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { rest: text }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let brace = match self.rest.find("${") {
            _ if self.rest.is_empty() => return None,
            None => return Some(Piece::Plain(self.take(self.rest.len()))),
            Some(brace) => brace,
        };
        let kept = self.rest[..brace].ends_with('$');
        let begin = brace - usize::from(kept);
        if begin > 0 {
            return Some(Piece::Plain(self.take(begin)));
        }
        let after = brace + 2;
        let end = self.rest[after..].find('}').map(|it| after + it);
        let inner = end.map(|end| &self.rest[after..end]);
        // What is no name may have one in it: of `${a:-${b}}` only the first two
        // signs are taken.
        let is_one = inner.is_some_and(|it| !it.contains("${"));
        let length = if is_one {
            end.map_or(after, |it| it + 1)
        } else {
            after
        };
        Some(Piece::Reference {
            whole: self.take(length),
            inner: inner.filter(|_| is_one),
            kept,
        })
    }
}

impl<'t> Pieces<'t> {
    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

/// What a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'t> {
    /// A parameter, or a variable of the shell.
    Name(&'t str),
    /// A variable of the environment.
    Environment(&'t str),
    /// Nothing that is ours.
    Other,
}

/// What stands in the braces of a reference.
pub(super) fn named(inner: Option<&str>) -> Named<'_> {
    match inner {
        Some(name) if is_name(name) => Named::Name(name),
        Some(inner) => match inner.strip_prefix("env:") {
            Some(name) if is_name(name) => Named::Environment(name),
            _ => Named::Other,
        },
        None => Named::Other,
    }
}

/// Whether it is a name: letters, digits and `_`, and no digit first.
pub(super) fn is_name(text: &str) -> bool {
    let first = text.starts_with(|it: char| it == '_' || it.is_ascii_alphabetic());
    first
        && text
            .chars()
            .all(|it| it == '_' || it.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let one = |piece| match piece {
            Piece::Plain(text) => text.to_owned(),
            Piece::Reference { whole, inner, kept } => {
                let kept = if kept { "kept " } else { "" };
                format!("<{kept}{whole} {:?}>", named(inner))
            }
        };
        pieces(text).map(one).collect()
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        assert_eq!(told(""), [""; 0]);
        assert_eq!(told("a $b {c} $"), ["a $b {c} $"]);
        assert_eq!(
            told("a${b}$${c}d${env:E}"),
            [
                "a",
                "<${b} Name(\"b\")>",
                "<kept $${c} Name(\"c\")>",
                "d",
                "<${env:E} Environment(\"E\")>"
            ]
        );
        assert_eq!(
            told("${a:-${b}}${1}${"),
            [
                "<${ Other>",
                "a:-",
                "<${b} Name(\"b\")>",
                "}",
                "<${1} Other>",
                "<${ Other>"
            ]
        );
        assert_eq!(told("$$${a}"), ["$", "<kept $${a} Name(\"a\")>"]);
    }

    proptest::proptest! {
        #[test]
        fn the_pieces_are_the_text(text in "[$\\{\\}a:\u{e9}]{0,20}") {
            let put_together: String = pieces(&text).map(|piece| match piece {
                Piece::Plain(text) => text,
                Piece::Reference { whole, .. } => whole,
            }).collect();
            proptest::prop_assert_eq!(put_together, text);
        }
    }
}
