//! The functions of EQL: one file each, one line each in [`FUNCTIONS`] or [`ENDGAME_FUNCTIONS`].
//!
//! Source of every signature and rule: Elasticsearch's "EQL function reference", names in any case; and for the Endgame
//! dialect the Python implementation of EQL.

mod add;
mod between;
mod cidr_match;
pub mod compare;
mod concat;
mod divide;
mod endgame;
mod ends_with;
mod index_of;
mod length;
mod modulo;
mod multiply;
mod number;
mod search;
mod starts_with;
mod string;
mod string_contains;
mod substring;
mod subtract;
mod units;
mod wildcard;

use crate::value::{Case, Datum};
use bumpalo::Bump;
use std::cell::Cell;

/// A function.
#[derive(Debug)]
pub struct Function {
    /// The name as the manual writes it.
    pub name: &'static str,
    /// What it gives, in one sentence.
    pub meaning: &'static str,
    /// Whether it has a case-insensitive form, `name~`.
    pub folds: bool,
    /// In which dialects it means this.
    pub spoken: Spoken,
    /// The parameters in order; the last one may repeat.
    pub parameters: &'static [Parameter],
    /// The type of the result.
    pub returns: Kind,
    /// What a null argument does.
    pub missing: Missing,
    /// Computes the result. Argument count is within the signature; kinds may be wrong, which gives null.
    pub eval: for<'a> fn(&Call<'a>, &[Datum<'a>]) -> Datum<'a>,
    /// Calls and their results: unit tests and documentation at once.
    pub examples: &'static [Example],
}

/// In which dialects a function means what it says. The Endgame dialect has functions of the same names that give
/// something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spoken {
    /// Elasticsearch's and the Endpoint's.
    Elasticsearch,
    /// Endgame's, where all calls ignore case.
    Endgame,
    /// In all three.
    Everywhere,
}

/// What a call brings along beside its arguments.
#[derive(Debug)]
pub struct Call<'a> {
    /// Whether `~` followed the name.
    pub case: Case,
    /// Where new text is put; it lives as long as the event's evaluation.
    pub arena: &'a Bump,
    /// Set where a result was given up because it grew too long.
    pub cut: Cell<bool>,
}

impl Call<'_> {
    /// The longest text that a function makes, in bytes. A longer one becomes null, and [`Call::cut`] says so.
    pub const MAX_TEXT: usize = 4 << 20;

    /// A call of the form without `~` or with it.
    #[must_use]
    pub fn new(case: Case, arena: &Bump) -> Call<'_> {
        Call { case, arena, cut: Cell::new(false) }
    }
}

/// One parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in the manual.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// How often it may stand.
    pub occurs: Occurs,
    /// Whether only a constant will do.
    pub constant: bool,
}

/// How often a parameter may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurs {
    /// Exactly once.
    Once,
    /// Once or not at all.
    Optional,
    /// Once or more; only the last parameter.
    Repeated,
}

/// A family of types, as signatures name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text of the keyword family.
    String,
    /// Integer or float.
    Number,
    /// Integer only.
    Integer,
    /// `true`, `false`
    Boolean,
    /// An address.
    Ip,
    /// Any of them.
    Any,
}

impl Kind {
    /// Elasticsearch's word for it, for messages and the reference.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Boolean => "boolean",
            Kind::Ip => "ip",
            Kind::Any => "any",
        }
    }
}

/// What a null argument does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Any null argument gives null, and `eval` is not called.
    Propagates,
    /// A null among the first `n` arguments gives null; `eval` sees the other nulls.
    PropagatesFirst(usize),
}

/// A call and its result, both as EQL text.
#[derive(Debug)]
pub struct Example {
    /// The call.
    pub call: &'static str,
    /// The result as a literal.
    pub result: &'static str,
}

/// The registry, by name.
pub static FUNCTIONS: &[&Function] = &[
    &add::ADD,
    &between::BETWEEN,
    &cidr_match::CIDR_MATCH,
    &concat::CONCAT,
    &divide::DIVIDE,
    &ends_with::ENDS_WITH,
    &index_of::INDEX_OF,
    &length::LENGTH,
    &modulo::MODULO,
    &multiply::MULTIPLY,
    &number::NUMBER,
    &starts_with::STARTS_WITH,
    &string::STRING,
    &string_contains::STRING_CONTAINS,
    &substring::SUBSTRING,
    &subtract::SUBTRACT,
    &wildcard::WILDCARD,
];

/// The functions of the Endgame dialect, by name. `safe`, `arrayContains`, `arrayCount`, `arraySearch`, `match` and
/// `matchLite` are forms of their own, which lowering knows. Source: the Python implementation of EQL.
pub static ENDGAME_FUNCTIONS: &[&Function] = &[
    &add::ADD,
    &endgame::between::BETWEEN,
    &endgame::cidr_match::CIDR_MATCH,
    &concat::CONCAT,
    &endgame::divide::DIVIDE,
    &ends_with::ENDS_WITH,
    &endgame::index_of::INDEX_OF,
    &endgame::length::LENGTH,
    &endgame::modulo::MODULO,
    &multiply::MULTIPLY,
    &endgame::number::NUMBER,
    &starts_with::STARTS_WITH,
    &string::STRING,
    &endgame::string_contains::STRING_CONTAINS,
    &endgame::substring::SUBSTRING,
    &subtract::SUBTRACT,
    &endgame::wildcard::WILDCARD,
];

/// The function of the Endgame dialect of that name; its names are case-sensitive.
#[must_use]
pub fn find_endgame(name: &str) -> Option<&'static Function> {
    ENDGAME_FUNCTIONS.iter().copied().find(|function| function.name == name)
}

/// The function of that name, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().copied().find(|function| function.name.eq_ignore_ascii_case(name))
}

impl Function {
    /// The parameter that the argument at `index` fills.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<&Parameter> {
        self.parameters
            .get(index)
            .or_else(|| self.parameters.last().filter(|last| last.occurs == Occurs::Repeated))
    }

    /// The fewest arguments, and the most if there is a limit.
    #[must_use]
    pub fn arity(&self) -> (usize, Option<usize>) {
        let fewest = self.parameters.iter().filter(|parameter| parameter.occurs != Occurs::Optional).count();
        let repeats = self.parameters.last().is_some_and(|last| last.occurs == Occurs::Repeated);
        (fewest, (!repeats).then_some(self.parameters.len()))
    }

    /// Whether a null at `index` gives null whatever the other arguments are.
    #[must_use]
    pub fn null_propagates(&self, index: usize) -> bool {
        match self.missing {
            Missing::Propagates => true,
            Missing::PropagatesFirst(n) => index < n,
        }
    }

    /// The result of a call: nulls propagate as [`Function::missing`] says.
    #[must_use]
    pub fn call<'a>(&self, call: &Call<'a>, arguments: &[Datum<'a>]) -> Datum<'a> {
        if arguments.iter().enumerate().any(|(i, argument)| argument.is_null() && self.null_propagates(i)) {
            return Datum::Null;
        }
        (self.eval)(call, arguments)
    }

    /// The signature as the reference prints it: `between(source, left, right [, greedy])`.
    #[must_use]
    pub fn signature(&self) -> String {
        let mut text = format!("{}(", self.name);
        for (i, parameter) in self.parameters.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            text.push_str(&match parameter.occurs {
                Occurs::Once => format!("{comma}{}", parameter.name),
                Occurs::Optional => format!(" [{comma}{}]", parameter.name),
                Occurs::Repeated => format!("{comma}{}, …", parameter.name),
            });
        }
        text.push(')');
        text
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.spoken == other.spoken
    }
}

impl Eq for Function {}

impl std::hash::Hash for Function {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.spoken.hash(state);
    }
}

/// A parameter that takes any expression of this kind, once.
const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, occurs: Occurs::Once, constant: false }
}

impl Parameter {
    const fn optional(self) -> Parameter {
        Parameter { occurs: Occurs::Optional, ..self }
    }

    const fn repeated(self) -> Parameter {
        Parameter { occurs: Occurs::Repeated, ..self }
    }

    const fn constant(self) -> Parameter {
        Parameter { constant: true, ..self }
    }
}

const fn ex(call: &'static str, result: &'static str) -> Example {
    Example { call, result }
}

#[cfg(test)]
mod tests {
    use super::{Call, ENDGAME_FUNCTIONS, FUNCTIONS, Missing, Occurs, Spoken, find, find_endgame};
    use crate::value::{Case, Datum};
    use bumpalo::Bump;

    #[test]
    fn the_registry_is_sorted_and_found_in_any_case() {
        assert!(FUNCTIONS.is_sorted_by_key(|function| function.name.to_lowercase()));
        assert!(ENDGAME_FUNCTIONS.is_sorted_by_key(|function| function.name.to_lowercase()));
        assert!(FUNCTIONS.iter().all(|function| function.spoken != Spoken::Endgame));
        assert!(ENDGAME_FUNCTIONS.iter().all(|function| function.spoken != Spoken::Elasticsearch));
        assert_ne!(find("length"), find_endgame("length"));
        assert_eq!(find("add"), find_endgame("add"));
        assert!(find_endgame("Length").is_none());
        assert_eq!(find("CIDRMATCH").map(|function| function.name), Some("cidrMatch"));
        assert!(find("match").is_none());
        for function in FUNCTIONS.iter().chain(ENDGAME_FUNCTIONS) {
            let optional_then_required = function
                .parameters
                .windows(2)
                .any(|pair| pair[0].occurs == Occurs::Optional && pair[1].occurs != Occurs::Optional);
            assert!(!optional_then_required, "{}", function.name);
            assert!(!function.examples.is_empty(), "{}", function.name);
            if let Missing::PropagatesFirst(n) = function.missing {
                assert!(n < function.parameters.len(), "{}", function.name);
            }
        }
    }

    #[test]
    fn signatures_read_as_in_the_manual() {
        assert_eq!(find("between").unwrap().signature(), "between(source, left, right [, greedy])");
        assert_eq!(find("concat").unwrap().signature(), "concat(value, …)");
    }

    #[test]
    fn arguments_of_any_kind_give_a_value_or_null_but_no_panic() {
        let arena = Bump::new();
        let data = [
            Datum::Null,
            Datum::Boolean(true),
            Datum::Integer(0),
            Datum::Integer(-3),
            Datum::Integer(i64::MIN),
            Datum::Unsigned(u64::MAX),
            Datum::Float(f64::NAN),
            Datum::Float(-0.5),
            Datum::Text(""),
            Datum::Text("a😀é"),
            Datum::Text("10.0.0.0/8"),
        ];
        for function in FUNCTIONS.iter().chain(ENDGAME_FUNCTIONS) {
            for case in [Case::Sensitive, Case::Folded] {
                let call = Call::new(case, &arena);
                for a in data {
                    for b in data {
                        for c in data {
                            let (fewest, most) = function.arity();
                            let arguments = [a, b, c, a];
                            let count = most.unwrap_or(4).min(4).max(fewest);
                            let result = function.call(&call, &arguments[..count]);
                            if a.is_null() && function.null_propagates(0) {
                                assert!(result.is_null(), "{}", function.name);
                            }
                        }
                    }
                }
            }
        }
    }
}
