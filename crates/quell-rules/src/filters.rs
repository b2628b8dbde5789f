//! The `filters` of a rule: Kibana's filters, whose queries are Elasticsearch's query DSL, as one condition.
//!
//! Source: Elasticsearch's "Query DSL" (boolean, term-level, full-text and nested queries), Kibana's filter objects. What cannot
//! be read refuses the rule: a filter is never left out in silence.

use crate::rule::Rule;
use crate::term::{Terms, Words, escaped_wildcard};
use quell_ir::expr::{CompareOp, Expr};
use quell_ir::pattern::{Regex, Wildcard};
use quell_ir::{Condition, Diagnostic, Predicate, Schema, Span, Value};
use serde_json::{Map, Value as Json};

/// How deep queries may be nested.
const MAX_DEPTH: usize = 32;
/// The most clauses of all filters of a rule.
const MAX_CLAUSES: usize = 10_000;

/// The condition of all filters of the rule that are enabled, and what is worth knowing of it.
///
/// # Errors
/// A clause that says what cannot be read.
pub fn compile_filters(rule: &Rule, schema: &dyn Schema) -> Result<(Condition, Vec<Diagnostic>), String> {
    let filters = rule.fields.get("filters").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut dsl = Dsl { terms: Terms::new(schema), schema, clauses: 0, depth: 0 };
    let conditions: Result<Vec<Condition>, String> =
        filters.iter().map(|filter| dsl.filter(filter)).collect();
    let condition = conditions.map_err(|reason| format!("its filters cannot be read: {reason}"))?;
    // Filters have no places of their own in the rule's text.
    let warnings = dsl.terms.into_warnings().into_iter().map(|found| Diagnostic { span: None, ..found });
    Ok((Condition::all(condition), warnings.collect()))
}

struct Dsl<'s> {
    terms: Terms<'s>,
    schema: &'s dyn Schema,
    clauses: usize,
    depth: usize,
}

type Lowered = Result<Condition, String>;

impl Dsl<'_> {
    /// A filter of Kibana: its query, denied or left out as `meta` says.
    fn filter(&mut self, filter: &Json) -> Lowered {
        let Some(object) = filter.as_object() else { return Err(String::from("a filter is no object")) };
        let meta = |name: &str| object.get("meta").and_then(|meta| meta.get(name));
        let flag = |name: &str| meta(name).and_then(Json::as_bool) == Some(true);
        if flag("disabled") {
            return Ok(Condition::Constant(true));
        }
        let condition = if meta("type").and_then(Json::as_str) == Some("combined") {
            let parts = meta("params").and_then(Json::as_array).ok_or("a combined filter without parts")?;
            let parts =
                self.deeper(|dsl| parts.iter().map(|part| dsl.filter(part)).collect::<Result<Vec<_>, _>>())?;
            match meta("relation").and_then(Json::as_str) {
                Some("OR" | "or") => Condition::any(parts),
                Some("AND" | "and") => Condition::all(parts),
                _ => return Err(String::from("a combined filter is `AND` or `OR`")),
            }
        } else {
            match object.get("query").and_then(Json::as_object) {
                // A filter may be alone in its object; an empty query selects nothing in particular.
                Some(query) if query.is_empty() => Condition::Constant(true),
                Some(query) => self.query(query)?,
                None => {
                    let own = object.iter().filter(|(name, _)| !matches!(name.as_str(), "meta" | "$state"));
                    let own: Map<String, Json> = own.map(|(name, v)| (name.clone(), v.clone())).collect();
                    if own.is_empty() {
                        return Err(String::from("a filter without a query"));
                    }
                    self.query(&own)?
                }
            }
        };
        Ok(if flag("negate") { condition.negate() } else { condition })
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} deep"));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn query(&mut self, query: &Map<String, Json>) -> Lowered {
        self.clauses += 1;
        if self.clauses > MAX_CLAUSES {
            return Err(format!("they have more than {MAX_CLAUSES} clauses"));
        }
        let mut members = query.iter();
        let (Some((name, body)), None) = (members.next(), members.next()) else {
            return Err(String::from("a query is an object with the query's name as its one key"));
        };
        self.deeper(|dsl| dsl.named(name, body))
    }

    fn named(&mut self, name: &str, body: &Json) -> Lowered {
        let object = || body.as_object().ok_or_else(|| format!("`{name}` is no object"));
        match name {
            "bool" => self.boolean(object()?),
            "match_all" => Ok(Condition::Constant(true)),
            "match_none" => Ok(Condition::Constant(false)),
            "constant_score" => self.inner(object()?, "filter", &["boost"]),
            "nested" => self.nested(object()?),
            "exists" => {
                known(object()?, name, &["field", "boost"])?;
                let field = text(object()?, "field").ok_or("`exists` without a field")?;
                Ok(self.terms.named(field, Span::default())?.exists())
            }
            "query_string" => self.query_string(object()?),
            "terms" => {
                let (field, values) = one_field(object()?, name)?;
                let values = values.as_array().ok_or("`terms` takes a list of values")?;
                let values: Result<Vec<Value>, String> = values.iter().map(constant).collect();
                self.terms.named(field, Span::default())?.terms(&values?)
            }
            "range" => self.range(object()?),
            "term" | "match" | "match_phrase" | "wildcard" | "prefix" | "regexp" => {
                self.single(name, object()?)
            }
            other => Err(format!("the query `{}` is not supported", crate::schema::shortened(other))),
        }
    }

    /// A query about one value of one field: `{field: value}`, or the value among options.
    fn single(&mut self, name: &str, body: &Map<String, Json>) -> Lowered {
        let (field, body) = one_field(body, name)?;
        let none = Map::new();
        let (value, options) = match body {
            Json::Object(options) => {
                let value = ["value", "query", "wildcard"].iter().find_map(|key| options.get(*key));
                (value.ok_or_else(|| format!("`{name}` without a value"))?, options)
            }
            value => (value, &none),
        };
        let keys = [
            "value",
            "query",
            "wildcard",
            "boost",
            "rewrite",
            "case_insensitive",
            "operator",
            "type",
            "slop",
        ];
        known(options, name, &keys)?;
        let folded = options.get("case_insensitive").and_then(Json::as_bool) == Some(true);
        if options.get("slop").is_some_and(|slop| slop.as_u64() != Some(0)) {
            return Err(String::from("a phrase with gaps (`slop`) is not supported"));
        }
        let value = constant(value)?;
        let named = self.terms.named(field, Span::default())?;
        let pattern_text = || match &value {
            Value::Text(text) => Ok(text.as_ref()),
            _ => Err(format!("`{name}` takes a text")),
        };
        match name {
            "term" if folded => named.wildcard(literal(pattern_text()?), true),
            "term" => named.terms(&[value]),
            "match_phrase" => named.matches(&value, Words::Phrase),
            "match" => {
                let word = |key: &str| options.get(key).and_then(Json::as_str);
                let words = match (word("type"), word("operator")) {
                    (Some("phrase"), _) => Words::Phrase,
                    (None, Some("and" | "AND")) => Words::All,
                    (None, None | Some("or" | "OR")) => Words::Any,
                    _ => return Err(String::from("a `match` of this type is not supported")),
                };
                named.matches(&value, words)
            }
            "wildcard" => named.wildcard(escaped_wildcard(pattern_text()?), folded),
            "prefix" => named.wildcard(Wildcard::starts_with(pattern_text()?), folded),
            _ => {
                let regex = Regex::parse(pattern_text()?).map_err(|error| error.message.to_string())?;
                named.regex(regex, folded)
            }
        }
    }

    fn boolean(&mut self, body: &Map<String, Json>) -> Lowered {
        known(
            body,
            "bool",
            &[
                "must",
                "filter",
                "should",
                "must_not",
                "minimum_should_match",
                "boost",
                "adjust_pure_negative",
            ],
        )?;
        let mut parts = Vec::new();
        for name in ["must", "filter"] {
            parts.extend(self.list(body.get(name), name)?);
        }
        let denied = self.list(body.get("must_not"), "must_not")?;
        let should = self.list(body.get("should"), "should")?;
        let least = match body.get("minimum_should_match") {
            None if should.is_empty() || !parts.is_empty() => 0,
            None => 1,
            Some(least) => {
                let number = least.as_u64().or_else(|| least.as_str()?.parse().ok());
                number.ok_or("`minimum_should_match` is not a number")?
            }
        };
        parts.extend(denied.into_iter().map(Condition::negate));
        match usize::try_from(least).unwrap_or(usize::MAX) {
            0 => {}
            1 => parts.push(Condition::any(should)),
            all if all == should.len() => parts.extend(should),
            more if more > should.len() => parts.push(Condition::Constant(false)),
            _ => return Err(String::from("`minimum_should_match` of some of several is not supported")),
        }
        Ok(Condition::all(parts))
    }

    /// A query, or a list of them.
    fn list(&mut self, value: Option<&Json>, name: &str) -> Result<Vec<Condition>, String> {
        let query = |dsl: &mut Self, query: &Json| match query.as_object() {
            Some(query) => dsl.query(query),
            None => Err(format!("`{name}` holds what is no query")),
        };
        match value {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(queries)) => queries.iter().map(|inner| query(self, inner)).collect(),
            Some(one) => Ok(vec![query(self, one)?]),
        }
    }

    fn inner(&mut self, body: &Map<String, Json>, key: &str, others: &[&str]) -> Lowered {
        if let Some(other) = body.keys().find(|name| *name != key && !others.contains(&name.as_str())) {
            return Err(format!("the option `{}` is not supported", crate::schema::shortened(other)));
        }
        let query = body.get(key).and_then(Json::as_object).ok_or_else(|| format!("there is no `{key}`"))?;
        self.query(query)
    }

    fn nested(&mut self, body: &Map<String, Json>) -> Lowered {
        let path = text(body, "path").ok_or("`nested` without a path")?;
        let query = body.get("query").and_then(Json::as_object).ok_or("`nested` without a query")?;
        known(body, "nested", &["path", "query", "score_mode", "ignore_unmapped"])?;
        // The object's fields are lowered by the same terms, which know that they are inside.
        let Dsl { schema, clauses, depth, .. } = *self;
        let mut counted = clauses;
        let condition = self.terms.nested(path, Span::default(), |terms| {
            let inside = std::mem::replace(terms, Terms::new(schema));
            let mut dsl = Dsl { terms: inside, schema, clauses, depth };
            let condition = dsl.query(query);
            counted = dsl.clauses;
            *terms = dsl.terms;
            condition
        });
        self.clauses = counted;
        condition
    }

    /// All bounds hold of the same value.
    fn range(&mut self, body: &Map<String, Json>) -> Lowered {
        let (field, bounds) = one_field(body, "range")?;
        let bounds = bounds.as_object().ok_or("`range` without bounds")?;
        known(bounds, "range", &["gt", "gte", "lt", "lte", "boost", "format"])?;
        let ops = [
            ("gt", CompareOp::Greater),
            ("gte", CompareOp::GreaterOrEqual),
            ("lt", CompareOp::Less),
            ("lte", CompareOp::LessOrEqual),
        ];
        let mut tests = Vec::new();
        for (key, op) in ops {
            let Some(value) = bounds.get(key).filter(|value| !value.is_null()) else { continue };
            let value = constant(value)?;
            let named = self.terms.named(field, Span::default())?;
            tests.push((named.field.clone(), op, value.clone(), named.range(op, &value)?));
        }
        match tests.as_slice() {
            [] => Ok(self.terms.named(field, Span::default())?.exists()),
            [(.., one)] => Ok(one.clone()),
            several => {
                let dates = several.iter().map(|(.., condition)| match condition {
                    Condition::Leaf(leaf) => match &leaf.predicate {
                        Predicate::Date { from, to, .. } => Some((*from, *to)),
                        _ => None,
                    },
                    _ => None,
                });
                if let Some(dates) = dates.collect::<Option<Vec<_>>>()
                    && let Some((field, ..)) = several.first()
                {
                    let from = dates.iter().map(|(from, _)| *from).max().unwrap_or(i64::MIN);
                    let to = dates.iter().map(|(_, to)| *to).min().unwrap_or(i64::MAX);
                    let field = field.clone();
                    return Ok(Condition::leaf(Predicate::Date { field, from, to }, Span::default()));
                }
                let compare = |(field, op, value, _): &(_, CompareOp, Value, _)| {
                    let field = Expr::Field(quell_ir::FieldRef::clone(field));
                    Expr::Compare(*op, Box::new(field), Box::new(Expr::Constant(value.clone())))
                };
                let all = Expr::And(several.iter().map(compare).collect());
                Ok(Condition::leaf(Predicate::Expr(all), Span::default()))
            }
        }
    }

    fn query_string(&mut self, body: &Map<String, Json>) -> Lowered {
        known(body, "query_string", &["query", "analyze_wildcard"])?;
        let query = text(body, "query").ok_or("`query_string` without a query")?;
        let options = quell_kql::Options::new(self.schema);
        match quell_kql::compile(query, quell_kql::Language::Lucene, &options) {
            Ok(compiled) => Ok(compiled.condition),
            Err(findings) => Err(findings
                .into_iter()
                .find(Diagnostic::is_error)
                .map_or_else(String::new, |found| found.message)),
        }
    }
}

/// That a query has these options alone: another may change what it means.
fn known(body: &Map<String, Json>, name: &str, options: &[&str]) -> Result<(), String> {
    match body.keys().find(|key| !options.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            Err(format!("the option `{}` of `{name}` is not supported", crate::schema::shortened(key)))
        }
    }
}

fn one_field<'b>(body: &'b Map<String, Json>, name: &str) -> Result<(&'b str, &'b Json), String> {
    let mut fields = body.iter().filter(|(key, _)| !matches!(key.as_str(), "boost" | "_name"));
    match (fields.next(), fields.next()) {
        (Some((field, value)), None) => Ok((field, value)),
        _ => Err(format!("`{name}` takes one field")),
    }
}

fn text<'b>(body: &'b Map<String, Json>, key: &str) -> Option<&'b str> {
    body.get(key).and_then(Json::as_str)
}

fn literal(text: &str) -> Wildcard {
    Wildcard::from_tokens([quell_ir::pattern::Token::Literal(text.into())])
}

fn constant(value: &Json) -> Result<Value, String> {
    let number = |n: &serde_json::Number| {
        n.as_i64()
            .map(Value::Integer)
            .or_else(|| n.as_u64().map(Value::Unsigned))
            .or_else(|| n.as_f64().map(Value::Float))
    };
    match value {
        Json::String(text) => Ok(Value::Text(text.as_str().into())),
        Json::Bool(b) => Ok(Value::Boolean(*b)),
        Json::Number(n) => number(n).ok_or_else(|| String::from("a number that cannot be held")),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err(String::from("a value that is neither text, number nor boolean"))
        }
    }
}
