// SPDX-License-Identifier: Apache-2.0
//
// See buyer_end.h.
#include "buyer_end.h"

#include "buyer_api.h"
#include "buyer_sign_in.h"
#include "buyer_usage.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static int print_state(struct twctl *twctl, const struct buyer_file *file, const char *state)
{
	struct json_writer w;
	char text[64];

	json_quote(text, sizeof(text), state);
	if (!twctl->is_json) {
		printf("the node says: %s\n", text);
		return TWCTL_EXIT_OK;
	}
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	evm_json_put_word(&w, "session_id", file->session_id);
	json_put_string(&w, "node_state", text);
	json_end(&w);
	return twctl_print(twctl, &w);
}

int buyer_end_at_node(
	struct twctl *twctl,
	const struct buyer_file *file,
	const struct evm_signer *signer,
	const struct twctl_chain_way *way
)
{
	const char *url = twctl_args_get(&twctl->args, "--api");
	struct buyer_usage usage = {0};
	struct buyer_api_conf conf = {
		.url = url != NULL ? url : file->api_url,
		.mark = way->mark,
		.device = way->device,
	};
	struct json_value *reply = NULL;
	char why[BUYER_API_WHY], usage_why[BUYER_USAGE_WHY], path[PATH_MAX];
	struct buyer_api api;
	const char *state;
	int code, r;

	// Where provision and pay last found it, if they did.
	snprintf(path, sizeof(path), "%.*s.usage", PATH_MAX - 16, twctl->args.positional[0]);
	if (url == NULL && buyer_usage_load(path, &usage, usage_why) == 0 &&
	    usage.api_url[0] != '\0') {
		conf.url = usage.api_url;
		conf.address = usage.api_address;
	}
	memcpy(conf.session_id, file->session_id, sizeof(conf.session_id));
	if (buyer_api_open(&api, &conf, why) < 0)
		return twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	r = buyer_sign_in(&api, signer, file->chain_id, why);
	if (r == 0)
		r = buyer_api_ask(&api, "POST", "/end", NULL, &reply, why);
	state = json_string(json_member(reply, "state"));
	if (r < 0)
		code = twctl_fail(twctl, TWCTL_EXIT_FAILED, "%s", why);
	else
		code = print_state(twctl, file, state != NULL ? state : "nothing");
	json_free(reply);
	buyer_api_close(&api);
	return code;
}
