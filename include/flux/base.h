/* SPDX-License-Identifier: MIT */
/* Words that every other header uses: visibility, time, memory, addresses, version. */
#ifndef FLUX_BASE_H
#define FLUX_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define FLUX_API        __attribute__((visibility("default")))
#define FLUX_MUST_CHECK __attribute__((warn_unused_result))
#else
#define FLUX_API
#define FLUX_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define FLUX_VERSION_MAJOR 0
#define FLUX_VERSION_MINOR 1
#define FLUX_VERSION_PATCH 0
#define FLUX_VERSION       "0.1.0"

/**
 * The version of the library that runs, which may be newer than the header compiled against.
 *
 * @return a static string such as "0.1.0"; never NULL, never freed.
 *
 * Thread: any.
 * Cost:   none.
 */
FLUX_API const char *flux_version(void);

/** Nanoseconds on a monotonic clock (the hosted loops use CLOCK_BOOTTIME). */
typedef uint64_t flux_ts;

/** "No deadline": later than every time. Never pass it as `now`. */
#define FLUX_NEVER UINT64_MAX

#define FLUX_US(n) ((flux_ts)(n)*1000u)
#define FLUX_MS(n) ((flux_ts)(n)*1000000u)
#define FLUX_S(n)  ((flux_ts)(n)*1000000000u)

/**
 * Where memory comes from. All three members are borrowed for the life of what they were given to.
 *
 * Allocation happens when a thing is created or a session opens, never for a message or a datagram.
 */
struct flux_mem {
	/** Return `bytes` (> 0) of memory aligned for any type, or NULL. The content does not matter. */
	void *(*alloc)(void *ctx, size_t bytes);
	/** Take back `ptr` (never NULL) of exactly the `bytes` it was asked with. */
	void (*free)(void *ctx, void *ptr, size_t bytes);
	/** Passed to both. */
	void *ctx;
};

/** The C library's malloc() and free(). */
FLUX_API extern const struct flux_mem flux_mem_libc;

/** Room for the words of a refusal: what failed, the limit it met, the remedy; always terminated. */
#define FLUX_WHY_TEXT 512

/** An IPv4 or IPv6 address with a port. Compare with flux_addr_equal(), never byte for byte. */
struct flux_addr {
	uint8_t ip[16];   /**< network order; IPv4 uses the first four bytes, the rest is zero */
	uint32_t scope;   /**< IPv6 scope id, else 0 */
	uint16_t port;    /**< host order */
	uint8_t family;   /**< 4, 6, or 0 for "none" */
	uint8_t reserved; /**< 0 */
};

/**
 * Which of this host's addresses a datagram came to, or leaves from. One that was sent to an IPv4 broadcast address
 * came to the host's address in that network; on a socket of both families to the broadcast address, from which no
 * answer can leave.
 */
struct flux_local {
	uint8_t ip[16];      /**< network order; IPv4 uses the first four bytes, the rest is zero */
	uint32_t ifindex;    /**< the interface it came by. Sending: for link-local addresses; by which interface the
			      *   others leave is the routing table's business. */
	uint8_t family;      /**< 4, 6, or 0 for "none" */
	uint8_t reserved[3]; /**< 0 */
};

/** Longest text of flux_addr_format(), with its final zero byte. */
#define FLUX_ADDR_TEXT 64

/**
 * Read a numeric address: "192.0.2.1:7000", "[2001:db8::1]:7000". Names are not looked up here.
 *
 * @param text  zero-terminated.
 * @param addr  [out] set only on success.
 *
 * @return 0; or FLUX_EINVAL: not a numeric address with a port (0 to 65535).
 *
 * Thread: any.
 * Cost:   no allocation, no system call.
 */
FLUX_API FLUX_MUST_CHECK int flux_addr_parse(const char *text, struct flux_addr *addr);

/**
 * Write an address as text, in the form flux_addr_parse() reads.
 *
 * @param addr  the address; family 0 is written as "none".
 * @param text  [out] at least FLUX_ADDR_TEXT bytes, always terminated.
 *
 * @return `text`, so that the call can stand in an argument list.
 *
 * Thread: any.
 * Cost:   no allocation, no system call.
 */
FLUX_API const char *flux_addr_format(const struct flux_addr *addr, char text[FLUX_ADDR_TEXT]);

/**
 * Whether two addresses name the same place: family, address, port and (IPv6) scope.
 *
 * Thread: any.
 * Cost:   a few compares.
 */
FLUX_API int flux_addr_equal(const struct flux_addr *a, const struct flux_addr *b);

#ifdef __cplusplus
}
#endif

#endif
