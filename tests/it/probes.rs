//! The probe tests on this kernel.

use odigos_tests::probes::HTTP1;
use probe_loader::table::Group;

#[test]
fn http1_by_system_calls() {
    for case in HTTP1 {
        eprintln!("{}", case.name);
        (case.run)(Group::Http1Syscalls).unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
    }
}
