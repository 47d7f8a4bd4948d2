// SPDX-License-Identifier: Apache-2.0
//
// See http_live.h.
#include "http_live.h"

#include "controlplane/http/http_server.h"

#include <stdlib.h>
#include <string.h>

struct http_live_message {
	STAILQ_ENTRY(http_live_message) link;
	size_t len;
	uint8_t data[]; // LWS_PRE octets for the frame's head, then the text
};

void http_live_init(
	struct http_live *live,
	struct lws *wsi,
	uint32_t ping_sec,
	const struct http_live_ops *ops,
	void *ctx
)
{
	*live = (struct http_live){.wsi = wsi, .ops = ops, .ctx = ctx, .ping_sec = ping_sec};
	STAILQ_INIT(&live->queue);
	live->ping_us = lws_now_usecs() + (lws_usec_t)ping_sec * LWS_US_PER_SEC;
	ops->opened(ctx, live);
}

void http_live_fini(struct http_live *live)
{
	struct http_live_message *message;

	while ((message = STAILQ_FIRST(&live->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&live->queue, link);
		free(message);
	}
	if (live->ops != NULL)
		live->ops->closed(live->ctx);
	live->ops = NULL;
}

void http_live_send(struct http_live *live, const char *text, size_t len)
{
	struct http_live_message *message;

	if (live->close_code != 0 || live->is_slow)
		return;
	// Cut off by the sweep: this may be a callback of who would be told.
	live->is_slow = live->queued_bytes + len > HTTP_LIVE_QUEUE_BYTES;
	message = live->is_slow ? NULL : malloc(sizeof(*message) + LWS_PRE + len);
	if (message == NULL)
		return;
	message->len = len;
	memcpy(message->data + LWS_PRE, text, len);
	STAILQ_INSERT_TAIL(&live->queue, message, link);
	live->queued_bytes += len;
	lws_callback_on_writable(live->wsi);
}

void http_live_close(struct http_live *live, unsigned code, const char *reason)
{
	if (live->close_code != 0)
		return;
	live->close_code = code;
	live->close_reason = reason;
	lws_callback_on_writable(live->wsi);
}

static int write_ping(struct http_live *live)
{
	// libwebsockets tells of a pong only when it carries something.
	uint8_t buf[LWS_PRE + 4] = {[LWS_PRE] = 'p', 'i', 'n', 'g'};

	live->is_ping_due = false;
	live->is_pong_due = true;
	return lws_write(live->wsi, buf + LWS_PRE, 4, LWS_WRITE_PING) < 0 ? -1 : 0;
}

static int write_message(struct http_live *live)
{
	struct http_live_message *message = STAILQ_FIRST(&live->queue);
	int r = lws_write(live->wsi, message->data + LWS_PRE, message->len, LWS_WRITE_TEXT);

	STAILQ_REMOVE_HEAD(&live->queue, link);
	live->queued_bytes -= message->len;
	free(message);
	return r < 0 ? -1 : 0;
}

static int write_close(struct http_live *live)
{
	lws_close_reason(
		live->wsi,
		(enum lws_close_status)live->close_code,
		(unsigned char *)live->close_reason,
		strlen(live->close_reason)
	);
	return -1;
}

int http_live_write(struct http_live *live)
{
	int r = 0;

	if (live->is_ping_due)
		r = write_ping(live);
	else if (!STAILQ_EMPTY(&live->queue))
		r = write_message(live);
	else if (live->close_code != 0)
		r = write_close(live);
	if (r == 0 && (!STAILQ_EMPTY(&live->queue) || live->close_code != 0))
		lws_callback_on_writable(live->wsi);
	return r;
}

void http_live_pong(struct http_live *live)
{
	live->is_pong_due = false;
}

bool http_live_sweep(struct http_live *live, lws_usec_t now_us)
{
	if (live->is_slow)
		return true;
	if (now_us < live->ping_us)
		return false;
	// The one before was not answered, or could not even be written.
	if (live->is_pong_due || live->is_ping_due)
		return true;
	live->is_ping_due = true;
	live->ping_us = now_us + (lws_usec_t)live->ping_sec * LWS_US_PER_SEC;
	lws_callback_on_writable(live->wsi);
	return false;
}
