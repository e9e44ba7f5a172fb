/* SPDX-License-Identifier: MIT */
/*
 * A region without a name, handed from process to process over a Unix socket. Its seals are what makes
 * it safe between strangers: the kernel lets nobody shrink it under the other's feet.
 */
#include "sys/region.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* ---- Creating ---- */

/* Its mode stays the kernel's, open to all: only who is handed it can open it at all. */
static int make_file(struct flux_region *region, const char *name)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (region->info.page_bytes > flux_region_page_bytes())
		flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(region->info.page_bytes) << MFD_HUGE_SHIFT;
	flux_region_guard_begin();
	region->fd = memfd_create(name ? name : "flux", flags);
	if (region->fd >= 0)
		flux_region_watch(region);
	flux_region_guard_end();
	if (region->fd < 0 && flags & MFD_HUGETLB)
		return flux_region_fail_huge(region, -errno);
	if (region->fd < 0)
		return flux_region_fail(region, -errno, "memfd_create: %s", strerror(errno));
	return 0;
}

static int seal_and_lock(struct flux_region *region)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int rc;

	/* What is mapped for writing by now stays so. */
	if (region->cfg.flags & FLUX_REGION_READ_ONLY_PEERS)
		seals |= F_SEAL_FUTURE_WRITE;
	if (fcntl(region->fd, F_ADD_SEALS, seals) < 0)
		return flux_region_fail(region, errno == EINVAL ? FLUX_ENOTSUP : -errno,
					"it cannot be sealed: %s", strerror(errno));
	rc = flux_region_lock_owner(region->fd);
	if (rc == 0)
		rc = flux_region_lock_member(region->fd, &region->info.member);
	if (rc < 0)
		return flux_region_fail(region, rc, "it cannot be locked: %s", strerror(-rc));
	region->info.state |= FLUX_REGION_IS_OWNER;
	return 0;
}

static int create(struct flux_region *region, const char *name)
{
	int rc = make_file(region, name);

	if (rc == 0)
		rc = flux_region_map_new(region);
	return rc < 0 ? rc : seal_and_lock(region);
}

int flux_region_open_memfd(struct flux_region *region, const char *name)
{
	int rc;

	if (region->cfg.open != FLUX_REGION_CREATE)
		return flux_region_fail(region, FLUX_EINVAL,
					"a memfd has no name to be found by: flux_region_receive() attaches one");
	if (region->cfg.huge == FLUX_WANT_NOT)
		return create(region, name);
	region->info.page_bytes = region->cfg.page_bytes;
	rc = create(region, name);
	if (rc == 0)
		return 0;
	flux_region_unmap(region);
	flux_region_let_go(region);
	rc = flux_region_forgive(region, region->cfg.huge, rc, "normal pages instead");
	region->info.page_bytes = flux_region_page_bytes();
	return rc < 0 ? rc : create(region, name);
}

/* ---- Passing ---- */

/* Exactly one fd fits: the kernel closes what else a peer may have sent. */
union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

/* `why` of one's own if the caller gave none. */
static int say(char *why, int rc, const char *what)
{
	if (why)
		snprintf(why, FLUX_WHY_TEXT, "%s: %s", what, strerror(-rc));
	return rc;
}

static int send_fd(int socket, int fd)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)FLUX_REGION_MAGIC,
			     .iov_len = FLUX_REGION_MAGIC_BYTES };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t sent;

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	do
		sent = sendmsg(socket, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int flux_region_send(const struct flux_region *region, int socket, char *why)
{
	int fd, rc;

	if (why)
		why[0] = '\0';
	if (region->info.state & FLUX_REGION_IS_FORKED)
		return say(why, FLUX_ECLOSED, "inherited by fork()");
	if (region->cfg.backing != FLUX_REGION_MEMFD)
		return say(why, FLUX_ENOTSUP, "only a memfd can be passed");
	/* Our own description carries our locks: sharing it would make us immortal. */
	fd = flux_region_open_again(region->fd,
				    region->cfg.flags & FLUX_REGION_READ_ONLY_PEERS ? O_RDONLY : O_RDWR);
	if (fd < 0)
		return say(why, fd, "opening the memfd anew through /proc");
	rc = send_fd(socket, fd);
	close(fd);
	return rc < 0 ? say(why, rc, "sendmsg") : 0;
}

/* ---- Receiving ---- */

/* Wait outside the guard, take inside: no child forked meanwhile has a copy of what came. */
static int receive_fd(struct flux_region *region, int socket)
{
	int flags = fcntl(socket, F_GETFL);
	struct pollfd ready = { .fd = socket, .events = POLLIN };
	char word[FLUX_REGION_MAGIC_BYTES];
	union control control = { 0 };
	struct iovec iov = { .iov_base = word, .iov_len = sizeof(word) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	ssize_t got;

	if (flags < 0)
		return flux_region_fail(region, -errno, "the socket: %s", strerror(errno));
	do {
		msg.msg_controllen = CMSG_LEN(sizeof(int));
		if (!(flags & O_NONBLOCK))
			(void)poll(&ready, 1, -1);
		flux_region_guard_begin();
		got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (got >= 0 && msg.msg_controllen >= CMSG_LEN(sizeof(int)) &&
		    control.head.cmsg_level == SOL_SOCKET && control.head.cmsg_type == SCM_RIGHTS) {
			memcpy(&region->fd, CMSG_DATA(&control.head), sizeof(int));
			flux_region_watch(region);
		}
		flux_region_guard_end();
	} while (got < 0 && (errno == EINTR || (errno == EAGAIN && !(flags & O_NONBLOCK))));
	if (got < 0)
		return flux_region_fail(region, -errno, "recvmsg: %s", strerror(errno));
	if (got == 0)
		return flux_region_fail(region, FLUX_ECLOSED, "the peer closed the socket");
	if (region->fd < 0 && msg.msg_flags & MSG_CTRUNC)
		return flux_region_fail(region, -EMFILE, "no fd is left for what came: raise \"ulimit -n\"");
	if (region->fd < 0 || got != (ssize_t)sizeof(word) || memcmp(word, FLUX_REGION_MAGIC, sizeof(word)) != 0)
		return flux_region_fail(region, FLUX_EPROTO, "what came over the socket is no region");
	return 0;
}

static int check_seals(struct flux_region *region)
{
	int seals = fcntl(region->fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return flux_region_fail(region, FLUX_EUNSAFE,
					"the sender could cut it under us: it has no F_SEAL_SHRINK");
	return 0;
}

static int join(struct flux_region *region)
{
	int rc;

	if (region->cfg.flags & FLUX_REGION_READ_ONLY)
		return 0;
	rc = flux_region_lock_member(region->fd, &region->info.member);
	if (rc == -EBADF)
		return flux_region_fail(region, FLUX_EPERM,
					"its owner lets others only read: FLUX_REGION_READ_ONLY does that");
	return rc < 0 ? flux_region_fail(region, rc, "it cannot be locked: %s", strerror(-rc)) : 0;
}

int flux_region_receive(struct flux_region **region, int socket, const struct flux_region_cfg *cfg, char *why)
{
	char own[FLUX_WHY_TEXT];
	struct flux_region *made;
	int rc;

	why = why ? why : own;
	why[0] = '\0';
	rc = flux_region_make(&made, cfg, why);
	if (rc < 0)
		return rc;
	if (made->cfg.backing != FLUX_REGION_MEMFD || made->cfg.open != FLUX_REGION_ATTACH || made->cfg.huge)
		rc = flux_region_fail(made, FLUX_EINVAL,
				      "receiving is FLUX_REGION_MEMFD with FLUX_REGION_ATTACH, its pages are the sender's");
	if (rc == 0)
		rc = receive_fd(made, socket);
	if (rc == 0)
		rc = check_seals(made);
	if (rc == 0)
		rc = flux_region_header_read(made);
	if (rc == 0)
		rc = join(made);
	if (rc == 0) {
		flux_region_learn_pages(made);
		rc = flux_region_map_old(made);
	}
	return flux_region_finish(made, rc, region, why);
}
