/* Sizes of public structures; see priv/api_sized.h. */
#include "priv/api_sized.h"

#include <string.h>

static size_t size_of(const void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

static bool usable(size_t size)
{
    return size >= sizeof size && size <= API_SIZED_MAX;
}

static cistern_status never_set(size_t size, const char *what, cistern_error *err)
{
    return base_fail(err, CISTERN_USAGE,
                     "%s says that it has %zu bytes: begin with .size = sizeof, or its _INIT", what, size);
}

cistern_status api_sized_take(const void *given, void *out, size_t size, const char *what, cistern_error *err)
{
    if (!given)
        return CISTERN_OK;
    size_t theirs = size_of(given);
    if (!usable(theirs))
        return never_set(theirs, what, err);
    const unsigned char *bytes = given;
    for (size_t i = size; i < theirs; i++) {
        if (bytes[i] != 0)
            return base_fail(
                err, CISTERN_USAGE,
                "%s asks for something that this release does not know (byte %zu of %zu, %zu are known)",
                what, i, theirs, size);
    }
    memcpy((unsigned char *)out + sizeof size, bytes + sizeof size,
           (theirs < size ? theirs : size) - sizeof size);
    return CISTERN_OK;
}

bool api_sized_usable(const void *out)
{
    return !out || usable(size_of(out));
}

cistern_status api_sized_check(const void *out, const char *what, cistern_error *err)
{
    return api_sized_usable(out) ? CISTERN_OK : never_set(size_of(out), what, err);
}

void api_sized_give(const void *result, size_t size, void *out)
{
    if (!out || !api_sized_usable(out))
        return;
    size_t theirs = size_of(out);
    memcpy((unsigned char *)out + sizeof size, (const unsigned char *)result + sizeof size,
           (theirs < size ? theirs : size) - sizeof size);
}
