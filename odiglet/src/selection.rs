//! Which processes are traced: a pure decision over what is known of one.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a user asked for. Nothing named means everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// When each named process began, by process id.
    named: BTreeMap<u32, u64>,
    executables: Option<GlobSet>,
    ports: BTreeSet<u16>,
    excluded: Option<GlobSet>,
}

/// A process that a user named. Its id alone may belong to another one by the time it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Process id.
    pub pid: u32,
    /// When it began, in clock ticks since boot.
    pub start_time: u64,
}

/// A glob that does not parse.
#[derive(Debug, thiserror::Error)]
#[error("{option} {pattern:?}: {source}")]
pub struct GlobError {
    option: &'static str,
    pattern: String,
    source: globset::Error,
}

/// What the decision rests on.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Process id.
    pub pid: u32,
    /// When it began, in clock ticks since boot; `None` if it is gone already.
    pub start_time: Option<u64>,
    /// The executable, as the process sees its path.
    pub executable: &'a Path,
    /// Ports of TCP that it listens on, as far as known.
    pub ports: &'a BTreeSet<u16>,
}

impl Selection {
    /// Checks the globs. One without a slash is compared with the executable's name, any other with its whole path, where
    /// `*` stands for one folder and `**` for any number.
    pub fn new(named: &[Named], executables: &[String], ports: &[u16], excluded: &[String]) -> Result<Self, GlobError> {
        Ok(Selection {
            named: named.iter().map(|process| (process.pid, process.start_time)).collect(),
            executables: globs("--exe", executables)?,
            ports: ports.iter().copied().collect(),
            excluded: globs("--exclude", excluded)?,
        })
    }

    /// Whether a process may be traced before anything is known of it.
    pub fn takes_everything(&self) -> bool {
        self.named.is_empty() && self.executables.is_none() && self.ports.is_empty()
    }

    /// Whether there is no process that is not traced.
    pub fn admits_everything(&self) -> bool {
        self.takes_everything() && self.excluded.is_none()
    }

    /// Whether a process may turn out to be selected by what it executes, so that it must be traced from its first
    /// instruction, before user space has looked at it.
    pub fn may_take_at_exec(&self) -> bool {
        self.takes_everything() || self.executables.is_some()
    }

    /// The ports whose listeners are traced.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().copied()
    }

    /// Whether the ports of a process matter.
    pub fn asks_for_ports(&self) -> bool {
        !self.ports.is_empty()
    }

    /// Whether this process is traced.
    pub fn admits(&self, candidate: Candidate<'_>) -> bool {
        if self
            .excluded
            .as_ref()
            .is_some_and(|globs| matches(globs, candidate.executable))
        {
            return false;
        }
        self.takes_everything()
            || self.names(candidate)
            || self
                .executables
                .as_ref()
                .is_some_and(|globs| matches(globs, candidate.executable))
            || !self.ports.is_disjoint(candidate.ports)
    }

    fn names(&self, candidate: Candidate<'_>) -> bool {
        let meant = self.named.get(&candidate.pid);
        meant.is_some() && meant == candidate.start_time.as_ref()
    }
}

fn globs(option: &'static str, patterns: &[String]) -> Result<Option<GlobSet>, GlobError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        let anywhere = if pattern.contains('/') {
            pattern.clone()
        } else {
            format!("**/{pattern}")
        };
        // A star stops at a slash, so that a name is a name and not any path that goes on behind it.
        let glob = GlobBuilder::new(&anywhere).literal_separator(true).build();
        builder.add(glob.map_err(|source| GlobError {
            option,
            pattern: pattern.clone(),
            source,
        })?);
    }
    builder.build().map(Some).map_err(|source| GlobError {
        option,
        pattern: patterns.join(" "),
        source,
    })
}

fn matches(globs: &GlobSet, executable: &Path) -> bool {
    globs.is_match(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the processes of these tests began.
    const BEGAN: u64 = 1000;

    fn check(selection: &Selection, pid: u32, executable: &str, ports: &[u16], expected: bool) {
        let ports = ports.iter().copied().collect();
        let candidate = Candidate {
            pid,
            start_time: Some(BEGAN),
            executable: Path::new(executable),
            ports: &ports,
        };
        assert_eq!(selection.admits(candidate), expected, "{candidate:?} by {selection:?}");
    }

    fn named(pid: u32, start_time: u64) -> Named {
        Named { pid, start_time }
    }

    fn selection(pids: &[u32], executables: &[&str], ports: &[u16], excluded: &[&str]) -> Selection {
        let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        let named: Vec<Named> = pids.iter().map(|pid| named(*pid, BEGAN)).collect();
        Selection::new(&named, &owned(executables), ports, &owned(excluded)).unwrap()
    }

    #[test]
    fn nothing_named_means_everything_but_what_is_excluded() {
        let all = selection(&[], &[], &[], &["ssh*"]);
        check(&all, 1, "/usr/bin/python3.11", &[], true);
        check(&all, 1, "/usr/sbin/sshd", &[], false);
        assert!(all.takes_everything() && !all.admits_everything());
        assert!(selection(&[], &[], &[], &[]).admits_everything());
    }

    #[test]
    fn each_option_adds_and_exclusion_wins() {
        let some = selection(&[7], &["python*", "/opt/*/bin/server"], &[80], &["/usr/sbin/nginx"]);
        check(&some, 7, "/bin/sh", &[], true);
        check(&some, 8, "/bin/sh", &[], false);
        check(&some, 8, "/usr/bin/python3.11", &[], true);
        check(&some, 8, "/opt/shop/bin/server", &[], true);
        check(&some, 8, "/usr/sbin/apache2", &[443, 80], true);
        check(&some, 8, "/usr/sbin/nginx", &[80], false);
    }

    #[test]
    fn a_process_that_took_over_the_id_of_a_named_one_is_not_selected() {
        let earlier = Selection::new(&[named(7, BEGAN - 1)], &[], &[], &[]).unwrap();
        check(&earlier, 7, "/bin/sh", &[], false);
    }

    #[test]
    fn a_star_does_not_reach_beyond_a_folder() {
        let name = selection(&[], &["python*"], &[], &[]);
        check(&name, 1, "/opt/python3/bin/node", &[], false);
        check(&name, 1, "/python3", &[], true);
        let path = selection(&[], &["/opt/*/server", "/srv/**/server"], &[], &[]);
        check(&path, 1, "/opt/a/server", &[], true);
        check(&path, 1, "/opt/a/b/server", &[], false);
        check(&path, 1, "/srv/a/b/server", &[], true);
    }

    #[test]
    fn a_bad_glob_is_named() {
        let error = Selection::new(&[], &["a[".into()], &[], &[]).unwrap_err().to_string();
        assert!(error.starts_with("--exe \"a[\": "), "{error}");
    }
}
