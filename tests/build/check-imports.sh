#!/bin/sh
# SPDX-License-Identifier: MIT
# A01: the libraries never end the process, print, or touch signals: they cannot even call what does.

. "${srcdir:?}/tests/build/tap.sh"

never='abort|exit|_exit|_Exit|quick_exit|__assert_fail|raise|kill|signal|sigaction|sigprocmask|pthread_sigmask'
never="$never|printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|fwrite|perror|psignal|syslog|err|errx|warn"
never="$never|__printf_chk|__fprintf_chk|__vfprintf_chk|stdout|stderr|setlocale|setenv|putenv|unsetenv|chdir|umask"

for lib in libflux libflux-event libflux-uring; do
	so=.libs/$lib.so
	if [ ! -e "$so" ]; then
		tap_skip "A01: $lib.so imports nothing that ends or prints" "not built"
		continue
	fi
	# Sanitizers bring their own.
	if nm -D --undefined-only "$so" | grep -qE '__(asan|ubsan|tsan|msan)_'; then
		tap_skip "A01: $lib.so imports nothing that ends or prints" "built with a sanitizer"
		continue
	fi
	nm -D --undefined-only "$so" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
		grep -xE "$never" >"$tmp/complaints"
	tap_empty "A01: $lib.so imports nothing that ends or prints" "$tmp/complaints"
done
tap_done
