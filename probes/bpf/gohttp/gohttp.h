/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Go's net/http, server and client. Where each program is attached is chosen by the planner (probes/loader/src/plan);
 * it is always an instruction where the named arguments or results are still in their registers.
 */
#ifndef ODIGOS_GOHTTP_H
#define ODIGOS_GOHTTP_H

#include "client.h"
#include "flush.h"
#include "server.h"

/* Entry of serverHandler.ServeHTTP. */
SEC("uprobe")
int go_http_serve(struct pt_regs *ctx)
{
	go_enter();
	go_server_begins(ctx);
	go_leave();
	return 0;
}

/* Entry of (*response).finishRequest, which runs when the handler has returned. */
SEC("uprobe")
int go_http_finish(struct pt_regs *ctx)
{
	go_enter();
	go_server_ends(ctx, GO_ARG1(ctx), 0);
	go_leave();
	return 0;
}

/* Entry of the function that (*conn).serve defers: what is still in progress panicked or took the connection over. */
SEC("uprobe")
int go_http_close(struct pt_regs *ctx)
{
	go_enter();
	go_server_ends(ctx, 0, FLAG_INCOMPLETE);
	go_leave();
	return 0;
}

/* Entry of (*Transport).roundTrip. */
SEC("uprobe")
int go_http_send(struct pt_regs *ctx)
{
	go_enter();
	go_client_begins(ctx);
	go_leave();
	return 0;
}

/* In (*Transport).roundTrip, after a connection's round trip: (response, (error's type, error)). An error may yet be retried. */
SEC("uprobe")
int go_http_receive(struct pt_regs *ctx)
{
	if (GO_ARG2(ctx))
		return 0;
	go_enter();
	go_client_ends(ctx, GO_ARG1(ctx));
	go_leave();
	return 0;
}

/* Where (*Transport).roundTrip returns without having passed go_http_receive successfully. */
SEC("uprobe")
int go_http_return(struct pt_regs *ctx)
{
	go_enter();
	go_client_ends(ctx, GO_ARG2(ctx) ? 0 : GO_ARG1(ctx));
	go_leave();
	return 0;
}

#endif
