/* SPDX-License-Identifier: MIT */
/* How well time is told and kept: the clock's price, how late a timer comes, how short a sleep may be. */
#include "doctor/doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <flux/loop.h>

#define CLOCK_DIR "/sys/devices/system/clocksource/clocksource0/"

/* A reading by way of the vDSO takes some tens of nanoseconds, a system call some hundreds. */
#define READINGS 500
#define TRIES    5
#define DEAR     200u

#define SAMPLES 20
#define DELAY   FLUX_US(200)
#define LATE    FLUX_US(500)
#define SLACK   FLUX_US(50) /* what the kernel gives everybody */

/* ---- The clock ---- */

/* Nanoseconds of a reading; the least of a few tries, as others may be at work. */
static flux_ts price(void)
{
	flux_ts least = FLUX_NEVER;

	for (int i = 0; i < TRIES; i++) {
		flux_ts start = flux_loop_now(), span;

		for (int k = 0; k < READINGS; k++)
			(void)flux_loop_now();
		span = (flux_loop_now() - start) / READINGS;
		if (span < least)
			least = span;
	}
	return least;
}

static void check_clock(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "clock");
	char source[64], others[256];
	flux_ts ns = price();

	(void)doctor_read(doctor, CLOCK_DIR "current_clocksource", source, sizeof(source));
	(void)doctor_read(doctor, CLOCK_DIR "available_clocksource", others, sizeof(others));
	doctor_fact(row, "%s, %llu ns a reading", source[0] ? source : "unknown source", (unsigned long long)ns);
	if (ns <= DEAR && strcmp(source, "hpet") != 0 && strcmp(source, "acpi_pm") != 0)
		return;
	doctor_effect(row, DOCTOR_POOR, "Each turn reads the clock a few times, each time by a system call.");
	if (strstr(others, "tsc") && strcmp(source, "tsc") != 0)
		doctor_command(row, "echo tsc >" CLOCK_DIR "current_clocksource");
}

/* ---- Timers ---- */

static int by_size(const void *a, const void *b)
{
	flux_ts x = *(const flux_ts *)a, y = *(const flux_ts *)b;

	return (x > y) - (x < y);
}

/* How late each of a few timers came, in order of size; false: no timer. */
static bool measure(flux_ts late[SAMPLES])
{
	struct itimerspec when = { .it_value.tv_nsec = (long)DELAY };
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	bool ok = fd >= 0;

	for (int i = 0; ok && i < SAMPLES; i++) {
		flux_ts due = flux_loop_now() + DELAY;
		uint64_t count;

		ok = timerfd_settime(fd, 0, &when, NULL) == 0 && read(fd, &count, sizeof(count)) == sizeof(count);
		late[i] = flux_loop_now() - due;
	}
	if (fd >= 0)
		close(fd);
	qsort(late, SAMPLES, sizeof(*late), by_size);
	return ok;
}

static void check_timer(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "timer");
	flux_ts late[SAMPLES] = { 0 };

	if (!measure(late)) {
		doctor_fact(row, "timerfd does not work");
		doctor_effect(row, DOCTOR_MISSING, "No loop can be opened: a seccomp filter forbids it.");
		doctor_command(row, "docker run --security-opt seccomp=unconfined IMAGE");
		return;
	}
	doctor_fact(row, "%d of %llu us came late by %llu us (median), %llu us (worst)", SAMPLES,
		    (unsigned long long)(DELAY / 1000), (unsigned long long)(late[SAMPLES / 2] / 1000),
		    (unsigned long long)(late[SAMPLES - 1] / 1000));
	if (late[SAMPLES / 2] <= LATE)
		return;
	doctor_effect(row, DOCTOR_POOR,
		      "Pacing and repairs come late by as much: CPUs sleep too deeply, or others keep them busy.");
	doctor_command(row, "cpupower idle-set -D 20");
}

static void check_slack(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "timer_slack");
	int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	doctor_fact(row, "%d ns", slack);
	if (slack <= (int)SLACK)
		return;
	doctor_effect(row, DOCTOR_NOTE, "A loop that sleeps wakes up to so much later.");
	doctor_command(row, "echo %d >/proc/$PID/timerslack_ns", (int)SLACK);
}

static bool sleeps_briefly(void)
{
	bool works = false;
#ifdef HAVE_EPOLL_PWAIT2
	int fd = epoll_create1(EPOLL_CLOEXEC);
	struct timespec none = { 0, 0 };
	struct epoll_event event;

	works = epoll_pwait2(fd, &event, 1, &none, NULL) == 0;
	if (fd >= 0)
		close(fd);
#endif
	return works;
}

static void check_sleep(struct doctor *doctor)
{
	struct doctor_row *row = doctor_add(doctor, "epoll_pwait2");

	if (sleeps_briefly()) {
		doctor_fact(row, "a loop over epoll can sleep for less than a millisecond");
		return;
	}
	doctor_fact(row, "not there: Linux 5.11 and glibc 2.35 have it, a seccomp filter may forbid it");
	doctor_effect(row, DOCTOR_POOR, "Sleeps of flux_loop_poll_epoll() are rounded up to whole milliseconds.");
}

void doctor_check_time(struct doctor *doctor)
{
	check_clock(doctor);
	check_timer(doctor);
	check_slack(doctor);
	check_sleep(doctor);
}
