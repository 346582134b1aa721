/* Publishing a fetch's partial; see store_publish.c. */
#ifndef STORE_PUBLISH_H
#define STORE_PUBLISH_H

#include "store_fetch_object.h"

/** Publish the complete partial. */
cistern_status store_publish_run(store_fetch *fetch, const base_run *run,
                                 cistern_error *err) CISTERN_MUST_CHECK;

/** Publish its chunk list again if that is not there any more. */
cistern_status store_publish_settle(store_fetch *fetch, cistern_error *err) CISTERN_MUST_CHECK;

#endif
