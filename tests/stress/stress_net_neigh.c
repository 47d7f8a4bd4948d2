// SPDX-License-Identifier: Apache-2.0
//
// The neighbour table with the slow path and two workers at once: the slow path gives the entries of one
// set from one address to another all the time, the workers look those addresses up. Each hardware
// address contains the address it belongs to, so a lookup that lends one address another's is seen. Run
// under TSan for the ordering.
#include "dataplane/net/net_neigh.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ADDRESSES (3 * NET_NEIGH_WAYS) // of one set: two of three insertions replace
#define N_CHANGES 3000000ull
#define N_WORKERS 2

static struct net_neigh table;
static uint32_t addresses[N_ADDRESSES];
static pthread_barrier_t start;
static atomic_bool is_over;
static atomic_ulong n_found, n_wrong;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static uint32_t address(uint32_t random)
{
	return addresses[random % N_ADDRESSES];
}

// Addresses that share the first one's set, found in a table of their own.
static void choose_addresses(void)
{
	static struct net_neigh scratch;
	ptrdiff_t set = -1;

	for (uint32_t addr_be = 1, n = 0; n < N_ADDRESSES; addr_be++) {
		ptrdiff_t at;

		memset(&scratch, 0, sizeof(scratch));
		at = (net_neigh_insert(&scratch, addr_be, 1) - scratch.entries) / NET_NEIGH_WAYS;
		if (set < 0)
			set = at;
		if (at == set)
			addresses[n++] = addr_be;
	}
}

static void *run_slow_path(void *arg)
{
	uint32_t state = 1;

	(void)arg;
	pthread_barrier_wait(&start);
	// On, where the workers have not had their turn yet.
	for (uint64_t now_ns = 1;
	     now_ns <= N_CHANGES || (atomic_load(&n_found) == 0 && now_ns <= 100 * N_CHANGES);
	     now_ns++) {
		uint32_t addr_be = address(next_random(&state));
		uint8_t mac[6] = {2, 0xee};
		struct net_neigh_entry *entry =
			net_neigh_insert(&table, addr_be, now_ns * NET_NEIGH_USED_GRAIN_NS);

		if (entry == NULL)
			continue;
		memcpy(mac + 2, &addr_be, sizeof(addr_be));
		net_neigh_confirm(entry, mac, now_ns * NET_NEIGH_USED_GRAIN_NS);
	}
	atomic_store(&is_over, true);
	return NULL;
}

static void *run_worker(void *arg)
{
	uint32_t state = (uint32_t)(uintptr_t)arg;
	uint64_t now_ns = 1;

	pthread_barrier_wait(&start);
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		uint32_t addr_be = address(next_random(&state));
		uint8_t mac[6];

		now_ns += NET_NEIGH_USED_GRAIN_NS;
		if (!net_neigh_lookup(&table, addr_be, now_ns, mac))
			continue;
		atomic_fetch_add_explicit(&n_found, 1, memory_order_relaxed);
		if (memcmp(mac + 2, &addr_be, sizeof(addr_be)) != 0)
			atomic_fetch_add_explicit(&n_wrong, 1, memory_order_relaxed);
	}
	return NULL;
}

int main(void)
{
	pthread_t slow_path, workers[N_WORKERS];

	choose_addresses();
	if (pthread_barrier_init(&start, NULL, 1 + N_WORKERS) != 0)
		return 1;
	if (pthread_create(&slow_path, NULL, run_slow_path, NULL) != 0)
		return 1;
	for (uintptr_t i = 0; i < N_WORKERS; i++)
		if (pthread_create(&workers[i], NULL, run_worker, (void *)(i + 7)) != 0)
			return 1;
	pthread_join(slow_path, NULL);
	for (unsigned i = 0; i < N_WORKERS; i++)
		pthread_join(workers[i], NULL);
	printf("%lu lookups found an entry, %lu a wrong one\n",
	       atomic_load(&n_found),
	       atomic_load(&n_wrong));
	return atomic_load(&n_wrong) != 0 || atomic_load(&n_found) == 0;
}
