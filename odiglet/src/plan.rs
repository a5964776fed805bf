//! What would instrument a process, and why not: a pure decision over what an inspection and the kernel's facilities show.

use probe_loader::{Facilities, Facility};
use runtime_inspect::{Inspection, Language};

/// What is traced of a process, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Instrumentations, by name.
    pub with: Vec<&'static str>,
    /// What a person could expect and does not get, with the reason.
    pub without: Vec<String>,
}

/// Decides for one process.
pub fn plan(inspection: &Inspection, facilities: &Facilities) -> Plan {
    let mut plan = Plan::default();
    if let Some((missing, reason)) = facilities.missing_required().next() {
        plan.without.push(format!("{}: {reason}", missing.name));
        return plan;
    }
    match http1(facilities) {
        Some(name) => plan.with.push(name),
        None => plan
            .without
            .push("http/1: the kernel offers neither fentry, kprobes nor syscall tracepoints".into()),
    }
    if inspection.language == Some(Language::Go) {
        for facility in [Facility::Uprobes, Facility::Cookies] {
            if let Some(reason) = facilities.missing(facility) {
                plan.without.push(format!("go net/http: {reason}"));
            }
        }
    }
    plan
}

fn http1(facilities: &Facilities) -> Option<&'static str> {
    if facilities.has(Facility::Fentry) {
        Some("http/1 (fentry)")
    } else if facilities.has(Facility::Kprobes) {
        Some("http/1 (kprobe)")
    } else if facilities.has(Facility::SyscallTracepoints) && facilities.has(Facility::TaskRegisters) {
        Some("http/1 (syscalls)")
    } else {
        None
    }
}
