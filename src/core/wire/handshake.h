/* SPDX-License-Identifier: MIT */
/*
 * HELLO, COOKIE, WELCOME, VERSIONS and RESET as whole datagrams, mode PLAIN (protocol 2.4, 2.8,
 * 2.9). They carry their own checksum rule, so encode seals and decode checks. Encoders return
 * the datagram's length, or 0 if `cap` is too small.
 */
#ifndef FLUX_CORE_WIRE_HANDSHAKE_H
#define FLUX_CORE_WIRE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/wire/packet.h"
#include "core/wire/params.h"

#define FLUX_HELLO_LEN  1200u /* padded to; the smallest path that can hold a session */
#define FLUX_COOKIE_LEN 16u
#define FLUX_MODE_PLAIN 0u
#define FLUX_SUITE_CRC  0u

struct flux_hello {
	uint8_t version; /* of the header; encode writes FLUX_WIRE_VERSION whatever it says */
	uint8_t mode;    /* decode takes FLUX_MODE_PLAIN only */
	bool has_cookie;
	uint32_t cid; /* the client's */
	uint32_t attempt;
	uint32_t ts;
	uint8_t version_min, version_max;
	uint16_t suites; /* bit i: suite i */
	uint32_t key_hint;
	uint64_t nonce;
	uint64_t boot;
	uint8_t cookie[FLUX_COOKIE_LEN];
	struct flux_params params;
};

struct flux_cookie_packet {
	uint32_t cid;
	uint32_t attempt;
	uint32_t ts;
	uint8_t cookie[FLUX_COOKIE_LEN];
};

struct flux_welcome {
	uint32_t cid; /* the client's */
	uint32_t attempt;
	uint32_t ts;
	uint8_t version;
	uint8_t suite;
	uint32_t server_cid;
	uint64_t nonce; /* the server's */
	uint64_t boot;  /* the server's */
	uint32_t echo_ts;
	uint32_t echo_dly;
	struct flux_params params;
};

struct flux_versions {
	uint32_t cid;
	uint32_t attempt;
	uint32_t ts;
	uint8_t version_min, version_max;
};

/*
 * Decoding a HELLO of a version we lack: version, cid, attempt, ts and nonce are set by the
 * fixed part (the first 16 bytes never change), and the result is FLUX_HELLO_OTHER_VERSION. Its
 * checksum is not ours to judge.
 */
enum flux_hello_result {
	FLUX_HELLO_OK,
	FLUX_HELLO_BAD,
	FLUX_HELLO_OTHER_VERSION
};

enum flux_hello_result flux_hello_decode(struct flux_hello *h, const uint8_t *data, size_t len);
/*
 * The rest are answers and checked against the nonce that the client chose. False: not for us,
 * or broken. VERSIONS is taken with any version in its header: the server that sends it may
 * lack ours.
 */
bool flux_cookie_decode(struct flux_cookie_packet *c, const uint8_t *data, size_t len, uint64_t nonce_c);
bool flux_welcome_decode(struct flux_welcome *w, const uint8_t *data, size_t len, uint64_t nonce_c);
bool flux_versions_decode(struct flux_versions *v, const uint8_t *data, size_t len, uint64_t nonce_c);

size_t flux_hello_encode(const struct flux_hello *h, uint8_t *out, size_t cap);
size_t flux_cookie_encode(const struct flux_cookie_packet *c, uint64_t nonce_c, uint8_t *out, size_t cap);
size_t flux_welcome_encode(const struct flux_welcome *w, uint64_t nonce_c, uint8_t *out, size_t cap);
size_t flux_versions_encode(const struct flux_versions *v, uint64_t nonce_c, uint8_t *out, size_t cap);

/*
 * RESET: header with the cid of the offending packet, the token, zero tail up to `len` (40 or
 * more).
 */
bool flux_reset_decode(uint32_t *cid, uint8_t token[16], const uint8_t *data, size_t len);
size_t flux_reset_encode(uint32_t cid, const uint8_t token[16], size_t len, uint8_t *out, size_t cap);

#endif
