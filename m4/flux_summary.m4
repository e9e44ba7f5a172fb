# SPDX-License-Identifier: MIT

# FLUX_SUMMARY_LINE(NAME, STATE, TEXT): one line of what ./configure prints at its end.
AC_DEFUN([FLUX_SUMMARY_LINE], [
	flux_summary="$flux_summary
$(printf '  %-12s %-5s %s' "$1" "$2" "$3")"
])

# FLUX_SUMMARY: what is on, what is off, and why.
AC_DEFUN([FLUX_SUMMARY], [
	AC_MSG_NOTICE([
flux $PACKAGE_VERSION for $host: $CC, prefix $prefix
$flux_summary
])
])
