//! Maintenance windows: which of them an alert falls into, by its time and its document.
//!
//! Source: Kibana's "Maintenance windows". Kibana goes by the clock; quell goes by the time of the alert, so that a log gives
//! the same alerts whenever it is read. A scope is asked of the alert's own document: it may name the event's fields and those
//! under `kibana.alert`.

use crate::documents::Documents;
use crate::scan::ScanOptions;
use quell_engine::{Alert, Engine, EngineOptions, EngineRule, Maintenance, Matcher};
use quell_event::{EventState, NoFacts, Position, RecordRef, RecordText};
use quell_ingest::{DecodeOptions, Decoder, Layout};
use quell_ir::logic::{Logic, Query};
use quell_rules::{CompileOptions, FileFinding, MaintenanceWindow, Rule};
use serde_json::Value;
use std::sync::Arc;

/// The windows of a scan, their scopes compiled as rules of one event.
pub(crate) struct Windows {
    list: Vec<MaintenanceWindow>,
    /// By window, the number of its scope; none if it is for every alert.
    scopes: Vec<Option<u32>>,
    engine: Engine,
}

impl Windows {
    /// Compiles the scopes. A window whose scope cannot be used marks nothing, and is reported.
    pub(crate) fn new(
        windows: &[MaintenanceWindow],
        compile: &CompileOptions<'_>,
    ) -> (Windows, Vec<FileFinding>) {
        let (mut list, mut scopes, mut rules) = (Vec::new(), Vec::new(), Vec::new());
        let mut findings = Vec::new();
        for window in windows.iter().filter(|window| window.enabled) {
            let (scope, found) = window.compile_scope(compile);
            let failed = found.iter().any(|finding| finding.diagnostic.is_error());
            findings.extend(found);
            if failed {
                continue;
            }
            let mut number = None;
            if let Some(filter) = scope {
                let query = Query { logic: Logic::Event(filter), pipes: Vec::new() };
                let rule = EngineRule { rule: Arc::new(Rule::of_query("")), query };
                // A scope that the engine does not run must not become a window for every alert.
                let (_, refused) = Engine::new(vec![rule.clone()], &EngineOptions::default());
                if let Some(refused) = refused.first() {
                    findings.push(window.not_applied(refused.reason));
                    continue;
                }
                number = u32::try_from(rules.len()).ok();
                rules.push(rule);
            }
            list.push(window.clone());
            scopes.push(number);
        }
        let options = EngineOptions { any_index: true, ..EngineOptions::default() };
        let (engine, _) = Engine::new(rules, &options);
        (Windows { list, scopes, engine }, findings)
    }
}

/// Says of alerts which windows they fall into.
pub(crate) struct Marker<'s> {
    windows: &'s Windows,
    /// By window, its starts as far as they were counted out.
    starts: Vec<Starts>,
    scopes: Option<Scopes<'s>>,
    decode: DecodeOptions,
    unknown: u64,
}

/// When a window starts, in nanoseconds since 1970, in order.
#[derive(Default)]
struct Starts {
    times: Vec<i64>,
    /// How many were asked for.
    asked: u16,
    all: bool,
}

struct Scopes<'s> {
    decoder: Decoder,
    state: EventState,
    matcher: Matcher<'s>,
}

impl<'s> Marker<'s> {
    pub(crate) fn new(windows: &'s Windows, options: &ScanOptions) -> Marker<'s> {
        let starts = windows.list.iter().map(|_| Starts::default()).collect();
        Marker { windows, starts, scopes: None, decode: options.decode_options(), unknown: 0 }
    }

    /// How many alerts come after more starts of a window than are counted out.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// The windows that the alert falls into. One without a time falls into none.
    pub(crate) fn windows_of(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> Vec<Maintenance> {
        let Some(time) = alert.time else { return Vec::new() };
        let windows = self.windows;
        let mut open = Vec::new();
        for ((window, scope), starts) in windows.list.iter().zip(&windows.scopes).zip(&mut self.starts) {
            match starts.covers(window, time) {
                Some(true) => open.push((window, *scope)),
                Some(false) => {}
                None => self.unknown += 1,
            }
        }
        let in_scope = match open.iter().any(|(_, scope)| scope.is_some()) {
            true => self.in_scope(alert, documents),
            false => Vec::new(),
        };
        let within = open.iter().filter(|(_, scope)| scope.is_none_or(|number| in_scope.contains(&number)));
        let named = |window: &MaintenanceWindow| Maintenance {
            id: window.id.as_str().into(),
            title: window.title.as_str().into(),
        };
        within.map(|(window, _)| named(window)).collect()
    }

    /// The numbers of the scopes that the alert's document satisfies.
    fn in_scope(&mut self, alert: &Alert, documents: &mut Documents<'_>) -> Vec<u32> {
        // A record that cannot be had again is told when the alert is written.
        let document = documents.alert(alert).unwrap_or_else(|_| Documents::alert_alone(alert));
        let text = Value::Object(document).to_string();
        let engine = &self.windows.engine;
        let scopes = self.scopes.get_or_insert_with(|| Scopes {
            decoder: Decoder::with_subtrees(
                Layout::Ecs,
                engine.fields(),
                &|slot| engine.subtree(slot),
                &self.decode,
            ),
            state: EventState::default(),
            matcher: engine.matcher(),
        });
        let mut hits = Vec::new();
        if let Ok(mut event) = scopes.decoder.decode(&text, &mut scopes.state, &NoFacts) {
            let mut record =
                || RecordRef { source: 0, position: Position::default(), text: RecordText::Reread(0) };
            scopes.matcher.match_event(&mut event, &mut record, &mut hits);
        }
        hits.into_iter().map(|hit| hit.rule).collect()
    }
}

impl Starts {
    /// Whether the window is open at that time; none where its starts were not counted out so far.
    fn covers(&mut self, window: &MaintenanceWindow, time: i64) -> Option<bool> {
        while !self.all && self.times.last().is_none_or(|last| *last <= time) {
            if self.asked == u16::MAX {
                return None;
            }
            self.asked = self.asked.saturating_mul(4).max(500);
            (self.times, self.all) = window.starts(self.asked);
        }
        let next = self.times.partition_point(|start| *start <= time);
        let last = next.checked_sub(1).and_then(|place| self.times.get(place));
        Some(last.is_some_and(|start| time < start.saturating_add(window.duration)))
    }
}
