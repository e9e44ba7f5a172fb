/* SPDX-License-Identifier: MIT */
/*
 * Who lives. Each handle that may write holds locks of its open file description on bytes far behind
 * the data: one of the owner, one for each member. The kernel drops them when the last fd of that
 * description is closed, so a forked child must not keep a copy: a handler of fork() closes it there.
 */
#include "sys/region.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "sys/entropy.h"

/* Byte 2^30 stands for the owner, the 2^30 - 1 behind it for members; even a 32-bit off_t reaches. */
#define LOCK_BASE 0x40000000
#define MEMBERS   0x40000000u

/* Asking a number that somebody has is as good as impossible; many times over means a broken lock. */
#define MEMBER_TRIES 16

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;
static struct flux_list watched;

/* ---- fork() ---- */

static void in_child(void)
{
	struct flux_node *node;

	while ((node = flux_list_first(&watched)) != NULL) {
		struct flux_region *region = FLUX_CONTAINER(node, struct flux_region, all);

		flux_region_part(region);
		if (region->fd >= 0)
			close(region->fd);
		if (region->dir_fd >= 0)
			close(region->dir_fd);
		region->fd = region->dir_fd = -1;
		region->info.state |= FLUX_REGION_IS_FORKED;
		if (region->in_child)
			region->in_child(region);
		flux_list_remove(node);
	}
	pthread_mutex_unlock(&guard);
}

static void install_handlers(void)
{
	flux_list_init(&watched);
	/* It fails for want of memory only, and then a child's copy keeps a dead parent alive: no more. */
	(void)pthread_atfork(flux_region_guard_begin, flux_region_guard_end, in_child);
}

void flux_region_guard_begin(void)
{
	pthread_mutex_lock(&guard);
}

void flux_region_guard_end(void)
{
	pthread_mutex_unlock(&guard);
}

void flux_region_watch(struct flux_region *region)
{
	pthread_once(&handlers_once, install_handlers);
	flux_list_append(&watched, &region->all);
}

void flux_region_let_go(struct flux_region *region)
{
	struct flock all = {
		.l_type = F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCK_BASE,
		.l_len = (off_t)MEMBERS,
	};

	flux_region_guard_begin();
	flux_list_remove(&region->all);
	if (region->fd >= 0) {
		/* A child that was just born may not have closed its copy yet: the locks go for it too. */
		(void)fcntl(region->fd, F_OFD_SETLK, &all);
		close(region->fd);
	}
	region->fd = -1;
	flux_region_guard_end();
}

/* ---- Locks ---- */

static int take(int fd, uint32_t member)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCK_BASE + (off_t)member,
		.l_len = 1,
	};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

int flux_region_lock_owner(int fd)
{
	return take(fd, FLUX_REGION_OWNER);
}

int flux_region_lock_member(int fd, uint32_t *member)
{
	int rc = -EAGAIN;

	for (int i = 0; i < MEMBER_TRIES && rc == -EAGAIN; i++) {
		uint32_t number;

		rc = flux_entropy_fill(&number, sizeof(number));
		if (rc < 0)
			return rc;
		*member = number % (MEMBERS - 1) + 1;
		rc = take(fd, *member);
	}
	return rc;
}

/* A reader's lock would be stopped by a writer's only, and only who may write can take that one. */
static int held(int fd, uint32_t first, uint32_t count)
{
	struct flock lock = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCK_BASE + (off_t)first,
		.l_len = (off_t)count,
	};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

int flux_region_lock_held(int fd, uint32_t member)
{
	return member < MEMBERS ? held(fd, member, 1) : FLUX_EINVAL;
}

int flux_region_lock_any(int fd)
{
	return held(fd, FLUX_REGION_OWNER, MEMBERS);
}
