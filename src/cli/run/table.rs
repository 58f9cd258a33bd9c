//! Tables for people, made to fit. Pure.
//!
//! Responsible for rows that are no longer than a terminal is wide: what matters least is
//! left out, and texts are shortened. What stands in them is said elsewhere.

use std::fmt::Write as _;

use crate::cli::paint::{length, shortened};
use crate::plain::plain;

/// Between two columns.
const GAP: usize = 2;

/// A text is not made shorter for the sake of a column that may be left out.
const SHORTEST: usize = 12;

/// On which side of its column something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A column.
pub(super) struct Column {
    head: &'static str,
    side: Side,
    /// 0 is always there; of others, the one with the largest is left out first.
    may_go: u32,
    /// Whether it may be shortened.
    gives: bool,
    /// Whether its middle is left out then: of what went wrong the end says most.
    has_end: bool,
    cells: Vec<String>,
}

impl Column {
    /// One that is always there as it is.
    pub(super) fn new(
        head: &'static str,
        side: Side,
        cells: impl IntoIterator<Item = String>,
    ) -> Self {
        let cells = cells.into_iter().map(|it| plain(&it).into_owned());
        Self {
            head,
            side,
            may_go: 0,
            gives: false,
            has_end: false,
            cells: cells.collect(),
        }
    }

    /// The same, to be left out if there is no room, before those with a smaller number.
    pub(super) fn may_go(self, may_go: u32) -> Self {
        Self { may_go, ..self }
    }

    /// The same, to be shortened if there is no room.
    pub(super) fn gives(self) -> Self {
        Self {
            gives: true,
            ..self
        }
    }

    /// The same, with its middle left out if there is no room.
    pub(super) fn keeps_end(self) -> Self {
        Self {
            has_end: true,
            ..self.gives()
        }
    }

    /// How wide it is with all it has.
    fn full(&self) -> usize {
        let cells = self.cells.iter().map(|it| length(it));
        cells.chain([length(self.head)]).max().unwrap_or_default()
    }

    /// How wide it has to be.
    fn least(&self) -> usize {
        match self.gives {
            true => self.full().min(SHORTEST),
            false => self.full(),
        }
    }
}

/// Lines of a table of these columns, all with as many cells, with a line of heads.
pub(super) fn table(mut columns: Vec<Column>, width: usize) -> String {
    let between = |columns: &[Column]| GAP * columns.len().saturating_sub(1);
    let least = |columns: &[Column]| {
        let least: usize = columns.iter().map(Column::least).sum();
        least + between(columns)
    };
    while least(&columns) > width {
        let places = columns.iter().enumerate();
        let last = places.max_by_key(|(_, it)| it.may_go);
        match last {
            Some((at, column)) if column.may_go > 0 => drop(columns.remove(at)),
            _ => break,
        }
    }
    let mut room = width.saturating_sub(least(&columns));
    let widths: Vec<_> = columns
        .iter()
        .map(|column| {
            let more = room.min(column.full() - column.least());
            room -= more;
            column.least() + more
        })
        .collect();
    let rows = columns.first().map_or(0, |it| it.cells.len());
    let mut text = String::new();
    for row in 0..=rows {
        let mut line = String::new();
        for (column, &width) in columns.iter().zip(&widths) {
            let cell = match row {
                0 => column.head,
                row => &column.cells[row - 1],
            };
            let cell = match column.has_end {
                true => without_middle(cell, width),
                false => shortened(cell, width),
            };
            // Writing to a string cannot fail.
            let _ = match column.side {
                Side::Left => write!(line, "{cell:<width$}"),
                Side::Right => write!(line, "{cell:>width$}"),
            };
            line.push_str(&" ".repeat(GAP));
        }
        text.push_str(&shortened(line.trim_end(), width));
        text.push('\n');
    }
    text
}

/// The beginning and the end of a text that has no more than `most` characters.
fn without_middle(text: &str, most: usize) -> String {
    let Some(more) = length(text).checked_sub(most).filter(|it| *it > 0) else {
        return text.to_owned();
    };
    let head = most / 3;
    let characters = || text.chars();
    let end = characters().skip(head + more + 1);
    characters().take(head).chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<Column> {
        let texts = |texts: [&str; 2]| texts.map(str::to_owned);
        vec![
            Column::new("id", Side::Right, texts(["7", "123"])),
            Column::new("name", Side::Left, texts(["short", "a name of many words"])).gives(),
            Column::new("time", Side::Right, texts(["1.5 s", "12 min 5 s"])),
            Column::new("spilled", Side::Right, texts(["-", "1.0 GiB"])).may_go(1),
            Column::new("read", Side::Right, texts(["3 B", "-"])).may_go(2),
        ]
    }

    fn lines(width: usize) -> Vec<String> {
        let text = table(example(), width);
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_table_shortens_texts_and_leaves_out_what_matters_least() {
        let wide = [
            " id  name                        time  spilled  read",
            "  7  short                      1.5 s        -   3 B",
            "123  a name of many words  12 min 5 s  1.0 GiB     -",
        ];
        assert_eq!(lines(200), wide);
        assert_eq!(lines(52), wide);
        let shorter = [
            " id  name                       time  spilled  read",
            "  7  short                     1.5 s        -   3 B",
            "123  a name of many wor…  12 min 5 s  1.0 GiB     -",
        ];
        assert_eq!(lines(51), shorter);
        let without = [
            " id  name                time  spilled",
            "  7  short              1.5 s        -",
            "123  a name of m…  12 min 5 s  1.0 GiB",
        ];
        assert_eq!(lines(38), without);
        let least = [
            " id  name                time",
            "  7  short              1.5 s",
            "123  a name of m…  12 min 5 s",
        ];
        assert_eq!(lines(29), least);
    }

    #[test]
    fn no_row_is_longer_than_there_is_room() {
        for width in 1..80 {
            for line in lines(width) {
                assert!(length(&line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_text_whose_end_matters_loses_its_middle() {
        let cell = |text: &str| [text.to_owned()];
        let cause = || {
            Column::new(
                "cause",
                Side::Left,
                cell("a long command failed: exit code 3"),
            )
        };
        let of = |width| table(vec![cause().keeps_end()], width);
        assert_eq!(of(34), "cause\na long command failed: exit code 3\n");
        assert_eq!(of(33), "cause\na long comm…d failed: exit code 3\n");
        assert_eq!(of(12), "cause\na lo… code 3\n");
    }

    #[test]
    fn what_a_terminal_acts_on_is_as_wide_as_it_is_shown() {
        let name = Column::new("name", Side::Left, ["a\u{1b}b".to_owned()]);
        let size = Column::new("size", Side::Right, ["1 B".to_owned()]);
        assert_eq!(
            table(vec![name, size], 80),
            "name      size\na\\u{1b}b   1 B\n"
        );
        assert_eq!(table(vec![], 80), "\n");
    }
}
