#!/bin/sh
# SPDX-License-Identifier: MIT
# Build for another machine and run the unit tests and the ring's stress there, by qemu-user:
#
#	tests/build/cross.sh aarch64|s390x [DIRECTORY]
#
# Needs configure made, qemu-user, gcc-MACHINE-linux-gnu and, from Debian's multiarch, the machine's
# libcmocka-dev. s390x is big-endian: golden packets, region headers and ring layouts must not mind.
# What asks the kernel for things that qemu-user does not pass on (filters of system calls, advice on
# pages, smaps, more descriptors than the buffer holds) is left out: unpassed below.

set -eu
unpassed=' tests/unit/sys/place tests/unit/sys/region tests/unit/sys/region_limits '\
' tests/unit/sys/region_memfd tests/unit/sys/region_pages '

machine=${1:?which machine: aarch64 or s390x}
top=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -gt 1 ]; then
	mkdir -p "$2"
	cd "$2"
else
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/flux-cross.XXXXXX")
	trap 'rm -rf "$scratch"' EXIT
	cd "$scratch"
fi

PKG_CONFIG_LIBDIR=/usr/lib/$machine-linux-gnu/pkgconfig "$top/configure" --host="$machine-linux-gnu" \
	--enable-werror --enable-debug --disable-shared --with-cmocka --without-isal --without-libevent --without-liburing \
	--without-numa --without-dpdk --without-ck --without-moodycamel

tests=tests/stress/ring
# shellcheck disable=SC2016 # for make to expand
for unit in $(echo 'print: ; @echo $(unit_tests)' | make -s -f Makefile -f - print); do
	case $unpassed in
	*" $unit "*) ;;
	*) tests="$tests $unit" ;;
	esac
done
jobs=$(nproc)
make -j"$jobs"
FLUX_TEST_WRAPPER=qemu-$machine FLUX_TEST_TIMEOUT=120 \
	make -k -j"$jobs" check TESTS="$tests" check_PROGRAMS="$tests"
