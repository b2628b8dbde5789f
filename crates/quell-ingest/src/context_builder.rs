//! The first pass: from records to a context, reading past all but the starts and ends of processes.

use crate::context::{Context, ProcessChange, ProcessFact};
use crate::{DecodeOptions, Decoder, Format, Layout, SourceFile};
use memchr::memmem;
use quell_event::{Event, EventState, FieldSet, NoFacts, Slot};
use quell_ir::Datum;
use quell_ir::date::date_of;
use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// Learns from records what a context keeps; one a thread, or one for a stream.
///
/// In batch each thread observes its share and the contexts are put together ([`Context::absorb`]). A stream observes each
/// record before it decodes it, and looks up in [`ContextBuilder::context`].
pub struct ContextBuilder {
    /// Made when the first record of a layout may tell something.
    decoders: [(Layout, OnceLock<Decoder>); 3],
    options: DecodeOptions,
    fields: FieldSet,
    slots: Slots,
    tell_tale: TellTale,
    state: EventState,
    context: Context,
}

/// What is read of a record.
struct Slots {
    dataset: Slot,
    action: Slot,
    host: Slot,
    pid: Slot,
    time: Slot,
    executable: Slot,
    command_line: Slot,
}

/// What every record holds that a context learns from: the digits of 4688 or 4689.
pub struct TellTale(memmem::Finder<'static>);

impl Default for TellTale {
    fn default() -> Self {
        TellTale(memmem::Finder::new(Self::START))
    }
}

impl TellTale {
    /// What both start with, and how they end.
    const START: &str = "468";
    const ENDS: [u8; 2] = *b"89";

    /// The first place of it; whoever reads records that nobody else needs may leave out those without it.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        let ends = |at: &usize| text.get(at + Self::START.len()).is_some_and(|end| Self::ENDS.contains(end));
        self.0.find_iter(text).find(ends)
    }
}

impl ContextBuilder {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        Self::going_on(Context::new(), options)
    }

    /// One that goes on from what is known. The options must be those by which the records are decoded later.
    #[must_use]
    pub fn going_on(context: Context, options: &DecodeOptions) -> Self {
        let mut fields = FieldSet::default();
        let slots = Slots {
            dataset: fields.intern("event.dataset"),
            action: fields.intern("event.action"),
            host: fields.intern("host.name"),
            pid: fields.intern("process.pid"),
            time: fields.intern("@timestamp"),
            executable: fields.intern("process.executable"),
            command_line: fields.intern("process.command_line"),
        };
        // An ECS document has what it has: nothing is added to it.
        let layouts = [Layout::Evtx, Layout::FlatWindows, Layout::Winlogbeat6];
        ContextBuilder {
            decoders: layouts.map(|layout| (layout, OnceLock::new())),
            options: options.clone(),
            fields,
            slots,
            tell_tale: TellTale::default(),
            state: EventState::default(),
            context,
        }
    }

    /// Learns from a record. One that cannot be decoded says nothing here; decoding it reports it.
    pub fn observe(&mut self, layout: Layout, record: &str) {
        self.observe_in(0, layout, record, i64::MAX);
    }

    /// The same, of the record of a stream that has this number ([`Context::as_of`]). What it says to be after `latest` is not
    /// learnt: a clock that is years ahead would have all else forgotten.
    pub fn observe_in(&mut self, number: u64, layout: Layout, record: &str, latest: i64) {
        if self.tell_tale.find(record.as_bytes()).is_none() {
            return;
        }
        let Some((_, decoder)) = self.decoders.iter().find(|(known, _)| *known == layout) else { return };
        let decoder = decoder.get_or_init(|| Decoder::new(layout, &self.fields, &self.options));
        let Ok(mut event) = decoder.decode(record, &mut self.state, &NoFacts) else { return };
        if let Some(fact) = self.slots.fact(&mut event).filter(|fact| fact.time <= latest) {
            self.context.observe_in(number, &fact);
        }
    }

    /// What was learnt.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What was learnt, for good.
    #[must_use]
    pub fn finish(self) -> Context {
        self.context
    }
}

impl Slots {
    /// What the event says of a process, if it is one of those that do: they are told by constants of their rows.
    fn fact<'e>(&self, event: &'e mut Event<'_>) -> Option<ProcessFact<'e>> {
        if event.values(self.dataset).first().as_text() != Some("system.security") {
            return None;
        }
        let started = match event.values(self.action).first().as_text()? {
            "created-process" => true,
            "exited-process" => false,
            _ => return None,
        };
        for slot in [self.host, self.pid, self.time, self.executable, self.command_line] {
            event.prepare(slot);
        }
        let event = &*event;
        let text = |slot| event.prepared(slot).first().as_text();
        let Datum::Integer(pid) = event.prepared(self.pid).first() else { return None };
        Some(ProcessFact {
            host: text(self.host)?,
            pid: u32::try_from(pid).ok()?,
            time: date_of(event.prepared(self.time).first())?,
            change: if started {
                ProcessChange::Started {
                    executable: text(self.executable).unwrap_or(""),
                    command_line: text(self.command_line).unwrap_or(""),
                }
            } else {
                ProcessChange::Ended
            },
        })
    }
}

/// Whether a context could learn something from this file, which is of this format. Where that is not sure, it could.
#[must_use]
pub fn may_tell_context(file: &SourceFile, format: &dyn Format) -> bool {
    match format.layout() {
        Layout::Ecs => false,
        Layout::Evtx => names_the_security_provider(file).unwrap_or(true),
        Layout::FlatWindows | Layout::Winlogbeat6 => true,
    }
}

/// Whether an EVTX file holds the end of the Security log's provider name. Every chunk that has an event of a provider has its
/// name as UTF-16 text, and looking for it is far cheaper than decoding the chunk.
fn names_the_security_provider(file: &SourceFile) -> std::io::Result<bool> {
    const BLOCK: usize = 256 << 10;
    let name: Vec<u8> = "Security-Auditing".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let finder = memmem::Finder::new(&name);
    let mut input = File::open(&file.path)?;
    let mut buffer = Vec::with_capacity(BLOCK + name.len());
    let mut first = true;
    loop {
        let read = input.by_ref().take(BLOCK as u64).read_to_end(&mut buffer)?;
        if first && !buffer.starts_with(b"ElfFile\0") {
            return Ok(true); // compressed, or damaged: only decoding tells
        }
        first = false;
        if finder.find(&buffer).is_some() {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        let kept = buffer.len().saturating_sub(name.len() - 1);
        buffer.drain(..kept);
    }
}

#[cfg(test)]
mod tests {
    use super::may_tell_context;
    use crate::format::format_named;
    use crate::{Format, SourceFile};

    fn told(bytes: &[u8], format: &'static dyn Format) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        may_tell_context(&SourceFile::at(&path).unwrap(), format)
    }

    #[test]
    fn an_event_log_is_read_where_it_holds_the_providers_name() {
        let evtx = format_named("evtx").unwrap();
        let name: Vec<u8> =
            "Microsoft-Windows-Security-Auditing".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut log = b"ElfFile\0".to_vec();
        log.resize(600_000, 0);
        assert!(!told(&log, evtx));
        // Also where it lies in two of the blocks that are read.
        for at in [8, 262_100, 262_143, 524_200, 524_287, log.len() - name.len()] {
            let mut log = log.clone();
            log[at..at + name.len()].copy_from_slice(&name);
            assert!(told(&log, evtx), "at {at}");
        }
        log[0] = b'x'; // damaged, or compressed
        assert!(told(&log, evtx));
    }

    #[test]
    fn documents_that_are_complete_are_not_read() {
        assert!(!told(b"{}", format_named("ecs-json").unwrap()));
        assert!(told(b"{}", format_named("windows-json").unwrap()));
    }
}
