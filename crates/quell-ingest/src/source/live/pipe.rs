//! Standard input, other readers and named pipes: read until their end, or for as long as somebody may write.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use quell_ir::Code;

use super::feed::{Feed, Stop};
use super::position::FileIdentity;
use crate::source::warning::{InputWarning, Loss};

/// How much is read at once: no pipe holds more by default.
const BLOCK: usize = 64 << 10;

/// How often a pipe without a writer is looked at.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn standard_input(feed: Feed) -> Result<(), Stop> {
    reader(feed, io::stdin().lock())
}

pub(super) fn reader(mut feed: Feed, mut reader: impl Read) -> Result<(), Stop> {
    read_through(&mut feed, &mut reader)?;
    end(&mut feed)
}

pub(super) fn named_pipe(mut feed: Feed) -> Result<(), Stop> {
    let path = feed.path.clone();
    // Waits for a writer.
    let mut pipe = open(&path)?;
    loop {
        read_through(&mut feed, &mut pipe)?;
        if !has_name(&pipe, &path) {
            return end(&mut feed);
        }
        feed.pass_on()?;
        // It stays open: what a writer leaves in it before it is opened anew would be lost.
        feed.handoff.pause(PAUSE)?;
        if was_replaced(&pipe, &path) {
            read_through(&mut feed, &mut pipe)?;
            feed.pass_on()?;
            pipe = open(&path)?;
        }
    }
}

fn open(path: &Path) -> Result<File, Stop> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

/// Reads until there is nothing more, at least for now.
fn read_through(feed: &mut Feed, from: &mut impl Read) -> Result<(), Stop> {
    let mut block = vec![0; BLOCK];
    loop {
        feed.handoff.room()?;
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => feed.take(block.get(..read).unwrap_or(&[]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&feed.path, &error)),
        }
    }
}

/// The end of the input. That there was nothing is worth a note, and no failure.
fn end(feed: &mut Feed) -> Result<(), Stop> {
    match feed.finish() {
        Err(Stop::Failed(warning)) if warning.loss == Loss::Nothing => feed.warn(warning),
        result => result,
    }
}

/// Whether further writers can find the pipe.
fn has_name(pipe: &File, path: &Path) -> bool {
    is_pipe(pipe) && fs::canonicalize(path).is_ok()
}

#[cfg(unix)]
fn is_pipe(file: &File) -> bool {
    use std::os::unix::fs::FileTypeExt;
    file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &File) -> bool {
    false
}

/// Whether the path names another pipe by now.
fn was_replaced(pipe: &File, path: &Path) -> bool {
    let own = pipe.metadata().map(|metadata| FileIdentity::of(&metadata));
    let named = fs::metadata(path).map(|metadata| FileIdentity::of(&metadata));
    matches!((own, named), (Ok(own), Ok(named)) if own != named)
}

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    let message = format!("cannot be read: {error}");
    Stop::Failed(InputWarning::new(Code::UNREADABLE, &path.into(), Loss::Input, message))
}
