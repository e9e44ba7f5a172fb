/* SPDX-License-Identifier: MIT */
/* An endpoint's configuration as the library uses it: copied, defaults filled in, checked. */
#include <string.h>

#include "core/base/cfg.h"
#include "core/base/text.h"
#include "core/endpoint/endpoint.h"
#include "core/endpoint/options.h"

#define WHY_BYTES 128u /* of flux_endpoint_create() */

static int refuse(struct flux_text *why, int code, const char *words)
{
	flux_text_str(why, words);
	return code;
}

int flux_endpoint_cfg_fail(char *why, int code, const char *words)
{
	struct flux_text t;

	flux_text_init(&t, why, why ? WHY_BYTES : 0);
	return refuse(&t, code, words);
}

/* As much as both know; a longer one must have nothing in its tail. */
int flux_endpoint_cfg_take(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg,
			   struct flux_text *why)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = flux_cfg_copy(out, sizeof(*out), cfg);
	out->size = sizeof(*out);
	if (rc == FLUX_E2BIG)
		return refuse(why, rc, "size: members that this library does not know are not 0");
	return rc ? refuse(why, rc, "size is not set: use FLUX_ENDPOINT_CFG_INIT") : 0;
}

static void fill_defaults(struct flux_endpoint_cfg *c)
{
	for (uint32_t i = 0; i < FLUX_OPTION_ROWS; i++) {
		const struct flux_option_row *row = &flux_option_rows[i];
		uint64_t lo = flux_option_lo(row, c);

		if (row->initial && !flux_option_get(row, c))
			flux_option_set(row, c, row->initial < lo ? lo : row->initial);
	}
	if (!c->rx_pool)
		c->rx_pool = c->max_sessions + 4 * c->window;
}

int flux_endpoint_cfg_complete(struct flux_endpoint_cfg *cfg, struct flux_text *why)
{
	int rc = 0;

	fill_defaults(cfg);
	for (uint32_t i = 0; !rc && i < FLUX_OPTION_ROWS; i++) {
		const struct flux_option_row *row = &flux_option_rows[i];
		uint64_t value = flux_option_get(row, cfg);

		if (!flux_option_is_word(row, value))
			rc = flux_option_check(row, value, flux_option_lo(row, cfg), why);
	}
	return rc;
}

int flux_endpoint_cfg_resolve(struct flux_endpoint_cfg *out, const struct flux_endpoint_cfg *cfg, char *why)
{
	struct flux_text t;
	int rc;

	flux_text_init(&t, why, why ? WHY_BYTES : 0);
	rc = flux_endpoint_cfg_take(out, cfg, &t);
	if (rc)
		return rc;
	if (!out->mem)
		return refuse(&t, FLUX_EINVAL, "mem must not be NULL: use &flux_mem_libc");
	return flux_endpoint_cfg_complete(out, &t);
}
