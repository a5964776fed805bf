//! Offsets of struct fields: from the binary's own DWARF, else from a table made by compiling against each version.
//!
//! The table is `data/go-struct-offsets.tsv`; `cargo run -p runtime-inspect --example go_offsets` makes it anew.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use crate::go::build_info::BuildInfo;
use crate::go::dwarf::StructLayout;
use crate::go::version::GoVersion;

/// The pseudo-field under which the table keeps a struct's size.
pub const SIZE_FIELD: &str = "(size)";
/// The name under which the table keeps Go's own packages; their version is Go's.
pub const STD: &str = "std";

/// The structs and fields of Go's own packages that the probes read. The table covers exactly these.
pub const WANTED_STD: &[(&str, &[&str])] = &[
    (
        "net/http.Request",
        &[
            "Method",
            "URL",
            "ProtoMajor",
            "ProtoMinor",
            "Header",
            "ContentLength",
            "Host",
            "RemoteAddr",
            "RequestURI",
            "TLS",
            "Pattern",
            "ctx",
        ],
    ),
    (
        "net/http.response",
        &["conn", "req", "status", "written", "contentLength", "wroteHeader"],
    ),
    (
        "net/http.Response",
        &["StatusCode", "ContentLength", "Header", "Request"],
    ),
    ("net/http.conn", &["rwc", "remoteAddr", "bufr", "server", "curReq"]),
    ("net.netFD", &["pfd", "laddr"]),
    ("internal/poll.FD", &["Sysfd"]),
    ("net/url.URL", &["Scheme", "Host", "Path", "RawPath", "RawQuery"]),
    ("runtime.g", &["goid", "parentGoid"]),
    ("bufio.Reader", &["buf", "r", "w"]),
    ("internal/runtime/maps.Map", &["used", "dirPtr", "dirLen"]),
    ("runtime.hmap", &["count", "B", "buckets"]),
    ("context.valueCtx", &["Context", "key", "val"]),
    ("context.cancelCtx", &["Context", "mu", "done", "children", "err"]),
];

/// A field whose offset is not known, and why: it switches one feature off and says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no offset for {type_name}.{field} in {module} {version}: {reason}")]
pub struct Missing {
    /// The struct, such as `net/http.Request`.
    pub type_name: Box<str>,
    /// The field.
    pub field: Box<str>,
    /// The module that the struct belongs to, `std` for Go's own.
    pub module: Box<str>,
    /// The version of that module in the binary, as the binary says it.
    pub version: Box<str>,
    /// Why.
    pub reason: MissingReason,
}

/// Why an offset is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingReason {
    /// The struct, in this version, has no such field (or does not exist).
    NotInVersion,
    /// The table was made for other versions.
    VersionNotCovered {
        /// The first version that the table covers.
        first: GoVersion,
        /// The last.
        last: GoVersion,
    },
    /// Neither the binary's DWARF nor the table knows the struct or the field.
    Unknown,
    /// The binary does not say the module's version.
    NoVersion,
}

impl fmt::Display for MissingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInVersion => f.write_str("this version has no such field"),
            Self::VersionNotCovered { first, last } => {
                write!(
                    f,
                    "the binary has no DWARF, and the table covers only {first} to {last}"
                )
            }
            Self::Unknown => f.write_str("neither the binary's DWARF nor the table has it"),
            Self::NoVersion => f.write_str("the binary has no DWARF and does not say the version"),
        }
    }
}

/// Where an offset came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSource {
    /// The binary's own debugging information.
    Dwarf,
    /// The table that comes with this crate.
    Table,
}

/// The offsets of one binary.
#[derive(Debug, Clone)]
pub struct FieldOffsets {
    layouts: HashMap<String, StructLayout>,
    versions: Vec<(String, String)>,
}

impl FieldOffsets {
    /// Puts together what the binary's DWARF and build information said.
    pub fn new(layouts: Vec<StructLayout>, info: &BuildInfo) -> Self {
        let mut by_name: HashMap<String, StructLayout> = HashMap::new();
        for layout in layouts {
            let known = by_name.get(&layout.name);
            // The copy that the program itself imports wins over one that a dependency vendored.
            if known.is_none_or(|known| known.vendored && !layout.vendored) {
                by_name.insert(layout.name.clone(), layout);
            }
        }
        let mut versions = vec![(STD.to_owned(), info.go_version.clone())];
        versions.extend(
            info.modules
                .iter()
                .map(|module| (module.path.clone(), module.version.clone())),
        );
        Self {
            layouts: by_name,
            versions,
        }
    }

    /// The offset in bytes of a field; an embedded struct's field is named by the embedded type's name.
    pub fn get(&self, type_name: &str, field: &str) -> Result<u64, Missing> {
        let Some(layout) = self.layouts.get(type_name) else {
            return self.table_offset(type_name, field);
        };
        layout
            .fields
            .get(field)
            .copied()
            .ok_or_else(|| self.missing(type_name, field, MissingReason::NotInVersion))
    }

    /// The size in bytes of a struct.
    pub fn size(&self, type_name: &str) -> Result<u64, Missing> {
        match self.layouts.get(type_name) {
            Some(layout) => Ok(layout.size),
            None => self.table_offset(type_name, SIZE_FIELD),
        }
    }

    /// Where the offsets of this struct come from.
    pub fn source(&self, type_name: &str) -> OffsetSource {
        if self.layouts.contains_key(type_name) {
            OffsetSource::Dwarf
        } else {
            OffsetSource::Table
        }
    }

    fn table_offset(&self, type_name: &str, field: &str) -> Result<u64, Missing> {
        let (module, version) = self.module_of(type_name);
        let version = version.parse::<GoVersion>().map_err(|_| MissingReason::NoVersion);
        version
            .and_then(|version| TABLE.look_up(module, version, type_name, field))
            .map_err(|reason| self.missing(type_name, field, reason))
    }

    fn missing(&self, type_name: &str, field: &str, reason: MissingReason) -> Missing {
        let (module, version) = self.module_of(type_name);
        Missing {
            type_name: type_name.into(),
            field: field.into(),
            module: module.into(),
            version: version.into(),
            reason,
        }
    }

    /// The module whose path is the longest that begins the type's; Go's own packages are in none.
    fn module_of(&self, type_name: &str) -> (&str, &str) {
        let owns = |path: &str| {
            type_name
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with(['/', '.']))
        };
        let owner = self.versions[1..]
            .iter()
            .filter(|(path, _)| owns(path))
            .max_by_key(|(path, _)| path.len());
        let (module, version) = owner.unwrap_or(&self.versions[0]);
        (module, version)
    }
}

/// The checked-in table.
static TABLE: LazyLock<OffsetTable> =
    LazyLock::new(|| OffsetTable::parse(include_str!("../../data/go-struct-offsets.tsv")));

/// Bands of versions in which an offset is the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct OffsetTable {
    /// module -> first and last version covered
    covers: HashMap<String, (GoVersion, GoVersion)>,
    /// (module, type, field) -> bands, ascending
    bands: HashMap<(String, String, String), Vec<Band>>,
}

/// The first version of a band with the offset that holds from there on, or "no such field".
type Band = (GoVersion, Option<u64>);

impl OffsetTable {
    /// Parses the table's text; lines that are not understood are left out (a test refuses a table with any).
    pub fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            match columns.as_slice() {
                ["covers", module, first, last] => {
                    if let (Ok(first), Ok(last)) = (first.parse(), last.parse()) {
                        table.covers.insert((*module).to_owned(), (first, last));
                    }
                }
                [module, type_name, field, first, offset] => {
                    let Ok(first) = first.parse() else { continue };
                    let key = ((*module).to_owned(), (*type_name).to_owned(), (*field).to_owned());
                    table.bands.entry(key).or_default().push((first, offset.parse().ok()));
                }
                _ => {}
            }
        }
        table.bands.values_mut().for_each(|bands| bands.sort_unstable());
        table
    }

    /// Number of bands.
    pub fn len(&self) -> usize {
        self.bands.values().map(Vec::len).sum()
    }

    /// Whether the table holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bands.is_empty()
    }

    /// The offset of a field in a version.
    pub fn look_up(
        &self,
        module: &str,
        version: GoVersion,
        type_name: &str,
        field: &str,
    ) -> Result<u64, MissingReason> {
        let &(first, last) = self.covers.get(module).ok_or(MissingReason::Unknown)?;
        // Go's own structs do not change within a minor release, so the patch number is not compared.
        let version = if module == STD {
            GoVersion { patch: 0, ..version }
        } else {
            version
        };
        if version < first || version > last {
            return Err(MissingReason::VersionNotCovered { first, last });
        }
        let key = (module.to_owned(), type_name.to_owned(), field.to_owned());
        let bands = self.bands.get(&key).ok_or(MissingReason::Unknown)?;
        let band = bands.iter().rev().find(|&&(from, _)| from <= version);
        band.and_then(|&(_, offset)| offset).ok_or(MissingReason::NotInVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# comment\ncovers\tstd\t1.18\t1.26\nstd\tp.T\tA\t1.18\t8\nstd\tp.T\tA\t1.22\t16\nstd\tp.T\tA\t1.25\t-\nstd\tp.T\tB\t1.23\t0\n";

    fn check(version: &str, field: &str, expected: Result<u64, MissingReason>) {
        let table = OffsetTable::parse(TEXT);
        let found = table.look_up(STD, version.parse().unwrap(), "p.T", field);
        assert_eq!(found, expected, "{field} in {version}");
    }

    #[test]
    fn a_band_holds_until_the_next_begins() {
        check("go1.18.10", "A", Ok(8));
        check("go1.21.13", "A", Ok(8));
        check("go1.22.0", "A", Ok(16));
        check("go1.26.8", "A", Err(MissingReason::NotInVersion));
        check("go1.22.5", "B", Err(MissingReason::NotInVersion));
        check("go1.23rc1", "B", Ok(0));
        check("go1.26.8", "C", Err(MissingReason::Unknown));
    }

    #[test]
    fn versions_outside_the_table_are_not_guessed() {
        let reason = MissingReason::VersionNotCovered {
            first: GoVersion::new(1, 18, 0),
            last: GoVersion::new(1, 26, 0),
        };
        check("go1.17.1", "A", Err(reason.clone()));
        check("go1.27.0", "A", Err(reason));
    }

    #[test]
    fn a_type_belongs_to_the_longest_module_that_begins_it() {
        let module = |path: &str, version: &str| crate::go::Module {
            path: path.to_owned(),
            version: version.to_owned(),
            replaced_by: None,
        };
        let info = BuildInfo {
            go_version: "go1.26.8".to_owned(),
            modules: vec![
                module("google.golang.org/grpc", "v1.1.0"),
                module("google.golang.org/grpc/x", "v0.2.0"),
            ],
            ..BuildInfo::default()
        };
        let offsets = FieldOffsets::new(Vec::new(), &info);
        assert_eq!(offsets.module_of("google.golang.org/grpc/internal.T").1, "v1.1.0");
        assert_eq!(offsets.module_of("google.golang.org/grpc/x/y.T").1, "v0.2.0");
        assert_eq!(offsets.module_of("google.golang.org/grpcother.T").1, "go1.26.8");
        assert_eq!(offsets.module_of("net/http.Request").0, STD);
    }
}
