// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * Programs that do nothing. Whether one can be attached on the running kernel tells whether its kind is there: version
 * numbers say little, since distributions backport and lock down.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(detect_fentry)
{
	return 0;
}

SEC("kprobe/bpf_fentry_test1")
int detect_kprobe(void *ctx)
{
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_sync")
int detect_syscall_tracepoint(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(detect_tp_btf)
{
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(detect_socket_tracepoint)
{
	return 0;
}

SEC("uprobe")
int detect_uprobe(void *ctx)
{
	return 0;
}

SEC("uprobe.multi")
int detect_uprobe_multi(void *ctx)
{
	return 0;
}

/* Where the kernel keeps a number that nothing else tells. */
struct peek {
	const void *address;
};

/* The number, or INT_MIN where it cannot be read. */
SEC("syscall")
int detect_number(struct peek *peek)
{
	int value;

	return bpf_probe_read_kernel(&value, sizeof(value), peek->address) ? -__INT_MAX__ - 1 : value;
}

char LICENSE[] SEC("license") = "GPL";
