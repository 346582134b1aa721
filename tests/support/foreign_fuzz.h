/* Files of one version, read: every tensor lies inside its file, or UNREADABLE with a message. */
#ifndef FOREIGN_FUZZ_H
#define FOREIGN_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include "formats_read.h"

#define FOREIGN_DECODED_MAX (1u << 20) /* bytes that a fuzz input may have decoded */

static inline cistern_status foreign_fuzz_put(void *user, const void *bytes, size_t n, cistern_error *err)
{
    uint64_t *total = user;
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < n; i++) /* every byte must be there */
        sum ^= ((const uint8_t *)bytes)[i];
    (void)sum;
    *total += n;
    if (*total > FOREIGN_DECODED_MAX)
        return base_fail(err, CISTERN_UNREADABLE, "more than this test has time for");
    return CISTERN_OK;
}

static inline void foreign_fuzz(const formats_file *files, size_t count)
{
    uint64_t total = 0;
    formats_sink sink = {.put = foreign_fuzz_put, .user = &total};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    cistern_status status = formats_read(files, count, &sink, &index, &err);

    if (status != CISTERN_OK && (status != CISTERN_UNREADABLE || index || err.text[0] == 0))
        abort();
    for (size_t i = 0; status == CISTERN_OK && i < model_index_count(index); i++) {
        const model_tensor *t = model_index_peek(index, i);
        uint64_t extent, room = t->file < count ? files[t->file].size : total;
        if (!model_tensor_extent(t, &extent) || t->offset > room || extent > room - t->offset)
            abort();
    }
    model_index_free(index);
}

#endif
