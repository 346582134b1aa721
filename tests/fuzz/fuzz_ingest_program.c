/* What the import program does between its descriptors and its answer, and what the parent makes of that: any bytes as
 * one or two files, read with a place for decoded tensors, answered, and the answer taken apart against the files' sizes.
 * An index comes out as it went in; an error keeps status, text and offset.
 *
 * The first byte chooses the files' names; of two, the next two bytes are the length of the second. A checkpoint's
 * data file of no length is one of zeros. */
#include <stdlib.h>
#include <string.h>
#include "formats_read.h"
#include "priv/ingest_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DECODED_MAX (16u << 20) /* bytes; more only takes time */

static const char *const names[][2] = {
    {"w", NULL},
    {"m.onnx", "m.data"},
    {"v.index", "v.data-00000-of-00001"},
    {"model.safetensors.index.json", "a.safetensors"},
};

static cistern_status count_bytes(void *user, const void *bytes, size_t n, cistern_error *err)
{
    uint64_t *total = user;

    (void)bytes;
    *total += n;
    return *total > DECODED_MAX ? base_fail(err, CISTERN_UNREADABLE, "enough") : CISTERN_OK;
}

static size_t cut(const uint8_t *data, size_t size, formats_file files[2])
{
    const char *const *name = names[data[0] % (sizeof names / sizeof names[0])];
    size_t second = 0;

    data++;
    size--;
    if (name[1]) {
        if (size < 2)
            return 0;
        second = (size_t)data[0] | (size_t)data[1] << 8;
        data += 2;
        size -= 2;
        if (second > size)
            second = size;
    }
    static const uint8_t data_file[1u << 17]; /* as large as the seeds' own */

    files[0] = (formats_file){.path = name[0], .data = data, .size = size - second};
    files[1] = (formats_file){.path = name[1], .data = data + (size - second), .size = second};
    if (name == names[2] && second == 0)
        files[1] = (formats_file){.path = name[1], .data = data_file, .size = sizeof data_file};
    return name[1] ? 2 : 1;
}

static void check_index(const model_index *index, const formats_file *files, size_t count, uint64_t decoded)
{
    uint64_t sizes[3];
    model_index *again = NULL;
    base_buf answer, once_more;

    for (size_t i = 0; i < count; i++)
        sizes[i] = files[i].size;
    sizes[count] = decoded;
    base_buf_init(&answer, INGEST_ANSWER_MAX);
    base_buf_init(&once_more, INGEST_ANSWER_MAX);
    if (ingest_answer_put_index(index, &answer, NULL) ||
        ingest_answer_read(answer.data, answer.len, sizes, count + (decoded ? 1 : 0), &again, NULL) ||
        ingest_answer_put_index(again, &once_more, NULL) || answer.len != once_more.len ||
        memcmp(answer.data, once_more.data, answer.len) != 0)
        abort();
    base_buf_clear(&answer);
    base_buf_clear(&once_more);
    model_index_free(again);
}

static void check_error(const cistern_error *what)
{
    uint64_t none = 0;
    model_index *index = NULL;
    cistern_error told = CISTERN_ERROR_INIT;
    base_buf answer;

    base_buf_init(&answer, INGEST_ANSWER_MAX);
    if (what->status != CISTERN_UNREADABLE || what->text[0] == 0 ||
        ingest_answer_put_error(what, &answer, NULL) != CISTERN_OK)
        abort();
    if (ingest_answer_read(answer.data, answer.len, &none, 1, &index, &told) != what->status || index ||
        strcmp(told.text, what->text) != 0 || told.has_offset != what->has_offset ||
        (told.has_offset && told.offset != what->offset) || told.frame_count != what->frame_count)
        abort();
    base_buf_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    formats_file files[2];
    size_t count = size ? cut(data, size, files) : 0;
    uint64_t decoded = 0;
    formats_sink sink = {count_bytes, &decoded};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    if (count == 0)
        return 0;
    if (formats_read(files, count, &sink, &index, &err) == CISTERN_OK)
        check_index(index, files, count, decoded);
    else
        check_error(&err);
    model_index_free(index);
    return 0;
}
