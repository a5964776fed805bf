//! What a source file may hold: where `unsafe` lives, how long a file may be, and which text belongs to one machine only.

/// The file at which the compiler begins with a library, a program or a build script.
#[derive(Debug)]
pub struct Root {
    /// The package that it belongs to.
    pub package: String,
    /// From the workspace's root.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// The crates that may hold `unsafe`, each for a reason of its own: mapped memory that the kernel writes, and libbpf.
const UNSAFE_ALLOWED: &[&str] = &["probe-ring", "probe-loader"];
const FORBID_UNSAFE: &str = "#![forbid(unsafe_code)]";

/// A file that is longer has become several rooms.
const MAX_LINES: usize = 800;
const SOURCES: &[&str] = &[".rs", ".c", ".h", ".sh", ".py", ".go", ".ts", ".js"];

/// Hosts of package registries. Which one is asked is the affair of cargo, apt and go, and of the machine that they run on.
/// Each is cut in two here, so that this file is not found by itself.
const REGISTRIES: &[(&str, &str)] = &[
    ("deb.debian", ".org"),
    ("static.crates", ".io"),
    ("index.crates", ".io"),
    ("proxy.golang", ".org"),
    ("registry.npmjs", ".org"),
    ("files.pythonhosted", ".org"),
    ("repo.maven.apache", ".org"),
];

/// A crate that may not hold `unsafe` says so at its root, where the compiler sees to it.
pub fn violations_of_root(root: &Root) -> Option<String> {
    let exempt = UNSAFE_ALLOWED.contains(&root.package.as_str());
    let forbids = root.text.lines().any(|line| line.trim() == FORBID_UNSAFE);
    (!exempt && !forbids).then(|| format!("{}: lacks {FORBID_UNSAFE}", root.path))
}

/// Judges any tracked text file by its path from the workspace's root, which lies at `workspace` on this machine.
pub fn violations_of_file(path: &str, text: &str, workspace: &str) -> Vec<String> {
    let mut out = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES && SOURCES.iter().any(|end| path.ends_with(end)) {
        out.push(format!(
            "{path}: {lines} lines; no file of ours has more than {MAX_LINES}"
        ));
    }
    let registries = REGISTRIES.iter().map(|(begin, end)| format!("{begin}{end}"));
    let foreign: Vec<String> = registries.chain([workspace.to_owned()]).collect();
    for (number, line) in text.lines().enumerate() {
        for word in foreign.iter().filter(|word| line.contains(*word)) {
            out.push(format!(
                "{path}:{}: {word} exists on one machine only, or names a registry",
                number + 1
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "/home/someone/odigos";

    fn root(package: &str, text: &str) -> Root {
        Root {
            package: package.into(),
            path: "here/src/lib.rs".into(),
            text: text.into(),
        }
    }

    #[test]
    fn only_the_homes_of_unsafe_may_leave_it_allowed() {
        assert_eq!(violations_of_root(&root("probe-ring", "mod ring;")), None);
        assert_eq!(
            violations_of_root(&root("kit", "//! Kit.\n\n#![forbid(unsafe_code)]\n")),
            None
        );
        for text in ["", "// #![forbid(unsafe_code)]", "#![deny(unsafe_code)]"] {
            let found = violations_of_root(&root("kit", text));
            assert_eq!(
                found.as_deref(),
                Some("here/src/lib.rs: lacks #![forbid(unsafe_code)]"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_long_source_file_is_found_and_a_long_table_is_not() {
        let long = "line\n".repeat(MAX_LINES + 1);
        assert_eq!(violations_of_file("a/b.rs", &long, HERE).len(), 1);
        assert_eq!(violations_of_file("a/b.csv", &long, HERE).len(), 0);
        assert_eq!(violations_of_file("a/b.rs", &"line\n".repeat(MAX_LINES), HERE).len(), 0);
    }

    #[test]
    fn a_path_of_one_machine_is_found_with_its_line() {
        let found = violations_of_file("docs/a.md", &format!("first\nsee {HERE}/docs\n"), HERE);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("docs/a.md:2: "), "{found:?}");
        let elsewhere = violations_of_file("docs/a.md", "a workload at /srv/shop", HERE);
        assert_eq!(elsewhere, Vec::<String>::new());
    }

    #[test]
    fn a_registrys_host_is_found() {
        let host = ["proxy.golang", ".org"].concat();
        assert_eq!(
            violations_of_file("a.sh", &format!("curl https://{host}"), HERE).len(),
            1
        );
    }
}
