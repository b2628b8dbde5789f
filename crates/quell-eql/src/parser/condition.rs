//! Conditions and expressions, from `or` down to constants, fields and calls.

use std::sync::Arc;

use quell_ir::{Code, Diagnostic, Span, Value};

use super::cursor::{Found, Parser};
use crate::Dialect;
use crate::ast::{
    ArithmeticOp, Call, CompareOp, Expr, ExprKind, Field, FieldMark, Literal, MatchOp, Name, Relation,
    Segment,
};
use crate::lexer::{self, Keyword, Sign, TokenKind};

/// The function that binds a variable. Source: the published Endpoint behaviour rules.
const ARRAY_SEARCH: &str = "_arraysearch";

/// What begins a definition in files of the Endgame dialect, which quell does not read; reserved there.
const DEFINITIONS: [&str; 2] = ["const", "macro"];

impl<'s> Parser<'s> {
    /// `and-condition { or and-condition }`
    pub(super) fn condition(&mut self) -> Found<Expr> {
        self.chain(Keyword::Or, Self::and_condition, ExprKind::Or)
    }

    fn and_condition(&mut self) -> Found<Expr> {
        self.chain(Keyword::And, Self::not_condition, ExprKind::And)
    }

    /// Operands joined by `keyword`, as one flat node; a single operand is itself.
    fn chain(
        &mut self,
        keyword: Keyword,
        operand: fn(&mut Self) -> Found<Expr>,
        node: fn(Vec<Expr>) -> ExprKind,
    ) -> Found<Expr> {
        let first = operand(self)?;
        if self.kind() == TokenKind::Keyword(keyword) {
            self.chain_from(first, keyword, operand, node)
        } else {
            Ok(first)
        }
    }

    fn chain_from(
        &mut self,
        first: Expr,
        keyword: Keyword,
        operand: fn(&mut Self) -> Found<Expr>,
        node: fn(Vec<Expr>) -> ExprKind,
    ) -> Found<Expr> {
        self.enter()?;
        let start = first.span;
        let mut height = self.height;
        let mut operands = vec![first];
        while self.eat_keyword(keyword) {
            operands.push(operand(self)?);
            height = height.max(self.height);
        }
        self.leave(height + 1)?;
        Ok(Expr { kind: node(operands), span: start.to(self.previous_span()) })
    }

    fn not_condition(&mut self) -> Found<Expr> {
        if self.kind() == TokenKind::Keyword(Keyword::Not) { self.negation() } else { self.comparison() }
    }

    fn negation(&mut self) -> Found<Expr> {
        let start = self.span();
        self.enter()?;
        self.advance();
        let operand = self.not_condition()?;
        self.leave(self.height + 1)?;
        Ok(Expr { span: start.to(operand.span), kind: ExprKind::Not(Box::new(operand)) })
    }

    fn comparison(&mut self) -> Found<Expr> {
        let left = self.side()?;
        match self.compare_op() {
            Some(op) => self.compare_with(left, op),
            None if self.kind() == TokenKind::Sign(Sign::Assign) => Err(self.single_equals()),
            None => Ok(left),
        }
    }

    fn compare_with(&mut self, left: Expr, op: CompareOp) -> Found<Expr> {
        let mut height = self.height;
        self.advance();
        self.enter()?;
        let right = self.side()?;
        height = height.max(self.height);
        self.leave(height + 1)?;
        if let Some(next) = self.compare_op() {
            return Err(self.chained_comparison(left.span, right.span, next));
        }
        let span = left.span.to(right.span);
        Ok(Expr { kind: ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) }, span })
    }

    /// A side of a comparison. In the Endgame dialect `in` binds looser than arithmetic.
    fn side(&mut self) -> Found<Expr> {
        let operand = self.arithmetic(0)?;
        if self.dialect() == Dialect::Endgame { self.maybe_membership(operand) } else { Ok(operand) }
    }

    fn single_equals(&self) -> Box<Diagnostic> {
        let help = "write `==`, or `:` to compare text without case";
        Box::new(Diagnostic::new(Code::SINGLE_EQUALS, "`=` does not compare").at(self.span()).help(help))
    }

    fn chained_comparison(&self, left: Span, right: Span, next: CompareOp) -> Box<Diagnostic> {
        let (first, second) = (self.shorten(left.to(right)), self.shorten(right));
        let finding = Diagnostic::new(Code::CHAINED_COMPARISON, "comparisons cannot be chained");
        let help = format!("join two: `{first} and {second} {} …`", next.as_str());
        Box::new(finding.at(self.span()).label("a second comparison").help(help))
    }

    fn compare_op(&self) -> Option<CompareOp> {
        let TokenKind::Sign(sign) = self.kind() else { return None };
        Some(match sign {
            Sign::Equal => CompareOp::Equal,
            Sign::Assign if self.dialect() == Dialect::Endgame => CompareOp::Equal,
            Sign::NotEqual => CompareOp::NotEqual,
            Sign::Less => CompareOp::Less,
            Sign::LessOrEqual => CompareOp::LessOrEqual,
            Sign::Greater => CompareOp::Greater,
            Sign::GreaterOrEqual => CompareOp::GreaterOrEqual,
            _ => return None,
        })
    }

    /// Operands joined by operators that bind at least as tight as `at_least`, left-associative.
    fn arithmetic(&mut self, at_least: u8) -> Found<Expr> {
        let mut left = self.signed()?;
        while let Some((op, binding)) = self.arithmetic_op()
            && binding >= at_least
        {
            left = self.calculate_with(left, op, binding)?;
        }
        Ok(left)
    }

    fn calculate_with(&mut self, left: Expr, op: ArithmeticOp, binding: u8) -> Found<Expr> {
        let mut height = self.height;
        self.advance();
        self.enter()?;
        let right = self.arithmetic(binding + 1)?;
        height = height.max(self.height);
        self.leave(height + 1)?;
        let span = left.span.to(right.span);
        Ok(Expr { kind: ExprKind::Arithmetic { op, left: Box::new(left), right: Box::new(right) }, span })
    }

    /// The operator at this place, and how tight it binds.
    fn arithmetic_op(&self) -> Option<(ArithmeticOp, u8)> {
        const SUM: u8 = 0;
        const PRODUCT: u8 = 1;
        let TokenKind::Sign(sign) = self.kind() else { return None };
        Some(match sign {
            Sign::Plus => (ArithmeticOp::Add, SUM),
            Sign::Minus => (ArithmeticOp::Subtract, SUM),
            Sign::Star => (ArithmeticOp::Multiply, PRODUCT),
            Sign::Slash => (ArithmeticOp::Divide, PRODUCT),
            Sign::Percent => (ArithmeticOp::Modulo, PRODUCT),
            _ => return None,
        })
    }

    fn signed(&mut self) -> Found<Expr> {
        match self.kind() {
            TokenKind::Sign(Sign::Minus) => self.sign(true),
            TokenKind::Sign(Sign::Plus) => self.sign(false),
            _ => self.predicate(),
        }
    }

    fn sign(&mut self, negative: bool) -> Found<Expr> {
        let start = self.span();
        self.advance();
        self.enter()?;
        let operand = self.signed()?;
        self.leave(self.height + 1)?;
        let span = start.to(operand.span);
        Ok(Expr { kind: ExprKind::Sign { negative, operand: Box::new(operand) }, span })
    }

    /// A primary expression and at most one of `in`, `:`, `like`, `regex` behind it.
    fn predicate(&mut self) -> Found<Expr> {
        let operand = self.primary()?;
        match match_op(self.kind()) {
            Some(op) => self.pattern_match(operand, op),
            None if self.dialect() == Dialect::Endgame => Ok(operand),
            None => self.maybe_membership(operand),
        }
    }

    fn maybe_membership(&mut self, operand: Expr) -> Found<Expr> {
        match self.kind() {
            TokenKind::Keyword(keyword @ (Keyword::In | Keyword::InFolded)) => {
                self.membership(operand, false, keyword == Keyword::InFolded)
            }
            TokenKind::Keyword(Keyword::Not) => match self.kind_after(1) {
                TokenKind::Keyword(keyword @ (Keyword::In | Keyword::InFolded)) => {
                    self.advance();
                    self.membership(operand, true, keyword == Keyword::InFolded)
                }
                kind if match_op(kind).is_some() => Err(self.not_before_pattern(&operand)),
                _ => Ok(operand),
            },
            _ => Ok(operand),
        }
    }

    fn not_before_pattern(&mut self, operand: &Expr) -> Box<Diagnostic> {
        let span = self.span();
        let operand = self.shorten(operand.span);
        self.advance();
        let op = self.text();
        let finding = Diagnostic::new(Code::NOT_BEFORE_PATTERN, format!("`{op}` has no `not` form"));
        let help = format!("put `not` in front: `not {operand} {op} …`");
        Box::new(finding.at(span.to(self.span())).help(help))
    }

    fn membership(&mut self, operand: Expr, negated: bool, folded: bool) -> Found<Expr> {
        let mut height = self.height;
        if folded {
            let help = "write `in`: nothing depends on case in it";
            self.refuse_in_endgame("`in~`", self.span(), help);
        }
        let open = self.open_list()?;
        self.enter()?;
        let mut list = Vec::new();
        loop {
            list.push(self.condition()?);
            height = height.max(self.height);
            if !self.eat_sign(Sign::Comma) || self.is_after_last(TokenKind::Sign(Sign::Close)) {
                break;
            }
        }
        let list_span = open.to(self.expect_close(Sign::Close, open, "`,` or `)`")?);
        self.leave(height + 1)?;
        let span = operand.span.to(list_span);
        Ok(Expr { kind: ExprKind::In { operand: Box::new(operand), negated, folded, list, list_span }, span })
    }

    /// The operator at this place and the opening parenthesis of the list that it needs.
    fn open_list(&mut self) -> Found<Span> {
        let op = self.text();
        self.advance();
        let open = self.span();
        if !self.eat_sign(Sign::Open) {
            let mut finding = self.unexpected("`(`");
            if finding.code == Code::UNEXPECTED_TOKEN {
                finding.help = Some(format!("`{op}` takes a list in parentheses: `{op} (\"a\", \"b\")`"));
            }
            return Err(finding);
        }
        self.refuse_empty_list(open, op)?;
        Ok(open)
    }

    fn pattern_match(&mut self, operand: Expr, op: MatchOp) -> Found<Expr> {
        let height = self.height;
        self.enter()?;
        if self.dialect() == Dialect::Endgame {
            let function =
                if matches!(op, MatchOp::Regex | MatchOp::RegexFolded) { "match" } else { "wildcard" };
            let help = format!("try `{function}({}, …)`", self.shorten(operand.span));
            self.refuse_in_endgame(&format!("`{}`", op.as_str()), self.span(), &help);
        }
        self.advance();
        let open = self.span();
        let mut patterns = Vec::new();
        let parens = self.eat_sign(Sign::Open);
        let list_span = if parens {
            self.refuse_empty_list(open, op.as_str())?;
            loop {
                patterns.push(self.pattern(op)?);
                if !self.eat_sign(Sign::Comma) {
                    break;
                }
            }
            open.to(self.expect_close(Sign::Close, open, "`,` or `)`")?)
        } else {
            patterns.push(self.pattern(op)?);
            self.previous_span()
        };
        self.leave(height + 1)?;
        let span = operand.span.to(list_span);
        Ok(Expr {
            kind: ExprKind::Match { operand: Box::new(operand), op, patterns, parens, list_span },
            span,
        })
    }

    /// One constant on the right of `:`, `like` or `regex`.
    fn pattern(&mut self, op: MatchOp) -> Found<Literal> {
        if let Some(literal) = self.literal()? {
            return Ok(literal);
        }
        let starts_expression = matches!(
            self.kind(),
            TokenKind::Word
                | TokenKind::TildeWord
                | TokenKind::QuotedWord
                | TokenKind::Variable
                | TokenKind::Sign(Sign::Optional | Sign::Minus | Sign::Plus | Sign::Open)
        );
        if !starts_expression || self.is_foreign_case() {
            return Err(self.unexpected("a constant"));
        }
        // The operator was refused: what stands behind it does not matter.
        if self.dialect() == Dialect::Endgame
            && let Some(refused) = self.take_last()
        {
            return Err(Box::new(refused));
        }
        let span = self.arithmetic(0)?.span;
        let message = format!(
            "the right side of `{}` is a constant, and `{}` is none",
            op.as_str(),
            self.shorten(span)
        );
        let help = "write a constant or a list of constants; `==` or a function compares with a field where the dialect allows it";
        Err(Box::new(Diagnostic::new(Code::PATTERN_NOT_CONSTANT, message).at(span).help(help)))
    }

    fn refuse_empty_list(&mut self, open: Span, op: &str) -> Found<()> {
        if self.kind() != TokenKind::Sign(Sign::Close) {
            return Ok(());
        }
        let finding = Diagnostic::new(Code::EMPTY_LIST, format!("the list after `{op}` is empty"));
        Err(Box::new(finding.at(open.to(self.span())).help("write its members, or remove the condition")))
    }

    fn primary(&mut self) -> Found<Expr> {
        self.height = 1;
        let mut expr = match (self.kind(), self.kind_after(1)) {
            (TokenKind::Sign(Sign::Open), _) => self.parenthesis()?,
            (TokenKind::Word, TokenKind::Sign(Sign::Open)) | (TokenKind::TildeWord, _) => self.call(None)?,
            (TokenKind::Word, TokenKind::Keyword(Keyword::Of)) => self.lineage()?,
            _ => self.field_or_constant()?,
        };
        while self.is_method() {
            self.advance();
            expr = self.call(Some(expr))?;
        }
        Ok(expr)
    }

    fn field_or_constant(&mut self) -> Found<Expr> {
        match self.kind() {
            TokenKind::Word
            | TokenKind::QuotedWord
            | TokenKind::Variable
            | TokenKind::Sign(Sign::Optional) => {
                let field = self.field()?;
                Ok(Expr { span: field.span, kind: ExprKind::Field(field) })
            }
            TokenKind::Keyword(keyword) if self.is_used_as_name() => Err(self.keyword_as_name(keyword)),
            _ => match self.literal()? {
                Some(literal) => Ok(Expr { span: literal.span, kind: ExprKind::Literal(literal) }),
                None => Err(self.unexpected("a value, a field, a call or `(`")),
            },
        }
    }

    /// Whether `:name(` follows, which is a method call in the Endgame dialect.
    fn is_method(&self) -> bool {
        self.dialect() == Dialect::Endgame
            && self.is_glued(2)
            && self.kind() == TokenKind::Sign(Sign::Colon)
            && matches!(self.kind_after(1), TokenKind::Word | TokenKind::TildeWord)
            && self.kind_after(2) == TokenKind::Sign(Sign::Open)
    }

    fn parenthesis(&mut self) -> Found<Expr> {
        let open = self.span();
        self.enter()?;
        self.advance();
        let inner = self.condition()?;
        let close = self.close_parenthesis(open)?;
        self.leave(self.height + 1)?;
        Ok(Expr { kind: ExprKind::Paren(Box::new(inner)), span: open.to(close) })
    }

    fn close_parenthesis(&mut self, open: Span) -> Found<Span> {
        let is_list = self.kind() == TokenKind::Sign(Sign::Comma);
        self.expect_close(Sign::Close, open, "`and`, `or`, an operator or `)`").map_err(|mut finding| {
            if is_list {
                finding.help = Some("a list stands behind `in`, `:`, `like` or `regex` only".to_owned());
            }
            finding
        })
    }

    /// A call; the receiver of a method stands before its name and becomes the first argument.
    fn call(&mut self, receiver: Option<Expr>) -> Found<Expr> {
        let mut height = if receiver.is_some() { self.height } else { 0 };
        let folded = self.kind() == TokenKind::TildeWord;
        let name_span = self.span();
        let name = Name { text: self.text().trim_end_matches('~').into(), span: name_span };
        if folded {
            let help = format!("write `{}`: nothing depends on case in it", name.text);
            self.refuse_in_endgame("functions with `~`", name_span, &help);
        }
        self.advance();
        let open = self.span();
        if !self.eat_sign(Sign::Open) {
            return Err(self.unexpected("`(`, since a word with a tilde is a function"));
        }
        self.enter()?;
        let search =
            self.dialect() == Dialect::Endpoint && !folded && name.text.eq_ignore_ascii_case(ARRAY_SEARCH);
        let variables = self.variables.len();
        let method = receiver.is_some();
        let start = receiver.as_ref().map_or(name_span, |receiver| receiver.span);
        let mut arguments: Vec<Expr> = receiver.into_iter().collect();
        if self.kind() != TokenKind::Sign(Sign::Close) {
            loop {
                if search && arguments.len() == 1 && self.kind() == TokenKind::Variable {
                    self.variables.push(self.text());
                }
                self.height = 1;
                arguments.push(self.condition()?);
                height = height.max(self.height);
                if !self.eat_sign(Sign::Comma) || self.is_after_last(TokenKind::Sign(Sign::Close)) {
                    break;
                }
            }
        }
        self.variables.truncate(variables);
        let close = self.expect_close(Sign::Close, open, "`,` or `)`")?;
        self.leave(height + 1)?;
        let span = start.to(close);
        if search {
            self.check_array_search(&arguments, span);
        }
        Ok(Expr { kind: ExprKind::Call(Call { name, folded, method, arguments, close }), span })
    }

    fn check_array_search(&mut self, arguments: &[Expr], span: Span) {
        let wrong = match arguments {
            [array, variable, _] => {
                let bare = |field: &&Field| field.mark == FieldMark::Variable && field.path.len() == 1;
                if array.as_field().is_none() {
                    Some(("the first argument of `_arraysearch` is a field", array.span))
                } else if variable.as_field().filter(bare).is_none() {
                    Some((
                        "the second argument of `_arraysearch` is a variable such as `$entry`",
                        variable.span,
                    ))
                } else {
                    None
                }
            }
            _ => Some(("`_arraysearch` takes a field, a variable and a condition", span)),
        };
        if let Some((message, span)) = wrong {
            let help = "write `_arraysearch(array, $entry, condition on $entry)`";
            self.report(Diagnostic::new(Code::ARRAY_SEARCH_SHAPE, message).at(span).help(help));
        }
    }

    /// `descendant of [ filter ]`
    fn lineage(&mut self) -> Found<Expr> {
        let start = self.span();
        let relation = self.relation();
        let open = self.span();
        if !self.eat_sign(Sign::StepOpen) {
            return Err(self.unexpected("`[`"));
        }
        self.enter()?;
        let filter = Box::new(self.filter()?);
        let close = self.expect_close(Sign::StepClose, open, "`and`, `or` or `]`")?;
        self.leave(self.height + 1)?;
        Ok(Expr { kind: ExprKind::Lineage { relation, filter }, span: start.to(close) })
    }

    /// The word before `of`, and `of`. Any word is read, so that it can be named as unsupported.
    fn relation(&mut self) -> Relation {
        let start = self.span();
        let word = self.text();
        let relation = Relation::of(word);
        self.advance();
        self.advance();
        let supported = match self.dialect() {
            Dialect::Elasticsearch => false,
            Dialect::Endpoint => relation == Some(Relation::Descendant),
            Dialect::Endgame => relation.is_some(),
        };
        if !supported {
            let message = format!("the process relationship `{word} of` is not supported in this dialect");
            let help = match relation {
                Some(_) => {
                    "compare fields of the parent, such as `process.parent.name`, or select another dialect"
                }
                None => {
                    "the relationships are `descendant of`, `child of` and `event of`, each in some dialects"
                }
            };
            let span = start.to(self.previous_span());
            self.report(Diagnostic::new(Code::PROCESS_RELATIONSHIP, message).at(span).help(help));
        }
        relation.unwrap_or(Relation::Event)
    }

    /// `[ ? ] segment { . segment | [ integer ] }`
    fn field(&mut self) -> Found<Field> {
        let start = self.span();
        let mut path = Vec::new();
        let mark = match self.kind() {
            TokenKind::Sign(Sign::Optional) => {
                self.refuse_in_endgame(
                    "optional fields",
                    start,
                    "remove the `?`: any field may be absent in it",
                );
                self.advance();
                path.push(self.segment()?);
                FieldMark::Optional
            }
            TokenKind::Variable => {
                let name = self.text();
                self.check_variable(name, start);
                self.advance();
                let name = name.trim_start_matches('$').into();
                path.push(Segment::Name {
                    name,
                    quoted: false,
                    span: Span { start: start.start + 1, end: start.end },
                });
                FieldMark::Variable
            }
            _ => {
                path.push(self.segment()?);
                FieldMark::Plain
            }
        };
        loop {
            if self.eat_sign(Sign::Dot) {
                path.push(self.segment()?);
            } else if self.kind() == TokenKind::Sign(Sign::StepOpen)
                && (self.dialect() != Dialect::Endgame || self.previous_span().end == self.span().start)
                && self.kind_after(1) == TokenKind::Integer
                && self.kind_after(2) == TokenKind::Sign(Sign::StepClose)
            {
                path.push(self.index()?);
            } else {
                return Ok(Field { mark, path, span: start.to(self.previous_span()) });
            }
        }
    }

    fn segment(&mut self) -> Found<Segment> {
        let span = self.span();
        let (name, quoted): (Box<str>, bool) = match self.kind() {
            TokenKind::Word if self.dialect() == Dialect::Endgame && DEFINITIONS.contains(&self.text()) => {
                return Err(self.reserved(self.text()));
            }
            TokenKind::Word => (self.text().into(), false),
            TokenKind::QuotedWord => (lexer::unquote_word(self.text()).into(), true),
            TokenKind::Keyword(keyword) => return Err(self.keyword_as_name(keyword)),
            _ => return Err(self.unexpected("the name of a field")),
        };
        self.advance();
        Ok(Segment::Name { name, quoted, span })
    }

    fn index(&mut self) -> Found<Segment> {
        let open = self.span();
        self.advance();
        let number = self.span();
        let Ok(index) = self.text().parse::<u64>() else { return Err(self.out_of_range(number)) };
        self.advance();
        let span = open.to(self.span());
        self.advance();
        if self.dialect() != Dialect::Endgame {
            let finding = Diagnostic::new(Code::ARRAY_INDEX, "array indexes are not supported");
            let help = "leave it out: a condition on a field holds where any of its values fulfils it";
            self.report(finding.at(span).help(help));
        }
        Ok(Segment::Index { index, span })
    }

    fn check_variable(&mut self, name: &str, span: Span) {
        if self.variables.contains(&name) {
            return;
        }
        let finding = if self.dialect() == Dialect::Endpoint {
            Diagnostic::new(Code::VARIABLE, format!("no `_arraysearch` around it declares `{name}`"))
                .help(format!("put the condition in `_arraysearch(array, {name}, condition)`"))
        } else {
            Diagnostic::new(
                Code::VARIABLE,
                format!("`{name}` is a variable, which this dialect does not have"),
            )
            .help("select the endpoint dialect")
        };
        self.report(finding.at(span));
    }

    /// Whether the keyword at this place is followed by what follows a field.
    fn is_used_as_name(&self) -> bool {
        match self.kind_after(1) {
            TokenKind::Sign(sign) => {
                matches!(
                    sign,
                    Sign::Dot
                        | Sign::Equal
                        | Sign::NotEqual
                        | Sign::Less
                        | Sign::LessOrEqual
                        | Sign::Greater
                        | Sign::GreaterOrEqual
                        | Sign::Colon
                ) && !matches!(
                    self.kind(),
                    TokenKind::Keyword(Keyword::True | Keyword::False | Keyword::Null)
                )
            }
            _ => false,
        }
    }

    fn keyword_as_name(&self, keyword: Keyword) -> Box<Diagnostic> {
        self.reserved(keyword.as_str())
    }

    fn reserved(&self, word: &str) -> Box<Diagnostic> {
        let message = format!("`{word}` is a keyword, so it cannot name a field as it stands");
        let finding = Diagnostic::new(Code::KEYWORD_AS_NAME, message).at(self.span());
        Box::new(finding.help(format!("put it in backticks: `` `{word}` ``")))
    }

    fn out_of_range(&self, span: Span) -> Box<Diagnostic> {
        let message = format!("`{}` is larger than any number here can be", self.shorten(span));
        Box::new(Diagnostic::new(Code::NUMBER_OUT_OF_RANGE, message).at(span).help("write a smaller number"))
    }

    /// The constant at this place, if one stands here.
    fn literal(&mut self) -> Found<Option<Literal>> {
        let text = self.text();
        let span = self.span();
        let value = match self.kind() {
            TokenKind::Keyword(Keyword::Null) => Value::Null,
            TokenKind::Keyword(Keyword::True) => Value::Boolean(true),
            TokenKind::Keyword(Keyword::False) => Value::Boolean(false),
            TokenKind::Integer | TokenKind::Decimal => match number(text) {
                Some(value) => value,
                None => return Err(self.out_of_range(span)),
            },
            TokenKind::Text | TokenKind::RawText => {
                if text.starts_with("\"\"\"") {
                    self.refuse_in_endgame("`\"\"\"` strings", span, "write a raw string as `?\"…\"`");
                }
                Value::Text(Arc::from(lexer::decode_text(text)))
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(Literal { value, text: text.into(), span }))
    }
}

/// Integers stay integers while 64 bits hold them. Source: Elasticsearch, "EQL syntax reference".
fn number(text: &str) -> Option<Value> {
    if let Ok(n) = text.parse::<i64>() {
        return Some(Value::Integer(n));
    }
    if let Ok(n) = text.parse::<u64>() {
        return Some(Value::Unsigned(n));
    }
    text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::Float)
}

fn match_op(kind: TokenKind) -> Option<MatchOp> {
    Some(match kind {
        TokenKind::Sign(Sign::Colon) => MatchOp::Seq,
        TokenKind::Keyword(Keyword::Like) => MatchOp::Like,
        TokenKind::Keyword(Keyword::LikeFolded) => MatchOp::LikeFolded,
        TokenKind::Keyword(Keyword::Regex) => MatchOp::Regex,
        TokenKind::Keyword(Keyword::RegexFolded) => MatchOp::RegexFolded,
        _ => return None,
    })
}
