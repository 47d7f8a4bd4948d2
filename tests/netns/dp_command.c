// SPDX-License-Identifier: Apache-2.0
//
// Plays the control plane in end-to-end tests that need none: attaches to the one live data plane in a
// runtime directory, sends a single command or shows what the segment says, one `name value` a line.
//
//   dp_command DIR add SLOT GENERATION PUBLIC_KEY INNER LIMIT_BYTES [EXPIRES_UNIX_SEC]
//   dp_command DIR limits SLOT GENERATION LIMIT_BYTES [EXPIRES_UNIX_SEC]
//   dp_command DIR gate SLOT GENERATION open|closed|throttled
//   dp_command DIR remove SLOT GENERATION
//   dp_command DIR snapshot | stop
//   dp_command DIR show SLOT GENERATION | totals | key
//
// Prints the name of the acknowledgement; exit status 0 only for "ok".
#include "common/abi_attach.h"
#include "common/abi_names.h"
#include "dataplane/key_file.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ACK_TIMEOUT_MS 30000
#define MAX_BOOTS 64

static void die(const char *what)
{
	fprintf(stderr, "dp_command: %s\n", what);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*text == '\0' || *end != '\0')
		die("not a number");
	return value;
}

// The live boot, if there is one: dead ones wait for their harvest.
static void attach(struct abi_attach *ret, const char *dir)
{
	uint8_t boots[MAX_BOOTS][16];
	int n = abi_attach_list_boots(dir, boots, MAX_BOOTS);
	char err[512];

	for (int i = 0; i < n && i < MAX_BOOTS; i++) {
		if (abi_attach_open(ret, dir, boots[i], err, sizeof(err)) < 0)
			continue;
		if (!abi_attach_is_dead(ret))
			return;
		abi_attach_close(ret);
	}
	die("no live data plane");
}

static uint64_t unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int send_command(struct abi_attach *att, struct abi_command *command)
{
	const struct timespec wait = {.tv_nsec = 1000000};
	struct abi_ack ack;

	command->id = unix_ns(); // rises from one run to the next
	while (shm_ring_pop(&att->acks, &ack) == 1)
		;
	if (shm_ring_push(&att->commands, command) < 0)
		die("command ring is full");
	for (unsigned i = 0; i < ACK_TIMEOUT_MS; i++) {
		while (shm_ring_pop(&att->acks, &ack) == 1)
			if (ack.id == command->id) {
				puts(abi_ack_name(ack.result));
				return ack.result == ABI_ACK_OK ? 0 : 1;
			}
		nanosleep(&wait, NULL);
	}
	die("no acknowledgement");
	return 2;
}

static void set_limits(struct abi_command *command, int argc, char **argv)
{
	command->limit_bytes = number(argv[0]);
	if (argc > 1)
		command->expires_unix_sec = number(argv[1]);
}

static void set_add(struct abi_command *command, int argc, char **argv)
{
	if (argc < 3 || strlen(argv[0]) != KEY_FILE_TEXT_CAP - 1 ||
	    !key_file_decode(command->public_key, argv[0]))
		die("add: wants PUBLIC_KEY INNER LIMIT_BYTES");
	command->inner.family = ABI_FAMILY_IPV4;
	if (inet_pton(AF_INET, argv[1], command->inner.addr) != 1)
		die("add: not an IPv4 address");
	set_limits(command, argc - 2, argv + 2);
}

static uint8_t gate_of(const char *name)
{
	for (unsigned gate = 0; gate < ABI_N_GATE; gate++)
		if (strcmp(name, abi_gate_name(gate)) == 0)
			return (uint8_t)gate;
	die("no such gate");
	return 0;
}

static unsigned kind_of(const char *name)
{
	if (strcmp(name, "limits") == 0)
		return ABI_COMMAND_SET_LIMITS;
	for (unsigned kind = 0; kind < ABI_N_COMMAND; kind++)
		if (strcmp(name, abi_command_name(kind)) == 0)
			return kind;
	die("no such command");
	return 0;
}

static int show(const struct abi_attach *att, uint32_t slot, uint32_t generation)
{
	struct abi_session_reading reading;

	if (slot >= att->n_slots ||
	    abi_attach_read_session(&reading, &att->slots[slot], generation) < 0)
		die("slot does not hold that generation");
	printf("state %s\ngate %s\nowner %u\n",
	       abi_slot_state_name(reading.state),
	       abi_gate_name(reading.gate),
	       reading.owner);
	printf("out_pkts %" PRIu64 "\nin_pkts %" PRIu64 "\n", reading.out_pkts, reading.in_pkts);
	printf("out_bytes %" PRIu64 "\nin_bytes %" PRIu64 "\n", reading.out_bytes, reading.in_bytes
	);
	printf("limit_bytes %" PRIu64 "\n", reading.limit_bytes);
	printf("originated_bytes %" PRIu64 "\n", reading.originated_bytes);
	printf("keepalive_pkts %" PRIu64 "\n", reading.keepalive_pkts);
	printf("has_handshake %d\n", reading.last_handshake_unix_ns != 0);
	return 0;
}

static int show_totals(const struct abi_attach *att)
{
	struct abi_thread_stats sum = {0};
	uint64_t drops = 0, consumed = 0, loops = UINT64_MAX;

	for (uint32_t i = 0; i < att->n_threads; i++) {
		const struct abi_thread_stats *thread = &att->threads[i];

		if (thread->loops < loops)
			loops = thread->loops;
		sum.rx_pkts += thread->rx_pkts;
		sum.tx_pkts += thread->tx_pkts;
		sum.originated_pkts += thread->originated_pkts;
		sum.handshakes_completed += thread->handshakes_completed;
		for (unsigned j = 0; j < N_DROP; j++)
			sum.drops[j] += thread->drops[j];
		for (unsigned j = 0; j < N_CONSUMED; j++)
			sum.consumed[j] += thread->consumed[j];
	}
	printf("rx_pkts %" PRIu64 "\ntx_pkts %" PRIu64 "\n", sum.rx_pkts, sum.tx_pkts);
	printf("originated_pkts %" PRIu64 "\n", sum.originated_pkts);
	printf("handshakes_completed %" PRIu64 "\n", sum.handshakes_completed);
	for (unsigned j = 0; j < N_DROP; j++) {
		drops += sum.drops[j];
		if (sum.drops[j] != 0)
			printf("drop_%s %" PRIu64 "\n", abi_drop_name(j), sum.drops[j]);
	}
	for (unsigned j = 0; j < N_CONSUMED; j++) {
		consumed += sum.consumed[j];
		if (sum.consumed[j] != 0)
			printf("consumed_%s %" PRIu64 "\n", abi_consumed_name(j), sum.consumed[j]);
	}
	printf("loops %" PRIu64 "\n", loops); // of the thread that went round least
	printf("unaccounted %" PRId64 "\n",
	       (int64_t)(sum.rx_pkts + sum.originated_pkts - sum.tx_pkts - drops - consumed));
	return 0;
}

static int show_key(const struct abi_attach *att)
{
	char text[KEY_FILE_TEXT_CAP];

	key_file_encode(text, att->header->node_public_key);
	puts(text);
	return 0;
}

int main(int argc, char **argv)
{
	struct abi_command command = {0};
	struct abi_attach att;
	char err[512];

	if (argc < 3)
		die("usage: dp_command DIR COMMAND [ARGUMENTS]");
	attach(&att, argv[1]);
	if (strcmp(argv[2], "totals") == 0)
		return show_totals(&att);
	if (strcmp(argv[2], "key") == 0)
		return show_key(&att);
	if (strcmp(argv[2], "show") == 0 && argc == 5)
		return show(&att, (uint32_t)number(argv[3]), (uint32_t)number(argv[4]));
	command.kind = kind_of(argv[2]);
	if (argc >= 5) {
		command.slot = (uint32_t)number(argv[3]);
		command.generation = (uint32_t)number(argv[4]);
	}
	if (command.kind == ABI_COMMAND_ADD)
		set_add(&command, argc - 5, argv + 5);
	else if (command.kind == ABI_COMMAND_SET_LIMITS && argc > 5)
		set_limits(&command, argc - 5, argv + 5);
	else if (command.kind == ABI_COMMAND_GATE && argc > 5)
		command.gate = gate_of(argv[5]);
	if (abi_attach_open_control(&att, argv[1], err, sizeof(err)) < 0)
		die(err);
	return send_command(&att, &command);
}
