#!/bin/sh
# SPDX-License-Identifier: MIT
# The core calls nothing but mem*, str*, ISA-L and what the compiler itself needs: no clock, socket,
# thread, allocator or stdio function can hide in it.

. "${srcdir:?}/tests/build/tap.sh"

archive=.libs/libflux_core.a
[ -f "$archive" ] || archive=libflux_core.a

allowed='bcmp|mem(cpy|move|set|cmp|chr|rchr|mem|pcpy)|__mem[a-z]+_chk'
allowed="$allowed|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|cpy|ncpy)|__str[a-z]+_chk"
allowed="$allowed|crc32_iscsi[a-z0-9_]*|ec_encode_data[a-z_]*|ec_init_tables|gf_[a-z0-9_]+"
allowed="$allowed|__stack_chk_fail(_local)?|_GLOBAL_OFFSET_TABLE_"
# libgcc: wide arithmetic, processor features, atomics that the target does out of line.
allowed="$allowed|__(u?div|u?mod|mul|ashl|lshr|ashr|popcount|clz|ctz|bswap|u?cmp)[a-z]+[0-9]"
allowed="$allowed|__cpu_(model|indicator_init|features2)|__aarch64_[a-z0-9_]+|__atomic_[a-z_]+(_[0-9]+)?"
[ -z "${SAN_CFLAGS-}" ] ||
	allowed="$allowed|__(asan|ubsan|sanitizer|sancov|tsan)_.*|__start___sancov.*|__stop___sancov.*|__lsan_.*"
# An assertion may speak under --enable-debug.
! grep -q '^#define FLUX_DEBUG 1' config.h || allowed="$allowed|__assert_fail|abort"

# foreign ARCHIVE: what it needs and does not define itself, less what is allowed.
foreign()
{
	$NM -P -g "$1" >"$tmp/nm" || echo "$NM failed on $1"
	awk 'NF >= 2 && $2 != "U" && $2 != "w" && $2 != "v" { print $1 }' "$tmp/nm" | sort -u >"$tmp/defined"
	awk '$2 == "U" || $2 == "w" || $2 == "v" { print $1 }' "$tmp/nm" | sort -u |
		comm -23 - "$tmp/defined" | grep -Evx "$allowed"
}

foreign "$archive" >"$tmp/complaints"
tap_empty "core symbols" "$tmp/complaints"

# The rule must be able to fail.
printf '#include <time.h>\ntime_t t(void);\ntime_t t(void) { return time(0); }\n' >"$tmp/bad.c"
$CC -c -o "$tmp/bad.o" "$tmp/bad.c"
foreign "$tmp/bad.o" >"$tmp/complaints"
tap_run "a clock is caught" grep -qx time "$tmp/complaints"
tap_done
