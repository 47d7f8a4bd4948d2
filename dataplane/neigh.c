// SPDX-License-Identifier: Apache-2.0
//
// See neigh.h.
#include "dataplane/neigh.h"

#include "common/log.h"
#include "dataplane/net/net_arp_msg.h"
#include "dataplane/pkt.h"
#include "dataplane/slowpath.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The port's address and, on the internet side, all external addresses: nobody else answers for those.
static void collect_own(struct neigh *neigh, const struct config *config)
{
	neigh->own_be[neigh->n_own++] = neigh->port->addr_be;
	if (!neigh->port->is_internet)
		return;
	for (unsigned i = 0; i < config->nat.n_external_addresses; i++) {
		uint32_t addr_be = htonl(config->nat.external_addresses[i]);

		if (addr_be != neigh->port->addr_be)
			neigh->own_be[neigh->n_own++] = addr_be;
	}
}

int neigh_init(struct slowpath *sp, unsigned port_idx)
{
	const struct config *config = sp->dp->config;
	struct neigh *neigh = &sp->neigh[port_idx];

	memset(neigh, 0, sizeof(*neigh));
	neigh->port = &sp->dp->ports[port_idx];
	neigh->port_idx = (uint8_t)port_idx;
	neigh->timing.timeout_ns = config->arp.timeout_sec * NS_PER_SEC;
	neigh->timing.retry_ns = config->arp.retry_ms * NS_PER_MS;
	neigh->holds = calloc(NET_NEIGH_CAP, sizeof(*neigh->holds));
	neigh->own_be = calloc(1 + config->nat.n_external_addresses, sizeof(*neigh->own_be));
	if (neigh->holds == NULL || neigh->own_be == NULL) {
		neigh_fini(neigh);
		return -ENOMEM;
	}
	collect_own(neigh, config);
	if (neigh->port->gateway_be != 0) {
		neigh->gateway =
			net_neigh_insert(neigh->port->neigh, neigh->port->gateway_be, sp->now_ns);
		neigh->gateway->is_pinned = true; // the table is empty: there is room
	}
	return 0;
}

static struct rte_mbuf *hold_pop(struct neigh *neigh, struct neigh_hold *hold)
{
	struct rte_mbuf *m = hold->head;

	if (m == NULL)
		return NULL;
	hold->head = m->next;
	hold->n--;
	neigh->n_held--;
	m->next = NULL;
	return m;
}

static void hold_push(struct neigh *neigh, struct neigh_hold *hold, struct rte_mbuf *m)
{
	m->next = NULL;
	if (hold->head == NULL)
		hold->head = m;
	else
		hold->tail->next = m;
	hold->tail = m;
	hold->n++;
	neigh->n_held++;
}

void neigh_fini(struct neigh *neigh)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; neigh->holds != NULL && i < NET_NEIGH_CAP; i++)
		while ((m = hold_pop(neigh, &neigh->holds[i])) != NULL)
			rte_pktmbuf_free(m);
	free(neigh->holds);
	free(neigh->own_be);
	memset(neigh, 0, sizeof(*neigh));
}

static struct neigh_hold *hold_of(struct neigh *neigh, const struct net_neigh_entry *entry)
{
	return &neigh->holds[entry - neigh->port->neigh->entries];
}

static void release_hold(
	struct slowpath *sp, struct neigh *neigh, struct neigh_hold *hold, enum drop_reason reason
)
{
	struct rte_mbuf *m;

	while ((m = hold_pop(neigh, hold)) != NULL)
		slow_pkt_return(sp, m, reason);
}

static bool check_own(const struct neigh *neigh, uint32_t addr_be)
{
	for (unsigned i = 0; i < neigh->n_own; i++)
		if (neigh->own_be[i] == addr_be)
			return true;
	return false;
}

static void tell_gateway(struct slowpath *sp, struct neigh *neigh, bool is_lost)
{
	char text[INET_ADDRSTRLEN];

	if (neigh->is_gateway_lost == is_lost)
		return;
	neigh->is_gateway_lost = is_lost;
	inet_ntop(AF_INET, &neigh->port->gateway_be, text, sizeof(text));
	if (is_lost)
		log_warn(
			"arp",
			"port '%s': gateway %s does not answer ARP; check the cable, "
			"ports[].address and ports[].gateway",
			neigh->port->config->name,
			text
		);
	else
		log_info("arp", "port '%s': gateway %s answers", neigh->port->config->name, text);
	events_emit(
		&sp->events,
		is_lost ? ABI_EVENT_GATEWAY_LOST : ABI_EVENT_GATEWAY_FOUND,
		0,
		0,
		neigh->port_idx
	);
}

static void confirm(
	struct slowpath *sp, struct neigh *neigh, struct net_neigh_entry *entry, const uint8_t *mac
)
{
	net_neigh_confirm(entry, mac, sp->now_ns);
	release_hold(sp, neigh, hold_of(neigh, entry), DROP_NONE);
	if (entry == neigh->gateway)
		tell_gateway(sp, neigh, false);
}

// RFC 826: whoever is known is updated by any message of his; whoever asks for us is about to talk to
// us and is learnt; a reply that nobody asked for teaches nothing. An address probe has no sender.
static void learn(
	struct slowpath *sp, struct neigh *neigh, const struct net_arp_msg *msg, bool asks_us
)
{
	const struct net_port *port = neigh->port;
	struct net_neigh_entry *entry = net_neigh_find(port->neigh, msg->sender_be32);
	bool is_on_link = ((msg->sender_be32 ^ port->addr_be) & port->mask_be) == 0;

	if (msg->sender_be32 == 0)
		return;
	if (entry == NULL && asks_us && is_on_link)
		entry = net_neigh_insert(port->neigh, msg->sender_be32, sp->now_ns);
	if (entry != NULL)
		confirm(sp, neigh, entry, msg->sender_mac);
}

void neigh_receive_arp(struct slowpath *sp, struct rte_mbuf *m)
{
	struct neigh *neigh = &sp->neigh[pkt_meta(m)->port];
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t reply[NET_ETHER_HEADER_BYTES + NET_ARP_BYTES];
	struct net_arp_msg msg;
	bool asks_us;
	size_t len;

	if (net_arp_msg_parse(
		    frame + NET_ETHER_HEADER_BYTES, m->data_len - NET_ETHER_HEADER_BYTES, &msg
	    ) != NET_OK ||
	    !net_arp_msg_check_foreign(&msg, neigh->port->mac, neigh->own_be, neigh->n_own)) {
		slow_pkt_drop(sp, m, DROP_ARP_INVALID);
		return;
	}
	slow_pkt_consume(sp, m, CONSUMED_ARP);
	asks_us = msg.op == NET_ARP_REQUEST && check_own(neigh, msg.target_be32);
	learn(sp, neigh, &msg, asks_us);
	if (!asks_us)
		return;
	len = net_arp_msg_build_reply(reply, neigh->port->mac, msg.target_be32, &msg);
	slow_pkt_send_frame(sp, neigh->port_idx, reply, len);
}

static void ask(
	struct slowpath *sp,
	struct neigh *neigh,
	const struct net_neigh_entry *entry,
	bool is_unicast
)
{
	const struct net_port *port = neigh->port;
	uint8_t frame[NET_ETHER_HEADER_BYTES + NET_ARP_BYTES], mac[6];
	bool has_mac = is_unicast && net_neigh_mac(entry, mac);
	size_t len = net_arp_msg_build_request(
		frame, port->mac, port->addr_be, entry->addr_be, has_mac ? mac : NULL
	);

	slow_pkt_send_frame(sp, neigh->port_idx, frame, len);
}

static void age_entry(struct slowpath *sp, struct neigh *neigh, struct net_neigh_entry *entry)
{
	switch (net_neigh_age(entry, &neigh->timing, sp->now_ns)) {
	case NET_NEIGH_WAIT:
	case NET_NEIGH_EXPIRED:
		break;
	case NET_NEIGH_ASK_BROADCAST:
		ask(sp, neigh, entry, false);
		break;
	case NET_NEIGH_ASK_UNICAST:
		ask(sp, neigh, entry, true);
		break;
	case NET_NEIGH_GIVE_UP:
		release_hold(sp, neigh, hold_of(neigh, entry), DROP_NEIGH_UNRESOLVED);
		if (entry == neigh->gateway)
			tell_gateway(sp, neigh, true);
		break;
	}
}

void neigh_hold_packet(struct slowpath *sp, struct rte_mbuf *m)
{
	const struct pkt_meta *meta = pkt_meta(m);
	struct neigh *neigh = &sp->neigh[meta->port];
	struct net_neigh_entry *entry;
	struct neigh_hold *hold;
	uint8_t mac[6];

	if (sp->phase != SLOWPATH_RUNNING) {
		slow_pkt_return(sp, m, DROP_SHUTDOWN);
		return;
	}
	// However many next hops a client invents, most buffers stay with the traffic that flows.
	entry = neigh->n_held < sp->dp->config->memory.mbufs / NEIGH_HELD_PART
		? net_neigh_insert(neigh->port->neigh, meta->next_hop_be, sp->now_ns)
		: NULL;
	if (entry == NULL) {
		slow_pkt_return(sp, m, DROP_NEIGH_QUEUE_FULL);
		return;
	}
	if (net_neigh_mac(entry, mac)) { // resolved since the worker looked
		slow_pkt_return(sp, m, DROP_NONE);
		return;
	}
	//= RFC 1122 section 2.3.2.2
	//# The link layer SHOULD save (rather than discard) at least one (the latest) packet of each
	//# set of packets destined to the same unresolved IP address
	hold = hold_of(neigh, entry);
	if (hold->n >= sp->dp->config->arp.hold_packets)
		slow_pkt_return(sp, hold_pop(neigh, hold), DROP_NEIGH_QUEUE_FULL);
	hold_push(neigh, hold, m);
	if (entry->n_asked == 0)
		age_entry(sp, neigh, entry); // asks at once
}

void neigh_age(struct slowpath *sp, struct neigh *neigh)
{
	if (sp->now_ns - neigh->aged_ns < NEIGH_AGE_INTERVAL_NS)
		return;
	neigh->aged_ns = sp->now_ns;
	for (unsigned i = 0; i < NET_NEIGH_CAP; i++)
		age_entry(sp, neigh, &neigh->port->neigh->entries[i]);
}

void neigh_drain(struct slowpath *sp, struct neigh *neigh)
{
	for (unsigned i = 0; i < NET_NEIGH_CAP; i++)
		release_hold(sp, neigh, &neigh->holds[i], DROP_SHUTDOWN);
}
