/* SPDX-License-Identifier: MIT */
/* fluxdoctor: what this machine offers Flux. A check looks or tries for real, adds rows, and leaves no trace. */
#ifndef FLUX_TOOLS_DOCTOR_DOCTOR_H
#define FLUX_TOOLS_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cli.h"

/* From best to worst. */
enum doctor_status {
	DOCTOR_OK,
	DOCTOR_NOTE,   /* nothing is lost, unless it is asked for */
	DOCTOR_POOR,   /* costs speed */
	DOCTOR_MISSING /* costs a function */
};

#define DOCTOR_ROWS 32
#define DOCTOR_TEXT 640

/* A thing looked at. The texts are one sentence or command each, "" where there is nothing to say. */
struct doctor_row {
	const char *key; /* for programs, and the name for people */
	enum doctor_status status;
	char fact[DOCTOR_TEXT];
	char effect[DOCTOR_TEXT];  /* what follows from it; where not ok */
	char command[DOCTOR_TEXT]; /* what changes that; "": no command can */
};

/* What Flux uses here, found by using it. */
struct doctor_use {
	const char *loop; /* of flux_driver_uring, where it is built: "io_uring" or "epoll" */
	const char *sums; /* what computes checksums */
	bool event;       /* loops of libevent */
	bool gso, gro;    /* of a binding */
	bool spin;        /* FLUX_IDLE_SPIN is allowed */
	uint32_t rcvbuf;  /* bytes that a binding asked for and got */
	uint32_t sndbuf;
};

struct doctor {
	const char *root; /* /proc and /sys are read below it: "", but in tests */
	struct doctor_use use;
	uint32_t count;
	struct doctor_row rows[DOCTOR_ROWS];
};

/* All checks, in the order of the report. */
void doctor_check(struct doctor *doctor);

/* One or more rows each. */
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_cpus(struct doctor *doctor);
void doctor_check_quota(struct doctor *doctor);
void doctor_check_topology(struct doctor *doctor);
void doctor_check_build(struct doctor *doctor);
void doctor_check_uring(struct doctor *doctor);
void doctor_check_offload(struct doctor *doctor);
void doctor_check_buffers(struct doctor *doctor);
void doctor_check_time(struct doctor *doctor);
void doctor_check_memory(struct doctor *doctor);
void doctor_check_limits(struct doctor *doctor);

/* ---- Rows ---- */

/* A new row, ok so far. */
struct doctor_row *doctor_add(struct doctor *doctor, const char *key);
/* Its texts; the effect comes with the status. */
void doctor_fact(struct doctor_row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_effect(struct doctor_row *row, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void doctor_command(struct doctor_row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* That command which raises RLIMIT_MEMLOCK. */
void doctor_command_memlock(struct doctor_row *row);
/* The worst status of all. */
enum doctor_status doctor_worst(const struct doctor *doctor);

#define DOCTOR_SIZE_TEXT 24

/* "4 MiB": exact, in the largest unit that leaves a whole number. Returns `text`. */
const char *doctor_size(uint64_t bytes, char text[DOCTOR_SIZE_TEXT]);

/* ---- What the kernel shows ---- */

/* The first line of a file; false, and "", if it cannot be read. */
bool doctor_read(const struct doctor *doctor, const char *path, char *text, size_t cap);
/* The number that it begins with. */
bool doctor_number(const struct doctor *doctor, const char *path, int64_t *value);
/* What follows "name:" in /proc/self/status. */
bool doctor_process(const struct doctor *doctor, const char *name, char *text, size_t cap);

/* ---- The report, on stdout ---- */

/* For people. */
void doctor_print(const struct doctor *doctor);
/* One object on one line. */
void doctor_print_json(const struct doctor *doctor);

#endif
