//! CSV with a header: Lightning's `metrics.csv`, Keras' and fastai's `CSVLogger`, YOLO's `results.csv`, timm's
//! `summary.csv`, a spreadsheet's export.
//!
//! - The separator of the header (commas, semicolons, tabs or blanks) separates all cells. If it is not a comma, a
//!   comma in a number is a decimal point.
//! - The header may be repeated, as by a logger that appends.
//! - A column `split`, `phase`, `mode` or the like says which data its row was measured on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::names::{MAX_NAME, is_epoch, is_index, is_split_column, joined};
use super::{HistoryError, Log, MAX_VALUES, Row, score, tensorboard};
use crate::visible::visible;

/// The maximum number of names of columns without any finite value.
const MAX_VOID: usize = 1000;

/// How many characters of a cell are shown.
const SHOWN: usize = 40;

pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Log, HistoryError> {
    let not_csv = |error: csv::Error| HistoryError::Csv { file: file.to_owned(), source: error.into() };
    let (bytes, delimiter) = separated(without_hint(bytes));
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(&*bytes);
    let first = reader.headers().map_err(not_csv)?.clone();
    if first.iter().all(str::is_empty) {
        return Err(HistoryError::shape(file, "an empty file"));
    }
    let decimal = |cell: &str| number(cell, delimiter);
    if first.iter().any(|name| decimal(name).is_some()) {
        return Err(HistoryError::shape(file, "numbers in the first line, where the header should be"));
    }
    // NumPy puts a `#` before a given header.
    let mut header: Vec<Rc<str>> = first.iter().map(|name| name.trim_start_matches(['#', ' ']).into()).collect();
    if tensorboard::is_header(&header) {
        header = tensorboard::names(file).into();
    }
    let epoch_column = header.iter().position(|name| is_epoch(name));
    let split_column = header.iter().position(|name| is_split_column(name));

    // The last of `rows` is still open, and `cells` are its values: a log of every step is long, but short once the
    // lines of each epoch are merged.
    let mut log = Log::default();
    let mut table = Table { header, cells: vec![None; first.len()], split: String::new() };
    let mut void = vec![false; first.len()];
    let mut finite = vec![false; first.len()];
    let mut words = Words { first: vec![None; first.len()], count: vec![0; first.len()] };
    let mut values = 0;
    let cut = !bytes.ends_with(b"\n") && !bytes.ends_with(b"\r");
    let mut records = reader.records().peekable();
    while let Some(record) = records.next() {
        let record = match record {
            Err(error) if cut && records.peek().is_none() && !log.rows.is_empty() && is_short(&error) => {
                log.notes.push("the last line is cut short, and left out".to_owned());
                break;
            }
            record => record.map_err(not_csv)?,
        };
        if record == first {
            continue;
        }
        // As in `0.` of `0.0512`. A complete file may lack the final line break, but not the end of a number.
        let last = cut && records.peek().is_none() && !log.rows.is_empty();
        if last && record.iter().next_back().is_some_and(|cell| cell.ends_with('.') && decimal(cell).is_some()) {
            log.notes.push("the last line is cut short, and left out".to_owned());
            break;
        }
        let epoch = epoch_column.and_then(|column| decimal(&record[column]));
        let split = split_column.map(|column| &record[column]).unwrap_or_default();
        let continues =
            epoch.is_some() && split == table.split && log.rows.last().is_some_and(|row| row.epoch == epoch);
        if !continues {
            values += 1 + table.close(&mut log.rows);
            table.split = split.to_owned();
            log.rows.push(Row { epoch, values: Vec::new() });
        }
        if values > MAX_VALUES {
            return Err(HistoryError::TooMany { file: file.to_owned() });
        }
        for (column, text) in record.iter().enumerate() {
            match decimal(text) {
                Some(number) => {
                    table.cells[column] = Some(number);
                    finite[column] = true;
                }
                None if is_missing(text) => void[column] = true,
                None => words.note(column, text),
            }
        }
    }
    if log.rows.is_empty() {
        return Err(HistoryError::shape(file, "a header without rows"));
    }
    table.close(&mut log.rows);
    log.notes.extend(twice(&table.header));
    log.notes.extend(words.left_out(&table.header, &finite));
    let without = |column: &usize| void[*column] && !finite[*column];
    let names = (0..first.len()).filter(without).map(|column| table.header[column].to_string());
    log.void = names.filter(|name| !is_index(name)).take(MAX_VOID).collect();
    Ok(log)
}

/// The open row.
struct Table {
    header: Vec<Rc<str>>,
    cells: Vec<Option<f64>>,
    split: String,
}

impl Table {
    /// Moves the cells into the last row, and returns how many values it has.
    fn close(&mut self, rows: &mut [Row]) -> usize {
        let Some(row) = rows.last_mut() else { return 0 };
        for (name, cell) in self.header.iter().zip(&mut self.cells) {
            if let Some(number) = cell.take().filter(|_| !is_index(name) && !is_epoch(name)) {
                let plain = self.split.is_empty() || name.len() > MAX_NAME;
                let name = if plain { Rc::clone(name) } else { joined(&self.split, name).into() };
                row.values.push((name, number));
            }
        }
        row.values.len()
    }
}

/// Cells with text.
struct Words {
    /// The first of each column.
    first: Vec<Option<String>>,
    count: Vec<usize>,
}

impl Words {
    fn note(&mut self, column: usize, cell: &str) {
        const GAPS: [&str; 7] = ["", "-", "--", "na", "n/a", "none", "null"];
        if GAPS.iter().any(|gap| cell.eq_ignore_ascii_case(gap)) {
            return;
        }
        self.count[column] += 1;
        self.first[column].get_or_insert_with(|| visible(&cell.chars().take(SHOWN).collect::<String>()).to_string());
    }

    /// Reports text cells among numbers or under the name of a metric, which are ignored.
    fn left_out(&self, header: &[Rc<str>], finite: &[bool]) -> Option<String> {
        let meant = |column: &usize| finite[*column] || score::is_known(&header[*column]);
        let columns: Vec<usize> = (0..header.len()).filter(|column| self.count[*column] > 0).filter(meant).collect();
        let first = *columns.first()?;
        let all: usize = columns.iter().map(|column| self.count[*column]).sum();
        let (name, cell) = (&header[first], self.first[first].as_deref().unwrap_or_default());
        Some(match all {
            1 => format!("the cell `{cell}` under `{name}` is no number, and left out"),
            _ => format!("{all} cells are no numbers, and left out, such as `{cell}` under `{name}`"),
        })
    }
}

/// Reports columns that share a name.
fn twice(header: &[Rc<str>]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let again: BTreeSet<&str> = header.iter().map(|name| &**name).filter(|name| !seen.insert(*name)).collect();
    let named = again.into_iter().filter(|name| !is_index(name)).take(4).map(|name| format!("`{name}`"));
    let names: Vec<String> = named.collect();
    if names.is_empty() {
        return None;
    }
    Some(format!("several columns are called {}: the last one counts", names.join(", ")))
}

/// Skips the line that tells Excel the separator.
fn without_hint(bytes: &[u8]) -> &[u8] {
    match bytes.strip_prefix(b"sep=") {
        Some(rest) => rest.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &rest[end + 1..]),
        None => bytes,
    }
}

/// Returns the table and its separator: the most frequent one of the header. Runs of blanks become tabs.
fn separated(bytes: &[u8]) -> (Cow<'_, [u8]>, u8) {
    let header = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in header {
        quoted ^= *byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == byte && !quoted) {
            *count += 1;
        }
    }
    // Among equals, the first.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count).copied();
    if let Some((delimiter, 1..)) = most {
        return (Cow::Borrowed(bytes), delimiter);
    }
    let names = header.trim_ascii();
    if !names.contains(&b' ') || names.contains(&b'"') {
        return (Cow::Borrowed(bytes), b',');
    }
    let mut tabs = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let cells = line.trim_ascii().strip_prefix(b"#").unwrap_or(line.trim_ascii());
        let mut cells = cells.split(u8::is_ascii_whitespace).filter(|cell| !cell.is_empty());
        tabs.extend_from_slice(cells.next().unwrap_or_default());
        for cell in cells {
            tabs.push(b'\t');
            tabs.extend_from_slice(cell);
        }
        if line.ends_with(b"\n") {
            tabs.push(b'\n');
        }
    }
    (Cow::Owned(tabs), b'\t')
}

fn is_short(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::UnequalLengths { expected_len, len, .. } if len < expected_len)
}

/// Returns the cell's value; `None` for text, `nan` and `inf`.
fn number(cell: &str, delimiter: u8) -> Option<f64> {
    let decimal = delimiter != b',' && cell.matches(',').count() == 1 && !cell.contains('.');
    let cell = if decimal { Cow::Owned(cell.replace(',', ".")) } else { Cow::Borrowed(cell) };
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Returns whether a cell holds a non-finite number.
fn is_missing(cell: &str) -> bool {
    cell.parse().is_ok_and(|number: f64| !number.is_finite())
}
