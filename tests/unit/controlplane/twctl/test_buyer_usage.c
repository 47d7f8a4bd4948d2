// SPDX-License-Identifier: Apache-2.0
//
// buyer_iface and buyer_usage on real files: what counters mean, what a count that was kept says after a
// restart, and files that nobody may believe.
#include "controlplane/twctl/buyer_iface.h"
#include "controlplane/twctl/buyer_usage.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/stat.h>

#define BOOT "0f0e0d0c-0b0a-0908-0706-050403020100"

static const uint8_t id[32] = {[0] = 1, [31] = 2};
static struct temp_dir dir;

static int setup(void **state)
{
	(void)state;
	temp_dir_create(&dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	temp_dir_remove(&dir);
	return 0;
}

static void put(const char *name, const char *text)
{
	temp_dir_write(&dir, name, text, strlen(text));
}

static void make_folder(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir.path, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int read_iface(const char *name, struct buyer_meter_sample *ret)
{
	char boot[256];

	snprintf(boot, sizeof(boot), "%s/boot_id", dir.path);
	return buyer_iface_read(dir.path, boot, name, ret);
}

static void test_iface(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "0123456789abcdef"};
	struct buyer_meter_sample sample = {.ifindex = 99};

	(void)state;
	put("boot_id", BOOT "\n");
	for (size_t i = 0; i < TEST_N_ROWS(bad); i++)
		assert_int_equal(read_iface(bad[i], &sample), -EINVAL);
	assert_int_equal(read_iface("wg0", &sample), -ENODEV);
	make_folder("wg0");
	make_folder("wg0/statistics");
	put("wg0/ifindex", "7\n");
	put("wg0/uevent", "INTERFACE=wg0\nIFINDEX=7\n");
	put("wg0/statistics/tx_packets", "10\n");
	put("wg0/statistics/rx_packets", "100\n");
	put("wg0/statistics/tx_bytes", "1000\n");
	assert_int_equal(read_iface("wg0", &sample), -ENODEV);
	put("wg0/statistics/rx_bytes", "x\n");
	assert_int_equal(read_iface("wg0", &sample), -EINVAL);
	put("wg0/statistics/rx_bytes", "-1\n");
	assert_int_equal(read_iface("wg0", &sample), -EINVAL);
	put("wg0/statistics/rx_bytes", "18446744073709551616\n");
	assert_int_equal(read_iface("wg0", &sample), -EINVAL);
	assert_int_equal(sample.ifindex, 99);
	put("wg0/statistics/rx_bytes", "20000\n");
	assert_int_equal(read_iface("wg0", &sample), 0);
	assert_string_equal(sample.boot_id, BOOT);
	assert_int_equal(sample.ifindex, 7);
	assert_int_equal(sample.out_bytes, 1000);
	assert_int_equal(sample.in_bytes, 20000);
	put("wg0/uevent", "DEVTYPE=wireguard\nINTERFACE=wg0\n");
	assert_int_equal(read_iface("wg0", &sample), 0);
	assert_int_equal(sample.out_bytes, 1000);
	assert_int_equal(sample.in_bytes, 20000);
	assert_int_equal(sample.extra_bytes, 10 * 16 + 100 * 32);
	put("wg0/uevent", "INTERFACE=DEVTYPE=wireguard\n");
	assert_int_equal(read_iface("wg0", &sample), 0);
	assert_int_equal(sample.extra_bytes, 0);
	// The machine's own loopback: the real files have the form that we read.
	assert_int_equal(
		buyer_iface_read(BUYER_IFACE_SYSFS, BUYER_IFACE_BOOT_ID, "lo", &sample), 0
	);
	assert_int_equal(strlen(sample.boot_id), BUYER_METER_BOOT_SIZE - 1);
	assert_int_equal(sample.ifindex, 1);
}

static void test_extra(void **state)
{
	static const struct {
		uint64_t out_pkts, in_pkts;
		int r;
		uint64_t extra_bytes;
	} rows[] = {
		{0, 0, 0, 0},
		{1, 0, 0, 16},
		{0, 1, 0, 32},
		{UINT64_MAX / 16, 0, 0, UINT64_MAX - 15},
		{UINT64_MAX / 16 + 1, 0, -EOVERFLOW, 0},
		{0, UINT64_MAX / 32 + 1, -EOVERFLOW, 0},
		{UINT64_MAX / 16, UINT64_MAX / 32, -EOVERFLOW, 0},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		uint64_t extra = 0;

		assert_int_equal(
			buyer_iface_extra(rows[i].out_pkts, rows[i].in_pkts, &extra), rows[i].r
		);
		assert_true(extra == rows[i].extra_bytes);
	}
}

static void test_kept(void **state)
{
	struct buyer_usage usage, again;
	char path[256], why[BUYER_USAGE_WHY], text[300];
	struct stat st;
	int lock;

	(void)state;
	snprintf(path, sizeof(path), "%s/usage", dir.path);
	lock = buyer_usage_open(path, id, "wg0", &usage, why);
	assert_true(lock >= 0);
	assert_int_equal(usage.signed_bytes, 0);
	assert_false(usage.meter.has_last);
	assert_int_equal(buyer_usage_open(path, id, "wg0", &again, why), -EBUSY);
	// Numbers that no double holds.
	usage.signed_bytes = UINT64_MAX;
	usage.bought_bytes = (1ull << 53) + 3;
	buyer_usage_set_api(&usage, "https://node.example:8443", "2001:db8::1");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	buyer_usage_set_api(&usage, text, "192.0.2.1");
	buyer_usage_set_api(&usage, "http://other.example", text);
	assert_string_equal(usage.api_url, "https://node.example:8443");
	usage.meter.out_bytes = (1ull << 53) + 1;
	usage.meter.in_bytes = 12;
	usage.meter.extra_bytes = 1;
	usage.meter.has_last = true;
	strcpy(usage.meter.last.boot_id, BOOT);
	usage.meter.last.ifindex = UINT32_MAX;
	usage.meter.last.out_bytes = UINT64_MAX - 1;
	usage.meter.last.in_bytes = 0;
	usage.meter.last.extra_bytes = 3;
	assert_int_equal(buyer_usage_save(path, &usage), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(lock);
	lock = buyer_usage_open(path, id, "wg0", &again, why);
	assert_true(lock >= 0);
	assert_memory_equal(&again, &usage, sizeof(usage));
	close(lock);
	lock = buyer_usage_open(path, id, NULL, &again, why);
	assert_true(lock >= 0);
	assert_string_equal(again.interface, "wg0");
	close(lock);
	assert_int_equal(temp_dir_count(&dir), 2); // the file, the lock, and no part of anything
	assert_int_equal(buyer_usage_open(path, id, "wg1", &again, why), -EBADMSG);
	assert_int_equal(
		buyer_usage_open(path, (const uint8_t[32]){3}, "wg0", &again, why), -EBADMSG
	);
}

// An interface that comes up after the mark is counted from its beginning, one that was there from here.
static void test_mark(void **state)
{
	struct buyer_usage usage = {.interface = "nowhere0"};
	const struct buyer_meter_sample up = {BOOT, 9, 1000, 2000, 0},
					more = {BOOT, 9, 1500, 2000, 0};
	uint64_t sum;

	(void)state;
	assert_int_equal(buyer_usage_mark(&usage), 0);
	assert_int_equal(buyer_meter_add(&usage.meter, &up, false), 0);
	assert_int_equal(buyer_meter_sum(&usage.meter, &sum), 0);
	assert_true(sum == 3000);
	assert_int_equal(buyer_meter_add(&usage.meter, &more, false), 0);
	assert_int_equal(buyer_meter_sum(&usage.meter, &sum), 0);
	assert_true(sum == 3500);
	usage = (struct buyer_usage){.interface = "lo"};
	assert_int_equal(buyer_usage_mark(&usage), 0);
	assert_true(usage.meter.has_last && usage.meter.last.ifindex == 1);
	assert_int_equal(buyer_meter_sum(&usage.meter, &sum), 0);
	assert_true(sum == 0);
}

// Cut at each octet: never a count that is not the one that was kept.
static void test_damaged(void **state)
{
	struct buyer_usage usage, again;
	char path[256], why[BUYER_USAGE_WHY], text[4096];
	size_t len;
	FILE *file;
	int lock;

	(void)state;
	snprintf(path, sizeof(path), "%s/usage", dir.path);
	lock = buyer_usage_open(path, id, "wg0", &usage, why);
	assert_true(lock >= 0);
	close(lock);
	usage.signed_bytes = 123456;
	assert_int_equal(buyer_usage_save(path, &usage), 0);
	file = fopen(path, "r");
	assert_non_null(file);
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	while (len > 0 && text[len - 1] != '}')
		len--;
	for (size_t cut = 0; cut < len; cut++) {
		temp_dir_write(&dir, "usage", text, cut);
		assert_int_equal(buyer_usage_open(path, id, "wg0", &again, why), -EBADMSG);
	}
	put("usage", "{\"format\":2}");
	assert_int_equal(buyer_usage_open(path, id, "wg0", &again, why), -EBADMSG);
	temp_dir_write(&dir, "usage", text, len);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(buyer_usage_open(path, id, "wg0", &again, why), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_iface, setup, teardown),
		cmocka_unit_test(test_extra),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test(test_mark),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
