/* SPDX-License-Identifier: MIT */
/* moodycamel's readerwriterqueue in the comparison: one producer, one item at a time. */
#include <readerwriterqueue/readerwriterqueue.h>

#include "ring/work.h"

namespace
{
template <uint32_t SLOT> struct item {
	char bytes[SLOT];
};

template <uint32_t SLOT> struct single {
	typedef moodycamel::ReaderWriterQueue<item<SLOT> > queue;

	static uint64_t write(const struct work *work, void *at, uint32_t)
	{
		queue *q = static_cast<queue *>(at);

		for (uint64_t number = 0; number < work->count; number++) {
			item<SLOT> it;
			uint32_t round = 0;

			work_fill(&it, SLOT, number);
			while (!q->try_enqueue(it))
				work_back_off(work, &round);
		}
		return 0;
	}

	static uint64_t read(const struct work *work, void *at, uint32_t)
	{
		queue *q = static_cast<queue *>(at);
		uint64_t sum = 0;

		for (uint64_t i = 0; i < work->count; i++) {
			item<SLOT> it;
			uint32_t round = 0;

			while (!q->try_dequeue(it))
				work_back_off(work, &round);
			sum += work_sum(&it, SLOT);
		}
		return sum;
	}
};

template <uint32_t SLOT> double run(const struct work *work, uint64_t *sum)
{
	typename single<SLOT>::queue q(work->capacity);

	return work_run(work, &q, single<SLOT>::write, single<SLOT>::read, sum);
}
}

extern "C" double moody_run(const struct work *work, uint64_t *sum)
{
	/* His queue for several producers grows: it cannot be compared with a ring that refuses. */
	if (work->readers > 1 || work->writers > 1)
		return -1;
	switch (work->slot) {
	case 8:
		return run<8>(work, sum);
	case 64:
		return run<64>(work, sum);
	case 128:
		return run<128>(work, sum);
	default:
		return -1;
	}
}
