//! Rows set in aligned columns, two spaces apart, cut to the width of the terminal.

use crate::plain_text::{cut, escape, width};
use anstyle::Style;
use std::io::{self, Write};

/// Rows that are looked at before the widths are fixed. Later rows stream: memory stays flat.
const SAMPLE: usize = 1000;

/// One cell: its text, made safe, and its colour.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Foreign text without colour.
    #[must_use]
    pub fn new(text: &str) -> Cell {
        Cell { text: escape(text).into_owned(), style: Style::new() }
    }

    /// Foreign text in a colour.
    #[must_use]
    pub fn styled(text: &str, style: Style) -> Cell {
        Cell { style, ..Cell::new(text) }
    }

    /// The same cell, two columns in.
    #[must_use]
    pub fn indented(&self) -> Cell {
        Cell { text: format!("  {}", self.text), style: self.style }
    }
}

/// A column: how wide it may become on a terminal. The last column takes what is left.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The most terminal columns that it takes.
    pub max: usize,
    /// The most hundredths of the terminal that it takes.
    pub share: usize,
}

impl Column {
    /// A column of short words, such as a time: it takes what it needs.
    #[must_use]
    pub const fn word(max: usize) -> Column {
        Column { max, share: 100 }
    }

    /// A column of text that may be long: a share of the terminal.
    #[must_use]
    pub const fn text(max: usize, share: usize) -> Column {
        Column { max, share }
    }

    /// The last column.
    #[must_use]
    pub const fn rest() -> Column {
        Column { max: usize::MAX, share: 100 }
    }
}

/// Writes rows. Nothing is cut where the width is unknown.
#[derive(Debug)]
pub struct Columns<'c> {
    columns: &'c [Column],
    total: Option<usize>,
    waiting: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
    /// The widths of what was written before there were enough rows to tell.
    settled: Vec<usize>,
}

impl<'c> Columns<'c> {
    /// Rows with these columns, in `total` terminal columns.
    #[must_use]
    pub fn new(columns: &'c [Column], total: Option<usize>) -> Self {
        Columns { columns, total, waiting: Vec::new(), widths: None, settled: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// What the stream says.
    pub fn row(&mut self, out: &mut dyn Write, cells: Vec<Cell>) -> io::Result<()> {
        if let Some(widths) = &self.widths {
            return write_row(out, widths, self.total, &cells);
        }
        self.waiting.push(cells);
        if self.waiting.len() >= SAMPLE { self.flush(out) } else { Ok(()) }
    }

    /// Writes what is waiting, for nothing may follow for a while. Later rows may be wider all the same.
    ///
    /// # Errors
    /// What the stream says.
    pub fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        let widths =
            self.fit(&rows).into_iter().zip(self.settled.iter().copied().chain(std::iter::repeat(0)));
        self.settled = widths.map(|(now, before)| now.max(before)).collect();
        rows.iter().try_for_each(|row| write_row(out, &self.settled, self.total, row))
    }

    /// Writes what is still waiting.
    ///
    /// # Errors
    /// What the stream says.
    pub fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.flush(out)
    }

    fn flush(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        let widths = self.fit(&rows);
        for row in &rows {
            write_row(out, &widths, self.total, row)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    /// Each column as wide as its widest cell, within its limit where there is a terminal. An empty column vanishes.
    fn fit(&self, rows: &[Vec<Cell>]) -> Vec<usize> {
        let limit = |column: &Column| match self.total {
            Some(total) => column.max.min((total * column.share / 100).max(8)),
            None => usize::MAX,
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let widest = rows.iter().filter_map(|row| row.get(i)).map(|cell| width(&cell.text)).max();
                widest.unwrap_or(0).min(limit(column))
            })
            .collect()
    }
}

fn write_row(out: &mut dyn Write, widths: &[usize], total: Option<usize>, cells: &[Cell]) -> io::Result<()> {
    let mut used = 0;
    let mut pad = None;
    let last = cells.iter().zip(widths).rposition(|(cell, width)| *width > 0 && !cell.text.is_empty());
    for (i, (cell, column)) in cells.iter().zip(widths).enumerate() {
        if *column == 0 || last.is_none_or(|last| i > last) {
            continue;
        }
        let gap = pad.map_or(0, |pad| pad + 2);
        let left = total.map_or(usize::MAX, |total| total.saturating_sub(used + gap));
        let room = if i + 1 == widths.len() {
            left
        } else {
            left.min(if total.is_some() { *column } else { usize::MAX })
        };
        let text = cut(&cell.text, room);
        if text.is_empty() && room == 0 {
            break;
        }
        write!(out, "{:gap$}{}{text}{:#}", "", cell.style, cell.style)?;
        let taken = width(&text);
        used += gap + taken;
        pad = Some(column.saturating_sub(taken));
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::{Cell, Column, Columns};

    fn set(total: Option<usize>, rows: &[&[&str]]) -> String {
        let mut out = Vec::new();
        let columns = [Column::word(6), Column::word(4), Column::rest()];
        let mut table = Columns::new(&columns, total);
        for row in rows {
            table.row(&mut out, row.iter().map(|text| Cell::new(text)).collect()).unwrap();
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_align_and_the_last_is_cut_to_the_terminal() {
        let rows: &[&[&str]] = &[&["a", "bb", "the last one"], &["too long", "b", "x"], &["漢字", "", "y"]];
        assert_eq!(set(Some(20), rows), "a       bb  the las…\ntoo l…  b   x\n漢字        y\n");
        assert_eq!(set(None, rows), "a         bb  the last one\ntoo long  b   x\n漢字          y\n");
    }

    #[test]
    fn an_empty_column_takes_no_room_and_rows_have_no_trailing_blanks() {
        assert_eq!(set(None, &[&["a", "", "c"], &["bb", "", ""]]), "a   c\nbb\n");
    }

    #[test]
    fn an_empty_first_cell_keeps_its_room() {
        assert_eq!(
            set(None, &[&["a", "b", "c"], &["", "b", "c"], &["", "", "c"]]),
            "a  b  c\n   b  c\n      c\n"
        );
    }

    #[test]
    fn rows_after_the_sample_keep_the_width() {
        let rows: Vec<&[&str]> = (0..1500)
            .map(|i| if i < 1400 { &["a", "b", "c"][..] } else { &["long", "b", "c"][..] })
            .collect();
        let text = set(Some(20), &rows);
        assert!(text.lines().all(|line| line == "a  b  c" || line == "…  b  c"), "{text}");
    }

    #[test]
    fn a_line_feed_in_a_cell_cannot_make_a_row() {
        assert_eq!(set(None, &[&["a\nb", "", "\u{1b}[31mc"]]), "a\\nb  \\u{1b}[31mc\n");
    }
}
