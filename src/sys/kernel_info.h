/* SPDX-License-Identifier: MIT */
/* Numbers that the kernel shows in /proc and /sys: hints for explanations, never taken for the truth. */
#ifndef FLUX_SYS_KERNEL_INFO_H
#define FLUX_SYS_KERNEL_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read a small file whole, terminated; its length, or a negative errno value. Cut at cap - 1 bytes. */
int flux_kernel_read(const char *path, char *out, size_t cap);

/* The number a file begins with; "max" is UINT64_MAX. False: no such file, or no number. */
bool flux_kernel_number(const char *path, uint64_t *value);

/* Large pages of one size: how many there are and how many of them are free; false: no such size. */
bool flux_kernel_huge_pages(uint64_t page_bytes, uint64_t *total, uint64_t *free_pages);

/*
 * What the memory cgroup of this process, or one above it, allows: the least limit, and the least
 * difference of limit and use. UINT64_MAX where nothing is limited or known.
 */
void flux_kernel_memory(uint64_t *limit, uint64_t *room);

/* Words for a refused mlock() of `bytes`: the limit in force and how to raise it. */
void flux_kernel_memlock_words(uint64_t bytes, char *out, size_t cap);

#endif
