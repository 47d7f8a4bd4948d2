// SPDX-License-Identifier: Apache-2.0
//
// A tunnel interface's octet counters as inner octets. A TUN interface (wireguard-go, the apps) counts IP
// packets as they are. The kernel's WireGuard interface counts what it wraps around them too, so that
// is taken off by the packet: 32 octets of header and tag inbound (drivers/net/wireguard/receive.c,
// update_rx_stats), the tag's 16 outbound (net/ipv4/ip_tunnel_core.c, iptunnel_xmit). What stays in
// is the padding of packets below the MTU, at most 15 octets each. Reads sysfs; any thread.
#pragma once

#include "controlplane/twctl/buyer_meter.h"

#include <stdint.h>

#define BUYER_IFACE_SYSFS "/sys/class/net"
#define BUYER_IFACE_BOOT_ID "/proc/sys/kernel/random/boot_id"

// Pure: what the kernel's WireGuard adds to so many packets. Returns: 0; -EOVERFLOW.
int buyer_iface_extra(uint64_t out_pkts, uint64_t in_pkts, uint64_t *ret_bytes)
	__attribute__((warn_unused_result));

// sysfs and boot_id: the two paths above, or a test's.
//
// Returns: 0; -ENODEV when there is no such interface; -EAGAIN when it was made anew while it was read;
//          -EINVAL for a name that no interface can have, or counters that are no numbers; -errno.
int buyer_iface_read(
	const char *sysfs, const char *boot_id, const char *name, struct buyer_meter_sample *ret
) __attribute__((warn_unused_result));
