// SPDX-License-Identifier: Apache-2.0
//
// twctl top: a live table of sessions from the counters in shared memory. Names come from
// tollwire-control when it is there; without it the slots' numbers stand for them.
#include "twctl_counters.h"

#include "common/clock.h"
#include "common/counter.h"
#include "controlplane/twctl/twctl_units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NAME_CAP 64

struct row {
	uint32_t slot;
	struct abi_session_reading reading;
	uint64_t out_bps, in_bps;
	char name[NAME_CAP];
};

// What a slot counted a round ago.
struct before {
	uint32_t generation;
	uint64_t out_bytes, in_bytes;
};

struct top {
	struct twctl *twctl;
	struct twctl_counters counters;
	char warning[160];
	struct before *before; // by slot
	struct row *rows;
	size_t n_rows, cap_rows;
	uint64_t last_mono_ns; // 0 before the first round
	uint64_t out_bps, in_bps; // of all rows
};

static uint64_t used_bytes(const struct abi_session_reading *r)
{
	return r->base_out_bytes + r->base_in_bytes + r->out_bytes + r->in_bytes;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	uint64_t x_bps = x->out_bps + x->in_bps, y_bps = y->out_bps + y->in_bps;

	if (x_bps != y_bps)
		return x_bps < y_bps ? 1 : -1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static struct row *next_row(struct top *top)
{
	if (top->n_rows == top->cap_rows) {
		size_t cap = top->cap_rows == 0 ? 64 : top->cap_rows * 2;
		struct row *rows = realloc(top->rows, cap * sizeof(*rows));

		if (rows == NULL)
			return NULL;
		top->rows = rows;
		top->cap_rows = cap;
	}
	return &top->rows[top->n_rows++];
}

static uint64_t rate(uint64_t now_bytes, uint64_t before_bytes, uint64_t interval_ns)
{
	if (interval_ns == 0 || now_bytes < before_bytes)
		return 0;
	return (uint64_t)((double)(now_bytes - before_bytes) * 8e9 / (double)interval_ns);
}

static void read_slot(struct top *top, uint32_t slot, uint64_t interval_ns)
{
	const struct abi_session_slot *shared = &top->counters.att.slots[slot];
	uint32_t generation = __atomic_load_n(&shared->live.generation, __ATOMIC_ACQUIRE);
	struct before *before = &top->before[slot];
	struct abi_session_reading reading;
	struct row *row;

	if (generation == 0 || abi_attach_read_session(&reading, shared, generation) == -ESTALE)
		return;
	if (reading.state != ABI_SLOT_READY && reading.state != ABI_SLOT_ACTIVE)
		return;
	row = next_row(top);
	if (row == NULL)
		return;
	*row = (struct row){.slot = slot, .reading = reading};
	snprintf(row->name, NAME_CAP, "slot %" PRIu32, slot);
	if (before->generation == generation) {
		row->out_bps = rate(reading.out_bytes, before->out_bytes, interval_ns);
		row->in_bps = rate(reading.in_bytes, before->in_bytes, interval_ns);
		top->out_bps += row->out_bps;
		top->in_bps += row->in_bps;
	}
	*before = (struct before){generation, reading.out_bytes, reading.in_bytes};
}

static void read_slots(struct top *top)
{
	uint64_t now_ns = clock_mono_ns(&clock_system);
	uint64_t interval_ns = top->last_mono_ns == 0 ? 0 : now_ns - top->last_mono_ns;

	top->n_rows = 0;
	top->out_bps = top->in_bps = 0;
	for (uint32_t slot = 0; slot < top->counters.att.n_slots; slot++)
		read_slot(top, slot, interval_ns);
	top->last_mono_ns = now_ns;
	qsort(top->rows, top->n_rows, sizeof(top->rows[0]), compare_rows);
}

// Best effort: the table is worth reading without names.
static void read_names(struct top *top)
{
	const struct json_value *session;
	struct twctl_client_reply reply;
	char err[512];

	if (twctl_client_ask(
		    &reply, top->twctl->socket_path, "GET", "/api/v1/sessions?limit=1000", NULL, err
	    ) < 0)
		return;
	session = json_first(json_member(reply.json, "sessions"));
	for (; session != NULL; session = json_next(session)) {
		uint64_t slot, generation;

		if (json_count(json_member(session, "slot"), &slot) < 0 ||
		    json_count(json_member(session, "generation"), &generation) < 0)
			continue;
		for (size_t i = 0; i < top->n_rows; i++) {
			if (top->rows[i].slot == slot &&
			    top->rows[i].reading.generation == generation)
				json_quote(
					top->rows[i].name, NAME_CAP, twctl_text(session, "name")
				);
		}
	}
	twctl_client_fini(&reply);
}

static const char *endpoint_text(
	char dst[INET6_ADDRSTRLEN + 8], const struct abi_endpoint *endpoint
)
{
	bool is_ipv6 = endpoint->family == ABI_FAMILY_IPV6;
	char addr[INET6_ADDRSTRLEN];

	if (endpoint->family == ABI_FAMILY_NONE ||
	    inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, endpoint->addr, addr, sizeof(addr)) == NULL)
		return "";
	snprintf(
		dst,
		INET6_ADDRSTRLEN + 8,
		is_ipv6 ? "[%s]:%u" : "%s:%u",
		addr,
		(unsigned)ntohs(endpoint->port_be)
	);
	return dst;
}

// Age of a unix time in seconds; UINT64_MAX when it never was.
static uint64_t age_sec(uint64_t unix_ns)
{
	uint64_t now_ns = clock_unix_ns(&clock_system);

	if (unix_ns == 0)
		return UINT64_MAX;
	return now_ns > unix_ns ? (now_ns - unix_ns) / NS_PER_SEC : 0;
}

static uint64_t seconds_left(uint64_t expires_sec)
{
	uint64_t now_sec = clock_unix_ns(&clock_system) / NS_PER_SEC;

	return expires_sec > now_sec ? expires_sec - now_sec : 0;
}

static void put_row(struct json_writer *writer, const struct row *row)
{
	const struct abi_session_reading *r = &row->reading;
	uint64_t age = age_sec(r->last_authentic_unix_ns);
	char endpoint[INET6_ADDRSTRLEN + 8];

	json_begin_object(writer, NULL);
	json_put_string(writer, "name", row->name);
	json_put_count(writer, "slot", row->slot);
	json_put_count(writer, "generation", r->generation);
	json_put_string(writer, "gate", abi_gate_name(r->gate));
	json_put_count(writer, "out_bits_per_sec", row->out_bps);
	json_put_count(writer, "in_bits_per_sec", row->in_bps);
	json_put_count(writer, "out_bytes", r->base_out_bytes + r->out_bytes);
	json_put_count(writer, "in_bytes", r->base_in_bytes + r->in_bytes);
	json_put_count(writer, "used_bytes", used_bytes(r));
	json_put_count(writer, "limit_bytes", r->limit_bytes);
	if (r->expires_unix_sec == 0)
		json_put_null(writer, "seconds_left");
	else
		json_put_count(writer, "seconds_left", seconds_left(r->expires_unix_sec));
	json_put_string(writer, "endpoint", endpoint_text(endpoint, &r->endpoint));
	if (age == UINT64_MAX)
		json_put_null(writer, "endpoint_age_sec");
	else
		json_put_count(writer, "endpoint_age_sec", age);
	json_end(writer);
}

static int print_json(const struct top *top, uint64_t n_lines)
{
	struct json_writer writer;

	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	twctl_counters_put(&writer, &top->counters);
	json_put_count(&writer, "sessions_total", top->n_rows);
	json_put_count(&writer, "out_bits_per_sec", top->out_bps);
	json_put_count(&writer, "in_bits_per_sec", top->in_bps);
	json_begin_array(&writer, "sessions");
	for (size_t i = 0; i < top->n_rows && i < n_lines; i++)
		put_row(&writer, &top->rows[i]);
	json_end(&writer);
	json_end(&writer);
	return twctl_print(top->twctl, &writer);
}

static void print_row(const struct row *row)
{
	const struct abi_session_reading *r = &row->reading;
	char out[TWCTL_UNITS_TEXT], in[TWCTL_UNITS_TEXT], used[TWCTL_UNITS_TEXT];
	char limit[TWCTL_UNITS_TEXT], left[TWCTL_UNITS_TEXT], age[TWCTL_UNITS_TEXT];
	char endpoint[INET6_ADDRSTRLEN + 8];
	uint64_t heard = age_sec(r->last_authentic_unix_ns);

	printf("%-20.20s %10s %10s %10s / %-10s %-9s %-10s %-8s %s\n",
	       row->name,
	       twctl_units_rate(out, row->out_bps),
	       twctl_units_rate(in, row->in_bps),
	       twctl_units_size(used, used_bytes(r)),
	       twctl_units_size(limit, r->limit_bytes),
	       abi_gate_name(r->gate),
	       r->expires_unix_sec == 0
		       ? "never"
		       : twctl_units_duration(left, seconds_left(r->expires_unix_sec)),
	       heard == UINT64_MAX ? "never" : twctl_units_duration(age, heard),
	       endpoint_text(endpoint, &r->endpoint));
}

static void print_table(const struct top *top, uint64_t n_lines)
{
	char out[TWCTL_UNITS_TEXT], in[TWCTL_UNITS_TEXT];

	printf("%zu sessions, out %s, in %s%s%s\n",
	       top->n_rows,
	       twctl_units_rate(out, top->out_bps),
	       twctl_units_rate(in, top->in_bps),
	       top->warning[0] == '\0' ? "" : "; ",
	       top->warning);
	printf("%-20s %10s %10s %10s / %-10s %-9s %-10s %-8s %s\n",
	       "session",
	       "out",
	       "in",
	       "used",
	       "limit",
	       "gate",
	       "left",
	       "heard",
	       "endpoint");
	for (size_t i = 0; i < top->n_rows && i < n_lines; i++)
		print_row(&top->rows[i]);
	if (top->n_rows > n_lines)
		printf("... and %zu more\n", top->n_rows - (size_t)n_lines);
}

static int attach(struct top *top)
{
	int code = twctl_counters_attach(top->twctl, &top->counters, top->warning);

	if (code != 0)
		return code;
	free(top->before);
	top->before = calloc(top->counters.att.n_slots, sizeof(top->before[0]));
	top->last_mono_ns = 0;
	if (top->before != NULL)
		return 0;
	twctl_counters_close(&top->counters);
	return twctl_fail(top->twctl, TWCTL_EXIT_FAILED, "out of memory");
}

static void pause_ms(uint64_t ms)
{
	struct timespec pause = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000 * NS_PER_MS),
	};

	nanosleep(&pause, NULL);
}

// As many lines as the terminal shows beside the two of the head and the one below.
static uint64_t terminal_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 8)
		return 20;
	return size.ws_row - 4u;
}

static int run_once(struct top *top, uint64_t interval_ms, uint64_t n_lines)
{
	read_slots(top);
	if (top->counters.is_alive && interval_ms > 0) {
		pause_ms(interval_ms);
		read_slots(top);
	}
	if (!twctl_counters_check(top->twctl, &top->counters))
		return TWCTL_EXIT_FAILED;
	read_names(top);
	if (top->twctl->is_json)
		return print_json(top, n_lines);
	print_table(top, n_lines);
	return TWCTL_EXIT_OK;
}

// Until it is interrupted, or nobody reads any more.
static int run_live(struct top *top, uint64_t interval_ms, uint64_t n_lines)
{
	bool is_terminal = isatty(STDOUT_FILENO);
	int code;

	for (;;) {
		read_slots(top);
		if (!twctl_counters_check(top->twctl, &top->counters))
			return TWCTL_EXIT_FAILED;
		read_names(top);
		if (is_terminal)
			fputs("\033[H\033[2J", stdout);
		print_table(top, n_lines == 0 ? terminal_lines() : n_lines);
		if (fflush(stdout) != 0)
			return TWCTL_EXIT_FAILED;
		pause_ms(interval_ms);
		if (!abi_attach_is_dead(&top->counters.att))
			continue;
		// Perhaps another boot lives by now.
		twctl_counters_close(&top->counters);
		code = attach(top);
		if (code != 0) {
			top->counters.att = (struct abi_attach){.counters_fd = -1};
			return code;
		}
	}
}

static int run_top(struct twctl *twctl)
{
	bool is_once = twctl->is_json || twctl_args_get(&twctl->args, "--once") != NULL;
	struct top top = {.twctl = twctl};
	uint64_t interval_ms, n_lines;
	int code;

	code = twctl_get_number(twctl, "--interval", 100, 3600000, 1000, &interval_ms);
	if (code == 0)
		code = twctl_get_number(
			twctl, "--lines", 1, 1000000, is_once ? 1000000 : 0, &n_lines
		);
	if (code == 0)
		code = attach(&top);
	if (code != 0)
		return code;
	code = is_once ? run_once(&top, interval_ms, n_lines)
		       : run_live(&top, interval_ms, n_lines);
	twctl_counters_close(&top.counters);
	free(top.before);
	free(top.rows);
	return code;
}

static const struct twctl_option top_options[] = {
	{"--once", NULL, "print one table and end; --json implies it"},
	{"--interval", "MS", "milliseconds between readings, 100 to 3600000; default 1000"},
	{"--lines",
	 "N",
	 "at most so many sessions, busiest first; default what the terminal shows"},
	{NULL, NULL, NULL},
};

const struct twctl_command twctl_top_commands[] = {
	{
		.name = "top",
		.run = run_top,
		.positional = "",
		.summary = "live table of sessions: rates, usage, time left, endpoint",
		.description =
			"Reads the data plane's counters directly, so it works while "
			"tollwire-control is "
			"down (names\nare missing then). Rates are billed bytes over one interval. "
			"'heard' "
			"is the age of the last\nauthentic packet. End it with Ctrl-C.\n\n"
			"Examples:\n  twctl top\n  twctl top --once --lines 10\n"
			"  twctl top --json | jq '.sessions[] | select(.gate != \"open\")'\n",
		.options = top_options,
	},
	{.name = NULL},
};
