// SPDX-License-Identifier: Apache-2.0
//
// The mailbox: order, by value, bounded, and the room that the slow path counts on.
#include "dataplane/mail.h"
#include "tests/rig/slow_rig.h"
#include "tests/unit/test.h"

#include <rte_lcore.h>
#include <rte_ring.h>

#include <string.h>

static int setup(void **state)
{
	static struct mailbox box;

	*state = &box;
	return mailbox_create(&box, 0, SOCKET_ID_ANY);
}

static int teardown(void **state)
{
	mailbox_destroy(*state);
	return 0;
}

static void test_order_and_bound(void **state)
{
	struct mailbox *box = *state;
	struct mail mail = {.kind = MAIL_ERASE}, found;

	for (unsigned i = 0; i < MAIL_RING; i++) {
		assert_int_equal(mail_room_down(box), MAIL_RING - i);
		mail.slot = i;
		mail.erase_ns = i * 3;
		assert_true(mail_send_down(box, &mail));
	}
	assert_int_equal(mail_room_down(box), 0);
	mail.slot = UINT32_MAX;
	assert_false(mail_send_down(box, &mail));
	for (unsigned i = 0; i < MAIL_RING; i++) {
		assert_true(mail_recv_down(box, &found));
		assert_int_equal(found.slot, i);
		assert_int_equal(found.erase_ns, i * 3);
	}
	assert_false(mail_recv_down(box, &found));
	assert_int_equal(mail_room_down(box), MAIL_RING);
}

static void test_directions_are_apart(void **state)
{
	struct mailbox *box = *state;
	struct mail found = {.slot = 77};

	assert_true(mail_send_up(box, &(struct mail){.kind = MAIL_REMOVED, .slot = 1}));
	assert_false(mail_recv_down(box, &found));
	assert_int_equal(found.slot, 77); // untouched
	assert_true(mail_recv_up(box, &found));
	assert_int_equal(found.kind, MAIL_REMOVED);
	assert_int_equal(found.slot, 1);
}

static void test_two_boxes(void **state)
{
	struct mailbox second, again;

	(void)state;
	assert_int_equal(mailbox_create(&second, 1, SOCKET_ID_ANY), 0);
	// A worker's box exists once: what was made of the second attempt is taken back.
	assert_true(mailbox_create(&again, 1, SOCKET_ID_ANY) < 0);
	mailbox_destroy(&second);
	assert_int_equal(mailbox_create(&second, 1, SOCKET_ID_ANY), 0);
	mailbox_destroy(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directions_are_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_boxes, setup, teardown),
	};

	slow_rig_eal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
