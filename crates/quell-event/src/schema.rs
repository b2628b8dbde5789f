//! The schema of events: ECS, what ECS lacks, and what a project adds.
//!
//! A row of a table is a path, Elasticsearch's name of its type, and then `array` where the field is known to hold a
//! list, or the analyser of a text (`standard`, `powershell`), parted by tabs. A path `name.*` is an open object: what
//! is below it and has no row of its own has this type. Lines that begin with `#` are comments.

use quell_ir::diagnostic::near_names;
use quell_ir::predicate::Analyzer;
use quell_ir::schema::Indexed;
use quell_ir::{FieldInfo, FieldType, Schema};
use rustc_hash::FxHashMap;
use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// The facts of ECS 9.5.
const ECS: &str = include_str!("../data/ecs.tsv");
/// What ECS lacks: Windows event data, PowerShell, Elastic Defend, auditd, clouds.
const BEYOND_ECS: &str = include_str!("../data/beyond-ecs.tsv");

/// Multi-fields: other ways to index the value of the field above. Elastic Defend has `caseless` ones, which fold case.
const MULTI_FIELDS: [(&str, FieldType); 2] = [("text", FieldType::Text), ("caseless", FieldType::Keyword)];

/// A row that a table may not hold.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct RowError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: RowErrorReason,
}

/// What is wrong with a row.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RowErrorReason {
    /// A path with an empty segment, or a `*` elsewhere than at the end.
    #[error("`{0}` is not a field path")]
    Path(String),
    /// No type of Elasticsearch has this name.
    #[error("`{0}` is not a field type")]
    Type(String),
    /// The third column is neither `array` nor an analyser.
    #[error("`{0}` is neither `array` nor an analyser")]
    Note(String),
}

/// ECS and what ECS lacks.
#[derive(Clone, Debug, Default)]
pub struct EcsSchema {
    /// Rows of the project; they hold against the built-in ones.
    extra: Option<Arc<Table>>,
}

impl EcsSchema {
    /// The built-in tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The schema with rows of a project's own, in the format of the built-in tables; they replace what was added
    /// before. Where the same path is in both, the project's row holds.
    ///
    /// # Errors
    /// The first row that cannot be read.
    pub fn with_extra(self, rows: &str) -> Result<Self, RowError> {
        let mut table = Table::default();
        for (line, row) in (1..).zip(rows.lines()) {
            table.add(row).map_err(|reason| RowError { line, reason })?;
        }
        table.add_objects();
        Ok(EcsSchema { extra: Some(Arc::new(table)) })
    }

    /// The analyser of a text field; `None` for fields of other types.
    #[must_use]
    pub fn analyzer(&self, path: &str) -> Option<Analyzer> {
        self.row(path).and_then(|row| (row.kind == FieldType::Text).then_some(row.analyzer))
    }

    /// The path under which documents hold the values of a field: `process.name` for its multi-field
    /// `process.name.text`, for other fields the path itself.
    #[must_use]
    pub fn stored_path<'p>(&self, path: &'p str) -> &'p str {
        match path.rsplit_once('.') {
            Some((parent, last))
                if MULTI_FIELDS.iter().any(|(name, _)| *name == last)
                    && self.listed(parent).is_some_and(|row| holds_text(row.kind)) =>
            {
                parent
            }
            _ => path,
        }
    }

    /// Every listed field with its type, in no order; open objects and objects that only their members name are not
    /// among them.
    pub fn fields(&self) -> impl Iterator<Item = (&str, FieldInfo)> {
        let extra = self.extra.iter().flat_map(|table| &table.listed);
        built_in()
            .listed
            .iter()
            .chain(extra)
            .filter(|(_, row)| !row.implied)
            .map(|(path, row)| (&**path, row.info()))
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.extra.as_deref().into_iter().chain([built_in()])
    }

    fn listed(&self, path: &str) -> Option<Row> {
        // An object that only its members name gives way to a row of the other table.
        let mut found = None;
        for table in self.tables() {
            match table.listed.get(path) {
                Some(row) if !row.implied => return Some(*row),
                Some(row) => found = Some(*row),
                None => {}
            }
        }
        found
    }

    fn row(&self, path: &str) -> Option<Row> {
        if let Some(row) = self.listed(path) {
            return Some(row);
        }
        if let Some((parent, last)) = path.rsplit_once('.')
            && let Some((_, kind)) = MULTI_FIELDS.iter().find(|(name, _)| *name == last)
            && let Some(row) = self.listed(parent)
            && holds_text(row.kind)
        {
            return Some(Row { kind: *kind, ..row });
        }
        // The nearest object above that has open or flattened members.
        let mut above = path;
        while let Some((parent, last)) = above.rsplit_once('.') {
            if parent.is_empty() || last.is_empty() {
                return None;
            }
            if let Some(row) = self.tables().find_map(|table| table.open.get(parent)) {
                return Some(*row);
            }
            match self.listed(parent).map(|row| row.kind) {
                Some(FieldType::Flattened) => return Some(Row::of(FieldType::Keyword)),
                Some(FieldType::Object) | None => {}
                Some(_) => return None, // a leaf has no members
            }
            above = parent;
        }
        None
    }
}

impl Schema for EcsSchema {
    fn field(&self, path: &str) -> Option<FieldInfo> {
        self.row(path).map(Row::info)
    }

    fn near(&self, path: &str) -> Vec<String> {
        const MOST: usize = 3;
        // A slip in the last segment is the likeliest: look among its neighbours first.
        if let Some((parent, last)) = path.rsplit_once('.') {
            let siblings = self.fields().filter_map(|(name, _)| match name.rsplit_once('.') {
                Some((above, member)) if above == parent => Some(member),
                _ => None,
            });
            let near = near_names(last, siblings);
            if !near.is_empty() {
                return near.into_iter().map(|member| format!("{parent}.{member}")).collect();
            }
        }
        // Then the end of a path alone, or the right name under the wrong object.
        let last = path.rsplit('.').next().unwrap_or(path);
        let ends = |name: &str, end: &str| name.strip_suffix(end).is_some_and(|above| above.ends_with('.'));
        let mut longer: Vec<&str> =
            self.fields().map(|(name, _)| name).filter(|name| ends(name, path)).collect();
        if longer.is_empty() && last != path {
            let first = path.split('.').next().unwrap_or(path);
            let same_set = |name: &str| name.split('.').next() == Some(first);
            longer = self
                .fields()
                .map(|(name, _)| name)
                .filter(|name| same_set(name) && ends(name, last))
                .collect();
        }
        longer.sort_unstable_by_key(|name| (name.len(), *name));
        longer.dedup();
        if longer.is_empty() {
            longer = near_names(path, self.fields().map(|(name, _)| name));
        }
        longer.into_iter().take(MOST).map(str::to_owned).collect()
    }

    fn indexed<'p>(&self, path: &'p str) -> Indexed<'p> {
        let stored = self.stored_path(path);
        let caseless = stored != path && path.ends_with(".caseless");
        Indexed { stored, analyzer: self.analyzer(path), caseless }
    }

    fn text_fields(&self) -> Vec<(Arc<str>, Analyzer)> {
        let mut found: Vec<_> = self
            .fields()
            .filter(|(path, field)| field.kind == FieldType::Text && self.stored_path(path) == *path)
            .filter_map(|(path, _)| Some((Arc::from(path), self.analyzer(path)?)))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn name(&self) -> &str {
        if self.extra.is_some() { "ECS 9.5 and the project's fields" } else { "ECS 9.5" }
    }
}

/// Whether a field may have multi-fields for its text.
fn holds_text(kind: FieldType) -> bool {
    matches!(kind, FieldType::Keyword | FieldType::Text)
}

#[derive(Clone, Debug, Default)]
struct Table {
    listed: FxHashMap<Box<str>, Row>,
    /// By the path without its `.*`.
    open: FxHashMap<Box<str>, Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    kind: FieldType,
    array: bool,
    /// Of meaning for text alone.
    analyzer: Analyzer,
    /// Whether only its members name it.
    implied: bool,
}

impl Row {
    fn of(kind: FieldType) -> Row {
        Row { kind, array: false, analyzer: Analyzer::Standard, implied: false }
    }

    fn info(self) -> FieldInfo {
        FieldInfo { kind: self.kind, array: self.array }
    }
}

impl Table {
    fn add(&mut self, line: &str) -> Result<(), RowErrorReason> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let mut columns = line.split('\t').map(str::trim);
        let path = columns.next().unwrap_or("");
        let kind = columns.next().unwrap_or("");
        let open = path.strip_suffix(".*");
        let name = open.unwrap_or(path);
        if name.contains('*') || name.split('.').any(str::is_empty) {
            return Err(RowErrorReason::Path(path.to_owned()));
        }
        let mut row = Row::of(field_type(kind).ok_or_else(|| RowErrorReason::Type(kind.to_owned()))?);
        for note in columns.filter(|note| !note.is_empty()) {
            match note {
                "array" => row.array = true,
                "standard" => row.analyzer = Analyzer::Standard,
                "powershell" => row.analyzer = Analyzer::PowerShell,
                _ => return Err(RowErrorReason::Note(note.to_owned())),
            }
        }
        let rows = if open.is_some() { &mut self.open } else { &mut self.listed };
        rows.insert(name.into(), row);
        Ok(())
    }

    /// Makes objects of the paths above the rows.
    fn add_objects(&mut self) {
        let object = Row { implied: true, ..Row::of(FieldType::Object) };
        let mut above: Vec<Box<str>> = self.open.keys().cloned().collect();
        for path in self.listed.keys().chain(self.open.keys()) {
            above.extend(path.match_indices('.').filter_map(|(dot, _)| path.get(..dot)).map(Box::from));
        }
        for path in above {
            self.listed.entry(path).or_insert(object);
        }
    }
}

fn built_in() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        for line in ECS.lines().chain(BEYOND_ECS.lines()) {
            // A test reads every row.
            let _ = table.add(line);
        }
        table.add_objects();
        table
    })
}

/// Elasticsearch's field types ("Field data types").
fn field_type(name: &str) -> Option<FieldType> {
    Some(match name {
        "keyword" | "constant_keyword" | "wildcard" => FieldType::Keyword,
        "text" | "match_only_text" => FieldType::Text,
        "byte" | "short" | "integer" | "long" | "unsigned_long" => FieldType::Integer,
        "float" | "double" | "half_float" | "scaled_float" => FieldType::Float,
        "boolean" => FieldType::Boolean,
        "date" | "date_nanos" => FieldType::Date,
        "ip" => FieldType::Ip,
        "version" => FieldType::Version,
        "object" => FieldType::Object,
        "flattened" => FieldType::Flattened,
        "nested" => FieldType::Nested,
        "geo_point" | "geo_shape" | "binary" | "ip_range" | "integer_range" | "long_range"
        | "float_range" | "double_range" | "date_range" | "histogram" => FieldType::Unsupported,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{BEYOND_ECS, ECS, EcsSchema, RowErrorReason, Table};
    use quell_ir::predicate::Analyzer;
    use quell_ir::{FieldType, Schema};
    use std::collections::BTreeSet;

    fn kind(path: &str) -> Option<FieldType> {
        EcsSchema::new().field(path).map(|field| field.kind)
    }

    #[test]
    fn every_row_can_be_read_and_stands_once() {
        let mut paths = BTreeSet::new();
        for row in ECS.lines().chain(BEYOND_ECS.lines()) {
            assert_eq!(Table::default().add(row), Ok(()), "{row}");
            let path = row.split('\t').next().unwrap();
            assert!(row.starts_with('#') || paths.insert(path), "{path} stands twice");
        }
        assert!(paths.len() > 3500);
    }

    #[test]
    fn fields_have_the_types_that_elasticsearch_gives_them() {
        for (path, expected) in [
            ("process.name", Some(FieldType::Keyword)),
            ("process.command_line", Some(FieldType::Keyword)),
            ("process.command_line.text", Some(FieldType::Text)),
            ("process.name.caseless", Some(FieldType::Keyword)),
            ("process.pid.text", None),
            ("process.name.other", None),
            ("message", Some(FieldType::Text)),
            ("data_stream.dataset", Some(FieldType::Keyword)),
            ("process.pid", Some(FieldType::Integer)),
            ("event.risk_score", Some(FieldType::Float)),
            ("host.cpu.usage", Some(FieldType::Float)),
            ("@timestamp", Some(FieldType::Date)),
            ("source.ip", Some(FieldType::Ip)),
            ("source.geo.location", Some(FieldType::Unsupported)),
            ("process.pe.sections", Some(FieldType::Nested)),
            ("process.pe.imports", Some(FieldType::Flattened)),
            ("process.pe.imports.kernel32", Some(FieldType::Keyword)),
            ("process", Some(FieldType::Object)),
            ("process.parent", Some(FieldType::Object)),
            ("labels.anything", Some(FieldType::Keyword)),
            ("process.Ext.relative_file_creation_time", Some(FieldType::Float)),
            ("process.thread.Ext.call_stack", Some(FieldType::Object)),
            ("process.thread.Ext.call_stack.symbol_info", Some(FieldType::Keyword)),
            (
                "process.thread.Ext.call_stack_final_user_module.code_signature.trusted",
                Some(FieldType::Boolean),
            ),
            ("process.Ext.token.elevation", Some(FieldType::Boolean)),
            ("process.Ext.api.parameters.anything", Some(FieldType::Keyword)),
            ("process.Ext.api.parameters.size", Some(FieldType::Integer)),
            ("process.Ext.anything", None),
            ("winlog.event_data", Some(FieldType::Object)),
            ("winlog.event_data.SubjectUserName", Some(FieldType::Keyword)),
            ("winlog.event_data.a.b.c", Some(FieldType::Keyword)),
            ("winlog.event_data.", None),
            ("winlog.event_data..a", None),
            ("winlog.event_date", None),
            ("powershell.file.script_block_text", Some(FieldType::Text)),
            ("aws.cloudtrail.user_identity.type", Some(FieldType::Keyword)),
            ("aws.cloudtrail.flattened.request_parameters.bucketName", Some(FieldType::Keyword)),
            ("kibana.version", Some(FieldType::Version)),
            ("_id", Some(FieldType::Keyword)),
            ("", None),
            (".", None),
            ("proces.name", None),
        ] {
            assert_eq!(kind(path), expected, "{path}");
        }
        assert!(EcsSchema::new().field("process.args").unwrap().array);
        assert!(EcsSchema::new().field("process.thread.Ext.call_stack").unwrap().array);
        assert!(!EcsSchema::new().field("process.name").unwrap().array);
    }

    #[test]
    fn only_text_has_an_analyzer() {
        let schema = EcsSchema::new();
        assert_eq!(schema.analyzer("powershell.file.script_block_text"), Some(Analyzer::PowerShell));
        assert_eq!(schema.analyzer("message"), Some(Analyzer::Standard));
        assert_eq!(schema.analyzer("process.name"), None);
        assert_eq!(schema.analyzer("no.such.field"), None);
    }

    #[test]
    fn multi_fields_are_stored_with_their_field() {
        let schema = EcsSchema::new();
        for (path, stored) in [
            ("process.command_line.text", "process.command_line"),
            ("process.name.caseless", "process.name"),
            ("process.io.text", "process.io.text"),
            ("process.name", "process.name"),
            ("winlog.event_data.text", "winlog.event_data.text"),
        ] {
            assert_eq!(schema.stored_path(path), stored);
        }
    }

    #[test]
    fn near_names_look_at_the_neighbours_first() {
        let schema = EcsSchema::new();
        for (path, first) in [
            ("process.comand_line", "process.command_line"),
            ("process.parent.Name", "process.parent.name"),
            ("proces.name", "process.name"),
            ("event.categroy", "event.category"),
            ("command_line", "process.command_line"),
            ("process.subject_name", "process.code_signature.subject_name"),
            ("winlog.chanel", "winlog.channel"),
        ] {
            assert_eq!(schema.near(path).first().map(String::as_str), Some(first), "{path}");
            assert!(schema.near(path).len() <= 3);
        }
        assert!(schema.near("qqqqqqqqqqqqqqq").is_empty());
        assert!(schema.near(&"a.".repeat(100_000)).is_empty());
    }

    #[test]
    fn a_project_can_add_fields_and_change_them() {
        let rows = "# ours\nours.id\tkeyword\nours.notes\ttext\tstandard\nours.more.*\tlong\tarray\n\nprocess.name\ttext\n";
        let schema = EcsSchema::new().with_extra(rows).unwrap();
        for (path, expected) in [
            ("ours", Some(FieldType::Object)),
            ("ours.id", Some(FieldType::Keyword)),
            ("ours.more.of.it", Some(FieldType::Integer)),
            ("process.name", Some(FieldType::Text)),
            ("process.executable", Some(FieldType::Keyword)),
            ("process.pe.imports", Some(FieldType::Flattened)),
        ] {
            assert_eq!(schema.field(path).map(|field| field.kind), expected, "{path}");
        }
        assert_eq!(schema.near("ours.ids"), ["ours.id"]);
        for (rows, line, reason) in [
            ("a\tkeyword\nb..c\tkeyword", 2, RowErrorReason::Path("b..c".into())),
            ("a*\tkeyword", 1, RowErrorReason::Path("a*".into())),
            ("a\tstring", 1, RowErrorReason::Type("string".into())),
            ("a", 1, RowErrorReason::Type(String::new())),
            ("a\ttext\tfrench", 1, RowErrorReason::Note("french".into())),
        ] {
            let error = EcsSchema::new().with_extra(rows).unwrap_err();
            assert_eq!((error.line, error.reason), (line, reason));
        }
    }
}
