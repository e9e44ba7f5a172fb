#!/bin/sh
# SPDX-License-Identifier: MIT
# A file includes its own folder and folders of lower rank only, and writes private includes from src/.

. "${srcdir:?}/tests/build/tap.sh"

cat >"$tmp/rank.awk" <<'AWK'
# The room of a path below src/, include/ or the top; its rank is in the table.
function room(path)
{
	sub(/^src\//, "", path)
	if (path ~ /^(include\/)?flux\//)
		return "include/flux"
	if (path ~ /^core\//) {
		split(path, part, "/")
		return "core/" part[2]
	}
	sub(/\/.*/, "", path)
	return path
}

BEGIN {
	split("include/flux 0 core/base 1 core/ring 2 core/wire 2 core/fec 2 core/rudp 3 " \
	      "core/endpoint 4 sys 5 loop 6 modules 7 tools 8 examples 9", pair, " ")
	for (i = 1; i in pair; i += 2)
		rank[pair[i]] = pair[i + 1]
}

function complain(why)
{
	print file ":" FNR ": " why ": " $0
}

FNR == 1 {
	file = substr(FILENAME, length(top) + 2)
	own = room(file)
	if (!(own in rank))
		print file ": the folder " own " has no rank"
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	quoted = $0 ~ /include[ \t]*"/
	name = $0
	sub(/^[^"<]*["<]/, "", name)
	sub(/[">].*/, "", name)
	if (!quoted && name !~ /^flux\//)
		next
	if (quoted && name ~ /^flux\//) {
		complain("public headers are written <flux/...>")
		next
	}
	if (quoted && own == "examples") {
		if (name ~ /\//) # a header beside it is its own
			complain("an example uses installed headers only")
		next
	}
	if (quoted && file ~ /^src\/loop\/(event|epoll)[a-z_]*\.c$/) {
		complain("an adapter uses installed headers only")
		next
	}
	if (quoted && name !~ /\//) {
		complain("private includes are written from src/ (or tools/)")
		next
	}
	other = room(name)
	if (own == "tools" && !(other in rank)) # "common/cli.h", written from tools/
		next
	if (!(other in rank))
		complain("no such room")
	else if (other != own && rank[other] >= rank[own])
		complain(own " may not know " other)
}
AWK

# shellcheck disable=SC2046 # no file of ours has a blank in its name
check_folder()
{
	set -- "$1" $(find "$srcdir/$1" -name '*.[ch]' | sort)
	[ $# -gt 1 ] || return 0
	folder=$1
	shift
	awk -v top="$srcdir" -f "$tmp/rank.awk" "$@" >"$tmp/complaints"
	tap_empty "include ranks of $folder" "$tmp/complaints"
}

for folder in include/flux src/core src/sys src/loop src/modules tools examples; do
	[ ! -d "$srcdir/$folder" ] || check_folder "$folder"
done

# The rule must be able to fail.
mkdir -p "$tmp/src/core/wire"
printf '#include "core/rudp/nak.h"\n#include "nak.h"\n#include "core/base/bits.h"\n' \
	>"$tmp/src/core/wire/bad.c"
awk -v top="$tmp" -f "$tmp/rank.awk" "$tmp/src/core/wire/bad.c" >"$tmp/complaints"
tap_run "a higher rank and a bare name are caught" test "$(wc -l <"$tmp/complaints")" -eq 2
tap_done
