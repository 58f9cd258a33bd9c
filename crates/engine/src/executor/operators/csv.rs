//! Fields of records in which any field may stand in quotes.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::each::Each;
use crate::task::{Records, TaskError};

/// Fields, counted from 1, with tabs between them; one that is not there is empty. Tabs
/// within become spaces.
pub fn csv(parent: Box<dyn Records>, fields: &[u32], separator: u8) -> impl Records + use<> {
    let fields: Vec<usize> = fields.iter().map(|it| *it as usize).collect();
    let mut row = Row::new(separator);
    Each::new(parent, move |record: &[u8], chunk: &mut Vec<u8>| {
        row.read(record)?;
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                chunk.push(b'\t');
            }
            push_plain(chunk, row.field(*field));
        }
        chunk.push(b'\n');
        Ok(())
    })
}

/// Appends a text without what would end a field or a record.
pub(super) fn push_plain(chunk: &mut Vec<u8>, text: &[u8]) {
    chunk.extend(text.iter().map(|byte| match byte {
        b'\t' | b'\n' | b'\r' => b' ',
        other => *other,
    }));
}

/// The fields of one record.
struct Row {
    reader: Reader,
    /// The record with its end, without which it would not be known to be whole.
    line: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
}

impl Row {
    fn new(separator: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(separator).build(),
            line: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
            fields: 0,
        }
    }

    fn read(&mut self, record: &[u8]) -> Result<(), TaskError> {
        self.line.clear();
        self.line.extend_from_slice(record);
        self.line.push(b'\n');
        self.reader.reset();
        self.fields = 0;
        // Unquoted it is no longer, and has no more fields than bytes.
        self.text.resize(self.text.len().max(self.line.len()), 0);
        self.ends
            .resize(self.ends.len().max(self.line.len() + 1), 0);
        let (result, _, _, fields) =
            self.reader
                .read_record(&self.line, &mut self.text, &mut self.ends);
        match result {
            ReadRecordResult::Record => self.fields = fields,
            // An empty line is passed over: it has no field.
            ReadRecordResult::InputEmpty if record.iter().all(|it| *it == b'\r') => {}
            ReadRecordResult::InputEmpty
            | ReadRecordResult::OutputFull
            | ReadRecordResult::OutputEndsFull
            | ReadRecordResult::End => {
                let shown = String::from_utf8_lossy(&record[..record.len().min(100)]);
                return Err(TaskError::Failed(format!(
                    "record {shown:?} has a quote that does not end: a record of `csv` is one line"
                )));
            }
        }
        Ok(())
    }

    fn field(&self, field: usize) -> &[u8] {
        if field == 0 || field > self.fields {
            return &[];
        }
        let start = field.checked_sub(2).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[field - 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{all_lines, test_records};

    fn fields(records: &[&str], wanted: &[u32], separator: u8) -> Result<Vec<String>, TaskError> {
        all_lines(csv(Box::new(test_records(records)), wanted, separator))
    }

    #[test]
    fn fields_come_in_the_order_wanted_and_without_quotes() {
        let records = ["a,\"b, \"\"c\"\"\",d\r", "", "x", "\"t\tab\",2,3,4"];
        let read = fields(&records, &[3, 2, 1], b',').expect("read");
        assert_eq!(read, ["d\tb, \"c\"\ta", "\t\t", "\t\tx", "3\t2\tt ab"]);
        let read = fields(&["a;b,c;d"], &[2], b';').expect("read");
        assert_eq!(read, ["b,c"]);
    }

    #[test]
    fn a_quote_that_does_not_end_is_told() {
        let error = fields(&["a,\"b"], &[1], b',').expect_err("no whole record");
        assert!(
            error.to_string().contains("a quote that does not end"),
            "{error}"
        );
        // What follows is not read with it.
        let mut row = Row::new(b',');
        assert!(row.read(b"\"x").is_err());
        row.read(b"a,b").expect("whole");
        assert_eq!(row.field(2), b"b");
    }
}
