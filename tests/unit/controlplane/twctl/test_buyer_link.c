// SPDX-License-Identifier: Apache-2.0
//
// buyer_link on real TUN interfaces in a network namespace of the test's own: the final counters, to the
// octet, and nobody else's. Needs root and /dev/net/tun; skipped without.
#include "controlplane/twctl/buyer_link.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET 1000
#define TRIES 500 // of 10 ms

static int make_tun(const char *name, int flags)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), control;

	if (fd < 0)
		return -1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
	close(control);
	return fd;
}

// Packets that come out of the tunnel.
static void pump(int fd, size_t n)
{
	uint8_t packet[PACKET] = {0x45, 0, PACKET >> 8, PACKET & 0xff};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(write(fd, packet, sizeof(packet)), sizeof(packet));
}

static bool has_tun(void)
{
	return geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0 &&
		unshare(CLONE_NEWNET) == 0;
}

static bool wait_removed(
	int fd, const struct buyer_meter_sample *last, struct buyer_meter_sample *ret
)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int i = 0; i < TRIES; i++) {
		if (buyer_link_read_removed(fd, last, ret))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void test_removed(void **state)
{
	struct buyer_meter_sample last = {.boot_id = "boot"}, end = {.ifindex = 99};
	int link, ours, other;

	(void)state;
	if (!has_tun())
		skip();
	link = buyer_link_open();
	assert_true(link >= 0);
	ours = make_tun("ours0", 0);
	other = make_tun("other0", 0);
	last.ifindex = if_nametoindex("ours0");
	pump(ours, 5);
	pump(other, 7);
	assert_false(buyer_link_read_removed(link, &last, &end));
	close(other);
	pump(ours, 6);
	assert_false(buyer_link_read_removed(link, &last, &end));
	assert_int_equal(end.ifindex, 99);
	close(ours);
	assert_true(wait_removed(link, &last, &end));
	assert_int_equal(end.ifindex, last.ifindex);
	assert_string_equal(end.boot_id, "boot");
	assert_true(end.in_bytes == 11 * PACKET);
	assert_true(end.out_bytes == 0 && end.extra_bytes == 0);
	close(link);
}

static void test_merged(void **state)
{
	int fd;

	(void)state;
	if (!has_tun())
		skip();
	assert_false(buyer_link_check_merged("nowhere0"));
	fd = make_tun("plain0", 0);
	assert_false(buyer_link_check_merged("plain0"));
	close(fd);
	fd = make_tun("merged0", IFF_VNET_HDR);
	assert_int_equal(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
	assert_true(buyer_link_check_merged("merged0"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
