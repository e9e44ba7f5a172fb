/* SPDX-License-Identifier: MIT */
/* Each code that these layers return, provoked, with the fact in its words that helps (A13, A06, A08). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/binding.h"
#include "modules/udp.h"
#include "tests/lib/inject.h"
#include "tests/loop/pollhost.h"
#include "tests/loop/world.h"
#include "tests/sim/memory.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The code is as expected, and the words name the fact. */
static void expect(const struct world *w, int rc, int code, const char *fact)
{
	const char *words = flux_loop_detail(w->loop);

	assert_int_equal(rc, code);
	if (!strstr(words, fact))
		fail_msg("\"%s\" does not say \"%s\"", words, fact);
}

static struct world *begin(void **state)
{
	inject_clear();
	return *state;
}

static enum flux_take take(void *ctx, struct flux_sub *sub, flux_sid sid, const struct flux_msg *msg)
{
	(void)ctx;
	(void)sub;
	(void)sid;
	(void)msg;
	return FLUX_TAKE;
}

/* ---- Opening ---- */

static int open_local(struct world *w, const char *local)
{
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_binding *binding = NULL;
	int rc;

	cfg.local = local;
	rc = flux_binding_open(&binding, w->loop, &cfg);
	assert_true(rc == 0 ? binding != NULL : binding == NULL);
	flux_binding_close(binding);
	return rc;
}

static void addresses(void **state)
{
	struct world *w = begin(state);
	flux_sid sid = 7;

	end_open(&w->a, "127.0.0.1:0");
	expect(w, open_local(w, w->a.local), -EADDRINUSE, w->a.local);
	expect(w, open_local(w, "192.0.2.1:7000"), -EADDRNOTAVAIL, "192.0.2.1:7000");
	expect(w, open_local(w, "nonsense"), FLUX_EINVAL, "nonsense");
	expect(w, open_local(w, "127.0.0.1:65536"), FLUX_EINVAL, "65535");
	expect(w, flux_binding_connect(w->a.binding, "127.0.0.1", &sid), FLUX_EINVAL, "HOST:PORT");
	expect(w, flux_binding_connect(w->a.binding, ":7000", &sid), FLUX_EINVAL, ":7000");
	expect(w, flux_binding_connect(w->a.binding, "[::1]:7000", &sid), FLUX_EINVAL, "IPv4");
	expect(w, flux_binding_connect(w->a.binding, "127.0.0.1:0", &sid), FLUX_EINVAL, "port");
	assert_int_equal(sid, 7);
	assert_int_equal(open_local(w, ":0"), 0);
	assert_int_equal(open_local(w, NULL), 0);
}

static void configurations(void **state)
{
	struct {
		struct flux_binding_cfg cfg;
		uint64_t newer;
	} longer = { .cfg = { .size = sizeof(longer) } };
	struct flux_endpoint_cfg endpoint = FLUX_ENDPOINT_CFG_INIT;
	struct flux_binding_cfg cfg = { 0 };
	struct flux_sub_cfg in = FLUX_SUB_CFG_INIT;
	struct flux_pub_cfg out = FLUX_PUB_CFG_INIT;
	struct world *w = begin(state);
	struct flux_binding *binding;
	struct flux_pub *pub;
	struct flux_sub *sub;

	expect(w, flux_binding_open(&binding, w->loop, &cfg), FLUX_EINVAL, "initialiser");
	assert_int_equal(flux_binding_open(&binding, w->loop, &longer.cfg), 0); /* newer, and nothing of it used */
	flux_binding_close(binding);
	longer.newer = 1;
	expect(w, flux_binding_open(&binding, w->loop, &longer.cfg), FLUX_E2BIG, FLUX_VERSION);

	cfg.size = sizeof(cfg);
	cfg.endpoint = &endpoint;
	endpoint.window = 1000;
	expect(w, flux_binding_open(&binding, w->loop, &cfg), FLUX_EINVAL, "window");
	endpoint.window = 0;
	endpoint.max_datagram = UINT32_MAX;
	expect(w, flux_binding_open(&binding, w->loop, &cfg), FLUX_EINVAL, "max_datagram");

	world_connect(w);
	expect(w, flux_sub_open(&sub, w->a.binding, 0, &in), FLUX_EINVAL, "on_message");
	in.size = 0;
	expect(w, flux_sub_open(&sub, w->a.binding, 0, &in), FLUX_EINVAL, "initialiser");
	out.size = 1;
	expect(w, flux_pub_open(&pub, w->a.binding, w->a.sid, &out), FLUX_EINVAL, "initialiser");
}

static void the_system(void **state)
{
	struct world *w = begin(state);

	inject_error(INJECT_SOCKET, EMFILE, 0, 1);
	expect(w, open_local(w, "127.0.0.1:0"), -EMFILE, strerror(EMFILE));
	inject_error(INJECT_GETRANDOM, ENOSYS, 0, 1);
	expect(w, open_local(w, "127.0.0.1:0"), -ENOSYS, "getrandom");
	inject_error(INJECT_GETRANDOM, EINTR, 0, 5);
	assert_int_equal(open_local(w, "127.0.0.1:0"), 0);
}

/* S02, as a program sees it. */
static void s02_short_buffer(void **state)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };
	struct world *w = begin(state);

	inject_option(SOL_SOCKET, SO_RCVBUFFORCE, EPERM);
	inject_rcvbuf(425984);
	w->a.cfg.rcvbuf = 8u << 20;
	end_open(&w->a, "127.0.0.1:0");
	expect(w, 0, 0, "got 212992 bytes, wanted 8388608; raise net.core.rmem_max (now ");
	flux_binding_get_stats(w->a.binding, &stats);
	assert_int_equal(stats.rcvbuf, 425984);
	assert_int_equal(stats.rcvbuf_short, 1);
}

/* S17: an older kernel lacks one of these. A server opens and serves, and its counters show what is off. */
static void s17_older_kernels(void **state)
{
	static const struct {
		int level, name;
		uint32_t feature;
	} lacks[] = {
		{ SOL_UDP, UDP_SEGMENT, 0 },
		{ SOL_UDP, UDP_GRO, 0 },
		{ SOL_SOCKET, SO_RXQ_OVFL, FLUX_SOCKET_DROPS },
		{ SOL_SOCKET, SO_TIMESTAMPNS, FLUX_SOCKET_STAMPS },
		{ IPPROTO_IP, IP_RECVERR, FLUX_SOCKET_ERRORS },
		{ IPPROTO_IPV6, IPV6_V6ONLY, FLUX_SOCKET_IPV4 },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO, FLUX_SOCKET_LOCAL },
	};
	const uint32_t all = FLUX_SOCKET_DROPS | FLUX_SOCKET_STAMPS | FLUX_SOCKET_ERRORS | FLUX_SOCKET_IPV4 |
			     FLUX_SOCKET_LOCAL;
	struct flux_binding_stats stats = { .size = sizeof(stats) };
	struct world *w = begin(state);
	struct flux_addr at;
	char peer[FLUX_ADDR_TEXT];

	end_open(&w->b, NULL);
	for (size_t i = 0; i < COUNT(lacks); i++) {
		inject_option(lacks[i].level, lacks[i].name, ENOPROTOOPT);
		end_open(&w->a, ":0");
		flux_binding_get_stats(w->a.binding, &stats);
		assert_int_equal(stats.features, all & ~lacks[i].feature);
		assert_false(stats.tx_offload && lacks[i].level == SOL_UDP && lacks[i].name == UDP_SEGMENT);
		assert_false(stats.rx_offload && lacks[i].level == SOL_UDP && lacks[i].name == UDP_GRO);
		flux_binding_local(w->a.binding, &at);
		at = (struct flux_addr){ .ip = { 127, 0, 0, 1 }, .port = at.port, .family = 4 };
		w->a.ups = w->b.ups = 0;
		w->b.pub = NULL;
		end_connect(&w->b, flux_addr_format(&at, peer));
		world_until(w, w->a.ups && w->b.ups);
		w->b.sent = w->a.received = 0;
		assert_int_equal(end_send(&w->b, 3000), 0);
		world_until(w, w->a.received == 1);
		flux_binding_close(w->a.binding);
		world_until(w, w->a.ended == i + 1);
	}
}

/* ---- Sessions and handles ---- */

static void sessions(void **state)
{
	struct flux_endpoint_cfg one = FLUX_ENDPOINT_CFG_INIT;
	struct flux_sub_cfg in = FLUX_SUB_CFG_INIT;
	struct world *w = begin(state);
	struct flux_sub *sub = NULL;
	struct flux_pub *pub = NULL;
	flux_sid sid;

	one.max_sessions = 1;
	one.max_message = 5000;
	in.on_message = take;
	w->a.cfg.endpoint = w->b.cfg.endpoint = &one;
	world_connect(w);
	expect(w, flux_binding_connect(w->b.binding, w->a.local, &sid), FLUX_EBUSY, "max_sessions");
	expect(w, flux_sub_open(&sub, w->b.binding, w->b.sid, &in), FLUX_EBUSY, "already");
	expect(w, flux_sub_open(&sub, w->b.binding, w->b.sid + 1, &in), FLUX_ECLOSED, "closed");
	expect(w, flux_pub_open(&pub, w->b.binding, w->b.sid + 1, NULL), FLUX_ECLOSED, "closed");
	expect(w, flux_pub_open(&pub, w->b.binding, 0, NULL), FLUX_ECLOSED, "session 0");
	assert_null(pub);
	assert_null(sub);
	assert_int_equal(flux_pub_max_message(w->b.pub), 5000);
	expect(w, end_send(&w->b, 5001), FLUX_EMSGSIZE, "5000");
	assert_int_equal(end_send(&w->b, 5000), 0);
	expect(w, flux_pub_publish(w->b.pub, 1), FLUX_EINVAL, "claim");
	world_until(w, w->a.received == 1);

	flux_binding_close_session(w->b.binding, w->b.sid, 0);
	expect(w, end_send(&w->b, 1), FLUX_ECLOSED, "clos");
	expect(w, flux_binding_close_session(w->b.binding, w->b.sid + 1, 0), FLUX_ECLOSED, "clos");
	expect(w, flux_binding_abort_session(w->b.binding, w->b.sid + 1, 0, NULL), FLUX_ECLOSED, "clos");
}

static void before_and_after(void **state)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };
	struct world *w = begin(state);
	struct flux_claim claim;
	struct flux_pub *pub;
	flux_sid sid;

	end_open(&w->a, "127.0.0.1:0");
	end_open(&w->b, NULL);
	end_connect(&w->b, w->a.local);
	assert_int_equal(end_send(&w->b, 1), FLUX_EAGAIN); /* not up yet */
	assert_int_equal(flux_pub_max_message(w->b.pub), 0);
	assert_int_equal(flux_pub_max_claim(w->b.pub), 0);
	world_until(w, w->a.ups && w->b.ups);

	flux_binding_close(w->b.binding);
	expect(w, end_send(&w->b, 1), FLUX_ECLOSED, "binding");
	expect(w, flux_pub_claim(w->b.pub, 1, &claim), FLUX_ECLOSED, "binding");
	expect(w, flux_pub_publish(w->b.pub, 1), FLUX_ECLOSED, "binding");
	flux_pub_abort(w->b.pub);
	expect(w, flux_pub_open(&pub, w->b.binding, w->b.sid, NULL), FLUX_ECLOSED, "binding");
	expect(w, flux_binding_connect(w->b.binding, w->a.local, &sid), FLUX_ECLOSED, "binding");
	expect(w, flux_binding_close_session(w->b.binding, w->b.sid, 0), FLUX_ECLOSED, "binding");
	expect(w, flux_binding_abort_session(w->b.binding, w->b.sid, 0, NULL), FLUX_ECLOSED, "binding");
	(void)flux_binding_get_session_stats(w->b.binding, w->b.sid, &stats);
	world_until(w, w->b.ended);
}

static uint64_t acked(const struct end *end)
{
	struct flux_session_stats stats = { .size = sizeof(stats) };

	(void)flux_binding_get_session_stats(end->binding, end->sid, &stats);
	return stats.tx_acked_messages;
}

/* Somebody closes the socket's descriptor, and maybe the number is another's then. */
static void close_behind_its_back(struct world *w, int fd, bool reuse)
{
	int other = open("/dev/null", O_RDWR | O_CLOEXEC);
	flux_sid sid;

	assert_true(other >= 0);
	assert_int_equal(reuse ? dup2(other, fd) : close(fd), reuse ? fd : 0);
	assert_int_equal(end_send(&w->b, 100), 0);
	assert_int_equal(end_send(&w->b, 100), 0);
	world_until(w, w->b.closes);
	assert_int_equal(w->b.last.reason, reuse ? -ENOTSOCK : -EBADF);
	assert_int_equal(w->b.last.undelivered, 2);
	assert_non_null(strstr(w->b.last.text, "behind its back"));
	expect(w, flux_binding_connect(w->b.binding, w->a.local, &sid), w->b.last.reason, "behind its back");
	world_idle(w);
	flux_binding_close(w->b.binding);
	world_until(w, w->b.ended);
	if (reuse) {
		assert_int_equal(fcntl(fd, F_GETFD) >= 0, 1); /* it is not ours to close */
		close(fd);
	}
	close(other);
}

/* E10: the sessions end with an event, and the loop goes on. */
static void e10_descriptor_closed(void **state)
{
	struct world *w = begin(state);

	end_open(&w->a, "127.0.0.1:0");
	for (int reuse = 0; reuse < 2; reuse++) {
		w->a.ups = w->b.ups = w->b.closes = w->b.ended = 0;
		w->a.sid = 0;
		w->a.pub = NULL;
		w->a.received = w->b.sent = 0;
		end_open(&w->b, NULL);
		end_connect(&w->b, w->a.local);
		world_until(w, w->a.ups && w->b.ups);
		assert_int_equal(end_send(&w->b, 100), 0);
		world_until(w, w->a.received == 1);
		world_until(w, acked(&w->b) == 1);
		close_behind_its_back(w, w->b.binding->sock.fd, reuse);
	}
}

static void e10_plain_socket_closed(void **state)
{
	struct flux_udp_cfg cfg = FLUX_UDP_CFG_INIT;
	struct flux_tx tx = { .body = "x", .body_len = 1 };
	struct world *w = begin(state);
	struct flux_udp *udp;

	cfg.local = "127.0.0.1:0";
	assert_int_equal(flux_udp_open(&udp, w->loop, &cfg), 0);
	flux_udp_local(udp, &tx.to);
	assert_int_equal(flux_udp_send(udp, &tx, 1), 1);
	world_round(w);
	close(udp->sock.fd);
	world_idle(w);
	expect(w, flux_udp_send(udp, &tx, 1), -EBADF, "behind its back");
	world_idle(w);
	flux_udp_close(udp);
	world_idle(w);
}

/* A08: what a send was given may be reused at once. */
static void a08_copied(void **state)
{
	static uint8_t bytes[3000];
	struct world *w = begin(state);

	world_connect(w);
	memset(bytes, 0, sizeof(bytes)); /* message 0 of 3000 bytes, as the other end expects it */
	memset(bytes, (int)(sizeof(bytes) & 0xff), sizeof(bytes));
	memset(bytes, 0, 8);
	assert_int_equal(flux_pub_send(w->b.pub, bytes, sizeof(bytes)), 0);
	memset(bytes, 0xff, sizeof(bytes));
	world_until(w, w->a.received == 1);
	assert_int_equal(w->a.wrong, 0);
}

/* ---- Loops of one's own ---- */

static int no_watch(void *host, int fd, uint32_t events, void *tag, void **slot)
{
	(void)host;
	(void)fd;
	(void)events;
	(void)tag;
	(void)slot;
	return -EPERM;
}

static void no_rearm(void *host)
{
	(void)host;
}

static void adapters_of_others(void **state)
{
	struct flux_loop_ops ops = { .size = sizeof(ops), .watch = no_watch, .rearm = no_rearm, .close = no_rearm };
	struct flux_loop_ops broken = ops;
	struct world *w = begin(state);
	struct flux_binding *binding;
	struct flux_loop *loop = NULL;
	int host;

	for (int i = 0; i < 4; i++) {
		broken = ops;
		if (i == 0)
			broken.watch = NULL;
		else if (i == 1)
			broken.rearm = NULL;
		else if (i == 2)
			broken.close = NULL;
		else
			broken.size = 0;
		assert_int_equal(flux_loop_create(&loop, &broken, &host, NULL), FLUX_EINVAL);
		assert_null(loop);
	}
	assert_int_equal(flux_loop_create(&loop, &ops, &host, NULL), 0);
	assert_string_equal(flux_loop_detail(loop), "");
	assert_ptr_equal(flux_loop_host(loop, &ops), &host);
	assert_null(flux_loop_host(w->loop, &ops));
	assert_null(flux_loop_host(NULL, &ops));
	assert_int_equal(flux_binding_open(&binding, loop, NULL), -EPERM);
	assert_non_null(strstr(flux_loop_detail(loop), "watch"));
	assert_int_equal(flux_loop_on_turn(loop), 0);
	assert_true(flux_loop_deadline(loop) == FLUX_NEVER);
	flux_loop_close(loop);
}

/* ---- Memory ---- */

/* Each allocation refused in turn: FLUX_ENOMEM in words, and nothing left behind. */
static void no_memory(void **state)
{
	struct flux_sub_cfg in = FLUX_SUB_CFG_INIT;
	struct sim_memory memory;
	struct flux_loop *loop;
	struct flux_binding *binding;
	struct flux_pub *pub;
	struct flux_sub *sub;
	flux_sid sid;
	void *host;
	int rc = -1;

	(void)begin(state);
	in.on_message = take;
	sim_memory_init(&memory);
	memory.refuse_at = 1;
	assert_int_equal(pollhost_open(&loop, &host, &memory.mem), FLUX_ENOMEM);
	for (uint64_t at = 1; rc != 0; at++) {
		assert_true(at < 100);
		sim_memory_init(&memory);
		assert_int_equal(pollhost_open(&loop, &host, &memory.mem), 0);
		memory.refuse_at = memory.calls + at;
		rc = flux_binding_open(&binding, loop, NULL);
		if (rc == 0)
			rc = flux_binding_connect(binding, "127.0.0.1:9", &sid);
		if (rc == 0)
			rc = flux_pub_open(&pub, binding, sid, NULL);
		if (rc == 0)
			rc = flux_sub_open(&sub, binding, sid, &in);
		if (rc != 0) {
			assert_int_equal(rc, FLUX_ENOMEM);
			assert_string_not_equal(flux_loop_detail(loop), "");
		}
		flux_loop_close(loop);
		pollhost_close(host);
		assert_int_equal(memory.blocks + memory.bytes + memory.wrong, 0);
	}
}

/* ---- Threads ---- */

#ifdef FLUX_DEBUG

static const char *const owned[] = {
	"flux_binding_open",
	"flux_binding_close",
	"flux_binding_connect",
	"flux_binding_close_session",
	"flux_binding_abort_session",
	"flux_binding_get_stats",
	"flux_binding_get_endpoint_stats",
	"flux_binding_get_session_stats",
	"flux_pub_open",
	"flux_pub_close",
	"flux_pub_send",
	"flux_pub_claim",
	"flux_pub_publish",
	"flux_pub_abort",
	"flux_pub_max_message",
	"flux_pub_max_claim",
	"flux_sub_open",
	"flux_sub_close",
	"flux_sub_pause",
	"flux_sub_resume",
	"flux_loop_close",
};

/* Call number `i` of the list; FLUX_ETHREAD stands for what cannot return it. */
static int call(struct world *w, size_t i)
{
	struct flux_binding_stats socket = { .size = sizeof(socket) };
	struct flux_endpoint_stats endpoint = { .size = sizeof(endpoint) };
	struct flux_session_stats session = { .size = sizeof(session) };
	struct flux_sub_cfg in = { .size = sizeof(in), .on_message = take };
	struct flux_binding *binding;
	struct flux_claim claim;
	struct flux_pub *pub;
	struct flux_sub *sub;
	flux_sid sid;

	switch (i) {
	case 0:
		return flux_binding_open(&binding, w->loop, NULL);
	case 1:
		flux_binding_close(w->b.binding);
		break;
	case 2:
		return flux_binding_connect(w->b.binding, w->a.local, &sid);
	case 3:
		return flux_binding_close_session(w->b.binding, w->b.sid, 0);
	case 4:
		return flux_binding_abort_session(w->b.binding, w->b.sid, 0, NULL);
	case 5:
		flux_binding_get_stats(w->b.binding, &socket);
		break;
	case 6:
		flux_binding_get_endpoint_stats(w->b.binding, &endpoint);
		break;
	case 7:
		return flux_binding_get_session_stats(w->b.binding, w->b.sid, &session);
	case 8:
		return flux_pub_open(&pub, w->b.binding, w->b.sid, NULL);
	case 9:
		flux_pub_close(w->b.pub);
		break;
	case 10:
		return flux_pub_send(w->b.pub, "x", 1);
	case 11:
		return flux_pub_claim(w->b.pub, 1, &claim);
	case 12:
		return flux_pub_publish(w->b.pub, 1);
	case 13:
		flux_pub_abort(w->b.pub);
		break;
	case 14:
		assert_int_equal(flux_pub_max_message(w->b.pub), 0);
		break;
	case 15:
		assert_int_equal(flux_pub_max_claim(w->b.pub), 0);
		break;
	case 16:
		return flux_sub_open(&sub, w->b.binding, 0, &in);
	case 17:
		flux_sub_close(w->b.sub);
		break;
	case 18:
		flux_sub_pause(w->b.sub, w->b.sid);
		break;
	case 19:
		flux_sub_resume(w->b.sub, w->b.sid);
		break;
	default:
		flux_loop_close(w->loop);
		break;
	}
	return FLUX_ETHREAD;
}

static void *trespass(void *arg)
{
	struct world *w = arg;
	uintptr_t faults = 0;

	for (size_t i = 0; i < COUNT(owned); i++)
		if (call(w, i) != FLUX_ETHREAD || !strstr(flux_loop_detail(w->loop), owned[i]))
			faults |= (uintptr_t)1 << i;
	return (void *)faults;
}

/* A06: refused, named to the one who did it, and without effect. */
static void a06_wrong_thread(void **state)
{
	struct world *w = begin(state);
	pthread_t thread;
	void *faults;

	world_connect(w);
	assert_int_equal(pthread_create(&thread, NULL, trespass, w), 0);
	assert_int_equal(pthread_join(thread, &faults), 0);
	assert_null(faults);
	assert_string_equal(flux_loop_detail(w->loop), "");
	assert_int_equal(end_send(&w->b, 100), 0);
	world_until(w, w->a.received == 1);
	assert_int_equal(w->a.ended + w->b.ended, 0);
}

#else

static void a06_wrong_thread(void **state)
{
	(void)state;
	skip(); /* checked with --enable-debug */
}

#endif

int main(void)
{
	static const struct world_test tests[] = {
		{ "addresses", addresses },
		{ "configurations", configurations },
		{ "the_system", the_system },
		{ "s02_short_buffer", s02_short_buffer },
		{ "s17_older_kernels", s17_older_kernels },
		{ "sessions", sessions },
		{ "before_and_after", before_and_after },
		{ "e10_descriptor_closed", e10_descriptor_closed },
		{ "e10_plain_socket_closed", e10_plain_socket_closed },
		{ "a08_copied", a08_copied },
		{ "adapters_of_others", adapters_of_others },
		{ "no_memory", no_memory },
		{ "a06_wrong_thread", a06_wrong_thread },
	};

	return world_run("loop/errors", tests, COUNT(tests));
}
