# SPDX-License-Identifier: MIT

# FLUX_BENCH_PEERS: other people's rings, to be measured beside ours by `make bench-ring`. Never needed
# to build or to test. rte_ring and ck_ring come by pkg-config; readerwriterqueue is a C++ header.
AC_DEFUN([FLUX_BENCH_PEERS], [
	FLUX_OPTIONAL_LIB([dpdk], [DPDK], [libdpdk], [libdpdk-dev], [rte_ring in bench/ring])
	FLUX_OPTIONAL_LIB([ck], [CK], [ck], [libck-dev], [ck_ring in bench/ring])

	AC_ARG_WITH([moodycamel],
		[AS_HELP_STRING([--with-moodycamel], [readerwriterqueue in bench/ring (default: used if found)])],
		[], [with_moodycamel=auto])
	AC_CHECK_PROGS([CXX], [g++ clang++ c++])
	flux_have_moodycamel=no
	AS_CASE([$with_moodycamel],
		[no], [flux_why="--without-moodycamel"],
		[yes|auto], [
			AC_MSG_CHECKING([for readerwriterqueue])
			AS_ECHO(['#include <readerwriterqueue/readerwriterqueue.h>']) >conftest.cc
			AS_IF([test -n "$CXX" && $CXX -fsyntax-only conftest.cc >&AS_MESSAGE_LOG_FD 2>&1],
				[flux_have_moodycamel=yes])
			rm -f conftest.cc
			AC_MSG_RESULT([$flux_have_moodycamel])
			AS_IF([test "$flux_have_moodycamel" = yes],
				[flux_why="$with_moodycamel, found"],
				[test "$with_moodycamel" = yes],
				[AC_MSG_ERROR([--with-moodycamel: no readerwriterqueue or no C++ compiler; on Debian: apt-get install libreaderwriterqueue-dev g++])],
				[flux_why="not found; on Debian: apt-get install libreaderwriterqueue-dev"])],
		[AC_MSG_ERROR([--with-moodycamel=$with_moodycamel: say --with-moodycamel or --without-moodycamel])])
	AS_IF([test "$flux_have_moodycamel" = yes],
		[AC_DEFINE([HAVE_MOODYCAMEL], [1], [Define to 1 to measure readerwriterqueue beside our rings.])])
	AM_CONDITIONAL([HAVE_MOODYCAMEL], [test "$flux_have_moodycamel" = yes])
	FLUX_SUMMARY_LINE([moodycamel], [$flux_have_moodycamel], [readerwriterqueue in bench/ring ($flux_why)])
])
