//! Term-level queries: what Elasticsearch asks of a field and a value, by the field's type.
//!
//! Source: Elasticsearch's "Term-level queries", "Match query", "Match phrase query" and "Nested query".

use quell_ir::date::{Instants, parse_instants};
use quell_ir::expr::CompareOp;
use quell_ir::pattern::{Regex, Token, Wildcard};
use quell_ir::plain::{compared, in_dates, keyword, like, one_of, regex};
use quell_ir::predicate::{Analyzer, TermTest};
use quell_ir::schema::unknown_field;
use quell_ir::{Case, Condition, Diagnostic, FieldRef, FieldType, Predicate, Schema, Scope, Span, Value};
use std::sync::Arc;

/// Lowers term-level queries. An error is a clause that says why the query cannot be asked.
pub(crate) struct Terms<'s> {
    schema: &'s dyn Schema,
    /// The path of the nested object around, if any.
    nested: Option<Arc<str>>,
    warnings: Vec<Diagnostic>,
}

/// A field that a query names.
pub(crate) struct Named {
    pub(crate) field: FieldRef,
    analyzer: Option<Analyzer>,
    case: Case,
    written: String,
    span: Span,
}

type Lowered = Result<Condition, String>;

impl<'s> Terms<'s> {
    pub(crate) fn new(schema: &'s dyn Schema) -> Terms<'s> {
        Terms { schema, nested: None, warnings: Vec::new() }
    }

    /// What is worth knowing of the fields: those that the schema does not know.
    pub(crate) fn into_warnings(self) -> Vec<Diagnostic> {
        self.warnings
    }

    /// The field at a full path, the path of a nested object around it included.
    pub(crate) fn named(&mut self, path: &str, span: Span) -> Result<Named, String> {
        let indexed = self.schema.indexed(path);
        let kind = self.schema.field(path).map(|info| info.kind);
        if kind.is_none() && !self.schema.is_open() {
            let message = format!("unknown field `{path}`");
            if !self.warnings.iter().any(|told| told.message == message) {
                self.warnings.push(unknown_field(self.schema, path, path, None).at(span));
            }
        }
        let field = self.reference(indexed.stored, kind.unwrap_or(FieldType::Unknown))?;
        let case = if indexed.caseless { Case::Folded } else { Case::Sensitive };
        Ok(Named { field, analyzer: indexed.analyzer, case, written: path.to_owned(), span })
    }

    fn reference(&self, path: &str, kind: FieldType) -> Result<FieldRef, String> {
        let inside = self.nested.as_ref().and_then(|above| path.strip_prefix(&**above)?.strip_prefix('.'));
        match (inside, &self.nested) {
            (Some(rest), _) => return Ok(FieldRef { scope: Scope::Element(0), path: rest.into(), kind }),
            (None, Some(above)) => {
                return Err(format!("`{path}` is no member of the nested object `{above}`"));
            }
            (None, None) => {}
        }
        let mut above = path.match_indices('.').filter_map(|(dot, _)| path.get(..dot));
        let is_nested = |path: &&str| self.schema.field(path).is_some_and(|f| f.kind == FieldType::Nested);
        match above.find(is_nested) {
            Some(above) => {
                Err(format!("`{path}` is a member of the nested object `{above}`, and needs a nested entry"))
            }
            None => Ok(FieldRef::event(path, kind)),
        }
    }

    /// Some object of the array satisfies the condition, whose fields are named by their full paths.
    pub(crate) fn nested(
        &mut self,
        path: &str,
        span: Span,
        condition: impl FnOnce(&mut Self) -> Lowered,
    ) -> Lowered {
        if self.nested.is_some() {
            return Err(String::from("nested objects within nested objects cannot be asked for"));
        }
        let field = FieldRef::event(path, FieldType::Nested);
        self.nested = Some(path.into());
        let condition = condition(self);
        self.nested = None;
        Ok(Condition::leaf(Predicate::Object { field, condition: Box::new(condition?) }, span))
    }
}

impl Named {
    /// It has a value.
    pub(crate) fn exists(self) -> Condition {
        Condition::leaf(Predicate::Exists(self.field), self.span)
    }

    /// It has one of these values (`term`, `terms`): of analysed text, one of its terms is one of them as they stand.
    pub(crate) fn terms(self, values: &[Value]) -> Lowered {
        self.usable()?;
        if let Some(analyzer) = self.analyzer {
            let texts = values.iter().map(text_of);
            return Ok(Condition::any(texts.map(|term| self.text(analyzer, vec![term]))));
        }
        if self.field.kind == FieldType::Keyword || self.case == Case::Folded {
            let texts = values.iter().map(text_of).collect();
            return Ok(self.leaves(keyword(&self.field, texts, self.case)));
        }
        let misfit = |value: &&Value| compared(self.field.clone(), CompareOp::Equal, value).is_none();
        if let Some(value) = values.iter().find(misfit) {
            return Err(self.misfit(value));
        }
        Ok(self.leaves(one_of(&self.field, values, Case::Sensitive)))
    }

    /// One of these texts, whatever the type of the field.
    pub(crate) fn texts(self, values: Vec<Arc<str>>) -> Lowered {
        self.usable()?;
        if self.analyzer.is_some() {
            return self.terms(&values.into_iter().map(Value::Text).collect::<Vec<_>>());
        }
        Ok(self.leaves(keyword(&self.field, values, self.case)))
    }

    /// An analysed field holds the words of the value, in this order or just any or all of them; another field, the value.
    pub(crate) fn matches(self, value: &Value, words: Words) -> Lowered {
        let Some(analyzer) = self.analyzer else { return self.terms(std::slice::from_ref(value)) };
        let terms: Vec<Arc<str>> = analyzer.terms(&text_of(value)).into_iter().map(Arc::from).collect();
        if terms.len() > MAX_WORDS {
            return Err(format!("a text of {} words, {MAX_WORDS} are the most", terms.len()));
        }
        let single = |term| self.text(analyzer, vec![term]);
        Ok(match words {
            _ if terms.is_empty() => Condition::Constant(false),
            Words::Phrase => self.text(analyzer, terms),
            Words::Any => Condition::any(terms.into_iter().map(single)),
            Words::All => Condition::all(terms.into_iter().map(single)),
        })
    }

    /// A pattern covers a value; `folded` ignores case whatever the field.
    pub(crate) fn wildcard(self, pattern: Wildcard, folded: bool) -> Lowered {
        self.usable()?;
        if let Some(analyzer) = self.analyzer {
            let test = TermTest::Wildcard(pattern.folded());
            return Ok(Condition::leaf(Predicate::TextTerm { field: self.field, analyzer, test }, self.span));
        }
        match self.field.kind {
            FieldType::Keyword | FieldType::Unknown | FieldType::Version => {
                let case = if folded { Case::Folded } else { self.case };
                Ok(self.leaves(like(self.field.clone(), vec![pattern], case)))
            }
            kind => {
                Err(format!("`{}` is of type {}, and patterns are for texts", self.written, kind.as_str()))
            }
        }
    }

    /// An expression covers a value.
    pub(crate) fn regex(self, pattern: Regex, folded: bool) -> Lowered {
        self.usable()?;
        if let Some(analyzer) = self.analyzer {
            let test = TermTest::Regex(pattern);
            return Ok(Condition::leaf(Predicate::TextTerm { field: self.field, analyzer, test }, self.span));
        }
        if !matches!(self.field.kind, FieldType::Keyword | FieldType::Unknown | FieldType::Version) {
            let kind = self.field.kind.as_str();
            return Err(format!("`{}` is of type {kind}, and expressions are for texts", self.written));
        }
        let case = if folded { Case::Folded } else { self.case };
        Ok(self.leaves(regex(self.field.clone(), vec![pattern], case)))
    }

    /// A value stands in this order to the constant.
    pub(crate) fn range(self, op: CompareOp, value: &Value) -> Lowered {
        self.usable()?;
        if self.analyzer.is_some() {
            return Err(format!("`{}` is analysed text, which has no order", self.written));
        }
        let predicate = match (self.field.kind, value) {
            (FieldType::Date, Value::Text(text)) => {
                let instants: Option<Instants> = parse_instants(text);
                instants.map(|instants| in_dates(self.field.clone(), op, instants))
            }
            _ => compared(self.field.clone(), op, value),
        };
        match predicate {
            Some(predicate) => Ok(Condition::leaf(predicate, self.span)),
            None => Err(self.misfit(value)),
        }
    }

    fn usable(&self) -> Result<(), String> {
        match self.field.kind {
            FieldType::Object | FieldType::Nested | FieldType::Flattened | FieldType::Unsupported => {
                Err(format!(
                    "`{}` is of type {} and has no value to compare",
                    self.written,
                    self.field.kind.as_str()
                ))
            }
            _ => Ok(()),
        }
    }

    fn misfit(&self, value: &Value) -> String {
        format!(
            "`{}` is of type {} and cannot be `{}`",
            self.written,
            self.field.kind.as_str(),
            text_of(value)
        )
    }

    fn text(&self, analyzer: Analyzer, terms: Vec<Arc<str>>) -> Condition {
        Condition::leaf(Predicate::Text { field: self.field.clone(), analyzer, terms }, self.span)
    }

    fn leaves(&self, predicates: impl IntoIterator<Item = Predicate>) -> Condition {
        Condition::any(predicates.into_iter().map(|predicate| Condition::leaf(predicate, self.span)))
    }
}

/// How the words of a text are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// One after the other.
    Phrase,
    /// One of them.
    Any,
    /// All of them.
    All,
}

/// The most words of a text that is looked for.
const MAX_WORDS: usize = 256;

/// A pattern of Elasticsearch's wildcard query, where a backslash takes a sign for itself.
pub(crate) fn escaped_wildcard(pattern: &str) -> Wildcard {
    let mut tokens = Vec::new();
    let mut literal = String::new();
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        let token = match sign {
            '*' => Token::AnyRun,
            '?' => Token::AnyChar,
            '\\' => {
                literal.push(signs.next().unwrap_or('\\'));
                continue;
            }
            other => {
                literal.push(other);
                continue;
            }
        };
        tokens.push(Token::Literal(std::mem::take(&mut literal).into()));
        tokens.push(token);
    }
    tokens.push(Token::Literal(literal.into()));
    Wildcard::from_tokens(tokens)
}

fn text_of(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) => Arc::clone(text),
        Value::Boolean(b) => b.to_string().into(),
        Value::Integer(n) => n.to_string().into(),
        Value::Unsigned(n) => n.to_string().into(),
        Value::Float(n) => n.to_string().into(),
        Value::Null => "null".into(),
    }
}
