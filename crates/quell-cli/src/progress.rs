//! A progress bar for work that lasts, and how the work learns of Ctrl-C.

use crate::console::Console;
use crate::interrupt;
use crate::units::{bytes, count};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use quell::{Progress, Seen};
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Shorter work shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// Watches a scan.
#[derive(Debug)]
pub struct Bar {
    shown: bool,
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl Bar {
    /// A bar on standard error, if that is a terminal and quiet was not asked for.
    #[must_use]
    pub fn new(console: &Console) -> Self {
        Bar {
            shown: !console.quiet && io::stderr().is_terminal(),
            started: Instant::now(),
            bar: OnceLock::new(),
        }
    }

    /// Removes the bar from the screen.
    pub fn clear(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, seen: &Seen) {
        let bar = self.bar.get_or_init(|| {
            let bar = ProgressBar::with_draw_target(Some(seen.bytes_total), ProgressDrawTarget::stderr());
            let template =
                if seen.bytes_total > 0 { "{bar:30} {percent:>3}%  {msg}" } else { "{spinner} {msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            }
            bar
        });
        bar.set_position(seen.bytes_done.min(seen.bytes_total));
        if seen.first_pass {
            let [done, total] = [seen.files_done, seen.files_total].map(count);
            bar.set_message(format!("{done}/{total} files, starts and ends of processes"));
            return;
        }
        bar.set_message(format!(
            "{}/{} files, {}, {} events, {} hits",
            count(seen.files_done),
            count(seen.files_total),
            bytes(seen.bytes_done),
            count(seen.events),
            count(seen.hits)
        ));
    }
}

impl Progress for Bar {
    fn update(&self, seen: &Seen) {
        if self.shown && self.started.elapsed() >= PATIENCE {
            self.draw(seen);
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::asked()
    }
}
