// SPDX-License-Identifier: Apache-2.0
//
// A port: an ethdev by its devargs, its address, gateway and neighbours. The one door to ethdev
// set-up; workers call only rte_eth_rx_burst and rte_eth_tx_burst on `ethdev_id`.
#pragma once

#include "common/abi_stats.h"
#include "config/config.h"
#include "dataplane/net/net_neigh.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

struct net_port {
	uint16_t ethdev_id;
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t addr_be;
	uint32_t mask_be;
	uint32_t gateway_be; // 0 = none
	bool has_tx_ip_cksum; // fill RTE_MBUF_F_TX_IP_CKSUM instead of computing
	bool has_rx_ip_cksum; // the driver reports RTE_MBUF_F_RX_IP_CKSUM_*
	bool is_tunnel, is_internet;
	const struct config_port *config;
	struct net_neigh *neigh;
};

// Probes the devargs, configures n_queues RX and TX queues on `pool`, starts the port.
//
// Returns: 0, or -errno with a sentence in err naming the port, its devargs, the value and the way
//          out (device missing, busy, too few queues, MTU refused …). Nothing stays probed on failure.
int net_port_open(
	struct net_port *port,
	const struct config_port *config,
	struct rte_mempool *pool,
	unsigned n_queues,
	char *err,
	size_t err_len
);
void net_port_close(struct net_port *port);

// Fills the port's block in shared memory (driver statistics, link, gateway). Slow path.
void net_port_publish(const struct net_port *port, struct abi_port_stats *stats);

// The address to resolve for a destination: itself when on-link, else the gateway; 0 = unreachable.
static inline uint32_t net_port_next_hop(const struct net_port *port, uint32_t dst_be)
{
	return ((dst_be ^ port->addr_be) & port->mask_be) == 0 ? dst_be : port->gateway_be;
}
