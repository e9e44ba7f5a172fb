# SPDX-License-Identifier: MIT
# The switches of the build itself: debug, warnings, sanitizers, fuzzing, libatomic.

# FLUX_BUILD_OPTIONS: --enable-debug, --enable-sanitizers=LIST, --enable-fuzz.
AC_DEFUN([FLUX_BUILD_OPTIONS], [
	AC_ARG_ENABLE([debug],
		[AS_HELP_STRING([--enable-debug], [assertions on (FLUX_DEBUG)])],
		[], [enable_debug=no])
	AS_IF([test "$enable_debug" != no],
		[enable_debug=yes
		AC_DEFINE([FLUX_DEBUG], [1], [Define to 1 to check the caller and ourselves by assertions.])])
	FLUX_SUMMARY_LINE([debug], [$enable_debug], [assertions (--enable-debug)])

	AC_ARG_ENABLE([fuzz],
		[AS_HELP_STRING([--enable-fuzz], [build the libFuzzer targets; needs CC=clang])],
		[], [enable_fuzz=no])
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers=LIST],
			[compile with -fsanitize=LIST (address,undefined; default with --enable-fuzz; or thread)])],
		[], [enable_sanitizers=$enable_fuzz])
	AS_IF([test "$enable_sanitizers" = yes], [enable_sanitizers=address,undefined])

	SAN_CFLAGS=
	FUZZ_LDFLAGS=
	flux_sanitizing=no
	AS_IF([test "$enable_sanitizers" != no],
		[flux_sanitizing=yes
		SAN_CFLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
		FLUX_NEED_FLAGS([--enable-sanitizers=$enable_sanitizers], [$SAN_CFLAGS],
			[int main(void) { return 0; }])
		# gcc warns that its thread sanitizer does not follow fences; ours order atomic words only.
		AS_CASE([$enable_sanitizers], [*thread*], [FLUX_TRY_FLAG([-Wno-tsan], [SAN_CFLAGS])])])
	AS_IF([test "$enable_fuzz" != no],
		[enable_fuzz=yes
		SAN_CFLAGS="$SAN_CFLAGS -fsanitize=fuzzer-no-link"
		FUZZ_LDFLAGS="-fsanitize=fuzzer"
		FLUX_NEED_FLAGS([--enable-fuzz], [$SAN_CFLAGS $FUZZ_LDFLAGS],
			[int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size);
			int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size)
			{ return data && size ? 0 : 0; }])])

	AC_SUBST([SAN_CFLAGS])
	AC_SUBST([FUZZ_LDFLAGS])
	AM_CONDITIONAL([ENABLE_SANITIZERS], [test -n "$SAN_CFLAGS"])
	AM_CONDITIONAL([ENABLE_FUZZ], [test "$enable_fuzz" = yes])
	FLUX_SUMMARY_LINE([sanitizers], [$flux_sanitizing], [run-time checks (--enable-sanitizers${SAN_CFLAGS:+=$enable_sanitizers})])
	FLUX_SUMMARY_LINE([fuzz], [$enable_fuzz], [libFuzzer targets (--enable-fuzz)])
])

# FLUX_NEED_FLAGS(OPTION, FLAGS, PROGRAM): an error unless PROGRAM links with FLAGS.
AC_DEFUN([FLUX_NEED_FLAGS], [
	AC_MSG_CHECKING([whether $CC links with $2])
	flux_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $2"
	AC_LINK_IFELSE([AC_LANG_SOURCE([[$3]])], [AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([$1: $CC cannot link with $2; on Debian: apt-get install clang libclang-rt-14-dev, and use CC=clang])])
	CFLAGS=$flux_save_CFLAGS
])

# FLUX_TRY_FLAG(FLAG, VAR): append FLAG to VAR if the compiler knows it.
AC_DEFUN([FLUX_TRY_FLAG], [
	AC_MSG_CHECKING([whether $CC knows $1])
	flux_save_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -Werror $1"
	AC_COMPILE_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
		[AC_MSG_RESULT([yes])
		$2="$$2 $1"],
		[AC_MSG_RESULT([no])])
	CFLAGS=$flux_save_CFLAGS
])

# FLUX_WARNINGS: the warnings this code is clean under; --enable-werror makes them errors.
AC_DEFUN([FLUX_WARNINGS], [
	AC_ARG_ENABLE([werror],
		[AS_HELP_STRING([--enable-werror], [warnings are errors])],
		[], [enable_werror=no])
	WARN_CFLAGS="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes"
	AS_IF([test "$enable_werror" != no],
		[enable_werror=yes
		WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
	FLUX_SUMMARY_LINE([werror], [$enable_werror], [warnings are errors (--enable-werror)])
])

# FLUX_LIBATOMIC: some 32-bit targets do 64-bit atomics in libatomic; a link test says which.
AC_DEFUN([FLUX_LIBATOMIC], [
	AC_CACHE_CHECK([for what 64-bit atomics need], [flux_cv_libatomic], [
		flux_cv_libatomic=unknown
		flux_save_LIBS=$LIBS
		for flux_lib in "" -latomic; do
			LIBS="$flux_save_LIBS $flux_lib"
			AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdint.h>
				uint64_t cell;]],
				[[uint64_t seen = __atomic_load_n(&cell, __ATOMIC_ACQUIRE);
				__atomic_compare_exchange_n(&cell, &seen, seen + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
				return (int)__atomic_fetch_add(&cell, 1, __ATOMIC_SEQ_CST);]])],
				[flux_cv_libatomic=${flux_lib:-nothing}; break])
		done
		LIBS=$flux_save_LIBS])
	AS_CASE([$flux_cv_libatomic],
		[unknown], [AC_MSG_ERROR([64-bit atomics link neither plainly nor with -latomic])],
		[nothing], [ATOMIC_LIBS=],
		[ATOMIC_LIBS=$flux_cv_libatomic])
	AC_SUBST([ATOMIC_LIBS])
])
