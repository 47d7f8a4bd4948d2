// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for a node's answer to a voucher: what is taken is complete and terminated, what is
// refused says why and leaves nothing behind.

#include "controlplane/twctl/buyer_claim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buyer_claim claim, before;
	char why[BUYER_CLAIM_WHY] = "", err[160];
	struct json_value *json;

	if (json_parse_limited(
		    &json, (const char *)data, size, &json_limits_reply, err, sizeof(err)
	    ) < 0)
		return 0;
	memset(&claim, 0x55, sizeof(claim));
	before = claim;
	if (buyer_claim_read(json, &claim, why) == 0) {
		if (memchr(claim.state, '\0', sizeof(claim.state)) == NULL)
			abort();
		(void)buyer_claim_check_final(&claim);
	} else if (why[0] == '\0' || memcmp(&claim, &before, sizeof(claim)) != 0) {
		abort();
	}
	json_free(json);
	return 0;
}
