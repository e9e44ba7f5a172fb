# SPDX-License-Identifier: MIT

# FLUX_OPTIONAL_LIB(NAME, VAR, PKG-CONFIG-SPEC, DEBIAN-PACKAGE, PURPOSE)
#
# A library that the build can do without. --with-NAME makes its absence an error, --without-NAME
# never looks, and by default it is used if it is there. Sets VAR_CFLAGS, VAR_LIBS, HAVE_VAR (in
# config.h and as a condition of the Makefile) and a line of the summary.
AC_DEFUN([FLUX_OPTIONAL_LIB], [
	AC_ARG_WITH([$1],
		[AS_HELP_STRING([--with-$1], [$5 (default: used if found)])],
		[], [with_$1=auto])
	flux_have_$1=no
	AS_CASE([$with_$1],
		[no], [flux_why="--without-$1"],
		[yes|auto], [
			PKG_CHECK_MODULES([$2], [$3], [flux_have_$1=yes],
				[AS_IF([test "$with_$1" = yes],
					[AC_MSG_ERROR([--with-$1: $3 not found by pkg-config; on Debian: apt-get install $4])])])
			AS_IF([test "$flux_have_$1" = yes],
				[flux_why="$with_$1, found"],
				[flux_why="not found; on Debian: apt-get install $4"])],
		[AC_MSG_ERROR([--with-$1=$with_$1: say --with-$1 or --without-$1])])
	AS_IF([test "$flux_have_$1" = yes],
		[AC_DEFINE([HAVE_$2], [1], [Define to 1 to build $5.])])
	AM_CONDITIONAL([HAVE_$2], [test "$flux_have_$1" = yes])
	FLUX_SUMMARY_LINE([$1], [$flux_have_$1], [$5 ($flux_why)])
])
