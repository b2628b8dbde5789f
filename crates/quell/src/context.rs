//! The first pass: what the inputs say of processes, read before any event is matched, so that order makes no difference.

use crate::pipeline::{Counts, InputFacts, Progress, Seen, Work, drive};
use crate::scan::ScanOptions;
use quell_event::FieldSet;
use quell_ingest::{
    Batch, Context, ContextBuilder, Format, Input, Limits, OpenOptions, SourceFile, TellTale,
    may_tell_context,
};

/// What is known of the hosts of these inputs. Nothing is read where no field asks for it, nor is what can be read but once:
/// standard input and pipes.
///
/// Inputs that cannot be read are passed over: reading them for their events reports them.
pub(crate) fn read_context(
    fields: &FieldSet,
    files: &[SourceFile],
    options: &ScanOptions,
    progress: &dyn Progress,
) -> Context {
    if !Context::is_asked(fields) {
        return Context::new();
    }
    let files: Vec<SourceFile> = files.iter().filter(|file| file.bytes.is_some()).cloned().collect();
    let decode = options.decode_options();
    let worker = |_| ContextWork { builder: ContextBuilder::new(&decode), tell_tale: TellTale::default() };
    let workers = (0..options.threads()).map(worker).collect();
    // Hardly anything of what is read is kept, so it need not leave the processor's cache.
    let limits = Limits { batch_bytes: 512 << 10, ..Limits::default() };
    let open = OpenOptions { limits, ..options.open_options() };
    let (workers, _) = drive(&files, &open, workers, &FirstPass(progress));
    let mut context = Context::new();
    for worker in workers {
        context.absorb(worker.builder.finish());
    }
    context
}

/// One thread's share.
struct ContextWork {
    builder: ContextBuilder,
    tell_tale: TellTale,
}

impl Work for ContextWork {
    fn wants(&self, file: &SourceFile, format: &dyn Format) -> bool {
        may_tell_context(file, format)
    }

    fn read(&self, input: &mut Input, batch: &mut Batch) -> bool {
        input.next_batch_of(batch, &|text| self.tell_tale.find(text))
    }

    fn batch(&mut self, _: u32, input: &InputFacts, batch: &mut Batch, _: &mut Counts) {
        let layout = input.format.layout();
        for (_, text) in batch.iter() {
            self.builder.observe(layout, text);
        }
    }
}

/// Shown as what it is.
struct FirstPass<'p>(&'p dyn Progress);

impl Progress for FirstPass<'_> {
    fn update(&self, seen: &Seen) {
        self.0.update(&Seen { first_pass: true, ..*seen });
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
