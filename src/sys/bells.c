/* SPDX-License-Identifier: MIT */
/*
 * Doorbells between processes. An eventfd has no name by which another process could find it, so each
 * place of a ring has a FIFO beside the ring's file: NAME.bell-0 and so on. It is made when somebody
 * first waits by it, and goes with the ring's name; what a dead process left is used by the next.
 * Everybody opens it for reading and writing: then a write never meets a pipe without a reader, and so
 * never raises SIGPIPE.
 */
#include "sys/bells.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/stat.h>

#include "sys/region.h"

#define PARTIES (2 * FLUX_RING_SEATS)

/* The name of a party's bell: false if there cannot be one. */
static bool name_of(const struct flux_region *region, uint32_t party, char name[NAME_MAX + 1])
{
	int len = snprintf(name, NAME_MAX + 1, "%s.bell-%u", region->base, party);

	return region->dir_fd >= 0 && len > 0 && len <= NAME_MAX;
}

/* Nothing but a FIFO, and as the ring itself: of no other user unless that is wanted. */
static int check(const struct flux_region *region, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) || st.st_mode & S_IWOTH)
		return FLUX_EUNSAFE;
	if (st.st_uid != geteuid() && !(region->cfg.flags & FLUX_REGION_ANY_OWNER))
		return FLUX_EUNSAFE;
	return 0;
}

/* What was rung for others is not for us. */
static void drain(int fd)
{
	char old[512];

	while (read(fd, old, sizeof(old)) > 0)
		;
}

static int bell_open(void *ctx, uint32_t party, int whose)
{
	const struct flux_bells *bells = ctx;
	const struct flux_region *region = bells->region;
	bool mine = whose != FLUX_BELL_THEIRS;
	char name[NAME_MAX + 1];
	int fd, rc;

	if (!name_of(region, party, name))
		return FLUX_ENOTSUP;
	if (mine && mkfifoat(region->dir_fd, name, region->cfg.mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(region->dir_fd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = check(region, fd);
	/* The umask has taken some of it; not ours to change if it was there. */
	if (rc == 0 && mine)
		(void)fchmod(fd, region->cfg.mode);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	if (mine)
		drain(fd);
	return fd;
}

static void bell_ring(void *ctx, int fd)
{
	ssize_t rc;

	(void)ctx;
	/* Full means rung already. */
	do
		rc = write(fd, "", 1);
	while (rc < 0 && errno == EINTR);
}

static void bell_clear(void *ctx, int fd)
{
	(void)ctx;
	drain(fd);
}

const struct flux_wait_ops *flux_bells_ops(struct flux_bells *bells, struct flux_region *region)
{
	bells->ops = flux_wait_linux;
	bells->ops.fd_open = bell_open;
	bells->ops.fd_ring = bell_ring;
	bells->ops.fd_clear = bell_clear;
	bells->ops.ctx = bells;
	bells->region = region;
	return &bells->ops;
}

void flux_bells_end(struct flux_bells *bells)
{
	const struct flux_region *region = bells->region;
	char name[NAME_MAX + 1];

	if (!region || !region->named || !(region->info.state & FLUX_REGION_IS_OWNER) ||
	    region->info.state & FLUX_REGION_IS_FORKED || region->cfg.flags & FLUX_REGION_KEEP ||
	    flux_region_is_named(region, region->fd) != 1)
		return;
	for (uint32_t party = 0; party < PARTIES; party++)
		if (name_of(region, party, name))
			(void)unlinkat(region->dir_fd, name, 0);
}
