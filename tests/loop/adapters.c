/* SPDX-License-Identifier: MIT */
/* All the loops that a test body runs over: those that this build has. */
#include "tests/loop/rows.h"

/* A library that configure did not find. */
#define ABSENT(library)                                       \
	{                                                     \
		&(const struct adapter){ .name = library }, 1 \
	}

static const struct {
	const struct adapter *rows;
	unsigned int n;
} kinds[] = {
	{ poll_rows, 1 },
	{ epoll_rows, 2 },
	{ bare_rows, 1 },
#ifdef HAVE_LIBEVENT
	{ event_rows, 5 },
#else
	ABSENT("libevent"),
#endif
#ifdef HAVE_LIBURING
	{ uring_rows, 2 },
#else
	ABSENT("liburing"),
#endif
#ifdef HAVE_UV
	{ uv_rows, 1 },
#else
	ABSENT("libuv"),
#endif
#ifdef HAVE_GLIB
	{ glib_rows, 1 },
#else
	ABSENT("GLib"),
#endif
#ifdef HAVE_SYSTEMD
	{ sd_rows, 1 },
#else
	ABSENT("sd-event"),
#endif
};

const struct adapter *adapter_at(unsigned int i)
{
	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (i < kinds[k].n)
			return &kinds[k].rows[i];
		i -= kinds[k].n;
	}
	return NULL;
}
