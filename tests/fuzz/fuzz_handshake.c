/* SPDX-License-Identifier: MIT */
/*
 * The first byte picks a handshake packet, the rest is a whole datagram; the nonce of the
 * client is fixed. It is tried as it is, and once more with a right checksum, which no fuzzer
 * would guess. What is read and written again reads as the same.
 */
#include <string.h>

#include "core/base/crc32c.h"
#include "core/wire/handshake.h"
#include "tests/fuzz/fuzz.h"

#define NONCE      0x0807060504030201u
#define PACKET_MAX 2048u

static uint8_t again[PACKET_MAX];

static void hello(const uint8_t *data, size_t size)
{
	struct flux_hello first, second;
	enum flux_hello_result result = flux_hello_decode(&first, data, size);
	size_t len;

	if (result == FLUX_HELLO_OTHER_VERSION)
		FUZZ_CHECK(size >= FLUX_HELLO_LEN && first.version != FLUX_WIRE_VERSION);
	if (result != FLUX_HELLO_OK)
		return;
	len = flux_hello_encode(&first, again, sizeof(again));
	FUZZ_CHECK(len == FLUX_HELLO_LEN);
	FUZZ_CHECK(flux_hello_decode(&second, again, len) == FLUX_HELLO_OK);
	first.params.unknown_critical = 0;
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void cookie(const uint8_t *data, size_t size)
{
	struct flux_cookie_packet first, second;
	size_t len;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_cookie_decode(&first, data, size, NONCE))
		return;
	len = flux_cookie_encode(&first, NONCE, again, sizeof(again));
	FUZZ_CHECK(len > 0 && len <= size);
	FUZZ_CHECK(flux_cookie_decode(&second, again, len, NONCE));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void welcome(const uint8_t *data, size_t size)
{
	struct flux_welcome first, second;
	size_t len;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_welcome_decode(&first, data, size, NONCE))
		return;
	len = flux_welcome_encode(&first, NONCE, again, sizeof(again));
	FUZZ_CHECK(len == FLUX_HELLO_LEN);
	FUZZ_CHECK(flux_welcome_decode(&second, again, len, NONCE));
	first.params.unknown_critical = 0;
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void versions(const uint8_t *data, size_t size)
{
	struct flux_versions first, second;
	size_t len;

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	if (!flux_versions_decode(&first, data, size, NONCE))
		return;
	len = flux_versions_encode(&first, NONCE, again, sizeof(again));
	FUZZ_CHECK(len > 0 && len <= size);
	FUZZ_CHECK(flux_versions_decode(&second, again, len, NONCE));
	FUZZ_CHECK(memcmp(&first, &second, sizeof(first)) == 0);
}

static void reset(const uint8_t *data, size_t size)
{
	uint8_t first[16], second[16];
	uint32_t cid, cid_again;
	size_t len;

	if (!flux_reset_decode(&cid, first, data, size))
		return;
	len = flux_reset_encode(cid, first, size, again, sizeof(again));
	FUZZ_CHECK(len == size);
	FUZZ_CHECK(flux_reset_decode(&cid_again, second, again, len));
	FUZZ_CHECK(cid == cid_again && memcmp(first, second, sizeof(first)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *, size_t) = {
		hello, cookie, welcome, versions, reset
	};
	static const uint8_t nonce[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t *packet;
	size_t which;

	if (size < 1 || size > PACKET_MAX)
		return 0;
	which = data[0] % (sizeof(targets) / sizeof(targets[0]));
	size--;
	packet = malloc(size + 1);
	FUZZ_CHECK(packet);
	memcpy(packet, data + 1, size);
	targets[which](packet, size);
	if (size >= FLUX_HEADER_LEN + FLUX_TRAILER_LEN) {
		flux_trailer_seal(packet, size - FLUX_TRAILER_LEN,
				  which == 0 ? 0 : flux_crc32c(0, nonce, sizeof(nonce)));
		targets[which](packet, size);
	}
	free(packet);
	return 0;
}
