/* SPDX-License-Identifier: MIT */
/* Cookies prove an address before anything is stored; reset tokens tell of sessions that are gone. */
#include <string.h>

#include "core/base/siphash.h"
#include "core/endpoint/endpoint.h"

#define KEY_LIFE FLUX_S(60)

/* Keys of this minute and of the one before are good. */
static void rotate(struct flux_endpoint *ep)
{
	flux_ts age = flux_ts_since(ep->now, ep->t_cookie_key);

	if (age < KEY_LIFE)
		return;
	memcpy(ep->cookie_key[1], ep->cookie_key[0], 16);
	flux_rng_bytes(&ep->rng, ep->cookie_key[0], 16);
	if (age >= 2 * KEY_LIFE)
		flux_rng_bytes(&ep->rng, ep->cookie_key[1], 16);
	ep->t_cookie_key = ep->now;
}

static void compute(const uint8_t key[16], uint8_t out[FLUX_COOKIE_LEN], const struct flux_addr *peer,
		    const struct flux_hello *h)
{
	uint8_t text[16 + 4 + 2 + 8 + 4 + 1], *p = text;

	memcpy(p, peer->ip, 16);
	memcpy(p + 16, &peer->scope, 4);
	memcpy(p + 20, &peer->port, 2);
	memcpy(p + 22, &h->nonce, 8);
	memcpy(p + 30, &h->cid, 4);
	p[34] = h->mode;
	flux_siphash128(out, text, sizeof(text), key);
}

void flux_cookie_make(struct flux_endpoint *ep, uint8_t out[FLUX_COOKIE_LEN],
		      const struct flux_addr *peer, const struct flux_hello *h)
{
	rotate(ep);
	compute(ep->cookie_key[0], out, peer, h);
}

bool flux_cookie_good(struct flux_endpoint *ep, const struct flux_addr *peer, const struct flux_hello *h)
{
	uint8_t cookie[FLUX_COOKIE_LEN];

	if (!h->has_cookie)
		return false;
	rotate(ep);
	for (int i = 0; i < 2; i++) {
		uint8_t diff = 0;

		compute(ep->cookie_key[i], cookie, peer, h);
		for (uint32_t j = 0; j < FLUX_COOKIE_LEN; j++)
			diff |= cookie[j] ^ h->cookie[j];
		if (!diff)
			return true;
	}
	return false;
}

void flux_reset_token(const struct flux_endpoint *ep, uint32_t cid, uint8_t token[FLUX_RESET_TOKEN_LEN])
{
	flux_siphash128(token, &cid, sizeof(cid), ep->cfg.reset_key);
}
