/* SPDX-License-Identifier: MIT */
/* Local addresses as control data: what is written for a socket is what the kernel would tell it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "sys/pktinfo.h"

_Alignas(struct cmsghdr) static uint8_t control[FLUX_PKTINFO_SPACE];

static struct flux_local local_of(const char *text, uint32_t ifindex)
{
	struct flux_local local = { .ifindex = ifindex };
	struct flux_addr addr;

	assert_int_equal(flux_addr_parse(text, &addr), 0);
	memcpy(local.ip, addr.ip, sizeof(local.ip));
	local.family = addr.family;
	return local;
}

static size_t written(const char *text, uint8_t family)
{
	struct flux_local local = local_of(text, 3);

	memset(control, 0xaa, sizeof(control));
	return flux_pktinfo_write(control, &local, family);
}

/* A socket of IPv6 names IPv4 by mapped addresses, both ways. */
static void six(void **state)
{
	static const char *const texts[] = { "[2001:db8::7]:0", "192.0.2.7:0" };
	struct flux_local back, local;

	(void)state;
	for (int i = 0; i < 2; i++) {
		local = local_of(texts[i], 0);
		assert_int_equal(written(texts[i], 6), CMSG_SPACE(sizeof(struct in6_pktinfo)));
		memset(&back, 0xaa, sizeof(back));
		assert_true(flux_pktinfo_read(&back, (struct cmsghdr *)control));
		assert_memory_equal(&back, &local, sizeof(local)); /* by which interface is nobody's business */
	}
}

static void link_local(void **state)
{
	struct flux_local back, local = local_of("[fe80::1]:0", 3);

	(void)state;
	assert_true(written("[fe80::1]:0", 6) > 0);
	assert_true(flux_pktinfo_read(&back, (struct cmsghdr *)control));
	assert_memory_equal(&back, &local, sizeof(local));
}

/* IPv4: out it is the source to use, in it is the address of ours that it came to. */
static void four(void **state)
{
	struct cmsghdr *c = (struct cmsghdr *)control;
	struct in_pktinfo info;
	struct flux_local back, local = local_of("192.0.2.7:0", 5);

	(void)state;
	assert_int_equal(written("192.0.2.7:0", 4), CMSG_SPACE(sizeof(info)));
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	assert_memory_equal(&info.ipi_spec_dst, local.ip, 4);
	assert_int_equal(info.ipi_ifindex, 0);
	info.ipi_addr = info.ipi_spec_dst;
	info.ipi_ifindex = 5;
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	assert_true(flux_pktinfo_read(&back, c));
	assert_memory_equal(&back, &local, sizeof(local));
	/* To all of a network: what came, came to our address there. To a group: to that. */
	info.ipi_addr.s_addr = htonl(0xc00002ff);
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	assert_true(flux_pktinfo_read(&back, c));
	assert_memory_equal(&back, &local, sizeof(local));
	info.ipi_addr.s_addr = htonl(0xe0000001);
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	assert_true(flux_pktinfo_read(&back, c));
	assert_int_equal(back.ip[0], 224);
}

/* Nobody sends from a group, nor by a socket from what it cannot name. */
static void no_source(void **state)
{
	(void)state;
	assert_int_equal(written("224.0.0.1:0", 4), 0);
	assert_int_equal(written("239.1.2.3:0", 6), 0);
	assert_int_equal(written("255.255.255.255:0", 4), 0);
	assert_int_equal(written("[ff02::1]:0", 6), 0);
	assert_int_equal(written("[2001:db8::7]:0", 4), 0);
}

static void something_else(void **state)
{
	struct cmsghdr *c = (struct cmsghdr *)control;
	struct flux_local local;

	(void)state;
	assert_true(written("192.0.2.7:0", 4) > 0);
	c->cmsg_type = IP_TTL;
	assert_false(flux_pktinfo_read(&local, c));
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_level = SOL_SOCKET;
	assert_false(flux_pktinfo_read(&local, c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(six),
		cmocka_unit_test(link_local),
		cmocka_unit_test(four),
		cmocka_unit_test(no_source),
		cmocka_unit_test(something_else),
	};

	return cmocka_run_group_tests_name("sys/pktinfo", tests, NULL, NULL);
}
