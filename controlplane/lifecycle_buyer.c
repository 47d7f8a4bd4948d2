// SPDX-License-Identifier: Apache-2.0
//
// What comes in by the API: the buyer's end and vouchers, the attestor's word. Anybody may send a
// signature, so it is verified before the store's one place for a writer is taken; only this thread
// writes what it was verified against. Loop's thread.
#include "controlplane/attest/attest_store.h"
#include "controlplane/lifecycle_private.h"
#include "controlplane/session/session_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CREDIT_SEC 2 // served at the session's rate before the next voucher can be here

static const uint8_t nobody[32];

uint64_t lifecycle_credit_bytes(const struct config *config, const struct session *session)
{
	uint64_t kbps = (uint64_t)session->rate_out_kbps + session->rate_in_kbps;
	uint64_t bytes = kbps * (1000 / 8) * CREDIT_SEC;

	// 0 is "unlimited": then the configured credit is what there is.
	if (session->rate_out_kbps == 0 || session->rate_in_kbps == 0)
		bytes = 0;
	return bytes > config->voucher.credit_bytes ? bytes : config->voucher.credit_bytes;
}

static int fail(struct session_error *err, int code, const char *text)
{
	*err = (struct session_error){.code = code};
	snprintf(err->text, sizeof(err->text), "%.500s", text);
	return code;
}

static int fail_store(struct session_error *err, const struct db_txn *txn)
{
	fail(err, txn->error, txn->why);
	strcpy(err->field, "store");
	return txn->error;
}

// Loads what was bought. Returns: 0 or the error; the caller ends the transaction.
static int load_bought(
	struct db_txn *txn,
	uint64_t id,
	struct session *session,
	struct purchase *purchase,
	struct session_error *err
)
{
	bool has_session = session_store_load(txn, id, session);

	if (has_session && purchase_load(txn, id, purchase))
		return 0;
	if (txn->error != 0)
		return fail_store(err, txn);
	return has_session ? fail(err, -EPERM, "this session was not bought on a chain")
			   : fail(err, -ENOENT, "no such session");
}

static int commit(struct db_txn *txn, struct session_error *err)
{
	return db_txn_commit(txn) == 0 ? 0 : fail_store(err, txn);
}

int lifecycle_end(
	struct lifecycle *life, uint64_t session_id, const char *reason, struct session_error *err
)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;

	*err = (struct session_error){0};
	db_txn_begin_write(&txn, life->conf.db);
	int rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc != 0 || (!lifecycle_stop_serving(life, &txn, &session, reason) && txn.error == 0)) {
		db_txn_abort(&txn);
		return rc;
	}
	purchase.waiting_unix_sec = 0;
	purchase_save(&txn, &purchase);
	rc = commit(&txn, err);
	if (rc != 0)
		return rc;
	lifecycle_failpoint(LIFECYCLE_STEP_ENDED_STORED);
	session_tell(life->conf.sessions, &session);
	return 0;
}

// ---- vouchers --------------------------------------------------------------------------------

static int check_voucher(
	const struct lifecycle *life,
	const struct session *session,
	const struct purchase *purchase,
	const struct lifecycle_voucher *voucher,
	struct session_error *err
)
{
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
	struct chain_item item = {.voucher_bytes = voucher->cumulative_bytes};
	char why[CHAIN_WHY_SIZE] = "";

	if (chain == NULL)
		return fail(err, -EPERM, "its chain is not configured on this node");
	if (memcmp(purchase->voucher_signer, nobody, 32) == 0)
		return fail(err, -EPERM, "this session was bought without a voucher signer");
	if (session->state == SESSION_SETTLED || session->state == SESSION_REFUNDED ||
	    session->state == SESSION_VOID)
		return fail(err, -EPERM, "this session is over");
	// One that was taken stays good when the top-up under it is reorganised out.
	if (voucher->cumulative_bytes > purchase->bought_bytes &&
	    voucher->cumulative_bytes > purchase->voucher_bytes)
		return fail(err, -ERANGE, "the voucher is for more than was bought");
	memcpy(item.session_id, session->identity.id, 32);
	memcpy(item.voucher_r, voucher->r, 32);
	memcpy(item.voucher_vs, voucher->vs, 32);
	if (chain->driver.ops->verify_voucher(
		    chain->driver.driver, &item, purchase->voucher_signer, why
	    ) == 0)
		return 0;
	return fail(err, -EBADMSG, why);
}

static void raise_limit(
	struct lifecycle *life,
	struct db_txn *txn,
	struct session *session,
	const struct purchase *purchase
)
{
	uint64_t credit = lifecycle_credit_bytes(life->conf.config, session);

	if (purchase->mode != PURCHASE_VOUCHER)
		return;
	// No overflow: both are far below 2^63.
	session->voucher_limit_bytes = purchase->voucher_bytes + credit;
	session_store_save(txn, session);
}

int lifecycle_post_voucher(
	struct lifecycle *life,
	uint64_t session_id,
	const struct lifecycle_voucher *voucher,
	struct purchase *ret,
	struct session_error *err
)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;

	*err = (struct session_error){0};
	db_txn_begin_read(&txn, life->conf.db);
	int rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc == 0)
		rc = check_voucher(life, &session, &purchase, voucher, err);
	db_txn_abort(&txn);
	if (rc != 0)
		return rc;
	db_txn_begin_write(&txn, life->conf.db);
	rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc != 0 || voucher->cumulative_bytes <= purchase.voucher_bytes) {
		db_txn_abort(&txn);
		if (rc == 0 && ret != NULL)
			*ret = purchase;
		return rc;
	}
	purchase.voucher_bytes = voucher->cumulative_bytes;
	memcpy(purchase.voucher_r, voucher->r, 32);
	memcpy(purchase.voucher_vs, voucher->vs, 32);
	purchase.voucher_unix_sec = clock_unix_ns(life->conf.clock) / NS_PER_SEC;
	purchase.waiting_unix_sec = 0;
	raise_limit(life, &txn, &session, &purchase);
	purchase_save(&txn, &purchase);
	rc = commit(&txn, err);
	if (rc != 0)
		return rc;
	lifecycle_failpoint(LIFECYCLE_STEP_VOUCHER_STORED);
	session_tell(life->conf.sessions, &session);
	if (ret != NULL)
		*ret = purchase;
	return 0;
}

// ---- attestations ----------------------------------------------------------------------------

static bool is_same_attestation(
	const struct purchase *purchase, const struct lifecycle_attestation *attestation
)
{
	return purchase_is_attested(purchase) &&
		purchase->attested_bytes == attestation->bytes_used &&
		memcmp(purchase->attested_root, attestation->checkpoints_root, 32) == 0;
}

// Returns: 0 or the error, by what the session is and was bought for.
static int check_attestable(
	const struct session *session,
	const struct purchase *purchase,
	const struct lifecycle_attestation *attestation,
	struct session_error *err
)
{
	bool is_disputed = session->state == SESSION_DISPUTED;
	uint64_t max_bytes = is_disputed ? purchase->proposed_bytes : purchase->bought_bytes;

	if (memcmp(purchase->attestor, nobody, 32) == 0)
		return fail(err, -EPERM, "this session was bought without an attestor");
	if (purchase->mode != PURCHASE_ATTESTED && !is_disputed)
		return fail(err, -EPERM, "this session was not bought in attested mode");
	if (session->state != SESSION_SETTLING && !is_disputed)
		return fail(
			err,
			-EPERM,
			"an attestation is taken between a session's end and its settlement"
		);
	if (attestation->bytes_used > max_bytes)
		return fail(
			err, -ERANGE, "the attestation is for more than was bought or proposed"
		);
	if (attestation->bytes_used < purchase_paid_bytes(purchase))
		return fail(err, -ERANGE, "the attestation is for less than was paid");
	if (purchase_is_attested(purchase) && !is_same_attestation(purchase, attestation))
		return fail(err, -EEXIST, "the session has another attestation already");
	return 0;
}

static int check_attestation(
	const struct lifecycle *life,
	struct db_txn *txn,
	const struct session *session,
	const struct purchase *purchase,
	const struct lifecycle_attestation *attestation,
	struct session_error *err
)
{
	const struct lifecycle_chain *chain =
		lifecycle_find_chain(life, session->identity.chain, session->identity.contract);
	struct chain_item item = {.bytes_used = attestation->bytes_used};
	char why[CHAIN_WHY_SIZE] = "";
	uint8_t root[32];

	if (chain == NULL)
		return fail(err, -EPERM, "its chain is not configured on this node");
	int rc = check_attestable(session, purchase, attestation, err);
	if (rc != 0)
		return rc;
	// A voucher may be for more than was used; what was used and signed for is nobody's to take back.
	if (attestation->bytes_used < purchase->voucher_bytes &&
	    attestation->bytes_used < lifecycle_billed_bytes(life, session->id))
		return fail(err, -ERANGE, "the attestation is for less than the buyer signed for");
	if (!attest_store_root(txn, session->id, root))
		return fail_store(err, txn);
	if (memcmp(root, attestation->checkpoints_root, 32) != 0)
		return fail(err, -EINVAL, "the root is not that of the session's checkpoints");
	memcpy(item.session_id, session->identity.id, 32);
	memcpy(item.checkpoints_root, attestation->checkpoints_root, 32);
	memcpy(item.attestation_r, attestation->r, 32);
	memcpy(item.attestation_vs, attestation->vs, 32);
	if (chain->driver.ops->verify_attestation(
		    chain->driver.driver, &item, purchase->attestor, why
	    ) == 0)
		return 0;
	return fail(err, -EBADMSG, why);
}

int lifecycle_post_attestation(
	struct lifecycle *life,
	uint64_t session_id,
	const struct lifecycle_attestation *attestation,
	struct purchase *ret,
	struct session_error *err
)
{
	struct purchase purchase;
	struct session session;
	struct db_txn txn;

	*err = (struct session_error){0};
	db_txn_begin_read(&txn, life->conf.db);
	int rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc == 0)
		rc = check_attestation(life, &txn, &session, &purchase, attestation, err);
	db_txn_abort(&txn);
	if (rc != 0)
		return rc;
	db_txn_begin_write(&txn, life->conf.db);
	rc = load_bought(&txn, session_id, &session, &purchase, err);
	if (rc != 0 || is_same_attestation(&purchase, attestation)) {
		db_txn_abort(&txn);
		if (rc == 0 && ret != NULL)
			*ret = purchase;
		return rc;
	}
	purchase.attested_bytes = attestation->bytes_used;
	memcpy(purchase.attested_root, attestation->checkpoints_root, 32);
	memcpy(purchase.attestation_r, attestation->r, 32);
	memcpy(purchase.attestation_vs, attestation->vs, 32);
	purchase_save(&txn, &purchase);
	session_store_audit(
		&txn, clock_unix_ns(life->conf.clock), session.id, "attestation", "taken"
	);
	rc = commit(&txn, err);
	if (rc != 0)
		return rc;
	lifecycle_failpoint(LIFECYCLE_STEP_ATTESTATION_STORED);
	if (ret != NULL)
		*ret = purchase;
	return 0;
}
