//! The first pass: what the inputs say of processes, read before any event is matched, so that order makes no difference.

use crate::pipeline::{Counts, InputFacts, Progress, Work, drive};
use crate::scan::ScanOptions;
use quell_event::FieldSet;
use quell_ingest::{Batch, Context, ContextBuilder, Format, SourceFile, may_tell_context};

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
    let workers = (0..options.threads()).map(|_| ContextWork(ContextBuilder::new(&decode))).collect();
    let (workers, _) = drive(&files, &options.open_options(), workers, &Unseen(progress));
    let mut context = Context::new();
    for ContextWork(builder) in workers {
        context.absorb(builder.finish());
    }
    context
}

/// One thread's share.
struct ContextWork(ContextBuilder);

impl Work for ContextWork {
    fn wants(&self, file: &SourceFile, format: &dyn Format) -> bool {
        may_tell_context(file, format)
    }

    fn batch(&mut self, _: u32, input: &InputFacts, batch: &mut Batch, _: &mut Counts) {
        let layout = input.format.layout();
        for (_, text) in batch.iter() {
            self.0.observe(layout, text);
        }
    }
}

/// Progress is counted in the pass that matches; this one can be stopped too.
struct Unseen<'p>(&'p dyn Progress);

impl Progress for Unseen<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
