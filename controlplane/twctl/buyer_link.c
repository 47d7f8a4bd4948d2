// SPDX-License-Identifier: Apache-2.0
//
// See buyer_link.h.
#include "buyer_link.h"

#include "buyer_iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 16384

int buyer_link_open(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static bool is_wireguard(const struct rtattr *info)
{
	int len = (int)RTA_PAYLOAD(info);

	for (const struct rtattr *a = RTA_DATA(info); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(a) >= sizeof("wireguard") - 1 &&
		    memcmp(RTA_DATA(a), "wireguard", sizeof("wireguard") - 1) == 0)
			return true;
	}
	return false;
}

// Returns: whether the message is about the interface, with its counters.
static bool take(
	const struct nlmsghdr *header,
	const struct buyer_meter_sample *last,
	struct buyer_meter_sample *ret
)
{
	const struct ifinfomsg *link = NLMSG_DATA(header);
	struct buyer_meter_sample sample = *last;
	struct rtnl_link_stats64 stats;
	bool has_stats = false, has_extra = false;
	int len = (int)IFLA_PAYLOAD(header);

	if (header->nlmsg_type != RTM_DELLINK || link->ifi_index <= 0 ||
	    (uint32_t)link->ifi_index != last->ifindex)
		return false;
	for (const struct rtattr *a = IFLA_RTA(link); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == IFLA_STATS64 &&
		    RTA_PAYLOAD(a) >= offsetof(struct rtnl_link_stats64, rx_errors)) {
			memcpy(&stats, RTA_DATA(a), offsetof(struct rtnl_link_stats64, rx_errors));
			has_stats = true;
		} else if (a->rta_type == IFLA_LINKINFO) {
			has_extra = is_wireguard(a);
		}
	}
	if (!has_stats)
		return false;
	sample.out_bytes = stats.tx_bytes;
	sample.in_bytes = stats.rx_bytes;
	if (has_extra &&
	    buyer_iface_extra(stats.tx_packets, stats.rx_packets, &sample.extra_bytes) < 0)
		return false;
	*ret = sample;
	return true;
}

bool buyer_link_read_removed(
	int fd, const struct buyer_meter_sample *last, struct buyer_meter_sample *ret
)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
	bool is_there = false;
	ssize_t n;

	// Lost messages (ENOBUFS) cost what passed since the last look, as without this.
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		int len = (int)n; // NLMSG_NEXT may leave it below 0

		for (const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
		     len > 0 && NLMSG_OK(h, (uint32_t)len);
		     h = NLMSG_NEXT(h, len)) {
			if (take(h, last, ret))
				is_there = true;
		}
	}
	return is_there;
}

bool buyer_link_check_merged(const char *name)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GTSO};
	struct ifreq request = {.ifr_data = (char *)&value};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	r = ioctl(fd, SIOCETHTOOL, &request);
	close(fd);
	return r == 0 && value.data != 0;
}
