// SPDX-License-Identifier: Apache-2.0
//
// The WireGuard configuration of a session, from what the modules behind struct control know. Loop's
// thread.
#pragma once

#include "controlplane/control.h"
#include "controlplane/http/http_message.h"
#include "controlplane/session/client_conf.h"

struct api_config {
	char text[CLIENT_CONF_CAP];
	bool has_private_key; // the text is a secret
};

// Writes the text; the caller calls api_config_wipe().
//
// Returns: 0; -EPERM when the session has no place in the tunnel; -EAGAIN while the node's public key
//          is not known; an error of the private key's file or of the text's length, with err.
int api_config_build(
	struct control *control,
	const struct session *session,
	bool is_ipv6_blocked,
	struct api_config *ret,
	struct session_error *err
);
void api_config_wipe(struct api_config *config);

// The reply to a failed api_config_build().
void api_config_reply_error(
	struct control *control,
	const struct session *session,
	const struct session_error *err,
	struct http_reply *reply
);
