/* SPDX-License-Identifier: MIT */
/* What the processes of a measurement over the network share: the mapping, and the books in it. */
#include "perf/net_stage.h"

#include <stdio.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* What came is clocked once in so many bytes: a look at the clock costs as much as a short message. */
#define CLOCK_BYTES 4096u

static uint32_t sample_of(const struct net_options *options)
{
	uint32_t sample = 1;

	while (!options->rtt && sample < NET_SAMPLE && (options->rate == 0 || options->rate / sample > NET_STAMPS_RATE))
		sample *= 2;
	return sample;
}

struct net_stage *net_stage_open(const struct net_options *options)
{
	struct net_stage *stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				       -1, 0);

	if (stage == MAP_FAILED)
		return NULL;
	stage->options = options;
	stage->sample = sample_of(options);
	stage->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	stage->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stage->stop_fd < 0 || stage->end_fd < 0) {
		net_stage_close(stage);
		return NULL;
	}
	return stage;
}

void net_stage_close(struct net_stage *stage)
{
	if (stage->stop_fd >= 0)
		close(stage->stop_fd);
	if (stage->end_fd >= 0)
		close(stage->end_fd);
	munmap(stage, sizeof(*stage));
}

/* ---- Places ---- */

void net_place_tell(struct net_place *place, const char *addr)
{
	snprintf(place->addr, sizeof(place->addr), "%s", addr);
	__atomic_store_n(&place->known, 1, __ATOMIC_RELEASE);
}

bool net_place_known(const struct net_place *place)
{
	return __atomic_load_n(&place->known, __ATOMIC_ACQUIRE) != 0;
}

/* ---- Processor time, of all threads of the process ---- */

static uint64_t time_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000000u + (uint64_t)tv->tv_usec * 1000u;
}

static uint64_t process_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime);
}

void net_cpu_begin(struct net_cpu *cpu)
{
	if (cpu->begun)
		return;
	cpu->begun = true;
	cpu->from_ns = process_cpu();
}

void net_cpu_end(struct net_cpu *cpu, uint64_t msgs)
{
	if (!cpu->begun || cpu->msgs)
		return;
	cpu->msgs = msgs;
	cpu->ns = process_cpu() - cpu->from_ns;
}

/* ---- Messages ---- */

void net_item_write(struct net_stage *stage, struct net_party *party, void *at)
{
	uint64_t seq = party->written++;

	if (net_samples(stage, seq))
		*net_stamp(stage, seq) = clock_now();
	if (stage->options->size == 64)
		item_fill(at, 64, item_id(0, seq));
	else
		item_fill(at, stage->options->size, item_id(0, seq));
}

static uint64_t sum_of(const void *at, uint32_t len)
{
	return len == 64 ? item_sum(at, 64) : item_sum(at, len);
}

uint64_t net_item_take(struct net_stage *stage, struct net_party *party, const void *at, uint32_t len)
{
	struct check *check = &party->check;
	uint64_t right = check->received;
	uint64_t id;

	if (right == 0)
		net_cpu_begin(&party->cpu);
	if (len != stage->options->size) {
		check->damaged++;
		return ITEM_MOST_SEQ;
	}
	id = item_read_id(at);
	check_item(check, id, len, sum_of(at, len));
	if (check->received == right)
		return ITEM_MOST_SEQ;
	party->unclocked += len;
	if (net_samples(stage, ITEM_SEQ(id))) {
		party->end_ns = clock_now();
		party->unclocked = 0;
		hist_add(&party->hist, party->end_ns - *net_stamp(stage, ITEM_SEQ(id)));
	} else if (party->unclocked >= CLOCK_BYTES) {
		party->end_ns = clock_now();
		party->unclocked = 0;
	}
	return ITEM_SEQ(id);
}
