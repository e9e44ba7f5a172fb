/* SPDX-License-Identifier: MIT */
/* An intrusive doubly linked list; a node knows whether it is on one. */
#ifndef FLUX_CORE_BASE_LIST_H
#define FLUX_CORE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct flux_node {
	struct flux_node *prev, *next; /* both NULL while on no list */
};

struct flux_list {
	struct flux_node head;
};

#define FLUX_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void flux_list_init(struct flux_list *list)
{
	list->head.prev = list->head.next = &list->head;
}

static inline bool flux_list_empty(const struct flux_list *list)
{
	return list->head.next == &list->head;
}

static inline bool flux_node_linked(const struct flux_node *node)
{
	return node->next != NULL;
}

/* The first node, or NULL. */
static inline struct flux_node *flux_list_first(const struct flux_list *list)
{
	return flux_list_empty(list) ? NULL : list->head.next;
}

/* Append, unless the node is on a list already. */
static inline void flux_list_append(struct flux_list *list, struct flux_node *node)
{
	if (flux_node_linked(node))
		return;
	node->prev = list->head.prev;
	node->next = &list->head;
	list->head.prev->next = node;
	list->head.prev = node;
}

/* Take the node off its list, if it is on one. */
static inline void flux_list_remove(struct flux_node *node)
{
	if (!flux_node_linked(node))
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = NULL;
}

#endif
