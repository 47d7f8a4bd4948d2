// SPDX-License-Identifier: Apache-2.0
//
// The control plane's modules on a directory of their own and a clock that stands still.
#pragma once

#include "common/clock.h"
#include "common/log.h"
#include "controlplane/dp_link.h"
#include "tests/unit/common/temp_dir.h"

#include <sys/stat.h>

#define FIXTURE_UNIX_SEC 1700000000ull

struct control_fixture {
	struct temp_dir tmp;
	struct config config;
	struct clock clock;
	struct clock_manual manual;
	struct health health;
	struct db *db;
	struct session_book *sessions;
	struct usage_book *usage;
	struct dp_link *link;
	struct session_error err;
};

// Whoever is told of a session is told what stands in the store already.
static inline void control_fixture_changed(void *ctx, const struct session *session)
{
	struct control_fixture *fix = ctx;
	struct session_error err;
	struct session stored;

	TEMP_DIR_CHECK(session_get(fix->sessions, session->id, &stored, &err) == 0);
	TEMP_DIR_CHECK(stored.state == session->state);
	TEMP_DIR_CHECK(session_limit_bytes(&stored) == session_limit_bytes(session));
	if (fix->link != NULL)
		dp_link_session_changed(fix->link, session);
}

// Store, books and link on what is in the directory.
static inline void control_fixture_open(struct control_fixture *fix, bool has_link)
{
	const struct db_conf db = {.path = fix->config.store.path, .map_size_mb = 16};
	char err[DB_WHY_CAP];

	health_init(&fix->health);
	TEMP_DIR_CHECK(db_open(&fix->db, &db, err, sizeof(err)) == 0);
	const struct session_book_conf sessions = {
		.db = fix->db,
		.config = &fix->config,
		.clock = &fix->clock,
		.changed = control_fixture_changed,
		.changed_ctx = fix,
	};
	TEMP_DIR_CHECK(session_book_create(&fix->sessions, &sessions, &fix->err) == 0);
	const struct usage_book_conf usage = {
		.db = fix->db,
		.config = &fix->config,
		.clock = &fix->clock,
	};
	TEMP_DIR_CHECK(usage_book_create(&fix->usage, &usage) == 0);
	if (!has_link)
		return;
	const struct dp_link_conf link = {
		.config = &fix->config,
		.clock = &fix->clock,
		.db = fix->db,
		.sessions = fix->sessions,
		.usage = fix->usage,
		.health = &fix->health,
	};
	TEMP_DIR_CHECK(dp_link_create(&fix->link, &link) == 0);
}

static inline void control_fixture_close(struct control_fixture *fix)
{
	dp_link_destroy(fix->link);
	usage_book_destroy(fix->usage);
	session_book_destroy(fix->sessions);
	db_close(fix->db);
	fix->link = NULL;
}

// A directory, a configuration and the time; nothing opened.
static inline void control_fixture_init(struct control_fixture *fix)
{
	struct config *config = &fix->config;

	memset(fix, 0, sizeof(*fix));
	log_set_level(LOG_LEVEL_ERROR);
	temp_dir_create(&fix->tmp);
	clock_manual_init(&fix->clock, &fix->manual, FIXTURE_UNIX_SEC * NS_PER_SEC);
	snprintf(config->node.runtime_dir, CONFIG_TEXT_CAP, "%s/run", fix->tmp.path);
	snprintf(config->node.state_dir, CONFIG_TEXT_CAP, "%s/state", fix->tmp.path);
	snprintf(config->store.path, CONFIG_TEXT_CAP, "%s/store", fix->tmp.path);
	TEMP_DIR_CHECK(mkdir(config->node.runtime_dir, 0755) == 0);
	config->tunnel.network = (struct config_cidr){.addr = 0x0a080000, .prefix_len = 28};
	config->tunnel.address = 0x0a080001;
	config->sessions.max = 16;
	config->sessions.address_quarantine_sec = 3600;
	config->sessions.free_rate_kbps = 64;
	config->usage.poll_interval_ms = 1000;
	config->usage.checkpoint_bytes = 1000000;
	config->usage.checkpoint_interval_sec = 60;
}

static inline void control_fixture_fini(struct control_fixture *fix)
{
	temp_dir_remove(&fix->tmp);
}

// A usable public key: the base point times n (a small number makes no small order).
static inline void control_fixture_public_key(uint8_t ret[32], uint8_t n)
{
	memset(ret, 0, 32);
	ret[0] = 9;
	ret[1] = n;
}

static inline struct session_add control_fixture_add(const char *name, uint8_t n)
{
	struct session_add add = {
		.name = name,
		.quota_bytes = 5000,
		.duration_sec = 3600,
	};

	control_fixture_public_key(add.public_key, n);
	return add;
}
