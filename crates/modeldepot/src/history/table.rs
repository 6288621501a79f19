//! CSV with a header: Lightning's `metrics.csv`, Keras' `CSVLogger`, a spreadsheet's export.
//!
//! Cells are separated by commas, or by semicolons or tabs when the header has no comma.

use std::rc::Rc;

use super::names::is_epoch;
use super::{HistoryError, MAX_VALUES, Row};

pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Vec<Row>, HistoryError> {
    let not_csv = |source| HistoryError::Csv { file: file.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter(bytes)).trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(not_csv)?.clone();
    if header.iter().all(str::is_empty) {
        return Err(HistoryError::shape(file, "an empty file"));
    }
    if header.iter().any(|name| number(name).is_some()) {
        return Err(HistoryError::shape(file, "numbers in the first line, where the header should be"));
    }
    let header: Vec<Rc<str>> = header.iter().map(Rc::from).collect();
    let epoch_column = header.iter().position(|name| is_epoch(name));

    // The last of `rows` is still open, and `cells` are its values: a log of every step is long, and short once the
    // lines of an epoch are merged.
    let mut rows: Vec<Row> = Vec::new();
    let mut cells = vec![None; header.len()];
    let mut values = 0;
    for record in reader.records() {
        let record = record.map_err(not_csv)?;
        let epoch = epoch_column.and_then(|column| number(&record[column]));
        let continues = epoch.is_some() && rows.last().is_some_and(|row| row.epoch == epoch);
        if !continues {
            values += 1 + close(&mut rows, &header, &mut cells);
            rows.push(Row { epoch, values: Vec::new() });
        }
        if values > MAX_VALUES {
            return Err(HistoryError::TooMany { file: file.to_owned() });
        }
        for (cell, text) in cells.iter_mut().zip(&record) {
            *cell = number(text).or(*cell);
        }
    }
    if rows.is_empty() {
        return Err(HistoryError::shape(file, "a header without rows"));
    }
    close(&mut rows, &header, &mut cells);
    Ok(rows)
}

/// Moves the cells into the last row, and returns how many values it has.
fn close(rows: &mut [Row], header: &[Rc<str>], cells: &mut [Option<f64>]) -> usize {
    let Some(row) = rows.last_mut() else { return 0 };
    for (name, cell) in header.iter().zip(cells) {
        // pandas leaves the name of its index column empty.
        if let Some(number) = cell.take().filter(|_| !name.is_empty() && !is_epoch(name)) {
            row.values.push((Rc::clone(name), number));
        }
    }
    row.values.len()
}

fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|byte| header.contains(byte)).unwrap_or(b',')
}

/// Returns the cell's value; nothing for text, `nan` and `inf`.
fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}
