// SPDX-License-Identifier: Apache-2.0
//
// Operations on sessions: limits, names, keys, slots and addresses, illegal transitions, key files,
// records cut and flipped.
#include "controlplane/session/session.h"
#include "controlplane/session/session_key.h"
#include "controlplane/session/session_record.h"
#include "controlplane/session/session_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <sys/stat.h>

static int begin(void **state)
{
	struct control_fixture *fix = calloc(1, sizeof(*fix));

	control_fixture_init(fix);
	control_fixture_open(fix, false);
	*state = fix;
	return 0;
}

static int end(void **state)
{
	struct control_fixture *fix = *state;

	control_fixture_close(fix);
	control_fixture_fini(fix);
	free(fix);
	return 0;
}

static struct session must_add(struct control_fixture *fix, const char *name, uint8_t key)
{
	const struct session_add add = control_fixture_add(name, key);
	struct session session;

	if (session_add(fix->sessions, &add, &session, &fix->err) != 0)
		fail_msg("%s", fix->err.text);
	return session;
}

static void drain(struct control_fixture *fix, uint64_t id)
{
	struct session session;
	struct db_txn txn;

	assert_int_equal(session_remove(fix->sessions, id, NULL, &fix->err), 0);
	db_txn_begin_write(&txn, fix->db);
	assert_true(session_store_load(&txn, id, &session));
	assert_int_equal(db_txn_commit(&txn), 0);
	assert_int_equal(session.state, SESSION_DRAINING);
}

static void test_add_and_find(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1), got;

	assert_int_equal(alice.id, 1);
	assert_int_equal(alice.state, SESSION_PROVISIONED);
	assert_true(alice.has_slot);
	assert_int_equal(alice.generation, 1);
	assert_int_equal(alice.inner.family, ABI_FAMILY_IPV4);
	assert_int_equal(alice.inner.addr[3], 2); // .0 is the network, .1 the node
	assert_int_equal(alice.expires_unix_sec, FIXTURE_UNIX_SEC + 3600);
	assert_int_equal(session_lookup(fix->sessions, "alice", &got, &fix->err), 0);
	assert_int_equal(got.id, 1);
	assert_int_equal(session_lookup(fix->sessions, "1", &got, &fix->err), 0);
	assert_int_equal(session_lookup(fix->sessions, "2", &got, &fix->err), -ENOENT);
	assert_int_equal(session_lookup(fix->sessions, "", &got, &fix->err), -ENOENT);
	const struct session unnamed = must_add(fix, NULL, 2);
	assert_string_equal(unnamed.name, "s2");
	control_fixture_close(fix);
	control_fixture_open(fix, false);
	assert_int_equal(session_lookup(fix->sessions, "s2", &got, &fix->err), 0);
	assert_memory_equal(&got.identity, &unnamed.identity, sizeof(got.identity));
}

static void test_refused_adds(void **state)
{
	struct control_fixture *fix = *state;
	const char *const names[] = {"", ".x", "-x", "12", "a b", "a/b", "\xc3\xa4", NULL};
	struct session session;
	struct session_add add;

	for (size_t i = 0; names[i] != NULL; i++) {
		add = control_fixture_add(names[i], 1);
		assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -EINVAL);
		assert_string_equal(fix->err.field, "name");
	}
	const uint64_t quotas[] = {0, SESSION_QUOTA_MAX_BYTES + 1, UINT64_MAX};
	for (size_t i = 0; i < TEST_N_ROWS(quotas); i++) {
		add = control_fixture_add("x", 1);
		add.quota_bytes = quotas[i];
		assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -EINVAL);
		assert_string_equal(fix->err.field, "quota_bytes");
	}
	add = control_fixture_add("x", 1);
	add.duration_sec = UINT64_MAX;
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -EINVAL);
	assert_string_equal(fix->err.field, "duration_sec");
	add = control_fixture_add("x", 1);
	memset(add.public_key, 0, 32); // low order
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -EINVAL);
	assert_string_equal(fix->err.field, "public_key");
	assert_int_equal(must_add(fix, "first", 1).id, 1); // nothing of them stayed
}

static void test_name_and_key_belong_to_one_live_session(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1), session;
	struct session_add same_name = control_fixture_add("alice", 2);
	struct session_add same_key = control_fixture_add("bob", 1);

	assert_int_equal(session_add(fix->sessions, &same_name, &session, &fix->err), -EEXIST);
	assert_non_null(strstr(fix->err.text, "alice"));
	assert_int_equal(session_add(fix->sessions, &same_key, &session, &fix->err), -EEXIST);
	assert_non_null(strstr(fix->err.text, "public key"));
	drain(fix, alice.id); // still live until its last byte is counted
	assert_int_equal(session_add(fix->sessions, &same_key, &session, &fix->err), -EEXIST);
	assert_int_equal(
		session_transition(fix->sessions, alice.id, SESSION_SETTLING, "", NULL, &fix->err),
		0
	);
	assert_int_equal(session_add(fix->sessions, &same_key, &session, &fix->err), 0);
	assert_int_equal(session_lookup(fix->sessions, "alice", &session, &fix->err), 0);
	assert_int_equal(session.id, alice.id); // the former one is still found
}

static void test_limits_are_absolute_and_checked(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1), got;
	struct session_book *book = fix->sessions;

	assert_int_equal(session_top_up(book, alice.id, 1000, &got, &fix->err), 0);
	assert_int_equal(got.quota_bytes, 6000);
	assert_int_equal(session_top_up(book, alice.id, 0, NULL, &fix->err), -EINVAL);
	assert_int_equal(session_top_up(book, alice.id, UINT64_MAX, NULL, &fix->err), -EINVAL);
	assert_int_equal(
		session_top_up(book, alice.id, SESSION_QUOTA_MAX_BYTES - 5999, NULL, &fix->err),
		-EINVAL
	);
	assert_int_equal(
		session_top_up(book, alice.id, SESSION_QUOTA_MAX_BYTES - 6000, &got, &fix->err), 0
	);
	assert_true(got.quota_bytes == SESSION_QUOTA_MAX_BYTES);
	assert_int_equal(session_extend(book, alice.id, 60, &got, &fix->err), 0);
	assert_int_equal(got.expires_unix_sec, FIXTURE_UNIX_SEC + 3660);
	clock_manual_advance(&fix->manual, 7200 * NS_PER_SEC);
	assert_int_equal(session_extend(book, alice.id, 60, &got, &fix->err), 0);
	assert_int_equal(got.expires_unix_sec, FIXTURE_UNIX_SEC + 7260); // from now, not from then
	assert_int_equal(session_extend(book, alice.id, 0, NULL, &fix->err), -EINVAL);
	assert_int_equal(session_extend(book, alice.id, UINT64_MAX, NULL, &fix->err), -EINVAL);
	assert_int_equal(
		session_set_rates(book, alice.id, SESSION_RATE_MAX_KBPS + 1, 0, NULL, &fix->err),
		-EINVAL
	);
}

static void test_illegal_transitions_name_both_states(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1), got;
	struct session_book *book = fix->sessions;

	assert_int_equal(
		session_transition(book, alice.id, SESSION_SETTLED, "", NULL, &fix->err), -EPERM
	);
	assert_non_null(strstr(fix->err.text, "provisioned"));
	assert_non_null(strstr(fix->err.text, "settled"));
	assert_int_equal(session_resume(book, alice.id, NULL, &fix->err), -EPERM);
	assert_int_equal(session_suspend(book, alice.id, NULL, &fix->err), 0);
	assert_int_equal(session_suspend(book, alice.id, NULL, &fix->err), -EPERM);
	assert_int_equal(session_resume(book, alice.id, &got, &fix->err), 0);
	assert_int_equal(got.state, SESSION_PROVISIONED); // it never connected
	drain(fix, alice.id);
	assert_int_equal(session_remove(book, alice.id, NULL, &fix->err), -EPERM);
	assert_int_equal(session_top_up(book, alice.id, 1, NULL, &fix->err), -EPERM);
	assert_int_equal(session_suspend(book, 99, NULL, &fix->err), -ENOENT);
}

static void test_void_comes_back_to_what_it_was(void **state)
{
	struct control_fixture *fix = *state;
	struct session_identity identity = {.source = SESSION_SOURCE_CHAIN, .chain = 31337};
	struct session_add add = control_fixture_add("chain", 1);
	struct session session;
	struct session_book *book = fix->sessions;

	add.identity = &identity;
	assert_int_equal(session_add(book, &add, &session, &fix->err), 0);
	assert_int_equal(session.state, SESSION_PENDING); // no public key yet
	assert_false(session.has_slot);
	uint64_t id = session.id;
	assert_int_equal(session_add(book, &add, &session, &fix->err), -EEXIST); // same event again
	assert_int_equal(session_provision(book, id, add.public_key, &session, &fix->err), 0);
	assert_int_equal(session_transition(book, id, SESSION_VOID, "", NULL, &fix->err), 0);
	assert_int_equal(session_transition(book, id, SESSION_ACTIVE, "", NULL, &fix->err), -EPERM);
	assert_int_equal(
		session_transition(book, id, SESSION_PROVISIONED, "", &session, &fix->err), 0
	);
	assert_true(session.has_slot);
}

static void test_slots_addresses_and_quarantine(void **state)
{
	struct control_fixture *fix = *state;
	struct session sessions[13], session;
	struct session_add add = control_fixture_add("more", 99);

	for (uint8_t i = 0; i < 13; i++) { // /28: 16 less network, broadcast and the node
		sessions[i] = must_add(fix, NULL, (uint8_t)(i + 1));
		for (uint8_t j = 0; j < i; j++) {
			assert_int_not_equal(sessions[i].slot, sessions[j].slot);
			assert_int_not_equal(sessions[i].inner.addr[3], sessions[j].inner.addr[3]);
		}
		assert_in_range(sessions[i].inner.addr[3], 2, 14);
	}
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -ENOSPC);
	assert_non_null(strstr(fix->err.text, "tunnel.network"));
	control_fixture_close(fix);
	control_fixture_open(fix, true); // without a data plane a removed session ends at once
	drain(fix, sessions[4].id);
	dp_link_tick(fix->link);
	assert_int_equal(session_get(fix->sessions, sessions[4].id, &session, &fix->err), 0);
	assert_int_equal(session.state, SESSION_SETTLED);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -ENOSPC);
	clock_manual_advance(&fix->manual, 3601 * NS_PER_SEC);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	assert_int_equal(session.inner.addr[3], sessions[4].inner.addr[3]);
}

static void test_generation_is_never_used_twice(void **state)
{
	struct control_fixture *fix = *state;
	uint32_t last = 0;

	fix->config.sessions.max = 1;
	fix->config.sessions.address_quarantine_sec = 0;
	for (int i = 0; i < 5; i++) {
		control_fixture_close(fix);
		control_fixture_open(fix, true);
		const struct session session = must_add(fix, "again", 1);
		assert_int_equal(session.slot, 0);
		assert_true(session.generation > last);
		last = session.generation;
		drain(fix, session.id);
		dp_link_tick(fix->link);
	}
}

static void test_private_key_file(void **state)
{
	struct control_fixture *fix = *state;
	struct session_add add = control_fixture_add("alice", 0);
	struct session session;
	char text[SESSION_KEY_TEXT_CAP], path[400], hex[65];
	struct stat st;

	add.is_key_generated = true;
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	assert_true(session.is_private_key_kept);
	for (unsigned i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", session.public_key[i]);
	snprintf(path, sizeof(path), "%s/client-keys/%s.key", fix->config.node.state_dir, hex);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(session_read_private_key(fix->sessions, session.id, text, &fix->err), 0);
	assert_int_equal(strlen(text), 44);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(
		session_read_private_key(fix->sessions, session.id, text, &fix->err), -EPERM
	);
	assert_non_null(strstr(fix->err.text, path));
	chmod(path, 0600);
	control_fixture_close(fix); // kept over a restart: the sweep knows it
	control_fixture_open(fix, false);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(session_forget_key(fix->sessions, session.id, &session, &fix->err), 0);
	assert_false(session.is_private_key_kept);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(
		session_read_private_key(fix->sessions, session.id, text, &fix->err), -ENOENT
	);
	assert_int_equal(session_forget_key(fix->sessions, session.id, NULL, &fix->err), 0);
}

static void test_key_files_without_a_session_are_swept(void **state)
{
	struct control_fixture *fix = *state;
	struct session_add add = control_fixture_add("alice", 0);
	struct session session;
	char err[256], path[400];
	uint8_t orphan[32];

	add.is_key_generated = true;
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), 0);
	assert_int_equal(session_add(fix->sessions, &add, &session, &fix->err), -EEXIST);
	snprintf(path, sizeof(path), "%s/client-keys", fix->config.node.state_dir);
	struct temp_dir keys;
	assert_true(strlen(path) < sizeof(keys.path));
	strcpy(keys.path, path);
	assert_int_equal(temp_dir_count(&keys), 1); // the refused one left none
	assert_int_equal(
		session_key_generate(fix->config.node.state_dir, orphan, err, sizeof(err)), 0
	);
	temp_dir_write(&keys, "x.key.part", "half", 4);
	assert_int_equal(temp_dir_count(&keys), 3);
	control_fixture_close(fix);
	control_fixture_open(fix, false);
	assert_int_equal(temp_dir_count(&keys), 1);
}

static void test_every_change_is_audited(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1);
	static const char *const want[] = {
		"add",
		"pending -> provisioned",
		"top-up",
		"provisioned -> suspended",
	};
	struct session_audit_entry entry;
	struct db_txn txn;
	struct db_iter iter;
	size_t n = 0;

	session_top_up(fix->sessions, alice.id, 5, NULL, &fix->err);
	session_suspend(fix->sessions, alice.id, NULL, &fix->err);
	session_suspend(fix->sessions, alice.id, NULL, &fix->err); // refused: no line
	db_txn_begin_read(&txn, fix->db);
	db_iter_init(&iter, &txn, DB_AUDIT, NULL);
	while (db_iter_next(&iter)) {
		assert_true(n < TEST_N_ROWS(want));
		assert_int_equal(
			session_store_decode_audit(&entry, db_key_first(&iter.key), &iter.value), 0
		);
		assert_string_equal(entry.what, want[n]);
		assert_int_equal(entry.session_id, alice.id);
		n++;
	}
	db_iter_fini(&iter);
	db_txn_abort(&txn);
	assert_int_equal(n, TEST_N_ROWS(want));
}

static void test_record_cut_and_flipped(void **state)
{
	struct control_fixture *fix = *state;
	const struct session alice = must_add(fix, "alice", 1);
	uint8_t record[SESSION_RECORD_CAP], again[SESSION_RECORD_CAP];
	size_t len = session_record_encode(record, &alice);
	struct session got;

	assert_int_equal(session_record_decode(&got, record, len), 0);
	assert_memory_equal(&got.identity, &alice.identity, sizeof(got.identity));
	assert_int_equal(session_record_encode(again, &got), len);
	assert_memory_equal(record, again, len);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(session_record_decode(&got, record, cut), -EBADMSG);
	assert_int_equal(session_record_decode(&got, record, len + 1), -EBADMSG);
	for (size_t bit = 0; bit < len * 8; bit++) {
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (session_record_decode(&got, record, len) == 0) {
			// Read as what it says, nothing lost on the way.
			assert_int_equal(session_record_encode(again, &got), len);
			assert_memory_equal(record, again, len);
		}
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

// What an older release wrote is read; what it did not know is none.
static void test_older_records(void **state)
{
	struct control_fixture *fix = *state;
	struct session alice = must_add(fix, "alice", 1), got;
	uint8_t record[SESSION_RECORD_CAP];

	alice.voucher_limit_bytes = 77;
	alice.peer_unix_sec = 88;
	alice.is_key_replaced = true;
	size_t len = session_record_encode(record, &alice);
	assert_int_equal(session_record_decode(&got, record, len), 0);
	assert_int_equal(got.peer_unix_sec, 88);
	assert_true(got.is_key_replaced);
	record[0] = 2; // without the two times of a key
	assert_int_equal(session_record_decode(&got, record, len - 16), 0);
	assert_int_equal(got.voucher_limit_bytes, 77);
	assert_int_equal(got.peer_unix_sec, 0);
	record[0] = 1; // without voucher_limit_bytes too
	assert_int_equal(session_record_decode(&got, record, len - 24), 0);
	assert_int_equal(got.voucher_limit_bytes, 0);
	assert_string_equal(got.name, "alice");
	for (unsigned version = 0; version < 256; version++) {
		record[0] = (uint8_t)version;
		if (version < 1 || version > 3)
			assert_int_equal(session_record_decode(&got, record, len), -EBADMSG);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_add_and_find),
		T(test_refused_adds),
		T(test_name_and_key_belong_to_one_live_session),
		T(test_limits_are_absolute_and_checked),
		T(test_illegal_transitions_name_both_states),
		T(test_void_comes_back_to_what_it_was),
		T(test_slots_addresses_and_quarantine),
		T(test_generation_is_never_used_twice),
		T(test_private_key_file),
		T(test_key_files_without_a_session_are_swept),
		T(test_every_change_is_audited),
		T(test_record_cut_and_flipped),
		T(test_older_records),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
