/* The mappings that the handler of SIGBUS looks after: see cistern/guard.h.
 *
 *   free --api_guard_add--> guarded --SIGBUS inside it--> guarded, hit --api_guard_remove--> free
 */
#ifndef API_GUARD_H
#define API_GUARD_H

#include <stdbool.h>
#include "base_map.h"

typedef struct api_guard api_guard;

/** Look after a mapping. Costs nothing where the handler is not installed. @param out  NULL for an empty mapping. */
cistern_status api_guard_add(const base_map *map, api_guard **out, cistern_error *err) CISTERN_MUST_CHECK;
/** Before it is unmapped. NULL allowed. */
void api_guard_remove(api_guard *guard);
/** Whether some of its pages are zeros now. NULL: no. */
bool api_guard_hit(const api_guard *guard);

#endif
