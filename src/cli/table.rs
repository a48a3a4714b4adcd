//! Tables with aligned columns, whatever characters the cells contain.

use comfy_table::{CellAlignment, Table, presets};

use crate::escape;

/// A column's title and the alignment of its cells.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Text.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// The table as text without borders: a header, then a line for each row. Every cell is escaped.
#[must_use]
pub fn render<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.map(|column| match column {
        Column::Left(title) | Column::Right(title) => title,
    }));
    for row in rows {
        table.add_row(row.map(|cell| escape::line(&cell).into_owned()));
    }
    for (column, kind) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if let Column::Right(_) = kind {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_cells_are_escaped() {
        let rows = [
            ["standup", "9 B", "archived"],
            ["会議", "10 MiB", "failed"],
            ["a\x1b[2J\nb", "1 B", ""],
        ];
        let text = render(
            [
                Column::Left("ROOM"),
                Column::Right("SIZE"),
                Column::Left("STATE"),
            ],
            rows.map(|row| row.map(str::to_owned)),
        );
        let expected = "\
ROOM                 SIZE  STATE
standup               9 B  archived
会議               10 MiB  failed
a\\u001B[2J\\u000Ab     1 B
";
        assert_eq!(text, expected);
    }
}
