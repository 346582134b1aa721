/* The mirrors of the options: pairs of addresses, each with where it came from. */
#ifndef API_MIRRORS_H
#define API_MIRRORS_H

#include <stdbool.h>
#include "net_mirror.h"

#define API_MIRRORS_MAX 64

typedef struct api_mirrors {
    net_mirror pairs[API_MIRRORS_MAX]; /* texts owned; what the client takes */
    char *names[API_MIRRORS_MAX];      /* "mirror PREFIX" */
    char *sources[API_MIRRORS_MAX];
    size_t count;
} api_mirrors;

void api_mirrors_clear(api_mirrors *m);

/**
 * Add a pair, or change the one of that prefix unless what stands comes from `strongest`.
 * @retval USAGE  see net_mirror_check; too many.
 */
cistern_status api_mirrors_put(api_mirrors *m, const char *prefix, const char *replacement,
                               const char *source, const char *strongest,
                               cistern_error *err) CISTERN_MUST_CHECK;
/** The same for "PREFIX = REPLACEMENT". */
cistern_status api_mirrors_put_line(api_mirrors *m, const char *line, const char *source,
                                    const char *strongest, cistern_error *err) CISTERN_MUST_CHECK;

/** For people; false past the end. A replacement with user info is shown as "***". */
bool api_mirrors_peek(const api_mirrors *m, size_t i, const char **name, const char **value,
                      const char **source);

#endif
