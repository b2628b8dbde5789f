//! Where alerts go: a table, JSON lines, or CSV, each one entry of a table of kinds.

use crate::alert_row::{AlertRow, MISSING, event_cells, joined_events};
use crate::columns::{Cell, Column, Columns};
use crate::console::{BLUE, DIM, ORANGE, RED, YELLOW};
use crate::json_lines;
use crate::plain_text::escape;
use crate::units::{counted, iso, second};
use anstyle::Style;
use quell::{Alert, HeldBy, RuleSeverity, did_you_mean, near_names};
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::path::PathBuf;

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Aligned columns, for people
    Table,
    /// One alert a line as Elastic Security stores it: the event's fields, and kibana.alert.*
    Ndjson,
    /// time, severity, risk score, rule, rule id, host, user, process, command line, alert id, held by, maintenance, suppressed
    Csv,
}

/// Takes alerts in order.
pub trait Sink {
    /// An alert and its document.
    ///
    /// # Errors
    /// What the stream says.
    fn alert(&mut self, out: &mut dyn Write, alert: &Alert, document: &Map<String, Value>) -> io::Result<()>;

    /// Nothing may follow for a while: what is held back is written.
    ///
    /// # Errors
    /// What the stream says.
    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        out.flush()
    }

    /// There are no more.
    ///
    /// # Errors
    /// What the stream says.
    fn finish(self: Box<Self>, out: &mut dyn Write) -> io::Result<()>;

    /// Whether building blocks are written too, marked by a field.
    fn marks_building_blocks(&self) -> bool {
        false
    }
}

impl Kind {
    /// A sink of this kind; a table is cut to `width` columns.
    #[must_use]
    pub fn sink(self, width: Option<usize>) -> Box<dyn Sink> {
        self.sink_behind(width, false)
    }

    /// The same; one that goes on behind what another wrote (`begun`) writes no heading again.
    #[must_use]
    pub fn sink_behind(self, width: Option<usize>, begun: bool) -> Box<dyn Sink> {
        match self {
            Kind::Table => Box::new(Table(Columns::new(&TABLE, width))),
            Kind::Ndjson => Box::new(Ndjson),
            Kind::Csv => Box::new(Csv { begun }),
        }
    }
}

/// `KIND=FILE`: alerts written to a file, beside what is printed.
#[derive(Clone, Debug)]
pub struct WriteTo {
    pub kind: Kind,
    pub path: PathBuf,
}

/// Reads `KIND=FILE`.
///
/// # Errors
/// It has another form, or the kind is unknown.
pub fn parse_write(text: &str) -> Result<WriteTo, String> {
    let kinds = ["table", "ndjson", "csv"];
    let Some((kind, path)) = text.split_once('=').filter(|(_, path)| !path.is_empty()) else {
        return Err(String::from("expected KIND=FILE, such as csv=alerts.csv"));
    };
    match <Kind as clap::ValueEnum>::from_str(kind, false) {
        Ok(kind) => Ok(WriteTo { kind, path: PathBuf::from(path) }),
        Err(_) => {
            let hint = did_you_mean(&near_names(kind, kinds));
            Err(format!(
                "unknown kind `{kind}`; {}",
                hint.unwrap_or_else(|| format!("there are {}", kinds.join(", ")))
            ))
        }
    }
}

/// The colour of a severity.
#[must_use]
pub fn severity_style(severity: RuleSeverity) -> Style {
    match severity {
        RuleSeverity::Critical => RED,
        RuleSeverity::High => ORANGE,
        RuleSeverity::Medium => YELLOW,
        RuleSeverity::Low => BLUE,
    }
}

/// Time, severity, rule, host, user, process, command line.
const TABLE: [Column; 7] = [
    Column::word(19),
    Column::word(8),
    Column::text(40, 20),
    Column::text(24, 11),
    Column::text(24, 11),
    Column::text(24, 11),
    Column::rest(),
];

struct Table(Columns<'static>);

impl Sink for Table {
    fn alert(&mut self, out: &mut dyn Write, alert: &Alert, document: &Map<String, Value>) -> io::Result<()> {
        let row = AlertRow::of(alert, document);
        let time = row.time.map_or_else(|| String::from("no time"), second);
        // What an exception covers is no alert: its severity is not one to be counted.
        let severity = match &alert.held_by {
            Some(_) => Cell::styled("held", DIM),
            None => Cell::styled(row.severity.as_str(), severity_style(row.severity)),
        };
        let cells = vec![
            Cell::new(&time),
            severity,
            Cell::new(row.rule),
            Cell::new(&row.host),
            Cell::new(&row.user),
            Cell::new(&row.process),
            Cell::new(&row.what),
        ];
        self.0.row(out, cells)?;
        let notes = alert
            .held_by
            .iter()
            .map(|by| format!("  held by {}", by.name()))
            .chain(alert.maintenance.iter().map(|window| format!("  in maintenance: {}", window.title)))
            .chain(
                alert
                    .suppression
                    .iter()
                    .filter(|found| found.count > 0)
                    .map(|found| format!("  and {} suppressed", counted(found.count, "alert", "alerts"))),
            );
        for note in notes {
            self.0.row(out, vec![Cell::new(""), Cell::new(""), Cell::styled(&note, DIM)])?;
        }
        joined_events(alert, document).try_for_each(|(time, event)| self.0.row(out, event_row(time, event)))
    }

    fn settle(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.0.settle(out)?;
        out.flush()
    }

    fn finish(self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        self.0.finish(out)
    }
}

/// An event below its alert: the category stands where an alert has its rule.
fn event_row(time: Option<i64>, event: Option<&Map<String, Value>>) -> Vec<Cell> {
    let blank = || Cell::new("");
    let Some(event) = event else {
        return vec![blank(), blank(), Cell::styled(&format!("  {MISSING}"), DIM)];
    };
    let mut cells = event_cells(time, event);
    cells.insert(1, blank());
    if let Some(category) = cells.get_mut(2) {
        *category = category.indented();
    }
    cells
}

struct Ndjson;

impl Sink for Ndjson {
    fn alert(&mut self, out: &mut dyn Write, _: &Alert, document: &Map<String, Value>) -> io::Result<()> {
        json_lines::line(out, document)
    }

    fn finish(self: Box<Self>, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn marks_building_blocks(&self) -> bool {
        true
    }
}

const CSV_HEADER: [&str; 13] = [
    "time",
    "severity",
    "risk_score",
    "rule",
    "rule_id",
    "host",
    "user",
    "process",
    "command_line",
    "alert_id",
    "held_by",
    "maintenance",
    "suppressed",
];

struct Csv {
    begun: bool,
}

impl Csv {
    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        write_record(out, CSV_HEADER)
    }
}

impl Sink for Csv {
    fn alert(&mut self, out: &mut dyn Write, alert: &Alert, document: &Map<String, Value>) -> io::Result<()> {
        self.begin(out)?;
        let row = AlertRow::of(alert, document);
        let time = row.time.map(iso).unwrap_or_default();
        let risk_score = row.risk_score.to_string();
        let held_by = alert.held_by.as_ref().map(HeldBy::name).unwrap_or_default();
        let windows: Vec<&str> = alert.maintenance.iter().map(|window| &*window.title).collect();
        let windows = windows.join(", ");
        let suppressed = alert.suppression.as_ref().map(|found| found.count.to_string()).unwrap_or_default();
        let cells = [
            &time,
            row.severity.as_str(),
            &risk_score,
            row.rule,
            row.rule_id,
            &row.host,
            &row.user,
            &row.process,
            &row.what,
            row.id,
            &held_by,
            &windows,
            &suppressed,
        ];
        write_record(out, cells)
    }

    fn finish(mut self: Box<Self>, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)
    }
}

/// One line of CSV, every text made safe. A cell that a spreadsheet would take for a formula is quoted by a `'` in front.
fn write_record<const N: usize>(out: &mut dyn Write, cells: [&str; N]) -> io::Result<()> {
    let mut record = csv::WriterBuilder::new().from_writer(Vec::new());
    let cells = cells.map(|cell| {
        let safe = escape(cell);
        if safe.starts_with(['=', '+', '-', '@']) { format!("'{safe}") } else { safe.into_owned() }
    });
    record.write_record(&cells)?;
    out.write_all(&record.into_inner().map_err(|error| io::Error::other(error.to_string()))?)
}

#[cfg(test)]
mod tests {
    use super::{parse_write, write_record};

    #[test]
    fn csv_is_quoted_and_holds_no_formula() {
        let mut out = Vec::new();
        write_record(&mut out, ["a,\"b\"", "=cmd|' /c calc'!A1", "x\ny\u{1b}", "", "-sS"]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\"a,\"\"b\"\"\",'=cmd|' /c calc'!A1,x\\ny\\u{1b},,'-sS\n");
    }

    #[test]
    fn a_kind_and_a_file_are_needed() {
        assert!(parse_write("csv=a=b.csv").is_ok_and(|to| to.path.as_os_str() == "a=b.csv"));
        for (text, part) in [
            ("csv", "KIND=FILE"),
            ("csv=", "KIND=FILE"),
            ("cvs=x", "did you mean `csv`?"),
            ("html=x", "there are"),
        ] {
            let error = parse_write(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
