// SPDX-License-Identifier: Apache-2.0
//
// See net_port.h. The only file that sets up an ethdev. Main lcore, at start and end; publish once a
// second.
#include "dataplane/net/net_port.h"

#include "common/counter.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ETHERNET_OVERHEAD 18 // header and a VLAN tag that some drivers count

struct sentence {
	char *text;
	size_t len;
	const struct config_port *config;
};

// "port 'wan' (net_af_packet0,iface=tw0): ..."
__attribute__((format(printf, 3, 4))) static int fail(
	const struct sentence *err, int rc, const char *format, ...
)
{
	int n = snprintf(
		err->text, err->len, "port '%s' (%s): ", err->config->name, err->config->devargs
	);
	va_list args;

	if (n < 0 || (size_t)n >= err->len)
		return rc;
	va_start(args, format);
	vsnprintf(err->text + n, err->len - (size_t)n, format, args);
	va_end(args);
	return rc;
}

// Out: ret, the value of "name=" in the devargs. Returns: whether there is one.
static bool devargs_value(const char *devargs, const char *name, char *ret, size_t ret_len)
{
	size_t name_len = strlen(name);
	const char *at = strchr(devargs, ',');

	while (at != NULL) {
		at++;
		if (strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
			size_t len = strcspn(at + name_len + 1, ",");

			snprintf(ret, ret_len, "%.*s", (int)len, at + name_len + 1);
			return true;
		}
		at = strchr(at, ',');
	}
	return false;
}

static void device_name(const char *devargs, char *ret, size_t ret_len)
{
	snprintf(ret, ret_len, "%.*s", (int)strcspn(devargs, ","), devargs);
}

static bool check_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

// The host's interface that AF_PACKET and AF_XDP ports stand on.
static int check_interface(const struct sentence *err)
{
	char iface[IF_NAMESIZE * 2];

	if (!check_prefix(err->config->devargs, "net_af_"))
		return 0;
	if (!devargs_value(err->config->devargs, "iface", iface, sizeof(iface)))
		return fail(err, -EINVAL, "devargs name no interface; add iface=NAME");
	if (if_nametoindex(iface) == 0)
		return fail(
			err,
			-ENODEV,
			"there is no interface '%s' here; see 'ip link', make it or correct "
			"ports[].devargs",
			iface
		);
	return 0;
}

static int check_pcap(const struct sentence *err)
{
	char path[PATH_MAX];

	if (!check_prefix(err->config->devargs, "net_pcap") ||
	    !devargs_value(err->config->devargs, "rx_pcap", path, sizeof(path)) ||
	    access(path, R_OK) == 0)
		return 0;
	return fail(err, -errno, "cannot read capture '%s': %s", path, strerror(errno));
}

// A PCI device that the kernel's driver holds, or that is not there.
static int check_pci(const struct sentence *err, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *driver;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	if (access(path, F_OK) < 0)
		return fail(
			err,
			-ENODEV,
			"there is no PCI device %s; see 'dpdk-devbind.py --status'",
			name
		);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return fail(
			err,
			-ENODEV,
			"no driver holds the device; run 'dpdk-devbind.py --bind=vfio-pci %s'",
			name
		);
	target[len] = '\0';
	driver = basename(target);
	return fail(
		err,
		-EBUSY,
		"DPDK has no use of the device, which driver '%s' holds; run "
		"'dpdk-devbind.py --bind=vfio-pci %s'",
		driver,
		name
	);
}

static bool is_pci(const char *name)
{
	return strchr(name, ':') != NULL;
}

static int probe(struct net_port *port, const struct sentence *err)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int rc;

	device_name(err->config->devargs, name, sizeof(name));
	rc = check_interface(err);
	if (rc == 0)
		rc = check_pcap(err);
	if (rc < 0)
		return rc;
	if (rte_eth_dev_get_port_by_name(name, &port->ethdev_id) == 0) {
		if (is_pci(name))
			return 0; // found when EAL started
		return fail(err, -EEXIST, "two ports have the device name '%s'", name);
	}
	if (is_pci(name))
		return check_pci(err, name);
	rc = rte_dev_probe(err->config->devargs);
	if (rc < 0)
		return fail(
			err,
			rc,
			"the driver refused the device (%s): correct ports[].devargs, and check "
			"that no other program uses it",
			strerror(-rc)
		);
	if (rte_eth_dev_get_port_by_name(name, &port->ethdev_id) < 0)
		return fail(err, -ENODEV, "'%s' is no Ethernet device", name);
	return 0;
}

static void unprobe(const struct net_port *port)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port->ethdev_id, &info) < 0)
		return;
	rte_eth_dev_close(port->ethdev_id);
	rte_dev_remove(info.device);
}

static int check_capacity(
	const struct sentence *err,
	const struct rte_eth_dev_info *info,
	struct rte_mempool *pool,
	unsigned n_queues
)
{
	unsigned room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	const char *hint = check_prefix(err->config->devargs, "net_af_packet")
		? "add qpairs=N to ports[].devargs or lower worker.count"
		: "lower worker.count";

	if (info->max_rx_queues < n_queues || info->max_tx_queues < n_queues)
		return fail(
			err,
			-ENOSPC,
			"%u workers need %u receive and transmit queues, the device has %u and "
			"%u; %s",
			n_queues,
			n_queues,
			info->max_rx_queues,
			info->max_tx_queues,
			hint
		);
	if (err->config->mtu + ETHERNET_OVERHEAD > room)
		return fail(
			err,
			-EMSGSIZE,
			"a frame of mtu %u does not fit a buffer's %u bytes; raise "
			"memory.mbuf_bytes to %u or more",
			err->config->mtu,
			room,
			err->config->mtu + ETHERNET_OVERHEAD + RTE_PKTMBUF_HEADROOM
		);
	return 0;
}

static void choose_offloads(
	struct net_port *port, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf
)
{
	bool is_wanted = port->config->checksum_offload == CONFIG_OFFLOAD_AUTO;

	port->has_tx_ip_cksum =
		is_wanted && (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
	port->has_rx_ip_cksum =
		is_wanted && (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
	if (port->has_tx_ip_cksum)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if (port->has_rx_ip_cksum)
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
}

static int setup_queues(
	struct net_port *port,
	const struct sentence *err,
	struct rte_mempool *pool,
	unsigned n_queues
)
{
	uint16_t n_rx = (uint16_t)err->config->rx_descriptors;
	uint16_t n_tx = (uint16_t)err->config->tx_descriptors;
	int socket = rte_eth_dev_socket_id(port->ethdev_id);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev_id, &n_rx, &n_tx);

	for (uint16_t queue = 0; rc == 0 && queue < n_queues; queue++) {
		rc = rte_eth_rx_queue_setup(port->ethdev_id, queue, n_rx, socket, NULL, pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->ethdev_id, queue, n_tx, socket, NULL);
	}
	if (rc < 0)
		return fail(
			err,
			rc,
			"cannot set up %u queues of %u receive and %u transmit descriptors (%s): "
			"lower ports[].rx_descriptors and tx_descriptors",
			n_queues,
			n_rx,
			n_tx,
			strerror(-rc)
		);
	return 0;
}

static int set_mtu(struct net_port *port, const struct sentence *err)
{
	uint16_t wanted = (uint16_t)err->config->mtu, present = 0;
	int rc;

	if (rte_eth_dev_get_mtu(port->ethdev_id, &present) == 0 && present == wanted) {
		port->mtu = wanted;
		return 0;
	}
	rc = rte_eth_dev_set_mtu(port->ethdev_id, wanted);
	// Memory and ring devices have none: what is handed to them goes over.
	if (rc < 0 && rc != -ENOTSUP)
		return fail(
			err,
			rc,
			"the device refused mtu %u (%s); it has %u now: set ports[].mtu to what "
			"the link carries",
			wanted,
			strerror(-rc),
			present
		);
	port->mtu = wanted;
	return 0;
}

static int start(struct net_port *port, const struct sentence *err)
{
	struct rte_ether_addr mac;
	int rc = rte_eth_dev_start(port->ethdev_id);

	if (rc < 0)
		return fail(
			err,
			rc,
			"the device does not start (%s): check that no other program uses it",
			strerror(-rc)
		);
	if (port->config->promiscuous) {
		rc = rte_eth_promiscuous_enable(port->ethdev_id);
		if (rc < 0 && rc != -ENOTSUP)
			return fail(
				err,
				rc,
				"cannot be promiscuous (%s); set ports[].promiscuous: false",
				strerror(-rc)
			);
	}
	rc = rte_eth_macaddr_get(port->ethdev_id, &mac);
	if (rc < 0)
		return fail(err, rc, "the device has no hardware address");
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return 0;
}

static int configure(
	struct net_port *port,
	const struct sentence *err,
	struct rte_mempool *pool,
	unsigned n_queues
)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port->ethdev_id, &info);

	if (rc < 0)
		return fail(err, rc, "the device does not tell what it can do");
	rc = check_capacity(err, &info, pool, n_queues);
	if (rc < 0)
		return rc;
	choose_offloads(port, &info, &conf);
	rc = rte_eth_dev_configure(port->ethdev_id, n_queues, n_queues, &conf);
	if (rc < 0)
		return fail(err, rc, "the device refused its configuration (%s)", strerror(-rc));
	rc = set_mtu(port, err);
	if (rc == 0)
		rc = setup_queues(port, err, pool, n_queues);
	return rc;
}

int net_port_open(
	struct net_port *port,
	const struct config_port *config,
	struct rte_mempool *pool,
	unsigned n_queues,
	char *err,
	size_t err_len
)
{
	const struct sentence sentence = {err, err_len, config};
	int rc;

	memset(port, 0, sizeof(*port));
	port->config = config;
	port->addr_be = htonl(config->address.addr);
	port->mask_be = htonl(config_cidr_mask(config->address.prefix_len));
	port->gateway_be = htonl(config->gateway);
	port->is_tunnel = config->role != CONFIG_ROLE_INTERNET;
	port->is_internet = config->role != CONFIG_ROLE_TUNNEL;
	port->neigh = calloc(1, sizeof(*port->neigh));
	if (port->neigh == NULL)
		return fail(&sentence, -ENOMEM, "no memory for the neighbour table");
	rc = probe(port, &sentence);
	if (rc < 0)
		goto err_free;
	rc = configure(port, &sentence, pool, n_queues);
	if (rc == 0)
		rc = start(port, &sentence);
	if (rc < 0)
		goto err_unprobe;
	return 0;
err_unprobe:
	rte_eth_dev_stop(port->ethdev_id);
	unprobe(port);
err_free:
	free(port->neigh);
	memset(port, 0, sizeof(*port));
	return rc;
}

void net_port_close(struct net_port *port)
{
	if (port->neigh == NULL)
		return;
	rte_eth_dev_stop(port->ethdev_id);
	unprobe(port);
	free(port->neigh);
	memset(port, 0, sizeof(*port));
}

static void publish_address(struct abi_endpoint *endpoint, uint32_t addr_be)
{
	endpoint->family = addr_be == 0 ? ABI_FAMILY_NONE : ABI_FAMILY_IPV4;
	memcpy(endpoint->addr, &addr_be, sizeof(addr_be));
}

static void publish_identity(const struct net_port *port, struct abi_port_stats *stats)
{
	struct rte_eth_dev_info info;

	snprintf(
		stats->name,
		sizeof(stats->name),
		"%.*s",
		(int)sizeof(stats->name) - 1,
		port->config->name
	);
	if (rte_eth_dev_info_get(port->ethdev_id, &info) == 0) {
		snprintf(
			stats->driver,
			sizeof(stats->driver),
			"%.*s",
			(int)sizeof(stats->driver) - 1,
			info.driver_name
		);
		stats->n_queues = info.nb_rx_queues;
	}
	memcpy(stats->mac, port->mac, sizeof(stats->mac));
	stats->mtu = port->mtu;
	stats->offloads = (port->has_tx_ip_cksum ? ABI_PORT_OFFLOAD_IP_CKSUM : 0) |
		(port->has_rx_ip_cksum ? ABI_PORT_OFFLOAD_RX_CKSUM : 0);
	publish_address(&stats->addr, port->addr_be);
	publish_address(&stats->gateway, port->gateway_be);
}

static void publish_link(const struct net_port *port, struct abi_port_stats *stats)
{
	struct net_neigh_entry *gateway =
		port->gateway_be == 0 ? NULL : net_neigh_find(port->neigh, port->gateway_be);
	struct rte_eth_link link = {0};
	uint8_t mac[6];

	rte_eth_link_get_nowait(port->ethdev_id, &link);
	stats->is_link_up = link.link_status == RTE_ETH_LINK_UP;
	stats->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	stats->is_gateway_resolved = gateway != NULL && net_neigh_mac(gateway, mac);
}

void net_port_publish(const struct net_port *port, struct abi_port_stats *stats)
{
	struct rte_eth_stats driver = {0};

	if (stats->name[0] == '\0')
		publish_identity(port, stats);
	publish_link(port, stats);
	if (rte_eth_stats_get(port->ethdev_id, &driver) < 0)
		return;
	counter_set(&stats->rx_pkts, driver.ipackets);
	counter_set(&stats->rx_bytes, driver.ibytes);
	counter_set(&stats->tx_pkts, driver.opackets);
	counter_set(&stats->tx_bytes, driver.obytes);
	counter_set(&stats->rx_missed_pkts, driver.imissed);
	counter_set(&stats->rx_error_pkts, driver.ierrors);
	counter_set(&stats->rx_no_mbuf_pkts, driver.rx_nombuf);
	counter_set(&stats->tx_error_pkts, driver.oerrors);
}
