/* SPDX-License-Identifier: MIT */
/*
 * A region that other processes find by its name. A new one is finished before it has a name at all:
 * nobody ever sees half of it, and a creator that dies leaves nothing. A name is taken from a dead
 * owner's file only while holding the lock of its owner, so that of two who try one wins.
 */
#include "sys/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#define DEFAULT_DIR "/dev/shm"

/* How often others may get in between before we give up; each time one of them has made progress. */
#define RACES 64

/* From one of our functions to another: it is there, but nobody lives in it. */
#define NOBODY_LIVES 1

/* ---- Names ---- */

/* Open the directory and keep the last part of the name; every later call goes by these two. */
static int open_dir(struct flux_region *region, const struct flux_region_cfg *cfg)
{
	const char *slash = strrchr(cfg->name, '/'), *base = slash ? slash + 1 : cfg->name;
	char dir[PATH_MAX];
	size_t len;

	if (!slash)
		len = (size_t)snprintf(dir, sizeof(dir), "%s", cfg->dir ? cfg->dir : DEFAULT_DIR);
	else /* the root keeps its slash */
		len = (size_t)snprintf(dir, sizeof(dir), "%.*s",
				       slash == cfg->name ? 1 : (int)(slash - cfg->name), cfg->name);
	if (len >= sizeof(dir) || strlen(base) >= sizeof(region->base))
		return flux_region_fail(region, -ENAMETOOLONG, "its name is too long");
	if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return flux_region_fail(region, FLUX_EINVAL, "\"%.200s\" names no file", cfg->name);
	strcpy(region->base, base);
	region->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (region->dir_fd < 0)
		return flux_region_fail(region, -errno, "directory \"%.200s\": %s", dir, strerror(errno));
	return 0;
}

int flux_region_is_named(const struct flux_region *region, int fd)
{
	struct stat file, named;

	if (fstat(fd, &file) < 0)
		return -errno;
	if (fstatat(region->dir_fd, region->base, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return file.st_ino == named.st_ino && file.st_dev == named.st_dev;
}

void flux_region_unlink(const struct flux_region *region)
{
	if (flux_region_is_named(region, region->fd) == 1)
		unlinkat(region->dir_fd, region->base, 0);
}

/* Nothing of a file is used before this: whose it is, and who may write to it. */
static int check_safe(struct flux_region *region, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return flux_region_fail(region, -errno, "fstat of \"%s\": %s", region->base, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return flux_region_fail(region, FLUX_EUNSAFE, "\"%s\" is not a regular file", region->base);
	if (st.st_mode & S_IWOTH)
		return flux_region_fail(region, FLUX_EUNSAFE,
					"\"%s\" is writable by everybody (mode %03o): \"chmod o-w\" if it is yours",
					region->base, st.st_mode & 0777u);
	if (st.st_uid != geteuid() && !(region->cfg.flags & FLUX_REGION_ANY_OWNER))
		return flux_region_fail(region, FLUX_EUNSAFE,
					"\"%s\" belongs to user %u, we are %u: FLUX_REGION_ANY_OWNER allows that",
					region->base, (unsigned)st.st_uid, (unsigned)geteuid());
	return 0;
}

/* An open file of that name, checked; never through a symbolic link, never waiting on a FIFO. */
static int open_existing(struct flux_region *region, int *out)
{
	int how = region->cfg.flags & FLUX_REGION_READ_ONLY ? O_RDONLY : O_RDWR;
	int fd = openat(region->dir_fd, region->base, how | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	if (fd < 0)
		return flux_region_fail(region, -errno, "\"%s\": %s%s", region->base, strerror(errno),
					errno == ELOOP ? ", it is a symbolic link" : "");
	rc = check_safe(region, fd);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

/* ---- Creating ---- */

/* Lock, look again, remove: the steps of taking a name from a dead owner. */
static int remove_dead(struct flux_region *region, int fd)
{
	int rc = flux_region_header_ours(fd);

	if (rc < 0)
		return flux_region_fail(region, rc, "\"%s\" cannot be read: %s", region->base, strerror(-rc));
	if (rc == 0)
		return flux_region_fail(region, FLUX_EMAGIC,
					"\"%s\" is something else than a region: remove it, or choose another name",
					region->base);
	rc = flux_region_lock_owner(fd);
	if (rc == -EAGAIN || (rc == 0 && region->cfg.open == FLUX_REGION_CREATE_OR_ATTACH &&
			      flux_region_lock_any(fd) == 1))
		return flux_region_fail(region, FLUX_EEXIST, "\"%s\" is in use by a living process",
					region->base);
	if (rc == 0)
		rc = flux_region_is_named(region, fd);
	if (rc == 1 && unlinkat(region->dir_fd, region->base, 0) < 0 && errno != ENOENT)
		rc = -errno;
	if (rc < 0)
		return flux_region_fail(region, rc, "\"%s\" of a dead process cannot be replaced: %s",
					region->base, strerror(-rc));
	return 0;
}

/* Make the name free, unless somebody lives there. */
static int clear_name(struct flux_region *region)
{
	int fd, rc;

	/* A child forked in between would keep the lock of the old owner: none is. */
	flux_region_guard_begin();
	rc = open_existing(region, &fd);
	if (rc == 0) {
		rc = remove_dead(region, fd);
		close(fd);
	} else if (rc == -ENOENT) {
		rc = 0;
	}
	flux_region_guard_end();
	return rc;
}

static int make_nameless(struct flux_region *region)
{
	flux_region_guard_begin();
	region->fd = openat(region->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, region->cfg.mode);
	if (region->fd >= 0)
		flux_region_watch(region);
	flux_region_guard_end();
	if (region->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		return flux_region_fail(region, FLUX_ENOTSUP,
					"the file system of \"%s\" has no O_TMPFILE: use a directory on tmpfs, ext4, "
					"xfs or btrfs",
					region->base);
	if (region->fd < 0 && errno == ENOSPC)
		return flux_region_fail(region, FLUX_ENOSPC,
					"no room even for an empty file beside \"%s\": no inode is left",
					region->base);
	if (region->fd < 0)
		return flux_region_fail(region, -errno, "\"%s\" cannot be created: %s", region->base,
					strerror(errno));
	/* The umask has taken some of it. */
	if (fchmod(region->fd, region->cfg.mode) < 0)
		return flux_region_fail(region, -errno, "fchmod: %s", strerror(errno));
	return 0;
}

static int check_huge(struct flux_region *region)
{
	flux_region_learn_pages(region);
	if (region->cfg.huge == FLUX_WANT_NOT || region->info.page_bytes == region->cfg.page_bytes)
		return 0;
	flux_region_fail(region, 0,
			 "\"%s\" lies on no hugetlbfs with pages of %llu KiB: \"mount -t hugetlbfs -o "
			 "pagesize=%lluK none DIR\", and set the directory to DIR",
			 region->base, (unsigned long long)(region->cfg.page_bytes / 1024),
			 (unsigned long long)(region->cfg.page_bytes / 1024));
	return flux_region_forgive(region, region->cfg.huge, FLUX_ENOTSUP, "its own pages instead");
}

/* Both locks, before anybody else can see the file. */
static int become_owner(struct flux_region *region)
{
	int rc = flux_region_lock_owner(region->fd);

	if (rc == 0)
		rc = flux_region_lock_member(region->fd, &region->info.member);
	if (rc < 0)
		return flux_region_fail(region, rc, "\"%s\" cannot be locked: %s", region->base, strerror(-rc));
	region->info.state |= FLUX_REGION_IS_OWNER;
	return 0;
}

static int link_name(struct flux_region *region)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", region->fd);
	for (int i = 0; i < RACES; i++) {
		int rc;

		if (linkat(AT_FDCWD, self, region->dir_fd, region->base, AT_SYMLINK_FOLLOW) == 0) {
			region->named = true;
			return 0;
		}
		if (errno != EEXIST)
			return flux_region_fail(region, -errno, "\"%s\" cannot be linked: %s%s", region->base,
						strerror(errno),
						access(self, F_OK) < 0 ? " (/proc is not mounted)" : "");
		rc = clear_name(region);
		if (rc < 0)
			return rc;
	}
	return flux_region_fail(region, FLUX_EAGAIN, "\"%s\" is created by others all the time", region->base);
}

static int create(struct flux_region *region)
{
	/* The dead one goes first: the room it takes may be the room that is needed. */
	int rc = clear_name(region);

	if (rc == 0)
		rc = make_nameless(region);
	if (rc == 0)
		rc = check_huge(region);
	if (rc == 0)
		rc = flux_region_map_new(region);
	if (rc == 0)
		rc = become_owner(region);
	return rc < 0 ? rc : link_name(region);
}

/* ---- Attaching ---- */

/* Let go of a file that did not do, to look for the next. */
static void drop_file(struct flux_region *region)
{
	flux_region_unmap(region);
	flux_region_let_go(region);
	region->info.state = 0;
	region->info.member = 0;
	region->info.page_bytes = flux_region_page_bytes();
}

static int join(struct flux_region *region)
{
	int rc;

	if (region->cfg.flags & FLUX_REGION_READ_ONLY)
		return 0;
	rc = flux_region_lock_member(region->fd, &region->info.member);
	if (rc < 0)
		return flux_region_fail(region, rc, "\"%s\" cannot be locked: %s", region->base, strerror(-rc));
	/* Of two that share a dead owner's region one becomes its owner. */
	if (region->cfg.open == FLUX_REGION_CREATE_OR_ATTACH && flux_region_lock_owner(region->fd) == 0) {
		region->info.state |= FLUX_REGION_IS_OWNER;
		region->named = true;
	}
	return 0;
}

static int attach_once(struct flux_region *region)
{
	int rc;

	flux_region_guard_begin();
	rc = open_existing(region, &region->fd);
	if (rc == 0)
		flux_region_watch(region);
	flux_region_guard_end();
	if (rc == 0 && region->cfg.open == FLUX_REGION_CREATE_OR_ATTACH && flux_region_lock_any(region->fd) == 0)
		return NOBODY_LIVES;
	if (rc == 0)
		rc = join(region);
	if (rc == 0)
		rc = flux_region_header_read(region);
	if (rc < 0)
		return rc;
	flux_region_learn_pages(region);
	rc = flux_region_map_old(region);
	if (rc < 0)
		return rc;
	/* Now that we hold a lock nobody takes it for dead; if somebody did before, look again. */
	rc = flux_region_is_named(region, region->fd);
	return rc == 1 ? 0 : rc == 0 ? FLUX_EAGAIN :
				       rc;
}

static int attach(struct flux_region *region)
{
	int rc = FLUX_EAGAIN;

	for (int i = 0; i < RACES && rc == FLUX_EAGAIN; i++) {
		rc = attach_once(region);
		if (rc == FLUX_EAGAIN || rc == NOBODY_LIVES)
			drop_file(region);
	}
	if (rc == FLUX_EAGAIN)
		flux_region_fail(region, 0, "\"%s\" is replaced by others all the time", region->base);
	return rc;
}

static int create_or_attach(struct flux_region *region)
{
	for (int i = 0; i < RACES; i++) {
		int rc = attach(region);

		if (rc != -ENOENT && rc != NOBODY_LIVES)
			return rc;
		rc = create(region);
		if (rc != FLUX_EEXIST)
			return rc;
		drop_file(region);
	}
	return flux_region_fail(region, FLUX_EAGAIN, "it comes and goes all the time");
}

int flux_region_open_file(struct flux_region *region, const struct flux_region_cfg *cfg)
{
	char words[FLUX_WHY_TEXT];
	int rc = open_dir(region, cfg);

	if (rc == 0)
		rc = region->cfg.open == FLUX_REGION_ATTACH ? attach(region) :
		     region->cfg.open == FLUX_REGION_CREATE ? create(region) :
							      create_or_attach(region);
	/* What is said of mappings and headers does not name the file. */
	if (rc < 0 && region->why[0] != '"') {
		strcpy(words, region->why);
		flux_region_fail(region, rc, "\"%s\": %.*s", region->base, FLUX_WHY_TEXT / 2, words);
	}
	return rc;
}
