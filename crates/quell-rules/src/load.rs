//! From `--rules` words to rules: finds the files, reads them, and says what could not be used.

use crate::embedded::{self, EmbeddedSet};
use crate::exception::ExceptionItem;
use crate::finding::{FileFinding, Findings};
use crate::format::{self, Attachment, Format};
use crate::limits;
use crate::node::Node;
use crate::rule::{Origin, Rule, RuleFormat};
use quell_ir::diagnostic::{did_you_mean, near_names};
use quell_ir::{Code, Diagnostic};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::WalkDir;

/// Where rules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSpec {
    /// A file, or a folder with all below it.
    Path(PathBuf),
    /// A set that is embedded in the program, by name.
    Embedded(String),
}

impl RuleSpec {
    /// The set that is used where none is named.
    pub const DEFAULT: &'static str = "t1046";

    /// Reads what was given as `--rules`. A path that exists comes first, then the name of an embedded set: a folder
    /// `t1046` in the working folder hides the set of that name.
    ///
    /// # Errors
    /// Neither exists; the help names the sets that are near.
    pub fn parse(word: &str) -> Result<RuleSpec, Diagnostic> {
        if Path::new(word).symlink_metadata().is_ok() {
            return Ok(RuleSpec::Path(PathBuf::from(word)));
        }
        if EmbeddedSet::find(word).is_some() {
            return Ok(RuleSpec::Embedded(word.to_owned()));
        }
        let names: Vec<String> = EmbeddedSet::all().into_iter().map(|set| set.name).collect();
        let near = near_names(word, names.iter().map(String::as_str));
        let help =
            did_you_mean(&near).unwrap_or_else(|| format!("the embedded sets are {}", names.join(", ")));
        Err(Diagnostic::new(Code::UNKNOWN_RULE_SET, format!("no file, folder or rule set `{word}`"))
            .help(help))
    }
}

/// Rules, and what was found wrong while they were read.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// The rules, in the order of the paths given and of file names. No id stands twice, but for Endpoint rules: they have
    /// ids of their own, and one may come in several forms for different operating systems.
    pub rules: Vec<Rule>,
    /// Exception lists and items, connectors and counts of Kibana exports.
    pub attachments: Vec<Attachment>,
    /// The exceptions of Kibana exports.
    pub exceptions: Vec<Arc<ExceptionItem>>,
    /// What is wrong, file by file. A file with an error may still have given rules.
    pub findings: Vec<FileFinding>,
    /// Files in folders that hold no rule at all, such as a package's description.
    pub without_rules: Vec<PathBuf>,
    /// How many files held rules, or should have.
    pub files: usize,
}

impl RuleSet {
    /// Reads all rules of the paths and sets. What is broken is left out and reported; everything else is read.
    #[must_use]
    pub fn load(specs: &[RuleSpec]) -> RuleSet {
        let mut loader = Loader::default();
        loader.load(specs);
        loader.into_set().0
    }

    /// Whether something could not be used, which is exit code 2.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.diagnostic.is_error())
    }
}

/// Reads files one after the other within the limits of all together.
#[derive(Default)]
pub(crate) struct Loader {
    set: RuleSet,
    /// The object of each rule.
    nodes: Vec<Option<Node>>,
    /// The files that were read already, by their true path.
    seen: HashSet<PathBuf>,
    looked_at: usize,
    bytes: usize,
    /// Whether a limit of all files together has been reached and reported.
    full: bool,
}

impl Loader {
    pub(crate) fn load(&mut self, specs: &[RuleSpec]) {
        for spec in specs {
            match spec {
                RuleSpec::Embedded(name) => self.embedded(name),
                RuleSpec::Path(path) if path.is_dir() => self.folder(path),
                RuleSpec::Path(path) => {
                    self.file(path, true);
                }
            }
        }
    }

    /// The rules and, in the same order, their objects. Of rules that collide the first stays.
    pub(crate) fn into_set(self) -> (RuleSet, Vec<Option<Node>>) {
        let Loader { mut set, nodes, .. } = self;
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut rules, mut kept_nodes): (Vec<Rule>, Vec<Option<Node>>) = (Vec::new(), Vec::new());
        for (rule, node) in std::mem::take(&mut set.rules).into_iter().zip(nodes) {
            let same_id = by_id.entry(rule.id.clone()).or_default();
            match same_id.iter().filter_map(|at| rules.get(*at)).find(|earlier| collide(earlier, &rule)) {
                Some(earlier) => set.findings.push(duplicate(&rule, node.as_ref(), earlier)),
                None => {
                    same_id.push(rules.len());
                    rules.push(rule);
                    kept_nodes.push(node);
                }
            }
        }
        set.rules = rules;
        (set, kept_nodes)
    }

    fn embedded(&mut self, name: &str) {
        let Some(set) = EmbeddedSet::find(name) else {
            let message = format!("no embedded rule set `{name}`");
            return self.report(Path::new(name), Diagnostic::new(Code::UNKNOWN_RULE_SET, message));
        };
        for file in set.files {
            let path = PathBuf::from(format!("{}{}/{}", embedded::PREFIX, set.package, file.path));
            if self.seen.insert(path.clone())
                && let Some(format) = format::recognise(file.text, &path)
            {
                self.read(path, Arc::from(file.text), format);
            }
        }
    }

    fn folder(&mut self, folder: &Path) {
        let (mut any, findings_before) = (false, self.set.findings.len());
        let walk =
            WalkDir::new(folder).follow_links(true).max_depth(limits::MAX_FOLDER_DEPTH).sort_by_file_name();
        for entry in walk {
            match entry {
                Ok(entry) if entry.depth() == limits::MAX_FOLDER_DEPTH && entry.file_type().is_dir() => {
                    let message =
                        format!("folders deeper than {} are not descended", limits::MAX_FOLDER_DEPTH);
                    self.report(entry.path(), Diagnostic::new(Code::RULE_FILE_TOO_LARGE, message));
                }
                Ok(entry) if entry.file_type().is_file() && has_ending(entry.path()) => {
                    any |= self.file(entry.path(), false);
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    let message = match error.loop_ancestor() {
                        Some(above) => format!("link to a folder above it, `{}`", above.display()),
                        None => error.io_error().map_or_else(|| error.to_string(), reason),
                    };
                    self.report(&path, Diagnostic::new(Code::RULES_UNREADABLE, message));
                }
            }
            if self.full {
                return;
            }
        }
        if !any && self.set.findings.len() == findings_before {
            self.report(folder, Diagnostic::new(Code::NO_RULES, "no rules in this folder"));
        }
    }

    /// Reads a file, and says whether it holds rules or was read before. One that was given by name must hold rules.
    fn file(&mut self, path: &Path, given: bool) -> bool {
        if self.full || !self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned())) {
            return true;
        }
        self.looked_at += 1;
        if self.looked_at > limits::MAX_FILES || self.bytes > limits::MAX_TOTAL_BYTES {
            self.full = true;
            let message = "too many rule files: this one and all that follow were not read";
            self.report(path, Diagnostic::new(Code::RULE_FILE_TOO_LARGE, message));
            return false;
        }
        match read_file(path) {
            Ok((Some(format), text)) => {
                self.bytes += text.len();
                self.read(path.to_owned(), Arc::from(text), format);
                return true;
            }
            Ok((None, _)) if given => {
                let help = "rule files are Elastic rule TOML, Kibana exports (NDJSON), Endpoint rules (TOML) and `.eql` files";
                self.report(path, Diagnostic::new(Code::NOT_A_RULE, "no rule in this file").help(help));
            }
            Ok((None, _)) => self.set.without_rules.push(path.to_owned()),
            Err(diagnostic) => self.report(path, *diagnostic),
        }
        false
    }

    fn read(&mut self, path: PathBuf, text: Arc<str>, format: &Format) {
        self.set.files += 1;
        let origin = Arc::new(Origin { path, text, format: format.format });
        let reading = (format.read)(&origin);
        for (rule, node) in reading.rules {
            self.set.rules.push(rule);
            self.nodes.push(node);
        }
        self.set.attachments.extend(reading.attachments);
        self.set.exceptions.extend(reading.exceptions);
        self.set.findings.extend(reading.findings.into_file(&origin.path, &origin.text));
    }

    fn report(&mut self, path: &Path, diagnostic: Diagnostic) {
        let mut findings = Findings::default();
        findings.push(diagnostic);
        self.set.findings.extend(findings.into_file(path, &Arc::from("")));
    }
}

fn has_ending(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| format::ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether two rules with the same id cannot both be used. Elastic's detection rules and Endpoint's are two worlds, and
/// Endpoint's rules go to each operating system on its own.
fn collide(one: &Rule, other: &Rule) -> bool {
    let endpoint = |rule: &Rule| rule.origin.format == RuleFormat::EndpointToml;
    let any_os = |rule: &Rule| rule.os_list.is_empty();
    endpoint(one) == endpoint(other)
        && (any_os(one) || any_os(other) || one.os_list.iter().any(|os| other.os_list.contains(os)))
}

fn duplicate(rule: &Rule, node: Option<&Node>, earlier: &Rule) -> FileFinding {
    let key = if rule.origin.format == RuleFormat::EndpointToml { "id" } else { "rule_id" };
    let object = node.map(|node| node.get("rule").unwrap_or(node));
    let message = format!(
        "rule `{}` has the id of a rule in `{}`, and is left out",
        rule.name,
        earlier.origin.path.display()
    );
    let finding = Diagnostic::new(Code::DUPLICATE_RULE, message);
    let diagnostic = match object.and_then(|object| object.get(key)) {
        Some(id) => finding.at(id.span),
        None => finding,
    };
    FileFinding {
        path: rule.origin.path.clone(),
        text: Arc::clone(&rule.origin.text),
        rule_id: Some(rule.id.clone()),
        diagnostic,
    }
}

/// The format and the text of a file, or nothing where it holds no rules: then little more than its start was read.
fn read_file(path: &Path) -> Result<(Option<&'static Format>, String), Box<Diagnostic>> {
    let unreadable =
        |error: std::io::Error| Box::new(Diagnostic::new(Code::RULES_UNREADABLE, reason(&error)));
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(limits::HEAD_BYTES as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let Some(format) = format::recognise(&String::from_utf8_lossy(&bytes), path) else {
        return Ok((None, String::new()));
    };
    let rest = (format.max_bytes + 1).saturating_sub(bytes.len());
    file.take(rest as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > format.max_bytes {
        let message = format!("the file has more than {} bytes", format.max_bytes);
        return Err(Box::new(Diagnostic::new(Code::RULE_FILE_TOO_LARGE, message)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((Some(format), text)),
        Err(error) => {
            let message = format!("the file is not UTF-8: byte {}", error.utf8_error().valid_up_to());
            Err(Box::new(Diagnostic::new(Code::RULE_FILE_NOT_UTF8, message)))
        }
    }
}

/// The reason of an input error in plain words, without the platform's error number where it has a common name.
pub(crate) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The whole text of a file.
pub(crate) fn read_text(path: &Path, max_bytes: usize) -> Result<String, String> {
    let file = File::open(path).map_err(|error| reason(&error))?;
    let mut bytes = Vec::new();
    file.take(max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() > max_bytes {
        return Err(format!("the file has more than {max_bytes} bytes"));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("the file is not UTF-8: byte {}", error.utf8_error().valid_up_to()))
}
