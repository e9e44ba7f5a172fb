/* SPDX-License-Identifier: MIT */
/*
 * Faults on purpose. A test build compiles the core with FLUX_MUTATIONS and turns one on at a time: the
 * simulator's oracle has to notice each. In every other build FLUX_MUTATION() is the constant 0.
 */
#ifndef FLUX_CORE_BASE_MUTATION_H
#define FLUX_CORE_BASE_MUTATION_H

#ifdef FLUX_MUTATIONS

#define FLUX_MUTATION_LIST(X) \
	X(NONE)

#define FLUX_MUTATION_ENUM(name) FLUX_MUT_##name,
enum flux_mutation {
	FLUX_MUTATION_LIST(FLUX_MUTATION_ENUM)
	FLUX_MUT_COUNT
};
#undef FLUX_MUTATION_ENUM

/* Defined by the test. */
extern enum flux_mutation flux_mutation;

#define FLUX_MUTATION(name) (flux_mutation == FLUX_MUT_##name)

#else

#define FLUX_MUTATION(name) 0

#endif

#endif
