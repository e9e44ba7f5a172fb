/* SPDX-License-Identifier: MIT */
/*
 * Rings in shared memory: a ring laid into a region, which other processes attach by name or receive
 * over a socket. Whoever dies, at whatever instruction, leaves a ring that the others go on using. After
 * fork() the child's handles are a private copy, in which the ring is closed: a child that takes part
 * opens the ring itself.
 */
#ifndef FLUX_SHARED_RING_H
#define FLUX_SHARED_RING_H

#include <flux/region.h>
#include <flux/ring.h>

#ifdef __cplusplus
extern "C" {
#endif

/** flux_region_cfg.kind of a region that holds a ring; the version of it is FLUX_RING_LAYOUT. */
#define FLUX_RING_KIND UINT32_C(0x474e4952) /* "RING" */

/** A region, the ring in it, and this process's part in both. */
struct flux_shared_ring;

/**
 * Make a ring in a region, or attach the one that is there.
 *
 * @param shared  [out] set only on success; ends with flux_shared_ring_close().
 * @param region  copied. FLUX_REGION_FILE or FLUX_REGION_MEMFD; bytes, kind and kind_version are filled
 *                in. With FLUX_REGION_READ_ONLY only lossy readers can join, and they hold nobody.
 * @param ring    copied; NULL: only attach. FLUX_RING_PROCESSES is added. What is there must agree.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes: on failure what, the limit, and the remedy.
 *
 * @return 0; or
 *         FLUX_ESIZE  the ring that is there is of another shape than `ring`: the words say in what;
 *         a code of flux_region_open(), flux_ring_init() or flux_ring_attach().
 *
 * Thread: setup.
 * Cost:   as flux_region_open().
 */
FLUX_API FLUX_MUST_CHECK int flux_shared_ring_open(struct flux_shared_ring **shared,
						   const struct flux_region_cfg *region,
						   const struct flux_ring_cfg *ring, char *why);

/**
 * Receive a memfd with a ring in it, that flux_region_send() sent.
 *
 * @param shared  [out] set only on success; ends with flux_shared_ring_close().
 * @param socket  connected; not closed.
 * @param region  copied; as flux_region_receive() wants it.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; a code of flux_region_receive() or flux_ring_attach().
 *
 * Thread: setup.
 * Cost:   system calls; blocks if the socket does.
 */
FLUX_API FLUX_MUST_CHECK int flux_shared_ring_receive(struct flux_shared_ring **shared, int socket,
						      const struct flux_region_cfg *region, char *why);

/**
 * Leave: the handles end first, for then the process is to the others as if dead.
 *
 * @param shared  NULL is allowed. Not to be used after the call, nor its ring and region.
 *
 * Thread: setup; no other thread uses the ring.
 * Cost:   as flux_region_close().
 */
FLUX_API void flux_shared_ring_close(struct flux_shared_ring *shared);

/** The ring, for flux_ring_writer_open(), flux_ring_reader_join() and the rest; lent. Thread: any. */
FLUX_API struct flux_ring *flux_shared_ring_ring(struct flux_shared_ring *shared);

/** The region, for its report, flux_region_send() and the rest; lent. Thread: any. */
FLUX_API struct flux_region *flux_shared_ring_region(struct flux_shared_ring *shared);

#ifdef __cplusplus
}
#endif

#endif
