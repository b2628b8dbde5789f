//! What a command's exit code says: one table, used by all of them.

use std::process::ExitCode;

/// How a command ended, from good to bad; where several hold, the worst is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It did what it was asked, and found nothing.
    #[default]
    Success,
    /// It found something.
    Findings,
    /// A rule or an input could not be used.
    Unusable,
    /// The command line or `quell.toml` is wrong.
    Usage,
    /// Ctrl-C.
    Interrupted,
}

/// Code and meaning of each, in order. The help prints it.
const TABLE: [(Exit, u8, &str); 5] = [
    (Exit::Success, 0, "nothing found; for query, explain, decode and fmt: done"),
    (Exit::Findings, 1, "findings"),
    (Exit::Unusable, 2, "a rule or an input could not be used"),
    (Exit::Usage, 3, "the command line or quell.toml is wrong, or the output cannot be written"),
    (Exit::Interrupted, 130, "interrupted by Ctrl-C; what was found until then is printed"),
];

impl Exit {
    /// The worse of the two.
    #[must_use]
    pub fn or(self, other: Exit) -> Exit {
        self.max(other)
    }

    /// `self`, or worse where `condition` holds.
    #[must_use]
    pub fn or_if(self, condition: bool, other: Exit) -> Exit {
        if condition { self.or(other) } else { self }
    }

    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        TABLE.iter().find(|(exit, ..)| *exit == self).map_or(u8::MAX, |(_, code, _)| *code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// The table as the help shows it.
#[must_use]
pub fn table() -> String {
    let mut text = String::new();
    for (_, code, meaning) in TABLE {
        text.push_str(&format!("  {code:>3}  {meaning}\n"));
    }
    text.push_str("  Where several hold, the highest is returned.");
    text
}

#[cfg(test)]
mod tests {
    use super::{Exit, TABLE};

    #[test]
    fn the_table_is_in_order_and_the_worse_one_wins() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        assert_eq!(Exit::Findings.or(Exit::Success).code(), 1);
        assert_eq!(Exit::Findings.or(Exit::Unusable).code(), 2);
        assert_eq!(Exit::Interrupted.or(Exit::Usage).code(), 130);
        assert_eq!(Exit::Success.or_if(false, Exit::Usage).code(), 0);
    }
}
