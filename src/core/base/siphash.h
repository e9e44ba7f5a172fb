/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 with a 128-bit result (Aumasson and Bernstein): cookies, reset tokens, the generator. */
#ifndef FLUX_CORE_BASE_SIPHASH_H
#define FLUX_CORE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

void flux_siphash128(uint8_t out[16], const void *data, size_t len, const uint8_t key[16]);

#endif
