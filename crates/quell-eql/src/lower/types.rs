//! The types of expressions, and what fits what.

use quell_ir::function::Kind;
use quell_ir::{FieldType, Value};

/// The type of an expression, as far as it is known before events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// The literal `null`: fits everywhere.
    Null,
    /// No schema knows it, or an error was reported already: fits everywhere.
    Unknown,
    Keyword,
    Integer,
    Float,
    Boolean,
    Date,
    Ip,
    Version,
}

impl Type {
    /// The type of a field that conditions can use.
    pub(super) fn of_field(kind: FieldType) -> Type {
        match kind {
            FieldType::Keyword => Type::Keyword,
            FieldType::Integer => Type::Integer,
            FieldType::Float => Type::Float,
            FieldType::Boolean => Type::Boolean,
            FieldType::Date => Type::Date,
            FieldType::Ip => Type::Ip,
            FieldType::Version => Type::Version,
            FieldType::Text
            | FieldType::Object
            | FieldType::Flattened
            | FieldType::Nested
            | FieldType::Unsupported
            | FieldType::Unknown => Type::Unknown,
        }
    }

    pub(super) fn of_value(value: &Value) -> Type {
        match value {
            Value::Null => Type::Null,
            Value::Boolean(_) => Type::Boolean,
            Value::Integer(_) | Value::Unsigned(_) => Type::Integer,
            Value::Float(_) => Type::Float,
            Value::Text(_) => Type::Keyword,
        }
    }

    pub(super) fn of_kind(kind: Kind) -> Type {
        match kind {
            Kind::String => Type::Keyword,
            Kind::Number => Type::Float,
            Kind::Integer => Type::Integer,
            Kind::Boolean => Type::Boolean,
            Kind::Ip => Type::Ip,
            Kind::Any => Type::Unknown,
        }
    }

    /// Elasticsearch's word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Unknown => "unknown",
            Type::Keyword => FieldType::Keyword.as_str(),
            Type::Integer => FieldType::Integer.as_str(),
            Type::Float => FieldType::Float.as_str(),
            Type::Boolean => FieldType::Boolean.as_str(),
            Type::Date => FieldType::Date.as_str(),
            Type::Ip => FieldType::Ip.as_str(),
            Type::Version => FieldType::Version.as_str(),
        }
    }

    /// The word with its article.
    pub(super) fn phrase(self) -> String {
        match self {
            Type::Null => "null".to_owned(),
            Type::Unknown => "of unknown type".to_owned(),
            Type::Ip => "an ip".to_owned(),
            other => format!("a {}", other.as_str()),
        }
    }

    pub(super) fn is_open(self) -> bool {
        matches!(self, Type::Null | Type::Unknown)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Integer | Type::Float) || self.is_open()
    }

    pub(super) fn is_text(self) -> bool {
        self == Type::Keyword || self.is_open()
    }

    pub(super) fn is_boolean(self) -> bool {
        self == Type::Boolean || self.is_open()
    }

    /// Whether an argument of this type can stand where a signature asks for `kind`.
    pub(super) fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::String => self.is_text(),
            Kind::Number => self.is_number(),
            Kind::Integer => self == Type::Integer || self.is_open(),
            Kind::Boolean => self.is_boolean(),
            Kind::Ip => self == Type::Ip || self.is_open(),
            Kind::Any => true,
        }
    }

    /// Types of one family can be joined; `None` joins with all.
    pub(super) fn family(self) -> Option<Type> {
        match self {
            Type::Null | Type::Unknown => None,
            Type::Float => Some(Type::Integer),
            other => Some(other),
        }
    }
}
