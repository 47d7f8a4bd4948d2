// SPDX-License-Identifier: Apache-2.0
//
// See net_neigh.h.
#include "dataplane/net/net_neigh.h"

#include "common/counter.h"

#include <stddef.h>
#include <string.h>

#define N_SETS (NET_NEIGH_CAP / NET_NEIGH_WAYS)
#define MAC_VALID (1ull << 48)

// Fibonacci hashing: neighbours' addresses are consecutive, and land in different sets.
static struct net_neigh_entry *set_of(struct net_neigh *neigh, uint32_t addr_be)
{
	uint32_t set = (addr_be * 2654435769u) >> 25;

	_Static_assert(N_SETS == 1u << 7, "seven bits choose the set");
	return &neigh->entries[set * NET_NEIGH_WAYS];
}

static void unpack_mac(uint64_t word, uint8_t ret_mac[6])
{
	memcpy(ret_mac, &word, 6);
}

// The word of an entry that stood for this address all the while it was read; otherwise 0. One try: the
// writer may be preempted in its section, and a miss costs a packet no more than a way round.
static uint64_t read_mac_word(const struct net_neigh_entry *entry, uint32_t addr_be)
{
	uint32_t before = __atomic_load_n(&entry->seq, __ATOMIC_ACQUIRE);
	uint32_t holder_be = __atomic_load_n(&entry->addr_be, __ATOMIC_RELAXED);
	uint64_t word = __atomic_load_n(&entry->mac_word, __ATOMIC_RELAXED);

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((before & 1) || __atomic_load_n(&entry->seq, __ATOMIC_RELAXED) != before)
		return 0;
	return holder_be == addr_be ? word : 0;
}

bool net_neigh_lookup(
	struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns, uint8_t ret_mac[6]
)
{
	struct net_neigh_entry *set = set_of(neigh, addr_be);

	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++) {
		struct net_neigh_entry *entry = &set[i];
		uint64_t word, used_ns;

		if (__atomic_load_n(&entry->addr_be, __ATOMIC_RELAXED) != addr_be)
			continue;
		word = read_mac_word(entry, addr_be);
		used_ns = __atomic_load_n(&entry->used_ns, __ATOMIC_RELAXED);
		if (now_ns - used_ns >= NET_NEIGH_USED_GRAIN_NS)
			__atomic_store_n(&entry->used_ns, now_ns, __ATOMIC_RELAXED);
		if (!(word & MAC_VALID))
			return false;
		unpack_mac(word, ret_mac);
		return true;
	}
	return false;
}

struct net_neigh_entry *net_neigh_find(struct net_neigh *neigh, uint32_t addr_be)
{
	struct net_neigh_entry *set = set_of(neigh, addr_be);

	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++)
		if (set[i].state != NET_NEIGH_FREE && set[i].addr_be == addr_be)
			return &set[i];
	return NULL;
}

static void invalidate(struct net_neigh_entry *entry)
{
	__atomic_store_n(&entry->mac_word, 0, __ATOMIC_RELAXED);
}

static void give_to(struct net_neigh_entry *entry, uint32_t addr_be)
{
	seqcount_write_begin(&entry->seq);
	invalidate(entry);
	__atomic_store_n(&entry->addr_be, addr_be, __ATOMIC_RELAXED);
	seqcount_write_end(&entry->seq);
}

static void release(struct net_neigh_entry *entry)
{
	give_to(entry, 0);
	entry->state = NET_NEIGH_FREE;
}

static struct net_neigh_entry *choose_victim(struct net_neigh_entry *set)
{
	struct net_neigh_entry *victim = NULL;
	uint64_t victim_used_ns = 0;

	for (unsigned i = 0; i < NET_NEIGH_WAYS; i++) {
		uint64_t used_ns = __atomic_load_n(&set[i].used_ns, __ATOMIC_RELAXED);

		if (set[i].state == NET_NEIGH_FREE)
			return &set[i];
		if (set[i].is_pinned || set[i].state == NET_NEIGH_INCOMPLETE)
			continue;
		if (victim == NULL || used_ns < victim_used_ns) {
			victim = &set[i];
			victim_used_ns = used_ns;
		}
	}
	return victim;
}

struct net_neigh_entry *net_neigh_insert(struct net_neigh *neigh, uint32_t addr_be, uint64_t now_ns)
{
	struct net_neigh_entry *entry = net_neigh_find(neigh, addr_be);

	if (entry != NULL)
		return entry;
	entry = choose_victim(set_of(neigh, addr_be));
	if (entry == NULL)
		return NULL;
	entry->is_pinned = false;
	entry->n_asked = 0;
	entry->confirmed_ns = 0;
	entry->asked_ns = 0;
	__atomic_store_n(&entry->used_ns, now_ns, __ATOMIC_RELAXED);
	entry->state = NET_NEIGH_INCOMPLETE;
	give_to(entry, addr_be);
	return entry;
}

void net_neigh_confirm(struct net_neigh_entry *entry, const uint8_t mac[6], uint64_t now_ns)
{
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	word |= MAC_VALID;
	entry->state = NET_NEIGH_REACHABLE;
	entry->n_asked = 0;
	entry->confirmed_ns = now_ns;
	__atomic_store_n(&entry->mac_word, word, __ATOMIC_RELAXED);
}

bool net_neigh_mac(const struct net_neigh_entry *entry, uint8_t ret_mac[6])
{
	if (!(entry->mac_word & MAC_VALID))
		return false;
	unpack_mac(entry->mac_word, ret_mac);
	return true;
}

static enum net_neigh_action ask(
	struct net_neigh_entry *entry, enum net_neigh_action action, uint64_t now_ns
)
{
	entry->n_asked++;
	entry->asked_ns = now_ns;
	return action;
}

// A pinned entry goes on being asked for, at its retry interval, and is told lost once.
static enum net_neigh_action give_up(struct net_neigh_entry *entry)
{
	if (!entry->is_pinned) {
		release(entry);
		return NET_NEIGH_GIVE_UP;
	}
	invalidate(entry);
	entry->state = NET_NEIGH_INCOMPLETE;
	entry->n_asked = 0;
	return NET_NEIGH_GIVE_UP;
}

static enum net_neigh_action age_reachable(
	struct net_neigh_entry *entry, const struct net_neigh_timing *timing, uint64_t now_ns
)
{
	uint64_t age_ns = now_ns - entry->confirmed_ns;
	uint64_t used_ns = __atomic_load_n(&entry->used_ns, __ATOMIC_RELAXED);
	bool is_used = entry->is_pinned || used_ns > entry->confirmed_ns;

	if (is_used && age_ns >= timing->timeout_ns / 4 * 3) {
		entry->state = NET_NEIGH_PROBING;
		entry->n_asked = 0;
		return ask(entry, NET_NEIGH_ASK_UNICAST, now_ns);
	}
	if (age_ns >= timing->timeout_ns) {
		release(entry);
		return NET_NEIGH_EXPIRED;
	}
	return NET_NEIGH_WAIT;
}

enum net_neigh_action net_neigh_age(
	struct net_neigh_entry *entry, const struct net_neigh_timing *timing, uint64_t now_ns
)
{
	bool is_retry_due = entry->asked_ns == 0 || now_ns - entry->asked_ns >= timing->retry_ns;

	switch ((enum net_neigh_state)entry->state) {
	case NET_NEIGH_FREE:
		return NET_NEIGH_WAIT;
	case NET_NEIGH_REACHABLE:
		return age_reachable(entry, timing, now_ns);
	case NET_NEIGH_INCOMPLETE:
		if (!is_retry_due)
			return NET_NEIGH_WAIT;
		if (entry->n_asked >= NET_NEIGH_MAX_ASKED)
			return give_up(entry);
		return ask(entry, NET_NEIGH_ASK_BROADCAST, now_ns);
	case NET_NEIGH_PROBING:
		if (!is_retry_due)
			return NET_NEIGH_WAIT;
		if (entry->n_asked < NET_NEIGH_MAX_ASKED)
			return ask(entry, NET_NEIGH_ASK_UNICAST, now_ns);
		if (entry->n_asked < 2 * NET_NEIGH_MAX_ASKED)
			return ask(entry, NET_NEIGH_ASK_BROADCAST, now_ns);
		return give_up(entry);
	}
	return NET_NEIGH_WAIT;
}
