/* Zip directories that two readers could understand in two ways, and other broken zips: all refused, at the byte of the
 * header or record at fault. */
#include "formats_limits.h"
#include "weight_read.h"

static const forge_tensor tensor = {"w", "FloatStorage", "0", 6, 0, 1, {6}, {1}};
static uint8_t storage[24];

/* The members of a good file, for one of them to be spoilt. */
typedef struct members {
    forge pickle;
    forge_member m[8];
    size_t n;
} members;

static members good(void)
{
    members g = {.n = 4};

    pickle_state(&g.pickle, &tensor, 1, false);
    g.m[0] = (forge_member){.name = "a/data.pkl", .data = g.pickle.data, .size = g.pickle.len};
    g.m[1] = (forge_member){.name = "a/byteorder", .data = "little", .size = 6};
    g.m[2] = (forge_member){.name = "a/data/0", .data = storage, .size = sizeof storage};
    g.m[3] = (forge_member){.name = "a/version", .data = "3\n", .size = 2};
    return g;
}

static forge built(members *g, forge_zip *z)
{
    forge f = {0};

    *z = zip_make(&f, g->m, g->n);
    forge_free(&g->pickle);
    return f;
}

/* Which place of the file is at fault. */
enum place {
    NOWHERE,
    HEADER_0,
    HEADER_1,
    HEADER_2,
    PAYLOAD_0,
    DIRECTORY,
    CENTRAL_2,
    END64,
    LOCATOR,
    END,
    FILE_END
};

static uint64_t find_central(const forge *f, const forge_zip *z, unsigned number)
{
    size_t at = z->directory;

    while (number--)
        at += 46 + (size_t)(f->data[at + 28] | f->data[at + 29] << 8) +
              (size_t)(f->data[at + 30] | f->data[at + 31] << 8);
    return at;
}

static uint64_t place_of(enum place place, const forge *f, const forge_zip *z)
{
    switch (place) {
    case NOWHERE:
        return NO_OFFSET;
    case HEADER_0:
        return z->header[0];
    case HEADER_1:
        return z->header[1];
    case HEADER_2:
        return z->header[2];
    case PAYLOAD_0:
        return 64;
    case DIRECTORY:
        return z->directory;
    case CENTRAL_2:
        return find_central(f, z, 2);
    case END64:
        return z->end64;
    case LOCATOR:
        return z->locator;
    case END:
        return z->end;
    case FILE_END:
        return f->len;
    }
    return NO_OFFSET;
}

static void members_refused(members *g, enum place place, const char *part, int line)
{
    forge_zip z;
    forge f = built(g, &z);

    weight_refused(&f, place_of(place, &f, &z), part, __FILE__, line);
    forge_free(&f);
}
#define assert_members_refused(g, place, part) members_refused(g, place, part, __LINE__)

static void good_ones_are_read(void **state)
{
    members g = good();
    forge_zip z;

    (void)state;
    forge f = built(&g, &z);
    assert_accepted(&f, 1);
    forge_free(&f);
    g = good();
    for (size_t i = 0; i < g.n; i++)
        g.m[i].plain = true; /* sizes in the local headers, as other zip tools write them */
    f = built(&g, &z);
    assert_accepted(&f, 1);
    forge_free(&f);
}

/* No zip64 records at all: also a zip. */
static void zip64_is_not_required(void **state)
{
    members g = good();
    forge_zip z;

    (void)state;
    forge f = built(&g, &z);
    memmove(f.data + z.end64, f.data + z.end, 22);
    f.len = z.end64 + 22;
    assert_accepted(&f, 1);
    forge_free(&f);
}

/* 11 */
static void overlaps_are_refused(void **state)
{
    members g = good();

    (void)state;
    /* a member whose payload spans the next member, header and all (a quoted overlap) */
    g.m[0].size_add = 8;
    assert_members_refused(&g, HEADER_1, "zip members 'a/data.pkl' and 'a/byteorder' overlap");
}

static void two_names_for_the_same_bytes_are_refused(void **state)
{
    members g = good();

    (void)state;
    g.m[4] = g.m[3];
    g.m[4].name = "b/version"; /* the central header says b, the bytes say a */
    g.n = 5;
    forge probe = {0};
    forge_zip z = zip_make(&probe, g.m, 4);
    forge_free(&probe);
    g.m[4].header = (int64_t)z.header[3] + 1;
    forge f = built(&g, &z);
    assert_refused(&f, z.header[3], "zip member 'b/version' is called 'a/version' in its own header");
    forge_free(&f);
}

static void members_stay_out_of_the_directory(void **state)
{
    members g = good();
    forge_zip z;

    (void)state;
    g.m[3].size_add = 1; /* the last one, by one byte */
    forge f = built(&g, &z);
    assert_refused(&f, z.directory - 2, "zip member 'a/version' of 3 bytes reaches into the directory");
    forge_free(&f);
    g = good();
    g.m[3].header = 1 << 30;
    f = built(&g, &z);
    assert_refused(&f, (1 << 30) - 1, "zip member 'a/version' does not begin there");
    forge_free(&f);
}

/* 12 */
static void headers_that_differ_are_refused(void **state)
{
    members g = good();

    (void)state;
    g.m[2].local_name = "a/data/1";
    assert_members_refused(&g, HEADER_2, "zip member 'a/data/0' is called 'a/data/1' in its own header");
    g = good();
    g.m[2].local_method = 8;
    assert_members_refused(&g, HEADER_2, "zip member 'a/data/0' is described differently in its own header");
    g = good();
    g.m[2].local_flags = 0x800;
    assert_members_refused(&g, HEADER_2, "described differently");
    g = good();
    g.m[2].local_size_add = 1;
    assert_members_refused(&g, HEADER_2, "described differently");
    g = good();
    g.m[2].plain = true;
    g.m[2].local_size_add = 1;
    assert_members_refused(&g, HEADER_2, "described differently");
}

static void strange_members_are_refused(void **state)
{
    members g = good();

    (void)state;
    g.m[2].flags = 1;
    assert_members_refused(&g, CENTRAL_2, "zip member 'a/data/0' is encrypted");
    g = good();
    g.m[2].flags = 0x2000;
    assert_members_refused(&g, CENTRAL_2, "unknown flags 0x2808");
    g = good();
    g.m[2].method = 99;
    assert_members_refused(&g, CENTRAL_2, "compression method 99, 0 and 8 are known");
    g = good();
    g.m[2].extra = "\1\0\x10\0";
    g.m[2].extra_len = 4;
    assert_members_refused(&g, CENTRAL_2, "the extra fields of a zip member are malformed");
    g = good();
    g.m[2].extra = "\1\0\0\0\1\0\0\0";
    g.m[2].extra_len = 8;
    assert_members_refused(&g, CENTRAL_2, "the extra fields of a zip member are malformed");
    g = good();
    g.m[2].extra = "\1\0\0";
    g.m[2].extra_len = 3;
    assert_members_refused(&g, CENTRAL_2, "the extra fields of a zip member are malformed");
}

/* A field of a member's entry in the directory, `bytes` of it from byte `at` on, is this. */
static void entry_refused(size_t at, uint64_t value, unsigned bytes, const char *part, int line)
{
    members g = good();
    forge f = {0};
    forge_zip z = zip_make(&f, g.m, g.n);

    forge_set_le(&f, z.directory + at, value, bytes);
    weight_refused(&f, z.directory, part, __FILE__, line);
    forge_free(&g.pickle);
    forge_free(&f);
}

static void entries_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    entry_refused(20, 1, 4, "is stored, but has two sizes: 1 and", __LINE__);
    entry_refused(34, 1, 2, "a zip file of several volumes", __LINE__);
    entry_refused(24, UINT32_MAX, 4, "the extra fields of a zip member are malformed",
                  __LINE__); /* zip64's, of which there is none */
    entry_refused(28, UINT16_MAX, 2, "a member of the zip directory reaches beyond its end", __LINE__);
}

/* 13 */
static void names_come_once(void **state)
{
    members g = good();
    forge_zip z;

    (void)state;
    g.m[4] = g.m[2];
    g.n = 5;
    forge f = built(&g, &z);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err,
                "the zip file has two members 'a/data/0'");
    assert_true(err.offset == z.header[2] || err.offset == z.header[4]);
    forge_free(&f);
    g = good();
    g.m[4] = g.m[0];
    g.m[4].name = "b/data.pkl";
    g.n = 5;
    f = built(&g, &z);
    assert_refused(&f, z.header[4], "the zip file has two pickles, 'a/data.pkl' and 'b/data.pkl'");
    forge_free(&f);
}

static void names_that_are_paths_are_refused(void **state)
{
    static const struct {
        const char *name;
        size_t len;
    } bad[] = {{"../../etc/cron.d/x", 18},
               {"/etc/x", 6},
               {"a\\..\\x", 6},
               {"a/\0x", 4},
               {"a/../x", 6},
               {"a/.", 3},
               {"", 0},
               {"a/x\n", 4},
               {"..", 2}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        members g = good();
        g.m[2].name = bad[i].name;
        g.m[2].name_len = bad[i].len;
        assert_members_refused(&g, CENTRAL_2, "has a name that is not allowed");
    }
}

static void member_names_have_a_limit(void **state)
{
    char name[FORMATS_ZIP_NAME_MAX + 2];
    forge_zip z;

    (void)state;
    memset(name, 'n', sizeof name);
    members g = good();
    g.m[3].name = name;
    g.m[3].name_len = FORMATS_ZIP_NAME_MAX;
    forge f = built(&g, &z);
    assert_accepted(&f, 1);
    forge_free(&f);
    g = good();
    g.m[2].name = name;
    g.m[2].name_len = FORMATS_ZIP_NAME_MAX + 1;
    assert_members_refused(&g, CENTRAL_2, "has a name that is not allowed");
}

/* 14 */
static void damaged_records(enum place place, size_t at, unsigned bytes, uint64_t value, enum place fault,
                            const char *part, int line)
{
    members g = good();
    forge_zip z;
    forge f = built(&g, &z);

    forge_set_le(&f, place_of(place, &f, &z) + at, value, bytes);
    weight_refused(&f, place_of(fault, &f, &z), part, __FILE__, line);
    forge_free(&f);
}
#define assert_record(place, at, bytes, value, fault, part)                                                  \
    damaged_records(place, at, bytes, value, fault, part, __LINE__)

static void end_records_have_one_meaning(void **state)
{
    (void)state;
    assert_record(LOCATOR, 8, 8, 0, LOCATOR,
                  "the zip64 locator points to byte 0, not to the record before it");
    assert_record(LOCATOR, 8, 8, UINT64_MAX, LOCATOR, "points to byte 18446744073709551615");
    assert_record(LOCATOR, 16, 4, 2, END64, "a zip file of several volumes");
    assert_record(END64, 0, 4, 0, END64, "no zip64 end record where the locator points");
    assert_record(END64, 4, 8, 45, END64, "no zip64 end record");
    assert_record(END64, 16, 4, 1, END64, "several volumes");
    assert_record(END64, 24, 8, 3, END64, "several volumes");
    assert_record(END64, 40, 8, 1, END64, "the two end records of the zip file differ");
    assert_record(END64, 48, 8, 1, END64, "the two end records of the zip file differ");
    assert_record(END, 4, 2, 1, END, "several volumes");
    assert_record(END, 8, 2, 1, END, "several volumes");
    assert_record(END, 16, 4, 5, END64, "the two end records of the zip file differ");
    assert_record(END, 0, 4, 0, FILE_END, "the zip file does not end with its end record");
    assert_record(END, 20, 2, 1, FILE_END, "the zip file does not end with its end record");
    assert_record(DIRECTORY, 0, 4, 0, DIRECTORY, "no member where the zip directory should have one");
    assert_record(DIRECTORY, 28, 2, 0xffff, DIRECTORY,
                  "a member of the zip directory reaches beyond its end");
}

/* The counts of both records, since they must agree. */
static forge with_count(uint64_t count, forge_zip *z)
{
    members g = good();
    forge f = built(&g, z);

    forge_set_le(&f, z->end64 + 24, count, 8);
    forge_set_le(&f, z->end64 + 32, count, 8);
    forge_set_le(&f, z->end + 8, count < 0xffff ? count : 0xffff, 2);
    forge_set_le(&f, z->end + 10, count < 0xffff ? count : 0xffff, 2);
    return f;
}

static void counts_are_checked_before_memory_is_asked_for(void **state)
{
    forge_zip z;
    forge f = with_count(UINT64_MAX, &z);

    (void)state;
    assert_refused(&f, z.end, "18446744073709551615 members announced in a zip directory of");
    forge_free(&f);
    f = with_count(5, &z);
    assert_refused(&f, z.end, "5 members announced in a zip directory of 222 bytes");
    forge_free(&f);
    f = with_count(3, &z);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err,
                "bytes after the last member of the zip directory");
    forge_free(&f);
}

static forge of_members(size_t count)
{
    forge pickle = {0}, f = {0};
    forge_member *m = calloc(count, sizeof *m);
    char(*names)[32] = calloc(count, sizeof *names);

    pickle_state(&pickle, &tensor, 1, false);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "a/data/%zu", i);
        m[i] = (forge_member){.name = names[i]};
    }
    m[0] = (forge_member){.name = "a/data/0", .data = storage, .size = sizeof storage};
    m[1] = (forge_member){.name = "a/data.pkl", .data = pickle.data, .size = pickle.len};
    size_t *header = calloc(count, sizeof *header);
    for (size_t i = 0; i < count; i++) {
        header[i] = f.len;
        zip_local(&f, &m[i]);
    }
    size_t directory = f.len;
    for (size_t i = 0; i < count; i++)
        zip_central(&f, &m[i], header[i]);
    size_t end64 = f.len;
    forge tail = {0};
    (void)zip_make(&tail, m, 0); /* the three records of an empty zip */
    forge_put(&f, tail.data, tail.len);
    forge_set_le(&f, end64 + 24, count, 8);
    forge_set_le(&f, end64 + 32, count, 8);
    forge_set_le(&f, end64 + 40, end64 - directory, 8);
    forge_set_le(&f, end64 + 48, directory, 8);
    forge_set_le(&f, end64 + 56 + 8, end64, 8);
    forge_set_le(&f, end64 + 76 + 8, 0xffffffff, 4);
    forge_set_le(&f, end64 + 76 + 12, 0xffffffff, 4);
    forge_set_le(&f, end64 + 76 + 16, 0xffffffff, 4);
    forge_free(&tail);
    forge_free(&pickle);
    free(header);
    free(names);
    free(m);
    return f;
}

static void members_have_a_limit(void **state)
{
    (void)state;
    forge f = of_members(FORMATS_ZIP_MEMBERS_MAX);
    assert_accepted(&f, 1);
    forge_free(&f);
    f = of_members(FORMATS_ZIP_MEMBERS_MAX + 1);
    assert_refused(&f, f.len - 22, "131073 members in the zip file, at most 131072 allowed");
    forge_free(&f);
}

/* 15 */
static void a_wrong_checksum_is_seen(void **state)
{
    members g = good();

    (void)state;
    g.m[0].crc_xor = 1;
    assert_members_refused(&g, PAYLOAD_0, "zip member 'a/data.pkl' has CRC-32");
}

/* ---- members that a zip tool compressed ---- */

/* Raw deflate of n bytes. */
static forge deflated(const void *bytes, size_t n)
{
    forge f = {0};
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)bytes, .avail_in = (uInt)n};

    f.capacity = n + 1024;
    f.data = malloc(f.capacity);
    assert_non_null(f.data);
    z.next_out = f.data;
    z.avail_out = (uInt)f.capacity;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    f.len = z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return f;
}

static cistern_status forget(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)bytes;
    (void)err;
    *(size_t *)user += n;
    return CISTERN_OK;
}

/* The good file with member `which` compressed; the directory says `size` and `crc` more than is right. */
static cistern_status read_deflated(size_t which, uint64_t size, uint32_t crc, size_t cut, size_t *decoded,
                                    cistern_error *err)
{
    members g = good();
    forge_member *m = &g.m[which];
    forge packed = deflated(m->data, m->size), f = {0};
    uint32_t right = (uint32_t)crc32_z(0, m->data, m->size);
    uint64_t whole = m->size + size;
    m->method = 8;
    m->data = packed.data;
    m->size = packed.len - cut;
    m->crc_xor = (uint32_t)crc32_z(0, m->data, m->size) ^ right ^ crc;
    forge_zip z = zip_make(&f, g.m, g.n);
    size_t at = z.directory;
    for (size_t i = 0; i < which; i++)
        at += 46 + strlen(g.m[i].name) + g.m[i].extra_len;
    forge_set_le(&f, at + 24, whole, 4);
    model_index *index = NULL;
    guard_page page = guard_page_of(f.data, f.len);
    formats_file file = {.path = "w", .data = page.data, .size = f.len};
    formats_sink sink = {forget, decoded};
    cistern_status st = formats_read(&file, 1, &sink, &index, err);
    model_index_free(index);
    guard_page_free(&page);
    forge_free(&packed);
    forge_free(&g.pickle);
    forge_free(&f);
    return st;
}

static void compressed_members_are_unpacked(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    size_t decoded = 0;

    (void)state;
    assert_ok(read_deflated(0, 0, 0, 0, &decoded, &err), &err);
    assert_int_equal(decoded, 0); /* the pickle is read from memory */
    assert_ok(read_deflated(2, 0, 0, 0, &decoded, &err), &err);
    assert_true(decoded > 64);
}

static void what_unpacks_to_something_else_is_refused(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    size_t decoded = 0;
    static const size_t members_compressed[] = {0, 2};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t which = members_compressed[i];
        assert_says(read_deflated(which, 0, 1, 0, &decoded, &err), CISTERN_UNREADABLE, &err,
                    "the file is damaged");
        assert_true(err.has_offset);
        err = (cistern_error)CISTERN_ERROR_INIT;
        assert_fails(read_deflated(which, 0, 0, 1, &decoded, &err), CISTERN_UNREADABLE, &err);
        err = (cistern_error)CISTERN_ERROR_INIT;
    }
    assert_says(read_deflated(0, 1, 0, 0, &decoded, &err), CISTERN_UNREADABLE, &err, "the file is damaged");
    assert_says(read_deflated(0, (uint64_t)-1, 0, 0, &decoded, &err), CISTERN_UNREADABLE, &err,
                "the file is damaged");
    assert_says(read_deflated(0, FORMATS_UNPACKED_MAX, 0, 0, &decoded, &err), CISTERN_UNREADABLE, &err,
                "is compressed and unpacks to");
}

/* A compressed member of this many bytes, the rest as it should be. */
static void unpacked_says(size_t which, const void *bytes, size_t n, const char *part, int line)
{
    members g = good();
    forge packed = deflated(bytes, n), f = {0};
    forge_member *m = &g.m[which];
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    uint32_t right = (uint32_t)crc32_z(0, bytes, n);
    size_t decoded = 0;

    m->method = 8;
    m->data = packed.data;
    m->size = packed.len;
    m->crc_xor = (uint32_t)crc32_z(0, m->data, m->size) ^ right;
    forge_zip z = zip_make(&f, g.m, g.n);
    size_t at = z.directory;
    for (size_t i = 0; i < which; i++)
        at += 46 + strlen(g.m[i].name) + g.m[i].extra_len;
    forge_set_le(&f, at + 24, n, 4);
    formats_file file = {.path = "w", .data = f.data, .size = f.len};
    formats_sink sink = {forget, &decoded};
    assert_message_has(formats_read(&file, 1, &sink, &index, &err), CISTERN_UNREADABLE, &err, part, __FILE__,
                       line);
    forge_free(&packed);
    forge_free(&g.pickle);
    forge_free(&f);
}

/* A pickle that is one long text: unpacked it is no state_dict, above the limit it is not unpacked. */
static void a_pickle_unpacks_to_as_much_as_allowed_and_one_byte_more(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        size_t n = FORMATS_UNPACKED_MAX + more;
        forge pickle = {0};
        FORGE(&pickle, "\x80\x02X");
        forge_le(&pickle, n - 8, 4);
        forge_zeros(&pickle, 1);
        pickle.data = realloc(pickle.data, n);
        assert_non_null(pickle.data);
        memset(pickle.data + 7, 'a', n - 8);
        pickle.data[n - 1] = '.';
        unpacked_says(0, pickle.data, n, more ? "is compressed and unpacks to" : "tensors", __LINE__);
        forge_free(&pickle);
    }
}

static void a_byte_order_unpacks_to_as_much_as_allowed_and_one_byte_more(void **state)
{
    char text[66];

    (void)state;
    memset(text, 'b', sizeof text);
    unpacked_says(1, text, 64, "byte order 'bbbbbbbbbbbbbbbb', only 'little' is read", __LINE__);
    unpacked_says(1, text, 65, "is compressed and unpacks to", __LINE__);
}

static void byte_order_must_be_little(void **state)
{
    members g = good();
    forge_zip z;

    (void)state;
    g.m[1].data = "big";
    g.m[1].size = 3;
    forge f = built(&g, &z);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err,
                "byte order 'big', only 'little' is read");
    forge_free(&f);
}

static void other_zips_are_told(void **state)
{
    members g = good();

    (void)state;
    g.m[0].name = "a/other.pkl";
    assert_members_refused(&g, NOWHERE, "a zip file, but PyTorch did not write it (no data.pkl inside)");
    g = good();
    g.m[0].name = "arr_0.npy";
    assert_members_refused(&g, NOWHERE, "a NumPy .npz file, which this version does not read");
    g = good();
    g.m[0].name = "a/model.weights.h5";
    assert_members_refused(&g, NOWHERE, "a zip file with the members of a Keras .keras file in a directory");
    g = good();
    g.m[0].name = "model.weights.h5";
    g.m[0].method = 8;
    assert_members_refused(&g, HEADER_0,
                           "'model.weights.h5': it is compressed, which Keras itself never does to it");
    g = good();
    g.m[0].name = "model.weights.h5";
    assert_members_refused(&g, PAYLOAD_0, "'model.weights.h5': not an HDF5 file, or cut short");
    g = good();
    g.m[1].name = "a/constants.pkl";
    assert_members_refused(&g, HEADER_0, "a TorchScript file (it holds code, which is never run)");
}

/* A storage of 4 GiB or more is announced in the zip64 extra field; here one that lies about it. */
static void zip64_sizes_are_read_from_the_extra_field(void **state)
{
    members g = good();
    forge_zip z;
    uint8_t extra[20] = {1, 0, 16, 0};

    (void)state;
    extra[4] = extra[12] = sizeof storage;
    g.m[2].extra = extra;
    g.m[2].extra_len = sizeof extra;
    g.m[2].size_add = 0xffffffff - (uint32_t)sizeof storage;
    forge f = built(&g, &z);
    assert_accepted(&f, 1);
    forge_free(&f);
    g = good();
    extra[11] = extra[19] = 1;
    g.m[2].extra = extra;
    g.m[2].extra_len = sizeof extra;
    g.m[2].size_add = 0xffffffff - (uint32_t)sizeof storage;
    f = built(&g, &z);
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    assert_says(weight_read(f.data, f.len, &index, &err), CISTERN_UNREADABLE, &err,
                "zip member 'a/data/0' of 72057594037927960 bytes reaches into the directory");
    forge_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_read),
        cmocka_unit_test(zip64_is_not_required),
        cmocka_unit_test(overlaps_are_refused),
        cmocka_unit_test(two_names_for_the_same_bytes_are_refused),
        cmocka_unit_test(members_stay_out_of_the_directory),
        cmocka_unit_test(headers_that_differ_are_refused),
        cmocka_unit_test(strange_members_are_refused),
        cmocka_unit_test(entries_that_contradict_themselves_are_refused),
        cmocka_unit_test(names_come_once),
        cmocka_unit_test(names_that_are_paths_are_refused),
        cmocka_unit_test(member_names_have_a_limit),
        cmocka_unit_test(end_records_have_one_meaning),
        cmocka_unit_test(counts_are_checked_before_memory_is_asked_for),
        cmocka_unit_test(members_have_a_limit),
        cmocka_unit_test(a_wrong_checksum_is_seen),
        cmocka_unit_test(compressed_members_are_unpacked),
        cmocka_unit_test(what_unpacks_to_something_else_is_refused),
        cmocka_unit_test(a_pickle_unpacks_to_as_much_as_allowed_and_one_byte_more),
        cmocka_unit_test(a_byte_order_unpacks_to_as_much_as_allowed_and_one_byte_more),
        cmocka_unit_test(byte_order_must_be_little),
        cmocka_unit_test(other_zips_are_told),
        cmocka_unit_test(zip64_sizes_are_read_from_the_extra_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
