// SPDX-License-Identifier: Apache-2.0
//
// Encodes what encoders.test.mjs asks for, so that an independent library can be held against it.
// One case a line on stdin, words divided by one blank, byte strings in hex with 0x; one answer a
// line on stdout. A case that cannot be read ends the program with a message and status 2.
//
//	keccak BYTES                    digest
//	address BYTES                   EIP-55 text
//	rlp [ ITEM | [ | ] ]...         encoding
//	abi [ begin N | word BYTES | bytes BYTES | tuple N | array N HEADS | end ]...
//	tx KEY TYPE CHAIN NONCE TIP FEE GAS TO VALUE DATA [ADDRESS N_KEYS KEY...]...
//	                                raw hash sender, decoded and recovered from the raw bytes
//	typed KEY NAME VERSION CHAIN CONTRACT TYPE [ word BYTES | bytes BYTES ]...
//	                                digest signature
//	personal KEY BYTES              digest signature
//	seal KEY PASSWORD LOG2N         a keystore's JSON on one line
//	open PASSWORD JSON              key

#include "controlplane/chain/evm/evm_abi.h"
#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/chain/evm/evm_keystore.h"
#include "controlplane/chain/evm/evm_rlp.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/evm/evm_tx.h"
#include "controlplane/json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_CAP (1 << 20)
#define BYTES_CAP (LINE_CAP / 2)

static char *rest; // of the line
static uint8_t out[BYTES_CAP];

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "encoder_cases: bad case: %s\n", what);
	exit(2);
}

static const char *word(void)
{
	char *w = strsep(&rest, " ");

	if (w == NULL)
		die("a word is missing");
	return w;
}

static uint8_t *bytes(size_t *len)
{
	const char *text = word();
	uint8_t *data = malloc(strlen(text) / 2 + 1);

	if (data == NULL || evm_hex_parse_bytes(text, data, strlen(text) / 2, len) < 0)
		die(text);
	return data;
}

static void fixed(uint8_t *dst, size_t want)
{
	const char *text = word();

	if (evm_hex_parse(text, dst, want) < 0)
		die(text);
}

static struct u256 number(void)
{
	const char *text = word();
	struct u256 value;

	if (u256_parse_dec(text, &value) < 0)
		die(text);
	return value;
}

static uint64_t small(void)
{
	uint64_t value;

	if (u256_to_u64(number(), &value) < 0)
		die("number above 64 bits");
	return value;
}

static void print_hex(const uint8_t *data, size_t len, char end)
{
	char *text = malloc(EVM_HEX_SIZE(len));

	evm_hex_format(data, len, text);
	printf("%s%c", text, end);
	free(text);
}

static void run_keccak(void)
{
	uint8_t digest[EVM_KECCAK_SIZE];
	size_t len;
	uint8_t *data = bytes(&len);

	evm_keccak_256(data, len, digest);
	print_hex(digest, sizeof(digest), '\n');
	free(data);
}

static void run_address(void)
{
	uint8_t address[EVM_ADDRESS_SIZE];
	char text[EVM_ADDRESS_TEXT_SIZE];

	fixed(address, sizeof(address));
	evm_address_format(address, text);
	printf("%s\n", text);
}

static void run_rlp(void)
{
	size_t marks[64], n_marks = 0;
	struct evm_rlp_writer w;

	evm_rlp_writer_init(&w, out, sizeof(out));
	while (rest != NULL) {
		if (rest[0] == '[') {
			word();
			marks[n_marks++] = evm_rlp_list_begin(&w);
		} else if (rest[0] == ']') {
			word();
			evm_rlp_list_end(&w, marks[--n_marks]);
		} else {
			size_t len;
			uint8_t *data = bytes(&len);

			evm_rlp_put_bytes(&w, data, len);
			free(data);
		}
	}
	if (w.error < 0)
		die("rlp");
	print_hex(out, w.len, '\n');
}

static void run_abi(void)
{
	struct evm_abi_writer w;

	evm_abi_writer_init(&w, out, sizeof(out));
	while (rest != NULL) {
		const char *op = word();

		if (strcmp(op, "begin") == 0) {
			evm_abi_begin(&w, small());
		} else if (strcmp(op, "tuple") == 0) {
			evm_abi_tuple_begin(&w, small());
		} else if (strcmp(op, "array") == 0) {
			size_t n = small();

			evm_abi_array_begin(&w, n, small());
		} else if (strcmp(op, "end") == 0) {
			evm_abi_end(&w);
		} else if (strcmp(op, "word") == 0) {
			uint8_t value[EVM_ABI_WORD];

			fixed(value, sizeof(value));
			evm_abi_put_word(&w, value);
		} else {
			size_t len;
			uint8_t *data = bytes(&len);

			evm_abi_put_bytes(&w, data, len);
			free(data);
		}
	}
	if (evm_abi_finish(&w) < 0)
		die("abi");
	print_hex(out, w.len, '\n');
}

static struct evm_signer *signer(void)
{
	uint8_t key[EVM_SIGNER_KEY_SIZE];
	struct evm_signer *made;

	fixed(key, sizeof(key));
	if (evm_signer_create(&made, key) < 0)
		die("key");
	return made;
}

static void read_access_list(struct evm_tx *tx, struct evm_rlp_writer *list)
{
	while (rest != NULL) {
		uint8_t address[EVM_ADDRESS_SIZE], keys[16][32];
		size_t n_keys;

		fixed(address, sizeof(address));
		n_keys = small();
		for (size_t i = 0; i < n_keys && i < 16; i++)
			fixed(keys[i], 32);
		evm_tx_access_list_put(list, address, keys, n_keys);
	}
	tx->access_list = list->buf;
	tx->access_list_len = list->len;
}

static void run_tx(void)
{
	struct evm_signer *by = signer();
	uint8_t list_buf[16384], hash[EVM_KECCAK_SIZE], sender[EVM_ADDRESS_SIZE];
	struct evm_rlp_writer list;
	struct evm_tx back, tx = {.type = (uint8_t)small()};
	const char *to;
	uint8_t *data;
	size_t len;

	tx.chain_id = small();
	tx.account_nonce = small();
	tx.max_priority_fee_per_gas_wei = number();
	tx.max_fee_per_gas_wei = number();
	tx.gas_limit = small();
	to = word();
	tx.is_create = strcmp(to, "0x") == 0;
	if (!tx.is_create && evm_hex_parse(to, tx.to, sizeof(tx.to)) < 0)
		die(to);
	tx.value_wei = number();
	data = bytes(&tx.data_len);
	tx.data = data;
	evm_rlp_writer_init(&list, list_buf, sizeof(list_buf));
	read_access_list(&tx, &list);
	if (evm_signer_sign_tx(by, &tx, out, sizeof(out), &len) < 0)
		die("tx");
	print_hex(out, len, ' ');
	evm_tx_hash(out, len, hash);
	print_hex(hash, sizeof(hash), ' ');
	if (evm_tx_decode(&back, out, len) < 0 ||
	    evm_signer_recover_tx(&back, out + len, sizeof(out) - len, sender) < 0)
		die("tx does not come back");
	print_hex(sender, sizeof(sender), '\n');
	free(data);
	evm_signer_destroy(by);
}

static void print_signature(struct evm_signer *by, const uint8_t digest[EVM_KECCAK_SIZE])
{
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE], self[EVM_ADDRESS_SIZE];

	evm_signer_address(by, self);
	if (evm_signer_sign(by, digest, signature) < 0 ||
	    evm_signer_verify(self, digest, signature) < 0)
		die("signature");
	print_hex(digest, EVM_KECCAK_SIZE, ' ');
	print_hex(signature, sizeof(signature), '\n');
	evm_signer_destroy(by);
}

// Texts come as hex, for they may hold blanks.
static char *text(void)
{
	size_t len;
	uint8_t *data = bytes(&len);

	data[len] = '\0'; // bytes() allocates one more than the length
	return (char *)data;
}

static void run_typed(void)
{
	uint8_t separator[EVM_KECCAK_SIZE], hash[EVM_KECCAK_SIZE], digest[EVM_KECCAK_SIZE];
	struct evm_signer *by = signer();
	struct evm_eip712_domain domain = {0};
	struct evm_eip712_struct s;
	char *name = text(), *version = text(), *type;

	domain.name = name;
	domain.version = version;
	domain.chain_id = number();
	fixed(domain.verifying_contract, EVM_ADDRESS_SIZE);
	evm_eip712_domain_separator(&domain, separator);
	type = text();
	evm_eip712_begin(&s, type);
	while (rest != NULL) {
		bool is_word = strcmp(word(), "word") == 0;
		size_t len;
		uint8_t *data = bytes(&len);

		if (is_word)
			evm_eip712_put_word(&s, data);
		else
			evm_eip712_put_bytes(&s, data, len);
		free(data);
	}
	evm_eip712_end(&s, hash);
	evm_eip712_digest(separator, hash, digest);
	print_signature(by, digest);
	free(name);
	free(version);
	free(type);
}

static void run_personal(void)
{
	struct evm_signer *by = signer();
	uint8_t digest[EVM_KECCAK_SIZE];
	size_t len;
	uint8_t *data = bytes(&len);

	evm_eip712_personal_digest(data, len, digest);
	print_signature(by, digest);
	free(data);
}

static void run_seal(void)
{
	uint8_t key[EVM_SIGNER_KEY_SIZE], address[EVM_ADDRESS_SIZE];
	const char *password;
	struct evm_signer *by;
	char *json;

	fixed(key, sizeof(key));
	password = word();
	if (evm_signer_create(&by, key) < 0)
		die("key");
	evm_signer_address(by, address);
	if (evm_keystore_seal(
		    key, address, password, strlen(password), (unsigned int)small(), &json
	    ) < 0)
		die("seal");
	for (char *p = json; *p != '\0'; p++)
		putchar(*p == '\n' ? ' ' : *p);
	putchar('\n');
	json_free_text(json);
	evm_signer_destroy(by);
}

static void run_open(void)
{
	const char *password = word();
	struct evm_keystore_key key;
	struct secret_file_why why;

	if (evm_keystore_open_sealed(rest, strlen(rest), password, strlen(password), &key, &why) <
	    0)
		die(why.text);
	print_hex(key.key, sizeof(key.key), '\n');
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} kinds[] = {
		{"keccak", run_keccak},
		{"address", run_address},
		{"rlp", run_rlp},
		{"abi", run_abi},
		{"tx", run_tx},
		{"typed", run_typed},
		{"personal", run_personal},
		{"seal", run_seal},
		{"open", run_open},
	};
	char *line = malloc(LINE_CAP);

	while (fgets(line, LINE_CAP, stdin) != NULL) {
		size_t i = 0;
		const char *kind;

		rest = line;
		rest[strcspn(rest, "\n")] = '\0';
		kind = word();
		while (i < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[i].name, kind) != 0)
			i++;
		if (i == sizeof(kinds) / sizeof(kinds[0]))
			die(kind);
		kinds[i].run();
	}
	free(line);
	return 0;
}
