// SPDX-License-Identifier: Apache-2.0
//
// Signing in the store: every checkpoint exactly once, after a lost round too; keys made and kept;
// and a session of the operator's own in its own domain.
#include "controlplane/attest/attest_merkle.h"
#include "controlplane/attest/attest_store.h"
#include "controlplane/purchase.h"
#include "controlplane/usage/usage_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct fixture {
	struct control_fixture control;
	struct attest_keys *keys;
	struct session session;
	char key_file[600], former_dir[600];
};

static void open_keys(struct fixture *fix)
{
	char why[ATTEST_KEYS_WHY_CAP] = "";

	if (attest_keys_open(&fix->keys, fix->key_file, fix->former_dir, why) != 0)
		fail_msg("%s", why);
}

static int setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	const char *dir = fix->control.config.node.state_dir;

	control_fixture_init(&fix->control);
	TEMP_DIR_CHECK(mkdir(dir, 0700) == 0);
	snprintf(fix->key_file, sizeof(fix->key_file), "%s/signer.key", dir);
	snprintf(fix->former_dir, sizeof(fix->former_dir), "%s/former", dir);
	control_fixture_open(&fix->control, false);
	open_keys(fix);
	const struct session_add add = control_fixture_add("one", 1);
	assert_int_equal(
		session_add(fix->control.sessions, &add, &fix->session, &fix->control.err), 0
	);
	*state = fix;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fix = *state;

	attest_keys_close(fix->keys);
	control_fixture_close(&fix->control);
	control_fixture_fini(&fix->control);
	free(fix);
	return 0;
}

// n checkpoints more, each 1000 bytes further.
static void add_checkpoints(struct fixture *fix, unsigned n)
{
	struct usage_entry entry;
	struct db_txn txn;

	db_txn_begin_write(&txn, fix->control.db);
	usage_store_load(&txn, fix->session.id, &entry);
	for (unsigned i = 0; i < n; i++) {
		entry.ledger.base.out_bytes += 1000;
		usage_store_checkpoint(
			&txn, fix->session.id, fix->session.identity.id, &entry, 1700000000 + i
		);
	}
	assert_int_equal(db_txn_commit(&txn), 0);
}

static uint32_t sign(struct fixture *fix)
{
	struct attest_store_round round;
	char err[DB_WHY_CAP];

	assert_int_equal(
		attest_store_sign(fix->control.db, fix->keys, &round, err, sizeof(err)), 0
	);
	assert_int_equal(round.n_waiting, 0);
	return round.n_signed;
}

struct visit {
	struct fixture *fix;
	uint8_t signer[EVM_ADDRESS_SIZE];
	unsigned n_signed, n_unsigned;
};

static bool check_signature(void *ctx, const struct usage_checkpoint *checkpoint)
{
	struct visit *visit = ctx;
	uint8_t separator[32], signature[ATTEST_SIGNATURE_BYTES];
	struct usage_checkpoint other = *checkpoint;
	struct db_txn txn;

	db_txn_begin_read(&txn, visit->fix->control.db);
	bool has = attest_store_get(&txn, visit->fix->session.id, checkpoint->sequence, signature);
	assert_int_equal(db_txn_commit(&txn), 0);
	visit->n_signed += has;
	visit->n_unsigned += !has;
	if (!has)
		return true;
	attest_store_domain(&visit->fix->session.identity, separator);
	assert_int_equal(attest_sign_verify(visit->signer, separator, checkpoint, signature), 0);
	other.in_bytes++;
	assert_int_equal(attest_sign_verify(visit->signer, separator, &other, signature), -EBADMSG);
	attest_sign_domain(1, visit->signer, separator);
	assert_int_equal(
		attest_sign_verify(visit->signer, separator, checkpoint, signature), -EBADMSG
	);
	return true;
}

static struct visit count_signed_by(struct fixture *fix, const uint8_t signer[EVM_ADDRESS_SIZE])
{
	struct visit visit = {.fix = fix};

	memcpy(visit.signer, signer, EVM_ADDRESS_SIZE);
	assert_int_equal(
		usage_store_each_checkpoint(
			fix->control.db, fix->session.id, 0, check_signature, &visit
		),
		0
	);
	return visit;
}

static struct visit count_signed(struct fixture *fix)
{
	uint8_t signer[EVM_ADDRESS_SIZE];

	evm_signer_address(attest_keys_current(fix->keys), signer);
	return count_signed_by(fix, signer);
}

static void test_signs_each_once(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(sign(fix), 0);
	add_checkpoints(fix, 3);
	assert_int_equal(count_signed(fix).n_unsigned, 3);
	assert_int_equal(sign(fix), 3);
	assert_int_equal(sign(fix), 0);
	assert_int_equal(count_signed(fix).n_signed, 3);
	add_checkpoints(fix, ATTEST_STORE_ROUND_MAX + 7);
	assert_int_equal(sign(fix), ATTEST_STORE_ROUND_MAX);
	assert_int_equal(sign(fix), 7);
	assert_int_equal(count_signed(fix).n_unsigned, 0);
}

// A restart between the checkpoint and its signature: it is signed by the same key afterwards.
static void test_restart_keeps_key_and_queue(void **state)
{
	struct fixture *fix = *state;
	uint8_t before[EVM_ADDRESS_SIZE], after[EVM_ADDRESS_SIZE];
	struct stat st;

	evm_signer_address(attest_keys_current(fix->keys), before);
	assert_int_equal(stat(fix->key_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	add_checkpoints(fix, 2);
	attest_keys_close(fix->keys);
	control_fixture_close(&fix->control);
	control_fixture_open(&fix->control, false);
	open_keys(fix);
	evm_signer_address(attest_keys_current(fix->keys), after);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(sign(fix), 2);
	assert_int_equal(count_signed(fix).n_signed, 2);
}

static void test_open_key_is_refused(void **state)
{
	struct fixture *fix = *state;
	char why[ATTEST_KEYS_WHY_CAP] = "";
	struct attest_keys *keys = NULL;

	assert_int_equal(chmod(fix->key_file, 0640), 0);
	assert_int_equal(attest_keys_open(&keys, fix->key_file, fix->former_dir, why), -EPERM);
	assert_null(keys);
	assert_non_null(strstr(why, fix->key_file));
}

static void test_former_key_is_found(void **state)
{
	struct fixture *fix = *state;
	uint8_t former[EVM_ADDRESS_SIZE];
	char path[700];

	evm_signer_address(attest_keys_current(fix->keys), former);
	attest_keys_close(fix->keys);
	assert_int_equal(mkdir(fix->former_dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/2026.key", fix->former_dir);
	assert_int_equal(rename(fix->key_file, path), 0);
	open_keys(fix);
	assert_non_null(attest_keys_lookup(fix->keys, former));
	assert_ptr_not_equal(attest_keys_lookup(fix->keys, former), attest_keys_current(fix->keys));
	former[0] ^= 1;
	assert_null(attest_keys_lookup(fix->keys, former));
}

static void move_key(struct fixture *fix, const char *from, const char *to)
{
	attest_keys_close(fix->keys);
	assert_int_equal(rename(from, to), 0);
	open_keys(fix);
}

// A bought session has the signer that its creation named, whoever signs now. Without that key its checkpoints
// wait, and hold up nobody's.
static void test_signer_of_the_creation(void **state)
{
	struct fixture *fix = *state;
	const struct session_add add = control_fixture_add("two", 2);
	const struct session one = fix->session;
	struct purchase purchase = {.session_id = one.id, .bought_bytes = 5000};
	struct attest_store_round round;
	char away[700], former[700], err[DB_WHY_CAP];
	struct db_txn txn;

	evm_signer_address(attest_keys_current(fix->keys), purchase.usage_signer + 12);
	db_txn_begin_write(&txn, fix->control.db);
	purchase_save(&txn, &purchase);
	assert_int_equal(db_txn_commit(&txn), 0);
	add_checkpoints(fix, 2);
	snprintf(away, sizeof(away), "%s.away", fix->key_file);
	move_key(fix, fix->key_file, away); // a new one is made
	assert_int_equal(
		session_add(fix->control.sessions, &add, &fix->session, &fix->control.err), 0
	);
	add_checkpoints(fix, 1);
	assert_int_equal(
		attest_store_sign(fix->control.db, fix->keys, &round, err, sizeof(err)), 0
	);
	assert_int_equal(round.n_signed, 1);
	assert_int_equal(round.n_waiting, 2);
	assert_int_equal(round.first_waiting, one.id);
	assert_int_equal(count_signed(fix).n_signed, 1);

	assert_int_equal(mkdir(fix->former_dir, 0700), 0);
	snprintf(former, sizeof(former), "%s/2026.key", fix->former_dir);
	move_key(fix, away, former);
	assert_int_equal(sign(fix), 2);
	fix->session = one;
	assert_int_equal(count_signed_by(fix, purchase.usage_signer + 12).n_signed, 2);
}

static void test_root(void **state)
{
	static const uint8_t zero[32];
	struct fixture *fix = *state;
	uint8_t root[32];
	struct db_txn txn;

	db_txn_begin_read(&txn, fix->control.db);
	assert_true(attest_store_root(&txn, fix->session.id, root));
	assert_int_equal(db_txn_commit(&txn), 0);
	assert_memory_equal(root, zero, 32);
	add_checkpoints(fix, 1);
	struct usage_entry entry;
	uint8_t leaf[32];
	db_txn_begin_read(&txn, fix->control.db);
	assert_true(attest_store_root(&txn, fix->session.id, root));
	usage_store_load(&txn, fix->session.id, &entry);
	assert_int_equal(db_txn_commit(&txn), 0);
	attest_merkle_leaf(&entry.last, leaf);
	assert_memory_equal(root, leaf, 32);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_signs_each_once),
		TEST(test_restart_keeps_key_and_queue),
		TEST(test_open_key_is_refused),
		TEST(test_former_key_is_found),
		TEST(test_signer_of_the_creation),
		TEST(test_root),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
