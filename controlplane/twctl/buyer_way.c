// SPDX-License-Identifier: Apache-2.0
//
// See buyer_way.h.
#include "buyer_way.h"

#include "buyer_route.h"
#include "buyer_usage.h"

#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int buyer_way_get_options(struct twctl *twctl, struct twctl_chain_way *ret)
{
	const char *device = twctl_args_get(&twctl->args, "--device");
	uint64_t mark;
	int code = twctl_get_number(twctl, "--fwmark", 1, UINT32_MAX, 0, &mark);

	if (code != 0)
		return code;
	if (device != NULL && (device[0] == '\0' || strlen(device) >= IF_NAMESIZE))
		return twctl_fail_value(
			twctl, "--device", device, "the name of a network interface"
		);
	*ret = (struct twctl_chain_way){.mark = (uint32_t)mark, .device = device};
	return 0;
}

int buyer_way_get(struct twctl *twctl, const char *path, struct twctl_chain_way *ret)
{
	char usage_path[PATH_MAX], why[BUYER_USAGE_WHY];
	struct buyer_usage usage;
	int code = buyer_way_get_options(twctl, ret);

	if (code != 0 || ret->mark != 0 || ret->device != NULL)
		return code;
	// No count, no tunnel, nobody to ask: the host's routes.
	if ((size_t)snprintf(usage_path, sizeof(usage_path), "%s.usage", path) >=
		    sizeof(usage_path) ||
	    buyer_usage_load(usage_path, &usage, why) < 0 ||
	    buyer_route_fwmark(usage.interface, &ret->mark, why) < 0)
		ret->mark = 0;
	return 0;
}
