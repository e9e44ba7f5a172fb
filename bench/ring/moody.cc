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
		struct back_off b = BACK_OFF_INIT;

		for (uint64_t number = 0; number < work->count; number++) {
			item<SLOT> it;

			work_fill(&it, SLOT, number);
			while (!q->try_enqueue(it))
				back_off(work, &b, number);
			back_off_end(&b);
		}
		return 0;
	}

	static uint64_t read(const struct work *work, void *at, uint32_t)
	{
		queue *q = static_cast<queue *>(at);
		struct back_off b = BACK_OFF_INIT;
		uint64_t sum = 0;

		for (uint64_t i = 0; i < work->count; i++) {
			item<SLOT> it;

			while (!q->try_dequeue(it))
				back_off(work, &b, i);
			back_off_end(&b);
			sum += work_sum(&it, SLOT);
		}
		return sum;
	}
};

template <uint32_t SLOT> bool run(const struct work *work, struct result *result)
{
	typename single<SLOT>::queue q(work->capacity);

	work_run(work, &q, NULL, single<SLOT>::write, single<SLOT>::read, result);
	return true;
}
}

extern "C" bool moody_run(const struct work *work, struct result *result)
{
	/* His queue for several producers grows: it cannot be compared with a ring that refuses. */
	if (work->readers > 1 || work->writers > 1)
		return false;
	switch (work->slot) {
	case 8:
		return run<8>(work, result);
	case 64:
		return run<64>(work, result);
	case 128:
		return run<128>(work, result);
	default:
		return false;
	}
}
