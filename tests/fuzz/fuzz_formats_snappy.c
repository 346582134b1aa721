/* Any bytes as a block that Snappy packed: unpacked into exactly the size that it says, which ends at a redzone, or refused. */
#include <stdlib.h>
#include <string.h>
#include "priv/formats_snappy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNPACKED_MAX (1u << 20) /* bytes; the reader allows more, which only takes time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole;

    if (!formats_snappy_size(data, size, &whole) || whole > UNPACKED_MAX)
        return 0;
    uint8_t *out = malloc((size_t)whole + 1), *again = malloc((size_t)whole + 1);
    if (!out || !again)
        abort();
    out = realloc(out, whole ? (size_t)whole : 1); /* not a byte more */
    if (out && formats_snappy_unpack(data, size, out, (size_t)whole)) {
        if (!formats_snappy_unpack(data, size, again, (size_t)whole) ||
            memcmp(out, again, (size_t)whole) != 0)
            abort();
        if (formats_snappy_unpack(data, size, again, (size_t)whole + 1)) /* another size than it says */
            abort();
    }
    free(out);
    free(again);
    return 0;
}
