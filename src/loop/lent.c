/* SPDX-License-Identifier: MIT */
/*
 * Images that the kernel still reads: an adapter that sends without a copy (ops.send) says for each run when
 * it is done with, in any order, and only then are its datagrams retired.
 */
#include "loop/binding.h"

#include "core/base/mem.h"

/* In flight; more are copied. The endpoint lends FLUX_PEEK_MAX datagrams, and a run is mostly of many. */
#define RUNS     32u
#define SEGMENTS 64u /* of one run */

/* No token: retiring it does nothing. */
#define TAKEN UINT32_MAX

struct run {
	uint32_t n; /* 0: free */
	uint32_t tokens[SEGMENTS];
};

struct flux_lent {
	struct flux_tx_lender lender;
	struct flux_binding *binding;
	uint32_t *tokens; /* of the batch at hand */
	struct run runs[RUNS];
};

static bool lend(struct flux_tx_lender *lender, const struct msghdr *msg, uint32_t first, uint32_t n)
{
	struct flux_lent *lent = FLUX_CONTAINER(lender, struct flux_lent, lender);
	struct flux_member *member = &lent->binding->member;
	const struct flux_loop *loop = member->loop;
	uint32_t i = 0;
	int rc;

	while (i < RUNS && lent->runs[i].n > 0)
		i++;
	if (i == RUNS || n > SEGMENTS)
		return false;
	rc = loop->ops.send(loop->host, member->slot, msg, i);
	if (rc < 0)
		return false;
	lent->binding->sock.stats.tx_lent += n;
	if (rc > 0)
		return true;
	lent->runs[i].n = n;
	for (uint32_t k = 0; k < n; k++) {
		lent->runs[i].tokens[k] = lent->tokens[first + k];
		lent->tokens[first + k] = TAKEN;
	}
	return true;
}

int flux_lent_init(struct flux_binding *binding)
{
	if (!binding->member.loop->ops.send)
		return 0;
	binding->lent = flux_mem_take_zeroed(binding->mem, 1, sizeof(*binding->lent));
	if (!binding->lent)
		return FLUX_ENOMEM;
	binding->lent->lender.lend = lend;
	binding->lent->binding = binding;
	return 0;
}

void flux_lent_fini(struct flux_binding *binding)
{
	flux_mem_give(binding->mem, binding->lent, 1, sizeof(*binding->lent));
}

struct flux_tx_lender *flux_lent_begin(struct flux_binding *binding, uint32_t *tokens)
{
	if (!binding->lent)
		return NULL;
	binding->lent->tokens = tokens;
	return &binding->lent->lender;
}

void flux_binding_on_sent(struct flux_member *member, uint32_t run)
{
	struct flux_binding *binding = flux_binding_of(member);
	struct run *r = &binding->lent->runs[run];

	flux_endpoint_retire(binding->ep, r->tokens, r->n);
	r->n = 0;
	if (!member->closing)
		flux_binding_touch(binding); /* it may have waited for room */
}
