/* SPDX-License-Identifier: MIT */
/*
 * What only the io_uring loop has: refusals of every kind, buffers that run out, ports that must come
 * free, forks, and threads that are not its own. Processes that lose rights are children.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <liburing.h>

#include <flux/epoll.h>
#include <flux/pub.h>
#include <flux/sub.h>
#include <flux/uring.h>

#include "tests/lib/child.h"

#define MESSAGES 3000
#define ROUNDS   100000
#define BURST    500 /* datagrams, which the socket holds */

/* ---- The kernel's answers, bent ---- */

static struct {
	int setup, setups_left; /* the next ones fail with this */
	int buffers;            /* so does a ring of buffers */
	uint32_t flags;         /* of the last ring that was set up */
	uint32_t entries;       /* of its two queues; 0: as asked */
	uint32_t flushes;       /* of a completion queue that was full */
} bent;

int __real_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring, struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring, struct io_uring_params *p);
int __real_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg, unsigned int flags);
int __wrap_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg, unsigned int flags);

int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring, struct io_uring_params *p)
{
	if (bent.setups_left > 0) {
		bent.setups_left--;
		return bent.setup;
	}
	if (bent.entries)
		entries = p->cq_entries = bent.entries;
	bent.flags = p->flags;
	return __real_io_uring_queue_init_params(entries, ring, p);
}

int __wrap_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg, unsigned int flags)
{
	return bent.buffers ? bent.buffers : __real_io_uring_register_buf_ring(ring, reg, flags);
}

int __real_io_uring_get_events(struct io_uring *ring);
int __wrap_io_uring_get_events(struct io_uring *ring);

int __wrap_io_uring_get_events(struct io_uring *ring)
{
	bent.flushes++;
	return __real_io_uring_get_events(ring);
}

/* ---- Two bindings on one loop, the second sending to the first ---- */

struct pair {
	struct flux_loop *loop;
	struct flux_binding *in, *out;
	struct flux_pub *pub;
	struct flux_sub *sub;
	char local[FLUX_ADDR_TEXT];
	uint32_t sent, received, wanted;
	int strange; /* what a poll from another thread said */
};

static enum flux_take on_message(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	struct pair *pair = ctx;

	(void)sub;
	(void)sid;
	(void)msg;
	pair->received++;
	return FLUX_TAKE;
}

static void on_writable(void *ctx, struct flux_pub *pub)
{
	static const char bytes[1000];
	struct pair *pair = ctx;

	while (pair->sent < pair->wanted && flux_pub_send(pub, bytes, sizeof(bytes)) == 0)
		pair->sent++;
}

static int open_pair(struct pair *pair)
{
	struct flux_binding_cfg in = FLUX_BINDING_CFG_INIT, out = FLUX_BINDING_CFG_INIT;
	struct flux_sub_cfg sub = { .size = sizeof(sub), .on_message = on_message, .ctx = pair };
	struct flux_pub_cfg pub = { .size = sizeof(pub), .on_writable = on_writable, .ctx = pair };
	struct flux_addr addr;
	flux_sid sid;

	in.local = "127.0.0.1:0";
	CHECK(flux_binding_open(&pair->in, pair->loop, &in) == 0);
	CHECK(flux_sub_open(&pair->sub, pair->in, 0, &sub) == 0);
	flux_binding_local(pair->in, &addr);
	flux_addr_format(&addr, pair->local);
	CHECK(flux_binding_open(&pair->out, pair->loop, &out) == 0);
	CHECK(flux_binding_connect(pair->out, pair->local, &sid) == 0);
	CHECK(flux_pub_open(&pair->pub, pair->out, sid, &pub) == 0);
	return 0;
}

static int transfer(struct pair *pair, uint32_t n)
{
	pair->wanted += n;
	on_writable(pair, pair->pub);
	for (int i = 0; pair->received < pair->wanted; i++)
		CHECK(i < ROUNDS && flux_loop_poll_uring(pair->loop, FLUX_MS(5)) >= 0);
	return 0;
}

/* Open and use a loop, which must be what is expected. */
static int run(const struct flux_uring_cfg *cfg, int uring, char *why)
{
	struct pair pair = { 0 };

	CHECK(flux_loop_open_uring(&pair.loop, cfg, why) == 0);
	CHECK(uring < 0 || flux_loop_is_uring(pair.loop) == uring);
	CHECK(open_pair(&pair) == 0);
	CHECK(transfer(&pair, MESSAGES) == 0);
	flux_loop_close(pair.loop);
	return 0;
}

static int works(void *arg)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char why[FLUX_WHY_TEXT];
	struct flux_loop *loop;

	(void)arg;
	cfg.require = 1;
	if (flux_loop_open_uring(&loop, &cfg, why) < 0) {
		fprintf(stderr, "# %s\n", why);
		return 1;
	}
	flux_loop_close(loop);
	return 0;
}

/* Skips where io_uring is refused to everybody. */
static void need_uring(void)
{
	memset(&bent, 0, sizeof(bent));
	if (works(NULL) != 0)
		skip();
}

/* ---- Refusals ---- */

struct refusal {
	int calls[3]; /* these system calls, or fewer, */
	int error;    /* with this */
	const char *words;
};

static int refused_body(void *arg)
{
	const struct refusal *r = arg;
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	char why[FLUX_WHY_TEXT];
	struct flux_loop *loop;

	if (!child_forbid(r->error, r->calls[0], r->calls[1], r->calls[2], -1))
		return CHILD_SKIP;
	CHECK(run(NULL, 0, why) == 0);
	CHECK(strstr(why, r->words));
	cfg.require = 1;
	CHECK(flux_loop_open_uring(&loop, &cfg, why) == -r->error);
	CHECK(strstr(why, r->words));
	CHECK(flux_driver_uring.open(&loop, why, sizeof(why)) == 0);
	CHECK(strstr(why, r->words));
	flux_loop_close(loop);
	return 0;
}

static void i01_refused_by_seccomp(void **state)
{
	struct refusal list[] = {
		{ { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register }, EPERM, "seccomp" },
		{ { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register }, ENOSYS, "no io_uring" },
		{ { SYS_io_uring_enter, -1 }, EPERM, "trial receive" },
		{ { SYS_io_uring_register, -1 }, EPERM, "receive buffers" },
	};

	(void)state;
	need_uring();
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		int rc = child_run(refused_body, &list[i]);

		if (rc == CHILD_SKIP)
			skip();
		assert_int_equal(rc, 0);
	}
}

static int memlock_body(void *arg)
{
	const struct rlimit limit = { 64 << 10, 64 << 10 };
	char why[FLUX_WHY_TEXT];

	(void)arg;
	CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	return run(NULL, -1, why); /* by io_uring or not: it runs */
}

static void i02_memlock(void **state)
{
	(void)state;
	memset(&bent, 0, sizeof(bent));
	for (int i = 0; i < 3; i++)
		assert_int_equal(child_run(memlock_body, NULL), 0);
	need_uring();
	/* A ring of the full size is too much, a small one is not. */
	bent.setup = -ENOMEM;
	bent.setups_left = 1;
	assert_int_equal(works(NULL), 0);
}

/* Answers of kernels that know less. */
static void i16_older_kernels(void **state)
{
	char why[FLUX_WHY_TEXT];

	(void)state;
	need_uring();
	bent.setup = -EINVAL;
	bent.setups_left = 1;
	assert_int_equal(works(NULL), 0); /* its trial had fewer flags */
	bent.setups_left = 3;
	assert_int_equal(run(NULL, 0, why), 0);
	assert_non_null(strstr(why, "too old"));
	bent.buffers = -EINVAL;
	assert_int_equal(run(NULL, 0, why), 0);
	assert_non_null(strstr(why, "too old"));
	memset(&bent, 0, sizeof(bent));
	bent.buffers = -ENOMEM;
	assert_int_equal(run(NULL, 0, why), 0);
	assert_non_null(strstr(why, "RLIMIT_MEMLOCK"));
	memset(&bent, 0, sizeof(bent));
	assert_int_equal(run(NULL, 1, why), 0);
	assert_string_equal(why, "");
	assert_true(bent.flags & IORING_SETUP_DEFER_TASKRUN);
}

static void configuration(void **state)
{
	struct {
		struct flux_uring_cfg cfg;
		uint32_t newer;
	} longer = { FLUX_URING_CFG_INIT, 0 };
	struct flux_loop *loop;
	char why[FLUX_WHY_TEXT];

	(void)state;
	longer.cfg.buffers = 3;
	assert_int_equal(flux_loop_open_uring(&loop, &longer.cfg, why), FLUX_EINVAL);
	assert_non_null(strstr(why, "power of two"));
	longer.cfg.buffers = 0;
	longer.cfg.size = sizeof(longer);
	assert_int_equal(flux_loop_open_uring(&loop, &longer.cfg, why), 0);
	flux_loop_close(loop);
	longer.newer = 1;
	assert_int_equal(flux_loop_open_uring(&loop, &longer.cfg, why), FLUX_E2BIG);
	longer.cfg.size = 0;
	assert_int_equal(flux_loop_open_uring(&loop, &longer.cfg, NULL), FLUX_EINVAL);
}

/* ---- Receiving ---- */

/*
 * Completions that find their queue full end a receive without an error: it is armed anew, and what the
 * kernel kept for later is asked for.
 */
static void i04_full_queue(void **state)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;

	(void)state;
	need_uring();
	cfg.buffers = 64;
	for (cfg.no_defer = 0; cfg.no_defer < 2; cfg.no_defer++) {
		bent.flushes = 0;
		bent.entries = 2;
		assert_int_equal(run(&cfg, 1, NULL), 0);
		assert_true(bent.flushes > 0);
	}
}

static int send_raw(int fd, const char *to, size_t len)
{
	static const uint8_t bytes[60000];
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct flux_addr addr;

	if (flux_addr_parse(to, &addr) < 0)
		return -1;
	sin.sin_port = htons(addr.port);
	return sendto(fd, bytes, len, 0, (struct sockaddr *)&sin, sizeof(sin)) == (ssize_t)len ? 0 : -1;
}

/* A burst that no buffers are there for: what waits in the socket comes when some are given back, and it is counted. */
static void i03_no_buffers(void **state)
{
	struct flux_uring_cfg cfg = FLUX_URING_CFG_INIT;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	need_uring();
	for (cfg.buffers = 1; cfg.buffers <= 4; cfg.buffers *= 2) {
		struct flux_endpoint_stats stats = { .size = sizeof(stats) };
		struct pair pair = { 0 };

		assert_int_equal(flux_loop_open_uring(&pair.loop, &cfg, NULL), 0);
		assert_int_equal(open_pair(&pair), 0);
		assert_int_equal(transfer(&pair, 100), 0);
		for (int i = 0; i < BURST; i++)
			assert_int_equal(send_raw(fd, pair.local, 100), 0);
		for (int i = 0; stats.rx_malformed + stats.rx_unknown < BURST; i++) {
			assert_true(i < ROUNDS && flux_loop_poll_uring(pair.loop, FLUX_MS(5)) >= 0);
			flux_binding_get_endpoint_stats(pair.in, &stats);
		}
		assert_in_range(flux_loop_uring_stalls(pair.loop), BURST / 16 / cfg.buffers, 4 * BURST); /* of two sockets */
		assert_int_equal(transfer(&pair, MESSAGES), 0);
		flux_loop_close(pair.loop);
	}
	close(fd);
}

/* Too long for us, though not for the buffer: counted, and the next one is fine. */
static void i14_too_long(void **state)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };
	struct pair pair = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	need_uring();
	assert_int_equal(flux_loop_open_uring(&pair.loop, NULL, NULL), 0);
	assert_int_equal(open_pair(&pair), 0);
	assert_int_equal(send_raw(fd, pair.local, 60000), 0);
	assert_int_equal(transfer(&pair, 100), 0);
	flux_binding_get_stats(pair.in, &stats);
	assert_int_equal(stats.rx_truncated, 1);
	flux_loop_close(pair.loop);
	close(fd);
}

/* ---- Ends ---- */

/* The kernel's hold on the socket ends with the binding: its port can be had at once, ten times over. */
static void i06_no_port_stays_bound(void **state)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_binding *binding;
	struct pair pair = { 0 };

	(void)state;
	need_uring();
	assert_int_equal(flux_loop_open_uring(&pair.loop, NULL, NULL), 0);
	assert_int_equal(open_pair(&pair), 0);
	assert_int_equal(transfer(&pair, 100), 0);
	flux_binding_close(pair.in);
	cfg.local = pair.local;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(flux_binding_open(&binding, pair.loop, &cfg), 0);
		if (i % 2) /* armed, or only queued to be */
			assert_true(flux_loop_poll_uring(pair.loop, 0) >= 0);
		flux_binding_close(binding);
	}
	assert_int_equal(flux_binding_open(&binding, pair.loop, &cfg), 0);
	assert_true(flux_loop_poll_uring(pair.loop, 0) >= 0);
	flux_loop_close(pair.loop);
	assert_int_equal(flux_loop_open_uring(&pair.loop, NULL, NULL), 0);
	assert_int_equal(flux_binding_open(&binding, pair.loop, &cfg), 0);
	flux_loop_close(pair.loop);
}

static int fork_body(void *arg)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_binding *binding;
	struct pair *pair = arg;

	CHECK(flux_loop_poll_uring(pair->loop, 0) == FLUX_EFORKED);
	CHECK(flux_binding_open(&binding, pair->loop, &cfg) == FLUX_EFORKED);
	CHECK(flux_loop_adopt(pair->loop) == FLUX_ENOTSUP);
	flux_binding_close(pair->in);
	flux_loop_close(pair->loop);
	return 0;
}

/* The child is told, and may close what it has; the parent's requests go on. */
static void i09_fork(void **state)
{
	struct pair pair = { 0 };

	(void)state;
	need_uring();
	assert_int_equal(flux_loop_open_uring(&pair.loop, NULL, NULL), 0);
	assert_int_equal(open_pair(&pair), 0);
	assert_int_equal(transfer(&pair, 100), 0);
	pair.wanted += 100;
	on_writable(&pair, pair.pub);
	assert_true(flux_loop_poll_uring(pair.loop, 0) >= 0); /* in flight */
	assert_int_equal(child_run(fork_body, &pair), 0);
	assert_int_equal(transfer(&pair, MESSAGES), 0);
	flux_loop_close(pair.loop);
}

static void *poll_there(void *arg)
{
	return (void *)(intptr_t)flux_loop_poll_uring(arg, 0);
}

static int poll_elsewhere(struct flux_loop *loop)
{
	pthread_t thread;
	void *rc = NULL;

	if (pthread_create(&thread, NULL, poll_there, loop) == 0)
		pthread_join(thread, &rc);
	return (int)(intptr_t)rc;
}

static void *run_there(void *arg)
{
	struct pair *pair = arg;

	/* The first turn makes it the owner, which the calls of debug builds look at. */
	if (flux_loop_poll_uring(pair->loop, 0) < 0 || open_pair(pair) < 0 || transfer(pair, 100) != 0)
		return NULL;
	pair->strange = poll_elsewhere(pair->loop);
	flux_loop_close(pair->loop);
	return NULL;
}

/* Made in one thread, it belongs to the one that polls it first, and to no other. */
static void i10_threads(void **state)
{
	struct pair pair = { 0 };
	pthread_t thread;

	(void)state;
	need_uring();
	assert_int_equal(flux_loop_open_uring(&pair.loop, NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_there, &pair), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pair.received, 100);
	assert_int_equal(pair.strange, FLUX_ETHREAD);
}

/* A foreign loop would miss wake-ups of a ring: there is no descriptor to put there. The fallback has one. */
static void i11_foreign_loop(void **state)
{
	struct flux_loop *loop;

	(void)state;
	need_uring();
	assert_int_equal(flux_loop_open_uring(&loop, NULL, NULL), 0);
	assert_int_equal(flux_loop_epoll_fd(loop), FLUX_EINVAL);
	flux_loop_close(loop);
	bent.setup = -EPERM;
	bent.setups_left = 1;
	assert_int_equal(flux_loop_open_uring(&loop, NULL, NULL), 0);
	assert_true(flux_loop_epoll_fd(loop) >= 0);
	flux_loop_close(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i01_refused_by_seccomp),
		cmocka_unit_test(i02_memlock),
		cmocka_unit_test(i16_older_kernels),
		cmocka_unit_test(configuration),
		cmocka_unit_test(i03_no_buffers),
		cmocka_unit_test(i04_full_queue),
		cmocka_unit_test(i14_too_long),
		cmocka_unit_test(i06_no_port_stays_bound),
		cmocka_unit_test(i09_fork),
		cmocka_unit_test(i10_threads),
		cmocka_unit_test(i11_foreign_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
