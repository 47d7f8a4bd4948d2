// SPDX-License-Identifier: Apache-2.0
//
// The way that a command's requests take: beside the session's own tunnel, so that a closed gate keeps
// nobody from looking at the session, ending it or changing its key.
#pragma once

#include "controlplane/twctl/twctl_chain.h"

#define BUYER_WAY_OPTIONS \
	{"--fwmark", "N", "mark of the requests (default: the tunnel's own, as wg shows it)"}, \
	{ \
		"--device", "NAME", \
			"network interface that the requests leave by, instead of a mark" \
	}

// By BUYER_WAY_OPTIONS; else the fwmark of the tunnel that FILE.usage names, if it is up and wg(8)
// tells. path: FILE.
//
// Returns: 0; TWCTL_EXIT_USAGE with the message out.
int buyer_way_get(struct twctl *twctl, const char *path, struct twctl_chain_way *ret);

// The options alone. Returns: as above.
int buyer_way_get_options(struct twctl *twctl, struct twctl_chain_way *ret);
