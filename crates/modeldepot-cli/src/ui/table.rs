//! Tables: columns aligned with spaces, readable on a terminal and easy to split with `awk`.

use std::io::{self, IsTerminal as _};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, presets};

use super::fit::fit;
use super::{BOLD, styled};

/// A table with a header.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// Starts a table; a column whose name ends with `>` is aligned to the right.
    pub(crate) fn new(columns: &[&str]) -> Table {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(columns.iter().map(|name| name.trim_end_matches('>')));
        for (index, name) in columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2));
                column.set_constraint(ColumnConstraint::ContentWidth);
                if name.ends_with('>') {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        Table(table)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().map(|cell| fit(&cell).into_owned()));
    }

    /// Returns the lines; on a terminal, the header is bold.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.0.lines().map(|line| line.trim_end().to_owned()).collect();
        if io::stdout().is_terminal()
            && let Some(head) = lines.first_mut()
        {
            *head = styled(BOLD, &head);
        }
        lines
    }
}
