/* SPDX-License-Identifier: MIT */
/* The header of a shared region: its bytes, and a code of its own for each way to disagree with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/regions.h"

#define HEADER 4096

/* A file as a dead process leaves it; its bytes are in `image`. */
struct file {
	uint8_t image[16384];
	size_t len;
	int fd;
};

static int make_file(void **state)
{
	struct file *file = calloc(1, sizeof(*file));
	struct flux_region *region;
	ssize_t len;
	int rc;

	if (!file || !regions_dir())
		return -1;
	region = regions_open("a", FLUX_REGION_CREATE, FLUX_REGION_KEEP, &rc);
	if (!region)
		return -1;
	memset(flux_region_data(region), 0xda, 10000);
	flux_region_close(region);
	file->fd = open(regions_path("a"), O_RDWR | O_CLOEXEC);
	len = read(file->fd, file->image, sizeof(file->image));
	file->len = (size_t)len;
	*state = file;
	return len > HEADER + 10000 ? 0 : -1;
}

static int remove_file(void **state)
{
	struct file *file = *state;

	close(file->fd);
	free(file);
	regions_remove_dir();
	return 0;
}

/* Attaching, for reading and for writing, gives `code`, and no byte of the file changes. */
static void expect(struct file *file, const struct flux_region_cfg *cfg, int code, const char *words)
{
	static uint8_t before[16384 * 2], after[16384 * 2];
	ssize_t len = pread(file->fd, before, sizeof(before), 0);

	for (uint32_t flags = 0; flags <= FLUX_REGION_READ_ONLY; flags++) {
		struct flux_region_cfg asked = *cfg;
		struct flux_region *region = NULL;
		int rc;

		asked.flags = flags;
		rc = flux_region_open(&region, &asked, regions_why);
		if (rc != code || (code != 0 && !strstr(regions_why, words)))
			fail_msg("%s instead of %s, \"%s\" has no \"%s\"", flux_errname(rc),
				 flux_errname(code), regions_why, words);
		flux_region_close(region);
	}
	assert_true(strlen(flux_strerror(code)) > 0);
	assert_int_equal(pread(file->fd, after, sizeof(after), 0), len);
	assert_memory_equal(before, after, (size_t)len);
}

/* With this byte of the header changed; the header is as before at the end. */
static void expect_changed(struct file *file, size_t at, uint8_t value, int code, const char *words)
{
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);

	assert_int_not_equal(file->image[at], value);
	assert_int_equal(pwrite(file->fd, &value, 1, (off_t)at), 1);
	expect(file, &cfg, code, words);
	assert_int_equal(pwrite(file->fd, &file->image[at], 1, (off_t)at), 1);
}

/* The layout is a promise to other programs: written here by hand. */
static void test_R09_golden_header(void **state)
{
	const struct file *file = *state;
	uint8_t golden[HEADER] = "FLUXREGN\1\0\0\0\0\x10\0\0\1\x08\0\0\x57\x7e\0\0\3\0\0";
	uint16_t probe = 1;

	if (*(uint8_t *)&probe != 1 || sizeof(void *) != 8 || sysconf(_SC_PAGESIZE) != 4096) {
		print_message("# the image is of a little-endian 64-bit machine with pages of 4 KiB\n");
		skip();
	}
	golden[33] = 0x40;                        /* 16384 bytes in all */
	golden[40] = 0x10, golden[41] = 0x27;     /* 10000 of data */
	memcpy(golden + 48, file->image + 48, 8); /* the incarnation is random */
	assert_memory_equal(file->image, golden, HEADER);
	assert_int_equal(file->len, 16384);
	assert_int_equal(file->image[HEADER], 0xda);
	assert_int_equal(file->image[HEADER + 9999], 0xda);
	assert_int_equal(file->image[HEADER + 10000], 0);
}

static void test_R09_each_mismatch_has_its_code(void **state)
{
	struct file *file = *state;
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);

	expect(file, &cfg, 0, "");
	for (size_t at = 0; at < 8; at++)
		expect_changed(file, at, 'x', FLUX_EMAGIC, "FLUXREGN");
	for (size_t at = 8; at < 12; at++)
		expect_changed(file, at, 9, FLUX_ELAYOUT, "version");
	for (size_t at = 12; at < 16; at++)
		expect_changed(file, at, 9, FLUX_EHEADER, "4096");
	expect_changed(file, 16, file->image[16] ^ 3, FLUX_EBYTEORDER, "byte order");
	expect_changed(file, 17, file->image[17] ^ 12, FLUX_EWORDSIZE, "words of");
	for (size_t at = 20; at < 24; at++)
		expect_changed(file, at, 9, FLUX_EKIND, "0x7e57");
	for (size_t at = 24; at < 28; at++)
		expect_changed(file, at, 9, FLUX_EKINDVERSION, "version");
	expect_changed(file, 32, 1, FLUX_ETRUNCATED, "16384");
	expect_changed(file, 33, 0x3f, FLUX_ESIZE, "16384");
	for (size_t at = 34; at < 40; at++)
		expect_changed(file, at, 0xff, FLUX_ETRUNCATED, "says");
	for (size_t at = 42; at < 48; at++)
		expect_changed(file, at, 0xff, FLUX_ESIZE, "disagree");
	expect(file, &cfg, 0, "");
}

static void test_R09_sizes(void **state)
{
	struct file *file = *state;
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);
	static const uint8_t nothing[8];

	cfg.bytes = 10000;
	expect(file, &cfg, 0, "");
	cfg.bytes = 10001;
	expect(file, &cfg, FLUX_ESIZE, "10001");
	cfg.bytes = 0;
	assert_int_equal(pwrite(file->fd, nothing, 8, 40), 8);
	expect(file, &cfg, FLUX_ESIZE, "disagree");
	assert_int_equal(pwrite(file->fd, file->image, HEADER, 0), HEADER);

	assert_int_equal(ftruncate(file->fd, 16385), 0);
	expect(file, &cfg, FLUX_ESIZE, "16385");
	for (off_t len = 16383; len > 8; len = len * 3 / 4) {
		assert_int_equal(ftruncate(file->fd, len), 0);
		expect(file, &cfg, FLUX_ETRUNCATED, "cut");
	}
	for (off_t len = 8; len >= 0; len -= 4) {
		assert_int_equal(ftruncate(file->fd, len), 0);
		expect(file, &cfg, FLUX_ETRUNCATED, "cut");
	}
}

static void test_R09_kinds(void **state)
{
	struct file *file = *state;
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);

	cfg.kind = TEST_KIND + 1;
	expect(file, &cfg, FLUX_EKIND, "0x7e58");
	cfg.kind = 0;
	cfg.kind_version = 77;
	expect(file, &cfg, 0, "");
	cfg.kind = TEST_KIND;
	expect(file, &cfg, FLUX_EKINDVERSION, "77");
}

/* A hostile writer: whatever bytes stand there, the answer is a region within the file, or a code. */
static void test_X09_any_bytes(void **state)
{
	struct file *file = *state;
	struct flux_region_cfg cfg = regions_file_cfg("a", FLUX_REGION_ATTACH);
	uint64_t random = 42;

	cfg.kind = 0;
	for (int round = 0; round < 4000; round++) {
		struct flux_region *region = NULL;
		uint8_t page[64];
		int rc;

		memcpy(page, file->image, sizeof(page));
		for (int i = 0; i < 1 + round % 4; i++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			page[8 + (random >> 33) % 48] = (uint8_t)(random >> 56);
		}
		assert_int_equal(pwrite(file->fd, page, sizeof(page), 0), sizeof(page));
		rc = flux_region_open(&region, &cfg, regions_why);
		if (rc == 0) {
			struct flux_region_info info = regions_info(region);
			volatile uint8_t *data = flux_region_data(region);

			assert_true(info.bytes > 0 && info.bytes <= file->len - HEADER);
			data[info.bytes - 1] = data[0];
			flux_region_close(region);
		} else {
			assert_true(rc <= FLUX_EUNSAFE && rc >= FLUX_EKINDVERSION);
			assert_true(strlen(regions_why) > 0);
		}
	}
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(test_R09_golden_header),
		WITH_FILE(test_R09_each_mismatch_has_its_code),
		WITH_FILE(test_R09_sizes),
		WITH_FILE(test_R09_kinds),
		WITH_FILE(test_X09_any_bytes),
	};

	return cmocka_run_group_tests_name("sys/region_header", tests, NULL, NULL);
}
