/* SPDX-License-Identifier: MIT */
/* All the loops that a test body runs over: those that this build has. */
#include "tests/loop/rows.h"

static const struct {
	const struct adapter *rows;
	unsigned int n;
} kinds[] = {
#ifdef HAVE_LIBEVENT
	{ event_rows, 3 },
#endif
	{ poll_rows, 1 },
	{ epoll_rows, 2 },
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
