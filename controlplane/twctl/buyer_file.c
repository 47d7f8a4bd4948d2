// SPDX-License-Identifier: Apache-2.0
//
// See buyer_file.h. Numbers that may pass 2^53 are strings.
#include "buyer_file.h"

#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_json.h"
#include "controlplane/chain/secret_file.h"
#include "controlplane/json/json_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1
#define TEXT_CAP 16384

static int sync_folder_of(const char *path)
{
	char copy[PATH_MAX];
	int fd, r;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

static int write_part(const char *part, const char *text)
{
	size_t len = strlen(text);
	int fd, r = 0;
	ssize_t n;

	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n != (ssize_t)len)
		r = n < 0 ? -errno : -ENOSPC;
	if (r == 0 && fsync(fd) != 0)
		r = -errno;
	if (close(fd) != 0 && r == 0)
		r = -errno;
	return r;
}

int buyer_file_put(const char *path, const char *text, bool is_new)
{
	char part[PATH_MAX];
	int r;

	// A name of this process: what a killed one left is in nobody's way.
	if ((size_t)snprintf(part, sizeof(part), "%s.%ld.part", path, (long)getpid()) >=
	    sizeof(part))
		return -ENAMETOOLONG;
	unlink(part);
	r = write_part(part, text);
	if (r == 0 && is_new)
		r = link(part, path) == 0 ? 0 : -errno; // unlike rename(), never replaces
	else if (r == 0)
		r = rename(part, path) == 0 ? 0 : -errno;
	unlink(part);
	return r == 0 ? sync_folder_of(path) : r;
}

static void put_order(struct json_writer *w, const struct evm_purchase_order *order)
{
	json_begin_object(w, "order");
	evm_json_put_u256(w, "node_id", order->node_id);
	json_put_count(w, "data_gb", order->data_gb);
	json_put_count(w, "duration_sec", order->duration_sec);
	json_put_string(w, "mode", evm_purchase_mode_name(order->mode));
	evm_json_put_address(w, "voucher_signer", order->voucher_signer);
	evm_json_put_address(w, "attestor", order->attestor);
	evm_json_put_word(w, "salt", order->salt);
	evm_json_put_word(w, "terms_hash", order->terms_hash);
	json_end(w);
}

static void put_terms(struct json_writer *w, const struct evm_escrow_terms *terms)
{
	json_begin_object(w, "terms");
	if (!evm_address_is_zero(terms->asset))
		evm_json_put_address(w, "asset", terms->asset);
	evm_json_put_u256(w, "price_per_gb", terms->price_per_gb);
	evm_json_put_address(w, "payout", terms->payout);
	json_put_count(w, "fee_bps", terms->fee_bps);
	evm_json_put_address(w, "treasury", terms->treasury);
	json_put_count(w, "window_sec", terms->window_sec);
	json_put_count(w, "grace_sec", terms->grace_sec);
	evm_json_put_word(w, "wg_public_key", terms->wg_public_key);
	evm_json_put_address(w, "usage_signer", terms->usage_signer);
	json_end(w);
}

int buyer_file_create(const char *path, const struct buyer_file *file)
{
	struct json_writer w;
	char *text;
	int r;

	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_u64(&w, "format", FORMAT);
	json_put_string(&w, "rpc", file->rpc);
	json_put_count(&w, "chain_id", file->chain_id);
	evm_json_put_address(&w, "escrow", file->escrow);
	evm_json_put_address(&w, "buyer", file->buyer);
	put_order(&w, &file->order);
	put_terms(&w, &file->terms);
	evm_json_put_u256(&w, "cost_wei", file->cost_wei);
	evm_json_put_word(&w, "session_id", file->session_id);
	json_put_string(&w, "endpoint", file->endpoint);
	json_put_string(&w, "api_url", file->api_url);
	json_end(&w);
	r = json_writer_finish(&w, true, &text);
	if (r < 0)
		return r;
	r = buyer_file_put(path, text, true);
	json_free_text(text);
	return r;
}

static void get_address(struct json_reader *r, const char *name, uint8_t ret[EVM_ADDRESS_SIZE])
{
	const char *text = json_reader_string(r, name, 42, 42);

	if (r->error == 0 && evm_address_parse(text, ret) < 0)
		json_reader_fail(r, name, "is no address");
}

static void get_word(struct json_reader *r, const char *name, uint8_t ret[32])
{
	const char *text = json_reader_string(r, name, 66, 66);

	if (r->error == 0 && evm_hex_parse(text, ret, 32) < 0)
		json_reader_fail(r, name, "must be 0x and 64 hex digits");
}

static void get_u256(struct json_reader *r, const char *name, struct u256 *ret)
{
	const char *text = json_reader_string(r, name, 1, U256_DEC_SIZE - 1);

	if (r->error == 0 && u256_parse_dec(text, ret) < 0)
		json_reader_fail(r, name, "must be a whole number");
}

static void get_text(struct json_reader *r, const char *name, char *dst, size_t max)
{
	snprintf(dst, max + 1, "%s", json_reader_string(r, name, 0, max));
}

static void get_order(struct json_reader *r, struct evm_purchase_order *order)
{
	const char *mode;

	get_u256(r, "node_id", &order->node_id);
	order->data_gb = json_reader_u64(r, "data_gb", 1, UINT32_MAX);
	order->duration_sec = json_reader_u64(r, "duration_sec", 1, EVM_PURCHASE_DURATION_MAX_SEC);
	mode = json_reader_string(r, "mode", 1, 16);
	if (r->error == 0 && evm_purchase_mode_parse(mode, &order->mode) < 0)
		json_reader_fail(r, "mode", "must be voucher, attested or optimistic");
	get_address(r, "voucher_signer", order->voucher_signer);
	get_address(r, "attestor", order->attestor);
	get_word(r, "salt", order->salt);
	get_word(r, "terms_hash", order->terms_hash);
}

static void get_terms(struct json_reader *r, struct evm_escrow_terms *terms)
{
	if (json_reader_has(r, "asset"))
		get_address(r, "asset", terms->asset);
	get_u256(r, "price_per_gb", &terms->price_per_gb);
	get_address(r, "payout", terms->payout);
	terms->fee_bps = json_reader_u64(r, "fee_bps", 0, 10000);
	get_address(r, "treasury", terms->treasury);
	terms->window_sec = json_reader_u64(r, "window_sec", 0, UINT32_MAX);
	terms->grace_sec = json_reader_u64(r, "grace_sec", 0, UINT32_MAX);
	get_word(r, "wg_public_key", terms->wg_public_key);
	get_address(r, "usage_signer", terms->usage_signer);
}

static int check_sums(struct buyer_file *file)
{
	uint8_t hash[32], id[32];
	struct u256 cost;

	evm_escrow_terms_hash(&file->terms, hash);
	evm_escrow_session_id(file->chain_id, file->escrow, file->buyer, file->order.salt, id);
	if (memcmp(hash, file->order.terms_hash, 32) != 0 ||
	    memcmp(id, file->session_id, 32) != 0 ||
	    evm_purchase_cost(file->order.data_gb, file->terms.price_per_gb, &cost) < 0 ||
	    !u256_equal(cost, file->cost_wei))
		return -EBADMSG;
	return 0;
}

static int read_document(
	const struct json_value *doc, struct buyer_file *file, char why[BUYER_FILE_WHY]
)
{
	struct json_reader r, order, terms;

	json_reader_init(&r, doc);
	(void)json_reader_u64(&r, "format", FORMAT, FORMAT);
	get_text(&r, "rpc", file->rpc, BUYER_FILE_RPC_MAX);
	file->chain_id = json_reader_u64(&r, "chain_id", 1, UINT64_MAX);
	get_address(&r, "escrow", file->escrow);
	get_address(&r, "buyer", file->buyer);
	get_u256(&r, "cost_wei", &file->cost_wei);
	get_word(&r, "session_id", file->session_id);
	get_text(&r, "endpoint", file->endpoint, EVM_PURCHASE_LOCATOR_MAX);
	get_text(&r, "api_url", file->api_url, EVM_PURCHASE_LOCATOR_MAX);
	json_reader_init(&order, json_reader_object(&r, "order"));
	json_reader_init(&terms, json_reader_object(&r, "terms"));
	get_order(&order, &file->order);
	get_terms(&terms, &file->terms);
	file->terms.node_id = file->order.node_id;
	memcpy(file->terms.attestor, file->order.attestor, EVM_ADDRESS_SIZE);
	if (json_reader_finish(&r) != 0 || json_reader_finish(&order) != 0 ||
	    json_reader_finish(&terms) != 0) {
		snprintf(
			why,
			BUYER_FILE_WHY,
			"%s",
			r.error != 0		   ? r.message
				: order.error != 0 ? order.message
						   : terms.message
		);
		return -EBADMSG;
	}
	if (check_sums(file) < 0) {
		snprintf(why, BUYER_FILE_WHY, "it was changed: its hashes and sums do not agree");
		return -EBADMSG;
	}
	return 0;
}

int buyer_file_load(const char *path, struct buyer_file *ret, char why[BUYER_FILE_WHY])
{
	struct buyer_file file = {0};
	struct secret_file_why secret;
	struct json_value *doc;
	char text[TEXT_CAP], detail[BUYER_FILE_WHY];
	size_t len;
	int r;

	r = secret_file_read(path, text, sizeof(text), &len, &secret);
	if (r < 0) {
		snprintf(why, BUYER_FILE_WHY, "%.*s", BUYER_FILE_WHY - 1, secret.text);
		return r;
	}
	r = json_parse_limited(&doc, text, len, &json_limits_request, detail, sizeof(detail));
	if (r == 0) {
		r = read_document(doc, &file, detail);
		json_free(doc);
	}
	if (r < 0) {
		snprintf(
			why,
			BUYER_FILE_WHY,
			"%.200s is no session file of twctl buyer: %.250s",
			path,
			detail
		);
		return r;
	}
	*ret = file;
	return 0;
}
