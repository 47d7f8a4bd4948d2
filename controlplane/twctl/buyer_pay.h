// SPDX-License-Identifier: Apache-2.0
//
// What the files of `twctl buyer pay` share; nobody else includes it.
#pragma once

#include "controlplane/twctl/buyer_api.h"
#include "controlplane/twctl/buyer_claim.h"
#include "controlplane/twctl/buyer_decide.h"
#include "controlplane/twctl/buyer_file.h"
#include "controlplane/twctl/buyer_pace.h"
#include "controlplane/twctl/buyer_usage.h"
#include "controlplane/twctl/twctl.h"

#include <limits.h>

struct buyer_pay {
	struct twctl *twctl;
	struct buyer_file file;
	struct evm_signer *signer;
	uint8_t separator[32]; // the escrow's domain
	char url[BUYER_API_URL_MAX + 1]; // of the node's API

	// The way beside the tunnel.
	bool is_way_given; // by options; else the tunnel's own mark is looked up
	uint32_t mark;
	const char *device;
	uint64_t way_checked_ns;
	struct buyer_api api;
	bool is_api_open;

	// The count; usage is on the disk up to saved_bytes.
	char usage_path[PATH_MAX];
	struct buyer_usage usage;
	uint64_t saved_bytes;
	uint64_t saved_ns;
	bool is_interface_up;
	bool is_merged; // its counters are too low, see buyer_link.h
	int link_fd; // of buyer_link.h; negative: without

	struct buyer_decide_conf decide_conf;
	struct buyer_decide decide; // signed_bytes follows usage's
	struct buyer_pace pace;
	struct buyer_claim claim; // newest answer
	bool is_failing; // told that the node does not answer
	bool is_holding; // told that a claim is too high
};

enum buyer_pay_end {
	BUYER_PAY_GOES_ON,
	BUYER_PAY_ANSWERED, // nothing is left to sign just now
	BUYER_PAY_OVER, // the session is, and paid
	BUYER_PAY_FAILED, // the message is out
};

// ---- buyer_pay_count.c: the interface and the disk ----

// Reads the counters. Returns: 0, also without an interface; an exit code with the message out.
int buyer_pay_count(struct buyer_pay *pay);

// At most once a second unless is_now. Returns: 0; -errno.
int buyer_pay_save(struct buyer_pay *pay, bool is_now) __attribute__((warn_unused_result));

uint64_t buyer_pay_own_bytes(const struct buyer_pay *pay);

// ---- buyer_pay_round.c: the node ----

// Asks the node for its claim and signs it if it is right, or says why not.
enum buyer_pay_end buyer_pay_round(struct buyer_pay *pay);

// Bytes bought, as far as known.
uint64_t buyer_pay_bought_bytes(const struct buyer_pay *pay);

// ---- buyer_pay_tell.c: people and programs ----

void buyer_pay_tell_voucher(const struct buyer_pay *pay);
void buyer_pay_tell(const struct buyer_pay *pay, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int buyer_pay_fail_loss(const struct buyer_pay *pay);
