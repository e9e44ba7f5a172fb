/* SPDX-License-Identifier: MIT */
/* Mutexes of pthread behind libevent's callbacks. */
#include "tests/loop/evlocks.h"

#include <pthread.h>
#include <stdlib.h>

#include <event2/thread.h>

static pthread_t owner;
static uint64_t elsewhere;

static void *new_lock(unsigned int type)
{
	pthread_mutex_t *lock = malloc(sizeof(*lock));
	pthread_mutexattr_t attr;

	if (!lock)
		return NULL;
	pthread_mutexattr_init(&attr);
	if (type & EVTHREAD_LOCKTYPE_RECURSIVE)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return lock;
}

static void free_lock(void *lock, unsigned int type)
{
	(void)type;
	pthread_mutex_destroy(lock);
	free(lock);
}

static int take(unsigned int mode, void *lock)
{
	if (!pthread_equal(pthread_self(), owner))
		__atomic_fetch_add(&elsewhere, 1, __ATOMIC_RELAXED);
	return mode & EVTHREAD_TRY ? pthread_mutex_trylock(lock) : pthread_mutex_lock(lock);
}

static int give(unsigned int mode, void *lock)
{
	(void)mode;
	return pthread_mutex_unlock(lock);
}

static unsigned long whoami(void)
{
	return (unsigned long)pthread_self();
}

void evlocks_use(void)
{
	static const struct evthread_lock_callbacks callbacks = {
		EVTHREAD_LOCK_API_VERSION,
		EVTHREAD_LOCKTYPE_RECURSIVE,
		new_lock,
		free_lock,
		take,
		give,
	};

	owner = pthread_self();
	__atomic_store_n(&elsewhere, 0, __ATOMIC_RELAXED);
	evthread_set_lock_callbacks(&callbacks); /* once; the same again changes nothing */
	evthread_set_id_callback(whoami);
}

uint64_t evlocks_taken_elsewhere(void)
{
	return __atomic_load_n(&elsewhere, __ATOMIC_RELAXED);
}
