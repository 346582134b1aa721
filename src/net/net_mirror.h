/* Mirrors: addresses that are asked in place of the published ones. For sites without a way out, and for tests.
 *
 * Invariants
 *  1. What is stored and compared is always the published address; a mirror is only where requests go.
 *  2. Neither user info nor signature parameters of the published address go to its mirror.
 *  3. A prefix ends where a segment ends: https://host/a is none of https://host/ab or https://host.example/.
 */
#ifndef NET_MIRROR_H
#define NET_MIRROR_H

#include <stddef.h>
#include "base_error.h"

typedef struct net_mirror {
    const char *prefix;      /* normalised URL */
    const char *replacement; /* URL; may hold user info, which is never shown */
} net_mirror;

/**
 * Check a pair as a user writes it.
 * @param out_prefix  the prefix normalised; owned by the caller.
 * @retval USAGE  one of them is no http or https URL, or has a query or a fragment; the prefix has user info.
 */
cistern_status net_mirror_check(const char *prefix, const char *replacement, char **out_prefix,
                                cistern_error *err) CISTERN_MUST_CHECK;

/**
 * The address to ask in place of `url`: of several prefixes the longest counts.
 * @param url  normalised. @param out  owned by the caller; NULL: there is no mirror for it.
 */
cistern_status net_mirror_apply(const net_mirror *mirrors, size_t count, const char *url, char **out,
                                cistern_error *err) CISTERN_MUST_CHECK;

#endif
