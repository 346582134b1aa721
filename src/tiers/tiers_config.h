/* The config.json that lies beside a weight file: asking for it, or for one that the user named.
 *
 * It is no file of the version; what it says are declared facts. At most TIERS_CONFIG_MAX bytes. One that nobody asked
 * for and that cannot be had or understood counts as none.
 */
#ifndef TIERS_CONFIG_H
#define TIERS_CONFIG_H

#include "base_thread.h"
#include "model_facts.h"
#include "origin_address.h"
#include "tiers_chain.h"

#define TIERS_CONFIG_MAX (1u << 20) /* bytes */

/**
 * Add to facts what the config says.
 * @param spec    "none": there is none; a path or URL: that one, and it must be right; NULL: the one beside.
 * @param beside  the weight file's address; NULL: only `spec` is looked at.
 * @retval NOT_FOUND, NETWORK, REFUSED, USAGE, OFFLINE, DAMAGED  only for the one that `spec` names; and CANCELLED, NO_MEMORY.
 */
cistern_status tiers_config_read(tiers *t, const char *spec, const origin_address *beside,
                                 const base_run *run, model_facts *facts,
                                 cistern_error *err) CISTERN_MUST_CHECK;

#endif
