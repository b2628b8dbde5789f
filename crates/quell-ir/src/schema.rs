//! What a front end asks of a schema: the type of a field, and the names near one.

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

/// The fields that queries may name.
pub trait Schema: Send + Sync {
    /// What is known of the field at a dotted path, or `None` where no field has this name.
    fn field(&self, path: &str) -> Option<FieldInfo>;
    /// The known names nearest to `path`, best first, at most three.
    fn near(&self, path: &str) -> Vec<String>;
    /// What the schema calls itself, for labels: `ECS 9.5`.
    fn name(&self) -> &str;
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
