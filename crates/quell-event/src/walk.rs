//! Every scalar of a record with its dotted path: the slow way, for tests that name no field.

use crate::cursor::{Cursor, Read, error, unescape};
use crate::{MAX_DEPTH, ProjectionError, ProjectionErrorKind, Scalar};
use quell_ir::Datum;

/// Calls `visit` with the dotted path and the value of every scalar of a record but nulls, in the record's order.
/// Arrays add nothing to a path.
///
/// # Errors
/// Where the record is no JSON object, or nests deeper than [`MAX_DEPTH`]; what stands before was visited.
pub fn walk(record: &str, visit: &mut dyn FnMut(&str, Datum<'_>)) -> Result<(), ProjectionError> {
    let mut cursor = Cursor::new(record)?;
    cursor.open_record()?;
    let mut run = Run { cursor, path: String::new(), text: String::new(), visit };
    run.object(MAX_DEPTH)?;
    run.cursor.close_record()
}

struct Run<'r, 'v> {
    cursor: Cursor<'r>,
    path: String,
    text: String,
    visit: &'v mut dyn FnMut(&str, Datum<'_>),
}

impl Run<'_, '_> {
    /// The members of an object whose opening brace was read. `depth` is how many containers may yet be opened.
    fn object(&mut self, depth: usize) -> Read<()> {
        let mut byte = self.cursor.token()?;
        if byte == b'}' {
            return Ok(());
        }
        // At the record's own level a path begins with its key; below, even an empty key is a segment.
        let (outer, top) = (self.path.len(), depth == MAX_DEPTH);
        loop {
            if byte != b'"' {
                return self.cursor.unexpected();
            }
            let key = self.cursor.string()?;
            if !top {
                self.path.push('.');
            }
            unescape(self.cursor.text(key.start, key.end), &mut self.path)
                .or_else(|at| error(key.start + at, ProjectionErrorKind::BadEscape))?;
            let first = self.cursor.colon()?;
            self.value(first, depth)?;
            self.path.truncate(outer);
            match self.cursor.token()? {
                b',' => byte = self.cursor.token()?,
                b'}' => return Ok(()),
                _ => return self.cursor.unexpected(),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Read<()> {
        let mut first = self.cursor.token()?;
        if first == b']' {
            return Ok(());
        }
        loop {
            self.value(first, depth)?;
            match self.cursor.token()? {
                b',' => first = self.cursor.token()?,
                b']' => return Ok(()),
                _ => return self.cursor.unexpected(),
            }
        }
    }

    fn value(&mut self, first: u8, depth: usize) -> Read<()> {
        let scalar = match first {
            b'"' => {
                let raw = self.cursor.string()?;
                let mut text = self.cursor.text(raw.start, raw.end);
                if raw.escaped {
                    self.text.clear();
                    unescape(text, &mut self.text)
                        .or_else(|at| error(raw.start + at, ProjectionErrorKind::BadEscape))?;
                    text = &self.text;
                }
                (self.visit)(&self.path, Datum::Text(text));
                return Ok(());
            }
            b'{' => return self.object(self.deeper(depth)?),
            b'[' => return self.array(self.deeper(depth)?),
            b'-' | b'0'..=b'9' => Some(self.cursor.number(first)?),
            _ => self.cursor.literal(first)?,
        };
        if let Some(scalar) = scalar {
            (self.visit)(&self.path, Scalar::datum(scalar, "", ""));
        }
        Ok(())
    }

    fn deeper(&self, depth: usize) -> Read<usize> {
        match depth.checked_sub(1) {
            Some(depth) if depth > 0 => Ok(depth),
            _ => error(self.cursor.offset() - 1, ProjectionErrorKind::TooDeep),
        }
    }
}
