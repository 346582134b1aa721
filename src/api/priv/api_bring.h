/* Bringing a model in: what pull, add and the adoptions share. */
#ifndef API_BRING_H
#define API_BRING_H

#include "priv/api_types.h"
#include "tiers_fetch.h"

/** A request made of public options; `name`, `digest` and `declared` hold what is parsed, and must live as long. */
typedef struct api_wanted {
    tiers_request request;
    cistern_pull_options options; /* as this release knows them */
    catalog_reference name;
    base_digest digest;
    model_facts declared;
} api_wanted;
/** @param options  NULL: defaults. @param out  initialised by the call. @retval USAGE, CONFLICT (NAME:latest) */
cistern_status api_wanted_init(const cistern_pull_options *options, api_wanted *out,
                               cistern_error *err) CISTERN_MUST_CHECK;
void api_wanted_clear(api_wanted *wanted);

/** Fetch, import, commit. @param result NULL allowed. */
cistern_status api_bring(cistern *c, const tiers_request *request, const cistern_call *call,
                         cistern_pull_result *result, cistern_version **out,
                         cistern_error *err) CISTERN_MUST_CHECK;

#endif
