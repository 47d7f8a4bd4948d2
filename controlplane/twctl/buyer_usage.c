// SPDX-License-Identifier: Apache-2.0
//
// See buyer_usage.h.
#include "buyer_usage.h"

#include "buyer_file.h"
#include "buyer_iface.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/secret_file.h"
#include "controlplane/json/json_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FORMAT 1
#define TEXT_CAP 4096

int buyer_usage_save(const char *path, const struct buyer_usage *usage)
{
	const struct buyer_meter *meter = &usage->meter;
	char id[EVM_HEX_SIZE(32)], *text;
	struct json_writer w;
	int r;

	evm_hex_format(usage->session_id, 32, id);
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_u64(&w, "format", FORMAT);
	json_put_string(&w, "session_id", id);
	json_put_string(&w, "interface", usage->interface);
	json_put_count(&w, "signed_bytes", usage->signed_bytes);
	json_put_count(&w, "bought_bytes", usage->bought_bytes);
	json_put_string(&w, "api_url", usage->api_url);
	json_put_string(&w, "api_address", usage->api_address);
	json_put_count(&w, "out_bytes", meter->out_bytes);
	json_put_count(&w, "in_bytes", meter->in_bytes);
	json_put_count(&w, "extra_bytes", meter->extra_bytes);
	if (meter->has_last) {
		json_begin_object(&w, "last");
		json_put_string(&w, "boot_id", meter->last.boot_id);
		json_put_u64(&w, "ifindex", meter->last.ifindex);
		json_put_count(&w, "out_bytes", meter->last.out_bytes);
		json_put_count(&w, "in_bytes", meter->last.in_bytes);
		json_put_count(&w, "extra_bytes", meter->last.extra_bytes);
		json_end(&w);
	}
	json_end(&w);
	r = json_writer_finish(&w, true, &text);
	if (r < 0)
		return r;
	r = buyer_file_put(path, text, false);
	json_free_text(text);
	return r;
}

// Numbers above 2^53 stand as strings.
static uint64_t get_count(struct json_reader *r, const struct json_value *object, const char *name)
{
	uint64_t value = 0;

	if (!json_reader_has(r, name) || json_count(json_member(object, name), &value) < 0)
		json_reader_fail(r, name, "must be a whole number");
	return value;
}

static void get_last(
	const struct json_value *last, struct json_reader *r, struct buyer_meter *meter
)
{
	snprintf(
		meter->last.boot_id,
		sizeof(meter->last.boot_id),
		"%s",
		json_reader_string(r, "boot_id", 0, BUYER_METER_BOOT_SIZE - 1)
	);
	meter->last.ifindex = (uint32_t)json_reader_u64(r, "ifindex", 0, UINT32_MAX);
	meter->last.out_bytes = get_count(r, last, "out_bytes");
	meter->last.in_bytes = get_count(r, last, "in_bytes");
	meter->last.extra_bytes = get_count(r, last, "extra_bytes");
	meter->has_last = true;
}

static int read_document(
	const struct json_value *doc, struct buyer_usage *usage, char why[BUYER_USAGE_WHY]
)
{
	const struct json_value *last = json_member(doc, "last");
	struct json_reader r, inner;
	const char *id;

	json_reader_init(&r, doc);
	(void)json_reader_u64(&r, "format", FORMAT, FORMAT);
	id = json_reader_string(&r, "session_id", 66, 66);
	if (r.error == 0 && evm_hex_parse(id, usage->session_id, 32) < 0)
		json_reader_fail(&r, "session_id", "must be 0x and 64 hex digits");
	snprintf(
		usage->interface,
		sizeof(usage->interface),
		"%s",
		json_reader_string(&r, "interface", 1, IF_NAMESIZE - 1)
	);
	usage->signed_bytes = get_count(&r, doc, "signed_bytes");
	usage->bought_bytes = get_count(&r, doc, "bought_bytes");
	snprintf(
		usage->api_url,
		sizeof(usage->api_url),
		"%s",
		json_reader_string(&r, "api_url", 0, sizeof(usage->api_url) - 1)
	);
	snprintf(
		usage->api_address,
		sizeof(usage->api_address),
		"%s",
		json_reader_string(&r, "api_address", 0, sizeof(usage->api_address) - 1)
	);
	usage->meter.out_bytes = get_count(&r, doc, "out_bytes");
	usage->meter.in_bytes = get_count(&r, doc, "in_bytes");
	usage->meter.extra_bytes = get_count(&r, doc, "extra_bytes");
	if (json_reader_has(&r, "last")) {
		json_reader_init(&inner, json_reader_object(&r, "last"));
		get_last(last, &inner, &usage->meter);
		if (json_reader_finish(&inner) != 0) {
			snprintf(why, BUYER_USAGE_WHY, "%s", inner.message);
			return -EBADMSG;
		}
	}
	if (json_reader_finish(&r) != 0) {
		snprintf(why, BUYER_USAGE_WHY, "%s", r.message);
		return -EBADMSG;
	}
	return 0;
}

int buyer_usage_load(const char *path, struct buyer_usage *ret, char why[BUYER_USAGE_WHY])
{
	char text[TEXT_CAP], detail[BUYER_USAGE_WHY];
	struct buyer_usage usage = {0};
	struct secret_file_why secret;
	struct json_value *doc;
	size_t len;
	int r;

	r = secret_file_read(path, text, sizeof(text), &len, &secret);
	if (r < 0) {
		snprintf(why, BUYER_USAGE_WHY, "%.*s", BUYER_USAGE_WHY - 1, secret.text);
		return r;
	}
	r = json_parse_limited(&doc, text, len, &json_limits_request, detail, sizeof(detail));
	if (r == 0) {
		r = read_document(doc, &usage, detail);
		json_free(doc);
	}
	if (r < 0)
		snprintf(why, BUYER_USAGE_WHY, "%.200s holds no count: %.250s", path, detail);
	else
		*ret = usage;
	return r;
}

static int take_lock(const char *path, char why[BUYER_USAGE_WHY])
{
	char lock[PATH_MAX];
	int fd, r;

	if ((size_t)snprintf(lock, sizeof(lock), "%s.lock", path) >= sizeof(lock)) {
		snprintf(why, BUYER_USAGE_WHY, "the path is too long");
		return -ENAMETOOLONG;
	}
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		snprintf(why, BUYER_USAGE_WHY, "%.300s: %s", lock, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		snprintf(why, BUYER_USAGE_WHY, "another process already counts into %.300s", path);
		return -EBUSY;
	}
	return fd;
}

void buyer_usage_set_api(struct buyer_usage *usage, const char *url, const char *address)
{
	if (strlen(url) >= sizeof(usage->api_url) || strlen(address) >= sizeof(usage->api_address))
		return;
	strcpy(usage->api_url, url);
	strcpy(usage->api_address, address);
}

int buyer_usage_mark(struct buyer_usage *usage)
{
	struct buyer_meter_sample sample;
	int r = buyer_iface_read(BUYER_IFACE_SYSFS, BUYER_IFACE_BOOT_ID, usage->interface, &sample);

	if (r != -ENODEV)
		return r < 0 ? r : buyer_meter_add(&usage->meter, &sample, false);
	// A mark that no interface continues, so that the next one's counters are taken whole.
	usage->meter.last = (struct buyer_meter_sample){0};
	usage->meter.has_last = true;
	return 0;
}

int buyer_usage_open(
	const char *path,
	const uint8_t session_id[32],
	const char *interface,
	struct buyer_usage *ret,
	char why[BUYER_USAGE_WHY]
)
{
	struct buyer_usage usage = {0};
	int fd = take_lock(path, why), r;

	if (fd < 0)
		return fd;
	r = buyer_usage_load(path, &usage, why);
	if (r == -ENOENT && interface != NULL) {
		memcpy(usage.session_id, session_id, 32);
		snprintf(usage.interface, sizeof(usage.interface), "%s", interface);
		r = 0;
	} else if (r == 0 && (memcmp(usage.session_id, session_id, 32) != 0 || (interface != NULL && strcmp(usage.interface, interface) != 0))) {
		snprintf(why, BUYER_USAGE_WHY, "%.200s counts another session, or interface %.16s", path, usage.interface);
		r = -EBADMSG;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = usage;
	return fd;
}
