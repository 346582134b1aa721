/* Any bytes as the list of safetensors shards, beside two shards. */
#include <string.h>
#include "foreign_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A shard of one byte named `name`; returns its size. */
static size_t make_shard(uint8_t *out, char name)
{
    static const char before[] = "{\"",
                      after[] = "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    size_t n = sizeof before - 1 + 1 + sizeof after - 1;

    memset(out, 0, 8);
    out[0] = (uint8_t)n;
    memcpy(out + 8, before, sizeof before - 1);
    out[8 + sizeof before - 1] = (uint8_t)name;
    memcpy(out + 8 + sizeof before, after, sizeof after - 1);
    out[8 + n] = 0;
    return 8 + n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t a[128], b[128];
    size_t a_size = make_shard(a, 'a'), b_size = make_shard(b, 'b');
    formats_file files[] = {{.path = "a.safetensors", .data = a, .size = a_size},
                            {.path = "b.safetensors", .data = b, .size = b_size},
                            {.path = "model.safetensors.index.json", .data = data, .size = size}};

    foreign_fuzz(files, 3);
    return 0;
}
