//! Values: the predicate of a field and a value, by the field's type.

use super::{Lowerer, Named, Target, merge};
use crate::date_math::{self, Math};
use crate::limits::MAX_TERMS;
use crate::{Language, Literal};
use quell_ir::date::{Instants, parse_instants};
use quell_ir::expr::CompareOp;
use quell_ir::pattern::{Regex, RegexError, Token, Wildcard};
use quell_ir::plain::{compared, in_dates, keyword, like, regex};
use quell_ir::predicate::{Analyzer, TermTest};
use quell_ir::{Case, Code, Condition, Diagnostic, FieldRef, FieldType, Predicate, Span, Value};
use std::sync::Arc;

const NEVER: Condition = Condition::Constant(false);

impl Lowerer<'_> {
    /// The target has this value.
    pub(crate) fn value(&mut self, target: &Target, value: &Literal, span: Span) -> Condition {
        if !value.quoted && value.plain() == Some("null") && self.language == Language::Kql {
            return self.null(target, value);
        }
        self.check_path(value);
        match target {
            Target::Field(named) if value.is_lone_wildcard() => self.exists(named, span),
            Target::Field(named) => self.field_value(named, value, span),
            Target::Names(pattern) => self.names(pattern, value, span),
            Target::Any if value.is_lone_wildcard() => Condition::Constant(true),
            Target::Any if !self.nested.is_empty() => {
                self.not_in_nested("free text", value.span);
                NEVER
            }
            Target::Any => self.everywhere(None, value, span),
            Target::Nothing => NEVER,
        }
    }

    /// The target stands in this order to a value.
    pub(crate) fn range(&mut self, target: &Target, op: CompareOp, value: &Literal, span: Span) -> Condition {
        let Some(text) = value.plain() else {
            return self.no_range(
                "a range needs a value without wildcards",
                value.span,
                "write the value out",
            );
        };
        let text: Arc<str> = text.into();
        match target {
            Target::Field(named) => self.compare(named, op, &text, value.span, span),
            Target::Names(pattern) => {
                let test = compared(nameless(), op, &Value::Text(text)).map(Box::new);
                test.map_or(NEVER, |test| {
                    Condition::leaf(Predicate::FieldNames { pattern: pattern.clone(), test }, span)
                })
            }
            Target::Any => self.no_range("a range needs a field", value.span, "name the field"),
            Target::Nothing => NEVER,
        }
    }

    /// A value of the target is covered by the expression (Lucene).
    pub(crate) fn regex(&mut self, target: &Target, source: &str, at: Span) -> Condition {
        let expression = match Regex::parse(source) {
            Ok(expression) => expression,
            Err(error) => {
                self.report(bad_regex(&error, at));
                return NEVER;
            }
        };
        let test = |field| regex(field, vec![expression.clone()], Case::Sensitive).into_iter().next();
        match target {
            Target::Field(named) => match (named.analyzer, named.field.kind) {
                (Some(analyzer), _) => {
                    let test = TermTest::Regex(expression);
                    Condition::leaf(Predicate::TextTerm { field: named.field.clone(), analyzer, test }, at)
                }
                (None, FieldType::Keyword | FieldType::Unknown | FieldType::Version) => {
                    let case = if named.caseless { Case::Folded } else { Case::Sensitive };
                    leaves(regex(named.field.clone(), vec![expression], case), at)
                }
                (None, _) => self.not_text(named, at),
            },
            Target::Names(pattern) => test(nameless()).map_or(NEVER, |test| {
                Condition::leaf(Predicate::FieldNames { pattern: pattern.clone(), test: Box::new(test) }, at)
            }),
            Target::Any => test(nameless())
                .map_or(NEVER, |test| Condition::leaf(Predicate::AnyField { test: Box::new(test) }, at)),
            Target::Nothing => NEVER,
        }
    }

    /// The target has a value at all.
    pub(crate) fn has_value(&mut self, target: &Target, span: Span) -> Condition {
        match target {
            Target::Field(named) => self.exists(named, span),
            Target::Names(pattern) => Condition::leaf(
                Predicate::FieldNames {
                    pattern: pattern.clone(),
                    test: Box::new(Predicate::Exists(nameless())),
                },
                span,
            ),
            Target::Any => Condition::Constant(true),
            Target::Nothing => NEVER,
        }
    }

    fn exists(&mut self, named: &Named, span: Span) -> Condition {
        Condition::leaf(Predicate::Exists(named.field.clone()), span)
    }

    fn field_value(&mut self, named: &Named, value: &Literal, span: Span) -> Condition {
        if let Some(analyzer) = named.analyzer {
            return self.text_value(&named.field, analyzer, value, span);
        }
        match (named.field.kind, value.plain()) {
            (FieldType::Object | FieldType::Nested | FieldType::Unsupported, _) => self.unusable(named),
            (FieldType::Flattened, _) => {
                let members = [Token::Literal(format!("{}.", named.field.path).into()), Token::AnyRun];
                self.names(&Wildcard::from_tokens(members), value, span)
            }
            (FieldType::Keyword, Some(text)) => {
                let case = if named.caseless { Case::Folded } else { Case::Sensitive };
                leaves(keyword(&named.field, vec![text.into()], case), span)
            }
            (_, Some(text)) => self.compare(named, CompareOp::Equal, &text.into(), value.span, span),
            (FieldType::Keyword | FieldType::Unknown | FieldType::Version, None) => {
                let case = if named.caseless { Case::Folded } else { Case::Sensitive };
                leaves(like(named.field.clone(), vec![value.pattern.clone()], case), span)
            }
            (_, None) => self.not_text(named, value.span),
        }
    }

    /// A field of one type against a constant.
    fn compare(&mut self, named: &Named, op: CompareOp, text: &Arc<str>, at: Span, span: Span) -> Condition {
        let predicate = match named.field.kind {
            FieldType::Text => {
                return self.no_range("analysed text has no order", named.span, "use a keyword field");
            }
            FieldType::Object | FieldType::Nested | FieldType::Flattened | FieldType::Unsupported => {
                return self.unusable(named);
            }
            FieldType::Date => match self.instants(text, at) {
                Some(instants) => instants.map(|instants| in_dates(named.field.clone(), op, instants)),
                None => return NEVER,
            },
            // A range that is calculated is one of dates, even if no schema says so.
            FieldType::Unknown
                if op != CompareOp::Equal && date_math::read(text, self.options.now) != Math::Plain =>
            {
                match self.instants(text, at) {
                    Some(instants) => instants.map(|instants| in_dates(named.field.clone(), op, instants)),
                    None => return NEVER,
                }
            }
            _ => compared(named.field.clone(), op, &Value::Text(Arc::clone(text))),
        };
        if let Some(predicate) = predicate {
            return Condition::leaf(predicate, span);
        }
        let what = match named.field.kind {
            FieldType::Date | FieldType::Unknown => "a date",
            FieldType::Ip => "an address",
            FieldType::Boolean => "a boolean",
            _ => "a number",
        };
        let message = format!("`{}` cannot be read as {what}, so this matches no event", self.text(at));
        let finding = Diagnostic::new(Code::CONSTANT_MISFIT, message).at(at).label(format!(
            "`{}` is {}",
            named.written,
            named.field.kind.as_str()
        ));
        self.report(finding.help(match named.field.kind {
            FieldType::Date | FieldType::Unknown => "write an instant such as \"2024-05-01T10:00:00Z\"",
            FieldType::Ip if op == CompareOp::Equal => "write an address or a block such as \"10.0.0.0/8\"",
            FieldType::Ip => "write one address",
            FieldType::Boolean => "write `true` or `false`",
            _ => "correct the value",
        }));
        NEVER
    }

    /// The instants of a date: none where it is no date, nothing at all where that was reported.
    fn instants(&mut self, text: &str, at: Span) -> Option<Option<Instants>> {
        match date_math::read(text, self.options.now) {
            Math::Plain => Some(parse_instants(text)),
            Math::Malformed => Some(None),
            Math::Instants(instants) => Some(Some(instants)),
            Math::NoClock => {
                let message = format!("`{}` depends on when the query runs", self.text(at));
                let finding = Diagnostic::new(Code::RELATIVE_DATE, message).at(at);
                self.report(finding.label("relative date").help(
                    "write an instant such as \"2024-05-01T10:00:00Z\", or leave the time to `--since` and `--until`",
                ));
                None
            }
        }
    }

    /// A value of analysed text: a phrase where it is quoted, else any of its terms, else patterns of terms.
    fn text_value(&mut self, field: &FieldRef, analyzer: Analyzer, value: &Literal, span: Span) -> Condition {
        if let Some(text) = value.plain() {
            let mut terms: Vec<Arc<str>> = analyzer.terms(text).into_iter().map(Arc::from).collect();
            if terms.is_empty() {
                let message = format!("`{}` holds no word, so it matches no event", self.text(value.span));
                self.report(
                    Diagnostic::new(Code::NO_TERMS, message)
                        .at(value.span)
                        .label("analysed text")
                        .help("write a word of the text"),
                );
                return NEVER;
            }
            if terms.len() > MAX_TERMS {
                let message = format!("a text of {} words, {MAX_TERMS} are the most", terms.len());
                self.report(Diagnostic::new(Code::QUERY_TOO_LONG, message).at(value.span).help("shorten it"));
                return NEVER;
            }
            let of = |terms| Predicate::Text { field: field.clone(), analyzer, terms };
            if value.quoted {
                return Condition::leaf(of(terms), span);
            }
            terms.sort_unstable();
            terms.dedup();
            return Condition::any(terms.into_iter().map(|term| Condition::leaf(of(vec![term]), span)));
        }
        let words: Vec<Condition> = words(value.pattern.tokens())
            .into_iter()
            .map(|word| self.text_pattern(field, analyzer, word, (value.span, span)))
            .collect();
        merge::any(words)
    }

    /// One word of a pattern, held against one term.
    fn text_pattern(
        &mut self,
        field: &FieldRef,
        analyzer: Analyzer,
        word: Vec<Token>,
        (at, span): (Span, Span),
    ) -> Condition {
        let any_of = |terms: Vec<String>| {
            let term = |term: String| {
                let terms = vec![Arc::from(term)];
                Condition::leaf(Predicate::Text { field: field.clone(), analyzer, terms }, span)
            };
            terms.into_iter().map(term).collect::<Vec<_>>()
        };
        let pattern = Wildcard::from_tokens(word);
        if pattern.is_everything() {
            return Condition::leaf(Predicate::Exists(field.clone()), span);
        }
        if let Some(text) = pattern.as_literal() {
            return Condition::any(any_of(analyzer.terms(text)));
        }
        let of = |pattern: Wildcard| {
            let test = TermTest::Wildcard(pattern.folded());
            Condition::leaf(Predicate::TextTerm { field: field.clone(), analyzer, test }, span)
        };
        // With `analyze_wildcard` a prefix is split as text is, and only its last term stays a prefix.
        if self.language == Language::Lucene
            && let [Token::Literal(text), Token::AnyRun] = pattern.tokens()
        {
            let mut terms = analyzer.terms(text);
            if let Some(last) = terms.pop().filter(|_| text.ends_with(|c: char| analyzer.keeps(c))) {
                let prefix = of(Wildcard::starts_with(&last));
                return Condition::any(any_of(terms).into_iter().chain([prefix]));
            }
        }
        let literals = pattern.tokens().iter().filter_map(|token| match token {
            Token::Literal(text) => Some(text),
            Token::AnyChar | Token::AnyRun => None,
        });
        if let Some(c) = literals.flat_map(|text| text.chars()).find(|c| !analyzer.keeps(*c)) {
            let message = format!("`{}` matches no event: no word of the text holds `{c}`", self.text(at));
            self.report(
                Diagnostic::new(Code::PATTERN_ON_TEXT, message)
                    .at(at)
                    .label("analysed text")
                    .help("write a phrase in double quotes, whose words stand next to each other"),
            );
        }
        of(pattern)
    }

    /// Some field whose name is covered has the value.
    fn names(&mut self, names: &Wildcard, value: &Literal, span: Span) -> Condition {
        if !self.nested.is_empty() {
            self.not_in_nested("a pattern of names", span);
            return NEVER;
        }
        if value.is_lone_wildcard() {
            return self.has_value(&Target::Names(names.clone()), span);
        }
        self.everywhere(Some(names), value, span)
    }

    /// The fields of these names, or all fields: by the value at hand, and analysed text by its terms.
    fn everywhere(&mut self, names: Option<&Wildcard>, value: &Literal, span: Span) -> Condition {
        let tests = match value.plain() {
            Some(text) => {
                compared(nameless(), CompareOp::Equal, &Value::Text(text.into())).into_iter().collect()
            }
            None => like(nameless(), vec![value.pattern.clone()], Case::Sensitive),
        };
        let mut parts: Vec<Condition> = tests
            .into_iter()
            .map(|test| {
                let test = Box::new(test);
                let predicate = match names {
                    Some(names) => Predicate::FieldNames { pattern: names.clone(), test },
                    None => Predicate::AnyField { test },
                };
                Condition::leaf(predicate, span)
            })
            .collect();
        let quiet = self.findings.len();
        for (field, analyzer) in self.text_fields(names) {
            parts.push(self.text_value(&field, analyzer, value, span));
        }
        // What one field of many cannot hold is no finding.
        self.findings.truncate(quiet);
        Condition::any(parts)
    }

    /// Reports `"C:\Windows\notepad.exe"`, in which `\n` is a line break and `\W` is not.
    fn check_path(&mut self, value: &Literal) {
        if !value.quoted || self.language != Language::Kql {
            return;
        }
        let (mut itself, mut white) = (false, None);
        let mut chars = value.text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                continue;
            }
            match chars.next() {
                None | Some('\\' | '"' | 'u') => {}
                Some(c @ ('t' | 'n' | 'r')) => white = white.or(Some(c)),
                Some(_) => itself = true,
            }
        }
        if let Some(c) = white.filter(|_| itself) {
            let what = if c == 't' { "a tab" } else { "a line break" };
            let message = format!("`\\{c}` is {what}, though other backslashes of this text are themselves");
            self.report(
                Diagnostic::new(Code::PATH_ESCAPE, message)
                    .at(value.span)
                    .label("looks like a path")
                    .help("double every backslash"),
            );
        }
    }

    fn null(&mut self, target: &Target, value: &Literal) -> Condition {
        let help = match target {
            Target::Field(named) => format!("write `not {}: *` for events without the field", named.written),
            _ => "put it in double quotes if the text is meant".to_owned(),
        };
        let finding = Diagnostic::new(Code::QUERY_NULL, "no field holds the value `null`").at(value.span);
        self.report(finding.help(help));
        NEVER
    }

    fn unusable(&mut self, named: &Named) -> Condition {
        let written = &named.written;
        let (message, help) = match named.field.kind {
            FieldType::Unsupported => (
                format!("`{written}` is of a type that no condition can use"),
                "use another field".to_owned(),
            ),
            FieldType::Nested => (
                format!("`{written}` is a nested object and has no value of its own"),
                format!("name one of its members: `{written}:{{ … }}`"),
            ),
            _ => (
                format!("`{written}` is an object and has no value of its own"),
                format!("name one of its members: `{written}.…`"),
            ),
        };
        let finding = Diagnostic::new(Code::UNUSABLE_FIELD, message).at(named.span);
        self.report(finding.label(named.field.kind.as_str()).help(help));
        NEVER
    }

    fn not_text(&mut self, named: &Named, at: Span) -> Condition {
        let message = format!(
            "`{}` is of type {}, and wildcards and regular expressions are for texts",
            named.written,
            named.field.kind.as_str()
        );
        let help = match named.field.kind {
            FieldType::Ip => format!("write a block: `{}: \"10.0.0.0/8\"`", named.written),
            FieldType::Boolean => "write `true` or `false`".to_owned(),
            _ => format!("write a range: `{} >= …`", named.written),
        };
        let finding = Diagnostic::new(Code::WILDCARD_TYPE, message).at(at);
        self.report(finding.label(named.field.kind.as_str()).help(help));
        NEVER
    }

    fn no_range(&mut self, message: &str, at: Span, help: &str) -> Condition {
        self.report(Diagnostic::new(Code::RANGE_NOT_POSSIBLE, message).at(at).help(help));
        NEVER
    }
}

/// The field that a test of many fields names.
fn nameless() -> FieldRef {
    FieldRef::event("", FieldType::Unknown)
}

fn leaves(predicates: impl IntoIterator<Item = Predicate>, span: Span) -> Condition {
    Condition::any(predicates.into_iter().map(|predicate| Condition::leaf(predicate, span)))
}

fn bad_regex(error: &RegexError, at: Span) -> Diagnostic {
    let message = format!("not a regular expression that can run: {}", error.message);
    // The slash before it.
    let place = error.at.and_then(|offset| u32::try_from(offset + 1).ok());
    let start = place.map_or(at.start, |offset| at.start.saturating_add(offset).min(at.end));
    Diagnostic::new(Code::BAD_REGEX, message)
        .at(Span { start, end: at.end })
        .help("write a backslash before an operator that is meant as a character")
}

/// The words of a pattern, parted by white space.
fn words(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut words = vec![Vec::new()];
    for token in tokens {
        let Token::Literal(text) = token else {
            if let Some(word) = words.last_mut() {
                word.push(token.clone());
            }
            continue;
        };
        for (place, part) in text.split(char::is_whitespace).enumerate() {
            if place > 0 {
                words.push(Vec::new());
            }
            if let Some(word) = words.last_mut().filter(|_| !part.is_empty()) {
                word.push(Token::Literal(part.into()));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
