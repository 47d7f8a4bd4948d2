// SPDX-License-Identifier: Apache-2.0
//
// GET …/config, …/qr.svg, …/qr.png and /buyers/{address}/sessions: what the operator signs, what a scanner
// reads from the pictures, who gets what, and what a bought session shows of its purchase.
#include "controlplane/session/config_proof.h"
#include "tests/unit/controlplane/http/api_story.h"

#include <ctype.h>
#include <unistd.h>

// ---- the signature ---------------------------------------------------------------------------

// Returns: whether the reply's signature is by its signer over `config`, with the bit of what it names
// flipped.
static bool is_signed(struct api_story *api, const char *config, const char *part)
{
	struct config_proof proof = {.chain_id = CHAIN_ID, .config = config};
	uint8_t digest[EVM_KECCAK_SIZE], signature[65], signer[20], recovered[20];
	char text[CONFIG_PROOF_TEXT_CAP];

	memcpy(proof.escrow, contract + 12, 20);
	proof.node_id[31] = API_STORY_NODE;
	memset(proof.session_id, 0x51, 32);
	proof.chain_id ^= strcmp(part, "chain") == 0;
	proof.escrow[0] ^= strcmp(part, "escrow") == 0;
	proof.node_id[0] ^= strcmp(part, "node") == 0;
	proof.session_id[0] ^= strcmp(part, "session") == 0;
	assert_int_equal(evm_hex_parse(api_story_text(api, "signature"), signature, 65), 0);
	assert_int_equal(evm_address_parse(api_story_text(api, "signer"), signer), 0);
	int len = config_proof_text(&proof, text, sizeof(text));
	assert_true(len > 0);
	evm_eip712_personal_digest(text, (size_t)len, digest);
	return evm_signer_recover(digest, signature, recovered) == 0 &&
		memcmp(recovered, signer, 20) == 0;
}

static void test_operator_signs(void **state)
{
	static const char *const parts[] = {"chain", "escrow", "node", "session"};
	struct api_story *api = *state;
	char text[EVM_ADDRESS_TEXT_SIZE], *config;
	uint8_t address[20];

	api_story_choose(api, 2);
	assert_int_equal(api_story_get(api, API_STORY_PATH "/config", api->alices_token), 200);
	evm_signer_address(api->node, address);
	evm_address_format(address, text);
	assert_string_equal(api_story_text(api, "signer"), text);
	config = strdup(api_story_text(api, "config"));
	assert_non_null(strstr(config, CLIENT_CONF_KEY_PLACEHOLDER));
	assert_non_null(strstr(config, api_story_text(api, "signature"))); // of the file alone too
	assert_true(is_signed(api, config, ""));
	for (size_t i = 0; i < TEST_N_ROWS(parts); i++)
		assert_false(is_signed(api, config, parts[i]));
	// Each character of a line that says something.
	unsigned n_covered = 0;
	for (char *line = config; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		bool is_covered = line[0] != '#' && strncmp(line, "PrivateKey", 10) != 0;
		for (size_t i = 0; i < len && is_covered; i++, n_covered++) {
			line[i] ^= 2;
			assert_false(is_signed(api, config, ""));
			line[i] ^= 2;
		}
		line += len + (line[len] == '\n');
	}
	assert_true(n_covered > 100);
	free(config);
}

// Filled in by its owner, the file is still the operator's.
static void test_private_key_is_not_covered(void **state)
{
	struct api_story *api = *state;
	char *config, *at;

	api_story_choose(api, 2);
	assert_int_equal(api_story_get(api, API_STORY_PATH "/config", api->alices_token), 200);
	config = strdup(api_story_text(api, "config"));
	at = strstr(config, CLIENT_CONF_KEY_PLACEHOLDER);
	memset(at, 'A', strlen(CLIENT_CONF_KEY_PLACEHOLDER));
	assert_true(is_signed(api, config, ""));
	free(config);
	// And the one that the node filled in is signed the same way.
	assert_int_equal(
		api_story_post(
			api, API_STORY_PATH "/peer", api->alices_token, "{\"generate_key\":true}"
		),
		200
	);
	assert_true(is_signed(api, api_story_text(api, "config"), ""));
}

static void test_before_a_key(void **state)
{
	struct api_story *api = *state;

	api_story_refused(
		api,
		api_story_get(api, API_STORY_PATH "/config", api->alices_token),
		409,
		"not-provisioned"
	);
}

// ---- pictures --------------------------------------------------------------------------------

// What a scanner reads from a file. The caller frees it.
static char *scan(const char *path)
{
	char command[600], *text = calloc(1, 8192);
	FILE *pipe;
	size_t len;

	snprintf(command, sizeof(command), "zbarimg -q --raw '%s' 2>/dev/null", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(text, 1, 8191, pipe);
	assert_int_equal(pclose(pipe), 0);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0'; // the scanner's own
	return text;
}

static void write_file(struct api_story *api, const char *name, const void *data, size_t len)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", api->story->set.fix.tmp.path, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

// Paints an SVG of ours: white ground, dark runs "Mx yhNv1h-Nz".
static size_t paint(const char *svg, char *pgm)
{
	const char *at = strstr(svg, "viewBox=\"0 0 "), *path = strstr(svg, "<path d=\"");
	int size, x, y, len, n;

	assert_non_null(at);
	assert_non_null(path);
	assert_int_equal(sscanf(at, "viewBox=\"0 0 %d", &size), 1);
	size_t head = (size_t)sprintf(pgm, "P5 %d %d 255\n", 4 * size, 4 * size);
	memset(pgm + head, 255, (size_t)(16 * size * size));
	for (path += strlen("<path d=\"");
	     sscanf(path, "M%d %dh%dv1h-%*dz%n", &x, &y, &len, &n) == 3;
	     path += n) {
		for (int i = 0; i < 4; i++)
			memset(pgm + head + (4 * y + i) * 4 * size + 4 * x, 0, (size_t)(4 * len));
	}
	assert_int_equal(strncmp(path, "\"/></svg>", 9), 0);
	return head + (size_t)(16 * size * size);
}

static void check_scanned(struct api_story *api, const char *name, const char *config)
{
	char path[512];
	char *text;

	snprintf(path, sizeof(path), "%s/%s", api->story->set.fix.tmp.path, name);
	text = scan(path);
	assert_true(strlen(text) > 200);
	// The file has the signature's comments at its end.
	assert_int_equal(strncmp(config, text, strlen(text)), 0);
	free(text);
}

static void test_pictures(void **state)
{
	struct api_story *api = *state;
	char *config, *pgm = calloc(1, 4 << 20);

	api_story_refused(
		api,
		api_story_get(api, API_STORY_PATH "/qr.png", api->alices_token),
		409,
		"no-private-key"
	);
	assert_int_equal(
		api_story_post(
			api, API_STORY_PATH "/peer", api->alices_token, "{\"generate_key\":true}"
		),
		200
	);
	config = strdup(api_story_text(api, "config"));
	assert_int_equal(api_story_get(api, API_STORY_PATH "/qr.png", api->alices_token), 200);
	write_file(api, "code.png", api->text, api->text_len);
	check_scanned(api, "code.png", config);
	assert_int_equal(api_story_get(api, API_STORY_PATH "/qr.svg", api->alices_token), 200);
	write_file(api, "code.pgm", pgm, paint(api->text, pgm));
	check_scanned(api, "code.pgm", config);
	assert_int_equal(api_story_get(api, API_STORY_PATH "/qr.png", api->bobs_token), 404);
	assert_int_equal(api_story_get(api, API_STORY_PATH "/qr.svg", NULL), 401);
	// Forgotten, or replaced by one's own: no picture any more.
	assert_int_equal(
		api_story_post(api, API_STORY_PATH "/forget-key", api->alices_token, NULL), 200
	);
	api_story_refused(
		api,
		api_story_get(api, API_STORY_PATH "/qr.svg", api->alices_token),
		409,
		"no-private-key"
	);
	assert_non_null(strstr(api_story_text(api, "detail"), "twctl buyer provision --qr"));
	free(config);
	free(pgm);
}

// ---- what was bought -------------------------------------------------------------------------

static void buyers_path(const struct evm_signer *who, char path[96])
{
	char text[EVM_ADDRESS_TEXT_SIZE];
	uint8_t address[20];

	evm_signer_address(who, address);
	evm_address_format(address, text);
	snprintf(path, 96, "/api/v1/buyers/%s/sessions", text);
}

static unsigned n_listed(const struct api_story *api)
{
	const struct json_value *session = json_first(json_member(api->reply, "sessions"));
	unsigned n = 0;

	for (; session != NULL; session = json_next(session))
		n++;
	return n;
}

static void test_list_of_a_buyer(void **state)
{
	struct api_story *api = *state;
	char alices[96], bobs[96];

	buyers_path(api->alice, alices);
	buyers_path(api->bob, bobs);
	api_story_buy(api, PURCHASE_OPTIMISTIC, 2 * GB, 0x52);
	assert_int_equal(api_story_get(api, alices, api->alices_token), 200);
	assert_int_equal(n_listed(api), 2);
	assert_true(json_is_null(json_member(api->reply, "next_id")));
	for (char *p = alices + strlen("/api/v1/buyers/0x"); *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	assert_int_equal(api_story_get(api, alices, api->alices_token), 200);
	assert_int_equal(n_listed(api), 2);
	assert_int_equal(api_story_get(api, bobs, api->bobs_token), 200);
	assert_int_equal(n_listed(api), 0);
	assert_int_equal(api_story_get(api, alices, api->bobs_token), 403);
	assert_int_equal(api_story_get(api, alices, NULL), 401);
	assert_int_equal(api_story_get(api, alices, "wrong"), 401);
	assert_int_equal(api_story_get(api, "/api/v1/buyers/0x1/sessions", api->bobs_token), 400);
	clock_manual_advance(&api->story->set.fix.manual, 3601 * NS_PER_SEC);
	assert_int_equal(api_story_get(api, alices, api->alices_token), 401);
}

static const struct json_value *purchase_of(struct api_story *api)
{
	assert_int_equal(api_story_get(api, API_STORY_PATH, api->alices_token), 200);
	return json_member(api->reply, "purchase");
}

static bool is_waiting(struct api_story *api)
{
	bool value = false;

	assert_int_equal(api_story_get(api, API_STORY_PATH, api->alices_token), 200);
	assert_int_equal(
		json_bool(
			json_member(json_member(api->reply, "usage"), "is_waiting_for_voucher"),
			&value
		),
		0
	);
	return value;
}

static uint64_t purchase_count(struct api_story *api, const char *name)
{
	uint64_t value = 0;

	assert_int_equal(json_count(json_member(purchase_of(api), name), &value), 0);
	return value;
}

static void test_waiting_for_a_voucher_is_shown(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;

	api_story_choose(api, 2);
	settle_down(story);
	fake_dataplane_handshake(&story->set.dp, now(story).slot);
	settle_down(story);
	assert_string_equal(json_string(json_member(purchase_of(api), "mode")), "voucher");
	assert_string_equal(json_string(json_member(purchase_of(api), "settles_by")), "refund");
	assert_string_equal(json_string(json_member(purchase_of(api), "session_id")), API_STORY_ID);
	assert_int_equal(purchase_count(api, "credit_left_bytes"), 1 * MB);
	assert_false(is_waiting(api));
	pass(story, 2 * MB);
	assert_true(is_waiting(api));
	assert_int_equal(purchase_count(api, "credit_left_bytes"), 0);
	assert_int_equal(
		purchase_count(api, "waits_until_unix_sec"),
		purchase_count(api, "waiting_since_unix_sec") + PATIENCE_SEC
	);
	assert_string_equal(json_string(json_member(api->reply, "state")), "active");
	assert_int_equal(post_bytes(story, 1 * MB), 0);
	settle_down(story);
	assert_false(is_waiting(api));
	assert_int_equal(purchase_count(api, "voucher_bytes"), 1 * MB);
	assert_int_equal(purchase_count(api, "limit_bytes"), 2 * MB);
	assert_string_equal(json_string(json_member(purchase_of(api), "settles_by")), "voucher");
	// A voucher signer has no token, so it sees nothing; and nobody else does.
	assert_int_equal(api_story_get(api, API_STORY_PATH, api->bobs_token), 404);
	assert_int_equal(api_story_get(api, API_STORY_PATH, NULL), 401);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_story_begin, api_story_end)
	const struct CMUnitTest tests[] = {
		TEST(test_operator_signs),
		TEST(test_private_key_is_not_covered),
		TEST(test_before_a_key),
		TEST(test_pictures),
		TEST(test_list_of_a_buyer),
		TEST(test_waiting_for_a_voucher_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
