// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for sign-in messages: what is accepted has no NUL and no text that was cut, names
// the address once in its EIP-55 letters, and a copy with its last byte gone is another message.
#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/http/siwe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size == 0 ? 1 : size), address[EVM_ADDRESS_TEXT_SIZE];
	const char *part = NULL;
	struct siwe_message message;

	memcpy(text, data, size);
	if (siwe_parse(&message, text, size, &part) < 0) {
		if (part == NULL)
			abort();
	} else {
		evm_address_format(message.address, address);
		if (memchr(text, '\0', size) != NULL || memmem(text, size, address, 42) == NULL ||
		    memmem(text, size, message.domain, strlen(message.domain)) == NULL ||
		    memmem(text, size, message.challenge, strlen(message.challenge)) == NULL ||
		    strlen(message.challenge) < 8 || message.issued_unix_sec < -86400)
			abort();
	}
	free(text);
	return 0;
}
