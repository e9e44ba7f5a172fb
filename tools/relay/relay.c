/* SPDX-License-Identifier: MIT */
/* The relay at work: its sockets, its timer and its turn. */
#include "relay/relay.h"
#include "relay/link.h"
#include "relay/recv.h"
#include "relay/report.h"
#include "relay/send.h"
#include "relay/sock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS      RELAY_NS_PER_S
#define EVENTS       64
#define READ_BATCHES 4  /* of one socket before the next has its turn */
#define SPARE_FDS    16 /* files of the relay beside one socket for each client */
#define DRAIN_MS     1  /* of an owner's relay: nobody sends any more when nothing comes for so long */

/* What an event of epoll is about, when it is not the number of a client. */
enum {
	ABOUT_LISTEN = RELAY_CLIENTS,
	ABOUT_TIMER,
	ABOUT_SIGNAL
};

struct relay {
	const struct relay_options *options;
	struct relay_clients clients;
	struct relay_link link[2];
	struct relay_recv recv[2];
	struct relay_send send[2];
	int listen_fd;
	int epoll_fd;
	int timer_fd;
	int signal_fd;
	uint64_t started_at;
	uint64_t ends_at;
	uint64_t tick_at;
	uint64_t armed_at; /* what the timer is set to */
	uint64_t refused;
	bool refusal_said;
	bool has_status;
	bool stop;
	struct relay_counters shown[2]; /* as of the last status line */
	uint64_t shown_at;
};

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * RELAY_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int watch(struct relay *relay, int fd, uint32_t about)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = about };

	return epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Opening and closing */

static int open_listen(struct relay *relay)
{
	char text[CLI_ADDR_TEXT];
	int fd = relay_sock_open(&relay->options->listen, NULL);

	if (fd < 0)
		return cli_fail("cannot listen on %s: %s",
				cli_addr_format(&relay->options->listen, text), strerror(-fd));
	relay->listen_fd = fd;
	return CLI_OK;
}

/* SIGINT and SIGTERM arrive as events; a closed stdout is an error of writing, not a death. */
static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_loop(struct relay *relay)
{
	relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	relay->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	relay->signal_fd = open_signals();
	if (relay->epoll_fd < 0 || relay->timer_fd < 0 || relay->signal_fd < 0)
		return cli_fail("cannot open epoll, timer and signals: %s", strerror(errno));
	if (watch(relay, relay->listen_fd, ABOUT_LISTEN) != 0 ||
	    watch(relay, relay->timer_fd, ABOUT_TIMER) != 0 ||
	    watch(relay, relay->signal_fd, ABOUT_SIGNAL) != 0)
		return cli_fail("cannot watch the sockets: %s", strerror(errno));
	return CLI_OK;
}

static int open_links(struct relay *relay)
{
	const struct relay_options *options = relay->options;
	int rc = relay_clients_create(&relay->clients);

	for (uint32_t i = 0; i < 2 && rc == 0; i++) {
		struct relay_link *link = &relay->link[i];

		rc = relay_link_create(link, &options->set, options->seed, i, &relay->clients);
		if (rc == 0)
			rc = relay_recv_create(&relay->recv[i]);
		relay_send_init(&relay->send[i], link, relay->listen_fd);
	}
	return rc == 0 ? CLI_OK : cli_fail("cannot reserve memory: %s", strerror(-rc));
}

/* A full table needs more files than many systems allow by default; the hard limit may do. */
static void raise_file_limit(void)
{
	const rlim_t wanted = RELAY_CLIENTS + SPARE_FDS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int relay_open(struct relay *relay, const struct relay_options *options)
{
	int rc;

	memset(relay, 0, sizeof(*relay));
	relay->options = options;
	relay->listen_fd = relay->epoll_fd = relay->timer_fd = relay->signal_fd = -1;
	relay->armed_at = relay->ends_at = RELAY_NEVER;
	raise_file_limit();
	rc = open_listen(relay);
	if (rc == CLI_OK)
		rc = open_loop(relay);
	if (rc == CLI_OK)
		rc = open_links(relay);
	return rc;
}

static void relay_close(struct relay *relay)
{
	int fds[] = { relay->listen_fd, relay->epoll_fd, relay->timer_fd, relay->signal_fd };

	for (int i = 0; i < 2; i++) {
		relay_recv_destroy(&relay->recv[i]);
		relay_link_destroy(&relay->link[i]);
	}
	relay_clients_destroy(&relay->clients);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Receiving */

/* Count a datagram that nobody can take, and say so the first time. */
static uint32_t refuse(struct relay *relay, const struct cli_addr *addr, const char *why)
{
	char text[CLI_ADDR_TEXT];

	relay->refused++;
	if (!relay->refusal_said)
		cli_warn("%s is refused, as is any new client until one of the %u was idle a "
			 "minute: %s",
			 cli_addr_format(addr, text), relay->clients.count, why);
	relay->refusal_said = true;
	return RELAY_NO_CLIENT;
}

static uint32_t add_client(struct relay *relay, const struct cli_addr *addr)
{
	uint32_t client;
	int fd;

	if (relay->clients.count == RELAY_CLIENTS)
		return refuse(relay, addr, "the table is full");
	fd = relay_sock_open(NULL, &relay->options->target);
	if (fd < 0)
		return refuse(relay, addr, strerror(-fd));
	client = relay_clients_add(&relay->clients, addr, fd);
	if (watch(relay, fd, client) != 0)
		cli_warn("cannot watch a client's socket: %s", strerror(errno));
	return client;
}

static uint32_t client_of(struct relay *relay, uint32_t i)
{
	const struct relay_recv *recv = &relay->recv[RELAY_FORWARD];
	socklen_t len = recv->msgs[i].msg_hdr.msg_namelen;
	struct cli_addr addr = { .ss = recv->names[i], .len = len };
	uint32_t client = relay_clients_find(&relay->clients, &addr);

	return client != RELAY_NO_CLIENT ? client : add_client(relay, &addr);
}

/* One batch from the clients (`client` is RELAY_NO_CLIENT) or from the target to one client. */
static uint32_t read_batch(struct relay *relay, enum relay_direction direction, uint32_t client)
{
	struct relay_link *link = &relay->link[direction];
	struct relay_recv *recv = &relay->recv[direction];
	bool forward = direction == RELAY_FORWARD;
	int fd = forward ? relay->listen_fd : relay->clients.table[client].fd;
	uint32_t n = relay_recv_batch(recv, fd);
	uint64_t now = clock_now();

	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = forward ? client_of(relay, i) : client;

		if (from != RELAY_NO_CLIENT)
			relay_link_take(link, now, from, recv->iov[i].iov_base,
					recv->msgs[i].msg_len);
	}
	return n;
}

/* Returns how many datagrams came. */
static uint32_t handle_event(struct relay *relay, uint32_t about)
{
	enum relay_direction direction = about == ABOUT_LISTEN ? RELAY_FORWARD : RELAY_BACKWARD;
	uint32_t client = about == ABOUT_LISTEN ? RELAY_NO_CLIENT : about;
	uint32_t n = RELAY_BATCH, came = 0;

	if (about == ABOUT_SIGNAL)
		relay->stop = true;
	if (about == ABOUT_SIGNAL || about == ABOUT_TIMER)
		return 0;
	for (int i = 0; i < READ_BATCHES && n == RELAY_BATCH; i++) {
		n = read_batch(relay, direction, client);
		came += n;
	}
	return came;
}

/* Telling */

/* Bring what the sockets and lines know into the counters. */
static void complete_counters(struct relay *relay)
{
	struct relay_link *link = relay->link;

	link[RELAY_FORWARD].count.kernel_dropped = relay_sock_dropped(relay->listen_fd);
	link[RELAY_BACKWARD].count.kernel_dropped = relay_clients_dropped(&relay->clients);
	for (int i = 0; i < 2; i++)
		link[i].count.unsent = link[i].line.held;
}

static struct relay_report make_report(struct relay *relay, uint64_t now)
{
	complete_counters(relay);
	return (struct relay_report){
		.seed = relay->options->seed,
		.run_ns = now - relay->started_at,
		.clients = relay->clients.seen,
		.refused = relay->refused,
		.count = { &relay->link[0].count, &relay->link[1].count },
	};
}

static void show_status(struct relay *relay, uint64_t now)
{
	struct relay_report report = make_report(relay, now);

	relay_report_status(stderr, &report, relay->shown, now - relay->shown_at);
	relay->shown_at = now;
}

static int tell_end(struct relay *relay)
{
	struct relay_report report = make_report(relay, clock_now());
	const struct relay_owner *owner = relay->options->owner;

	if (owner) {
		owner->on_end(owner->ctx, &report);
		return CLI_OK;
	}
	if (relay->has_status)
		fputc('\n', stderr);
	relay_report_json(stdout, &report);
	return cli_close_stdout();
}

static void tell_ready(struct relay *relay)
{
	const struct relay_owner *owner = relay->options->owner;
	struct cli_addr local = { .len = sizeof(local.ss) };
	char text[CLI_ADDR_TEXT];

	if (getsockname(relay->listen_fd, (struct sockaddr *)&local.ss, &local.len) != 0)
		local = relay->options->listen;
	if (owner)
		owner->on_listening(owner->ctx, &local);
	else
		fprintf(stderr, "listening on %s\n", cli_addr_format(&local, text));
}

/* The turn */

static void tick(struct relay *relay, uint64_t now)
{
	relay->tick_at = now + TICK_NS;
	relay_clients_expire(&relay->clients, now);
	if (relay->has_status)
		show_status(relay, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Set the timer to what is next to do. Returns epoll's timeout: 0 if that is due already. */
static int arm_timer(struct relay *relay)
{
	bool ticks = relay->has_status || relay->clients.count > 0;
	uint64_t next = earlier(relay->ends_at, ticks ? relay->tick_at : RELAY_NEVER);
	struct itimerspec at = { 0 };

	next = earlier(next, relay_line_due(&relay->link[RELAY_FORWARD].line));
	next = earlier(next, relay_line_due(&relay->link[RELAY_BACKWARD].line));
	if (next <= clock_now())
		return 0;
	if (next == relay->armed_at)
		return -1;
	if (next != RELAY_NEVER) {
		at.it_value.tv_sec = (time_t)(next / RELAY_NS_PER_S);
		at.it_value.tv_nsec = (long)(next % RELAY_NS_PER_S);
	}
	timerfd_settime(relay->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	relay->armed_at = next;
	return -1;
}

/* Returns whether something came or is on its way. */
static bool turn(struct relay *relay)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(relay->epoll_fd, events, EVENTS, relay->stop ? DRAIN_MS : arm_timer(relay));
	uint32_t came = 0;
	uint64_t now;

	for (int i = 0; i < n; i++)
		came += handle_event(relay, events[i].data.u32);
	now = clock_now();
	for (int i = 0; i < 2; i++)
		relay_send_due(&relay->send[i], now);
	if (now >= relay->tick_at)
		tick(relay, now);
	if (now >= relay->ends_at)
		relay->stop = true;
	return came > 0 || relay->link[RELAY_FORWARD].line.held > 0 || relay->link[RELAY_BACKWARD].line.held > 0;
}

int relay_run(const struct relay_options *options)
{
	struct relay *relay = malloc(sizeof(*relay));
	int rc;

	if (!relay)
		return cli_fail("cannot reserve memory: %s", strerror(errno));
	rc = relay_open(relay, options);
	if (rc == CLI_OK) {
		relay->started_at = relay->tick_at = relay->shown_at = clock_now();
		if (options->run_ns != 0)
			relay->ends_at = relay->started_at + options->run_ns;
		relay->has_status = !options->owner && isatty(STDERR_FILENO);
		tell_ready(relay);
		while (!relay->stop)
			(void)turn(relay);
		while (options->owner && turn(relay))
			; /* what has been sent to an owner's goes all its way */
		rc = tell_end(relay);
	}
	relay_close(relay);
	free(relay);
	return rc;
}
