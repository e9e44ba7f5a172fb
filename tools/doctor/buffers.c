/* SPDX-License-Identifier: MIT */
/* What a binding gets of what it asks for: a loop, socket buffers, offloads. */
#include "doctor/doctor.h"

#include <errno.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <flux/binding.h>
#include <flux/epoll.h>

#ifdef HAVE_LIBURING
#include <flux/uring.h>
#endif

/* The default of rcvbuf and sndbuf in struct flux_binding_cfg. */
#define WANTED (4u << 20)

/* ---- What Flux gets ---- */

static int open_loop(struct doctor_use *use, struct flux_loop **loop, char *why)
{
#ifdef HAVE_LIBURING
	int rc = flux_driver_uring.open(loop, why, FLUX_WHY_TEXT);

	use->loop = rc == 0 && flux_loop_is_uring(*loop) ? "io_uring" : "epoll";
	return rc;
#else
	use->loop = flux_driver_epoll.name;
	return flux_driver_epoll.open(loop, why, FLUX_WHY_TEXT);
#endif
}

static bool open_binding(struct doctor_use *use)
{
	struct flux_binding_stats stats = { .size = sizeof(stats) };
	struct flux_binding_cfg cfg = FLUX_BINDING_CFG_INIT;
	struct flux_binding *binding;
	char why[FLUX_WHY_TEXT];
	struct flux_loop *loop;
	bool open;

	if (open_loop(use, &loop, why) != 0)
		return false;
	cfg.rcvbuf = cfg.sndbuf = WANTED;
	cfg.local = "127.0.0.1:0";
	open = flux_binding_open(&binding, loop, &cfg) == 0;
	if (open)
		flux_binding_get_stats(binding, &stats);
	flux_loop_close(loop);
	use->gso = stats.tx_offload != 0;
	use->gro = stats.rx_offload != 0;
	/* The kernel counts double, for its own overhead. */
	use->rcvbuf = stats.rcvbuf / 2;
	use->sndbuf = stats.sndbuf / 2;
	return open;
}

/* ---- What anybody gets ---- */

static uint32_t granted(int name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int value = WANTED;
	socklen_t len = sizeof(value);

	if (fd < 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, name, &value, len) < 0 || getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0)
		value = 0;
	close(fd);
	return (uint32_t)value / 2;
}

struct buffer {
	const char *key, *sysctl, *force;
	int name;
	const char *effect;
};

static void check_buffer(struct doctor *doctor, const struct buffer *buffer, uint32_t ours)
{
	struct doctor_row *row = doctor_add(doctor, buffer->key);
	uint32_t plain = granted(buffer->name);
	char wanted[DOCTOR_SIZE_TEXT], got[DOCTOR_SIZE_TEXT], others[DOCTOR_SIZE_TEXT];

	doctor_size(WANTED, wanted);
	doctor_size(ours, got);
	doctor_size(plain, others);
	doctor_fact(row, "a binding asks for %s and gets %s%s%s", wanted, got, plain < ours ? " by " : "",
		    plain < ours ? buffer->force : "");
	if (plain >= WANTED)
		return;
	if (ours >= WANTED)
		doctor_effect(row, DOCTOR_NOTE, "Without CAP_NET_ADMIN it would be %s.", others);
	else
		doctor_effect(row, DOCTOR_POOR, "%s", buffer->effect);
	doctor_command(row, "sysctl -w %s=%u", buffer->sysctl, WANTED);
}

void doctor_check_buffers(struct doctor *doctor)
{
	static const struct buffer in = { "rcvbuf", "net.core.rmem_max", "SO_RCVBUFFORCE", SO_RCVBUF,
					  "Windows are cut to what it holds, and what a burst brings beyond is dropped and "
					  "sent again." };
	static const struct buffer out = { "sndbuf", "net.core.wmem_max", "SO_SNDBUFFORCE", SO_SNDBUF,
					   "A burst waits in the window for the socket more often." };
	bool open = open_binding(&doctor->use);

	check_buffer(doctor, &in, doctor->use.rcvbuf);
	check_buffer(doctor, &out, doctor->use.sndbuf);
	if (!open)
		doctor_effect(&doctor->rows[doctor->count - 2], DOCTOR_MISSING, "No socket can be opened.");
}
