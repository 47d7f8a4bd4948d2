// SPDX-License-Identifier: Apache-2.0
//
// See handshake.h.
#include "dataplane/handshake.h"

#include "common/counter.h"
#include "dataplane/pkt.h"
#include "dataplane/session_mail.h"
#include "dataplane/slowpath.h"
#include "dataplane/wg/wg_cookie.h"
#include "dataplane/wg/wg_noise.h"
#include "dataplane/wg/wg_primitives.h"
#include "dataplane/wg/wg_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int handshake_init(struct slowpath *sp)
{
	struct handshake *handshake = &sp->handshake;
	const struct config_wireguard *config = &sp->dp->config->wireguard;
	const struct wg_ratelimit_config limits = {
		.per_sec = config->handshakes_per_source,
		.burst = config->handshake_burst,
	};
	size_t bytes = (wg_ratelimit_memory_bytes(HANDSHAKE_N_SOURCES) + 63) & ~(size_t)63;
	uint8_t *memory = aligned_alloc(64, 2 * bytes);
	int rc;

	if (memory == NULL)
		return -ENOMEM;
	handshake->memory = memory;
	handshake->under_load_until_ns = 0;
	rc = wg_ratelimit_init(&handshake->unproven, memory, HANDSHAKE_N_SOURCES, &limits);
	if (rc == 0)
		rc = wg_ratelimit_init(
			&handshake->proven, memory + bytes, HANDSHAKE_N_SOURCES, &limits
		);
	return rc;
}

void handshake_fini(struct slowpath *sp)
{
	free(sp->handshake.memory);
	sp->handshake.memory = NULL;
}

void handshake_measure_load(struct slowpath *sp, unsigned n_queued)
{
	struct handshake *handshake = &sp->handshake;

	if (n_queued >= sp->dp->config->wireguard.under_load_handshakes)
		handshake->under_load_until_ns = sp->now_ns + HANDSHAKE_LOAD_HOLD_NS;
	counter_set(&sp->stats->under_load, sp->now_ns < handshake->under_load_until_ns);
}

// Whether the sender may cost us Diffie-Hellmans. A cookie is asked for when the node is under load,
// and from a source beyond its limit: whoever it really is can then go on under its own limit.
//
// Out: ret_wants_cookie.
static enum drop_reason check_sender(
	struct slowpath *sp,
	const void *message,
	size_t len,
	const struct wg_source *source,
	bool *ret_wants_cookie
)
{
	struct handshake *handshake = &sp->handshake;
	bool is_under_load = sp->now_ns < handshake->under_load_until_ns;
	bool is_within;

	if (wg_cookie_verify_mac1(sp->local->mac1_key, message, len) < 0)
		return DROP_WG_MAC1;
	is_within = wg_ratelimit_take(&handshake->unproven, source, sp->now_ns);
	if (is_within && !is_under_load)
		return DROP_NONE;
	if (wg_cookie_verify_mac2(sp->cookie, message, len, source, sp->now_ns) < 0) {
		*ret_wants_cookie = true;
		return is_within ? DROP_WG_UNDER_LOAD : DROP_WG_RATE_SOURCE;
	}
	return wg_ratelimit_take(&handshake->proven, source, sp->now_ns) ? DROP_NONE
									 : DROP_WG_RATE_SOURCE;
}

static struct wg_peer *lookup_peer(void *context, const uint8_t public_key[WG_KEY_BYTES])
{
	struct slowpath *sp = context;
	struct peer *peer = peer_table_lookup_key(&sp->peers, public_key);

	return peer == NULL ? NULL : peer->wg;
}

static enum drop_reason reason_of(enum wg_noise_result result)
{
	switch (result) {
	case WG_NOISE_OK:
		return DROP_NONE;
	case WG_NOISE_MALFORMED:
		return DROP_WG_LENGTH;
	case WG_NOISE_MAC1:
		return DROP_WG_MAC1;
	case WG_NOISE_LOW_ORDER:
	case WG_NOISE_DECRYPT:
	case WG_NOISE_STATE:
	case WG_NOISE_N_RESULTS:
		return DROP_WG_HANDSHAKE_AUTH;
	case WG_NOISE_UNKNOWN_PEER:
		return DROP_WG_UNKNOWN_PEER;
	case WG_NOISE_REPLAYED_TIMESTAMP:
		return DROP_WG_INITIATION_REPLAY;
	case WG_NOISE_FLOOD:
		return DROP_WG_INITIATION_FLOOD;
	}
	return DROP_WG_HANDSHAKE_AUTH;
}

// Builds the response and the keypair, hands the keypair to the session's owner, and publishes its
// index. All that can fail comes before anything is handed over.
static enum drop_reason respond(
	struct slowpath *sp,
	struct wg_handshake *noise,
	struct peer *peer,
	const struct mail_endpoint *endpoint,
	struct wg_message_response *ret_response
)
{
	struct wg_keypair *keypair = secret_pool_take(&sp->keypairs);
	uint32_t slot = peer_table_slot(&sp->peers, peer);
	uint32_t index;

	if (keypair == NULL)
		return DROP_WG_INDEX_EXHAUSTED;
	if (wg_index_allot(&sp->dp->index, &index) < 0) {
		secret_pool_give(&sp->keypairs, keypair);
		return DROP_WG_INDEX_EXHAUSTED;
	}
	if (wg_noise_create_response(noise, index, ret_response) != WG_NOISE_OK ||
	    wg_noise_begin_session(noise, slot, sp->now_ns, keypair) != WG_NOISE_OK) {
		wg_index_unlink(&sp->dp->index, index); // never published: no grace period
		wg_index_free(&sp->dp->index, index);
		secret_pool_give(&sp->keypairs, keypair);
		return DROP_WG_HANDSHAKE_AUTH;
	}
	session_mail_install(sp, peer, keypair, endpoint);
	wg_index_publish(
		&sp->dp->index,
		index,
		&(struct wg_index_ref){
			.handle = keypair,
			.kind = WG_INDEX_KEYPAIR,
			.owner = peer->owner,
			.slot = slot,
		}
	);
	return DROP_NONE;
}

// Out: ret_peer, ret_response when DROP_NONE is returned.
static enum drop_reason accept_initiation(
	struct slowpath *sp,
	unsigned worker,
	struct rte_mbuf *m,
	struct peer **ret_peer,
	struct wg_message_response *ret_response
)
{
	const struct mail_endpoint endpoint = {
		.addr_be = pkt_meta(m)->remote_addr_be,
		.port_be = pkt_meta(m)->remote_port_be,
	};
	const struct wg_noise_lookup lookup = {.by_public_key = lookup_peer, .context = sp};
	struct wg_handshake noise;
	struct peer *peer;
	enum drop_reason reason = reason_of(wg_noise_consume_initiation(
		sp->local, rte_pktmbuf_mtod(m, void *), m->data_len, &lookup, sp->now_ns, &noise
	));

	if (reason != DROP_NONE)
		return reason;
	peer = peer_table_lookup_key(&sp->peers, noise.peer->public_key);
	if (peer->is_expired || sp->now_ns >= peer->limits.expires_ns)
		reason = DROP_WG_SESSION_CLOSED;
	else if (!session_mail_adopt(sp, peer, worker))
		reason = DROP_RING_FULL;
	else
		reason = respond(sp, &noise, peer, &endpoint, ret_response);
	wg_handshake_fini(&noise);
	*ret_peer = peer;
	return reason;
}

static void send_cookie(
	struct slowpath *sp, unsigned worker, struct rte_mbuf *m, const struct wg_source *source
)
{
	struct wg_message_cookie_reply reply;

	wg_cookie_create_reply(
		sp->cookie, rte_pktmbuf_mtod(m, void *), m->data_len, source, sp->now_ns, &reply
	);
	counter_add(&sp->stats->cookies_sent, 1);
	slow_pkt_send_reply(sp, worker, m, &reply, sizeof(reply));
}

static void receive_initiation(struct slowpath *sp, unsigned worker, struct rte_mbuf *m)
{
	const struct wg_source source =
		wg_source_ipv4(pkt_meta(m)->remote_addr_be, pkt_meta(m)->remote_port_be);
	struct wg_message_response response;
	struct peer *peer;
	bool wants_cookie = false;
	enum drop_reason reason =
		check_sender(sp, rte_pktmbuf_mtod(m, void *), m->data_len, &source, &wants_cookie);

	if (wants_cookie) {
		slow_pkt_count_drop(sp, reason);
		send_cookie(sp, worker, m, &source);
		return;
	}
	if (reason == DROP_NONE)
		reason = accept_initiation(sp, worker, m, &peer, &response);
	if (reason != DROP_NONE) {
		slow_pkt_drop(sp, m, reason);
		return;
	}
	slow_pkt_count_consumed(sp, CONSUMED_HANDSHAKE);
	slow_pkt_send_reply(sp, peer->owner, m, &response, sizeof(response));
}

void handshake_receive(struct slowpath *sp, unsigned worker, struct rte_mbuf *m)
{
	switch (wg_message_classify(rte_pktmbuf_mtod(m, void *), m->data_len)) {
	case WG_MESSAGE_INITIATION:
		receive_initiation(sp, worker, m);
		break;
	case WG_MESSAGE_RESPONSE:
	case WG_MESSAGE_COOKIE_REPLY:
		slow_pkt_drop(sp, m, DROP_WG_UNEXPECTED);
		break;
	case WG_MESSAGE_DATA:
	case WG_MESSAGE_INVALID: // a worker sends neither up
		slow_pkt_drop(sp, m, DROP_WG_TYPE);
		break;
	}
}
