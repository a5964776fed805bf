//! What the kernel side writes and what user space reads must be the same: sizes and offsets are compared with the type
//! information of the compiled object, constants with the header that defines them.

// A test that cannot go on says so by its panic.
#![allow(clippy::unwrap_used)]

use libbpf_rs::btf::types::{MemberAttr, Struct};
use libbpf_rs::btf::{Btf, HasSize};
use probe_loader::Target;
use probe_loader::plan::GoOffsets;
use probe_wire::layout as l;
use std::path::Path;

const OBJECT: &str = concat!(env!("OUT_DIR"), "/odigos.bpf.o");
const HEADER: &str = include_str!("../../bpf/include/odigos/records.h");

fn check(name: &str, size: usize, fields: &[(&str, usize)]) {
    let btf = Btf::from_path(Path::new(OBJECT)).unwrap();
    let found: Struct<'_> = btf
        .type_by_name(name)
        .unwrap_or_else(|| panic!("the object has no struct {name}"));
    assert_eq!(found.size(), size, "size of struct {name}");
    for (field, offset) in fields {
        let member = found
            .iter()
            .find(|member| member.name.is_some_and(|name| name == *field))
            .unwrap_or_else(|| panic!("struct {name} has no field {field}"));
        let MemberAttr::Normal { offset: bits } = member.attr else {
            panic!("{name}.{field} is a bit field")
        };
        assert_eq!(bits as usize, 8 * offset, "offset in bits of {name}.{field}");
    }
}

#[test]
fn the_header_of_every_span_is_where_user_space_reads_it() {
    check(
        "record_header",
        l::HEADER_SIZE,
        &[
            ("kind", l::HEADER_KIND),
            ("flags", l::HEADER_FLAGS),
            ("entity", l::HEADER_ENTITY),
            ("pid", l::HEADER_PID),
            ("start_ns", l::HEADER_START),
            ("end_ns", l::HEADER_END),
            ("trace_id", l::HEADER_TRACE_ID),
            ("span_id", l::HEADER_SPAN_ID),
            ("parent_span_id", l::HEADER_PARENT_SPAN_ID),
        ],
    );
}

#[test]
fn an_http1_record_is_where_user_space_reads_it() {
    check(
        "endpoint",
        l::ENDPOINT_SIZE,
        &[("addr", 0), ("port", l::ENDPOINT_PORT), ("family", l::ENDPOINT_FAMILY)],
    );
    check(
        "http1_record",
        l::HTTP1_REQUEST + l::HTTP1_REQUEST_CAPTURE,
        &[
            ("header", 0),
            ("local", l::HTTP1_LOCAL),
            ("remote", l::HTTP1_REMOTE),
            ("request_bytes", l::HTTP1_REQUEST_BYTES),
            ("response_bytes", l::HTTP1_RESPONSE_BYTES),
            ("response_body", l::HTTP1_RESPONSE_BODY),
            ("status", l::HTTP1_STATUS),
            ("captured", l::HTTP1_CAPTURED),
            ("route", l::HTTP1_ROUTE),
            ("request", l::HTTP1_REQUEST),
        ],
    );
}

#[test]
fn a_go_http_record_is_where_user_space_reads_it() {
    check(
        "go_http_record",
        l::GO_HTTP_DATA + 2048,
        &[
            ("header", 0),
            ("request_body", l::GO_HTTP_REQUEST_BODY),
            ("response_body", l::GO_HTTP_RESPONSE_BODY),
            ("status", l::GO_HTTP_STATUS),
            ("proto_major", l::GO_HTTP_PROTO_MAJOR),
            ("proto_minor", l::GO_HTTP_PROTO_MINOR),
            ("lengths", l::GO_HTTP_LENGTHS),
            ("gap", l::GO_HTTP_GAP),
            ("data", l::GO_HTTP_DATA),
        ],
    );
    assert_eq!(constant("GO_STRINGS"), l::GO_HTTP_STRINGS as u64);
    assert_eq!(constant("GO_HTTP_DATA"), 2048);
}

#[test]
fn a_process_event_is_where_user_space_reads_it() {
    check(
        "process_event",
        l::PROCESS_SIZE,
        &[
            ("kind", l::PROCESS_KIND),
            ("pid", l::PROCESS_PID),
            ("parent", l::PROCESS_PARENT),
            ("entity", l::PROCESS_ENTITY),
            ("start_boottime_ns", l::PROCESS_START),
            ("port", l::PROCESS_PORT),
            ("filename", l::PROCESS_FILENAME),
        ],
    );
    assert_eq!(l::PROCESS_SIZE - l::PROCESS_FILENAME, l::PROCESS_FILENAME_SIZE);
}

#[test]
fn what_user_space_writes_is_where_the_kernel_side_reads_it() {
    check(
        "target",
        size_of::<Target>(),
        &[("entity", 0), ("flags", 4), ("binary", 8)],
    );
    check(
        "go_binary",
        GoOffsets::SIZE,
        &[
            ("g_goid", 0),
            ("conn_slot", 18),
            ("netfd_laddr", 22),
            ("map_kind", 24),
            ("flags", 25),
        ],
    );
    check("counters", l::COUNTERS_SIZE, &[("value", 0)]);
    check(
        "config",
        40,
        &[
            ("pid_namespace_dev", 0),
            ("pid_namespace_ino", 8),
            ("wakeup_bytes", 16),
            ("adopt_flags", 24),
            ("own_pid", 28),
            ("never_keep_processor", 32),
        ],
    );
}

/// The value of an enumerator or of a `#define` in the header.
fn constant(name: &str) -> u64 {
    let value = HEADER
        .lines()
        .find_map(|line| {
            let line = line.trim().trim_start_matches("#define ");
            let rest = line.strip_prefix(name)?;
            let rest = rest.strip_prefix(" = ").or_else(|| rest.strip_prefix(' '))?;
            Some(rest.trim_end_matches(','))
        })
        .unwrap_or_else(|| panic!("the header does not define {name}"));
    match value.split_once(" << ") {
        Some((one, shift)) => one.parse::<u64>().unwrap() << shift.parse::<u32>().unwrap(),
        None => value.parse().unwrap(),
    }
}

#[test]
fn constants_are_the_same_on_both_sides() {
    let expected = [
        ("RECORD_HTTP1", u64::from(l::KIND_HTTP1)),
        ("RECORD_GO_HTTP", u64::from(l::KIND_GO_HTTP)),
        ("FLAG_CLIENT", u64::from(l::FLAG_CLIENT)),
        ("FLAG_CONTEXT", u64::from(l::FLAG_CONTEXT)),
        ("FLAG_PARENT", u64::from(l::FLAG_PARENT)),
        ("FLAG_INCOMPLETE", u64::from(l::FLAG_INCOMPLETE)),
        ("FLAG_AMBIGUOUS_PARENT", u64::from(l::FLAG_AMBIGUOUS_PARENT)),
        ("HTTP1_REQUEST_CAPTURE", l::HTTP1_REQUEST_CAPTURE as u64),
        ("PROCESS_EXEC", u64::from(l::PROCESS_EXEC)),
        ("PROCESS_FORK", u64::from(l::PROCESS_FORK)),
        ("PROCESS_EXIT", u64::from(l::PROCESS_EXIT)),
        ("FLAG_GO", u64::from(l::FLAG_GO)),
        ("PROCESS_LISTEN", u64::from(l::PROCESS_LISTEN)),
        ("PROCESS_SERVES_INSIDE", u64::from(l::PROCESS_SERVES_INSIDE)),
        ("PROCESS_FILENAME", l::PROCESS_FILENAME_SIZE as u64),
        ("TARGET_HTTP1_SERVER", u64::from(Target::HTTP1_SERVER)),
        ("TARGET_HTTP1_CLIENT", u64::from(Target::HTTP1_CLIENT)),
        ("TARGET_GO_SERVER", u64::from(Target::GO_SERVER)),
        ("TARGET_GO_CLIENT", u64::from(Target::GO_CLIENT)),
        ("TARGET_HTTP1_FINISH", u64::from(Target::HTTP1_FINISH)),
        ("TARGET_TOLD_INSIDE", u64::from(Target::TOLD_INSIDE)),
        ("TARGET_GO_FINISH", u64::from(Target::GO_FINISH)),
        ("TARGET_LISTENS", u64::from(Target::LISTENS)),
        ("COUNTER_SLOTS", l::COUNTER_SLOTS as u64),
    ];
    for (name, value) in expected {
        assert_eq!(constant(name), value, "{name}");
    }
    for (counter, name) in l::COUNTERS {
        let name = format!("COUNTER_{}", name.to_uppercase());
        assert_eq!(constant(&name), counter as u64, "{name}");
    }
}
