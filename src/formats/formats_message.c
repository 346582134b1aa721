/* Telling protocol buffers apart: they have no magic, but each kind has its fields.
 *
 *   ONNX         1 number (version), then among 2 … 7 a graph, 8 the operators' versions
 *   SavedModel   1 number (version), 2 a graph with its description, nothing else
 *   GraphDef     1 a node, which begins with 1 its name and 2 its operator
 *   fingerprint  1 number, 2 number; Keras' metadata: 1 a node, which does not begin with a name
 * A file that is cut short is told by the fields whose beginning it still has.
 */
#include "priv/formats_container.h"

#include "priv/formats_protobuf.h"

#define FIELDS_MAX  64u /* looked at on the top level; ONNX writers put a graph among the first ten */
#define VERSION_MAX 63u /* ir_version of ONNX (10 in 2024), schema version of SavedModel (1) */

/* Number and wire type of the field that begins at byte `at`; numbers below 16 take one byte. */
static bool tag_is(const formats_file *file, uint64_t at, uint32_t number, formats_wire wire)
{
    return at < file->size && file->data[at] == (number << 3 | (uint32_t)wire);
}

/* A length's own bytes are skipped: up to 10. */
static uint64_t behind_varint(const formats_file *file, uint64_t at)
{
    uint64_t end = at;

    while (end < file->size && end - at < 10 && file->data[end] >= 0x80)
        end++;
    return end + 1;
}

static formats_message message_of_node(const formats_file *file)
{
    uint64_t node = behind_varint(file, 1), name = behind_varint(file, node + 1);

    if (!tag_is(file, node, 1, FORMATS_WIRE_BYTES))
        return FORMATS_MESSAGE_METADATA;
    if (name > file->size || node + 1 >= file->size)
        return FORMATS_MESSAGE_NONE;
    return tag_is(file, name + file->data[node + 1], 2, FORMATS_WIRE_BYTES) || file->data[node + 1] >= 0x80
               ? FORMATS_MESSAGE_GRAPH
               : FORMATS_MESSAGE_NONE;
}

/* A file that begins with a version. */
static formats_message message_of_version(const formats_file *file)
{
    formats_message found = FORMATS_MESSAGE_NONE;
    formats_protobuf p;
    formats_field f;
    bool more = true;
    uint64_t at = 0;

    formats_protobuf_init(&p, file->data, 0, file->size, NULL);
    for (unsigned i = 0; i < FIELDS_MAX; i++) {
        at = p.pos;
        if (formats_protobuf_next(&p, &f, &more) != CISTERN_OK || !more)
            break;
        if (f.number == 7 || f.number == 8)
            return FORMATS_MESSAGE_ONNX;
        if (f.number == 1 && f.value > VERSION_MAX)
            return FORMATS_MESSAGE_METADATA;
        if (f.number == 2)
            found = f.wire == FORMATS_WIRE_BYTES ? FORMATS_MESSAGE_SAVED_MODEL : FORMATS_MESSAGE_METADATA;
        if (f.number > 2)
            found = FORMATS_MESSAGE_NONE;
    }
    if (more && tag_is(file, at, 7, FORMATS_WIRE_BYTES))
        return FORMATS_MESSAGE_ONNX; /* cut short inside its graph */
    return more && tag_is(file, at, 2, FORMATS_WIRE_BYTES) ? FORMATS_MESSAGE_SAVED_MODEL : found;
}

formats_message formats_message_of(const formats_file *file)
{
    if (file->size < 4)
        return FORMATS_MESSAGE_NONE;
    if (tag_is(file, 0, 1, FORMATS_WIRE_VARINT))
        return message_of_version(file);
    return tag_is(file, 0, 1, FORMATS_WIRE_BYTES) ? message_of_node(file) : FORMATS_MESSAGE_NONE;
}
