/* SPDX-License-Identifier: MIT */
/* Setting up a ring and its receive buffers, with what the kernel takes of it, and the words of a refusal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loop/uring.h"

/* Its number: liburing 2.3 is older than Linux 6.12. */
#define REGISTER_CLOCK 29

/* Requests queued at a time; more of them only cost a system call. */
#define ENTRIES 256

/* A message: the kernel's header, an address (28 bytes, made even for what follows), its notes, the payload. */
#define NAME    32
#define CONTROL 192
#define PAYLOAD 65536
#define STRIDE  (sizeof(struct io_uring_recvmsg_out) + NAME + CONTROL + PAYLOAD)

#define DEFAULT_BUFFERS 32

/* ---- Words ---- */

static int read_sysctl(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static const char *remedy(int code)
{
	switch (code) {
	case -EPERM:
	case -EACCES:
		if (read_sysctl() == 0)
			return "a seccomp filter, as of a container, forbids it: allow io_uring_setup, "
			       "io_uring_enter and io_uring_register there";
		return "sysctl kernel.io_uring_disabled forbids it: set it to 0";
	case -ENOSYS:
		return "the kernel has no io_uring, or a seccomp filter hides it";
	case -ENOMEM:
		return "RLIMIT_MEMLOCK may be used up, which all of a user's processes share before Linux "
		       "5.12: raise ulimit -l";
	case -EINVAL:
	case -EOPNOTSUPP:
		return "the kernel is too old: Linux 6.0 receives as we need it";
	default:
		return "the kernel will not have it";
	}
}

int flux_uring_refused(char *why, int code, const char *what)
{
	snprintf(why, FLUX_WHY_TEXT, "io_uring: %s: %s; %s", what, strerror(-code), remedy(code));
	return code;
}

/* ---- The ring ---- */

static int open_ring(struct flux_uring *uring, const struct flux_uring_cfg *cfg, uint32_t entries)
{
	/* The best first: completions run only when asked for, by one thread. */
	static const uint32_t ladder[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	uint32_t n_bufs = cfg->buffers ? cfg->buffers : DEFAULT_BUFFERS;
	int rc = -EINVAL;

	for (uint32_t i = cfg->no_defer ? 1 : 0; rc == -EINVAL && i < sizeof(ladder) / sizeof(ladder[0]); i++) {
		struct io_uring_params params = {
			.flags = ladder[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = 4 * (entries + n_bufs),
		};

		rc = io_uring_queue_init_params(entries, &uring->ring, &params);
		if (rc == 0 && !(params.features & IORING_FEAT_EXT_ARG)) {
			io_uring_queue_exit(&uring->ring);
			return -EOPNOTSUPP;
		}
	}
	return rc;
}

/* Have waits told by the clock of deadlines, which goes on while the machine is suspended. */
static bool set_clock(struct io_uring *ring)
{
	const uint32_t clock[4] = { CLOCK_BOOTTIME }; /* and the kernel's room for more */

	return syscall(__NR_io_uring_register, ring->ring_fd, REGISTER_CLOCK, clock, 0) == 0;
}

/* The memory of the buffers, and the ring through which the kernel gets them. */
static int open_buffers(struct flux_uring *uring, uint32_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t head = (n * sizeof(struct io_uring_buf) + page - 1) / page * page;
	struct io_uring_buf_reg reg = { .ring_entries = n, .bgid = FLUX_URING_GROUP };
	void *memory;
	int rc;

	uring->bytes = head + n * STRIDE;
	memory = mmap(NULL, uring->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	/* The kernel holds on to its pages: a fork must not put copies in their place. */
	(void)madvise(memory, uring->bytes, MADV_DONTFORK);
	uring->bufs = memory;
	uring->buffers = (uint8_t *)memory + head;
	uring->n_bufs = n;
	reg.ring_addr = (uintptr_t)memory;
	rc = io_uring_register_buf_ring(&uring->ring, &reg, 0);
	if (rc < 0)
		return rc;
	io_uring_buf_ring_init(uring->bufs);
	for (uint32_t i = 0; i < n; i++)
		flux_uring_give_buffer(uring, i);
	return 0;
}

int flux_uring_open(struct flux_uring *uring, const struct flux_uring_cfg *cfg, char *why)
{
	uint32_t n_bufs = cfg->buffers ? cfg->buffers : DEFAULT_BUFFERS;
	int rc;

	memset(uring, 0, sizeof(*uring));
	rc = open_ring(uring, cfg, ENTRIES);
	if (rc == -ENOMEM)
		rc = open_ring(uring, cfg, ENTRIES / 16);
	if (rc < 0)
		return flux_uring_refused(why, rc, "io_uring_setup");
	uring->open = true;
	uring->keeps_time = set_clock(&uring->ring);
	uring->shape.msg_namelen = NAME;
	uring->shape.msg_controllen = CONTROL;
	(void)io_uring_ring_dontfork(&uring->ring);
	rc = open_buffers(uring, n_bufs);
	if (rc == 0)
		return 0;
	flux_uring_close(uring);
	return flux_uring_refused(why, rc, "receive buffers");
}

void flux_uring_close(struct flux_uring *uring)
{
	if (uring->open)
		io_uring_queue_exit(&uring->ring);
	if (uring->bufs)
		munmap(uring->bufs, uring->bytes);
	memset(uring, 0, sizeof(*uring));
}

void flux_uring_abandon(struct flux_uring *uring)
{
	if (uring->open)
		close(uring->ring.ring_fd);
	memset(uring, 0, sizeof(*uring));
}

int flux_uring_enable(struct flux_uring *uring)
{
	/* liburing 2.3 declares a function for it, and does not export it. */
	if (syscall(__NR_io_uring_register, uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	uring->enabled = true;
	(void)io_uring_register_ring_fd(&uring->ring); /* saves a lookup in each call */
	return 0;
}

/* ---- Requests ---- */

struct io_uring_sqe *flux_uring_sqe(struct flux_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe || !uring->enabled)
		return sqe;
	(void)io_uring_submit(&uring->ring);
	return io_uring_get_sqe(&uring->ring);
}

bool flux_uring_receive(struct flux_uring *uring, int fd, void *data)
{
	struct io_uring_sqe *sqe = flux_uring_sqe(uring);

	if (!sqe)
		return false;
	io_uring_prep_recvmsg_multishot(sqe, fd, &uring->shape, 0);
	io_uring_sqe_set_data(sqe, data);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = FLUX_URING_GROUP;
	return true;
}

bool flux_uring_message(struct flux_uring *uring, uint32_t id, int len, struct msghdr *msg,
			struct iovec *iov)
{
	void *buffer = uring->buffers + id * STRIDE;
	struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, len, &uring->shape);

	if (!out)
		return false;
	iov->iov_base = io_uring_recvmsg_payload(out, &uring->shape);
	iov->iov_len = io_uring_recvmsg_payload_length(out, len, &uring->shape);
	memset(msg, 0, sizeof(*msg));
	msg->msg_name = io_uring_recvmsg_name(out);
	msg->msg_namelen = out->namelen < NAME ? out->namelen : NAME;
	msg->msg_control = (uint8_t *)io_uring_recvmsg_name(out) + NAME;
	msg->msg_controllen = out->controllen < CONTROL ? out->controllen : CONTROL;
	msg->msg_iov = iov;
	msg->msg_iovlen = 1;
	msg->msg_flags = (int)out->flags;
	return true;
}

void flux_uring_give_buffer(struct flux_uring *uring, uint32_t id)
{
	io_uring_buf_ring_add(uring->bufs, uring->buffers + id * STRIDE, STRIDE, (unsigned short)id,
			      (int)uring->n_bufs - 1, 0);
	io_uring_buf_ring_advance(uring->bufs, 1);
}
