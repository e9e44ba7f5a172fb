#!/bin/sh
# SPDX-License-Identifier: MIT
# What a machine can say about style: licence lines, length of files, and clang-format's opinion.

. "${srcdir:?}/tests/build/tap.sh"

cd "$srcdir" || exit 99
folders=
for folder in include src tools examples tests bench; do
	[ ! -d "$folder" ] || folders="$folders $folder"
done
# shellcheck disable=SC2086 # a list of folders
find $folders -name '*.[ch]' | sort >"$tmp/sources"
# shellcheck disable=SC2086
{
	find $folders doc m4 \( -name '*.sh' -o -name '*.am' -o -name 'flux_*.m4' \)
	for file in configure.ac Makefile.am bootstrap .ci/run; do
		[ ! -f "$file" ] || echo "$file"
	done
} | sort >"$tmp/scripts"

while read -r file; do
	head -n 1 "$file" | grep -qx '/\* SPDX-License-Identifier: MIT \*/' ||
		echo "$file: first line is not /* SPDX-License-Identifier: MIT */"
done <"$tmp/sources" >"$tmp/complaints"
while read -r file; do
	head -n 2 "$file" | grep -qx '# SPDX-License-Identifier: MIT' ||
		echo "$file: no # SPDX-License-Identifier: MIT in the first two lines"
done <"$tmp/scripts" >>"$tmp/complaints"
tap_empty "licence lines" "$tmp/complaints"

while read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || echo "$file: $lines lines, more than 600"
done <"$tmp/sources" >"$tmp/complaints"
tap_empty "no source file above 600 lines" "$tmp/complaints"

if ! command -v clang-format >/dev/null; then
	tap_skip "clang-format" "not installed"
elif ! clang-format --version | grep -q 'version 14\.'; then
	tap_skip "clang-format" "version 14 is the judge, here is $(clang-format --version)"
else
	xargs clang-format --dry-run -Werror <"$tmp/sources" >"$tmp/complaints" 2>&1
	grep 'error:' "$tmp/complaints" | sed 's/:[0-9]*: error.*//' | sort | uniq -c |
		sed 's/ *\([0-9]*\) \(.*\)/\2: \1 (clang-format -i mends it)/' >"$tmp/short"
	tap_empty "clang-format" "$tmp/short"
fi
tap_done
