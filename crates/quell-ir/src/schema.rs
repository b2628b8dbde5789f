//! What a front end asks of a schema: the type of a field, and the names near one.

use crate::diagnostic::did_you_mean;
use crate::predicate::Analyzer;
use crate::{Code, Diagnostic};
use std::sync::Arc;

/// The type of a field as Elasticsearch maps it, reduced to what conditions can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldType {
    /// keyword, constant_keyword, wildcard, or text with a keyword sub-field: exact text.
    Keyword,
    /// text or match_only_text without a keyword sub-field: analysed; EQL refuses it, KQL searches its terms.
    Text,
    /// byte, short, integer, long, unsigned_long
    Integer,
    /// float, double, half_float, scaled_float
    Float,
    /// boolean
    Boolean,
    /// date, date_nanos
    Date,
    /// ip
    Ip,
    /// version
    Version,
    /// object: has members, is no value itself
    Object,
    /// flattened: an object whose members are all keywords
    Flattened,
    /// nested: objects that are searched one by one; EQL refuses it
    Nested,
    /// geo_point, geo_shape, ranges and other types that no condition can use
    Unsupported,
    /// No schema knows the field: converted by the value at hand.
    Unknown,
}

impl FieldType {
    /// Elasticsearch's word for the type, for messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Keyword => "keyword",
            FieldType::Text => "text",
            FieldType::Integer => "long",
            FieldType::Float => "double",
            FieldType::Boolean => "boolean",
            FieldType::Date => "date",
            FieldType::Ip => "ip",
            FieldType::Version => "version",
            FieldType::Object => "object",
            FieldType::Flattened => "flattened",
            FieldType::Nested => "nested",
            FieldType::Unsupported => "unsupported",
            FieldType::Unknown => "unknown",
        }
    }
}

/// What a schema knows of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Its type.
    pub kind: FieldType,
    /// Whether it is known to hold a list.
    pub array: bool,
}

/// How a field's text is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed<'p> {
    /// The path under which documents hold the values: `process.name` for the multi-field `process.name.text`.
    pub stored: &'p str,
    /// What splits the text, where the field is analysed.
    pub analyzer: Option<Analyzer>,
    /// Whether case was folded when it was indexed.
    pub caseless: bool,
}

/// The finding of a name that the schema does not know. The help asks whether a near name was meant; `otherwise` stands
/// behind that, or alone.
#[must_use]
pub fn unknown_field(schema: &dyn Schema, written: &str, path: &str, otherwise: Option<&str>) -> Diagnostic {
    let help = match (did_you_mean(&schema.near(path)), otherwise) {
        (Some(question), Some(otherwise)) => format!("{question} {otherwise}"),
        (Some(question), None) => question,
        (None, otherwise) => otherwise.unwrap_or("correct the name").to_owned(),
    };
    Diagnostic::new(Code::UNKNOWN_FIELD, format!("unknown field `{written}`"))
        .label(format!("not in {}", schema.name()))
        .help(help)
}

/// The fields that queries may name.
pub trait Schema: Send + Sync {
    /// What is known of the field at a dotted path, or `None` where no field has this name.
    fn field(&self, path: &str) -> Option<FieldInfo>;
    /// The known names nearest to `path`, best first, at most three.
    fn near(&self, path: &str) -> Vec<String>;
    /// What the schema calls itself, for labels: `ECS 9.5`.
    fn name(&self) -> &str;
    /// How a field's text is indexed apart from the plain way; see [`Indexed`].
    fn indexed<'p>(&self, path: &'p str) -> Indexed<'p> {
        Indexed { stored: path, analyzer: None, caseless: false }
    }
    /// The fields that are analysed text, each with its analyser; those that only index another field's text are not
    /// among them.
    fn text_fields(&self) -> Vec<(Arc<str>, Analyzer)> {
        Vec::new()
    }
    /// Whether a name that it does not know is no finding: true of a schema that knows nothing.
    fn is_open(&self) -> bool {
        false
    }
}

/// A schema that knows no field: everything is converted by the value at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSchema;

impl Schema for NoSchema {
    fn field(&self, _path: &str) -> Option<FieldInfo> {
        None
    }

    fn near(&self, _path: &str) -> Vec<String> {
        Vec::new()
    }

    fn name(&self) -> &str {
        "no schema"
    }

    fn is_open(&self) -> bool {
        true
    }
}
