/* SPDX-License-Identifier: MIT */
/*
 * An endpoint's configuration: each member at its borders and one beyond, with words that name it; sizes of
 * older and newer headers; an allocator that refuses at each request.
 */
#include "tests/unit/endpoint/pair.h"

static struct flux_endpoint_cfg cfg;
static char why[128];

static int setup(void **state)
{
	(void)state;
	cfg = (struct flux_endpoint_cfg)FLUX_ENDPOINT_CFG_INIT;
	cfg.max_sessions = 4;
	cfg.window = 64;
	memset(why, 'x', sizeof(why));
	return 0;
}

static int try(const struct flux_endpoint_cfg *c)
{
	struct flux_endpoint *ep = (struct flux_endpoint *)&cfg;
	int rc = flux_endpoint_create(&ep, c, why);

	if (rc)
		assert_ptr_equal(ep, &cfg); /* set only on success */
	else
		flux_endpoint_destroy(ep);
	if (rc) {
		assert_non_null(memchr(why, '\0', sizeof(why)));
		assert_int_equal(flux_endpoint_create(&ep, c, NULL), rc);
	}
	return rc;
}

static void refused(const char *name, const char *lo, const char *hi)
{
	memset(why, 'x', sizeof(why));
	assert_int_equal(try(&cfg), FLUX_EINVAL);
	if (strncmp(why, name, strlen(name)) || !strstr(why, lo) || !strstr(why, hi))
		fail_msg("\"%s\" should name %s, %s and %s", why, name, lo, hi);
	setup(NULL);
}

#define TAKEN(member, value)                                        \
	do {                                                        \
		cfg.member = (value);                               \
		if (try(&cfg))                                      \
			fail_msg(#member " = " #value ": %s", why); \
		setup(NULL);                                        \
	} while (0)

#define REFUSED(member, value, lo, hi)    \
	do {                              \
		cfg.member = (value);     \
		refused(#member, lo, hi); \
	} while (0)

static void ranges(void **state)
{
	(void)state;
	TAKEN(accept, 1);
	REFUSED(accept, 2, "0", "1");
	TAKEN(max_sessions, 1);
	TAKEN(max_sessions, 65536);
	REFUSED(max_sessions, 65537, "1", "65536");
	REFUSED(max_sessions, UINT32_MAX, "1", "65536");
	TAKEN(max_datagram, 576);
	TAKEN(max_datagram, 65472);
	REFUSED(max_datagram, 575, "576", "65472");
	REFUSED(max_datagram, 65473, "576", "65472");
	REFUSED(max_datagram, UINT32_MAX, "576", "65472");
	TAKEN(max_message, 1);
	TAKEN(max_message, 1u << 30);
	REFUSED(max_message, (1u << 30) + 1, "1", "1G");
	TAKEN(window, 16);
	REFUSED(window, 15, "16", "65536");
	REFUSED(window, 17, "16", "65536");
	REFUSED(window, 131072, "16", "65536");
	REFUSED(window, UINT32_MAX, "16", "65536");
	TAKEN(rx_pool, 4);
	REFUSED(rx_pool, 3, "4", "16777216");
	REFUSED(rx_pool, (1u << 24) + 1, "4", "16777216");
	TAKEN(rcvbuf, 1);
	TAKEN(rcvbuf, UINT32_MAX);
	TAKEN(tx_queue, 16 * 1200);
	TAKEN(tx_queue, 1u << 30);
	REFUSED(tx_queue, 16 * 1200 - 1, "19200", "1G");
	REFUSED(tx_queue, (1u << 30) + 1, "19200", "1G");
	TAKEN(cwnd, 1);
	TAKEN(cwnd, UINT32_MAX);
	TAKEN(rate_bps, 1);
	TAKEN(rate_bps, UINT64_MAX);
	TAKEN(granularity, 1);
	TAKEN(granularity, FLUX_S(1));
	REFUSED(granularity, FLUX_S(1) + 1, "1ns", "1s");
	TAKEN(idle_timeout, FLUX_MS(500));
	TAKEN(idle_timeout, FLUX_S(600));
	REFUSED(idle_timeout, FLUX_MS(500) - 1, "500ms", "600s");
	REFUSED(idle_timeout, FLUX_S(600) + 1, "500ms", "600s");
	REFUSED(idle_timeout, FLUX_NEVER, "500ms", "600s");
	TAKEN(connect_timeout, 1);
	TAKEN(connect_timeout, FLUX_NEVER);
	TAKEN(first_seq, (1ull << 62) - 1);
	REFUSED(first_seq, 1ull << 62, "1", "4611686018427387903");
	TAKEN(boot_id, UINT64_MAX);
}

static void window_names_its_rule(void **state)
{
	(void)state;
	cfg.window = 100;
	assert_int_equal(try(&cfg), FLUX_EINVAL);
	assert_non_null(strstr(why, "power of two"));
}

static void no_allocator(void **state)
{
	(void)state;
	cfg.mem = NULL;
	assert_int_equal(try(&cfg), FLUX_EINVAL);
	assert_non_null(strstr(why, "flux_mem_libc"));
}

/* Defaults, as the header gives them. */
static void defaults(void **state)
{
	static const struct flux_endpoint_cfg init = FLUX_ENDPOINT_CFG_INIT;
	struct flux_endpoint_cfg full;

	(void)state;
	assert_int_equal(flux_endpoint_cfg_resolve(&full, &init, NULL), 0);
	assert_int_equal(full.max_sessions, 64);
	assert_int_equal(full.max_datagram, 1200);
	assert_int_equal(full.max_message, 1u << 20);
	assert_int_equal(full.window, 1024);
	assert_int_equal(full.rx_pool, 64 + 4 * 1024);
	assert_int_equal(full.tx_queue, 2u << 20);
	assert_int_equal(full.granularity, FLUX_MS(1));
	assert_int_equal(full.idle_timeout, FLUX_S(15));
	assert_int_equal(full.connect_timeout, FLUX_S(10));
	/* They follow each other where they must. */
	cfg.max_sessions = 65536;
	cfg.max_datagram = 65472;
	assert_int_equal(flux_endpoint_cfg_resolve(&full, &cfg, NULL), 0);
	assert_true(full.rx_pool > 65536);
}

/* A struct of a newer header: fine while it asks for nothing that we lack. */
static void newer_header(void **state)
{
	struct {
		struct flux_endpoint_cfg known;
		uint8_t tail[64];
	} newer = { .known = cfg };

	(void)state;
	newer.known.size = sizeof(newer);
	assert_int_equal(try(&newer.known), 0);
	for (uint32_t i = 0; i < sizeof(newer.tail); i++) {
		newer.tail[i] = 1;
		assert_int_equal(try(&newer.known), FLUX_E2BIG);
		assert_non_null(strstr(why, "size"));
		newer.tail[i] = 0;
	}
	newer.known.size = sizeof(cfg);
	newer.tail[0] = 1; /* not ours to look at */
	assert_int_equal(try(&newer.known), 0);
}

/* One of an older header, cut anywhere: what it does not have is 0, that is the default. */
static void older_header(void **state)
{
	uint32_t size = offsetof(struct flux_endpoint_cfg, mem) + sizeof(cfg.mem);

	(void)state;
	for (; size <= sizeof(cfg); size++) {
		struct flux_endpoint_cfg *old = malloc(size); /* of exactly this size, for the sanitizers */

		assert_non_null(old);
		cfg.boot_id = 77;
		cfg.size = size;
		memcpy(old, &cfg, size);
		if (try(old))
			fail_msg("size %u: %s", size, why);
		free(old);
	}
	cfg.size = offsetof(struct flux_endpoint_cfg, mem);
	assert_int_equal(try(&cfg), FLUX_EINVAL);
	for (cfg.size = 0; cfg.size < 4; cfg.size++) {
		assert_int_equal(try(&cfg), FLUX_EINVAL);
		assert_non_null(strstr(why, "size"));
	}
}

/* ---- Memory ---- */

struct scarce {
	int left, open;
	size_t bytes;
};

static void *scarce_alloc(void *ctx, size_t bytes)
{
	struct scarce *s = ctx;

	assert_true(bytes > 0);
	if (s->left-- <= 0)
		return NULL;
	s->open++;
	s->bytes += bytes;
	return malloc(bytes);
}

static void scarce_free(void *ctx, void *ptr, size_t bytes)
{
	struct scarce *s = ctx;

	assert_non_null(ptr);
	s->open--;
	s->bytes -= bytes;
	free(ptr);
}

static void every_allocation_may_fail(void **state)
{
	struct scarce s;
	const struct flux_mem mem = { scarce_alloc, scarce_free, &s };
	int n = 0, rc;

	(void)state;
	cfg.mem = &mem;
	do {
		struct flux_endpoint *ep;

		s = (struct scarce){ .left = n++ };
		rc = flux_endpoint_create(&ep, &cfg, why);
		if (rc) {
			assert_int_equal(rc, FLUX_ENOMEM);
			assert_non_null(strstr(why, "rx_pool"));
		} else {
			flux_endpoint_destroy(ep);
		}
		assert_int_equal(s.open, 0);
		assert_int_equal(s.bytes, 0);
		assert_true(n < 20);
	} while (rc);
	assert_true(n > 5);
	flux_endpoint_destroy(NULL);
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ranges),
		CASE(window_names_its_rule),
		CASE(no_allocator),
		CASE(defaults),
		CASE(newer_header),
		CASE(older_header),
		CASE(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("endpoint/config", tests, NULL, NULL);
}
