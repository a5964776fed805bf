//! Versions of runtimes, as they name themselves, and ranges of them.

use controllers_api::workload::ProgrammingLanguage;
use std::cmp::Ordering;
use std::fmt;

/// The numbers of a version, most significant first; what follows them (`-rc1`, `_372`, `+7`) is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(Vec<u32>);

/// Versions that satisfy every bound; without a bound, all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Range(Vec<(Bound, Version)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    AtLeast,
    Above,
    AtMost,
    Below,
}

/// Why a text is no range.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no bound: write \">= 3.9\", \"> 1\", \"<= 4\", \"< 8.5\", several with commas, or \"*\"")]
pub struct RangeError(String);

impl Version {
    /// The most numbers that are read, so that a hostile text costs nothing.
    const NUMBERS: usize = 6;

    /// Reads `3.11.4`, `v18.2.0`, `go1.22`, `17.0.9+9`; None where no number begins it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text
            .strip_prefix("go")
            .or_else(|| text.strip_prefix('v'))
            .unwrap_or(text);
        let mut numbers = Vec::new();
        for part in text.split('.').take(Self::NUMBERS) {
            let end = part.find(|letter: char| !letter.is_ascii_digit());
            let digits = &part[..end.unwrap_or(part.len())];
            match digits.parse() {
                Ok(number) => numbers.push(number),
                Err(_) => break,
            }
            if end.is_some() {
                break;
            }
        }
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// Reads the version of a runtime of `language`. Java up to 8 calls itself 1.8, which is read as 8.
    pub fn of_runtime(language: ProgrammingLanguage, text: &str) -> Option<Self> {
        let mut version = Self::parse(text)?;
        if language == ProgrammingLanguage::Java && version.0.len() > 1 && version.0[0] == 1 {
            version.0.remove(0);
        }
        Some(version)
    }

    /// The first two numbers, such as `8.3`; a missing one is 0.
    pub fn major_minor(&self) -> String {
        let minor = self.0.get(1).copied().unwrap_or(0);
        format!("{}.{minor}", self.0[0])
    }

    fn compare(&self, other: &Self) -> Ordering {
        let length = self.0.len().max(other.0.len());
        let at = |version: &Self, index: usize| version.0.get(index).copied().unwrap_or(0);
        let mut pairs = (0..length).map(|index| at(self, index).cmp(&at(other, index)));
        pairs.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl Range {
    /// Reads `>= 3.1, < 3.5` or `*`.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        if text.trim() == "*" {
            return Ok(Self::default());
        }
        text.split(',').map(bound).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a version lies in it.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|(bound, limit)| {
            let order = version.compare(limit);
            match bound {
                Bound::AtLeast => order.is_ge(),
                Bound::Above => order.is_gt(),
                Bound::AtMost => order.is_le(),
                Bound::Below => order.is_lt(),
            }
        })
    }
}

fn bound(text: &str) -> Result<(Bound, Version), RangeError> {
    let text = text.trim();
    let signs = [
        (">=", Bound::AtLeast),
        ("<=", Bound::AtMost),
        (">", Bound::Above),
        ("<", Bound::Below),
    ];
    let found = signs
        .iter()
        .find_map(|(sign, bound)| Some((*bound, text.strip_prefix(sign)?)));
    let version = found.and_then(|(bound, rest)| Some((bound, Version::parse(rest)?)));
    version.ok_or_else(|| RangeError(text.to_owned()))
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("any");
        }
        for (index, (bound, version)) in self.0.iter().enumerate() {
            let sign = match bound {
                Bound::AtLeast => ">=",
                Bound::Above => ">",
                Bound::AtMost => "<=",
                Bound::Below => "<",
            };
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{sign} {version}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_runtimes_write_them() {
        let cases = [
            ("3.11.4", "3.11.4"),
            ("v18.2.0", "18.2.0"),
            ("go1.22rc1", "1.22"),
            ("17.0.9+9", "17.0.9"),
            ("21", "21"),
            ("8.0.0-preview.7", "8.0.0"),
            ("1.2.3.4.5.6.7.8", "1.2.3.4.5.6"),
        ];
        for (text, read) in cases {
            assert_eq!(Version::parse(text).unwrap().to_string(), read, "{text}");
        }
        for text in ["", "latest", ".5", "99999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn java_before_nine_counts_from_one() {
        let version = |language, text| Version::of_runtime(language, text).unwrap().to_string();
        assert_eq!(version(ProgrammingLanguage::Java, "1.8.0_372"), "8.0");
        assert_eq!(version(ProgrammingLanguage::Java, "11.0.2"), "11.0.2");
        assert_eq!(version(ProgrammingLanguage::Go, "go1.21"), "1.21");
    }

    #[test]
    fn a_range_holds_what_satisfies_every_bound() {
        let check = |range: &str, version: &str| {
            let range = Range::parse(range).unwrap();
            range.contains(&Version::parse(version).unwrap())
        };
        assert!(check(">= 8.1, < 8.5", "8.1") && check(">=8.1,<8.5", "8.4.99"));
        assert!(!check(">= 8.1, < 8.5", "8.0.30") && !check(">= 8.1, < 8.5", "8.5.0"));
        assert!(check(">= 3.9", "3.10") && !check(">= 3.9", "3.8.20") && check(">= 6", "6.0"));
        assert!(check("> 1, <= 2", "2.0") && !check("> 1, <= 2", "1.0"));
        assert!(check("*", "0"));
        assert_eq!(Range::parse(">=8.1,<8.5").unwrap().to_string(), ">= 8.1, < 8.5");
        assert!(Range::parse("8").is_err() && Range::parse("").is_err());
    }

    #[test]
    fn the_first_two_numbers_name_a_folder() {
        assert_eq!(Version::parse("8.3.14").unwrap().major_minor(), "8.3");
        assert_eq!(Version::parse("8").unwrap().major_minor(), "8.0");
    }
}
