// SPDX-License-Identifier: Apache-2.0
//
// A node's HTTP API as a buyer uses it, for one session. Public key and vouchers carry their own
// signatures; what needs the buyer's token signs in first (buyer_sign_in.h). Blocking; one thread.
#pragma once

#include "controlplane/chain/http_client.h"
#include "controlplane/json/json.h"
#include "controlplane/twctl/buyer_pick.h"

#include <stdbool.h>
#include <stdint.h>

#define BUYER_API_WHY 640
#define BUYER_API_URL_MAX 256
#define BUYER_API_ADDRESS_CAP 64

struct buyer_api_conf {
	const char *url; // as the registry has it
	uint8_t session_id[32];
	uint32_t timeout_ms; // of an exchange; 0: 15 s
	uint32_t mark; // see http_client_conf
	const char *device; // kept
	const char *
		address; // where the URL's host was before, used while it cannot be asked for; NULL
};

struct buyer_api {
	struct http_client *client;
	bool is_pinned;
	uint16_t port;
	char base[BUYER_API_URL_MAX + 16]; // to /api/v1
	char authority[BUYER_PICK_HOST_MAX + 16];
	char host[BUYER_PICK_HOST_MAX + 1];
	char session[67];
	char address[BUYER_API_ADDRESS_CAP]; // "": none known
	char problem[48]; // kind of the last refusal, such as "session-over"; "": none
};

// Returns: 0; -EINVAL for a URL that is none, with a sentence in why; -ENOMEM.
int buyer_api_open(
	struct buyer_api *api, const struct buyer_api_conf *conf, char why[BUYER_API_WHY]
) __attribute__((warn_unused_result));
void buyer_api_close(struct buyer_api *api);

// Any URL of the node. body: JSON text or NULL.
//
// Returns: 0 with a 2xx reply in *ret, to be freed with json_free (NULL where there was none); -EACCES
//          (401, 403); -ENOENT (404); -EEXIST (409); -EINVAL (other 4xx); -EAGAIN (429, 5xx); -EPROTO
//          when it is no tollwire; the errors of http_client.h; with a sentence in why.
int buyer_api_exchange(
	struct buyer_api *api,
	const char *method,
	const char *url,
	const char *body,
	struct json_value **ret,
	char why[BUYER_API_WHY]
) __attribute__((warn_unused_result));

// The same; path is below /api/v1/sessions/{id}: "", "/vouchers", ...
int buyer_api_ask(
	struct buyer_api *api,
	const char *method,
	const char *path,
	const char *body,
	struct json_value **ret,
	char why[BUYER_API_WHY]
) __attribute__((warn_unused_result));

// Whether it may work a while later.
bool buyer_api_check_transient(int r);
