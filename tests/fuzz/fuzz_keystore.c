// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for keystores: any text with a fixed password. A refusal says why; what opens is
// sealed again and opens to the same key. Costs above the cheapest are not worth a fuzzer's time,
// so inputs that ask for them are left out.

#include "controlplane/chain/evm/evm_keystore.h"
#include "controlplane/json/json.h"

#include <stdlib.h>
#include <string.h>

#define PASSWORD "testpassword"
#define WORK_MAX 4096 // n * r * p

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_cheap(const uint8_t *data, size_t size)
{
	struct json_value *doc;
	const struct json_value *kdf;
	uint64_t n = 1, r = 1, p = 1;

	if (json_parse((const char *)data, size, &doc) < 0)
		return 1;
	kdf = json_member(json_member(doc, "crypto"), "kdfparams");
	if (kdf == NULL)
		kdf = json_member(json_member(doc, "Crypto"), "kdfparams");
	(void)!json_u64(json_member(kdf, "n"), &n);
	(void)!json_u64(json_member(kdf, "r"), &r);
	(void)!json_u64(json_member(kdf, "p"), &p);
	json_free(doc);
	return n <= WORK_MAX && r <= WORK_MAX && p <= WORK_MAX && n * r * p <= WORK_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret_file_why why = {""};
	struct evm_keystore_key key, again;
	char *text;

	if (!check_cheap(data, size))
		return 0;
	if (evm_keystore_open_sealed(
		    (const char *)data, size, PASSWORD, strlen(PASSWORD), &key, &why
	    ) < 0) {
		if (why.text[0] == '\0')
			abort();
		return 0;
	}
	if (evm_keystore_seal(key.key, key.address, PASSWORD, strlen(PASSWORD), 1, &text) < 0)
		abort();
	if (evm_keystore_open_sealed(text, strlen(text), PASSWORD, strlen(PASSWORD), &again, &why) <
		    0 ||
	    memcmp(again.key, key.key, sizeof(key.key)) != 0)
		abort();
	json_free_text(text);
	return 0;
}
