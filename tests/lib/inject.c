/* SPDX-License-Identifier: MIT */
/* The other end of -Wl,--wrap: rules first, the real call if none applies. */
#include "tests/lib/inject.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <sys/socket.h>
#include <sys/types.h>

int __real_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_socket(int family, int type, int protocol);
int __real_timerfd_create(int clock, int flags);
ssize_t __real_getrandom(void *buf, size_t len, unsigned int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_socket(int family, int type, int protocol);
int __wrap_timerfd_create(int clock, int flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags);

static struct {
	struct {
		int error;
		uint32_t skip, times;
		uint64_t count;
	} calls[INJECT_CALLS];
	int level, name, option_error;
	int rcvbuf;
	uint32_t send_limit;
	uint32_t loss, drawn;
} rules;

void inject_clear(void)
{
	memset(&rules, 0, sizeof(rules));
}

void inject_error(enum inject_call call, int error, uint32_t skip, uint32_t times)
{
	rules.calls[call].error = error;
	rules.calls[call].skip = skip;
	rules.calls[call].times = times;
}

void inject_option(int level, int name, int error)
{
	rules.level = level;
	rules.name = name;
	rules.option_error = error;
}

void inject_rcvbuf(int bytes)
{
	rules.rcvbuf = bytes;
}

void inject_send_limit(uint32_t datagrams)
{
	rules.send_limit = datagrams;
}

void inject_loss(uint32_t n)
{
	rules.loss = n;
	rules.drawn = 1;
}

uint64_t inject_count(enum inject_call call)
{
	return rules.calls[call].count;
}

static bool fails(enum inject_call call)
{
	rules.calls[call].count++;
	if (rules.calls[call].times == 0)
		return false;
	if (rules.calls[call].skip > 0) {
		rules.calls[call].skip--;
		return false;
	}
	if (rules.calls[call].times != INJECT_FOREVER)
		rules.calls[call].times--;
	errno = rules.calls[call].error;
	return true;
}

static bool is_lost(void)
{
	rules.drawn = rules.drawn * 1103515245u + 12345u;
	return (rules.drawn >> 16) % rules.loss == 0;
}

static void pretend_sent(struct mmsghdr *msg)
{
	msg->msg_len = 0;
	for (size_t i = 0; i < msg->msg_hdr.msg_iovlen; i++)
		msg->msg_len += (unsigned int)msg->msg_hdr.msg_iov[i].iov_len;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	if (fails(INJECT_SEND))
		return -1;
	if (rules.loss && n > 0) {
		if (!is_lost())
			return __real_sendmmsg(fd, msgs, 1, flags);
		pretend_sent(msgs);
		return 1;
	}
	if (rules.send_limit && n > rules.send_limit)
		n = rules.send_limit;
	return __real_sendmmsg(fd, msgs, n, flags);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	return fails(INJECT_RECEIVE) ? -1 : __real_recvmmsg(fd, msgs, n, flags, timeout);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return fails(INJECT_SEND) ? -1 : __real_sendmsg(fd, msg, flags);
}

/* The error queue is read by the same call, and has no rule. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return !(flags & MSG_ERRQUEUE) && fails(INJECT_RECEIVE) ? -1 : __real_recvmsg(fd, msg, flags);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (rules.option_error && level == rules.level && name == rules.name) {
		errno = rules.option_error;
		return -1;
	}
	return fails(INJECT_SETSOCKOPT) ? -1 : __real_setsockopt(fd, level, name, value, len);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (fails(INJECT_GETSOCKOPT))
		return -1;
	if (rules.rcvbuf && level == SOL_SOCKET && name == SO_RCVBUF) {
		memcpy(value, &rules.rcvbuf, sizeof(rules.rcvbuf));
		*len = sizeof(rules.rcvbuf);
		return 0;
	}
	return __real_getsockopt(fd, level, name, value, len);
}

int __wrap_socket(int family, int type, int protocol)
{
	return fails(INJECT_SOCKET) ? -1 : __real_socket(family, type, protocol);
}

int __wrap_timerfd_create(int clock, int flags)
{
	return fails(INJECT_TIMERFD) ? -1 : __real_timerfd_create(clock, flags);
}

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned int flags)
{
	return fails(INJECT_GETRANDOM) ? -1 : __real_getrandom(buf, len, flags);
}
