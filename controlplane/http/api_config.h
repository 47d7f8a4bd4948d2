// SPDX-License-Identifier: Apache-2.0
//
// The WireGuard configuration of a session, from what the modules behind struct control know. Loop's
// thread.
#pragma once

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/control.h"
#include "controlplane/http/http_message.h"
#include "controlplane/session/client_conf.h"

struct api_config {
	char text[CLIENT_CONF_CAP];
	bool has_private_key; // the text is a secret
	// The operator's, over config_proof.h's text; "" where there is no chain to hold it against.
	char signer[EVM_ADDRESS_TEXT_SIZE];
	char signature[EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)];
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
// The members config (with the signature as comments at its end), signer and signature; all null when
// config is NULL.
void api_config_put(struct json_writer *writer, const struct api_config *config);

void api_config_wipe(struct api_config *config);

// The reply to a failed api_config_build().
void api_config_reply_error(
	struct control *control,
	const struct session *session,
	const struct session_error *err,
	struct http_reply *reply
);
