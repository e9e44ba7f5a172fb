#!/bin/sh
# SPDX-License-Identifier: MIT
# Each installed header compiles alone, in strict C and in C++, without a warning.

. "${srcdir:?}/tests/build/tap.sh"

warn='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror -fsyntax-only'

# alone NAME COMPILER STANDARD SUFFIX EXTRA-WARNINGS
alone()
{
	for header in "$srcdir"/include/flux/*.h; do
		name=${header##*/}
		printf '#include <flux/%s>\n#include <flux/%s>\n' "$name" "$name" >"$tmp/t.$4"
		# shellcheck disable=SC2086 # lists of options
		tap_run "B13: $name as $1" $2 -std=$3 $warn $5 -I"$srcdir/include" "$tmp/t.$4"
	done
}

if ! ls "$srcdir"/include/flux/*.h >/dev/null 2>&1; then
	tap_skip "headers alone" "there is none yet"
	tap_done
fi
alone C99 "$CC" c99 c '-Wstrict-prototypes -Wmissing-prototypes'
alone C11 "$CC" c11 c '-Wstrict-prototypes -Wmissing-prototypes'
alone C23 "$CC" c2x c '-Wstrict-prototypes'
CXX=${CXX:-$(command -v g++ || command -v clang++)}
if [ -n "$CXX" ]; then
	alone C++17 "$CXX" c++17 cc '-Wold-style-cast'
else
	tap_skip "headers as C++17" "no C++ compiler"
fi
tap_done
