/* By the first byte: a frozen graph; a whole checkpoint index; the rows of one, around which checksums and footer are
 * made right, so that changes get past them; or, behind such rows and two bytes that count them, a SavedModel's
 * description. Beside a checkpoint lies a data file that is as large as the seeds'
 * own. */
#include <string.h>
#include "foreign_fuzz.h"
#include "priv/formats_sstable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRAILER 5u
#define AROUND  128u /* bytes: two more blocks and the footer */

static uint8_t *put_le32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *p++ = (uint8_t)(value >> (8 * i));
    return p;
}

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

/* Behind a block's entries: one restart, no compression, the checksum. */
static uint8_t *close_block(uint8_t *begin, uint8_t *p)
{
    p = put_le32(put_le32(p, 0), 1);
    *p++ = 0;
    uint32_t crc = formats_crc32c(begin, (size_t)(p - begin));
    return put_le32(p, (crc >> 15 | crc << 17) + 0xa282ead8u);
}

/* A table of these rows; `out` has room for AROUND bytes more. */
static size_t make_table(const uint8_t *rows, size_t n, uint8_t *out)
{
    uint8_t handle[20], *p = out + n, *meta, *index, *footer, *end;

    if (n)
        memcpy(out, rows, n);
    p = close_block(out, p);
    size_t block = (size_t)(p - out) - TRAILER;
    meta = p;
    p = close_block(meta, p);
    index = p;
    end = put_varint(put_varint(handle, 0), block);
    *p++ = 0;
    *p++ = 1;
    *p++ = (uint8_t)(end - handle);
    *p++ = '~';
    memcpy(p, handle, (size_t)(end - handle));
    p = close_block(index, p + (end - handle));
    footer = p;
    memset(footer, 0, 40);
    p = put_varint(put_varint(footer, (uint64_t)(meta - out)), (uint64_t)(index - meta) - TRAILER);
    put_varint(put_varint(p, (uint64_t)(index - out)), (uint64_t)(footer - index) - TRAILER);
    memcpy(footer + 40, "\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
    return (size_t)(footer + 48 - out);
}

/* @param saved  a description; NULL: none */
static void checkpoint(const uint8_t *index, size_t n, const uint8_t *saved, size_t saved_size)
{
    static const uint8_t beside[1u << 17];
    formats_file files[] = {{.path = "v.index", .data = index, .size = n},
                            {.path = "v.data-00000-of-00001", .data = beside, .size = sizeof beside},
                            {.path = "saved_model.pb", .data = saved, .size = saved_size}};

    foreign_fuzz(files, saved ? 3 : 2);
}

/* Rows of a checkpoint, then a description. */
static void rows(const uint8_t *data, size_t n, const uint8_t *saved, size_t saved_size)
{
    uint8_t *table = malloc(n + AROUND);

    if (table)
        checkpoint(table, make_table(data, n, table), saved, saved_size);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    formats_file graph = {.path = "g.pb", .data = data + 1, .size = size - 1};
    if (data[0] % 4 == 0) {
        foreign_fuzz(&graph, 1);
    } else if (data[0] % 4 == 1) {
        checkpoint(data + 1, size - 1, NULL, 0);
    } else if (data[0] % 4 == 2) {
        rows(data + 1, size - 1, NULL, 0);
    } else if (size >= 3) {
        size_t n = data[1] + (size_t)256 * data[2];
        n = n < size - 3 ? n : size - 3;
        rows(data + 3, n, data + 3 + n, size - 3 - n);
    }
    return 0;
}
