/* Any bytes as a protocol buffers message, walked as deep as it goes: fields lie inside their message, each step forward. */
#include <stdint.h>
#include <stdlib.h>
#include "formats_limits.h"
#include "priv/formats_protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 100000u

static void look(const formats_protobuf *p, const formats_field *f)
{
    uint64_t numbers[8], number;
    size_t count = 0;
    double value;
    formats_text text;
    cistern_status st;

    if (f->at >= p->pos || f->begin > p->pos || p->pos > p->end || f->number == 0)
        abort();
    if (f->wire == FORMATS_WIRE_BYTES && f->begin + f->value != p->pos)
        abort();
    st = formats_protobuf_numbers(p, f, numbers, 8, &count);
    if ((st == CISTERN_OK && count > 8) || (st != CISTERN_OK && st != CISTERN_UNREADABLE))
        abort();
    if ((formats_protobuf_number(p, f, &number) == CISTERN_OK) != (f->wire == FORMATS_WIRE_VARINT) ||
        (formats_protobuf_float(p, f, &value) == CISTERN_OK) != (f->wire == FORMATS_WIRE_FIXED32) ||
        (formats_protobuf_text(p, f, &text) == CISTERN_OK) != (f->wire == FORMATS_WIRE_BYTES))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    formats_protobuf stack[FORMATS_PROTOBUF_DEPTH_MAX + 1];
    size_t depth = 0;
    formats_field f;
    bool more;

    formats_protobuf_init(&stack[0], data, 0, size, NULL);
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        if (formats_protobuf_next(&stack[depth], &f, &more) != CISTERN_OK || !more) {
            if (depth-- == 0)
                return 0;
            continue;
        }
        look(&stack[depth], &f);
        if (depth < FORMATS_PROTOBUF_DEPTH_MAX &&
            formats_protobuf_enter(&stack[depth], &f, &stack[depth + 1]) == CISTERN_OK)
            depth++;
    }
    return 0;
}
