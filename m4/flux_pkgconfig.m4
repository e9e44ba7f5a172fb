# SPDX-License-Identifier: MIT

# FLUX_PKGCONFIG: what a static link of an enabled feature needs, for flux.pc and flux-event.pc.
AC_DEFUN([FLUX_PKGCONFIG], [
	FLUX_REQUIRES_PRIVATE=
	AS_IF([test "$flux_have_isal" = yes], [FLUX_REQUIRES_PRIVATE="libisal"])
	AS_IF([test "$flux_have_numa" = yes],
		[FLUX_REQUIRES_PRIVATE="$FLUX_REQUIRES_PRIVATE${FLUX_REQUIRES_PRIVATE:+, }numa"])
	AC_SUBST([FLUX_REQUIRES_PRIVATE])
])
