use super::{Disabled, Feature};
use runtime_inspect::go::{FieldOffsets, GoBinary, GoVersion};

/// A field that is not there, or whose place is not known.
pub const GO_OFFSET_UNKNOWN: u16 = 0xffff;

/// The structs whose fields are read.
const TYPES: [&str; 8] = [
    "net/http.Request",
    "net/http.response",
    "net/http.Response",
    "net/url.URL",
    "runtime.g",
    "net/http.conn",
    "net.netFD",
    "internal/poll.FD",
];
/// Fields that `gohttp/types.h` expects at a fixed place, where they have been since Go 1.17.
const FIXED_SERVER: [(&str, &str, u64); 11] = [
    ("net/http.Request", "Method", 0),
    ("net/http.Request", "URL", 16),
    ("net/http.Request", "ProtoMajor", 40),
    ("net/http.Request", "ProtoMinor", 48),
    ("net/http.Request", "Header", 56),
    ("net/http.Request", "ContentLength", 88),
    ("net/http.Request", "Host", 128),
    ("net/http.Request", "RemoteAddr", 176),
    ("net/http.Request", "RequestURI", 192),
    ("net/http.Request", "TLS", 208),
    ("net/http.response", "req", 8),
];
/// The way from a connection to its descriptor, which `gohttp/serving.h` takes.
const FIXED_CONNECTION: [(&str, &str, u64); 4] = [
    ("net/http.response", "conn", 0),
    ("net/http.conn", "rwc", 16),
    ("net.netFD", "pfd", 0),
    ("internal/poll.FD", "Sysfd", 16),
];
const FIXED_CLIENT: [(&str, &str, u64); 5] = [
    ("net/url.URL", "Scheme", 0),
    ("net/url.URL", "Host", 40),
    ("net/url.URL", "Path", 56),
    ("net/http.Response", "StatusCode", 16),
    ("net/http.Response", "ContentLength", 80),
];
/// Where TLS ends: the least that is read of a Request.
const REQUEST_FIXED_SIZE: u16 = 216;
const STRING_SIZE: u16 = 16;
const POINTER_SIZE: u16 = 8;

/// The two implementations of Go's maps: `enum go_map_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum GoMapKind {
    /// Not known: headers are not read.
    #[default]
    Unknown = 0,
    /// `runtime.hmap`, before Go 1.24.
    Buckets = 1,
    /// `internal/runtime/maps.Map`, since Go 1.24.
    Swiss = 2,
}

/// The value of the map `go_binaries`: `struct go_binary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoOffsets {
    /// `runtime.g.goid`
    pub g_goid: u16,
    /// `runtime.g.parentGoid`, since Go 1.21.
    pub g_parent_goid: u16,
    /// `net/http.Request.ctx`
    pub request_ctx: u16,
    /// `net/http.Request.Pattern`, since Go 1.23.
    pub request_pattern: u16,
    /// `net/http.Request.pat`, Go 1.22 only.
    pub request_pat: u16,
    /// `net/http.response.written`; `contentLength` and `status` follow.
    pub response_written: u16,
    /// How much of a Request is read.
    pub request_size: u16,
    /// `net/url.URL.RawPath`
    pub url_raw_path: u16,
    /// `net/url.URL.RawQuery`
    pub url_raw_query: u16,
    /// Bytes between the end of the stack of `(*conn).serve`'s goroutine and its `*conn`.
    pub conn_slot: u16,
    /// The pointer in `net/http.conn.curReq`.
    pub conn_cur_req: u16,
    /// `net.netFD.laddr`
    pub netfd_laddr: u16,
    /// How a header is stored.
    pub map_kind: GoMapKind,
    /// The binary makes requests too, so a server's requests must be found by their contexts.
    pub has_client: bool,
}

impl GoOffsets {
    /// `sizeof(struct go_binary)`
    pub const SIZE: usize = 26;
    const HAS_CLIENT: u8 = 1 << 0;

    /// As the eBPF programs read it.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let fields = [
            self.g_goid,
            self.g_parent_goid,
            self.request_ctx,
            self.request_pattern,
            self.request_pat,
            self.response_written,
            self.request_size,
            self.url_raw_path,
            self.url_raw_query,
            self.conn_slot,
            self.conn_cur_req,
            self.netfd_laddr,
        ];
        let mut bytes = [0; Self::SIZE];
        for (to, field) in bytes.chunks_exact_mut(2).zip(fields) {
            to.copy_from_slice(&field.to_ne_bytes());
        }
        bytes[24] = self.map_kind as u8;
        bytes[25] = if self.has_client { Self::HAS_CLIENT } else { 0 };
        bytes
    }

    /// Finds the offsets of a binary. What is missing goes to `disabled`, once for each feature that it costs.
    pub(crate) fn find(binary: &GoBinary, disabled: &mut Vec<Disabled>) -> Self {
        let found = Finder {
            fields: binary.field_offsets(&TYPES),
            disabled,
        };
        found.all(binary.release(), binary.version())
    }
}

struct Finder<'a> {
    fields: FieldOffsets,
    disabled: &'a mut Vec<Disabled>,
}

impl Finder<'_> {
    fn all(mut self, release: Option<GoVersion>, version: &str) -> GoOffsets {
        self.check_fixed(&FIXED_SERVER, Feature::Server);
        self.check_fixed(&FIXED_SERVER[..6], Feature::Client);
        self.check_fixed(&FIXED_CLIENT, Feature::Client);
        let request_ctx = self.get("net/http.Request", "ctx", Feature::ContextParent);
        let request_pattern = self.optional("net/http.Request", "Pattern");
        let request_pat = pat_of(release, request_ctx);
        if request_pattern == GO_OFFSET_UNKNOWN && request_pat == GO_OFFSET_UNKNOWN {
            self.off(
                Feature::Route,
                "this version of Go does not keep the matched pattern".into(),
            );
        }
        let map_kind = map_kind_of(release, version);
        if map_kind == GoMapKind::Unknown {
            self.off(Feature::Headers, format!("how {version} stores maps is not known"));
        }
        GoOffsets {
            g_goid: self.goid(),
            g_parent_goid: self.get("runtime.g", "parentGoid", Feature::CreatorParent),
            request_ctx,
            request_pattern,
            request_pat,
            response_written: self.written(),
            request_size: [(request_pattern, STRING_SIZE), (request_pat, POINTER_SIZE)]
                .into_iter()
                .filter(|(offset, _)| *offset != GO_OFFSET_UNKNOWN)
                .fold(REQUEST_FIXED_SIZE, |size, (offset, length)| size.max(offset + length)),
            url_raw_path: self.get("net/url.URL", "RawPath", Feature::RawUrl),
            url_raw_query: self.get("net/url.URL", "RawQuery", Feature::RawUrl),
            conn_slot: GO_OFFSET_UNKNOWN,
            conn_cur_req: self.cur_req(release),
            netfd_laddr: self.optional("net.netFD", "laddr"),
            map_kind,
            has_client: false,
        }
    }

    fn off(&mut self, feature: Feature, reason: String) {
        self.disabled.push(Disabled { feature, reason });
    }

    fn get(&mut self, type_name: &str, field: &str, feature: Feature) -> u16 {
        match self.fields.get(type_name, field) {
            Ok(offset) => narrow(offset),
            Err(missing) => {
                self.off(feature, missing.to_string());
                GO_OFFSET_UNKNOWN
            }
        }
    }

    fn optional(&self, type_name: &str, field: &str) -> u16 {
        self.fields.get(type_name, field).map_or(GO_OFFSET_UNKNOWN, narrow)
    }

    /// Everything is kept by goroutine: without its number there is neither side.
    fn goid(&mut self) -> u16 {
        let goid = self.get("runtime.g", "goid", Feature::Server);
        if goid == GO_OFFSET_UNKNOWN {
            self.off(Feature::Client, "no offset for runtime.g.goid".into());
        }
        goid
    }

    /// An `atomic.Value`, whose pointer stands second, until Go 1.20 made it an `atomic.Pointer`.
    fn cur_req(&mut self, release: Option<GoVersion>) -> u16 {
        self.check_fixed(&FIXED_CONNECTION, Feature::ServerOutside);
        let at = self.get("net/http.conn", "curReq", Feature::ServerOutside);
        let is_value = release.is_some_and(|release| release < GoVersion::new(1, 20, 0));
        if is_value && at != GO_OFFSET_UNKNOWN {
            at + POINTER_SIZE
        } else {
            at
        }
    }

    fn written(&mut self) -> u16 {
        let written = self.get("net/http.response", "written", Feature::Server);
        if self.optional("net/http.response", "status") != written.wrapping_add(16) {
            self.off(
                Feature::Server,
                "net/http.response.status does not follow written and contentLength".into(),
            );
        }
        written
    }

    fn check_fixed(&mut self, expected: &[(&str, &str, u64)], feature: Feature) {
        for (type_name, field, offset) in expected {
            match self.fields.get(type_name, field) {
                Ok(found) if found == *offset => {}
                Ok(found) => self.off(feature, format!("{type_name}.{field} lies at {found}, not at {offset}")),
                Err(missing) => self.off(feature, missing.to_string()),
            }
        }
    }
}

fn narrow(offset: u64) -> u16 {
    u16::try_from(offset).unwrap_or(GO_OFFSET_UNKNOWN)
}

/// Go 1.22 keeps a pointer to the pattern behind `ctx`, an interface.
fn pat_of(release: Option<GoVersion>, ctx: u16) -> u16 {
    let is_1_22 = release.is_some_and(|release| (release.major, release.minor) == (1, 22));
    if is_1_22 && ctx != GO_OFFSET_UNKNOWN {
        ctx + 16
    } else {
        GO_OFFSET_UNKNOWN
    }
}

fn map_kind_of(release: Option<GoVersion>, version: &str) -> GoMapKind {
    match release {
        None => GoMapKind::Unknown,
        Some(release) if release < GoVersion::new(1, 24, 0) => GoMapKind::Buckets,
        // The linker writes experiments into the version.
        Some(_) if version.contains("noswissmap") => GoMapKind::Buckets,
        Some(_) => GoMapKind::Swiss,
    }
}
