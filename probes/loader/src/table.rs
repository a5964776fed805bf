//! Which programs there are, what each needs, and what is attached together.

use crate::Facility;

/// Programs that are attached and detached together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Processes that start and end.
    Process,
    /// States of TCP sockets: who listens, and which connections end, for each way of seeing HTTP/1.
    TcpState,
    /// HTTP/1 by the exits of system calls.
    Http1Syscalls,
    /// HTTP/1 by the tracepoints of sockets.
    Http1Sockets,
    /// HTTP/1 by fentry and fexit of the kernel's TCP functions.
    Http1Fentry,
    /// HTTP/1 by kprobes of the kernel's TCP functions.
    Http1Kprobe,
    /// Go's net/http, in each binary that has it.
    GoHttp,
    /// Run by user space, never attached.
    OnDemand,
}

/// One program of the object.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The function's name in the object.
    pub name: &'static str,
    /// What it is attached with.
    pub group: Group,
    /// What the kernel must offer.
    pub needs: Facility,
    /// The kernel function it attaches to, if some kernels lack it and then need no probe there.
    pub optional: Option<&'static str>,
}

const fn program(name: &'static str, group: Group, needs: Facility) -> Program {
    Program {
        name,
        group,
        needs,
        optional: None,
    }
}

/// A program at a kernel function that some kernels lack.
const fn optional(name: &'static str, group: Group, needs: Facility, function: &'static str) -> Program {
    Program {
        name,
        group,
        needs,
        optional: Some(function),
    }
}

/// Every program of the object.
pub static PROGRAMS: &[Program] = &[
    program("process_exec", Group::Process, Facility::BtfTracepoints),
    program("process_fork", Group::Process, Facility::BtfTracepoints),
    program("process_exit", Group::Process, Facility::BtfTracepoints),
    program("tcp_state", Group::TcpState, Facility::BtfTracepoints),
    program("http1_sys_read", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_readv", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_recvfrom", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_recvmsg", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_write", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_writev", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_sendto", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sys_sendmsg", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program(
        "http1_sys_sendfile64",
        Group::Http1Syscalls,
        Facility::SyscallTracepoints,
    ),
    program("http1_sys_splice", Group::Http1Syscalls, Facility::SyscallTracepoints),
    program("http1_sock_send", Group::Http1Sockets, Facility::SocketTracepoints),
    program("http1_sock_receive", Group::Http1Sockets, Facility::SocketTracepoints),
    program("http1_fexit_send", Group::Http1Fentry, Facility::Fentry),
    program("http1_fexit_receive", Group::Http1Fentry, Facility::Fentry),
    optional(
        "http1_fexit_send_page",
        Group::Http1Fentry,
        Facility::Fentry,
        "tcp_sendpage",
    ),
    program("http1_kprobe_thread_exit", Group::Http1Kprobe, Facility::Kprobes),
    program("http1_kprobe_send", Group::Http1Kprobe, Facility::Kprobes),
    program("http1_kretprobe_send", Group::Http1Kprobe, Facility::Kprobes),
    program("http1_kprobe_receive", Group::Http1Kprobe, Facility::Kprobes),
    program("http1_kretprobe_receive", Group::Http1Kprobe, Facility::Kprobes),
    optional(
        "http1_kprobe_send_page",
        Group::Http1Kprobe,
        Facility::Kprobes,
        "tcp_sendpage",
    ),
    optional(
        "http1_kretprobe_send_page",
        Group::Http1Kprobe,
        Facility::Kprobes,
        "tcp_sendpage",
    ),
    program("go_http_serve", Group::GoHttp, Facility::Uprobes),
    program("go_http_finish", Group::GoHttp, Facility::Uprobes),
    program("go_http_close", Group::GoHttp, Facility::Uprobes),
    program("go_http_send", Group::GoHttp, Facility::Uprobes),
    program("go_http_receive", Group::GoHttp, Facility::Uprobes),
    program("go_http_return", Group::GoHttp, Facility::Uprobes),
    program("http1_flush", Group::OnDemand, Facility::Ring),
    program("http1_flush_last", Group::OnDemand, Facility::Ring),
    program("go_http_flush_last", Group::OnDemand, Facility::Ring),
];

/// The entry of a program by its name.
pub fn find(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.name == name)
}
