// SPDX-License-Identifier: Apache-2.0
//
// See mail.h. The only user of rte_ring for mail; a worker may call send_up and recv_down, the slow
// path send_down and recv_up.
#include "dataplane/mail.h"

#include <rte_errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof(struct mail) == 64, "one cache line a message");

static struct rte_ring *create_mail_ring(const char *direction, unsigned worker_id, int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "mail_%s_%u", direction, worker_id);
	return rte_ring_create_elem(
		name,
		sizeof(struct mail),
		MAIL_RING,
		socket,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ
	);
}

static struct rte_ring *create_pkt_ring(const char *direction, unsigned worker_id, int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "pkts_%s_%u", direction, worker_id);
	return rte_ring_create(
		name, MAIL_PKT_RING, socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ
	);
}

int mailbox_create(struct mailbox *box, unsigned worker_id, int socket)
{
	struct mailbox made = {
		.down_mail = create_mail_ring("down", worker_id, socket),
		.up_mail = create_mail_ring("up", worker_id, socket),
		.down_pkts = create_pkt_ring("down", worker_id, socket),
		.up_pkts = create_pkt_ring("up", worker_id, socket),
	};

	if (made.down_mail == NULL || made.up_mail == NULL || made.down_pkts == NULL ||
	    made.up_pkts == NULL) {
		mailbox_destroy(&made);
		return -ENOMEM;
	}
	*box = made;
	return 0;
}

void mailbox_destroy(struct mailbox *box)
{
	rte_ring_free(box->down_mail);
	rte_ring_free(box->up_mail);
	rte_ring_free(box->down_pkts);
	rte_ring_free(box->up_pkts);
	memset(box, 0, sizeof(*box));
}

bool mail_send_down(struct mailbox *box, const struct mail *mail)
{
	struct mail copy = *mail; // DPDK's parameter is not const

	return rte_ring_sp_enqueue_elem(box->down_mail, &copy, sizeof(copy)) == 0;
}

bool mail_send_up(struct mailbox *box, const struct mail *mail)
{
	struct mail copy = *mail; // DPDK's parameter is not const

	return rte_ring_sp_enqueue_elem(box->up_mail, &copy, sizeof(copy)) == 0;
}

bool mail_recv_down(struct mailbox *box, struct mail *ret)
{
	return rte_ring_sc_dequeue_elem(box->down_mail, ret, sizeof(*ret)) == 0;
}

bool mail_recv_up(struct mailbox *box, struct mail *ret)
{
	return rte_ring_sc_dequeue_elem(box->up_mail, ret, sizeof(*ret)) == 0;
}

unsigned mail_room_down(const struct mailbox *box)
{
	return rte_ring_get_capacity(box->down_mail) - mail_n_waiting(box->down_mail);
}

unsigned mail_n_waiting(const struct rte_ring *ring)
{
	uint32_t produced = __atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE);
	uint32_t consumed = __atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t n = (produced - consumed) & ring->mask;

	return n < ring->capacity ? n : ring->capacity;
}
