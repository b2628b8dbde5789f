//! A plain evaluator of EQL event queries: it walks the syntax tree over a JSON document, slowly and obviously.
//!
//! It shares the parser and the schema with quell and nothing else: no intermediate form, no predicates, no slots. It was
//! written from the language's rules: split the condition at `and`, `or`, `not`; a leaf is true if some combination of one
//! element of each of its fields makes it true, and an absent field contributes null.

pub mod random;

use quell_eql::ast::{
    ArithmeticOp, Body, Call, CompareOp, Expr, ExprKind, Field, FieldMark, MatchOp, Query, Segment,
};
use quell_ir::{FieldType, Schema, Value};
use serde_json::{Map, Value as Json};
use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

/// A value inside a leaf.
#[derive(Clone, Debug)]
pub enum V {
    Null,
    /// A value that its field's type cannot hold: it is there, and every test on it is null.
    Misfit,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Date(i128),
    Ip(IpAddr),
}

/// Who is asked.
pub struct Reference<'s> {
    pub schema: &'s dyn Schema,
}

/// One element chosen for each field of a leaf.
type Choice<'e> = Vec<(String, Element<'e>)>;

#[derive(Clone, Debug)]
enum Element<'e> {
    Scalar(V),
    Object(&'e Json),
}

impl Reference<'_> {
    /// Whether an event query selects the document; `None` for sequences, samples and leaves that need state.
    pub fn selects(&self, query: &Query, document: &Map<String, Json>) -> Option<bool> {
        let Body::Event(filter) = &query.body else { return None };
        let document = Json::Object(document.clone());
        if let Some(category) = &filter.category.name {
            let categories = leaves(&document, "event.category");
            if !categories.iter().any(|value| value.as_str() == Some(category)) {
                return Some(false);
            }
        }
        Some(self.condition(&filter.condition, &document, &Vec::new()))
    }

    fn condition(&self, expr: &Expr, document: &Json, scope: &Choice<'_>) -> bool {
        match &expr.kind {
            ExprKind::Paren(inner) => self.condition(inner, document, scope),
            ExprKind::And(parts) => parts.iter().all(|part| self.condition(part, document, scope)),
            ExprKind::Or(parts) => parts.iter().any(|part| self.condition(part, document, scope)),
            ExprKind::Not(inner) => !self.condition(inner, document, scope),
            ExprKind::Compare { op: CompareOp::NotEqual, left, right } => {
                !self.equality(left, right, document, scope)
            }
            ExprKind::Compare { op: CompareOp::Equal, left, right } => {
                self.equality(left, right, document, scope)
            }
            ExprKind::In { operand, negated, folded, list, .. } => {
                // A list is an `or` of equalities.
                let found = list.iter().any(|member| {
                    self.some_combination(&[operand, member], document, scope, &|choice| {
                        let (left, right) = (self.value(operand, choice), self.value(member, choice));
                        if *folded {
                            let (Some(a), Some(b)) = (text_of(&left), text_of(&right)) else {
                                return V::Null;
                            };
                            return V::Boolean(fold(&a) == fold(&b));
                        }
                        compare(CompareOp::Equal, &left, &right, self.kind(operand), self.kind(member))
                    })
                });
                found != *negated
            }
            ExprKind::Call(call) if call.name.text.eq_ignore_ascii_case("_arraysearch") => {
                self.array_search(call, document, scope)
            }
            _ => self.some_combination(&[expr], document, scope, &|choice| self.value(expr, choice)),
        }
    }

    /// `left == right`, with the rules for boolean constants: `B == false` is `not B` unless B is a field.
    fn equality(&self, left: &Expr, right: &Expr, document: &Json, scope: &Choice<'_>) -> bool {
        for (side, other) in [(left, right), (right, left)] {
            let other = other.unwrapped();
            let is_logic = match &other.kind {
                ExprKind::Compare { .. } | ExprKind::In { .. } | ExprKind::Match { .. } => true,
                ExprKind::Call(call) => returns_boolean(&call.name.text),
                _ => false,
            };
            if let (ExprKind::Literal(literal), true) = (&side.unwrapped().kind, is_logic)
                && let Value::Boolean(wanted) = literal.value
            {
                return self.condition(other, document, scope) == wanted;
            }
        }
        self.some_combination(&[left, right], document, scope, &|choice| {
            let (l, r) = (self.value(left, choice), self.value(right, choice));
            equal_or_null(&l, &r, left, right, self)
        })
    }

    fn array_search(&self, call: &Call, document: &Json, scope: &Choice<'_>) -> bool {
        let [array, variable, condition] = call.arguments.as_slice() else { return false };
        let (Some(array), Some(variable)) = (array.as_field(), variable.as_field()) else { return false };
        let mut objects = Vec::new();
        if array.mark == FieldMark::Variable {
            let (name, rest) = variable_path(array);
            if let Some((_, Element::Object(json))) = scope.iter().rev().find(|(bound, _)| *bound == name) {
                subtrees(json, &rest, &mut objects);
            }
        } else {
            subtrees(document, &array.dotted(), &mut objects);
        }
        objects.iter().any(|object| {
            let mut inner = scope.clone();
            inner.push((variable_path(variable).0, Element::Object(object)));
            self.condition(condition, document, &inner)
        })
    }

    /// Whether some combination of elements makes `test` true.
    fn some_combination(
        &self,
        exprs: &[&Expr],
        document: &Json,
        scope: &Choice<'_>,
        test: &dyn Fn(&Choice<'_>) -> V,
    ) -> bool {
        let mut fields: Vec<&Field> = Vec::new();
        for expr in exprs {
            collect_fields(expr, &mut fields);
        }
        let mut lists: Vec<(String, Vec<V>)> = Vec::new();
        for field in fields {
            let key = key_of(field);
            if lists.iter().any(|(known, _)| *known == key) {
                continue;
            }
            let values = self.elements(field, document, scope);
            lists.push((key, if values.is_empty() { vec![V::Null] } else { values }));
        }
        let mut at = vec![0usize; lists.len()];
        loop {
            let choice: Choice<'_> = lists
                .iter()
                .zip(&at)
                .map(|((key, values), i)| (key.clone(), Element::Scalar(values[*i].clone())))
                .collect();
            if matches!(test(&choice), V::Boolean(true)) {
                return true;
            }
            let mut wheel = 0;
            loop {
                if wheel == lists.len() {
                    return false;
                }
                at[wheel] += 1;
                if at[wheel] < lists[wheel].1.len() {
                    break;
                }
                at[wheel] = 0;
                wheel += 1;
            }
        }
    }

    fn elements(&self, field: &Field, document: &Json, scope: &Choice<'_>) -> Vec<V> {
        if field.mark == FieldMark::Variable {
            let (name, rest) = variable_path(field);
            let Some((_, Element::Object(json))) = scope.iter().rev().find(|(bound, _)| *bound == name)
            else {
                return Vec::new();
            };
            let found: Vec<&Json> = if rest.is_empty() { flatten(json) } else { leaves(json, &rest) };
            return found.into_iter().map(|json| typed(json, FieldType::Unknown)).collect();
        }
        let path = field.dotted();
        let kind = self.schema.field(&path).map_or(FieldType::Unknown, |info| info.kind);
        if kind == FieldType::Object {
            // An object is no value, but a rule may ask whether it is there.
            let mut found = Vec::new();
            subtrees(document, &path, &mut found);
            return found.iter().filter(|json| !json.is_null()).map(|_| V::Text(String::new())).collect();
        }
        leaves(document, &path).into_iter().map(|json| typed(json, kind)).collect()
    }

    fn kind(&self, expr: &Expr) -> FieldType {
        match expr.unwrapped().as_field() {
            Some(field) if field.mark != FieldMark::Variable => {
                self.schema.field(&field.dotted()).map_or(FieldType::Unknown, |info| info.kind)
            }
            _ => FieldType::Unknown,
        }
    }

    /// Three-valued evaluation of an expression for one choice of elements.
    fn value(&self, expr: &Expr, choice: &Choice<'_>) -> V {
        match &expr.kind {
            ExprKind::Paren(inner) => self.value(inner, choice),
            ExprKind::Literal(literal) => match &literal.value {
                Value::Null => V::Null,
                Value::Boolean(b) => V::Boolean(*b),
                Value::Integer(n) => V::Integer(i128::from(*n)),
                Value::Unsigned(n) => V::Integer(i128::from(*n)),
                Value::Float(n) => V::Float(*n),
                Value::Text(text) => V::Text(text.to_string()),
            },
            ExprKind::Field(field) => {
                let key = key_of(field);
                match choice.iter().find(|(known, _)| *known == key) {
                    Some((_, Element::Scalar(value))) => value.clone(),
                    _ => V::Null,
                }
            }
            ExprKind::Sign { negative, operand } => match self.value(operand, choice) {
                V::Integer(n) => int(if *negative { -n } else { n }),
                V::Float(n) => V::Float(if *negative { -n } else { n }),
                _ => V::Null,
            },
            ExprKind::Arithmetic { op, left, right } => {
                arithmetic(*op, &self.value(left, choice), &self.value(right, choice))
            }
            ExprKind::Compare { op, left, right } => {
                let (l, r) = (self.value(left, choice), self.value(right, choice));
                match op {
                    CompareOp::Equal => equal_or_null(&l, &r, left, right, self),
                    CompareOp::NotEqual => match equal_or_null(&l, &r, left, right, self) {
                        V::Boolean(b) => V::Boolean(!b),
                        _ => V::Null,
                    },
                    op => compare(*op, &l, &r, self.kind(left), self.kind(right)),
                }
            }
            ExprKind::In { operand, negated, folded, list, .. } => {
                let left = self.value(operand, choice);
                if matches!(left, V::Null) {
                    return V::Null;
                }
                let found = list.iter().any(|member| {
                    let right = self.value(member, choice);
                    if *folded {
                        matches!((text_of(&left), text_of(&right)), (Some(a), Some(b)) if fold(&a) == fold(&b))
                    } else {
                        let outcome =
                            compare(CompareOp::Equal, &left, &right, self.kind(operand), self.kind(member));
                        matches!(outcome, V::Boolean(true))
                    }
                });
                V::Boolean(found != *negated)
            }
            ExprKind::Match { operand, op, patterns, .. } => {
                let Some(text) = text_of(&self.value(operand, choice)) else { return V::Null };
                let matched = patterns.iter().any(|pattern| {
                    let Value::Text(pattern) = &pattern.value else { return false };
                    match op {
                        MatchOp::Seq | MatchOp::LikeFolded => glob(fold(pattern), fold(&text)),
                        MatchOp::Like => {
                            glob(pattern.chars().collect::<Vec<_>>(), text.chars().collect::<Vec<_>>())
                        }
                        MatchOp::Regex | MatchOp::RegexFolded => {
                            regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
                                .case_insensitive(*op == MatchOp::RegexFolded)
                                .dot_matches_new_line(true)
                                .build()
                                .unwrap()
                                .is_match(&text)
                        }
                    }
                });
                V::Boolean(matched)
            }
            ExprKind::Not(inner) => match self.value(inner, choice) {
                V::Boolean(b) => V::Boolean(!b),
                _ => V::Null,
            },
            ExprKind::And(parts) => {
                let values: Vec<V> = parts.iter().map(|part| self.value(part, choice)).collect();
                if values.iter().any(|value| matches!(value, V::Boolean(false))) {
                    V::Boolean(false)
                } else if values.iter().all(|value| matches!(value, V::Boolean(true))) {
                    V::Boolean(true)
                } else {
                    V::Null
                }
            }
            ExprKind::Or(parts) => {
                let values: Vec<V> = parts.iter().map(|part| self.value(part, choice)).collect();
                if values.iter().any(|value| matches!(value, V::Boolean(true))) {
                    V::Boolean(true)
                } else if values.iter().all(|value| matches!(value, V::Boolean(false))) {
                    V::Boolean(false)
                } else {
                    V::Null
                }
            }
            ExprKind::Call(call) => {
                let arguments: Vec<V> = call.arguments.iter().map(|part| self.value(part, choice)).collect();
                function(&call.name.text.to_ascii_lowercase(), call.folded, &arguments)
            }
            ExprKind::Lineage { .. } => V::Null,
        }
    }
}

/// `== null` tests for null; anything else gives null for null. Between two `?` fields null is a value.
fn equal_or_null(l: &V, r: &V, left: &Expr, right: &Expr, asked: &Reference<'_>) -> V {
    let is_null = |expr: &Expr| matches!(&expr.unwrapped().kind, ExprKind::Literal(literal) if matches!(literal.value, Value::Null));
    if is_null(left) || is_null(right) {
        let other = if is_null(right) { l } else { r };
        return V::Boolean(matches!(other, V::Null));
    }
    let optional =
        |expr: &Expr| expr.unwrapped().as_field().is_some_and(|field| field.mark == FieldMark::Optional);
    if optional(left) && optional(right) && (matches!(l, V::Null) || matches!(r, V::Null)) {
        return V::Boolean(matches!((l, r), (V::Null, V::Null)));
    }
    compare(CompareOp::Equal, l, r, asked.kind(left), asked.kind(right))
}

fn returns_boolean(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["cidrmatch", "endswith", "startswith", "stringcontains", "wildcard", "_arraysearch"]
        .contains(&name.as_str())
}

fn variable_path(field: &Field) -> (String, String) {
    let names: Vec<&str> = field
        .path
        .iter()
        .filter_map(|segment| if let Segment::Name { name, .. } = segment { Some(&**name) } else { None })
        .collect();
    (names[0].to_owned(), names[1..].join("."))
}

fn key_of(field: &Field) -> String {
    if field.mark == FieldMark::Variable { format!("${}", field.dotted()) } else { field.dotted() }
}

fn collect_fields<'e>(expr: &'e Expr, fields: &mut Vec<&'e Field>) {
    match &expr.kind {
        ExprKind::Field(field) => fields.push(field),
        ExprKind::Literal(_) | ExprKind::Lineage { .. } => {}
        ExprKind::Paren(inner) | ExprKind::Not(inner) => collect_fields(inner, fields),
        ExprKind::Sign { operand, .. } | ExprKind::Match { operand, .. } => collect_fields(operand, fields),
        ExprKind::And(parts) | ExprKind::Or(parts) => {
            parts.iter().for_each(|part| collect_fields(part, fields))
        }
        ExprKind::Compare { left, right, .. } | ExprKind::Arithmetic { left, right, .. } => {
            collect_fields(left, fields);
            collect_fields(right, fields);
        }
        ExprKind::In { operand, list, .. } => {
            collect_fields(operand, fields);
            list.iter().for_each(|part| collect_fields(part, fields));
        }
        ExprKind::Call(call) => call.arguments.iter().for_each(|part| collect_fields(part, fields)),
    }
}

/// All scalars at a dotted path, however the document is nested or dotted; arrays on the way are walked into.
pub fn leaves<'j>(json: &'j Json, path: &str) -> Vec<&'j Json> {
    let mut found = Vec::new();
    subtrees(json, path, &mut found);
    found.into_iter().flat_map(flatten).collect()
}

fn subtrees<'j>(json: &'j Json, path: &str, found: &mut Vec<&'j Json>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| subtrees(item, path, found)),
        _ if path.is_empty() => found.push(json),
        Json::Object(members) => {
            for (key, value) in members {
                if key == path {
                    subtrees(value, "", found);
                } else if let Some(rest) = path.strip_prefix(key.as_str())
                    && let Some(rest) = rest.strip_prefix('.')
                {
                    subtrees(value, rest, found);
                }
            }
        }
        _ => {}
    }
}

fn flatten(json: &Json) -> Vec<&Json> {
    match json {
        Json::Null | Json::Object(_) => Vec::new(),
        Json::Array(items) => items.iter().flat_map(flatten).collect(),
        scalar => vec![scalar],
    }
}

/// The element as its field's type holds it; what does not fit the type is null.
fn typed(json: &Json, kind: FieldType) -> V {
    let plain = match json {
        Json::Bool(b) => V::Boolean(*b),
        Json::String(text) => V::Text(text.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => V::Integer(i128::from(n)),
            (_, Some(n), _) => V::Integer(i128::from(n)),
            (_, _, Some(n)) => V::Float(n),
            _ => V::Null,
        },
        _ => V::Null,
    };
    match kind {
        FieldType::Keyword | FieldType::Text | FieldType::Flattened | FieldType::Version => {
            text_of(&plain).map_or(V::Misfit, V::Text)
        }
        FieldType::Integer | FieldType::Float => number_of(&plain).unwrap_or(V::Misfit),
        FieldType::Boolean => match plain {
            V::Boolean(b) => V::Boolean(b),
            V::Text(text) if text == "true" => V::Boolean(true),
            V::Text(text) if text == "false" => V::Boolean(false),
            _ => V::Misfit,
        },
        FieldType::Date => date_of(&plain).map_or(V::Misfit, V::Date),
        FieldType::Ip => match plain {
            V::Text(text) => text.parse().map_or(V::Misfit, V::Ip),
            _ => V::Misfit,
        },
        _ => plain,
    }
}

fn int(n: i128) -> V {
    if i64::try_from(n).is_ok() || u64::try_from(n).is_ok() { V::Integer(n) } else { V::Null }
}

fn number_of(value: &V) -> Option<V> {
    match value {
        V::Integer(_) | V::Float(_) => Some(value.clone()),
        V::Text(text) => {
            let text = text.trim();
            if let Ok(n) = text.parse::<i64>() {
                return Some(V::Integer(i128::from(n)));
            }
            if let Ok(n) = text.parse::<u64>() {
                return Some(V::Integer(i128::from(n)));
            }
            let digits = text.trim_start_matches(['-', '+']);
            if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
                return None;
            }
            text.parse().ok().map(V::Float)
        }
        _ => None,
    }
}

fn text_of(value: &V) -> Option<String> {
    match value {
        V::Text(text) => Some(text.clone()),
        V::Boolean(b) => Some(b.to_string()),
        V::Integer(n) => Some(n.to_string()),
        V::Float(n) => Some(serde_json::Number::from_f64(*n)?.to_string()),
        V::Ip(ip) => Some(ip.to_string()),
        V::Null | V::Misfit | V::Date(_) => None,
    }
}

fn date_of(value: &V) -> Option<i128> {
    match value {
        V::Integer(millis) => Some(millis * 1_000_000),
        V::Float(millis) => Some((millis * 1_000_000.0) as i128),
        V::Text(text) => {
            if let Ok(instant) = text.parse::<jiff::Timestamp>() {
                return Some(instant.as_nanosecond());
            }
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_nanosecond())
        }
        V::Date(nanos) => Some(*nanos),
        _ => None,
    }
}

fn ip_of(value: &V) -> Option<IpAddr> {
    match value {
        V::Ip(ip) => Some(*ip),
        V::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Compares by the type of the field on either side, else by the values at hand.
fn compare(op: CompareOp, l: &V, r: &V, left: FieldType, right: FieldType) -> V {
    if matches!(l, V::Null | V::Misfit) || matches!(r, V::Null | V::Misfit) {
        return V::Null;
    }
    let kind = if left == FieldType::Unknown { right } else { left };
    let order: Option<Ordering> = match kind {
        FieldType::Keyword | FieldType::Text | FieldType::Flattened => match (text_of(l), text_of(r)) {
            (Some(a), Some(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => None,
        },
        FieldType::Integer | FieldType::Float => match (number_of(l), number_of(r)) {
            (Some(a), Some(b)) => compare_numbers(&a, &b),
            _ => None,
        },
        FieldType::Date => {
            // A constant that leaves out its fraction (or its time) names that whole second (or day).
            let (Some(at), Some(first)) = (date_of(l), date_of(r)) else { return V::Null };
            let last = match r {
                V::Text(text) if !text.contains('T') => first + 86_399_999_999_999,
                V::Text(text) if !text.contains('.') => first + 999_999_999,
                _ => first,
            };
            return V::Boolean(match op {
                CompareOp::Equal => first <= at && at <= last,
                CompareOp::NotEqual => at < first || last < at,
                CompareOp::Less => at < first,
                CompareOp::LessOrEqual => at <= last,
                CompareOp::Greater => at > last,
                CompareOp::GreaterOrEqual => at >= first,
            });
        }
        FieldType::Ip => {
            if op == CompareOp::Equal
                && let V::Text(block) = r
                && block.contains('/')
            {
                return ip_of(l).map_or(V::Null, |ip| V::Boolean(in_block(ip, block)));
            }
            match (ip_of(l), ip_of(r)) {
                (Some(a), Some(b)) => Some(v6(a).cmp(&v6(b))),
                _ => None,
            }
        }
        FieldType::Boolean => match (bool_of(l), bool_of(r)) {
            (Some(a), Some(b)) if op == CompareOp::Equal => return V::Boolean(a == b),
            _ => None,
        },
        _ => return by_value(op, l, r),
    };
    match order {
        Some(order) => V::Boolean(holds(op, order)),
        None => V::Null,
    }
}

/// No schema knows the type: what the values look like decides. What does not fit is unequal, and its order null.
fn by_value(op: CompareOp, l: &V, r: &V) -> V {
    let dated = |text: &str| text.contains('-').then(|| date_of(&V::Text(text.to_owned()))).flatten();
    let order = match (l, r) {
        (V::Text(a), V::Text(b)) => match (dated(a), dated(b), a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
            (Some(a), Some(b), _, _) => Some(a.cmp(&b)),
            (_, _, Ok(a), Ok(b)) => Some(v6(a).cmp(&v6(b))),
            _ => Some(a.as_bytes().cmp(b.as_bytes())),
        },
        (V::Boolean(_), _) | (_, V::Boolean(_)) => match (bool_of(l), bool_of(r)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => None,
        },
        _ => match (number_of(l), number_of(r)) {
            (Some(a), Some(b)) => compare_numbers(&a, &b),
            _ => match (date_of(l), date_of(r)) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => None,
            },
        },
    };
    match order {
        Some(order) => V::Boolean(holds(op, order)),
        None if op == CompareOp::Equal => V::Boolean(false),
        None => V::Null,
    }
}

fn bool_of(value: &V) -> Option<bool> {
    match value {
        V::Boolean(b) => Some(*b),
        V::Text(text) if text == "true" => Some(true),
        V::Text(text) if text == "false" => Some(false),
        _ => None,
    }
}

fn compare_numbers(a: &V, b: &V) -> Option<Ordering> {
    match (a, b) {
        (V::Integer(a), V::Integer(b)) => Some(a.cmp(b)),
        (V::Integer(a), V::Float(b)) => (*a as f64).partial_cmp(b),
        (V::Float(a), V::Integer(b)) => a.partial_cmp(&(*b as f64)),
        (V::Float(a), V::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Equal => order.is_eq(),
        CompareOp::NotEqual => order.is_ne(),
        CompareOp::Less => order.is_lt(),
        CompareOp::LessOrEqual => order.is_le(),
        CompareOp::Greater => order.is_gt(),
        CompareOp::GreaterOrEqual => order.is_ge(),
    }
}

fn arithmetic(op: ArithmeticOp, l: &V, r: &V) -> V {
    match (l, r) {
        (V::Integer(a), V::Integer(b)) => match op {
            ArithmeticOp::Add => int64(a + b),
            ArithmeticOp::Subtract => int64(a - b),
            ArithmeticOp::Multiply => a.checked_mul(*b).map_or(V::Null, int64),
            ArithmeticOp::Divide if *b == 0 => V::Null,
            ArithmeticOp::Divide => int64(a / b),
            ArithmeticOp::Modulo if *b == 0 => V::Null,
            ArithmeticOp::Modulo => int64(a % b),
        },
        (V::Integer(_) | V::Float(_), V::Integer(_) | V::Float(_)) => {
            let as_float = |value: &V| match value {
                V::Integer(n) => *n as f64,
                V::Float(n) => *n,
                _ => f64::NAN,
            };
            let (a, b) = (as_float(l), as_float(r));
            let result = match op {
                ArithmeticOp::Add => a + b,
                ArithmeticOp::Subtract => a - b,
                ArithmeticOp::Multiply => a * b,
                ArithmeticOp::Divide => a / b,
                ArithmeticOp::Modulo => a % b,
            };
            if result.is_finite() { V::Float(result) } else { V::Null }
        }
        _ => V::Null,
    }
}

fn int64(n: i128) -> V {
    int(n)
}

/// Simple case folding by characters: the lower case of the upper case, where each is one character.
fn fold(text: &str) -> Vec<char> {
    let single =
        |mut chars: Box<dyn Iterator<Item = char>>, original: char| match (chars.next(), chars.next()) {
            (Some(c), None) => c,
            _ => original,
        };
    text.chars()
        .map(|c| {
            let upper = single(Box::new(c.to_uppercase()), c);
            single(Box::new(upper.to_lowercase()), upper)
        })
        .collect()
}

fn glob<P: AsRef<[char]>, T: AsRef<[char]>>(pattern: P, text: T) -> bool {
    let (pattern, text) = (pattern.as_ref(), text.as_ref());
    // matched[j]: the pattern so far covers text[..j].
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        match p {
            '*' => {
                let mut any = false;
                for (j, slot) in next.iter_mut().enumerate() {
                    any |= matched[j];
                    *slot = any;
                }
            }
            '?' => next[1..].copy_from_slice(&matched[..text.len()]),
            c => {
                for j in 0..text.len() {
                    next[j + 1] = matched[j] && text[j] == *c;
                }
            }
        }
        matched = next;
    }
    matched[text.len()]
}

fn in_block(ip: IpAddr, block: &str) -> bool {
    let (network, prefix) = block.split_once('/').map_or((block, None), |(a, b)| (a, Some(b)));
    let network: IpAddr = network.parse().unwrap();
    let longest = if network.is_ipv4() { 32 } else { 128 };
    let mut prefix: u32 = prefix.map_or(longest, |digits| digits.parse().unwrap());
    // Both as IPv6; an IPv4 block is a block of ::ffff:0:0/96.
    if network.is_ipv4() {
        prefix += 96;
    }
    (0..prefix).all(|bit| {
        let bit_of = |ip: IpAddr| (u128::from(v6(ip)) >> (127 - bit)) & 1;
        bit_of(network) == bit_of(ip)
    })
}

/// The functions, restated from the manual.
fn function(name: &str, folded: bool, arguments: &[V]) -> V {
    let argument = |i: usize| arguments.get(i).cloned().unwrap_or(V::Null);
    let text = |i: usize| match argument(i) {
        V::Text(text) => Some(text),
        _ => None,
    };
    let canonical = |text: &str| if folded { fold(text) } else { text.chars().collect() };
    let find = |haystack: &[char], needle: &[char], from: usize| -> Option<usize> {
        (from..=haystack.len().saturating_sub(needle.len()).max(from))
            .find(|at| haystack.len() >= at + needle.len() && haystack[*at..at + needle.len()] == *needle)
    };
    match name {
        "add" => arithmetic(ArithmeticOp::Add, &argument(0), &argument(1)),
        "subtract" => arithmetic(ArithmeticOp::Subtract, &argument(0), &argument(1)),
        "multiply" => arithmetic(ArithmeticOp::Multiply, &argument(0), &argument(1)),
        "divide" => arithmetic(ArithmeticOp::Divide, &argument(0), &argument(1)),
        "modulo" => arithmetic(ArithmeticOp::Modulo, &argument(0), &argument(1)),
        "cidrmatch" => {
            let Some(ip) = ip_of(&argument(0)) else { return V::Null };
            V::Boolean(arguments[1..].iter().any(|block| match block {
                V::Text(block) => in_block(ip, block),
                _ => false,
            }))
        }
        "concat" => arguments
            .iter()
            .map(text_of)
            .collect::<Option<Vec<_>>>()
            .map_or(V::Null, |all| V::Text(all.concat())),
        "string" => text_of(&argument(0)).map_or(V::Null, V::Text),
        "length" => text(0).map_or(V::Null, |text| int(text.encode_utf16().count() as i128)),
        "startswith" | "endswith" | "stringcontains" => {
            let (Some(source), Some(part)) = (text(0), text(1)) else { return V::Null };
            let (source, part) = (canonical(&source), canonical(&part));
            V::Boolean(match name {
                "startswith" => source.starts_with(&part),
                "endswith" => source.ends_with(&part),
                _ => !part.is_empty() && find(&source, &part, 0).is_some(),
            })
        }
        "indexof" => {
            let (Some(source), Some(part)) = (text(0), text(1)) else { return V::Null };
            let (source, part) = (canonical(&source), canonical(&part));
            let start = match argument(2) {
                V::Integer(n) => usize::try_from(n.max(0)).unwrap(),
                _ => 0,
            };
            if part.is_empty() {
                return int(start.min(source.len()) as i128);
            }
            if start > source.len() {
                return V::Null;
            }
            find(&source, &part, start).map_or(V::Null, |at| int(at as i128))
        }
        "substring" => {
            let Some(source) = text(0) else { return V::Null };
            let units: Vec<char> = source.chars().collect();
            let at = |value: V, default: usize| match value {
                V::Integer(n) if n < 0 => usize::try_from((units.len() as i128 + n).max(0)).unwrap(),
                V::Integer(n) => usize::try_from(n.min(units.len() as i128)).unwrap(),
                _ => default,
            };
            let (start, end) = (at(argument(1), 0), at(argument(2), units.len()));
            V::Text(if start < end { units[start..end].iter().collect() } else { String::new() })
        }
        "between" => {
            let (Some(source), Some(left), Some(right)) = (text(0), text(1), text(2)) else { return V::Null };
            if source.is_empty() || left.is_empty() || right.is_empty() {
                return V::Text(source);
            }
            let greedy = matches!(argument(3), V::Boolean(true));
            let original: Vec<char> = source.chars().collect();
            let (source, left, right) = (canonical(&source), canonical(&left), canonical(&right));
            let Some(from) = find(&source, &left, 0).map(|at| at + left.len()) else {
                return V::Text(String::new());
            };
            let to = if greedy {
                (0..=source.len().saturating_sub(right.len()))
                    .rev()
                    .find(|at| source[*at..].starts_with(&right))
            } else {
                find(&source, &right, from)
            };
            match to {
                Some(to) if to >= from => V::Text(original[from..to].iter().collect()),
                _ => V::Text(String::new()),
            }
        }
        "number" => {
            let Some(source) = text(0) else { return V::Null };
            let source = source.trim();
            let base = match argument(1) {
                V::Integer(n) => Some(u32::try_from(n).unwrap()),
                _ => None,
            };
            if let (None | Some(16), Some(digits)) = (base, source.strip_prefix("0x")) {
                return i64::from_str_radix(digits, 16).map_or(V::Null, |n| int(i128::from(n)));
            }
            match base {
                None | Some(10) => number_of(&V::Text(source.to_owned())).unwrap_or(V::Null),
                Some(base) => i64::from_str_radix(source, base).map_or(V::Null, |n| int(i128::from(n))),
            }
        }
        "wildcard" => {
            let Some(source) = text(0) else { return V::Null };
            V::Boolean(arguments[1..].iter().any(|pattern| match pattern {
                V::Text(pattern) => glob(canonical(pattern), canonical(&source)),
                _ => false,
            }))
        }
        _ => V::Null,
    }
}
