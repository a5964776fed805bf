// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
/*
 * All programs in one object, so that they share their maps. The loader loads only those that the kernel can take and
 * that something needs.
 */
#include <odigos/maps.h>

#include "gohttp/gohttp.h"
#include "http1/flush.h"
#include "http1/sockets.h"
#include "http1/syscalls.h"
#include "http1/tcp.h"
#include "process/process.h"
#include "tcp_state.h"

char LICENSE[] SEC("license") = "GPL";
