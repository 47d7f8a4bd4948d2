// SPDX-License-Identifier: Apache-2.0
//
// See reclaim.h.
#include "dataplane/reclaim.h"

#include "dataplane/slowpath.h"
#include "dataplane/wg/wg_index.h"
#include "dataplane/wg/wg_keypair.h"

#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int batch_init(struct reclaim_batch *batch, uint32_t n_keypairs, uint32_t n_slots)
{
	batch->keypairs = calloc(n_keypairs, sizeof(struct wg_keypair *));
	batch->slots = calloc(n_slots, sizeof(*batch->slots));
	return batch->keypairs == NULL || batch->slots == NULL ? -ENOMEM : 0;
}

static void batch_fini(struct reclaim_batch *batch)
{
	free(batch->keypairs);
	free(batch->slots);
	memset(batch, 0, sizeof(*batch));
}

int reclaim_init(struct slowpath *sp)
{
	struct reclaim *reclaim = &sp->reclaim;
	uint32_t n_keypairs = sp->keypairs.n_objects, n_slots = sp->peers.n_slots;

	if (batch_init(&reclaim->collecting, n_keypairs, n_slots) < 0 ||
	    batch_init(&reclaim->waiting, n_keypairs, n_slots) < 0)
		return -ENOMEM;
	reclaim->is_waiting = false;
	return 0;
}

// Whatever still waits is in the arena, which is zeroed as a whole.
void reclaim_fini(struct slowpath *sp)
{
	batch_fini(&sp->reclaim.collecting);
	batch_fini(&sp->reclaim.waiting);
}

void reclaim_keypair(struct slowpath *sp, struct wg_keypair *keypair)
{
	struct reclaim_batch *batch = &sp->reclaim.collecting;

	wg_index_unlink(&sp->dp->index, keypair->local_index);
	batch->keypairs[batch->n_keypairs++] = keypair;
}

void reclaim_session(struct slowpath *sp, uint32_t slot)
{
	struct reclaim_batch *batch = &sp->reclaim.collecting;

	batch->slots[batch->n_slots++] = slot;
}

static unsigned free_batch(struct slowpath *sp, struct reclaim_batch *batch)
{
	unsigned n = batch->n_keypairs + batch->n_slots;

	for (uint32_t i = 0; i < batch->n_keypairs; i++) {
		wg_index_free(&sp->dp->index, batch->keypairs[i]->local_index);
		wg_keypair_erase(batch->keypairs[i]);
		secret_pool_give(&sp->keypairs, batch->keypairs[i]);
	}
	for (uint32_t i = 0; i < batch->n_slots; i++)
		command_finish_remove(sp, batch->slots[i]);
	batch->n_keypairs = 0;
	batch->n_slots = 0;
	return n;
}

unsigned reclaim_poll(struct slowpath *sp)
{
	struct reclaim *reclaim = &sp->reclaim;
	unsigned n = 0;

	if (reclaim->is_waiting) {
		if (rte_rcu_qsbr_check(sp->dp->qsbr, reclaim->token, false) != 1)
			return 0;
		n = free_batch(sp, &reclaim->waiting);
		reclaim->is_waiting = false;
	}
	if (reclaim->collecting.n_keypairs + reclaim->collecting.n_slots != 0) {
		struct reclaim_batch empty = reclaim->waiting;

		reclaim->waiting = reclaim->collecting;
		reclaim->collecting = empty;
		reclaim->token = rte_rcu_qsbr_start(sp->dp->qsbr);
		reclaim->is_waiting = true;
	}
	return n;
}
