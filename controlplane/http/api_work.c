// SPDX-License-Identifier: Apache-2.0
//
// See api_work.h.
#include "api_work.h"

#include "controlplane/http/api_live.h"
#include "controlplane/http/api_registry.h"
#include "controlplane/http/http_server.h"
#include "controlplane/settle/chain_ask.h"

#define CHAIN_TIMEOUT_MS 10000 // a request waits so long for the chain
#define OVERDUE_MS 500 // between two looks for what is
#define SECOND_MS 1000

int api_work_create(struct control *control)
{
	int r = 0;

	if (control->config->n_chains != 0)
		r = chain_ask_create(&control->ask, control->clock, CHAIN_TIMEOUT_MS);
	if (r == 0)
		r = api_registry_create(
			&control->registry, control->config, control->ask, control->clock
		);
	if (r == 0)
		r = api_live_create(&control->live, control);
	return r;
}

static void on_answers(void *ctx, int fd)
{
	(void)fd;
	chain_ask_collect(ctx);
}

static void on_overdue(void *ctx)
{
	chain_ask_collect(ctx);
}

static void on_second(void *ctx)
{
	struct control *control = ctx;

	api_registry_tick(control->registry);
	api_live_tick(control->live);
}

int api_work_start(struct control *control)
{
	struct http_server *server = control->server;
	struct chain_ask *ask = control->ask;
	int r = 0;

	if (ask != NULL)
		r = http_server_watch_add(server, chain_ask_fd(ask), on_answers, ask);
	if (r == 0 && ask != NULL)
		r = http_server_timer_add(server, OVERDUE_MS, on_overdue, ask);
	if (r == 0)
		r = http_server_timer_add(server, SECOND_MS, on_second, control);
	if (r == 0)
		api_registry_tick(control->registry);
	return r;
}

void api_work_cancel(struct control *control)
{
	if (control->ask != NULL)
		chain_ask_cancel(control->ask);
}

void api_work_destroy(struct control *control)
{
	api_live_destroy(control->live);
	api_registry_destroy(control->registry);
	chain_ask_destroy(control->ask);
}
