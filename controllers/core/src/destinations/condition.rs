//! The conditions of fields and templates: `FIELD`, `!FIELD`, `FIELD==value`, and several joined by `&&`.

use super::fields::Filled;

/// When a field is asked for, or a part of a template is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(Vec<(String, Test)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// A checkbox is ticked, or anything else is filled in.
    Set,
    Unset,
    Is(String),
}

impl Condition {
    /// Reads one.
    pub fn parse(text: &str) -> Condition {
        Condition(text.split("&&").map(part).collect())
    }

    /// The fields that decide.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(field, _)| field.as_str())
    }

    /// Whether it holds for what was filled in.
    pub fn holds(&self, filled: &Filled) -> bool {
        self.0.iter().all(|(field, test)| match test {
            Test::Set => filled.is_set(field),
            Test::Unset => !filled.is_set(field),
            Test::Is(value) => filled.text(field).as_deref() == Some(value),
        })
    }
}

fn part(text: &str) -> (String, Test) {
    let (field, test) = match (text.trim().strip_prefix('!'), text.split_once("==")) {
        (Some(field), _) => (field, Test::Unset),
        (None, Some((field, value))) => (field, Test::Is(value.trim().to_owned())),
        (None, None) => (text, Test::Set),
    };
    (field.trim().to_owned(), test)
}
