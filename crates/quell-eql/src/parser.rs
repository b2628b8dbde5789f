//! The parser: recursive descent over the tokens of a query, from the whole down to its steps and pipes.
//!
//! The first syntax error ends it. What is wrong in structure only (join keys, pipes, what a dialect lacks) is
//! collected, since the rest can still be read. Source: Elasticsearch, "EQL syntax reference" and "EQL pipe reference".

mod condition;
mod cursor;
mod shape;

use quell_ir::{Code, Diagnostic, Span, diagnostic};

use crate::Dialect;
use crate::ast::{
    Body, Category, Expr, Filter, Fork, Join, Maxspan, Name, Pipe, Query, Runs, Sample, Sequence, Step,
    TimeUnit,
};
use crate::lexer::{self, Comment, Keyword, Sign, TokenKind};
use crate::limits::{MAX_RUNS, MAX_SOURCE_BYTES};
use cursor::{Found, Parser};

/// Parses a whole query.
///
/// # Errors
/// One finding for a syntax error, or every structural one, in the order of the text.
pub fn parse(source: &str, dialect: Dialect) -> Result<Query, Vec<Diagnostic>> {
    parse_with_comments(source, dialect).map(|(query, _)| query)
}

/// Parses a condition alone: what may stand behind `where`.
///
/// # Errors
/// As [`parse`].
pub fn parse_condition(source: &str, dialect: Dialect) -> Result<Expr, Vec<Diagnostic>> {
    run(source, dialect, |parser| {
        let condition = parser.condition()?;
        parser.expect_end("`and`, `or` or the end of the condition")?;
        Ok(condition)
    })
    .map(|(condition, _)| condition)
}

pub(crate) fn parse_with_comments(
    source: &str,
    dialect: Dialect,
) -> Result<(Query, Vec<Comment>), Vec<Diagnostic>> {
    run(source, dialect, Parser::query)
}

fn run<'s, T>(
    source: &'s str,
    dialect: Dialect,
    read: impl FnOnce(&mut Parser<'s>) -> Found<T>,
) -> Result<(T, Vec<Comment>), Vec<Diagnostic>> {
    if source.len() > MAX_SOURCE_BYTES {
        let message =
            format!("the query has {} bytes, and {MAX_SOURCE_BYTES} are read at most", source.len());
        return Err(vec![Diagnostic::new(Code::QUERY_TOO_LONG, message)]);
    }
    let mut lexed = lexer::lex(source, dialect);
    let comments = std::mem::take(&mut lexed.comments);
    let mut parser = Parser::new(source, dialect, lexed);
    match read(&mut parser) {
        Err(finding) => Err(vec![*finding]),
        Ok(tree) => match parser.into_findings() {
            findings if findings.is_empty() => Ok((tree, comments)),
            findings => Err(findings),
        },
    }
}

impl Parser<'_> {
    fn query(&mut self) -> Found<Query> {
        let start = self.span();
        let body = match self.kind() {
            // A keyword before `where` is meant as a category, which `filter` answers.
            TokenKind::Keyword(_) if self.kind_after(1) == TokenKind::Keyword(Keyword::Where) => {
                Body::Event(self.filter()?)
            }
            TokenKind::Keyword(Keyword::Sequence) => Body::Sequence(self.sequence()?),
            TokenKind::Keyword(Keyword::Sample) => Body::Sample(self.sample()?),
            TokenKind::Keyword(Keyword::Join) => Body::Join(self.join()?),
            _ => Body::Event(self.filter()?),
        };
        self.check_shape(&body);
        let mut pipes = Vec::new();
        while self.eat_sign(Sign::Bar) {
            pipes.push(self.pipe()?);
        }
        self.expect_end(match body {
            _ if !pipes.is_empty() => "a further pipe or the end of the query",
            Body::Event(_) => "`and`, `or`, a pipe or the end of the query",
            Body::Sequence(Sequence { until: None, .. }) => {
                "a further step, `until`, a pipe or the end of the query"
            }
            _ => "a further step, a pipe or the end of the query",
        })?;
        Ok(Query { body, pipes, span: start.to(self.previous_span()) })
    }

    /// `category where condition`
    fn filter(&mut self) -> Found<Filter> {
        let start = self.span();
        let category = self.category()?;
        if !self.eat_keyword(Keyword::Where) {
            return Err(self.no_where(&category));
        }
        let condition = self.condition()?;
        Ok(Filter { span: start.to(condition.span), category, condition })
    }

    fn category(&mut self) -> Found<Category> {
        let span = self.span();
        let text = self.text();
        let name = match self.kind() {
            TokenKind::Keyword(Keyword::Any) => None,
            TokenKind::Word => Some(text.into()),
            TokenKind::Text | TokenKind::RawText => {
                let name = lexer::decode_text(text);
                self.refuse_in_endgame(
                    "an event category in quotes",
                    span,
                    &format!("write `{name} where …`"),
                );
                Some(name.into())
            }
            TokenKind::QuotedWord => {
                let name = lexer::unquote_word(text);
                let help = format!("write it in double quotes: `\"{name}\" where …`");
                let message = "an event category does not stand in backticks";
                return Err(Box::new(Diagnostic::new(Code::QUOTED_CATEGORY, message).at(span).help(help)));
            }
            TokenKind::Keyword(keyword) if self.kind_after(1) == TokenKind::Keyword(Keyword::Where) => {
                let word = keyword.as_str();
                let finding = Diagnostic::new(
                    Code::KEYWORD_AS_NAME,
                    format!("`{word}` is a keyword, so it cannot name a category"),
                );
                return Err(Box::new(
                    finding.at(span).help(format!("write it in double quotes: `\"{word}\" where …`")),
                ));
            }
            _ => return Err(self.unexpected("an event category, such as `process` or `any`")),
        };
        self.advance();
        Ok(Category { name, text: text.into(), span })
    }

    /// What to say where `where` should follow the category.
    fn no_where(&mut self, category: &Category) -> Box<Diagnostic> {
        if self.kind() == TokenKind::Word
            && let Some(help) = diagnostic::did_you_mean(&diagnostic::near_names(self.text(), ["where"]))
            && !self.is_foreign_case()
        {
            return Box::new(self.unexpected_here("`where`").help(help));
        }
        let operator = match self.kind() {
            TokenKind::Sign(sign) => {
                !matches!(sign, Sign::StepOpen | Sign::StepClose | Sign::Bar | Sign::MissingOpen)
            }
            TokenKind::Keyword(keyword) => !matches!(keyword, Keyword::By | Keyword::With | Keyword::Until),
            _ => false,
        };
        if operator && !self.is_foreign_case() {
            let finding =
                Diagnostic::new(Code::NO_CATEGORY, "a query begins with an event category and `where`");
            let help = "put `any where` in front, or a category: `process where …`";
            return Box::new(
                finding.at(category.span.to(self.span())).label("a condition stands here").help(help),
            );
        }
        self.unexpected("`where`")
    }

    fn sequence(&mut self) -> Found<Sequence> {
        let start = self.span();
        self.advance();
        let mut by = self.keys()?;
        let maxspan =
            if self.kind() == TokenKind::Keyword(Keyword::With) { Some(self.with_maxspan()?) } else { None };
        if by.is_empty() && self.dialect() == Dialect::Endgame {
            by = self.keys()?;
        } else if maxspan.is_some() && self.kind() == TokenKind::Keyword(Keyword::By) {
            let span = self.span();
            let late = self.keys()?;
            let whole = span.to(self.previous_span());
            let message = "`by` stands before `with maxspan`, not behind it";
            let help = format!("write `sequence {} with maxspan=…`", self.shorten(whole));
            self.report(Diagnostic::new(Code::CLAUSE_ORDER, message).at(whole).help(help));
            by.extend(late);
        }
        let steps = self.steps(if maxspan.is_some() { "`[`" } else { "`by`, `with maxspan` or `[`" })?;
        let until = self.until()?;
        Ok(Sequence { by, maxspan, steps, until, span: start.to(self.previous_span()) })
    }

    fn sample(&mut self) -> Found<Sample> {
        let start = self.span();
        self.refuse_in_endgame("`sample`", start, "use `join`");
        self.advance();
        let by = self.keys()?;
        if self.kind() == TokenKind::Keyword(Keyword::With) {
            let span = self.span();
            self.with_maxspan()?;
            self.report_not_in_sample("with maxspan", span.to(self.previous_span()));
        }
        let steps = self.steps("`by` or `[`")?;
        let end = self.previous_span();
        for step in &steps {
            if step.missing {
                self.report_not_in_sample("![", Span { start: step.span.start, end: step.span.start + 2 });
            }
            if let Some(runs) = &step.runs {
                self.report_not_in_sample("with runs", runs.span);
            }
        }
        let span = self.span();
        if self.until()?.is_some() {
            self.report_not_in_sample("until", span);
        }
        Ok(Sample { by, steps, span: start.to(end) })
    }

    fn report_not_in_sample(&mut self, what: &str, span: Span) {
        let message = format!("a sample has no order and no time, so `{what}` means nothing in it");
        self.report(
            Diagnostic::new(Code::NOT_IN_SAMPLE, message).at(span).help("remove it, or write `sequence`"),
        );
    }

    fn join(&mut self) -> Found<Join> {
        let start = self.span();
        if self.dialect() != Dialect::Endgame {
            let finding = Diagnostic::new(Code::JOIN_UNSUPPORTED, "`join` is not supported");
            let help = "use `sequence` for events in order, `sample` for events in any order";
            self.report(finding.at(start).help(help));
        }
        self.advance();
        let by = self.keys()?;
        let steps = self.steps("`by` or `[`")?;
        let until = self.until()?;
        Ok(Join { by, steps, until, span: start.to(self.previous_span()) })
    }

    /// `[ by key { , key } ]`
    fn keys(&mut self) -> Found<Vec<Expr>> {
        let mut keys = Vec::new();
        if !self.eat_keyword(Keyword::By) {
            return Ok(keys);
        }
        loop {
            let key = self.condition()?;
            if self.dialect() != Dialect::Endgame && key.as_field().is_none() {
                let message = format!("a join key is a field, and `{}` is none", self.shorten(key.span));
                self.report(
                    Diagnostic::new(Code::JOIN_KEY_NOT_FIELD, message).at(key.span).help("name a field"),
                );
            }
            keys.push(key);
            if !self.eat_sign(Sign::Comma) || self.is_after_last(TokenKind::Sign(Sign::StepOpen)) {
                return Ok(keys);
            }
        }
    }

    /// `with maxspan = 30s`
    fn with_maxspan(&mut self) -> Found<Maxspan> {
        self.advance();
        if !self.eat_keyword(Keyword::Maxspan) {
            return Err(self.unexpected("`maxspan`"));
        }
        self.expect_assignment()?;
        let start = self.span();
        let negative = self.eat_sign(Sign::Minus);
        let number = self.text();
        let whole = match self.kind() {
            TokenKind::Integer => true,
            TokenKind::Decimal => false,
            _ => return Err(self.unexpected("a number and a unit, such as `30s`")),
        };
        self.advance();
        let unit_text = (self.kind() == TokenKind::Word).then(|| self.text());
        if unit_text.is_some() {
            self.advance();
        }
        let span = start.to(self.previous_span());
        let finding = |code, message: String| Diagnostic::new(code, message).at(span);
        let unit = unit_text.and_then(|text| TimeUnit::ALL.into_iter().find(|unit| unit.as_str() == text));
        let amount = number.parse::<u64>().ok();
        let fits = |unit: TimeUnit, n: u64| {
            n > 0 && n.checked_mul(unit.milliseconds()).is_some_and(|ms| i64::try_from(ms).is_ok())
        };
        match (whole, unit_text, unit, amount) {
            (false, _, _, _) => {
                let message = format!("`maxspan` is a whole number with a unit, and `{number}` is not whole");
                self.report(
                    finding(Code::MAXSPAN_DECIMAL, message)
                        .help("use a smaller unit, such as `90s` for one and a half minutes"),
                );
            }
            (true, None, _, _) => {
                let message = format!("`maxspan={number}` has no unit");
                self.report(
                    finding(Code::MAXSPAN_WITHOUT_UNIT, message).help(format!("did you mean `{number}s`?")),
                );
            }
            (true, Some(text), None, _) => {
                let message = format!("`{text}` is no unit of time");
                self.report(finding(Code::MAXSPAN_UNIT, message).help(unit_help(number, text)));
            }
            (true, _, Some(unit), Some(amount)) if !negative && fits(unit, amount) => {
                return Ok(Maxspan { amount, unit, span });
            }
            (true, _, Some(_), amount) => {
                let (message, help) = if negative || amount == Some(0) {
                    ("`maxspan` is not positive", "leave `with maxspan` out for no limit")
                } else {
                    ("`maxspan` is too long", "at most what fits 63 bits of milliseconds")
                };
                self.report(finding(Code::MAXSPAN_RANGE, message.to_owned()).help(help));
            }
        }
        // Reported: the rest is read with any value.
        Ok(Maxspan { amount: 1, unit: TimeUnit::Seconds, span })
    }

    fn steps(&mut self, expected: &str) -> Found<Vec<Step>> {
        let mut steps = Vec::new();
        while matches!(self.kind(), TokenKind::Sign(Sign::StepOpen | Sign::MissingOpen)) {
            steps.push(self.step()?);
        }
        if steps.is_empty() {
            return Err(self.unexpected(expected));
        }
        Ok(steps)
    }

    fn until(&mut self) -> Found<Option<Box<Step>>> {
        if !self.eat_keyword(Keyword::Until) {
            return Ok(None);
        }
        if self.kind() != TokenKind::Sign(Sign::StepOpen) {
            return Err(self.unexpected("`[`"));
        }
        let step = self.step()?;
        if let Some(runs) = &step.runs {
            let finding = Diagnostic::new(
                Code::UNEXPECTED_TOKEN,
                "`until` is one event, so `with runs` means nothing for it",
            );
            self.report(finding.at(runs.span).help("remove it"));
        }
        Ok(Some(Box::new(step)))
    }

    /// `[ filter ]` or `![ filter ]`, then `by`, `with runs`, `as` and `fork`, in this order.
    fn step(&mut self) -> Found<Step> {
        let open = self.span();
        let missing = self.kind() == TokenKind::Sign(Sign::MissingOpen);
        if missing {
            self.refuse_in_endgame("a missing event", open, "remove the `!`");
        }
        self.advance();
        let filter = self.filter()?;
        let close = self.expect_close(Sign::StepClose, open, "`and`, `or` or `]`")?;
        // The Endgame dialect has it in front of the keys.
        let early = self.dialect() == Dialect::Endgame && self.is_word("fork");
        let mut fork = if early { Some(self.fork()?) } else { None };
        let mut by = self.keys()?;
        let runs = if self.kind() == TokenKind::Keyword(Keyword::With) { self.with_runs()? } else { None };
        if runs.is_some() && self.kind() == TokenKind::Keyword(Keyword::By) {
            let span = self.span();
            by.extend(self.keys()?);
            let whole = span.to(self.previous_span());
            let finding =
                Diagnostic::new(Code::CLAUSE_ORDER, "`by` stands before `with runs`, not behind it");
            let help = format!("write `[…] {} with runs=…`", self.shorten(whole));
            self.report(finding.at(whole).help(help));
        }
        let alias = if self.is_word("as") { Some(self.alias()?) } else { None };
        if !early && self.is_word("fork") {
            let late = self.fork()?;
            if self.dialect() == Dialect::Endgame {
                let finding = Diagnostic::new(Code::CLAUSE_ORDER, "`fork` stands before `by`, not behind it");
                self.report(finding.at(late.span).help("write `[…] fork by …`"));
            }
            fork = Some(late);
        }
        Ok(Step { missing, filter, by, runs, alias, fork, span: open.to(self.previous_span()), close })
    }

    /// `with runs = 3`
    fn with_runs(&mut self) -> Found<Option<Runs>> {
        let start = self.span();
        self.advance();
        if !self.is_word("runs") {
            let finding = if self.kind() == TokenKind::Keyword(Keyword::Maxspan) {
                Box::new(self.unexpected_here("`runs`").help("`with maxspan` stands before the first step"))
            } else {
                self.unexpected("`runs`")
            };
            return Err(finding);
        }
        self.advance();
        self.refuse_in_endgame("`with runs`", start.to(self.previous_span()), "write the step several times");
        self.expect_assignment()?;
        let sign = self.eat_sign(Sign::Minus);
        let number = self.text();
        if !matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal) {
            return Err(self.unexpected("a number from 1 to 100"));
        }
        self.advance();
        let span = start.to(self.previous_span());
        let count = number.parse::<u32>().ok().filter(|n| !sign && (1..=MAX_RUNS).contains(&u64::from(*n)));
        if count.is_none() {
            let minus = if sign { "-" } else { "" };
            let message = format!("`runs` is an integer from 1 to {MAX_RUNS}, and `{minus}{number}` is not");
            self.report(
                Diagnostic::new(Code::RUNS_RANGE, message).at(span).help("leave it out for one event"),
            );
        }
        // Where it was refused, any number will do for the checks that follow.
        Ok(Some(Runs { count: count.unwrap_or(2), span }))
    }

    /// `as event0`
    fn alias(&mut self) -> Found<Name> {
        let start = self.span();
        self.advance();
        if self.kind() != TokenKind::Word {
            return Err(self.unexpected("a name for the step, such as `event0`"));
        }
        let name = Name { text: self.text().into(), span: self.span() };
        self.advance();
        if self.dialect() != Dialect::Endpoint {
            let finding =
                Diagnostic::new(Code::ALIAS_UNSUPPORTED, "a step cannot be given a name in this dialect");
            let help = "join the steps with `by`, or select the endpoint dialect";
            self.report(finding.at(start.to(name.span)).help(help));
        }
        Ok(name)
    }

    /// Reports what the Endgame dialect does not have.
    pub(in crate::parser) fn refuse_in_endgame(&mut self, what: &str, span: Span, help: &str) {
        if self.dialect() == Dialect::Endgame {
            let message = format!("the endgame dialect does not have {what}");
            self.report(Diagnostic::new(Code::NOT_IN_ENDGAME, message).at(span).help(help));
        }
    }

    /// Whether a comma was the one behind the last member, which the Endgame dialect allows.
    pub(in crate::parser) fn is_after_last(&self, closing: TokenKind) -> bool {
        self.dialect() == Dialect::Endgame && (self.kind() == closing || self.kind() == TokenKind::End)
    }

    fn is_further_atom(&self) -> bool {
        self.dialect() == Dialect::Endgame
            && matches!(
                self.kind(),
                TokenKind::Word
                    | TokenKind::QuotedWord
                    | TokenKind::Integer
                    | TokenKind::Decimal
                    | TokenKind::Text
                    | TokenKind::RawText
            )
    }

    /// `fork`, `fork=true`, `fork=false`
    fn fork(&mut self) -> Found<Fork> {
        let start = self.span();
        self.advance();
        let mut value = true;
        if self.eat_sign(Sign::Assign) {
            value = match self.kind() {
                TokenKind::Keyword(Keyword::True) => true,
                TokenKind::Keyword(Keyword::False) => false,
                _ => return Err(self.unexpected("`true` or `false`")),
            };
            self.advance();
        }
        let span = start.to(self.previous_span());
        if self.dialect() != Dialect::Endgame {
            self.report(
                Diagnostic::new(Code::FORK_UNSUPPORTED, "`fork` is not supported").at(span).help("remove it"),
            );
        }
        Ok(Fork { value, span })
    }

    /// The bar is read already.
    fn pipe(&mut self) -> Found<Pipe> {
        let start = self.previous_span();
        if self.kind() != TokenKind::Word {
            return Err(self.unexpected("the name of a pipe, `head` or `tail`"));
        }
        let name = Name { text: self.text().into(), span: self.span() };
        self.advance();
        let mut arguments = Vec::new();
        if !matches!(self.kind(), TokenKind::Sign(Sign::Bar) | TokenKind::End) {
            loop {
                arguments.push(self.condition()?);
                // The Endgame dialect has them with blanks between too.
                if !self.eat_sign(Sign::Comma) && !self.is_further_atom()
                    || self.is_after_last(TokenKind::Sign(Sign::Bar))
                {
                    break;
                }
            }
        }
        let pipe = Pipe { name, arguments, span: start.to(self.previous_span()) };
        self.check_pipe(&pipe);
        Ok(pipe)
    }
}

fn unit_help(number: &str, text: &str) -> String {
    const WORDS: [(&str, TimeUnit); 5] = [
        ("ms milli millis millisecond milliseconds", TimeUnit::Milliseconds),
        ("s sec secs second seconds", TimeUnit::Seconds),
        ("m min mins minute minutes", TimeUnit::Minutes),
        ("h hr hrs hour hours", TimeUnit::Hours),
        ("d day days", TimeUnit::Days),
    ];
    let lower = text.to_ascii_lowercase();
    let meant = WORDS.iter().find(|(words, _)| words.split(' ').any(|word| word == lower));
    match meant {
        Some((_, unit)) => format!("did you mean `{number}{}`?", unit.as_str()),
        None => "the units are `ms`, `s`, `m`, `h` and `d`".to_owned(),
    }
}
