// SPDX-License-Identifier: Apache-2.0
//
// Handshakes of wireguard-go (Debian 12) as initiator, and its first transport data, captured with known
// keys and answered by an independent responder: see wg_handshake_capture.py. Bytes in hex.
// The keys were made for this capture and protect nothing.
#ifndef WG_HANDSHAKE_VECTORS_H
#define WG_HANDSHAKE_VECTORS_H

#include <stdint.h>

struct wg_handshake_vector {
	const char *name;
	uint32_t responder_index;
	const char *initiator_private;
	const char *responder_private;
	const char *preshared_key;
	const char *responder_ephemeral;
	const char *timestamp;
	const char *initiation;
	const char *response;
	const char *data;
	const char *plain;
	const char *receive_key;
	const char *send_key;
};

static const struct wg_handshake_vector wg_handshake_vectors[] = {
	{
		.name = "wireguard-go without preshared key",
		.responder_index = 0x1020304,
		.initiator_private =
			"b40d4a53480bb563bc08a7074a8ea2a86519050ba20e0b1dafa66d0d120aa30b",
		.responder_private =
			"61984674c75eb542816f65c2d0bce5af4c400e7ce9049f46f3f0beca4f220e31",
		.preshared_key = "0000000000000000000000000000000000000000000000000000000000000000",
		.responder_ephemeral =
			"acfcd74805b1e4d0fc76ba8cfce5f24ac31c5dbfbe81bd2512f6c6ddfcb567b4",
		.timestamp = "400000006b01769a26000000",
		.initiation = "01000000050124eef6f676d6d98036033aea5dbb038ed3b40151c477725dba94390d"
			      "e30306aaf050"
			      "bd2f67dda308e294e9fb3e6142af235bb56b069b34a9c1882114bd4f43bff03efa5d"
			      "05b3c9e1d6b4"
			      "7775840943266e95bd95b01ba7adaa467d7ef265a24a9a1a39b71e03a85eb3f6c3bb"
			      "2d9bcc4c189c"
			      "570292b23f9ab65986ff2eda00000000000000000000000000000000",
		.response = "0200000004030201050124eed9edb67eeb61070b5ddf0ba16418a1ca79120f7aad4f66"
			    "bf3ab6215a"
			    "d8293a3823f0e39ebcee56c76cef126f442fe26e6a3148b4ccd257756276d3c99ee99a"
			    "c100000000"
			    "000000000000000000000000",
		.data = "04000000040302010000000000000000a18cee88a54a699468823fb589db7fd0",
		.plain = "",
		.receive_key = "44b86ca397da6793cce3d2d76b4398f0743c1a8b070acc615002494bd9eb25d0",
		.send_key = "c6ad50bbce1aa9bb79d6a2c6ff7bb8f372a5a641d6c31aa80d1b1a486abbf1b5",
	},
	{
		.name = "wireguard-go with preshared key",
		.responder_index = 0x1020305,
		.initiator_private =
			"48937732a534c8656b654e20879383d3941238c2362f115ed3c7ab9883b76775",
		.responder_private =
			"74299428ed1efec5c050c1301f33538d4f4f7a574b3e782a474c6ab12f0f70e7",
		.preshared_key = "6ab6beb6d9e3a89bb268e147e2d7e2fc434ccfe03ef2f5b53b6b040361d86fd7",
		.responder_ephemeral =
			"5e5bd5355e9aa589383b15a2549bdb3b78e90b439ab49aaa880ca715937e49e0",
		.timestamp = "400000006b01769a2a000000",
		.initiation = "0100000023842c841fde3394f646538d239b71e3cc8a80da5b7d65ca83c77619adea"
			      "333155ebef09"
			      "a54421c203121732a8a6e83a4364679b47b2301cedacd60eb8c59f47bcc742c749f0"
			      "925478eef9fa"
			      "9ea133ccd7d606911e7f051452366ac375b4fb0ca8b197405dc637ef85ba6b08bdaf"
			      "e5a0afb5ad87"
			      "9033a43d01c3174e177b765400000000000000000000000000000000",
		.response = "020000000503020123842c845debe1406b96d6effd5c0e1e6d328532e26ee083ce0a48"
			    "6366e17815"
			    "774dc076042587ebcd98fff1e074eb218df901a75d09282173f1ab293824ed4de2eb75"
			    "2900000000"
			    "000000000000000000000000",
		.data = "04000000050302010000000000000000ad9a1bd7ec735664c3a935b302c69f63",
		.plain = "",
		.receive_key = "fa5d777fa854d58d728d64f1bdeeeb611cc0b70fc9df55035db9b8989845225b",
		.send_key = "985803517b38cfa5320be15e963f0aec3cbdc11d444c08f29ff9ff099a188625",
	},
};

#endif
