/* SPDX-License-Identifier: MIT */
/*
 * The header page of a shared region. Its integers are little-endian wherever it was made, so that
 * every machine can at least say why it refuses a file. Whoever reads it copies it once, by a read
 * instead of the mapping, and believes nothing of it before it is checked.
 */
#include "sys/region.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "core/base/bytes.h"

/* Grows with every change of the header, or of what the lock bytes mean. */
#define LAYOUT 1u

/* Where things are; the rest of the page is zero. */
enum {
	AT_MAGIC = 0,
	AT_LAYOUT = 8,
	AT_HEADER = 12,     /* length of this header: where the data begins */
	AT_BYTE_ORDER = 16, /* of what the application stores: 1 little-endian, 2 big-endian */
	AT_WORD_SIZE = 17,  /* of a pointer, in bytes */
	AT_KIND = 20,
	AT_KIND_VERSION = 24,
	AT_TOTAL = 32, /* bytes of the file */
	AT_BYTES = 40, /* of the data */
	AT_INCARNATION = 48,
	AT_END = 56
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_ORDER_HERE 1u
#else
#define BYTE_ORDER_HERE 2u
#endif

void flux_region_header_write(struct flux_region *region)
{
	const struct flux_region_info *info = &region->info;
	uint8_t *page = region->map;

	flux_store_u32(page + AT_LAYOUT, LAYOUT);
	flux_store_u32(page + AT_HEADER, FLUX_REGION_HEADER);
	page[AT_BYTE_ORDER] = BYTE_ORDER_HERE;
	page[AT_WORD_SIZE] = (uint8_t)sizeof(void *);
	flux_store_u32(page + AT_KIND, info->kind);
	flux_store_u32(page + AT_KIND_VERSION, info->kind_version);
	flux_store_u64(page + AT_TOTAL, info->mapped_bytes);
	flux_store_u64(page + AT_BYTES, info->bytes);
	flux_store_u64(page + AT_INCARNATION, info->incarnation);
	/* Nobody else sees the file yet: the system call that shows it orders this for them. */
	memcpy(page + AT_MAGIC, FLUX_REGION_MAGIC, FLUX_REGION_MAGIC_BYTES);
}

/* ---- Reading ---- */

/* As much of the header as is there. */
static int read_page(int fd, uint8_t page[FLUX_REGION_HEADER], size_t *len)
{
	ssize_t got = 0;

	*len = 0;
	while (*len < FLUX_REGION_HEADER &&
	       (got = pread(fd, page + *len, FLUX_REGION_HEADER - *len, (off_t)*len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		*len += (size_t)got;
	}
	return 0;
}

static int check_form(struct flux_region *region, const uint8_t *page, size_t len)
{
	uint32_t layout = flux_load_u32(page + AT_LAYOUT), header = flux_load_u32(page + AT_HEADER);

	if (len >= FLUX_REGION_MAGIC_BYTES && memcmp(page, FLUX_REGION_MAGIC, FLUX_REGION_MAGIC_BYTES) != 0)
		return flux_region_fail(region, FLUX_EMAGIC, "no region: it does not begin with \"%s\"",
					FLUX_REGION_MAGIC);
	if (len < FLUX_REGION_HEADER)
		return flux_region_fail(region, FLUX_ETRUNCATED, "cut: %zu bytes where the header alone has %u",
					len, FLUX_REGION_HEADER);
	if (layout != LAYOUT)
		return flux_region_fail(region, FLUX_ELAYOUT,
					"its layout has version %" PRIu32 ", this library knows %u: let both "
					"sides run the same version, or create it anew",
					layout, LAYOUT);
	if (header != FLUX_REGION_HEADER)
		return flux_region_fail(region, FLUX_EHEADER, "its header has %" PRIu32 " bytes, ours has %u",
					header, FLUX_REGION_HEADER);
	if (page[AT_BYTE_ORDER] != BYTE_ORDER_HERE)
		return flux_region_fail(region, FLUX_EBYTEORDER,
					"made on a machine of the other byte order (%u, here %u)",
					page[AT_BYTE_ORDER], BYTE_ORDER_HERE);
	if (page[AT_WORD_SIZE] != sizeof(void *))
		return flux_region_fail(region, FLUX_EWORDSIZE,
					"made by a program with words of %u bytes, ours have %zu",
					page[AT_WORD_SIZE], sizeof(void *));
	return 0;
}

static int check_sizes(struct flux_region *region, const uint8_t *page, uint64_t file_bytes)
{
	uint64_t total = flux_load_u64(page + AT_TOTAL), bytes = flux_load_u64(page + AT_BYTES);

	if (total > file_bytes)
		return flux_region_fail(region, FLUX_ETRUNCATED,
					"cut: its file has %" PRIu64 " bytes, its header says %" PRIu64,
					file_bytes, total);
	if (total < file_bytes || total <= FLUX_REGION_HEADER || total > SIZE_MAX ||
	    bytes == 0 || bytes > total - FLUX_REGION_HEADER)
		return flux_region_fail(region, FLUX_ESIZE,
					"sizes that disagree: %" PRIu64 " bytes of data in %" PRIu64
					", and a file of %" PRIu64,
					bytes, total, file_bytes);
	if (region->cfg.bytes != 0 && region->cfg.bytes != bytes)
		return flux_region_fail(region, FLUX_ESIZE,
					"it has %" PRIu64 " bytes, wanted are %" PRIu64 ": 0 takes any size",
					bytes, region->cfg.bytes);
	region->info.mapped_bytes = total;
	region->info.bytes = bytes;
	return 0;
}

static int check_kind(struct flux_region *region, const uint8_t *page)
{
	uint32_t kind = flux_load_u32(page + AT_KIND), version = flux_load_u32(page + AT_KIND_VERSION);

	if (region->cfg.kind != 0 && kind != region->cfg.kind)
		return flux_region_fail(region, FLUX_EKIND,
					"it holds kind 0x%" PRIx32 ", wanted is 0x%" PRIx32, kind,
					region->cfg.kind);
	if (region->cfg.kind != 0 && version != region->cfg.kind_version)
		return flux_region_fail(region, FLUX_EKINDVERSION,
					"what it holds has version %" PRIu32 ", wanted is %" PRIu32, version,
					region->cfg.kind_version);
	region->info.kind = kind;
	region->info.kind_version = version;
	region->info.incarnation = flux_load_u64(page + AT_INCARNATION);
	return 0;
}

int flux_region_header_read(struct flux_region *region)
{
	uint8_t page[FLUX_REGION_HEADER] = { 0 };
	struct stat st;
	size_t len;
	int rc;

	if (fstat(region->fd, &st) < 0 || st.st_size < 0)
		return flux_region_fail(region, -errno, "fstat: %s", strerror(errno));
	rc = read_page(region->fd, page, &len);
	if (rc < 0)
		return flux_region_fail(region, rc, "its header cannot be read: %s", strerror(-rc));
	rc = check_form(region, page, len);
	if (rc == 0)
		rc = check_sizes(region, page, (uint64_t)st.st_size);
	if (rc == 0)
		rc = check_kind(region, page);
	return rc;
}

int flux_region_header_ours(int fd)
{
	uint8_t page[FLUX_REGION_HEADER] = { 0 };
	size_t len;
	int rc = read_page(fd, page, &len);

	if (rc < 0)
		return rc;
	/* Zeros are what a power failure leaves of a file whose blocks were reserved and not written. */
	if (memcmp(page, FLUX_REGION_MAGIC, FLUX_REGION_MAGIC_BYTES) == 0)
		return 1;
	for (size_t i = 0; i < len; i++)
		if (page[i] != 0)
			return 0;
	return 1;
}
