#!/bin/sh
# SPDX-License-Identifier: MIT
# What the libraries export, what the symbol maps list and what the headers declare are the same.

. "${srcdir:?}/tests/build/tap.sh"

# listed MAP: names between "global:" and "local:".
listed()
{
	sed -e 's|/\*.*\*/||' -e '/local:/,/}/d' "$srcdir/$1" |
		sed -n 's/^[ \t]*\(flux_[a-z0-9_]*\);.*/\1/p'
}

# declared: names of functions and objects that a header marks FLUX_API.
declared()
{
	cat "$srcdir"/include/flux/*.h | awk '
		{ text = text $0 "\n" }
		END {
			while (i = index(text, "/*")) {
				rest = substr(text, i + 2)
				text = substr(text, 1, i - 1) " " substr(rest, index(rest, "*/") + 2)
			}
			gsub(/\\\n/, " ", text)
			n = split(text, line, "\n")
			for (k = 1; k <= n; k++)
				if (line[k] !~ /^[ \t]*#/)
					code = code line[k] " "
			n = split(code, part, /[;{}]/)
			for (k = 1; k <= n; k++)
				if (part[k] ~ /(^|[^A-Za-z0-9_])FLUX_API[^A-Za-z0-9_]/ &&
				    match(part[k], /flux_[a-z0-9_]+[ \t]*(\(|\[|$)/)) {
					name = substr(part[k], RSTART, RLENGTH)
					gsub(/[^a-z0-9_]/, "", name)
					print name
				}
		}'
}

# same NAME FILE-A WHAT-A FILE-B WHAT-B
same()
{
	{
		comm -23 "$2" "$4" | sed "s/\$/: in $3, not in $5/"
		comm -13 "$2" "$4" | sed "s/\$/: in $5, not in $3/"
	} >"$tmp/complaints"
	tap_empty "$1" "$tmp/complaints"
}

for lib in libflux libflux-event libflux-uring; do
	listed "src/$lib.map" >"$tmp/map-in-order"
	sort "$tmp/map-in-order" >"$tmp/map"
	cat "$tmp/map" >>"$tmp/maps"
	uniq -d "$tmp/map" >"$tmp/complaints"
	tap_empty "$lib.map lists no name twice" "$tmp/complaints"

	so=.libs/$lib.so
	if [ ! -e "$so" ]; then
		tap_skip "$lib.so exports its map" "not built"
		continue
	fi
	$NM -D -P --defined-only "$so" | awk '$2 != "A" { print $1 }' >"$tmp/nm"
	grep -v '@@FLUX_[0-9]*$' "$tmp/nm" >"$tmp/complaints"
	tap_empty "$lib.so versions every symbol" "$tmp/complaints"
	sed 's/@.*//' "$tmp/nm" | sort -u >"$tmp/exported"
	same "$lib.so exports its map" "$tmp/exported" "$lib.so" "$tmp/map" "$lib.map"
done

sort -o "$tmp/maps" "$tmp/maps"
declared | sort -u >"$tmp/declared"
same "headers declare the maps" "$tmp/declared" "the headers" "$tmp/maps" "the maps"
tap_done
