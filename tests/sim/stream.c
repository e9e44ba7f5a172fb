/* SPDX-License-Identifier: MIT */
/* Plans, payloads and delays of message streams. */
#include "tests/sim/stream.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/pcg.h"

#define PREAMBLE_MAGIC 0x4D41455254534C46u

struct sim_stream *sim_stream_new(uint64_t id, uint64_t seed, const struct sim_plan *plan)
{
	struct sim_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		abort();
	stream->id = id;
	stream->seed = sim_mix(seed, id);
	stream->plan = *plan;
	if (!stream->plan.burst)
		stream->plan.burst = 1;
	stream->accepted_at = calloc(sim_stream_total(stream), sizeof(flux_ts));
	stream->delivered_at = calloc(sim_stream_total(stream), sizeof(flux_ts));
	if (!stream->accepted_at || !stream->delivered_at)
		abort();
	return stream;
}

void sim_stream_free(struct sim_stream *stream)
{
	free(stream->accepted_at);
	free(stream->delivered_at);
	free(stream);
}

uint64_t sim_stream_total(const struct sim_stream *stream)
{
	return stream->plan.count + 1;
}

/* Each power of two between is as likely as another. */
static uint32_t log_uniform(uint64_t chance, uint32_t low, uint32_t high)
{
	uint64_t span = (uint64_t)high - low + 1;
	uint32_t bits = 0;
	uint64_t room;

	while (span >> bits)
		bits++;
	room = 1ull << chance % (bits + 1);
	return low + (uint32_t)((chance >> 32) % (room < span ? room : span));
}

uint32_t sim_stream_len(const struct sim_stream *stream, uint64_t index)
{
	const struct sim_plan *plan = &stream->plan;
	uint64_t chance = sim_mix(stream->seed, index);
	uint64_t step = index - 1;

	if (index == 0)
		return SIM_PREAMBLE_LEN;
	switch (plan->sizes) {
	case SIM_SIZE_MIX:
		return log_uniform(chance, plan->size_min, plan->size_max);
	case SIM_SIZE_POWERS:
		step = (1ull << step / 3 % 32) + step % 3 - 1;
		return step > plan->size_max ? plan->size_max : (uint32_t)step;
	default:
		return plan->size_min + (uint32_t)(chance % ((uint64_t)plan->size_max - plan->size_min + 1));
	}
}

/* Word `at` of a message. */
static uint64_t payload_word(uint64_t key, uint64_t at)
{
	uint64_t x = (key + at) * 0x9E3779B97F4A7C15u;

	return x ^ x >> 29;
}

static void preamble(const struct sim_stream *stream, uint8_t out[SIM_PREAMBLE_LEN])
{
	uint64_t magic = PREAMBLE_MAGIC;

	memcpy(out, &magic, 8);
	memcpy(out + 8, &stream->id, 8);
}

void sim_stream_fill(const struct sim_stream *stream, uint64_t index, void *out)
{
	uint32_t len = sim_stream_len(stream, index);
	uint64_t key = sim_mix(stream->seed, ~index);
	uint8_t *p = out;
	uint64_t word;
	uint64_t at = 0;

	if (index == 0) {
		preamble(stream, p);
		return;
	}
	for (; len >= 8; p += 8, len -= 8) {
		word = payload_word(key, at++);
		memcpy(p, &word, 8);
	}
	word = payload_word(key, at);
	if (len)
		memcpy(p, &word, len);
}

bool sim_stream_equal(const struct sim_stream *stream, uint64_t index, const void *data, uint32_t len)
{
	uint64_t key = sim_mix(stream->seed, ~index);
	const uint8_t *p = data;
	uint64_t word;
	uint64_t at = 0;

	if (len != sim_stream_len(stream, index))
		return false;
	if (index == 0)
		return sim_preamble_id(data, len) == stream->id;
	for (; len >= 8; p += 8, len -= 8) {
		word = payload_word(key, at++);
		if (memcmp(p, &word, 8) != 0)
			return false;
	}
	word = payload_word(key, at);
	return len == 0 || memcmp(p, &word, len) == 0;
}

uint64_t sim_preamble_id(const void *data, uint32_t len)
{
	uint64_t magic, id;

	if (len != SIM_PREAMBLE_LEN)
		return 0;
	memcpy(&magic, data, 8);
	memcpy(&id, (const uint8_t *)data + 8, 8);
	return magic == PREAMBLE_MAGIC ? id : 0;
}

static int by_time(const void *a, const void *b)
{
	flux_ts x = *(const flux_ts *)a;
	flux_ts y = *(const flux_ts *)b;

	return (x > y) - (x < y);
}

flux_ts sim_stream_delay(const struct sim_stream *stream, double part)
{
	uint64_t n = stream->delivered;
	flux_ts *delays;
	flux_ts result;

	if (!n)
		return 0;
	delays = calloc(n, sizeof(*delays));
	if (!delays)
		abort();
	for (uint64_t i = 0; i < n; i++)
		delays[i] = stream->delivered_at[i] - stream->accepted_at[i];
	qsort(delays, n, sizeof(*delays), by_time);
	result = delays[(uint64_t)((double)(n - 1) * part)];
	free(delays);
	return result;
}
