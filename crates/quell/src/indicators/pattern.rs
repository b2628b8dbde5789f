//! A small reader of STIX patterns: comparisons for equality, any of which is enough.
//!
//! `[ipv4-addr:value = '198.51.100.7']`, `[file:hashes.'SHA-256' = '…' OR file:hashes.MD5 = '…']`, `[…] OR […]`, `… IN ('a', 'b')`.
//! What asks for two things at once, or for an order in time, is not read.

/// The alternatives of a pattern, object path and value, paths without their quotes; `None` for what is not read.
pub(super) fn read(text: &str) -> Option<Vec<(String, String)>> {
    let mut reader = Reader { rest: text };
    let mut found = Vec::new();
    loop {
        reader.take("[")?;
        loop {
            reader.comparison(&mut found)?;
            if reader.take("]").is_some() {
                break;
            }
            reader.word("OR")?;
        }
        if reader.rest.trim().is_empty() {
            return Some(found);
        }
        reader.word("OR")?;
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// The word, with something else behind it.
    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.rest.trim_start().strip_prefix(word)?;
        if rest.starts_with(|c: char| c.is_alphanumeric()) {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    fn comparison(&mut self, found: &mut Vec<(String, String)>) -> Option<()> {
        let path = self.path()?;
        if self.word("IN").is_some() {
            self.take("(")?;
            loop {
                found.push((path.clone(), self.literal()?));
                if self.take(")").is_some() {
                    return Some(());
                }
                self.take(",")?;
            }
        }
        self.take("==").or_else(|| self.take("="))?;
        found.push((path, self.literal()?));
        Some(())
    }

    /// `file:hashes.'SHA-256'`
    fn path(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let mut path = String::new();
        loop {
            if self.rest.starts_with('\'') {
                path.push_str(&self.literal()?);
                continue;
            }
            let end = self.rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')));
            let (part, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
            if part.is_empty() {
                return (!path.is_empty()).then_some(path);
            }
            path.push_str(part);
            self.rest = rest;
        }
    }

    /// A text in quotes, a backslash before a quote or backslash taken off.
    fn literal(&mut self) -> Option<String> {
        let text = self.rest.trim_start().strip_prefix('\'')?;
        let mut value = String::new();
        let mut characters = text.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => value.push(characters.next()?.1),
                '\'' => {
                    self.rest = text.get(at + 1..)?;
                    return Some(value);
                }
                c => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn alternatives_are_read_and_nothing_else() {
        type Alternatives<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(&str, Option<Alternatives<'_>>)] = &[
            ("[ipv4-addr:value = '198.51.100.7']", Some(&[("ipv4-addr:value", "198.51.100.7")])),
            ("[ file:hashes.'SHA-256' = 'ab' ]", Some(&[("file:hashes.SHA-256", "ab")])),
            (
                "[file:hashes.MD5='a' OR file:name == 'it\\'s']",
                Some(&[("file:hashes.MD5", "a"), ("file:name", "it's")]),
            ),
            (
                "[url:value = 'http://a/]'] OR [domain-name:value IN ('a', 'b')]",
                Some(&[("url:value", "http://a/]"), ("domain-name:value", "a"), ("domain-name:value", "b")]),
            ),
            ("[ipv4-addr:value = '198.51.100.7' AND file:name = 'a']", None),
            ("[ipv4-addr:value = 'a'] FOLLOWEDBY [file:name = 'a']", None),
            ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", None),
            ("[file:size = 5]", None),
            ("[file:name = 'a'", None),
            ("[file:name = 'a", None),
            ("[file:name = 'a\\", None),
            ("", None),
            ("[é = 'a'] ORé", None),
        ];
        for (text, expected) in cases {
            let expected = expected
                .map(|all| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>());
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
