// SPDX-License-Identifier: Apache-2.0
//
// See http_conn_head.h.
#include "http_conn_head.h"

#include "controlplane/http/http_astray.h"

#include <stdio.h>
#include <string.h>

// ---- of a request ----------------------------------------------------------------------------

static const char *const lws_methods[] = {
	[LWSHUMETH_GET] = "GET",
	[LWSHUMETH_POST] = "POST",
	[LWSHUMETH_OPTIONS] = "OPTIONS",
	[LWSHUMETH_PUT] = "PUT",
	[LWSHUMETH_PATCH] = "PATCH",
	[LWSHUMETH_DELETE] = "DELETE",
	[LWSHUMETH_CONNECT] = "CONNECT",
	[LWSHUMETH_HEAD] = "HEAD",
};

// Out: dst, "" when the header is absent; "?" when it is longer than dst, which no check accepts.
static void copy_header(struct lws *wsi, char *dst, int cap, enum lws_token_indexes token)
{
	dst[0] = '\0';
	if (lws_hdr_total_length(wsi, token) > 0 && lws_hdr_copy(wsi, dst, cap, token) < 0)
		strcpy(dst, "?");
}

// A browser cannot send a header with the opening of a WebSocket, but it can ask for protocols: one of
// them is "bearer." and the token. Out: as the header Authorization would be; "" when there is none.
static void copy_bearer_protocol(struct lws *wsi, char *dst, size_t cap)
{
	static const char prefix[] = "bearer.";
	char list[256], *rest = list;

	copy_header(wsi, list, sizeof(list), WSI_TOKEN_PROTOCOL);
	dst[0] = '\0';
	for (char *item = strsep(&rest, ", "); item != NULL; item = strsep(&rest, ", ")) {
		if (strncmp(item, prefix, strlen(prefix)) == 0)
			snprintf(dst, cap, "Bearer %s", item + strlen(prefix));
	}
	explicit_bzero(list, sizeof(list));
}

void http_conn_head_read(struct http_conn_head *ret, struct lws *wsi, bool is_upgrade)
{
	struct http_head *head = &ret->head;
	char *path = NULL;
	int path_len = 0;
	int method = lws_http_get_uri_and_method(wsi, &path, &path_len);

	*head = (struct http_head){0};
	head->method = method < 0 || method >= (int)LWS_ARRAY_SIZE(lws_methods)
		? "?"
		: lws_methods[method];
	head->path = path == NULL ? "" : path;
	head->path_len = path == NULL ? 0 : (size_t)path_len;
	while (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, (int)head->n_query) > 0) {
		if (head->n_query == HTTP_MAX_QUERY ||
		    lws_hdr_copy_fragment(
			    wsi,
			    ret->query[head->n_query],
			    HTTP_QUERY_CAP,
			    WSI_TOKEN_HTTP_URI_ARGS,
			    (int)head->n_query
		    ) < 0) {
			head->is_query_cut = true;
			break;
		}
		head->query[head->n_query] = ret->query[head->n_query];
		head->n_query++;
	}
	copy_header(
		wsi, ret->content_length, sizeof(ret->content_length), WSI_TOKEN_HTTP_CONTENT_LENGTH
	);
	copy_header(wsi, ret->content_type, sizeof(ret->content_type), WSI_TOKEN_HTTP_CONTENT_TYPE);
	head->content_length = ret->content_length;
	copy_header(
		wsi, ret->authorization, sizeof(ret->authorization), WSI_TOKEN_HTTP_AUTHORIZATION
	);
	if (is_upgrade && ret->authorization[0] == '\0')
		copy_bearer_protocol(wsi, ret->authorization, sizeof(ret->authorization));
	head->is_upgrade = is_upgrade;
	copy_header(
		wsi, ret->if_none_match, sizeof(ret->if_none_match), WSI_TOKEN_HTTP_IF_NONE_MATCH
	);
	head->content_type = ret->content_type;
	head->authorization = ret->authorization;
	head->if_none_match = ret->if_none_match;
	head->has_transfer_encoding =
		lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
	head->is_too_large = !http_astray_check_head(wsi);
}

// ---- of its reply ----------------------------------------------------------------------------

static int add_header(
	struct lws *wsi, const char *name, const char *value, uint8_t **p, uint8_t *end
)
{
	if (value == NULL || value[0] == '\0')
		return 0;
	return lws_add_http_header_by_name(
		wsi, (const uint8_t *)name, (const uint8_t *)value, (int)strlen(value), p, end
	);
}

// What scripts of other origins may see and do (Fetch standard, CORS protocol).
static int add_cross_origin(
	struct lws *wsi, const struct http_exchange *exchange, uint8_t **p, uint8_t *end
)
{
	if (!exchange->is_cross_origin && !exchange->is_preflight)
		return 0;
	if (add_header(wsi, "access-control-allow-origin:", "*", p, end))
		return -1;
	if (!exchange->is_preflight)
		return add_header(
			wsi, "access-control-expose-headers:", "etag, location, retry-after", p, end
		);
	return add_header(wsi, "access-control-allow-methods:", exchange->reply.allow, p, end) ||
		add_header(
			wsi,
			"access-control-allow-headers:",
			"authorization, content-type, if-none-match",
			p,
			end
		) ||
		add_header(wsi, "access-control-max-age:", "600", p, end);
}

// Of the reply as it stands. "no-cache" lets a client keep what it must ask about (RFC 9111 section
// 5.2.2.4).
static int add_cache_headers(
	struct lws *wsi, const struct http_reply *reply, uint8_t **p, uint8_t *end
)
{
	const char *control = reply->etag[0] == '\0' ? "no-store" : "private, no-cache";

	return add_header(wsi, "etag:", reply->etag, p, end) ||
		add_header(wsi, "cache-control:", control, p, end);
}

static int finalize(
	struct lws *wsi,
	const struct http_exchange *exchange,
	uint8_t *start,
	uint8_t **p,
	uint8_t *end
)
{
	static const char version[] = "HTTP/1.1";

	// A request to upgrade is answered before libwebsockets has read its version.
	if (exchange->request.is_upgrade)
		memcpy(start, version, strlen(version));
	return lws_finalize_write_http_header(wsi, start, p, end);
}

int http_conn_head_write(struct lws *wsi, const struct http_exchange *exchange, uint8_t *start)
{
	const struct http_reply *reply = &exchange->reply;
	uint8_t *end = start + HTTP_CONN_HEAD_BYTES;
	uint8_t *p = start;
	char length[24] = "", retry_after[16] = "";

	// RFC 9110 section 8.6: a 204 has no length; that of a 304 would be the length of a 200.
	if (reply->status != 204 && reply->status != 304)
		snprintf(length, sizeof(length), "%zu", reply->body_len);
	if (reply->retry_after_sec > 0)
		snprintf(retry_after, sizeof(retry_after), "%u", reply->retry_after_sec);
	if (lws_add_http_header_status(wsi, (unsigned)reply->status, &p, end) ||
	    add_header(wsi, "content-type:", reply->content_type, &p, end) ||
	    add_header(wsi, "location:", reply->location, &p, end) ||
	    add_header(wsi, "allow:", reply->allow, &p, end) ||
	    add_header(wsi, "www-authenticate:", reply->is_challenged ? "Bearer" : NULL, &p, end) ||
	    add_header(wsi, "retry-after:", retry_after, &p, end) ||
	    add_cross_origin(wsi, exchange, &p, end) || add_cache_headers(wsi, reply, &p, end) ||
	    add_header(wsi, "x-content-type-options:", "nosniff", &p, end) ||
	    add_header(wsi, "content-length:", length, &p, end) ||
	    add_header(wsi, "connection:", exchange->must_close ? "close" : NULL, &p, end) ||
	    finalize(wsi, exchange, start, &p, end))
		return -1;
	return 0;
}
