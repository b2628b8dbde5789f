//! A followed file: what is appended to it is read, through rotations by renaming and cuts in place.
//!
//! A file is left for the next one only when that holds something and nothing was appended to the old one for a moment: a
//! writer goes on with the old file until it has opened the new one.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use quell_ir::Code;

use super::feed::{Feed, Stop};
use super::position::{FileIdentity, FollowPosition, Place, modified};
use super::rotation::Standing;
use crate::source::warning::{InputWarning, Loss};

/// How much is read at once.
const BLOCK: usize = 256 << 10;
/// How long a file that was rotated away must be quiet before the next one is begun.
const QUIET: Duration = Duration::from_millis(100);
/// How often a file is looked for before it counts as gone: one that is renamed meanwhile may be missing from the list of
/// its folder.
const LOOKS: u32 = 5;

/// Follows the feed's path, from its beginning or from a saved position.
pub(super) fn follow(feed: Feed, saved: Option<FollowPosition>) -> Result<(), Stop> {
    let mut follower = Follower { feed, pause: Pause::new(), block: vec![0; BLOCK] };
    follower.begin(saved)?;
    follower.feed.announce()?;
    loop {
        let next = follower.read_through()?;
        follower.go_on(next)?;
    }
}

struct Follower {
    feed: Feed,
    pause: Pause,
    block: Vec<u8>,
}

/// The file to read next, and what stood before it and cannot be read.
struct Next {
    file: File,
    metadata: Metadata,
    compressed: Vec<PathBuf>,
}

impl Follower {
    /// Opens the first file, as soon as there is one.
    fn begin(&mut self, saved: Option<FollowPosition>) -> Result<(), Stop> {
        let path = self.feed.path.clone();
        let mut reported = false;
        let mut looks = 0;
        loop {
            let standing = Standing::of(&path);
            if let Some(saved) = &saved {
                if let Some(place) = standing.find(saved) {
                    self.feed.start(place, saved.offset(), saved.lines());
                    return Ok(());
                }
                looks += 1;
                if looks < LOOKS {
                    self.feed.handoff.pause(self.pause.next())?;
                    continue;
                }
            }
            match open(&path) {
                Ok((file, metadata)) => return self.begin_anew(saved.as_ref(), &standing, file, &metadata),
                Err(error) if is_not_a_file(&path) => return Err(self.failed(&error)),
                Err(error) if error.kind() != io::ErrorKind::NotFound && !reported => {
                    reported = true;
                    let message = format!("cannot be read, and is tried again: {error}");
                    self.warn(Code::UNREADABLE, Loss::Nothing, message)?;
                }
                Err(_) => {}
            }
            self.feed.handoff.pause(self.pause.next())?;
        }
    }

    /// Begins a file that is not one with a saved position in it.
    fn begin_anew(
        &mut self,
        saved: Option<&FollowPosition>,
        standing: &Standing,
        file: File,
        metadata: &Metadata,
    ) -> Result<(), Stop> {
        let Some(saved) = saved else {
            self.feed.start(Place::new(file, metadata), 0, 0);
            return Ok(());
        };
        if FileIdentity::of(metadata) == saved.file() {
            self.warn_of_cut()?;
            self.feed.start(Place::new(file, metadata), 0, 0);
            return Ok(());
        }
        self.missing("the file that was read last is not there any more")?;
        let successors = standing.after(None, saved.modified());
        let next = successors.next.and_then(|next| open(&next.path).ok()).unwrap_or((file, metadata.clone()));
        self.go_on(Next { file: next.0, metadata: next.1, compressed: successors.compressed })
    }

    /// Reads the file to its end, and on until there is another to go on with.
    fn read_through(&mut self) -> Result<Next, Stop> {
        // The next file, and since when it is that one and nothing was appended to this one. It must be the same at two
        // looks: while files are renamed, one may be missing from the list of the folder.
        let mut seen: Option<(FileIdentity, Instant)> = None;
        self.pause.reset();
        loop {
            self.restart_if_cut()?;
            if self.read_to_end()? {
                seen = None;
                self.pause.reset();
            }
            let next = self.successor();
            let identity = next.as_ref().map(|next| FileIdentity::of(&next.metadata));
            match (next, seen) {
                (Some(next), Some((same, since))) if identity == Some(same) => {
                    if since.elapsed() >= QUIET || self.is_long_quiet() {
                        // What was written before the look at the next file.
                        if !self.read_to_end()? {
                            return Ok(next);
                        }
                        seen = None;
                    }
                }
                (Some(_), _) => {
                    seen = identity.map(|identity| (identity, Instant::now()));
                    self.pause.reset();
                }
                (None, _) => seen = None,
            }
            self.feed.handoff.pause(self.pause.next())?;
        }
    }

    /// Takes what was appended; whether there was anything.
    fn read_to_end(&mut self) -> Result<bool, Stop> {
        let mut any = false;
        loop {
            self.feed.handoff.room()?;
            let Some(place) = self.feed.place() else { return Ok(any) };
            match (&place.file).read(&mut self.block) {
                Ok(0) => return Ok(any),
                Ok(read) => {
                    any = true;
                    self.feed.take(self.block.get(..read).unwrap_or(&[]))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// Reads the file from its beginning where it was cut, or written anew, in place.
    fn restart_if_cut(&mut self) -> Result<(), Stop> {
        let read = self.feed.read();
        let cut = match self.feed.place_mut().map(|place| place.was_cut(read)) {
            Some(Ok(cut)) => cut,
            Some(Err(error)) => return Err(self.failed(&error)),
            None => false,
        };
        if !cut {
            return Ok(());
        }
        self.feed.handoff.drained()?;
        self.warn_of_cut()?;
        let Some(place) = self.feed.place() else { return Ok(()) };
        match place.file.try_clone().and_then(|file| Ok((file.metadata()?, rewound(file)?))) {
            Ok((metadata, file)) => self.feed.start(Place::new(file, &metadata), 0, 0),
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(())
    }

    /// The file to go on with, if this one was rotated away and the next holds something.
    fn successor(&self) -> Option<Next> {
        let place = self.feed.place()?;
        let path = &self.feed.path;
        let named = fs::metadata(path).ok().filter(Metadata::is_file);
        // Windows gives a new file the time of creation of one that had its name a moment ago: its length has to tell.
        let is_this = |named: &Metadata| {
            FileIdentity::of(named) == place.identity && (cfg!(unix) || named.len() >= self.feed.read())
        };
        if named.as_ref().is_some_and(is_this) {
            return None;
        }
        let since = place.file.metadata().map_or(0, |metadata| modified(&metadata));
        let successors = Standing::of(path).after(Some(place.identity), since);
        let (next, expected) = match &successors.next {
            Some(rotated) => (rotated.path.as_path(), rotated.identity),
            None => (&**path, FileIdentity::of(&named.filter(|named| named.len() > 0)?)),
        };
        // It may have been rotated on since it was looked at; then the next look tells.
        let (file, metadata) = open(next).ok()?;
        (FileIdentity::of(&metadata) == expected).then_some(Next {
            file,
            metadata,
            compressed: successors.compressed,
        })
    }

    /// Whether nothing was appended for so long that nothing will be.
    fn is_long_quiet(&self) -> bool {
        let modified = self.feed.place().and_then(|place| place.file.metadata().ok()?.modified().ok());
        modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= Duration::from_secs(10))
    }

    /// Ends the file, and begins the next.
    fn go_on(&mut self, next: Next) -> Result<(), Stop> {
        if self.feed.place().is_some() {
            self.feed.pass_on()?;
        }
        self.feed.handoff.drained()?;
        for path in &next.compressed {
            self.missing(&format!("{} was compressed before it was read", path.display()))?;
        }
        self.feed.start(Place::new(next.file, &next.metadata), 0, 0);
        Ok(())
    }

    fn missing(&self, what: &str) -> Result<(), Stop> {
        self.warn(Code::RECORDS_MAY_BE_MISSING, Loss::Records, format!("{what}; records may be missing"))
    }

    fn warn_of_cut(&self) -> Result<(), Stop> {
        let message = "the file was cut and is read from its beginning; records may be missing".to_owned();
        self.warn(Code::INPUT_TRUNCATED, Loss::Records, message)
    }

    fn warn(&self, code: Code, loss: Loss, message: String) -> Result<(), Stop> {
        self.feed.warn(InputWarning::new(code, &self.feed.path, loss, message))
    }

    fn failed(&self, error: &io::Error) -> Stop {
        let message = format!("cannot be read: {error}");
        Stop::Failed(InputWarning::new(Code::UNREADABLE, &self.feed.path, Loss::Input, message))
    }
}

/// Opens a regular file. Another is not opened: a pipe could block for ever.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    if is_not_a_file(path) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn is_not_a_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

fn rewound(mut file: File) -> io::Result<File> {
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

/// How long to wait before the next look: short after something came, longer the longer nothing does.
struct Pause(Duration);

impl Pause {
    const FIRST: Duration = Duration::from_millis(2);
    const LONGEST: Duration = Duration::from_millis(250);

    fn new() -> Pause {
        Pause(Pause::FIRST)
    }

    fn reset(&mut self) {
        self.0 = Pause::FIRST;
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(Pause::LONGEST);
        now
    }
}
