/* SPDX-License-Identifier: MIT */
/*
 * Runs a relay between three clients and a target, all in here, and checks every datagram that
 * comes out of it: relay_probe [-c COPIES] [-f FLIPS] [-b] [-6] RELAY [OPTION]...
 *
 * Each datagram must arrive COPIES times in a row with FLIPS bits changed, in order, from and
 * to the right place. With -b a datagram of 1,400 bytes goes ahead of each and must not arrive,
 * and all others are smaller. The relay gets LISTEN, TARGET and the options; its line of JSON is
 * left on standard output.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS     3
#define ROUNDS      40
#define BLOCKED     1400
#define ARGS        24
#define LAST_RESORT 60 /* seconds without a datagram after which the relay is taken for hung */

struct probe {
	int copies;
	int flips;
	bool has_blocked;
	int family;
	int target;
	int client[CLIENTS];
	struct sockaddr_storage client_port[CLIENTS]; /* as the target sees it */
	struct sockaddr_storage relay;
	socklen_t addr_len;
	pid_t pid;
};

/* The first SMALL of them are below BLOCKED. */
static const size_t sizes[] = { 0, 1, 2, 100, 1100, 1372, 2048, 2049, 9000, 60000 };
#define SMALL 6

static void die(const char *what)
{
	fprintf(stderr, "relay_probe: %s (%s)\n", what, strerror(errno));
	exit(1);
}

/* The port is at the same place in both families. */
static uint16_t *port_of(struct sockaddr_storage *ss)
{
	return &((struct sockaddr_in *)ss)->sin_port;
}

static struct sockaddr_storage loopback(const struct probe *probe)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)probe->family };

	if (probe->family == AF_INET6)
		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_loopback;
	else
		((struct sockaddr_in *)&ss)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return ss;
}

static int open_socket(const struct probe *probe)
{
	struct sockaddr_storage ss = loopback(probe);
	struct timeval limit = { .tv_sec = LAST_RESORT };
	int fd = socket(probe->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, probe->addr_len) != 0)
		die("cannot open a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* Start the relay with its standard error in a pipe, and read from there where it listens. */
static void start_relay(struct probe *probe, char **argv)
{
	const char *host = probe->family == AF_INET6 ? "[::1]" : "127.0.0.1";
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char *args[ARGS] = { argv[0] };
	char listen_text[32];
	char target_text[32];
	char line[128];
	int pipe_fd[2];
	FILE *errors;

	if (getsockname(probe->target, (struct sockaddr *)&ss, &len) != 0 || pipe(pipe_fd) != 0)
		die("cannot prepare the relay");
	snprintf(listen_text, sizeof(listen_text), "%s:0", host);
	snprintf(target_text, sizeof(target_text), "%s:%d", host, ntohs(*port_of(&ss)));
	args[1] = listen_text;
	args[2] = target_text;
	for (int i = 1; argv[i] && i < ARGS - 3; i++)
		args[i + 2] = argv[i];
	probe->pid = fork();
	if (probe->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not outlive a failed test */
		dup2(pipe_fd[1], STDERR_FILENO);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
		execv(argv[0], args);
		_exit(127);
	}
	close(pipe_fd[1]);
	errors = fdopen(pipe_fd[0], "r");
	do {
		if (!errors || !fgets(line, sizeof(line), errors))
			die("the relay did not start");
	} while (strncmp(line, "listening on ", 13) != 0);
	probe->relay = loopback(probe);
	*port_of(&probe->relay) = htons((uint16_t)atoi(strrchr(line, ':') + 1));
	/* `errors` stays open to the end: the relay may have more to say. */
}

/* A datagram as its number makes it. Every second one looks like DATA of Flux. */
static size_t make(const struct probe *probe, uint8_t *bytes, unsigned number)
{
	size_t choice = probe->has_blocked ? SMALL : sizeof(sizes) / sizeof(sizes[0]);
	size_t len = sizes[number % choice];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(number * 31 + i * 7);
	if (len >= 2) {
		bytes[0] = 0x09;
		bytes[1] = number / 10 % 2 ? 0x01 : 0x02;
	}
	return len;
}

static int bits_changed(const uint8_t *a, const uint8_t *b, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += __builtin_popcount((uint8_t)(a[i] ^ b[i]));
	return n;
}

/* Send datagram `number` from `from` to `to`, and check what of it comes out at `at`. */
static void pass(const struct probe *probe, int from, const struct sockaddr_storage *to, int at,
		 unsigned number, struct sockaddr_storage *seen_from)
{
	static uint8_t sent[65536];
	static uint8_t got[65536];
	const struct sockaddr *addr = (const struct sockaddr *)to;
	size_t len;

	if (probe->has_blocked && sendto(from, sent, BLOCKED, 0, addr, probe->addr_len) < 0)
		die("cannot send");
	len = make(probe, sent, number);
	if (sendto(from, sent, len, 0, addr, probe->addr_len) < 0)
		die("cannot send");
	for (int copy = 0; copy < probe->copies; copy++) {
		socklen_t addr_len = sizeof(*seen_from);
		ssize_t n = recvfrom(at, got, sizeof(got), 0, (struct sockaddr *)seen_from,
				     &addr_len);

		if (n < 0)
			die("a datagram did not arrive");
		if ((size_t)n != len)
			die("a datagram arrived with another length");
		if (bits_changed(sent, got, len) != (len > 0 ? probe->flips : 0))
			die("a datagram arrived with other bits changed than asked for");
	}
}

static void check_peer(const struct probe *probe, int client)
{
	for (int i = 0; i < client; i++)
		if (*port_of((struct sockaddr_storage *)&probe->client_port[i]) ==
		    *port_of((struct sockaddr_storage *)&probe->client_port[client]))
			die("the target cannot tell two clients apart");
}

/* One datagram from each client to the target and one back, in turns. */
static void exchange(struct probe *probe)
{
	struct sockaddr_storage from;

	for (unsigned number = 0; number < ROUNDS; number++) {
		for (int i = 0; i < CLIENTS; i++) {
			pass(probe, probe->client[i], &probe->relay, probe->target, number,
			     &from);
			if (number == 0) {
				probe->client_port[i] = from;
				check_peer(probe, i);
			}
			if (*port_of(&from) != *port_of(&probe->client_port[i]))
				die("a client changed its port at the target");
			pass(probe, probe->target, &from, probe->client[i], number, &from);
			if (*port_of(&from) != *port_of(&probe->relay))
				die("an answer came from elsewhere than the relay");
		}
	}
}

int main(int argc, char **argv)
{
	struct probe probe = { .copies = 1, .family = AF_INET };
	int opt;
	int status;

	while ((opt = getopt(argc, argv, "+c:f:b6")) != -1) {
		if (opt == 'c')
			probe.copies = atoi(optarg);
		else if (opt == 'f')
			probe.flips = atoi(optarg);
		else if (opt == 'b')
			probe.has_blocked = true;
		else if (opt == '6')
			probe.family = AF_INET6;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	probe.addr_len = probe.family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						    sizeof(struct sockaddr_in);
	probe.target = open_socket(&probe);
	for (int i = 0; i < CLIENTS; i++)
		probe.client[i] = open_socket(&probe);
	start_relay(&probe, argv + optind);
	exchange(&probe);
	kill(probe.pid, SIGTERM);
	if (waitpid(probe.pid, &status, 0) != probe.pid || status != 0)
		die("the relay did not end well");
	return 0;
}
