/* SPDX-License-Identifier: MIT */
/* A page that is wiped by fork(). No handler is registered, and no process id has to be asked for. */
#include "sys/fork.h"

#include <stddef.h>

#include <sys/mman.h>

uint8_t *flux_fork_mark(void)
{
	uint8_t *mark = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mark == MAP_FAILED)
		return NULL;
	(void)madvise(mark, 1, MADV_WIPEONFORK); /* Linux 4.14; before it a child is not noticed */
	*mark = 1;
	return mark;
}

void flux_fork_unmark(uint8_t *mark)
{
	if (mark)
		munmap(mark, 1);
}
