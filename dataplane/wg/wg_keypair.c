// SPDX-License-Identifier: Apache-2.0
//
// Rotation of keypairs. Every function moves pointers and says which keypairs nobody uses any more;
// none frees. Owner worker only.
#include "wg_keypair.h"

#include "dataplane/wg/wg_primitives.h"

#include <stddef.h>

static void retire(struct wg_keypair_retired *retired, struct wg_keypair *keypair)
{
	if (keypair != NULL)
		retired->keypair[retired->n++] = keypair;
}

void wg_keypairs_install(
	struct wg_keypairs *keypairs,
	struct wg_keypair *keypair,
	struct wg_keypair_retired *ret_retired
)
{
	ret_retired->n = 0;
	retire(ret_retired, keypairs->previous);
	if (!keypair->is_initiator) {
		// Not used for sending before the first authentic packet proves that the initiator
		// has it.
		retire(ret_retired, keypairs->next);
		keypairs->previous = NULL;
		keypairs->next = keypair;
		return;
	}
	// The response was the proof. A next that waited is newer than current, so it is what the
	// peer may still be sending with.
	if (keypairs->next != NULL) {
		retire(ret_retired, keypairs->current);
		keypairs->previous = keypairs->next;
		keypairs->next = NULL;
	} else {
		keypairs->previous = keypairs->current;
	}
	keypairs->current = keypair;
}

bool wg_keypairs_confirm(
	struct wg_keypairs *keypairs,
	const struct wg_keypair *keypair,
	struct wg_keypair_retired *ret_retired
)
{
	ret_retired->n = 0;
	if (keypair == NULL || keypairs->next != keypair)
		return false;
	retire(ret_retired, keypairs->previous);
	keypairs->previous = keypairs->current;
	keypairs->current = keypairs->next;
	keypairs->next = NULL;
	return true;
}

void wg_keypairs_retire_all(struct wg_keypairs *keypairs, struct wg_keypair_retired *ret_retired)
{
	ret_retired->n = 0;
	retire(ret_retired, keypairs->previous);
	retire(ret_retired, keypairs->current);
	retire(ret_retired, keypairs->next);
	*keypairs = (struct wg_keypairs){0};
}

void wg_keypair_erase(struct wg_keypair *keypair)
{
	wg_primitives_zero(keypair, sizeof(*keypair));
}
