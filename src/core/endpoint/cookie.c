/* SPDX-License-Identifier: MIT */
/* Cookies prove an address before anything is stored; reset tokens tell of sessions that are gone. */
#include <string.h>

#include "core/base/siphash.h"
#include "core/endpoint/endpoint.h"

#define KEY_LIFE FLUX_S(60)
#define ADDR_LEN (16 + 4 + 2)

/* Keys of this minute and of the one before are good. */
static void rotate(struct flux_endpoint *ep)
{
	flux_ts age = flux_ts_since(ep->now, ep->t_cookie_key);

	if (age < KEY_LIFE)
		return;
	memcpy(ep->cookie_key[1], ep->cookie_key[0], 16);
	flux_rng_bytes(&ep->rng, ep->cookie_key[0], 16);
	ep->t_cookie_key += KEY_LIFE;
	if (age < 2 * KEY_LIFE)
		return;
	flux_rng_bytes(&ep->rng, ep->cookie_key[1], 16);
	ep->t_cookie_key = ep->now;
}

static uint8_t *put_addr(uint8_t *out, const struct flux_addr *addr)
{
	memcpy(out, addr->ip, 16);
	memcpy(out + 16, &addr->scope, 4);
	memcpy(out + 20, &addr->port, 2);
	return out + ADDR_LEN;
}

static void compute(const uint8_t key[16], uint8_t out[FLUX_COOKIE_LEN], const struct flux_addr *peer,
		    const struct flux_hello *h)
{
	uint8_t text[ADDR_LEN + 8 + 4 + 1], *p = put_addr(text, peer);

	memcpy(p, &h->nonce, 8);
	memcpy(p + 8, &h->cid, 4);
	p[12] = h->mode;
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

/*
 * Bound to the address that it is shown to: whoever asks from elsewhere, or before the cid is in use, learns
 * a token that ends nobody's session but its own.
 */
void flux_reset_token(const struct flux_endpoint *ep, uint32_t cid, const struct flux_addr *peer,
		      uint8_t token[FLUX_RESET_TOKEN_LEN])
{
	uint8_t text[ADDR_LEN + 4];

	memcpy(put_addr(text, peer), &cid, 4);
	flux_siphash128(token, text, sizeof(text), ep->cfg.reset_key);
}
