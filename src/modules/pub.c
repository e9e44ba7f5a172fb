/* SPDX-License-Identifier: MIT */
/* Publications: a handle on one session to send into, which asks for a turn whenever there is something. */
#include <flux/pub.h>

#include "core/base/cfg.h"
#include "loop/binding.h"

struct flux_pub {
	struct flux_attachment att; /* first */
	struct flux_pub_cfg cfg;
};

static void on_event(struct flux_attachment *att, const struct flux_event *event)
{
	struct flux_pub *pub = (struct flux_pub *)att;

	if (event->type == FLUX_EVENT_UP || event->type == FLUX_EVENT_WRITABLE)
		pub->cfg.on_writable(pub->cfg.ctx, pub);
}

int flux_pub_open(struct flux_pub **pub, struct flux_binding *binding, flux_sid sid,
		  const struct flux_pub_cfg *cfg)
{
	struct flux_pub_cfg known = FLUX_PUB_CFG_INIT;
	struct flux_attachment *att;
	struct flux_pub *p;
	int rc;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	rc = cfg ? flux_cfg_copy(&known, sizeof(known), cfg) : 0;
	if (rc < 0)
		return flux_cfg_fail(binding->member.loop, rc);
	if (sid == 0)
		return flux_loop_fail(binding->member.loop, FLUX_ECLOSED, "session 0 is no session");
	rc = flux_attachment_create(&att, binding, sid, sizeof(*p), false);
	if (rc < 0)
		return rc;
	p = (struct flux_pub *)att;
	p->cfg = known;
	if (known.on_writable)
		att->on_event = on_event;
	*pub = p;
	return 0;
}

void flux_pub_close(struct flux_pub *pub)
{
	if (pub && FLUX_OWNED(pub->att.binding->member.loop))
		flux_attachment_destroy(&pub->att);
}

/* Whether calls may go on to the session. */
static bool is_open(const struct flux_pub *pub)
{
	return !pub->att.gone && !pub->att.binding->member.closing;
}

static int refuse_closed(const struct flux_pub *pub)
{
	return flux_loop_fail(pub->att.binding->member.loop, FLUX_ECLOSED, "the %s is closed",
			      pub->att.gone ? "publication" : "binding");
}

/* The endpoint's words become the loop's; "not now" is no error to speak of. */
static int fail(const struct flux_pub *pub, int rc)
{
	struct flux_binding *binding = pub->att.binding;

	if (rc == FLUX_EAGAIN)
		return rc;
	return flux_loop_fail(binding->member.loop, rc, "%s", flux_endpoint_detail(binding->ep));
}

/* A message was written. */
static int wrote(const struct flux_pub *pub, int rc)
{
	if (rc < 0)
		return fail(pub, rc);
	flux_binding_touch(pub->att.binding);
	return 0;
}

int flux_pub_send(struct flux_pub *pub, const void *data, uint32_t len)
{
	struct flux_binding *binding = pub->att.binding;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (!is_open(pub))
		return refuse_closed(pub);
	return wrote(pub, flux_session_send(binding->ep, pub->att.sid, data, len));
}

int flux_pub_claim(struct flux_pub *pub, uint32_t len, struct flux_claim *claim)
{
	struct flux_binding *binding = pub->att.binding;
	int rc;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (!is_open(pub))
		return refuse_closed(pub);
	rc = flux_session_claim(binding->ep, pub->att.sid, len, claim);
	return rc < 0 ? fail(pub, rc) : 0;
}

int flux_pub_publish(struct flux_pub *pub, uint32_t len)
{
	struct flux_binding *binding = pub->att.binding;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (!is_open(pub))
		return refuse_closed(pub);
	return wrote(pub, flux_session_publish(binding->ep, pub->att.sid, len));
}

int flux_pub_claim_some(struct flux_pub *pub, uint32_t len, uint32_t most, struct flux_claims *claims)
{
	struct flux_binding *binding = pub->att.binding;
	int rc;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (!is_open(pub))
		return refuse_closed(pub);
	rc = flux_session_claim_some(binding->ep, pub->att.sid, len, most, claims);
	return rc < 0 ? fail(pub, rc) : 0;
}

int flux_pub_publish_some(struct flux_pub *pub, uint32_t n)
{
	struct flux_binding *binding = pub->att.binding;

	if (!FLUX_OWNED(binding->member.loop))
		return flux_loop_stranger(binding->member.loop);
	if (!is_open(pub))
		return refuse_closed(pub);
	return wrote(pub, flux_session_publish_some(binding->ep, pub->att.sid, n));
}

void flux_pub_abort(struct flux_pub *pub)
{
	struct flux_binding *binding = pub->att.binding;

	if (!FLUX_OWNED(binding->member.loop) || !is_open(pub))
		return;
	flux_session_abort_claim(binding->ep, pub->att.sid);
	flux_binding_touch(binding); /* what was sent behind it may go */
}

uint32_t flux_pub_max_message(const struct flux_pub *pub)
{
	struct flux_binding *binding = pub->att.binding;

	return FLUX_OWNED(binding->member.loop) ? flux_session_max_message(binding->ep, pub->att.sid) : 0;
}

uint32_t flux_pub_max_claim(const struct flux_pub *pub)
{
	struct flux_binding *binding = pub->att.binding;

	return FLUX_OWNED(binding->member.loop) ? flux_session_max_claim(binding->ep, pub->att.sid) : 0;
}

flux_sid flux_pub_sid(const struct flux_pub *pub)
{
	return pub->att.sid;
}
