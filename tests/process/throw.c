/* SPDX-License-Identifier: MIT */
/*
 * Throws datagrams of garbage at a port: random ones, and such that look like ours for their first
 * bytes, of every length from 0 on. Usage: throw HOST PORT COUNT SEED
 */
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONGEST 1600u

static uint64_t state;

static uint32_t next_random(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* Return the datagram's length. Every second one has a believable version and type. */
static size_t make_datagram(unsigned char *datagram, unsigned long number)
{
	size_t len = number < 64 ? number : next_random() % LONGEST;

	for (size_t i = 0; i < len; i++)
		datagram[i] = (unsigned char)next_random();
	if (number % 2 == 0 && len > 1) {
		datagram[0] = (unsigned char)(0x10 | (next_random() & 0x0f));
		datagram[1] = (unsigned char)(next_random() & 0x0f);
	}
	return len;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct addrinfo *to;
	unsigned char datagram[LONGEST];
	unsigned long count, i;
	int fd;

	if (argc != 5 || getaddrinfo(argv[1], argv[2], &hints, &to) != 0) {
		fprintf(stderr, "Usage: throw HOST PORT COUNT SEED\n");
		return 2;
	}
	count = strtoul(argv[3], NULL, 10);
	state = strtoul(argv[4], NULL, 10);
	fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (i = 0; fd >= 0 && i < count; i++) {
		size_t len = make_datagram(datagram, i);

		/* Refused ones are no fault of ours: the port may be closed by now. */
		if (sendto(fd, datagram, len, 0, to->ai_addr, to->ai_addrlen) < 0 && i == 0)
			perror("throw");
		if (i % 16 == 15)
			usleep(200);
	}
	freeaddrinfo(to);
	return fd < 0;
}
