/* SPDX-License-Identifier: MIT */
/* A key-value service over Flux sessions, beside the memcached in whose event loop it lives. */
#ifndef EXAMPLES_EMBED_KV_H
#define EXAMPLES_EMBED_KV_H

/* Longest message: a value of 1 MiB, which is memcached's limit, and the line around it. */
#define KV_MAX_MESSAGE ((1u << 20) + 4096)

struct event_base;
struct kv;

/*
 * Listen on `local` ("host:port") on the base that the calling thread is about to run, and serve what
 * comes by a connection a session to the port that this process listens on. Returns NULL and the reason
 * on standard error if that does not work.
 */
struct kv *kv_open(struct event_base *base, const char *local);

/* Tell the peers that it is over, and leave the base as it was. */
void kv_close(struct kv *kv);

#endif
