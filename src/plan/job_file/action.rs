//! One `[[action]]` table.

use std::ops::Range;

use toml::Spanned;

use super::dataset::Name;
use super::fields::{Fields, Node, Problems};
use super::problem::Problem;
use crate::plan::application::{ActionKind, Compression};

/// An action as it is written.
#[derive(Debug)]
pub(super) struct ActionSpec {
    pub(super) dataset: Name,
    pub(super) kind: ActionKind,
    pub(super) pool: Option<String>,
    /// Where the folder of a `save` stands.
    pub(super) to: Option<Range<usize>>,
}

const ACTIONS: [&str; 3] = ["save", "collect", "count"];

impl ActionSpec {
    /// Reads one; mistakes are added to `problems`.
    pub(super) fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of(node, "an action", problems)?;
        let given = fields.present(&ACTIONS);
        let pool = fields.text("pool", problems).map(Spanned::into_inner);
        let mut asked = None;
        for action in ACTIONS {
            asked = asked.or(fields.text(action, problems));
        }
        let to = fields.text("to", problems);
        let words = [
            ("none", Compression::None),
            ("gzip", Compression::Gzip),
            ("zstd", Compression::Zstd),
        ];
        let compress = fields.word("compress", &words, problems);
        let overwrite = fields.flag("overwrite", problems);
        let limit = fields.whole("limit", 0..=i64::MAX, problems);
        let only_for = |names: &[&'static str], action: &str, problems: &mut Problems| {
            for (name, place) in fields.present(names) {
                let message = format!("`{name}` is of no use here");
                let help = format!("it belongs to `{action}`");
                problems.push(Problem::new(place, message).help(help));
            }
        };
        let kind = match given.as_slice() {
            [("save", _)] => {
                only_for(&["limit"], "collect", problems);
                match &to {
                    Some(to) if to.get_ref().trim().is_empty() => {
                        problems.push(Problem::new(to.span(), "`to` is empty"));
                        None
                    }
                    Some(to) => Some(ActionKind::Save {
                        to: to.get_ref().clone(),
                        compress: compress.unwrap_or_default(),
                        overwrite,
                    }),
                    None => {
                        if fields.present(&["to"]).is_empty() {
                            fields.missing("to", problems);
                        }
                        None
                    }
                }
            }
            [("collect", _)] => {
                only_for(&["to", "compress", "overwrite"], "save", problems);
                Some(ActionKind::Collect {
                    limit: limit.and_then(|it| u64::try_from(it).ok()),
                })
            }
            [_] => {
                only_for(&["to", "compress", "overwrite"], "save", problems);
                only_for(&["limit"], "collect", problems);
                Some(ActionKind::Count)
            }
            [] => {
                let message = "an action asks for nothing";
                let help = "name a dataset with one of `save`, `collect`, `count`";
                problems.push(Problem::new(fields.span(), message).help(help));
                None
            }
            [(first, _), (second, place), ..] => {
                let message = format!("an action has both `{first}` and `{second}`");
                let help = "make two actions of it";
                problems.push(Problem::new(place.clone(), message).help(help));
                None
            }
        };
        fields.done(problems);
        Some(Self {
            dataset: asked?,
            kind: kind?,
            pool,
            to: to.map(|it| it.span()),
        })
    }
}
