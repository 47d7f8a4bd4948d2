// SPDX-License-Identifier: Apache-2.0
//
// One session under everything at once: handshake after handshake, traffic both ways, keepalives and
// changing limits, with the worker and its client on one thread and the slow path on another. No send
// counter may come twice under one key (the generator's client keeps every counter it saw), every
// packet is accounted for, and under -Db_sanitize=thread no word is written by one half and touched by
// the other without an order between them.
//
// The clocks run a hundred times faster than the machine's, so keepalives (10 s), rekeying, rejection
// (180 s) and erasure (540 s) of keypairs all happen in the seconds that the test takes. On a machine that
// keeps one of the threads waiting it takes longer: until enough of everything has happened.
#include "perf/pktgen/pktgen_buyer.h"
#include "perf/pktgen/pktgen_frame.h"
#include "tests/rig/node_rig.h"
#include "tests/unit/test.h"

#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TIME_FACTOR 100
#define RUN_NS (800 * NS_PER_SEC) // of the node's time, at least
#define RUN_MAX_NS (30 * RUN_NS)
#define HANDSHAKE_EVERY_NS (4 * NS_PER_SEC)
#define UNANSWERED_NS (200 * NS_PER_SEC) // no further handshake before one is answered or this old
#define QUIET_EVERY 8 // one handshake in eight is followed by client data that nobody answers
#define LIMITS_EVERY_NS (100 * NS_PER_MS)
#define MAX_HANDSHAKES 512
#define GENERATION 3
#define INNER_BE htonl(10u << 24 | 8u << 16 | 2)
#define CLIENT_BE htonl(5u << 24 | 100)
#define NODE_BE htonl(5u << 24 | 1)
#define REMOTE_BE htonl(6u << 24 | 9)
#define CLIENT_PORT 33333

// DPDK's own pool is a ring in a library that no sanitizer looks into: buffers that pass through it
// from one thread to the other would look unordered. This double does the same under a mutex.
struct mutex_pool {
	pthread_mutex_t mutex;
	unsigned n;
	void *objects[];
};

static int pool_alloc(struct rte_mempool *mp)
{
	struct mutex_pool *pool = calloc(1, sizeof(*pool) + mp->size * sizeof(void *));

	if (pool == NULL)
		return -ENOMEM;
	pthread_mutex_init(&pool->mutex, NULL);
	mp->pool_data = pool;
	return 0;
}

static void pool_free(struct rte_mempool *mp)
{
	free(mp->pool_data);
}

static int pool_enqueue(struct rte_mempool *mp, void *const *objects, unsigned n)
{
	struct mutex_pool *pool = mp->pool_data;

	pthread_mutex_lock(&pool->mutex);
	memcpy(pool->objects + pool->n, objects, n * sizeof(*objects));
	pool->n += n;
	pthread_mutex_unlock(&pool->mutex);
	return 0;
}

static int pool_dequeue(struct rte_mempool *mp, void **objects, unsigned n)
{
	struct mutex_pool *pool = mp->pool_data;
	int result = -ENOBUFS;

	pthread_mutex_lock(&pool->mutex);
	if (pool->n >= n) {
		pool->n -= n;
		memcpy(objects, pool->objects + pool->n, n * sizeof(*objects));
		result = 0;
	}
	pthread_mutex_unlock(&pool->mutex);
	return result;
}

static unsigned pool_count(const struct rte_mempool *mp)
{
	return ((const struct mutex_pool *)mp->pool_data)->n;
}

static const struct rte_mempool_ops mutex_pool_ops = {
	.name = "mutex_pool",
	.alloc = pool_alloc,
	.free = pool_free,
	.enqueue = pool_enqueue,
	.dequeue = pool_dequeue,
	.get_count = pool_count,
};
RTE_MEMPOOL_REGISTER_OPS(mutex_pool_ops);

static struct {
	struct node_rig *node;
	atomic_bool is_stop_asked;
	struct pktgen_buyer buyers[MAX_HANDSHAKES]; // one client, a keypair each
	unsigned n_handshakes; // begun
	unsigned current; // newest that is connected
	uint64_t completed, keepalives; // of all
	uint64_t n_in, n_bad;
	uint64_t n_refused; // commands; slow path's thread
	const char *why;
} test;

// The slow path, and the control plane that raises the limit again and again.
static void *slow_thread(void *arg)
{
	uint64_t limit_bytes = UINT64_MAX / 2, sent_ns = 0;
	struct abi_ack ack;

	(void)arg;
	while (!atomic_load_explicit(&test.is_stop_asked, memory_order_acquire)) {
		slowpath_poll(&test.node->sp);
		while (node_rig_ack(test.node, &ack))
			test.n_refused += ack.result != ABI_ACK_OK;
		if (test.node->sp.now_ns - sent_ns < LIMITS_EVERY_NS)
			continue;
		sent_ns = test.node->sp.now_ns;
		node_rig_command(
			test.node,
			(struct abi_command){
				.kind = ABI_COMMAND_SET_LIMITS,
				.generation = GENERATION,
				.limit_bytes = limit_bytes++,
			}
		);
	}
	return NULL;
}

static void put_message(const void *message, size_t len)
{
	uint8_t datagram[FRAME_CAP] = {0x45};
	uint16_t words[] = {htons(CLIENT_PORT), htons(51820), htons((uint16_t)(len + 8)), 0};
	uint32_t ends[] = {CLIENT_BE, NODE_BE};
	uint16_t total = htons((uint16_t)(28 + len));

	memcpy(datagram + 2, &total, 2);
	datagram[8] = 64;
	datagram[9] = FRAME_UDP;
	memcpy(datagram + 12, ends, 8);
	uint16_t check = pktgen_frame_checksum(0, datagram, 20);
	memcpy(datagram + 10, &check, 2);
	memcpy(datagram + 20, words, 8);
	memcpy(datagram + 28, message, len);
	worker_rig_put_ipv4(test.node->worker_rig, WORKER_RIG_TUNNEL, datagram, 28 + len);
}

static void initiate(uint64_t unix_ns)
{
	unsigned i = test.n_handshakes++;
	struct pktgen_buyer *buyer = &test.buyers[i];
	struct wg_message_initiation message;

	pktgen_buyer_derive(buyer, 1, 0);
	memcpy(buyer->node_public_key, test.node->public_key, 32);
	buyer->index = i;
	pktgen_buyer_initiate(buyer, unix_ns, &message);
	put_message(&message, sizeof(message));
}

static void send_data(uint16_t total_len)
{
	struct pktgen_buyer *buyer = &test.buyers[test.current];
	uint8_t inner[FRAME_CAP], message[FRAME_CAP];
	struct pktgen_packet packet = {
		.src_be = INNER_BE,
		.dst_be = REMOTE_BE,
		.sport = 1000,
		.dport = 2000,
		.proto = FRAME_UDP,
		.ttl = 64,
		.total_len = total_len,
		.mark = {.sequence = buyer->sequence++},
	};

	pktgen_frame_build(inner, &packet);
	put_message(message, pktgen_buyer_seal(buyer, inner, total_len, message));
}

static void bad(const char *why)
{
	test.n_bad++;
	test.why = why;
}

static void read_tunnel(void)
{
	uint8_t frame[FRAME_CAP], inner[FRAME_CAP];
	struct pktgen_packet packet;
	const char *why;
	size_t len;

	while ((len = worker_rig_take(test.node->worker_rig, WORKER_RIG_TUNNEL, frame)) != 0) {
		uint8_t *message = frame + 42;
		uint32_t index;

		if (len < 42 + 12 || frame[12] != 8 || frame[13] != 0)
			continue; // ARP
		memcpy(&index, message + (message[0] == WG_MESSAGE_RESPONSE ? 8 : 4), 4);
		index = le32toh(index);
		if (index >= test.n_handshakes) {
			bad("message to an index that was never ours");
			continue;
		}
		struct pktgen_buyer *buyer = &test.buyers[index];
		uint64_t handshakes = buyer->handshakes, keepalives = buyer->keepalives;
		int n = pktgen_buyer_read(buyer, message, len - 42, inner, &why);
		test.completed += buyer->handshakes - handshakes;
		test.keepalives += buyer->keepalives - keepalives;
		if (n < 0)
			bad(why);
		else if (message[0] == WG_MESSAGE_RESPONSE && index >= test.current)
			test.current = index;
		else if (n > 0 && (why = pktgen_frame_read(inner, (size_t)n, &packet)) != NULL)
			bad(why);
		else if (n > 0)
			test.n_in++;
	}
}

// The host on the internet answers, or hears and says nothing.
static void read_internet(bool is_answering)
{
	uint8_t frame[FRAME_CAP];
	struct pktgen_packet packet;
	size_t len;

	while ((len = worker_rig_take(test.node->worker_rig, WORKER_RIG_INTERNET, frame)) != 0) {
		if (frame[12] != 8 || frame[13] != 0)
			continue;
		const char *why = pktgen_frame_read(frame + 14, len - 14, &packet);
		if (why != NULL) {
			bad(why);
			continue;
		}
		if (!is_answering)
			continue;
		struct pktgen_packet reply = packet;
		reply.src_be = packet.dst_be;
		reply.dst_be = packet.src_be;
		reply.sport = packet.dport;
		reply.dport = packet.sport;
		pktgen_frame_build(frame, &reply);
		worker_rig_put_ipv4(
			test.node->worker_rig, WORKER_RIG_INTERNET, frame, reply.total_len
		);
	}
}

static void worker_round(bool is_answering)
{
	worker_poll(test.node->worker_rig->worker);
	rte_rcu_qsbr_quiescent(test.node->worker_rig->dp.qsbr, 0);
	read_tunnel();
	read_internet(is_answering);
}

static bool is_enough(void)
{
	return test.completed > 50 && test.keepalives > 2 && test.n_in > 100;
}

static void client_run(void)
{
	const struct clock *clock = &test.node->worker_rig->clock;
	uint64_t start_ns = clock_mono_ns(clock), now_ns = start_ns, handshake_ns = 0;
	unsigned n_rounds = 0;

	while (now_ns - start_ns < RUN_NS || (!is_enough() && now_ns - start_ns < RUN_MAX_NS)) {
		bool is_quiet = test.n_handshakes % QUIET_EVERY == 0;
		bool is_answered =
			test.n_handshakes == 0 || test.buyers[test.n_handshakes - 1].is_connected;

		now_ns = clock_mono_ns(clock);
		// A quiet phase lasts long enough for the node's passive keepalive.
		if (now_ns - handshake_ns > HANDSHAKE_EVERY_NS * (is_quiet ? 4 : 1) &&
		    (is_answered || now_ns - handshake_ns > UNANSWERED_NS) &&
		    test.n_handshakes < MAX_HANDSHAKES) {
			initiate(clock_unix_ns(clock));
			handshake_ns = now_ns;
		}
		if (test.buyers[test.current].is_connected && n_rounds++ % 4 == 0)
			send_data((uint16_t)(48 + n_rounds % 1300));
		worker_round(!is_quiet);
	}
}

// Until nothing is on its way any more: the slow path has ended, so its half is polled here, too.
static void settle(void)
{
	for (unsigned i = 0; i < 1000; i++) {
		slowpath_poll(&test.node->sp);
		worker_round(false);
	}
}

static void add_session(void)
{
	struct abi_command add = {
		.kind = ABI_COMMAND_ADD,
		.generation = GENERATION,
		.inner = {.family = ABI_FAMILY_IPV4},
		.limit_bytes = UINT64_MAX / 2,
		.gate = ABI_GATE_OPEN,
	};
	struct pktgen_buyer buyer;
	struct abi_ack ack;

	pktgen_buyer_derive(&buyer, 1, 0);
	memcpy(add.public_key, buyer.public_key, 32);
	memcpy(add.inner.addr, &(uint32_t){INNER_BE}, 4);
	node_rig_command(test.node, add);
	slowpath_poll(&test.node->sp);
	assert_true(node_rig_ack(test.node, &ack));
	assert_int_equal(ack.result, ABI_ACK_OK);
}

static void test_one_session_under_everything(void **state)
{
	const struct abi_session_slot *slot;
	pthread_t thread;

	(void)state;
	worker_rig_pool_ops = mutex_pool_ops.name;
	test.node = node_rig_create(TIME_FACTOR, NULL);
	add_session();
	assert_int_equal(pthread_create(&thread, NULL, slow_thread, NULL), 0);
	client_run();
	atomic_store_explicit(&test.is_stop_asked, true, memory_order_release);
	pthread_join(thread, NULL);
	settle();
	slot = &test.node->control.slots[0];
	print_message(
		"%u handshakes begun, %lu answered, %lu keepalives, %lu packets in, %lu bytes "
		"out\n",
		test.n_handshakes,
		test.completed,
		test.keepalives,
		test.n_in,
		slot->live.out_bytes
	);
	if (test.n_bad != 0)
		fail_msg("%lu bad messages, the last: %s", test.n_bad, test.why);
	assert_int_equal(test.n_refused, 0);
	assert_true(is_enough());
	assert_int_equal(slot->live.in_pkts, test.n_in);
	assert_true(node_rig_check_conservation(test.node));
	node_rig_destroy(test.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_session_under_everything)};

	worker_rig_eal();
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
