// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
//
// The smallest program of each type that the agent relies on, to find out what a kernel permits. Each counts its calls,
// so that a test can tell "attached" from "attached and called".

#define SEC(name) __attribute__((section(name), used))

enum { KPROBE, FENTRY, TRACEPOINT, UPROBE, UPROBE_MULTI, WRITE_USER, PROGRAMS };

unsigned long long hits[PROGRAMS];

static long (*const bpf_probe_write_user)(void *to, const void *from, unsigned int size) = (void *)36;

static __attribute__((always_inline)) int count(int program)
{
	__sync_fetch_and_add(&hits[program], 1);
	return 0;
}

SEC("kprobe/tcp_sendmsg") int on_kprobe(void *ctx) { return count(KPROBE); }

SEC("fentry/tcp_sendmsg") int on_fentry(void *ctx) { return count(FENTRY); }

SEC("tracepoint/syscalls/sys_enter_sched_yield") int on_tracepoint(void *ctx) { return count(TRACEPOINT); }

SEC("uprobe") int on_uprobe(void *ctx) { return count(UPROBE); }

SEC("uprobe.multi") int on_uprobe_multi(void *ctx) { return count(UPROBE_MULTI); }

// Never attached: loading it is what a locked-down kernel refuses.
SEC("kprobe/tcp_sendmsg") int writes_user(void *ctx)
{
	int nothing = 0;

	bpf_probe_write_user(0, &nothing, sizeof(nothing));
	return count(WRITE_USER);
}

// The kernel grants the tracing helpers to licences that it knows.
char LICENSE[] SEC("license") = "GPL";
