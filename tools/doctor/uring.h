/* SPDX-License-Identifier: MIT */
/* Why io_uring was refused; apart from the trial, so that each cause can be tested anywhere. */
#ifndef FLUX_TOOLS_DOCTOR_URING_H
#define FLUX_TOOLS_DOCTOR_URING_H

#include "doctor/doctor.h"

/* Fill in the row for a trial that failed with `code`; `why` are the library's own words. */
void doctor_explain_uring(const struct doctor *doctor, struct doctor_row *row, int code, const char *why);

#endif
