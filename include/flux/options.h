/* SPDX-License-Identifier: MIT */
/*
 * An endpoint's options as one text, "key=value,key=value": for command lines, configuration files and logs.
 *
 * The keys are the names of the members of struct flux_endpoint_cfg, without `mem`, `seed` and `reset_key`, and
 * without `accept` and `rcvbuf`, which whoever opens the socket sets. A value is
 *
 *	a number  1200, or 64K, 2M, 1G (powers of 1024): of things, of bytes, or of bytes a second (rate_bps);
 *	a time    500us, 20ms, 15s (and ns); never without its unit;
 *	a word    for what no number says: cwnd=none, rate_bps=none, connect_timeout=never, first_seq=random,
 *	          boot_id=random.
 *
 * No blanks, no key twice, nothing empty.
 */
#ifndef FLUX_OPTIONS_H
#define FLUX_OPTIONS_H

#include <flux/endpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Room for every text of flux_endpoint_cfg_format(), with its final zero byte. */
#define FLUX_OPTIONS_TEXT 512

/**
 * Set the members that a text names, and no others.
 *
 * @param cfg   [in,out] from FLUX_ENDPOINT_CFG_INIT. On failure nothing of it is changed. What it held already is
 *              checked with the rest, as one limit may follow from another member.
 * @param text  zero-terminated, "key=value,key=value".
 * @param why   [out] NULL, or FLUX_WHY_TEXT bytes: on failure which option is wrong, the limit, and what to write
 *              instead; else empty.
 *
 * @return 0; or
 *         FLUX_EINVAL  an unknown or repeated key, no or a wrong value, or a member out of range: see `why`;
 *         FLUX_E2BIG   cfg is of a newer library and asks for what this one lacks.
 *
 * Thread: any.
 * Cost:   no allocation, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_endpoint_cfg_parse(struct flux_endpoint_cfg *cfg, const char *text, char *why);

/**
 * Write the configuration that is in effect, defaults filled in, with every key. Read by flux_endpoint_cfg_parse(), it
 * gives the same again.
 *
 * @param cfg   as for flux_endpoint_create().
 * @param out   [out] set only on success; terminated.
 * @param size  of `out`, bytes; FLUX_OPTIONS_TEXT is always enough.
 *
 * @return 0; or
 *         FLUX_EINVAL    a member is out of range: flux_endpoint_create() says which;
 *         FLUX_E2BIG     cfg is of a newer library and asks for what this one lacks;
 *         FLUX_EMSGSIZE  `size` is too small: give FLUX_OPTIONS_TEXT.
 *
 * Thread: any.
 * Cost:   no allocation, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_endpoint_cfg_format(const struct flux_endpoint_cfg *cfg, char *out, size_t size);

/** What there is to say about an option. */
struct flux_option {
	uint32_t size;       /**< sizeof(struct flux_option), set by the initialiser */
	char range[84];      /**< such as "16 to 65536, a power of two" */
	char initial[40];    /**< the default, such as "15s" */
	const char *key;     /**< static */
	const char *meaning; /**< one line of words; static */
};

#define FLUX_OPTION_INIT                           \
	{                                          \
		.size = sizeof(struct flux_option) \
	}

/**
 * Describe an option, for a list of all.
 *
 * @param i       0 and up.
 * @param option  [in,out] from FLUX_OPTION_INIT; set only if 1 is returned.
 *
 * @return 1, or 0 if there are not so many.
 *
 * Thread: any.
 * Cost:   no allocation, no system call.
 */
FLUX_API int flux_endpoint_option(uint32_t i, struct flux_option *option);

#ifdef __cplusplus
}
#endif

#endif
