// SPDX-License-Identifier: Apache-2.0
//
// What anybody may ask: GET /api/v1/health, GET /api/v1/node, and the document of the whole API. Names
// of conditions only: their reasons may hold paths and belong to the operator. Loop's thread.
#include "api.h"

#include "config/config_format.h"
#include "controlplane/session/client_conf.h"

#include <openapi_text.h>
#include <string.h>

// Without these nobody's packets pass.
static bool is_down(const struct health *health)
{
	return health->conditions[HEALTH_DATAPLANE].is_set ||
		health->conditions[HEALTH_HEARTBEAT].is_set ||
		health->conditions[HEALTH_ABI].is_set;
}

// 503 tells a load balancer or a probe to go elsewhere.
static void get_health(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	const struct control *control = ctx;
	const struct health *health = control->health;
	const char *status = "ok";
	struct json_writer writer;

	(void)request;
	if (is_down(health))
		status = "down";
	else if (health_is_degraded(health))
		status = "degraded";
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "status", status);
	json_begin_array(&writer, "conditions");
	for (unsigned i = 0; i < HEALTH_N; i++) {
		if (health->conditions[i].is_set)
			json_put_string(&writer, NULL, health_name(i));
	}
	json_end(&writer);
	json_end(&writer);
	http_reply_json(reply, is_down(health) ? 503 : 200, &writer);
}

// Nothing in it changes from one second to the next: clients poll it with its entity tag.
static void get_node(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	static const uint8_t zero[32];
	const struct control *control = ctx;
	const struct config *config = control->config;
	struct dp_link_status link;
	struct json_writer writer;
	char public_key[45], addr[16];

	(void)request;
	dp_link_status(control->link, &link);
	client_conf_key_text(public_key, link.node_public_key);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "name", config->node.name);
	json_put_string(&writer, "region", config->node.region);
	json_put_string(&writer, "version", TOLLWIRE_VERSION);
	json_put_format(
		&writer, "endpoint", "%s:%u", config->node.endpoint.host, config->node.endpoint.port
	);
	json_put_string(
		&writer,
		"public_key",
		memcmp(link.node_public_key, zero, 32) == 0 ? NULL : public_key
	);
	json_put_count(&writer, "mtu", config->tunnel.mtu);
	json_begin_array(&writer, "dns");
	for (uint32_t i = 0; i < config->tunnel.n_dns; i++) {
		config_format_ipv4(config->tunnel.dns[i], addr, sizeof(addr));
		json_put_string(&writer, NULL, addr);
	}
	json_end(&writer);
	json_put_count(&writer, "sessions_max", config->sessions.max);
	json_put_count(&writer, "sessions", link.n_sessions);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
}

static void get_openapi(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	(void)ctx;
	(void)request;
	http_reply_text(reply, 200, "application/json", openapi_text);
}

const struct http_route api_node_routes[] = {
	{HTTP_GET, "/api/v1/health", get_health, HTTP_PUBLIC},
	{HTTP_GET, "/api/v1/node", get_node, HTTP_PUBLIC},
	{HTTP_GET, "/api/v1/openapi.json", get_openapi, HTTP_PUBLIC},
};
const size_t api_node_n_routes = sizeof(api_node_routes) / sizeof(api_node_routes[0]);
