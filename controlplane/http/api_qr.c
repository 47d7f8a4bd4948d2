// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/sessions/{name-or-id}/qr.svg and …/qr.png: the configuration as a picture for a telephone.
// Only where the node made the key and still has it: a picture without the private key is of no use. The
// picture is the key: it is wiped when it is sent, and nobody may keep it. Loop's thread.
#include "api.h"

#include "controlplane/http/api_config.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/session/qr_image.h"

#include <errno.h>
#include <string.h>

// Returns: true; otherwise the reply stands.
static bool build(
	struct control *control,
	const struct http_request *request,
	struct api_config *config,
	struct http_reply *reply
)
{
	bool is_ipv6_blocked = http_request_query(request, "block_ipv6") != NULL;
	struct session_error err;
	struct session session;

	if (!api_find_session(control, request, &session, reply))
		return false;
	if (!session.is_private_key_kept) {
		api_reply_problem(
			reply,
			API_PROBLEM_NO_PRIVATE_KEY,
			NULL,
			"session %s: the node does not have the private key; who has it draws the "
			"code with: twctl buyer provision --qr",
			session.name
		);
		return false;
	}
	if (api_config_build(control, &session, is_ipv6_blocked, config, &err) == 0)
		return true;
	api_config_reply_error(control, &session, &err, reply);
	return false;
}

static void reply_image(
	struct http_reply *reply, int rc, const char *content_type, char *image, size_t len
)
{
	if (rc < 0) {
		http_reply_problem(
			reply,
			rc == -ENOMEM ? 503 : 500,
			NULL,
			"the code cannot be drawn: %s",
			strerror(-rc)
		);
		return;
	}
	http_reply_bytes(reply, 200, content_type, image, len);
	reply->is_secret = true;
}

static void get_svg(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct api_config config;
	char *image = NULL;
	int rc;

	if (!build(ctx, request, &config, reply))
		return;
	rc = qr_image_svg(config.text, &image);
	api_config_wipe(&config);
	reply_image(reply, rc, "image/svg+xml", image, rc < 0 ? 0 : strlen(image));
}

static void get_png(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct api_config config;
	char *image = NULL;
	size_t len = 0;
	int rc;

	if (!build(ctx, request, &config, reply))
		return;
	rc = qr_image_png(config.text, &image, &len);
	api_config_wipe(&config);
	reply_image(reply, rc, "image/png", image, len);
}

const struct http_route api_qr_routes[] = {
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/qr.svg", get_svg, HTTP_BUYER},
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/qr.png", get_png, HTTP_BUYER},
};
const size_t api_qr_n_routes = sizeof(api_qr_routes) / sizeof(api_qr_routes[0]);
