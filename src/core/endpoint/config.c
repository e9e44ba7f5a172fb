/* SPDX-License-Identifier: MIT */
/* An endpoint's configuration: ranges and defaults. */
#include <string.h>

#include "core/base/bits.h"
#include "core/base/cfg.h"
#include "core/base/text.h"
#include "core/endpoint/endpoint.h"

#define WHY_BYTES     128u
#define QUEUE_DEFAULT (2u << 20)
#define FIRST_SEQ_MAX ((1ull << 62) - 1) /* protocol 2.11 */

static int refuse(char *why, const char *name, uint64_t lo, uint64_t hi)
{
	struct flux_text t;

	flux_text_init(&t, why, why ? WHY_BYTES : 0);
	flux_text_str(&t, name);
	flux_text_str(&t, " must be ");
	flux_text_u64(&t, lo);
	flux_text_str(&t, " to ");
	flux_text_u64(&t, hi);
	return FLUX_EINVAL;
}

int flux_endpoint_cfg_fail(char *why, int code, const char *words)
{
	struct flux_text t;

	flux_text_init(&t, why, why ? WHY_BYTES : 0);
	flux_text_str(&t, words);
	return code;
}

/* Copy as much as both know; a longer one must have nothing in its tail. */
static int copy_sized(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg, char *why)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = flux_cfg_copy(out, sizeof(*out), cfg);
	out->size = sizeof(*out);
	if (rc == FLUX_E2BIG)
		return flux_endpoint_cfg_fail(why, rc, "size: members that this library does not know are not 0");
	return rc ? flux_endpoint_cfg_fail(why, rc, "size is not set: use FLUX_ENDPOINT_CFG_INIT") : 0;
}

static void default_u32(uint32_t *v, uint32_t def)
{
	if (!*v)
		*v = def;
}

static void default_ts(flux_ts *v, flux_ts def)
{
	if (!*v)
		*v = def;
}

static void fill_defaults(struct flux_endpoint_cfg *c)
{
	default_u32(&c->max_sessions, 64);
	default_u32(&c->max_datagram, 1200);
	default_u32(&c->max_message, 1u << 20);
	default_u32(&c->window, 1024);
	default_u32(&c->rx_pool, c->max_sessions + 4 * c->window);
	default_u32(&c->tx_queue, flux_max_u32(QUEUE_DEFAULT, 16 * c->max_datagram));
	default_u32(&c->cwnd, UINT32_MAX);
	default_ts(&c->granularity, FLUX_MS(1));
	default_ts(&c->idle_timeout, FLUX_S(15));
	default_ts(&c->connect_timeout, FLUX_S(10));
}

static int check_u64(char *why, const char *name, uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo || v > hi ? refuse(why, name, lo, hi) : 0;
}

int flux_endpoint_cfg_resolve(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg, char *why)
{
	int rc = copy_sized(out, cfg, why);

	if (rc)
		return rc;
	fill_defaults(out);
	if (!out->mem)
		return flux_endpoint_cfg_fail(why, FLUX_EINVAL, "mem must not be NULL: use &flux_mem_libc");
	rc = check_u64(why, "accept", out->accept, 0, 1);
	if (!rc)
		rc = check_u64(why, "max_sessions", out->max_sessions, 1, 65536);
	if (!rc)
		rc = check_u64(why, "max_datagram", out->max_datagram, 576, 65472);
	if (!rc)
		rc = check_u64(why, "max_message", out->max_message, 1, 1u << 30);
	if (!rc)
		rc = check_u64(why, "window", out->window, 16, 65536);
	if (!rc && !flux_is_pow2(out->window))
		rc = refuse(why, "window must be a power of two and", 16, 65536);
	if (!rc)
		rc = check_u64(why, "rx_pool", out->rx_pool, out->max_sessions, 1u << 24);
	if (!rc)
		rc = check_u64(why, "tx_queue", out->tx_queue, 16ull * out->max_datagram, 1u << 30);
	if (!rc)
		rc = check_u64(why, "idle_timeout (ns)", out->idle_timeout, FLUX_MS(500), FLUX_S(600));
	if (!rc)
		rc = check_u64(why, "granularity (ns)", out->granularity, 0, FLUX_S(1));
	if (!rc)
		rc = check_u64(why, "first_seq", out->first_seq, 0, FIRST_SEQ_MAX);
	return rc;
}
