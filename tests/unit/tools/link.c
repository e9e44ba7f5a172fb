/* SPDX-License-Identifier: MIT */
/* fluxrelay's links without sockets: the delay line, the counters and the table of clients. */
#include "relay/link.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW 1000000000u
#define MS  RELAY_NS_PER_MS

static struct cli_addr address(int family, uint16_t port)
{
	struct cli_addr addr = { .len = sizeof(struct sockaddr_in6) };
	struct sockaddr_in *v4 = (void *)&addr.ss;
	struct sockaddr_in6 *v6 = (void *)&addr.ss;

	addr.ss.ss_family = (sa_family_t)family;
	v4->sin_port = htons(port);
	if (family == AF_INET6)
		v6->sin6_addr = in6addr_loopback;
	else
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

/* A link and two clients; their descriptors are real, so that closing them is. */
struct fixture {
	struct relay_impairments set;
	struct relay_clients clients;
	struct relay_link link;
	uint32_t client[2];
};

static void fixture_init(struct fixture *fixture, struct relay_impairments set)
{
	fixture->set = set;
	fixture->set.burst_leave = 1;
	fixture->set.header_bytes = 28;
	assert_int_equal(relay_clients_create(&fixture->clients), 0);
	for (uint16_t i = 0; i < 2; i++) {
		struct cli_addr addr = address(AF_INET, (uint16_t)(5000 + i));

		fixture->client[i] = relay_clients_add(&fixture->clients, &addr, dup(0));
	}
	assert_int_equal(relay_link_create(&fixture->link, &fixture->set, 1, RELAY_FORWARD,
					   &fixture->clients),
			 0);
}

static void fixture_fini(struct fixture *fixture)
{
	relay_link_destroy(&fixture->link);
	relay_clients_destroy(&fixture->clients);
}

/* Take out what is due; check `len` bytes of `fill`, with `flips` bits changed. */
static void expect(struct fixture *fixture, uint64_t now, uint8_t fill, uint32_t len, int flips)
{
	struct relay_line *line = &fixture->link.line;
	const uint8_t *bytes;
	uint32_t slot;

	assert_true(relay_link_pop(&fixture->link, now, &slot));
	assert_int_equal(line->slots[slot].len, len);
	bytes = relay_line_bytes(line, slot);
	for (uint32_t i = 0; i < len; i++)
		flips -= __builtin_popcount((uint8_t)(bytes[i] ^ fill));
	assert_int_equal(flips, 0);
	relay_line_free(line, slot);
}

static void take(struct fixture *fixture, uint64_t now, int client, uint8_t fill, uint32_t len)
{
	static uint8_t bytes[RELAY_LARGE_BYTES];

	memset(bytes, fill, len);
	relay_link_take(&fixture->link, now, fixture->client[client], bytes, len);
}

static void assert_nothing_due(struct fixture *fixture, uint64_t now)
{
	uint32_t slot;

	assert_false(relay_link_pop(&fixture->link, now, &slot));
}

static void test_line_orders_by_time_then_arrival(void **state)
{
	static const uint64_t due[] = { 50, 20, 20, 90, 10, 20 };
	static const uint64_t order[] = { 4, 1, 2, 5, 0, 3 };
	struct relay_line line;
	uint32_t slot;

	(void)state;
	assert_int_equal(relay_line_create(&line), 0);
	assert_int_equal(relay_line_due(&line), RELAY_NEVER);
	for (int i = 0; i < 6; i++) {
		assert_true(relay_line_claim(&line, 10, &slot));
		relay_line_push(&line, due[i], slot, 10, 0);
	}
	assert_int_equal(relay_line_due(&line), 10);
	assert_false(relay_line_pop(&line, 9, &slot));
	for (int i = 0; i < 6; i++) {
		assert_true(relay_line_pop(&line, 90, &slot));
		assert_int_equal(line.slots[slot].number, order[i]);
		relay_line_free(&line, slot);
	}
	assert_false(relay_line_pop(&line, RELAY_NEVER - 1, &slot));
	relay_line_destroy(&line);
}

/* Many pushes and pops in a scrambled order come out sorted. */
static void test_line_sorts(void **state)
{
	struct relay_line line;
	struct relay_rng rng;
	uint64_t last = 0;
	uint32_t slot;

	(void)state;
	relay_rng_init(&rng, 1, 0);
	assert_int_equal(relay_line_create(&line), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t due = last + relay_rng_below(&rng, 1000);

		assert_true(relay_line_claim(&line, 10, &slot));
		relay_line_push(&line, due, slot, 10, 0);
		if (i % 4 == 0)
			continue;
		due = relay_line_due(&line);
		assert_true(due >= last);
		last = due;
		assert_true(relay_line_pop(&line, due, &slot));
		relay_line_free(&line, slot);
	}
	assert_int_equal(line.held, 5000);
	relay_line_destroy(&line);
}

static void test_line_runs_out_of_slots(void **state)
{
	struct relay_line line;
	uint32_t slot;

	(void)state;
	assert_int_equal(relay_line_create(&line), 0);
	for (uint32_t i = 0; i < RELAY_LARGE_SLOTS; i++)
		assert_true(relay_line_claim(&line, RELAY_SMALL_BYTES + 1, &slot));
	assert_false(relay_line_claim(&line, RELAY_LARGE_BYTES, &slot));
	for (uint32_t i = 0; i < RELAY_SMALL_SLOTS; i++)
		assert_true(relay_line_claim(&line, RELAY_SMALL_BYTES, &slot));
	assert_false(relay_line_claim(&line, 0, &slot));
	relay_line_free(&line, slot);
	assert_true(relay_line_claim(&line, 1, &slot));
	relay_line_destroy(&line);
}

static void test_bytes_pass_unchanged(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 1100, 2048, 2049, 65507 };
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, (struct relay_impairments){ .delay_ns = 5 * MS });
	for (uint32_t i = 0; i < 6; i++)
		take(&fixture, NOW, 0, (uint8_t)(i + 1), sizes[i]);
	assert_nothing_due(&fixture, NOW + 5 * MS - 1);
	assert_int_equal(fixture.clients.table[fixture.client[0]].held, 6);
	for (uint32_t i = 0; i < 6; i++)
		expect(&fixture, NOW + 5 * MS, (uint8_t)(i + 1), sizes[i], 0);
	assert_int_equal(fixture.clients.table[fixture.client[0]].held, 0);
	assert_int_equal(fixture.link.count.received, 6);
	fixture_fini(&fixture);
}

static void test_copies_and_flips_are_separate(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, (struct relay_impairments){ .dup = 1, .corrupt = 1 });
	take(&fixture, NOW, 0, 0x55, 300);
	expect(&fixture, NOW, 0x55, 300, 1);
	expect(&fixture, NOW, 0x55, 300, 1);
	assert_nothing_due(&fixture, NOW);
	assert_int_equal(fixture.link.count.received, 1);
	assert_int_equal(fixture.link.count.duplicated, 1);
	assert_int_equal(fixture.link.count.corrupted, 2);
	fixture_fini(&fixture);
}

/* A place is lost only to a later datagram of the same client. */
static void test_reordered_is_what_was_overtaken(void **state)
{
	struct fixture fixture;
	uint32_t slot;

	(void)state;
	fixture_init(&fixture, (struct relay_impairments){ .delay_ns = 10 * MS });
	take(&fixture, NOW, 0, 1, 10);
	fixture.set.delay_ns = 5 * MS;
	take(&fixture, NOW, 1, 2, 10);
	take(&fixture, NOW, 1, 3, 10);
	for (int i = 0; i < 3; i++) {
		assert_true(relay_link_pop(&fixture.link, NOW + 10 * MS, &slot));
		relay_line_free(&fixture.link.line, slot);
	}
	assert_int_equal(fixture.link.count.reordered, 0);

	fixture.set.delay_ns = 10 * MS;
	take(&fixture, NOW, 0, 4, 10);
	fixture.set.delay_ns = 5 * MS;
	take(&fixture, NOW, 0, 5, 10);
	take(&fixture, NOW, 0, 6, 10);
	expect(&fixture, NOW + 10 * MS, 5, 10, 0);
	expect(&fixture, NOW + 10 * MS, 6, 10, 0);
	assert_int_equal(fixture.link.count.reordered, 0);
	expect(&fixture, NOW + 10 * MS, 4, 10, 0);
	assert_int_equal(fixture.link.count.reordered, 1);
	fixture_fini(&fixture);
}

static const struct relay_counters *run_mixed(struct fixture *fixture)
{
	static const uint8_t heads[4][2] = {
		{ 0x09, 0x01 }, /* DATA */
		{ 0x09, 0x81 }, /* DATA, sent again */
		{ 0x09, 0x03 }, /* of version 1, not DATA */
		{ 0x08, 0x01 }, /* of no version of ours */
	};
	uint8_t bytes[1100] = { 0 };
	uint32_t slot;

	for (uint32_t i = 0; i < 40000; i++) {
		memcpy(bytes, heads[i % 4], 2);
		relay_link_take(&fixture->link, NOW + i * 1000, fixture->client[i % 2], bytes,
				i % 8 ? 1100 : 1);
		while (relay_link_pop(&fixture->link, NOW + i * 1000, &slot)) {
			fixture->link.count.forwarded++;
			relay_line_free(&fixture->link.line, slot);
		}
	}
	fixture->link.count.unsent = fixture->link.line.held;
	return &fixture->link.count;
}

static void test_the_books_balance(void **state)
{
	struct relay_impairments set = {
		.loss = 0.02,
		.burst_enter = 0.01,
		.dup = 0.05,
		.corrupt = 0.01,
		.reorder = 0.05,
		.delay_ns = 5 * MS,
		.jitter_ns = MS,
		.ns_per_byte = 1,
		.queue_bytes = 20000,
	};
	const struct relay_counters *count;
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, set);
	fixture.set.burst_leave = 0.5;
	count = run_mixed(&fixture);
	assert_int_equal(count->received, 40000);
	assert_int_equal(count->received + count->duplicated,
			 count->forwarded + count->lost + count->burst_lost +
				 count->queue_dropped + count->mtu_dropped + count->unsent);
	assert_true(count->lost > 0 && count->burst_lost > 0 && count->queue_dropped > 0);
	assert_true(count->duplicated > 0 && count->corrupted > 0 && count->reordered > 0);
	assert_true(count->unsent > 0);
	fixture_fini(&fixture);
}

/* One in eight is a single byte, which is no DATA whatever it holds; it had the first head. */
static void test_data_is_counted_by_its_header(void **state)
{
	const struct relay_counters *count;
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, (struct relay_impairments){ .corrupt = 1 });
	count = run_mixed(&fixture);
	assert_int_equal(count->data_received, 15000);
	assert_int_equal(count->data_corrupted, 15000);
	assert_int_equal(count->data_lost, 0);
	assert_int_equal(count->corrupted, 40000);
	fixture_fini(&fixture);

	fixture_init(&fixture, (struct relay_impairments){ .loss = 1, .corrupt = 1 });
	count = run_mixed(&fixture);
	assert_int_equal(count->lost, 40000);
	assert_int_equal(count->data_lost, 15000);
	assert_int_equal(count->data_corrupted, 0);
	fixture_fini(&fixture);
}

/* A full line drops and counts; what is on its way is not touched. */
static void test_a_full_line_drops(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, (struct relay_impairments){ .delay_ns = MS });
	for (uint32_t i = 0; i < RELAY_LARGE_SLOTS + 3; i++)
		take(&fixture, NOW, 0, 0x09, 3000);
	assert_int_equal(fixture.link.count.queue_dropped, 3);
	for (uint32_t i = 0; i < RELAY_LARGE_SLOTS; i++)
		expect(&fixture, NOW + MS, 0x09, 3000, 0);
	assert_nothing_due(&fixture, NOW + MS);
	fixture_fini(&fixture);
}

static void test_clients_are_told_apart(void **state)
{
	struct relay_clients clients;
	struct cli_addr addr[3];
	uint32_t client[3];

	(void)state;
	addr[0] = address(AF_INET, 7000);
	addr[1] = address(AF_INET, 7001);
	addr[2] = address(AF_INET6, 7000);
	assert_int_equal(relay_clients_create(&clients), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(relay_clients_find(&clients, &addr[i]), RELAY_NO_CLIENT);
		client[i] = relay_clients_add(&clients, &addr[i], dup(0));
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(relay_clients_find(&clients, &addr[i]), client[i]);

	/* A datagram in flight keeps a silent client; a minute makes it one. */
	clients.table[client[1]].held = 1;
	clients.table[client[2]].active_at = 1;
	relay_clients_expire(&clients, RELAY_IDLE_NS);
	assert_int_equal(relay_clients_find(&clients, &addr[0]), RELAY_NO_CLIENT);
	assert_int_equal(relay_clients_find(&clients, &addr[1]), client[1]);
	assert_int_equal(relay_clients_find(&clients, &addr[2]), client[2]);
	assert_int_equal(clients.count, 2);
	assert_int_equal(clients.seen, 3);
	relay_clients_destroy(&clients);
}

static void test_the_table_of_clients_is_bounded(void **state)
{
	struct rlimit limit;
	struct relay_clients clients;
	struct cli_addr addr;

	(void)state;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < RELAY_CLIENTS + 64) {
		print_message("fewer files than clients are allowed\n");
		skip();
	}
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(relay_clients_create(&clients), 0);
	for (uint16_t i = 0; i < RELAY_CLIENTS; i++) {
		addr = address(AF_INET, (uint16_t)(10000 + i));
		assert_int_equal(relay_clients_add(&clients, &addr, dup(0)), i);
	}
	addr = address(AF_INET, 9000);
	assert_int_equal(relay_clients_add(&clients, &addr, 0), RELAY_NO_CLIENT);
	for (uint16_t i = 0; i < RELAY_CLIENTS; i++) {
		addr = address(AF_INET, (uint16_t)(10000 + i));
		assert_int_equal(relay_clients_find(&clients, &addr), i);
	}
	relay_clients_expire(&clients, RELAY_IDLE_NS);
	assert_int_equal(clients.count, 0);
	assert_int_not_equal(relay_clients_add(&clients, &addr, dup(0)), RELAY_NO_CLIENT);
	relay_clients_destroy(&clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_orders_by_time_then_arrival),
		cmocka_unit_test(test_line_sorts),
		cmocka_unit_test(test_line_runs_out_of_slots),
		cmocka_unit_test(test_bytes_pass_unchanged),
		cmocka_unit_test(test_copies_and_flips_are_separate),
		cmocka_unit_test(test_reordered_is_what_was_overtaken),
		cmocka_unit_test(test_the_books_balance),
		cmocka_unit_test(test_data_is_counted_by_its_header),
		cmocka_unit_test(test_a_full_line_drops),
		cmocka_unit_test(test_clients_are_told_apart),
		cmocka_unit_test(test_the_table_of_clients_is_bounded),
	};

	return cmocka_run_group_tests_name("fluxrelay links", tests, NULL, NULL);
}
