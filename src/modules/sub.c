/* SPDX-License-Identifier: MIT */
/* Subscriptions: who gets the messages of a session, or of all that nobody else reads. */
#include <flux/sub.h>

#include "core/base/cfg.h"
#include "loop/binding.h"

struct flux_sub {
	struct flux_attachment att; /* first */
	struct flux_sub_cfg cfg;
};

static enum flux_take on_message(struct flux_attachment *att, flux_sid sid, const struct flux_msg *msg)
{
	struct flux_sub *sub = (struct flux_sub *)att;

	return sub->cfg.on_message(sub->cfg.ctx, sub, sid, msg);
}

static uint32_t on_batch(struct flux_attachment *att, flux_sid sid, const struct flux_msg *msgs, uint32_t n)
{
	struct flux_sub *sub = (struct flux_sub *)att;

	return sub->cfg.on_batch(sub->cfg.ctx, sub, sid, msgs, n);
}

int flux_sub_open(struct flux_sub **sub, struct flux_binding *binding, flux_sid sid,
		  const struct flux_sub_cfg *cfg)
{
	struct flux_sub_cfg known = { 0 };
	struct flux_attachment *att;
	struct flux_sub *s;
	int rc;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	rc = flux_cfg_copy(&known, sizeof(known), cfg);
	if (rc < 0)
		return flux_cfg_fail(binding->member.loop, rc);
	if (!known.on_message == !known.on_batch)
		return flux_loop_fail(binding->member.loop, FLUX_EINVAL, "%s of on_message and on_batch is set",
				      known.on_message ? "not one, but each" : "none");
	rc = flux_attachment_create(&att, binding, sid, sizeof(*s), true);
	if (rc < 0)
		return rc;
	s = (struct flux_sub *)att;
	s->cfg = known;
	if (known.on_batch)
		att->on_batch = on_batch;
	else
		att->on_message = on_message;
	*sub = s;
	return 0;
}

void flux_sub_close(struct flux_sub *sub)
{
	if (sub && FLUX_OWNED(sub->att.binding->member.loop))
		flux_attachment_destroy(&sub->att);
}

void flux_sub_pause(struct flux_sub *sub, flux_sid sid)
{
	struct flux_binding *binding = sub->att.binding;

	if (FLUX_OWNED(binding->member.loop) && !binding->member.closing)
		flux_binding_pause(binding, sid);
}

void flux_sub_resume(struct flux_sub *sub, flux_sid sid)
{
	struct flux_binding *binding = sub->att.binding;

	if (FLUX_OWNED(binding->member.loop) && !binding->member.closing)
		flux_binding_resume(binding, sid);
}
