// SPDX-License-Identifier: Apache-2.0
//
// See buyer_api.h.
#include "buyer_api.h"

#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 5000
#define TIMEOUT_MS 15000
#define RESPONSE_MAX 65536
#define PROBLEM_TYPE "urn:tollwire:problem:"

// Takes the URL apart: where to, as whom, and what stands before the path.
static int take_url(struct buyer_api *api, const char *url, char why[BUYER_API_WHY])
{
	size_t len = strlen(url), n;
	const char *start = strstr(url, "://");

	while (len > 0 && url[len - 1] == '/')
		len--;
	if (start == NULL || len > BUYER_API_URL_MAX ||
	    buyer_pick_url_parse(url, api->host, &api->port) < 0) {
		snprintf(
			why, BUYER_API_WHY, "'%.200s' is no http or https URL of a node's API", url
		);
		return -EINVAL;
	}
	snprintf(api->base, sizeof(api->base), "%.*s/api/v1", (int)len, url);
	n = strcspn(start + 3, "/?#");
	snprintf(api->authority, sizeof(api->authority), "%.*s", (int)n, start + 3);
	return 0;
}

static int pin(struct buyer_api *api, bool is_wanted)
{
	if (api->address[0] == '\0' || api->is_pinned == is_wanted)
		return 0;
	api->is_pinned = is_wanted;
	return http_client_pin(api->client, api->host, api->port, is_wanted ? api->address : NULL);
}

int buyer_api_open(
	struct buyer_api *api, const struct buyer_api_conf *conf, char why[BUYER_API_WHY]
)
{
	const struct http_client_conf http = {
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.timeout_ms = conf->timeout_ms != 0 ? conf->timeout_ms : TIMEOUT_MS,
		.response_max_bytes = RESPONSE_MAX,
		.mark = conf->mark,
		.device = conf->device,
	};
	int r;

	*api = (struct buyer_api){0};
	evm_hex_format(conf->session_id, 32, api->session);
	r = take_url(api, conf->url, why);
	if (r < 0)
		return r;
	if (conf->address != NULL && strlen(conf->address) < sizeof(api->address))
		strcpy(api->address, conf->address);
	r = http_client_create(&api->client, &http);
	if (r == 0)
		r = pin(api, true);
	if (r < 0) {
		snprintf(why, BUYER_API_WHY, "out of memory");
		buyer_api_close(api);
	}
	return r;
}

void buyer_api_close(struct buyer_api *api)
{
	http_client_destroy(api->client);
	api->client = NULL;
}

static int errno_of(long status)
{
	if (status == 401 || status == 403)
		return -EACCES;
	if (status == 404)
		return -ENOENT;
	if (status == 409)
		return -EEXIST;
	if (status == 429 || status >= 500)
		return -EAGAIN;
	return status >= 400 ? -EINVAL : -EPROTO;
}

bool buyer_api_check_transient(int r)
{
	return r == -EAGAIN || r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EPROTO;
}

// RFC 9457: `type` says what kind of problem it is, for programs.
static void take_problem(struct buyer_api *api, const struct json_value *reply)
{
	const char *type = json_string(json_member(reply, "type"));
	size_t len = strlen(PROBLEM_TYPE);

	if (type != NULL && strncmp(type, PROBLEM_TYPE, len) == 0)
		snprintf(api->problem, sizeof(api->problem), "%s", type + len);
}

int buyer_api_exchange(
	struct buyer_api *api,
	const char *method,
	const char *url,
	const char *body,
	struct json_value **ret,
	char why[BUYER_API_WHY]
)
{
	struct http_client_response response;
	char detail[HTTP_CLIENT_WHY_SIZE];
	const char *text;
	int r;

	*ret = NULL;
	api->problem[0] = '\0';
	r = http_client_request(
		api->client, method, url, body, body == NULL ? 0 : strlen(body), &response, detail
	);
	if (r < 0) {
		snprintf(why, BUYER_API_WHY, "the node at %.200s: %s", api->authority, detail);
		if ((r == -ECONNREFUSED || r == -ETIMEDOUT) && pin(api, !api->is_pinned) < 0)
			return -ENOMEM;
		return r;
	}
	if (response.len > 0)
		r = json_parse_limited(
			ret, response.body, response.len, &json_limits_reply, detail, sizeof(detail)
		);
	if (r == 0 && (response.status < 200 || response.status > 299)) {
		take_problem(api, *ret);
		text = json_string(json_member(*ret, "detail"));
		r = errno_of(response.status);
		snprintf(
			why,
			BUYER_API_WHY,
			"the node at %.200s says %ld: %.320s",
			api->authority,
			response.status,
			text != NULL ? text : "no reason"
		);
	} else if (r < 0) {
		snprintf(
			why,
			BUYER_API_WHY,
			"what answers at %.200s (status %ld) is no tollwire node: %.200s",
			api->authority,
			response.status,
			detail
		);
		r = response.status >= 500 ? -EAGAIN : -EPROTO;
	}
	explicit_bzero(response.body, response.len);
	http_client_response_fini(&response);
	if (r < 0) {
		json_free(*ret);
		*ret = NULL;
	}
	return r;
}

int buyer_api_ask(
	struct buyer_api *api,
	const char *method,
	const char *path,
	const char *body,
	struct json_value **ret,
	char why[BUYER_API_WHY]
)
{
	char url[sizeof(api->base) + 160];

	snprintf(url, sizeof(url), "%s/sessions/%s%s", api->base, api->session, path);
	return buyer_api_exchange(api, method, url, body, ret, why);
}
