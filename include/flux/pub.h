/* SPDX-License-Identifier: MIT */
/* A publication: messages out, into one session. */
#ifndef FLUX_PUB_H
#define FLUX_PUB_H

#include <flux/binding.h>

#ifdef __cplusplus
extern "C" {
#endif

struct flux_pub;

/** Start from FLUX_PUB_CFG_INIT. */
struct flux_pub_cfg {
	uint32_t size;     /**< set by the initialiser */
	uint32_t reserved; /**< 0 */
	/** Room again after FLUX_EAGAIN, or the session came up; once each time. May be NULL. */
	void (*on_writable)(void *ctx, struct flux_pub *pub);
	void *ctx;
};

#define FLUX_PUB_CFG_INIT                           \
	{                                           \
		.size = sizeof(struct flux_pub_cfg) \
	}

/**
 * Publish into a session, connected or accepted. It need not be up yet.
 *
 * @param pub  [out] set only on success; ends with flux_pub_close(), or with its binding.
 * @param cfg  NULL: no callback; else copied.
 *
 * @return 0; FLUX_ECLOSED: no such session; FLUX_ENOMEM.
 *
 * Thread: owner of the loop, as all calls of this header.
 */
FLUX_API FLUX_MUST_CHECK int flux_pub_open(struct flux_pub **pub, struct flux_binding *binding,
					   flux_sid sid, const struct flux_pub_cfg *cfg);

/** Let go of the handle; what was sent is still delivered. Allowed inside callbacks. NULL is allowed. */
FLUX_API void flux_pub_close(struct flux_pub *pub);

/** flux_session_send() through the publication: one message, by copy. It leaves at the end of this turn. */
FLUX_API FLUX_MUST_CHECK int flux_pub_send(struct flux_pub *pub, const void *data, uint32_t len);

/** flux_session_claim() through the publication: one message to be written in place. */
FLUX_API FLUX_MUST_CHECK int flux_pub_claim(struct flux_pub *pub, uint32_t len, struct flux_claim *claim);

/** flux_session_publish() through the publication. */
FLUX_API FLUX_MUST_CHECK int flux_pub_publish(struct flux_pub *pub, uint32_t len);

/** flux_session_claim_some() through the publication: small messages of one length, to be written in place. */
FLUX_API FLUX_MUST_CHECK int flux_pub_claim_some(struct flux_pub *pub, uint32_t len, uint32_t most,
						 struct flux_claims *claims);

/** flux_session_publish_some() through the publication. */
FLUX_API FLUX_MUST_CHECK int flux_pub_publish_some(struct flux_pub *pub, uint32_t n);

/** flux_session_abort_claim() through the publication. */
FLUX_API void flux_pub_abort(struct flux_pub *pub);

/** Largest message of flux_pub_send(); 0 while the session is not up. */
FLUX_API uint32_t flux_pub_max_message(const struct flux_pub *pub);

/** Largest message of flux_pub_claim(); 0 while the session is not up. */
FLUX_API uint32_t flux_pub_max_claim(const struct flux_pub *pub);

/** The session it publishes into. */
FLUX_API flux_sid flux_pub_sid(const struct flux_pub *pub);

#ifdef __cplusplus
}
#endif

#endif
