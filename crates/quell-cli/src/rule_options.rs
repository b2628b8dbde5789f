//! Which rules: the options that every command that reads rules shares.

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::findings::{refused_option, tell_unusable};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueHint};
use quell::{
    CompileOptions, Diagnostic, Dialect, ExceptionItem, Language, Rule, RuleSet, RuleSpec, Selection,
};
use std::path::Path;
use std::sync::Arc;

/// The set that is read where no other is named.
pub const DEFAULT_SET: &str = "t1046";

/// Which rules to read, and how strictly.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rules")]
pub struct RuleOptions {
    /// A rule file, a folder of rules, or an embedded set (t1046, t1046-published); repeatable [default: t1046]
    #[arg(long, value_name = "PATH|SET", value_hint = ValueHint::AnyPath)]
    pub rules: Vec<String>,
    /// Only the rule of this id or name; `*` stands for anything; repeatable
    #[arg(long, value_name = "ID|NAME")]
    pub rule: Vec<String>,
    /// Only rules with this tag; repeatable
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Only rules for this ATT&CK technique; T1059 includes T1059.001; repeatable
    #[arg(long, value_name = "ID")]
    pub technique: Vec<String>,
    /// All but the rule of this id or name; repeatable
    #[arg(long, value_name = "ID|NAME")]
    pub exclude: Vec<String>,
    /// The query language's dialect [default: that of the rule's format]
    #[arg(long, value_name = "DIALECT", value_parser = dialect_parser())]
    pub dialect: Option<Dialect>,
    /// Refuse rules for what is otherwise a warning, such as an unknown field
    #[arg(long)]
    pub strict: bool,
    /// Take Elasticsearch's way wherever quell otherwise differs on purpose
    #[arg(long)]
    pub strict_elasticsearch: bool,
}

/// A dialect by its name.
pub fn dialect_parser() -> impl clap::builder::TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::as_str))
        .try_map(|name| Dialect::of(&name).ok_or("no such dialect"))
}

/// The languages of queries, by their names on the command line.
const LANGUAGES: [(&str, Language); 3] =
    [("eql", Language::Eql), ("kql", Language::Kql), ("lucene", Language::Lucene)];

/// A language of queries by its name.
pub fn language_parser() -> impl clap::builder::TypedValueParser<Value = Language> {
    PossibleValuesParser::new(LANGUAGES.map(|(name, _)| name)).try_map(|name| {
        let found = LANGUAGES.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, language)| language).ok_or("no such language")
    })
}

impl RuleOptions {
    /// The files, folders and sets that are meant: those of `more`, else those of `--rules`, else the default.
    ///
    /// # Errors
    /// One of them does not exist.
    pub fn specs(&self, more: &[String]) -> Result<Vec<RuleSpec>, Failure> {
        let named = if more.is_empty() { &self.rules } else { more };
        let words: Vec<&str> = named.iter().map(String::as_str).collect();
        let words = if words.is_empty() { vec![DEFAULT_SET] } else { words };
        let (specs, errors): (Vec<_>, Vec<_>) =
            words.into_iter().map(RuleSpec::parse).partition(Result::is_ok);
        let errors: Vec<Diagnostic> = errors.into_iter().filter_map(Result::err).collect();
        if errors.is_empty() {
            Ok(specs.into_iter().flatten().collect())
        } else {
            Err(refused_option(&errors))
        }
    }

    /// Reads the rules and takes those that are selected.
    ///
    /// # Errors
    /// A set does not exist, or an option selects nothing.
    pub fn load(&self) -> Result<RuleSet, Failure> {
        let mut set = RuleSet::load(&self.specs(&[])?);
        set.rules = self.selection().apply(set.rules).map_err(|errors| refused_option(&errors))?;
        Ok(set)
    }

    /// The one rule that `word` names, by its id, its name, or the file that holds it and no other; the exceptions of its file, and the exit code that the
    /// files mean which were read for it: what is wrong with them is told.
    ///
    /// # Errors
    /// It names none or several.
    pub fn load_one(
        &self,
        console: &Console,
        word: &str,
    ) -> Result<(Rule, Vec<Arc<ExceptionItem>>, Exit), Failure> {
        let is_file = Path::new(word).is_file();
        let set = match is_file {
            true => RuleOptions { rules: vec![word.to_owned()], ..self.clone() }.load()?,
            false => self.load()?,
        };
        let exit = tell_unusable(console, &set.findings);
        let mut rules = if is_file { set.rules } else { named(word, set.rules)? };
        if rules.len() == 1
            && let Some(rule) = rules.pop()
        {
            return Ok((rule, set.exceptions, exit));
        }
        if rules.is_empty() && exit == Exit::Unusable {
            return Err(Failure::unusable(format!("`{word}` holds no rule that can be used")));
        }
        let names: Vec<String> = rules.iter().take(10).map(|rule| format!("`{}`", rule.name)).collect();
        let failure = Failure::usage(format!("`{word}` names {} rules", rules.len()));
        let with = if is_file { format!(", with `--rules {word}`") } else { String::new() };
        Err(if names.is_empty() {
            failure
        } else {
            failure.help(format!("name one of them{with}: {}", names.join(", ")))
        })
    }

    /// What `--rule`, `--tag`, `--technique` and `--exclude` select.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection {
            rules: self.rule.clone(),
            tags: self.tag.clone(),
            techniques: self.technique.clone(),
            exclude: self.exclude.clone(),
        }
    }

    /// How the rules are compiled.
    #[must_use]
    pub fn compile_options(&self) -> CompileOptions<'static> {
        CompileOptions {
            strict: self.strict,
            strict_elasticsearch: self.strict_elasticsearch,
            dialect: self.dialect,
            ..CompileOptions::new(quell::schema())
        }
    }
}

/// The rules of that id or name.
fn named(word: &str, rules: Vec<Rule>) -> Result<Vec<Rule>, Failure> {
    let selection = Selection { rules: vec![word.to_owned()], ..Selection::default() };
    selection.apply(rules).map_err(|errors| {
        let failure = Failure::usage(format!("no rule has the id or name `{word}`"));
        match errors.into_iter().find_map(|error| error.help) {
            Some(help) => failure.help(help),
            None => failure,
        }
    })
}
