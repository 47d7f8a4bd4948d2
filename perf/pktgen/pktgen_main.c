// SPDX-License-Identifier: Apache-2.0
//
// tollwire-pktgen: plays buyers and the internet around a node, and judges what the node makes of it.
#include "perf/pktgen/pktgen_clock.h"
#include "perf/pktgen/pktgen_run.h"

#include <rte_eal.h>
#include <sodium.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: tollwire-pktgen keys --sessions N [--seed S]\n"
	"       tollwire-pktgen run --tunnel DEVARGS --internet DEVARGS --node-key KEY\n"
	"           --node-tunnel ADDR --node-internet ADDR --buyers ADDR --remote ADDR\n"
	"           --sessions-file FILE [options]\n"
	"\n"
	"keys prints `number public-key` (base64) of the buyers of a seed: the sessions to add.\n"
	"run connects them all, sends, has the internet side answer, and checks every byte.\n"
	"\n"
	"  --tunnel, --internet DEVARGS  the two links, e.g. "
	"net_memif0,role=client,id=0,socket=/tmp/m\n"
	"  --node-key KEY        public key of the node, base64\n"
	"  --node-tunnel ADDR    the node's address on the tunnel link; --node-internet likewise\n"
	"  --buyers ADDR         outer address of the first buyer\n"
	"  --buyer-addresses N   the buyers share N addresses from there on (default 1)\n"
	"  --remote ADDR         the host on the internet link\n"
	"  --sessions-file FILE  a line for each buyer: `number inner-address`\n"
	"  --seed S              as given to keys (default 1)\n"
	"  --proto udp|tcp|icmp  inside the tunnel (default udp)\n"
	"  --size BYTES|imix     inner IP total length, 48 to 1420 (default 512); imix = 7:4:1 of "
	"64, 576,\n"
	"                        1420\n"
	"  --packets N           of each buyer (default 100)\n"
	"  --rate PPS            of all buyers together; 0 = as fast as it goes (default 10000)\n"
	"  --window N            no more are sent while N are under way; 0 = no bound (default). "
	"Below "
	"the\n"
	"                        depth of every queue, none is lost to a thread that waits for its "
	"CPU\n"
	"  --stop-file FILE      ends the sending when it exists\n"
	"  --one-way             the internet side does not answer\n"
	"  --listen-port PORT    of the node (default 51820)\n"
	"  --timeout SEC         for the whole run (default 60)\n"
	"  --core N              CPU to run on (default 0)\n"
	"  --per-session FILE    one line for each buyer: number out_sent out_arrived in_sent "
	"in_arrived\n"
	"                        (bytes)\n"
	"\n"
	"The last line on stdout is one JSON object. Exit: 0 all that arrived was right; 1 "
	"something was\n"
	"not, or the run could not be done; 2 usage.\n";

struct options {
	struct pktgen_conf conf;
	const char *sessions_file, *per_session;
	const char *size;
	uint64_t seed, n_sessions, core;
};

enum option_id {
	O_TUNNEL = 1,
	O_INTERNET,
	O_NODE_KEY,
	O_NODE_TUNNEL,
	O_NODE_INTERNET,
	O_BUYERS,
	O_BUYER_ADDRESSES,
	O_REMOTE,
	O_SESSIONS_FILE,
	O_SESSIONS,
	O_SEED,
	O_PROTO,
	O_SIZE,
	O_PACKETS,
	O_RATE,
	O_WINDOW,
	O_STOP_FILE,
	O_ONE_WAY,
	O_LISTEN_PORT,
	O_TIMEOUT,
	O_CORE,
	O_PER_SESSION,
};

static const struct option long_options[] = {
	{"tunnel", required_argument, NULL, O_TUNNEL},
	{"internet", required_argument, NULL, O_INTERNET},
	{"node-key", required_argument, NULL, O_NODE_KEY},
	{"node-tunnel", required_argument, NULL, O_NODE_TUNNEL},
	{"node-internet", required_argument, NULL, O_NODE_INTERNET},
	{"buyers", required_argument, NULL, O_BUYERS},
	{"buyer-addresses", required_argument, NULL, O_BUYER_ADDRESSES},
	{"remote", required_argument, NULL, O_REMOTE},
	{"sessions-file", required_argument, NULL, O_SESSIONS_FILE},
	{"sessions", required_argument, NULL, O_SESSIONS},
	{"seed", required_argument, NULL, O_SEED},
	{"proto", required_argument, NULL, O_PROTO},
	{"size", required_argument, NULL, O_SIZE},
	{"packets", required_argument, NULL, O_PACKETS},
	{"rate", required_argument, NULL, O_RATE},
	{"window", required_argument, NULL, O_WINDOW},
	{"stop-file", required_argument, NULL, O_STOP_FILE},
	{"one-way", no_argument, NULL, O_ONE_WAY},
	{"listen-port", required_argument, NULL, O_LISTEN_PORT},
	{"timeout", required_argument, NULL, O_TIMEOUT},
	{"core", required_argument, NULL, O_CORE},
	{"per-session", required_argument, NULL, O_PER_SESSION},
	{NULL, 0, NULL, 0},
};

static int refuse(const char *option, const char *value, const char *allowed)
{
	fprintf(stderr, "pktgen: --%s '%s' is refused; allowed: %s\n", option, value, allowed);
	return -EINVAL;
}

static int parse_number(const char *option, const char *value, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (errno != 0 || *value < '0' || *value > '9' || *end != '\0' || number > max) {
		char allowed[64];
		snprintf(allowed, sizeof(allowed), "a whole number up to %lu", max);
		return refuse(option, value, allowed);
	}
	*ret = number;
	return 0;
}

static int parse_address(const char *option, const char *value, uint32_t *ret_be)
{
	struct in_addr addr;

	if (inet_pton(AF_INET, value, &addr) != 1)
		return refuse(option, value, "an IPv4 address");
	*ret_be = addr.s_addr;
	return 0;
}

static int parse_key(const char *option, const char *value, uint8_t ret[32])
{
	size_t len;

	if (sodium_base642bin(
		    ret, 32, value, strlen(value), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL
	    ) != 0 ||
	    len != 32)
		return refuse(option, value, "32 bytes in base64");
	return 0;
}

static int parse_proto(const char *value, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = {{"udp", FRAME_UDP}, {"tcp", FRAME_TCP}, {"icmp", FRAME_ICMP}};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(value, protos[i].name) == 0) {
			*ret = protos[i].proto;
			return 0;
		}
	return refuse("proto", value, "udp, tcp, icmp");
}

static int parse_option(struct options *options, int id, const char *name, const char *value)
{
	struct pktgen_conf *conf = &options->conf;
	uint64_t number = 0;
	int result = 0;

	switch ((enum option_id)id) {
	case O_TUNNEL:
		conf->devargs[SIDE_TUNNEL] = value;
		break;
	case O_INTERNET:
		conf->devargs[SIDE_INTERNET] = value;
		break;
	case O_NODE_KEY:
		return parse_key(name, value, conf->node_public_key);
	case O_NODE_TUNNEL:
		return parse_address(name, value, &conf->node_be[SIDE_TUNNEL]);
	case O_NODE_INTERNET:
		return parse_address(name, value, &conf->node_be[SIDE_INTERNET]);
	case O_BUYERS:
		return parse_address(name, value, &conf->first_buyer_be);
	case O_BUYER_ADDRESSES:
		result = parse_number(name, value, 65536, &number);
		conf->n_buyer_addresses = (uint32_t)number;
		break;
	case O_REMOTE:
		return parse_address(name, value, &conf->remote_be);
	case O_SESSIONS_FILE:
		options->sessions_file = value;
		break;
	case O_SESSIONS:
		return parse_number(name, value, 40000, &options->n_sessions);
	case O_SEED:
		return parse_number(name, value, UINT64_MAX, &options->seed);
	case O_PROTO:
		return parse_proto(value, &conf->proto);
	case O_SIZE:
		options->size = value;
		break;
	case O_PACKETS:
		return parse_number(name, value, UINT32_MAX, &conf->n_packets);
	case O_RATE:
		return parse_number(name, value, UINT32_MAX, &conf->rate_pps);
	case O_WINDOW:
		return parse_number(name, value, UINT32_MAX, &conf->window_pkts);
	case O_STOP_FILE:
		conf->stop_file = value;
		break;
	case O_ONE_WAY:
		conf->is_two_way = false;
		break;
	case O_LISTEN_PORT:
		result = parse_number(name, value, 65535, &number);
		conf->listen_port = (uint16_t)number;
		break;
	case O_TIMEOUT:
		return parse_number(name, value, 86400, &conf->timeout_sec);
	case O_CORE:
		return parse_number(name, value, 1023, &options->core);
	case O_PER_SESSION:
		options->per_session = value;
		break;
	}
	return result;
}

// After all options are known, since the smallest size depends on the protocol.
static int parse_size(struct options *options)
{
	static const uint16_t imix[12] = {64, 64, 64, 576, 64, 64, 576, 64, 576, 64, 576, 1420};
	struct pktgen_conf *conf = &options->conf;
	uint64_t size;

	if (strcmp(options->size, "imix") == 0) {
		memcpy(conf->sizes, imix, sizeof(imix));
		return 0;
	}
	if (parse_number("size", options->size, 1420, &size) != 0)
		return -EINVAL;
	if (size < pktgen_frame_min_len(conf->proto))
		return refuse("size", options->size, "room for the headers and a mark of 20 bytes");
	conf->sizes[0] = (uint16_t)size;
	return 0;
}

static int parse(int argc, char **argv, struct options *options)
{
	int index = 0;

	*options = (struct options){
		.conf =
			{.proto = FRAME_UDP,
			 .is_two_way = true,
			 .n_packets = 100,
			 .rate_pps = 10000,
			 .listen_port = 51820,
			 .timeout_sec = 60,
			 .n_buyer_addresses = 1},
		.size = "512",
		.seed = 1,
	};
	for (int id; (id = getopt_long(argc, argv, "", long_options, &index)) != -1;) {
		if (id == '?')
			return -EINVAL;
		if (parse_option(options, id, long_options[index].name, optarg) != 0)
			return -EINVAL;
	}
	if (optind != argc) {
		fprintf(stderr, "pktgen: '%s' is no option\n", argv[optind]);
		return -EINVAL;
	}
	return parse_size(options);
}

static int print_keys(const struct options *options)
{
	for (uint32_t i = 0; i < options->n_sessions; i++) {
		struct pktgen_buyer buyer;
		char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)];

		pktgen_buyer_derive(&buyer, options->seed, i);
		printf("%u %s\n",
		       i,
		       sodium_bin2base64(
			       text,
			       sizeof(text),
			       buyer.public_key,
			       32,
			       sodium_base64_VARIANT_ORIGINAL
		       ));
	}
	return 0;
}

static int sessions_read(struct pktgen_run *run, const struct options *options)
{
	FILE *file = fopen(options->sessions_file, "r");
	char text[64];
	unsigned number;

	if (file == NULL) {
		fprintf(stderr, "pktgen: --sessions-file %s: %m\n", options->sessions_file);
		return 1;
	}
	while (fscanf(file, "%u %63s", &number, text) == 2) {
		struct pktgen_buyer *grown =
			realloc(run->buyers, (run->n_buyers + 1) * sizeof(*run->buyers));
		if (grown == NULL)
			break;
		run->buyers = grown;
		struct pktgen_buyer *buyer = &run->buyers[run->n_buyers++];
		pktgen_buyer_derive(buyer, options->seed, number);
		if (inet_pton(AF_INET, text, &buyer->inner_be) != 1) {
			fprintf(stderr,
				"pktgen: %s: '%s' is no address\n",
				options->sessions_file,
				text);
			fclose(file);
			return 1;
		}
	}
	fclose(file);
	if (run->n_buyers == 0)
		fprintf(stderr, "pktgen: %s names no session\n", options->sessions_file);
	return run->n_buyers == 0;
}

static int report(const struct pktgen_run *run, const char *per_session)
{
	struct pktgen_buyer sum = {0};
	FILE *file = per_session != NULL ? fopen(per_session, "w") : NULL;

	if (per_session != NULL && file == NULL) {
		fprintf(stderr, "pktgen: --per-session %s: %m\n", per_session);
		return 1;
	}
	for (uint32_t i = 0; i < run->n_buyers; i++) {
		const struct pktgen_buyer *buyer = &run->buyers[i];

		sum.out_sent_pkts += buyer->out_sent_pkts;
		sum.out_sent_bytes += buyer->out_sent_bytes;
		sum.out_arrived_pkts += buyer->out_arrived_pkts;
		sum.out_arrived_bytes += buyer->out_arrived_bytes;
		sum.in_sent_pkts += buyer->in_sent_pkts;
		sum.in_sent_bytes += buyer->in_sent_bytes;
		sum.in_arrived_pkts += buyer->in_arrived_pkts;
		sum.in_arrived_bytes += buyer->in_arrived_bytes;
		sum.handshakes += buyer->handshakes;
		sum.late_responses += buyer->late_responses;
		if (file != NULL)
			fprintf(file,
				"%u %lu %lu %lu %lu\n",
				i,
				buyer->out_sent_bytes,
				buyer->out_arrived_bytes,
				buyer->in_sent_bytes,
				buyer->in_arrived_bytes);
	}
	if (file != NULL && fclose(file) != 0)
		return 1;
	printf("{\"buyers\":%u,\"handshakes\":%lu,\"late_responses\":%lu,\"out_sent_pkts\":%lu,"
	       "\"out_sent_bytes\":%lu,"
	       "\"out_arrived_pkts\":%lu,\"out_arrived_bytes\":%lu,\"in_sent_pkts\":%lu,"
	       "\"in_sent_bytes\":%lu,\"in_arrived_pkts\":%lu,\"in_arrived_bytes\":%lu,"
	       "\"tx_refused\":%lu,\"silence_ms\":%lu,\"bad\":%lu,\"bad_why\":\"%s\"}\n",
	       run->n_buyers,
	       sum.handshakes,
	       sum.late_responses,
	       sum.out_sent_pkts,
	       sum.out_sent_bytes,
	       sum.out_arrived_pkts,
	       sum.out_arrived_bytes,
	       sum.in_sent_pkts,
	       sum.in_sent_bytes,
	       sum.in_arrived_pkts,
	       sum.in_arrived_bytes,
	       run->n_tx_refused,
	       run->silence_ns / 1000000,
	       run->n_bad,
	       run->bad_why != NULL ? run->bad_why : "");
	return run->n_bad != 0;
}

static int eal_start(const struct options *options)
{
	char core[16];

	snprintf(core, sizeof(core), "%lu", options->core);
	// EAL takes a writable vector, and writes no more than its order.
	const char *args[] = {
		"tollwire-pktgen",
		"--no-huge",
		"--no-shconf",
		"--no-pci",
		"--no-telemetry",
		"-m",
		"256",
		"-l",
		core,
		"--log-level=4",
		NULL};
	return rte_eal_init(sizeof(args) / sizeof(args[0]) - 1, (char **)(uintptr_t)args);
}

static int run(const struct options *options)
{
	struct pktgen_run run = {.conf = options->conf};

	if (!run.conf.devargs[0] || !run.conf.devargs[1] || !run.conf.node_be[0] ||
	    !run.conf.node_be[1] || !run.conf.first_buyer_be || !run.conf.remote_be ||
	    !run.conf.n_buyer_addresses || !options->sessions_file)
		return fputs(usage, stderr), 2;
	if (sessions_read(&run, options) != 0)
		return 1;
	if (eal_start(options) < 0 || pktgen_run_open(&run) != 0)
		return 1;
	run.start_ns = pktgen_clock_mono_ns();
	int result = pktgen_run_resolve(&run) != 0 || pktgen_run_connect(&run) != 0 ||
		pktgen_run_traffic(&run) != 0;
	result |= report(&run, options->per_session);
	pktgen_run_close(&run);
	rte_eal_cleanup();
	free(run.buyers);
	return result;
}

int main(int argc, char **argv)
{
	struct options options;

	if (argc < 2 || strcmp(argv[1], "--help") == 0)
		return fputs(usage, argc < 2 ? stderr : stdout), argc < 2 ? 2 : 0;
	if (sodium_init() < 0 || parse(argc - 1, argv + 1, &options) != 0)
		return 2;
	if (strcmp(argv[1], "keys") == 0)
		return print_keys(&options);
	if (strcmp(argv[1], "run") == 0)
		return run(&options);
	fprintf(stderr, "pktgen: '%s' is no command; there are keys and run\n", argv[1]);
	return 2;
}
