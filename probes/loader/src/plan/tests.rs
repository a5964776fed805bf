use super::*;
use proptest::prelude::*;
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::GoBinary;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checksum of the sample, the toolchain and the flags is not needed: Go's own build cache decides what is built anew.
fn build(release: &str, flags: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/apps/go/nethttp");
    let output = Command::new("go")
        .arg("build")
        .args(flags)
        .arg("-o")
        .args([&program, Path::new("main.go")])
        .current_dir(sample)
        .env("GOTOOLCHAIN", release)
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", "0")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{release}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (folder, program)
}

fn plan(program: &Path) -> GoHttpPlan {
    plan_go_http(&GoBinary::open(ElfFile::open(program).unwrap()).unwrap()).unwrap()
}

/// All but the returns of failures are emulated, and each program has its place.
fn check(release: &str, flags: &[&str], entry: Why, expected: GoOffsets, disabled: &[Feature]) {
    let (_folder, program) = build(release, flags);
    let plan = plan(&program);
    let what = format!("{release} {flags:?}: {plan:#?}");
    for (name, why) in [
        ("go_http_serve", entry),
        ("go_http_finish", entry),
        ("go_http_close", entry),
        ("go_http_send", entry),
        ("go_http_receive", Why::AfterCall),
    ] {
        let found: Vec<_> = plan.probes.iter().filter(|probe| probe.program == name).collect();
        assert_eq!(found.len(), 1, "{name} in {what}");
        assert_eq!(found[0].point.why, why, "{name} in {what}");
        assert!(found[0].point.cost <= Cost::Emulated, "{name} in {what}");
    }
    let failures = plan.probes.iter().filter(|probe| probe.program == "go_http_return");
    assert!(failures.count() >= 2, "{what}");
    assert_eq!(plan.offsets, expected, "{what}");
    let mut found: Vec<_> = plan.disabled.iter().map(|disabled| disabled.feature).collect();
    found.dedup();
    assert_eq!(found, disabled, "{what}");
}

const GO_1_26: GoOffsets = GoOffsets {
    g_goid: 152,
    g_parent_goid: 280,
    request_ctx: 248,
    request_pattern: 232,
    request_pat: GO_OFFSET_UNKNOWN,
    response_written: 104,
    request_size: 248,
    url_raw_path: 104,
    url_raw_query: 88,
    conn_slot: 72,
    conn_cur_req: 112,
    netfd_laddr: 96,
    map_kind: GoMapKind::Swiss,
    has_client: true,
};
const GO_1_24: GoOffsets = GoOffsets {
    g_goid: 160,
    url_raw_path: 72,
    url_raw_query: 96,
    ..GO_1_26
};
const GO_1_22: GoOffsets = GoOffsets {
    g_goid: 152,
    g_parent_goid: 272,
    request_ctx: 232,
    request_pattern: GO_OFFSET_UNKNOWN,
    request_pat: 248,
    request_size: 256,
    map_kind: GoMapKind::Buckets,
    ..GO_1_24
};
const GO_1_21: GoOffsets = GoOffsets {
    request_pat: GO_OFFSET_UNKNOWN,
    request_size: 216,
    ..GO_1_22
};
const GO_1_19: GoOffsets = GoOffsets {
    conn_cur_req: 120,
    g_parent_goid: GO_OFFSET_UNKNOWN,
    ..GO_1_21
};
const STRIP: &[&str] = &["-ldflags=-s -w"];

#[test]
fn go_1_26_stripped_and_position_independent() {
    check("go1.26.8", &[], Why::EntryPush, GO_1_26, &[]);
    check("go1.26.8", STRIP, Why::EntryPush, GO_1_26, &[]);
    check(
        "go1.26.8",
        &["-buildmode=pie", "-ldflags=-s -w"],
        Why::EntryPush,
        GO_1_26,
        &[],
    );
}

#[test]
fn go_1_24_has_another_order_of_fields() {
    check("go1.24.6", STRIP, Why::EntryPush, GO_1_24, &[]);
}

#[test]
fn go_1_22_keeps_the_pattern_behind_a_pointer() {
    check("go1.22.12", STRIP, Why::EntryPush, GO_1_22, &[]);
}

#[test]
fn go_1_21_does_not_keep_the_route() {
    check("go1.21.13", STRIP, Why::EntryPush, GO_1_21, &[Feature::Route]);
}

#[test]
fn go_1_19_does_not_know_who_started_a_goroutine() {
    check(
        "go1.19.13",
        STRIP,
        Why::StackCheck,
        GO_1_19,
        &[Feature::Route, Feature::CreatorParent],
    );
}

#[test]
fn offsets_are_laid_out_as_the_programs_read_them() {
    let bytes = GO_1_26.to_bytes();
    assert_eq!(bytes[..4], [152, 0, 24, 1]);
    assert_eq!(bytes[8..10], [255, 255]);
    assert_eq!(bytes[16..], [88, 0, 72, 0, 112, 0, 96, 0, 2, 1]);
}

/// `push rbp` behind the check of the stack; a call; a test of its result behind an unconditional jump; two ways out.
const BODY: &[u8] = &[
    0x49, 0x3b, 0x66, 0x10, // 0: cmp rsp, [r14+0x10]
    0x76, 0x18, // 4: jbe 0x1e
    0x55, // 6: push rbp
    0x48, 0x89, 0xe5, // 7: mov rbp, rsp
    0xe8, 0x00, 0x01, 0x00, 0x00, // a: call 0x10f
    0xeb, 0x00, // f: jmp 0x11
    0x48, 0x85, 0xdb, // 11: test rbx, rbx
    0x74, 0x03, // 14: je 0x19
    0x31, 0xc0, // 16: xor eax, eax
    0xc3, // 18: ret
    0x5d, // 19: pop rbp
    0x90, // 1a: nop
    0xc3, // 1b: ret
    0xcc, 0xcc, // 1c
    0xe8, 0x00, 0x02, 0x00, 0x00, // 1e: call morestack
    0xeb, 0xdb, // 23: jmp 0
];

#[test]
fn points_of_a_function_by_hand() {
    let function = Function::decode(BODY, 0x1000);
    let entry = ProbePoint {
        offset: 6,
        why: Why::EntryPush,
        cost: Cost::Emulated,
    };
    assert_eq!(function.entry_point(), Some(entry));
    let test = ProbePoint {
        offset: 0x14,
        why: Why::AfterCall,
        cost: Cost::Emulated,
    };
    assert_eq!(function.after_call(0x1000 + 0x10f), Some(test));
    assert_eq!(function.after_call(0x1000 + 0x110), None);
    let failure = ProbePoint {
        offset: 0x18,
        why: Why::Return,
        cost: Cost::SingleStepped,
    };
    assert_eq!(function.returns_past(&test), Some(vec![failure]));
    assert_eq!(function.returns().count(), 2);
}

#[test]
fn a_result_that_is_overwritten_before_the_test_is_no_result() {
    let mut body = BODY.to_vec();
    body[0xf..0x11].copy_from_slice(&[0x31, 0xdb]); // xor ebx, ebx
    assert_eq!(Function::decode(&body, 0x1000).after_call(0x1000 + 0x10f), None);
}

#[test]
fn an_argument_that_is_overwritten_before_the_push_is_no_argument() {
    let function = [0x31, 0xc0, 0x55, 0xe8, 0, 0, 0, 0, 0xc3]; // xor eax, eax; push rbp; call; ret
    assert_eq!(Function::decode(&function, 0).entry_point(), None);
    let mut without_push = BODY.to_vec();
    without_push[6..10].copy_from_slice(&[0x48, 0x83, 0xec, 0x10]); // sub rsp, 0x10
    let check = ProbePoint {
        offset: 4,
        why: Why::StackCheck,
        cost: Cost::Emulated,
    };
    assert_eq!(Function::decode(&without_push, 0x1000).entry_point(), Some(check));
    let leaf = [0x31, 0xc0, 0xc3];
    let first = ProbePoint {
        offset: 0,
        why: Why::EntryFirst,
        cost: Cost::SingleStepped,
    };
    assert_eq!(Function::decode(&leaf, 0).entry_point(), Some(first));
}

#[test]
fn what_the_kernel_emulates() {
    fn check(bytes: &[u8], expected: Cost) {
        let mut decoder = iced_x86::Decoder::new(64, bytes, 0);
        let instruction = decoder.decode();
        assert_eq!(instruction.len(), bytes.len(), "{bytes:x?}");
        assert_eq!(super::cost::of(&instruction, bytes), expected, "{bytes:x?}");
    }
    check(&[0x55], Cost::Emulated);
    check(&[0x41, 0x57], Cost::Emulated);
    check(&[0x90], Cost::Emulated);
    check(&[0x66, 0x90], Cost::SingleStepped);
    check(&[0x74, 0x10], Cost::Emulated);
    check(&[0x0f, 0x85, 0, 1, 0, 0], Cost::Emulated);
    check(&[0xeb, 0x10], Cost::Emulated);
    check(&[0xe9, 0, 1, 0, 0], Cost::Emulated);
    check(&[0xe8, 0, 1, 0, 0], Cost::Emulated);
    check(&[0xff, 0xd1], Cost::SingleStepped);
    check(&[0x0f, 0x1f, 0x44, 0, 0], Cost::Replaced);
    check(&[0x0f, 0x1f, 0x40, 0], Cost::SingleStepped);
    check(&[0xc3], Cost::SingleStepped);
    check(&[0x48, 0x85, 0xdb], Cost::SingleStepped);
}

proptest! {
    #[test]
    fn bytes_that_are_no_code_never_panic(body in prop::collection::vec(any::<u8>(), 0..600), entry: u64, callee: u64) {
        let function = Function::decode(&body, entry);
        let point = function.entry_point();
        prop_assert!(point.is_none_or(|point| (point.offset as usize) < body.len()));
        if let Some(test) = function.after_call(callee) {
            function.returns_past(&test);
        }
        prop_assert!(function.returns().all(|point| (point.offset as usize) < body.len()));
        function.stack_at_call(callee);
        function.keeps_first_argument();
    }

    #[test]
    fn damaged_code_never_panics(at in 0..BODY.len(), byte: u8) {
        let mut body = BODY.to_vec();
        body[at] = byte;
        let function = Function::decode(&body, 0x1000);
        function.entry_point();
        if let Some(test) = function.after_call(0x1000 + 0x10f) {
            function.returns_past(&test);
        }
        function.stack_at_call(0x1000 + 0x10f);
        function.keeps_first_argument();
    }
}

/// As Go 1.26 compiles `go c.serve(ctx)`: a frame of 24 bytes, and a call behind it.
#[test]
fn the_stack_at_a_call_is_counted_from_the_functions_entry() {
    let body: &[u8] = &[
        0x55, // 0: push rbp
        0x48, 0x89, 0xe5, // 1: mov rbp, rsp
        0x48, 0x83, 0xec, 0x18, // 4: sub rsp, 0x18
        0xe8, 0xf3, 0x00, 0x00, 0x00, // 8: call 0x100
        0x48, 0x83, 0xc4, 0x18, // d: add rsp, 0x18
        0x5d, // 11: pop rbp
        0xc3, // 12: ret
    ];
    let function = Function::decode(body, 0);
    assert_eq!(function.stack_at_call(0x100), Some(32));
    assert_eq!(function.stack_at_call(0x200), None, "it is not called");
    // A frame whose size is in a register.
    let computed = [&[0x48, 0x29, 0xc4][..], &body[8..]].concat();
    assert_eq!(Function::decode(&computed, 0).stack_at_call(0xfb), None);
}

#[test]
fn the_first_argument_is_kept_above_the_return_address_or_not_at_all() {
    // push rbp; sub rsp, 0x10; mov [rsp+OFFSET], rax; ret
    let body = |offset: u8| [0x55, 0x48, 0x83, 0xec, 0x10, 0x48, 0x89, 0x44, 0x24, offset, 0xc3];
    assert!(Function::decode(&body(0x20), 0).keeps_first_argument());
    assert!(!Function::decode(&body(0x08), 0).keeps_first_argument(), "a local");
    // xor eax, eax before it is kept.
    let overwritten = [&[0x31, 0xc0][..], &body(0x20)].concat();
    assert!(!Function::decode(&overwritten, 0).keeps_first_argument());
}
