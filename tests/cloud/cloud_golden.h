/* Reading goldens: JSON files of tests/cloud/data. */
#ifndef CLOUD_GOLDEN_H
#define CLOUD_GOLDEN_H

#include <jansson.h>
#include "cistern_test.h"

/** A document of tests/cloud/data; freed with json_decref. */
static inline json_t *golden_load(const char *name)
{
    char path[1024];
    json_error_t error;
    snprintf(path, sizeof path, "%s/cloud/data/%s", CISTERN_TEST_DATA, name);
    json_t *document = json_load_file(path, 0, &error);
    if (document == NULL)
        fail_msg("%s: %s", path, error.text);
    return document;
}

/** A text of an object; "" where there is none. */
static inline const char *golden_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

#endif
