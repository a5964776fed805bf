//! What would instrument a process, and why not: a pure decision over what an inspection and the kernel's facilities show.

use crate::golang::missing_facility;
use probe_loader::plan::GoHttpPlan;
use probe_loader::table::Group;
use probe_loader::{Facilities, http1_group};
use runtime_inspect::{Inspection, Language};

/// What is traced of a process, and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Instrumentations, by name.
    pub with: Vec<&'static str>,
    /// What a person could expect and does not get, with the reason.
    pub without: Vec<String>,
}

/// Decides for one process. `go` is how its Go binary would be probed, or why it cannot be.
pub fn plan(inspection: &Inspection, facilities: &Facilities, go: Option<&Result<GoHttpPlan, String>>) -> Plan {
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
        plan_go(&mut plan, facilities, go);
    }
    plan
}

fn plan_go(plan: &mut Plan, facilities: &Facilities, go: Option<&Result<GoHttpPlan, String>>) {
    match (missing_facility(facilities), go) {
        (Some(reason), _) => plan.without.push(format!("go net/http: {reason}")),
        (None, Some(Err(reason))) => plan.without.push(format!("go net/http: {reason}")),
        (None, Some(Ok(go))) if go.is_empty() => plan.without.push("go net/http: the program does not use it".into()),
        (None, Some(Ok(go))) => {
            plan.with.push(if go.is_seen_outside() {
                "go net/http (server from the kernel side, uprobes for TLS and clients)"
            } else {
                "go net/http (uprobes)"
            });
            let reasons = go
                .disabled
                .iter()
                .map(|off| format!("go net/http, {:?}: {}", off.feature, off.reason));
            plan.without.extend(reasons);
        }
        (None, None) => {}
    }
}

fn http1(facilities: &Facilities) -> Option<&'static str> {
    Some(match http1_group(facilities)? {
        Group::Http1Fentry => "http/1 (fexit)",
        Group::Http1Kprobe => "http/1 (kprobe)",
        Group::Http1Sockets => "http/1 (sockets)",
        _ => "http/1 (syscalls)",
    })
}
