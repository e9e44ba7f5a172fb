/* SPDX-License-Identifier: MIT */
/* Watches every packet, turn and event of a simulation and says when a property of the protocol is violated. */
#ifndef FLUX_TESTS_SIM_ORACLE_H
#define FLUX_TESTS_SIM_ORACLE_H

#include "tests/sim/host.h"
#include "tests/sim/sim.h"

struct sim_oracle;

struct sim_oracle *sim_oracle_new(void);
void sim_oracle_free(struct sim_oracle *oracle);

/* The kernel took a datagram from the endpoint. */
void sim_oracle_sent(struct sim_host *host, const struct sim_packet *packet);
/* A datagram was shown by peek and not taken. */
void sim_oracle_shown(struct sim_host *host, const struct flux_tx *tx);
/* A datagram is about to be given to the endpoint. */
void sim_oracle_fed(struct sim_host *host, const struct sim_packet *packet);
/* A batch of feeds is over. */
void sim_oracle_fed_all(struct sim_host *host);
/* A turn is over. */
void sim_oracle_turn(struct sim_host *host);
/* The session's peer answers there: we asked it first, or it has proven itself. */
void sim_oracle_proven(struct sim_session *session);
void sim_oracle_closed(struct sim_session *session);
/* The host starts, stops, or its clock steps: what was learnt of its time is void. */
void sim_oracle_disturbed(struct sim_host *host);
/* Everything is delivered and closed: ratios. */
void sim_oracle_end(struct sim *sim);

/* Session tag of packets from `from` to `to` on the newest session between them; false if none was seen. */
bool sim_oracle_tag(struct sim *sim, const struct sim_host *from, const struct sim_host *to, uint32_t *tag,
		    uint32_t *cid);

#endif
