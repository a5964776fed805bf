//! Servers that have probes of their own: told by the name of their program, which their packages never change.

use super::{Detection, Language, Pattern, Place, ProcessFacts, VersionClue};

/// nginx and the builds that keep its name.
pub fn nginx(facts: &ProcessFacts) -> Option<Detection> {
    named(
        facts,
        Language::Nginx,
        &["nginx", "openresty"],
        vec![Pattern::After("nginx version: nginx/"), Pattern::After("nginx/")],
    )
}

/// Redis or Valkey. Their version is a bare constant; no command in their tables is of a later version than they are.
pub fn redis(facts: &ProcessFacts) -> Option<Detection> {
    named(
        facts,
        Language::Redis,
        &["redis-server", "valkey-server", "redis-check-rdb"],
        vec![Pattern::Whole],
    )
}

/// PostgreSQL: the main process and its children are one program.
pub fn postgres(facts: &ProcessFacts) -> Option<Detection> {
    named(
        facts,
        Language::Postgres,
        &["postgres", "postmaster"],
        vec![Pattern::Starting("PostgreSQL ")],
    )
}

/// MySQL or MariaDB.
pub fn mysql(facts: &ProcessFacts) -> Option<Detection> {
    named(
        facts,
        Language::Mysql,
        &["mysqld", "mariadbd"],
        vec![Pattern::Before("-MariaDB"), Pattern::After("mysqld-")],
    )
}

fn named(facts: &ProcessFacts, language: Language, names: &[&str], patterns: Vec<Pattern>) -> Option<Detection> {
    if !names.contains(&facts.exe_name()) {
        return None;
    }
    let versions = patterns
        .into_iter()
        .map(|pattern| VersionClue::Binary(Place::Program, pattern))
        .collect();
    Some(Detection::new(
        language,
        format!("the program is {}", facts.exe),
        versions,
    ))
}
