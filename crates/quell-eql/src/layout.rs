//! Lays pieces of text out in lines: a group stands on one line where it fits, and breaks at its line ends where not.
//!
//! Comments are attached by their place in the source. One within a line stays before the text that it stood before. Any
//! other moves to the next place where the layout can end a line, and that line end then breaks: so a comment never
//! swallows a token, and laying out the result again finds each comment where it was put.

use std::borrow::Cow;

use crate::lexer::Comment;

/// The widest line, in characters, where the text allows it.
const WIDTH: usize = 100;

/// The columns of one level of indentation.
const INDENT: usize = 2;

/// A place where a line can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What stands there on an unbroken line.
    pub flat: &'static str,
    pub breaks: Breaks,
    /// Whether a closing bracket follows: comments before it belong inside, one level deeper.
    pub closes: bool,
}

/// When a line ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaks {
    /// Where the group does not fit on a line.
    WithGroup,
    /// Where the group does not fit, and what follows does not fit on the line either.
    WhenFull,
    /// Always.
    Always,
    /// Only where a comment must stand.
    ForComment,
}

enum Item<'t> {
    /// Text, and where it began in the source, if it is known.
    Text(Cow<'t, str>, Option<usize>),
    Line(Line),
    Open,
    Close,
    Indent,
    Dedent,
    /// A comment that stands where a line ends.
    Comment(&'t str, Comment),
    /// A comment within a line.
    Inline(&'t str),
}

/// Pieces in the order of the text.
pub(crate) struct Layout<'t> {
    items: Vec<Item<'t>>,
}

impl<'t> Layout<'t> {
    pub(crate) fn new() -> Self {
        // The first line end holds the comments before the query.
        let start = Line { flat: "", breaks: Breaks::ForComment, closes: false };
        Layout { items: vec![Item::Line(start)] }
    }

    /// Text that the layout itself puts in.
    pub(crate) fn put(&mut self, text: impl Into<Cow<'t, str>>) {
        self.items.push(Item::Text(text.into(), None));
    }

    /// Text that began at `start` in the source; it must not begin with a space.
    pub(crate) fn put_at(&mut self, text: impl Into<Cow<'t, str>>, start: u32) {
        self.items.push(Item::Text(text.into(), Some(start as usize)));
    }

    pub(crate) fn line(&mut self, flat: &'static str, breaks: Breaks) {
        self.items.push(Item::Line(Line { flat, breaks, closes: false }));
    }

    /// A line end in front of a closing bracket.
    pub(crate) fn closing_line(&mut self, breaks: Breaks) {
        self.items.push(Item::Line(Line { flat: "", breaks, closes: true }));
    }

    /// Begins a group; [`Layout::close`] ends it.
    pub(crate) fn open(&mut self) {
        self.items.push(Item::Open);
    }

    pub(crate) fn close(&mut self) {
        self.items.push(Item::Close);
    }

    /// Goes one level deeper, until [`Layout::dedent`].
    pub(crate) fn indent(&mut self) {
        self.items.push(Item::Indent);
    }

    pub(crate) fn dedent(&mut self) {
        self.items.push(Item::Dedent);
    }

    /// The text, comments of `source` in place, without a line end after the last line.
    pub(crate) fn render(self, source: &'t str, comments: &[Comment]) -> String {
        let items = attach(self.items, source, comments);
        let plan = Plan::new(&items);
        Writer {
            out: String::new(),
            column: 0,
            indent: 0,
            line_indent: 0,
            started: false,
            pending: Vec::new(),
        }
        .write(&items, &plan)
    }
}

/// Puts each comment among the items.
fn attach<'t>(items: Vec<Item<'t>>, source: &'t str, comments: &[Comment]) -> Vec<Item<'t>> {
    if comments.is_empty() {
        return items;
    }
    let mut out: Vec<Item<'t>> = Vec::with_capacity(items.len() + comments.len());
    let mut rest = comments.iter().peekable();
    let mut waiting: Vec<Item<'t>> = Vec::new(); // the items since the last text of the source
    let mut last: Option<Item<'t>> = None;
    for item in items {
        let Item::Text(_, Some(start)) = item else {
            waiting.push(item);
            continue;
        };
        let mut inline = Vec::new();
        out.extend(last.take());
        while let Some(comment) = rest.next_if(|comment| (comment.span.start as usize) < start) {
            let text = comment.span.text(source).trim_end();
            if comment.followed && !comment.line {
                inline.push(Item::Inline(text));
            } else {
                out.push(Item::Comment(text, *comment));
            }
        }
        out.append(&mut waiting);
        out.append(&mut inline);
        last = Some(item);
    }
    out.extend(last);
    out.extend(rest.map(|comment| Item::Comment(comment.span.text(source).trim_end(), *comment)));
    out.append(&mut waiting);
    out
}

/// What the layout knows of each item before the first is written.
struct Plan {
    /// The width of all items before this one, were nothing broken; one more entry than there are items.
    before: Vec<usize>,
    /// Of an opening item: its closing one. Of a line end: the next line end of its group, else the one behind the group.
    next: Vec<usize>,
    /// The next line end at or behind this item.
    line_end: Vec<usize>,
    /// Of a group: it breaks in any case. Of a line end: a comment stands there.
    forced: Vec<bool>,
}

impl Plan {
    fn new(items: &[Item<'_>]) -> Plan {
        let forced = forced(items);
        let is = |flags: &[bool], at: usize| flags.get(at).copied().unwrap_or(false);
        // A line end that is there for comments only is none where no comment stands.
        let is_line = |at: usize| match items.get(at) {
            Some(Item::Line(line)) => line.breaks != Breaks::ForComment || is(&forced, at),
            _ => false,
        };
        let mut before = Vec::with_capacity(items.len() + 1);
        let mut width = 0;
        for (at, item) in items.iter().enumerate() {
            before.push(width);
            width += match item {
                // What holds a line end that breaks fits on no line.
                Item::Line(_) if is(&forced, at) => WIDTH + 1,
                Item::Text(text, _) => text.chars().count(),
                Item::Inline(text) => text.chars().count() + 1,
                Item::Line(line) => line.flat.len(),
                _ => 0,
            };
        }
        before.push(width);

        let mut line_end = vec![items.len(); items.len() + 1];
        let mut nearest = items.len();
        for (at, slot) in line_end.iter_mut().enumerate().rev() {
            if is_line(at) {
                nearest = at;
            }
            *slot = nearest;
        }

        let mut next = vec![items.len(); items.len()];
        let mut set = |at: Option<usize>, to: usize| {
            if let Some(slot) = at.and_then(|at| next.get_mut(at)) {
                *slot = to;
            }
        };
        let mut open: Vec<(usize, Option<usize>)> = Vec::new(); // each open group and its last line end
        for (at, item) in items.iter().enumerate() {
            match item {
                Item::Open => open.push((at, None)),
                Item::Close => {
                    let Some((start, last)) = open.pop() else { continue };
                    set(Some(start), at);
                    set(last, line_end.get(at).copied().unwrap_or(at));
                }
                Item::Line(_) if is_line(at) => {
                    if let Some((_, last)) = open.last_mut() {
                        set(last.replace(at), at);
                    }
                }
                _ => {}
            }
        }
        Plan { before, next, line_end, forced }
    }

    /// The width of the items from `start` up to `end`, unbroken.
    fn width(&self, start: usize, end: usize) -> usize {
        let at = |index: usize| self.before.get(index).or(self.before.last()).copied().unwrap_or(0);
        at(end).saturating_sub(at(start))
    }

    fn next(&self, at: usize) -> usize {
        self.next.get(at).copied().unwrap_or(at)
    }

    fn line_end(&self, at: usize) -> usize {
        self.line_end.get(at).copied().unwrap_or(at)
    }

    fn is_forced(&self, at: usize) -> bool {
        self.forced.get(at).copied().unwrap_or(false)
    }
}

/// Which line ends hold a comment, and which groups hold such a line end or one that always breaks.
fn forced(items: &[Item<'_>]) -> Vec<bool> {
    let mut forced = vec![false; items.len()];
    let mut pending = false;
    let mut open: Vec<(usize, bool)> = Vec::new(); // each open group, and whether it must break
    for (at, item) in items.iter().enumerate() {
        let mut mark = |at: usize| {
            if let Some(flag) = forced.get_mut(at) {
                *flag = true;
            }
        };
        match item {
            Item::Comment(..) => pending = true,
            Item::Line(line) if pending || line.breaks == Breaks::Always => {
                if pending {
                    mark(at);
                }
                pending = false;
                if let Some((_, breaks)) = open.last_mut() {
                    *breaks = true;
                }
            }
            Item::Open => open.push((at, false)),
            Item::Close => {
                if let Some((start, true)) = open.pop() {
                    mark(start);
                    if let Some((_, breaks)) = open.last_mut() {
                        *breaks = true;
                    }
                }
            }
            _ => {}
        }
    }
    forced
}

struct Writer<'t> {
    out: String,
    column: usize,
    indent: usize,
    /// The indentation where the current line began: what is indented later on it does not move its start.
    line_indent: usize,
    /// Whether anything stands on the current line.
    started: bool,
    pending: Vec<(&'t str, Comment)>,
}

impl<'t> Writer<'t> {
    fn write(mut self, items: &[Item<'t>], plan: &Plan) -> String {
        let mut broken: Vec<bool> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item {
                Item::Text(text, _) => self.text(text),
                Item::Inline(text) => {
                    if self.started && !self.out.ends_with([' ', '(', '[']) {
                        self.text(" ");
                    }
                    self.text(text);
                    self.text(" ");
                }
                Item::Comment(text, comment) => self.pending.push((text, *comment)),
                Item::Indent => self.indent += INDENT,
                Item::Dedent => self.indent = self.indent.saturating_sub(INDENT),
                Item::Open => {
                    let whole_fits = || self.column() + plan.width(at, plan.line_end(plan.next(at))) <= WIDTH;
                    let within_flat = broken.last() == Some(&false);
                    broken.push(plan.is_forced(at) || (!within_flat && !whole_fits()));
                }
                Item::Close => {
                    broken.pop();
                }
                Item::Line(line) => {
                    let group_breaks = broken.last().copied().unwrap_or(true);
                    let breaks = plan.is_forced(at)
                        || match line.breaks {
                            Breaks::Always => true,
                            Breaks::ForComment => false,
                            Breaks::WithGroup => group_breaks,
                            Breaks::WhenFull => {
                                group_breaks && self.column() + plan.width(at, plan.next(at)) > WIDTH
                            }
                        };
                    if breaks {
                        self.comments(if line.closes { INDENT } else { 0 });
                        self.end_line();
                    } else {
                        self.text(line.flat);
                    }
                }
            }
        }
        self.comments(0);
        self.out
    }

    /// Where the next character will stand.
    fn column(&self) -> usize {
        if self.started { self.column } else { self.line_indent }
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.started {
            self.out.extend(std::iter::repeat_n(' ', self.line_indent));
            self.column = self.line_indent;
            self.started = true;
        }
        self.out.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn end_line(&mut self) {
        if self.started {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.push('\n');
            self.started = false;
        }
        self.line_indent = self.indent;
    }

    /// Writes the comments that wait for a line end: behind the line where they stood behind one, else below it.
    fn comments(&mut self, deeper: usize) {
        self.indent += deeper;
        let mut can_follow = true;
        for (text, comment) in std::mem::take(&mut self.pending) {
            if self.started && can_follow && !comment.starts_line {
                if !self.out.ends_with(' ') {
                    self.text(" ");
                }
            } else {
                self.end_line();
            }
            self.text(text);
            can_follow = !comment.line;
        }
        self.indent = self.indent.saturating_sub(deeper);
    }
}
