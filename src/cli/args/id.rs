//! Ids on the command line: whole, or their first characters.

use std::str::FromStr;

/// The beginning of an id: hexadecimal digits in lower case, with hyphens where a UUID has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPrefix(String);

impl IdPrefix {
    /// As the ids of the database begin.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a whole id.
    pub fn is_whole(&self) -> bool {
        self.0.len() == 36
    }
}

impl FromStr for IdPrefix {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut prefix = String::with_capacity(36);
        let mut digits = 0;
        for digit in text.trim().chars().filter(|c| *c != '-') {
            if !digit.is_ascii_hexdigit() {
                return Err("expected an id, or the first characters of one: digits and a to f");
            }
            if matches!(digits, 8 | 12 | 16 | 20) {
                prefix.push('-');
            }
            digits += 1;
            prefix.push(digit.to_ascii_lowercase());
        }
        match digits {
            0 => Err("expected an id, or the first characters of one"),
            1..=32 => Ok(Self(prefix)),
            _ => Err("an id has 32 digits; this has more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_written_like_the_ids_of_the_database() {
        for (text, prefix) in [
            ("d", "d"),
            ("D369A2A3", "d369a2a3"),
            ("d369a2a3-", "d369a2a3"),
            ("d369a2a3751", "d369a2a3-751"),
            ("d369a2a3-751a-4ffb-9", "d369a2a3-751a-4ffb-9"),
            (
                "d369a2a3751a4ffb9ad5a2002b9f0f3f",
                "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f",
            ),
        ] {
            let parsed: IdPrefix = text.parse().unwrap();
            assert_eq!(parsed.as_str(), prefix);
            assert_eq!(parsed.is_whole(), prefix.len() == 36);
        }
        let long = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f0";
        for text in ["", "-", "xyz", "d369%", "d369…", "４２", long] {
            assert!(text.parse::<IdPrefix>().is_err(), "{text}");
        }
    }
}
