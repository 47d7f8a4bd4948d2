// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for configurations that a node sends to a buyer: whatever is taken is written anew,
// and what was written is taken again with the same values.

#include "controlplane/session/client_conf.h"
#include "controlplane/twctl/buyer_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t private_key[32] = {1};
	char text[BUYER_CONF_CAP], again[BUYER_CONF_CAP + 64], why[BUYER_CONF_WHY];
	struct buyer_conf conf, second;
	const char *rest;
	int n;

	if (buyer_conf_parse(&conf, (const char *)data, size, why) < 0)
		return 0;
	n = buyer_conf_build(text, sizeof(text), &conf, private_key);
	if (n < 0)
		abort();
	rest = strstr(text, "Address = ");
	if (rest == NULL)
		abort();
	// A key is never taken from a node: the placeholder stands for it.
	n = snprintf(
		again,
		sizeof(again),
		"[Interface]\nPrivateKey = " CLIENT_CONF_KEY_PLACEHOLDER "\n%s",
		rest
	);
	if (buyer_conf_parse(&second, again, (size_t)n, why) < 0 ||
	    memcmp(&conf, &second, sizeof(conf)) != 0)
		abort();
	return 0;
}
