/* SPDX-License-Identifier: MIT */
/*
 * Blocks of memory for rings and tables: on the heap, in a mapping with large pages and a NUMA policy,
 * or shared between processes by a file or a memfd. A region knows nothing of what is put into it.
 *
 * Whatever could fail later fails when the region is opened: blocks are reserved, large pages are
 * touched, and the reason stands in words. After that no access to a region ends in SIGBUS, unless
 * somebody cuts its file with a tool (doc/memory.md).
 */
#ifndef FLUX_REGION_H
#define FLUX_REGION_H

#include <flux/base.h>
#include <flux/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A region of this process; never in shared memory itself. */
struct flux_region;

/** What a region is made of. */
enum flux_region_backing {
	FLUX_REGION_HEAP = 0, /**< the allocator of the configuration */
	FLUX_REGION_ANON,     /**< a private mapping of this process */
	FLUX_REGION_FILE,     /**< a file that other processes attach by its name */
	FLUX_REGION_MEMFD     /**< a file without a name, passed by flux_region_send() */
};

/** What to do about a FLUX_REGION_FILE that may exist. */
enum flux_region_opening {
	/**
	 * A new one. If its owner lives it is refused; one whose owner died is replaced, under a new
	 * incarnation; processes that still map the old one go on with the old one, and
	 * flux_region_replaced() tells them.
	 */
	FLUX_REGION_CREATE = 0,
	/** The one that is there, whether or not anybody lives: a dead process's file can be read. */
	FLUX_REGION_ATTACH,
	/** Attach if any process lives that has it open for writing; else as FLUX_REGION_CREATE. */
	FLUX_REGION_CREATE_OR_ATTACH
};

/** How much a feature matters that a machine may refuse. */
enum flux_want {
	FLUX_WANT_NOT = 0, /**< leave it */
	FLUX_WANT_TRY,     /**< go on without it and say so in flux_region_report() */
	FLUX_WANT_REQUIRE  /**< fail and say what mends it */
};

/** On which NUMA nodes the pages are to lie; a full node is helped out by the others. */
enum flux_region_numa {
	FLUX_REGION_NUMA_NODE = 0,  /**< on flux_region_cfg.numa_node */
	FLUX_REGION_NUMA_INTERLEAVE /**< in turn on all nodes that the process may use */
};

/** Map without the right to write. Only for what is attached or received; it keeps nothing alive. */
#define FLUX_REGION_READ_ONLY 0x01u
/** The file stays when its owner closes it (else the name is removed). */
#define FLUX_REGION_KEEP 0x02u
/** Attach a file of another user too: its group or a superuser shares it on purpose. */
#define FLUX_REGION_ANY_OWNER 0x04u
/** A forked child has no mapping there at all: touching it is SIGSEGV in the child. */
#define FLUX_REGION_NO_FORK 0x08u
/** Leave it out of core files. */
#define FLUX_REGION_NO_DUMP 0x10u
/** Of a memfd: whoever receives it can never write, by a seal of the kernel. */
#define FLUX_REGION_READ_ONLY_PEERS 0x20u

#define FLUX_PAGE_2M (UINT64_C(1) << 21)
#define FLUX_PAGE_1G (UINT64_C(1) << 30)

/** How a region is opened; start with FLUX_REGION_CFG_INIT. Strings are not kept. */
struct flux_region_cfg {
	uint32_t size;    /**< set by FLUX_REGION_CFG_INIT */
	uint32_t backing; /**< enum flux_region_backing */
	uint32_t open;    /**< enum flux_region_opening; only a file has a choice */
	uint32_t flags;   /**< FLUX_REGION_READ_ONLY and the like */
	/** Usable bytes, 1 to SIZE_MAX / 4; 0 when attaching takes what there is, else it must be equal. */
	uint64_t bytes;
	/**
	 * Of a file: with a slash it is a path, without one a name in `dir`. Of a memfd: a word for
	 * /proc, may be NULL.
	 */
	const char *name;
	/** The directory of a plain name; NULL: /dev/shm. */
	const char *dir;
	/**
	 * Rights of a new file whatever the umask, 0600 to 0664 without write for all; 0: 0600. A memfd
	 * belongs to whoever is handed it.
	 */
	uint32_t mode;
	/** What it holds, the application's own number; 0 when attaching takes any kind. */
	uint32_t kind;
	/** Version of what it holds; compared when `kind` is. */
	uint32_t kind_version;
	/** Large pages of `page_bytes`; they are touched at once, since a late refusal is a SIGBUS. */
	uint32_t huge;        /**< enum flux_want; of a file TRY means whatever its file system can do */
	uint32_t numa;        /**< enum flux_want */
	uint64_t page_bytes;  /**< FLUX_PAGE_2M (0 is the same) or FLUX_PAGE_1G */
	uint32_t numa_policy; /**< enum flux_region_numa */
	uint32_t numa_node;   /**< 0 to 1023, with FLUX_REGION_NUMA_NODE */
	uint32_t prefault;    /**< enum flux_want: touch every page now, no fault later */
	uint32_t lock;        /**< enum flux_want: mlock(), never swapped */
	/** Where the handle, and the block of FLUX_REGION_HEAP, come from; NULL: flux_mem_libc. */
	const struct flux_mem *mem;
	/**
	 * NULL, or called once with a new region's zeroed bytes, before anybody else can see it; so nobody
	 * meets one that is half made. Returns 0, or an error with which the opening then fails.
	 */
	int (*fill)(void *ctx, void *data, uint64_t bytes);
	void *fill_ctx;
};

#define FLUX_REGION_CFG_INIT                           \
	{                                              \
		.size = sizeof(struct flux_region_cfg) \
	}

/* What came true of a region, in flux_region_info.state. */
#define FLUX_REGION_IS_CREATED    0x01u /**< made by this call; else attached or received */
#define FLUX_REGION_IS_OWNER      0x02u /**< this handle is the owner, see flux_region_member_alive() */
#define FLUX_REGION_IS_READ_ONLY  0x04u
#define FLUX_REGION_IS_HUGE       0x08u /**< pages of info.page_bytes, all there */
#define FLUX_REGION_IS_NUMA       0x10u /**< the kernel took the policy */
#define FLUX_REGION_IS_PREFAULTED 0x20u
#define FLUX_REGION_IS_LOCKED     0x40u
#define FLUX_REGION_IS_FORKED     0x80u /**< inherited by fork(): only flux_region_close() is left */

/** What a region has become. */
struct flux_region_info {
	uint32_t size;         /**< set by the caller to sizeof before the call */
	uint32_t state;        /**< FLUX_REGION_IS_CREATED and the like */
	uint64_t bytes;        /**< usable bytes */
	uint64_t mapped_bytes; /**< with the header and rounded up to pages */
	uint64_t page_bytes;   /**< size of its pages */
	uint64_t incarnation;  /**< of a shared one: drawn at its creation, never 0 */
	uint32_t kind, kind_version;
	uint32_t member;   /**< this handle among those that may write, 1 to 2^30 - 1; 0: none */
	uint32_t warnings; /**< how many features were asked for and are missing; see the report */
};

/**
 * Make a region, or attach one that exists. Its bytes are zero when it is new.
 *
 * @param region  [out] set only on success; close with flux_region_close().
 * @param cfg     copied.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes: on failure what, the limit, and the remedy.
 *
 * @return 0; or
 *         FLUX_EINVAL        a member of `cfg` is out of range, or does not fit the backing;
 *         FLUX_E2BIG         a newer configuration: see FLUX_E2BIG;
 *         FLUX_ENOMEM        no memory, no large pages, or more than the memory cgroup may hold;
 *         FLUX_ENOSPC        the blocks are not there; needed and available bytes are in `why`;
 *         FLUX_EPERM         mlock() or the NUMA policy was required and is not allowed;
 *         FLUX_ENOTSUP       the backing, the file system or the build cannot do what is required;
 *         FLUX_EEXIST        FLUX_REGION_CREATE, and the owner of the existing one lives;
 *         FLUX_EAGAIN        others created and removed it all the time: try again;
 *         FLUX_EUNSAFE       what is there is of another user, writable by all, or no regular file;
 *         FLUX_EMAGIC        a file is there which is no region: nothing of it was changed;
 *         FLUX_ELAYOUT, FLUX_EHEADER, FLUX_EBYTEORDER, FLUX_EWORDSIZE, FLUX_ESIZE, FLUX_ETRUNCATED,
 *         FLUX_EKIND, FLUX_EKINDVERSION
 *                            attaching: the region is not what was expected; nothing was changed;
 *         the error of cfg->fill;
 *         other errno        of open() and its kin: ENOENT (nothing there), ELOOP (a symbolic link),
 *                            EACCES and EROFS (rights), EMFILE (raise the fd limit).
 *
 * Thread: setup; different regions may be opened by different threads at the same time.
 * Cost:   system calls; touches every page if prefault, lock or large pages are asked for.
 */
FLUX_API FLUX_MUST_CHECK int flux_region_open(struct flux_region **region,
					      const struct flux_region_cfg *cfg, char *why);

/**
 * Unmap and free. The owner of a file removes its name, unless FLUX_REGION_KEEP was set; others who
 * map it keep their mapping. In a forked child only the child's copy goes away: fork() gives the child
 * a private copy of what can be written, and no mapping at all where the pages are large.
 *
 * @param region  NULL is allowed. Not to be used after the call, nor its memory.
 *
 * Thread: setup; no other thread uses the region.
 */
FLUX_API void flux_region_close(struct flux_region *region);

/**
 * The usable memory, lent until flux_region_close(); aligned to 4096 bytes.
 *
 * Thread: any.
 * Cost:   none.
 */
FLUX_API void *flux_region_data(const struct flux_region *region);

/** Its size in bytes, as flux_region_cfg.bytes asked for. Thread: any. Cost: none. */
FLUX_API uint64_t flux_region_bytes(const struct flux_region *region);

/** Copy what became of it; info->size is set by the caller. Thread: any. Cost: none. */
FLUX_API void flux_region_get_info(const struct flux_region *region, struct flux_region_info *info);

/**
 * What was tried and refused, one line each, with the remedy.
 *
 * @return text owned by `region`; "" if everything that was asked for is there.
 *
 * Thread: any.
 * Cost:   none.
 */
FLUX_API const char *flux_region_report(const struct flux_region *region);

/**
 * The file behind a shared region, to watch or to seal it further. Locks of one's own must stay below
 * byte 2^30.
 *
 * @return an fd owned by `region`; -1: none, or the handle was inherited by fork().
 *
 * Thread: any.
 * Cost:   none.
 */
FLUX_API int flux_region_fd(const struct flux_region *region);

/** `member` of flux_region_member_alive() that stands for the owner. */
#define FLUX_REGION_OWNER 0u

/**
 * Whether another process (or handle) that may write still has the region open. Decided by a lock that
 * the kernel drops when the process ends however it ends, in any PID namespace; a stopped one lives.
 *
 * @param member  a flux_region_info.member of another handle, 1 to 2^30 - 1: drawn anew whenever a
 *                region is opened, so a restarted process is another; or FLUX_REGION_OWNER.
 *
 * @return 1: it lives; 0: it closed the region or is dead; FLUX_EINVAL: out of range; FLUX_ENOTSUP: not
 *         shared; FLUX_ECLOSED: inherited by fork(); or an errno value of fcntl().
 *
 * Thread: any.
 * Cost:   one system call.
 */
FLUX_API int flux_region_member_alive(const struct flux_region *region, uint32_t member);

/**
 * Whether the name of the file leads elsewhere or nowhere by now: its owner closed it, or died and a new
 * one was created. The mapping stays good; attach again to meet the others.
 *
 * @return 1, 0; FLUX_ENOTSUP: not a file; FLUX_ECLOSED: inherited by fork(); or an errno value.
 *
 * Thread: any.
 * Cost:   one system call.
 */
FLUX_API int flux_region_replaced(const struct flux_region *region);

/**
 * Pass a memfd over a Unix socket, to flux_region_receive() at its other end. The receiver gets an open
 * file of its own, so that each one's life shows by itself.
 *
 * @param region  of FLUX_REGION_MEMFD.
 * @param socket  connected, of any type; 8 bytes travel with the file. Not closed.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; FLUX_ENOTSUP: not a memfd; FLUX_ECLOSED: inherited by fork(); FLUX_EAGAIN: the socket is
 *         full; or an errno value of open() or sendmsg().
 *
 * Thread: any.
 * Cost:   system calls; blocks if the socket does.
 */
FLUX_API FLUX_MUST_CHECK int flux_region_send(const struct flux_region *region, int socket, char *why);

/**
 * Receive a memfd and map it. It must be sealed against shrinking, as ours are; its header is checked
 * as that of a file is.
 *
 * @param region  [out] set only on success; close with flux_region_close().
 * @param socket  as of flux_region_send(). Not closed.
 * @param cfg     copied; backing FLUX_REGION_MEMFD, open FLUX_REGION_ATTACH; flags, bytes, kind, numa,
 *                prefault, lock and mem as for attaching a file; huge must be FLUX_WANT_NOT.
 * @param why     [out] NULL, or FLUX_WHY_TEXT bytes.
 *
 * @return 0; FLUX_EAGAIN: nothing there yet, of a non-blocking socket; FLUX_ECLOSED: the peer closed it;
 *         FLUX_EPROTO: what came is no region; FLUX_EUNSAFE: the sender could still cut it;
 *         FLUX_EPERM: the sender lets peers only read, set FLUX_REGION_READ_ONLY; or a code of
 *         flux_region_open().
 *
 * Thread: setup.
 * Cost:   system calls; blocks if the socket does.
 */
FLUX_API FLUX_MUST_CHECK int flux_region_receive(struct flux_region **region, int socket,
						 const struct flux_region_cfg *cfg, char *why);

#ifdef __cplusplus
}
#endif

#endif
