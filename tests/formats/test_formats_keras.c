/* Keras files that are refused, and ones that were damaged in one place: messages, bytes, limits. */
#include <fcntl.h>
#include "base_map.h"
#include "formats_limits.h"
#include "weight_read.h"

#define KERAS CISTERN_TEST_DATA "/formats/data/keras/"
#define SEEDS CISTERN_TEST_DATA "/fuzz/corpus/formats_hdf5/"
#define CUTS  200

static cistern_status count_bytes(void *user, const void *bytes, size_t n, cistern_error *err)
{
    uint64_t *total = user;
    volatile uint8_t sum = 0;

    (void)err;
    for (size_t i = 0; i < n; i++) /* what is written can be read */
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    *total += n;
    return CISTERN_OK;
}

static base_map map_path(const char *dir, const char *name)
{
    char path[1024];
    base_map map = {0};
    cistern_error err = CISTERN_ERROR_INIT;

    (void)snprintf(path, sizeof path, "%s%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        print_error("%s is missing\n", path);
    assert_true(fd >= 0);
    assert_ok(base_map_fd(fd, &map, &err), &err);
    close(fd);
    return map;
}

/* Read bytes that end at a guard page; decoded tensors are counted. */
static cistern_status read_bytes(const uint8_t *bytes, size_t n, model_index **out, uint64_t *decoded,
                                 cistern_error *err)
{
    guard_page g = guard_page_of(bytes, n);
    formats_file file = {.path = "w", .data = g.data, .size = n};
    formats_sink sink = {count_bytes, decoded};
    cistern_status st = formats_read(&file, 1, &sink, out, err);

    guard_page_free(&g);
    return st;
}

/* ---- damage in one place ---- */

/* A seed that can be written to. */
static forge seed(const char *name)
{
    base_map map = map_path(SEEDS, name);
    forge f = {0};

    forge_put(&f, map.data, map.size);
    base_map_clear(&map);
    return f;
}

/* Where the n-th (from 0) of these bytes is. */
static size_t find(const forge *f, const void *bytes, size_t len, unsigned n)
{
    for (size_t i = 0; i + len <= f->len; i++) {
        if (memcmp(f->data + i, bytes, len) == 0 && n-- == 0)
            return i;
    }
    fail_msg("the seed has no such bytes");
    return 0;
}
#define FIND(f, literal, n) find(f, literal, sizeof(literal) - 1, n)

static void damaged_refused(forge *f, uint64_t offset, const char *part, int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;
    uint64_t decoded = 0;
    cistern_status st = read_bytes(f->data, f->len, &index, &decoded, &err);

    assert_message_has(st, CISTERN_UNREADABLE, &err, part, __FILE__, line);
    if (offset != (err.has_offset ? err.offset : NO_OFFSET)) {
        print_error("byte %lld is at fault, %lld was expected: %s\n",
                    err.has_offset ? (long long)err.offset : -1, (long long)offset, err.text);
        _fail(__FILE__, line);
    }
    assert_null(index);
    forge_free(f);
}
#define assert_damaged(f, offset, part) damaged_refused(f, offset, part, __LINE__)

static void superblocks_are_checked(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    forge_set_le(&f, 8, 4, 1);
    assert_damaged(&f, 8, "an HDF5 superblock of version 4, 0 to 3 are read");
    f = seed("fixed.h5");
    forge_set_le(&f, 13, 4, 1);
    assert_damaged(&f, 13, "addresses of 4 and lengths of 8 bytes, 8 and 8 are read");
    f = seed("fixed.h5");
    forge_set_le(&f, 24, 1ull << 63, 8);
    assert_damaged(&f, 24, "a base address of 9223372036854775808, 0 is read");
    f = seed("fixed.h5");
    uint64_t size = f.len;
    forge_set_le(&f, 40, size + 1, 8);
    assert_damaged(&f, 40, "it is cut short");
    f = seed("fixed.h5");
    forge_set_le(&f, 64, size - 3, 8);
    assert_damaged(&f, size - 3, "an object header at address");
    f = seed("fixed.h5");
    forge_set_le(&f, 64, 0, 8);
    assert_damaged(&f, 0, "no object header where one should be");
    f = seed("latest.h5");
    forge_set_le(&f, 36, UINT64_MAX, 8);
    assert_damaged(&f, f.len, "an object header at address 18446744073709551615");
}

static void a_b_tree_that_is_its_own_child_ends(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    size_t tree = FIND(&f, "TREE", 0);
    forge_set_le(&f, tree + 5, 1, 1); /* level 1: its children are nodes */
    forge_set_le(&f, tree + 32, tree, 8);
    assert_damaged(&f, tree, "a B-tree node of level 1 where it should be 0: a loop?");
    f = seed("fixed.h5");
    forge_set_le(&f, tree + 5, FORMATS_HDF5_DEPTH_MAX, 1);
    assert_damaged(&f, tree, "a B-tree node of level 16 where it should be below 16");
    f = seed("fixed.h5");
    forge_set_le(&f, tree + 32, tree, 8);
    assert_damaged(&f, tree, "no symbol node where a group should have one");
    f = seed("fixed.h5");
    forge_set_le(&f, tree + 6, 65535, 2);
    assert_damaged(&f, tree + 24, "a B-tree node at address");
}

static void names_lie_in_their_heap(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    size_t node = FIND(&f, "SNOD", 0), heap = FIND(&f, "HEAP", 0);
    uint64_t size = (uint64_t)f.data[heap + 8];
    forge_set_le(&f, node + 8, size, 8);
    assert_damaged(&f, node + 8, "a member's name is byte");
    f = seed("fixed.h5");
    forge_set_le(&f, heap + 24, f.len, 8); /* its data */
    assert_damaged(&f, f.len, "a heap of names at address");
    f = seed("fixed.h5");
    forge_set_le(&f, node, 0, 1);
    assert_damaged(&f, node, "no symbol node");
    f = seed("fixed.h5");
    forge_set_le(&f, heap, 0, 1);
    assert_damaged(&f, heap, "no heap of names");
    f = seed("fixed.h5");
    forge_set_le(&f, node + 8 + 40, (uint64_t)f.data[node + 8], 8); /* two members, one name */
    assert_damaged(&f, node + 8 + 40, "two members of a group are called 'c'");
    f = seed("fixed.h5");
    forge_set_le(&f, node + 6, 65535, 2);
    assert_damaged(&f, node + 8, "a symbol node at address");
}

/* The first continuation of the first object header that has one, turned back onto itself. */
static void continuations_in_a_loop_end(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    uint64_t root = f.data[64];
    /* message 0 of the root is its symbol table: called a continuation of this very block now */
    forge_set_le(&f, root + 16, 0x10, 2);
    forge_set_le(&f, root + 24, root + 16, 8);
    forge_set_le(&f, root + 32, 24, 8);
    forge_set_le(&f, root + 2, 65535, 2); /* messages */
    assert_damaged(&f, root + 24, "goes on in more than 256 blocks: a loop?");
    f = seed("fixed.h5");
    forge_set_le(&f, root + 18, 0xfff8, 2);
    assert_damaged(&f, root + 24, "a message of 65528 bytes reaches beyond its object header's block");
}

/* The layout message (type 8, 24 bytes) of the n-th dataset: its content. */
static size_t layout_of(const forge *f, unsigned n)
{
    return FIND(f, "\x08\0\x18\0\x00\0\0\0\x03", n) + 8;
}

static void places_of_datasets_are_checked(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    size_t layout = layout_of(&f, 0);
    forge_set_le(&f, layout + 10, 215, 8);
    assert_damaged(&f, layout, "a dataset of 215 bytes, but its shape takes 216");
    f = seed("fixed.h5");
    forge_set_le(&f, layout + 2, UINT64_MAX, 8);
    assert_damaged(&f, layout, "a dataset without bytes (unallocated)");
    f = seed("fixed.h5");
    forge_set_le(&f, layout + 2, f.len - 215, 8);
    assert_damaged(&f, layout, "reaches beyond the file's");
    f = seed("fixed.h5");
    forge_set_le(&f, layout, 5, 1);
    assert_damaged(&f, layout, "a dataset with a layout of version 5");
    f = seed("fixed.h5");
    forge_set_le(&f, layout + 1, 7, 1);
    assert_damaged(&f, layout, "a dataset of layout class 7");
}

static void shapes_and_types_are_checked(void **state)
{
    static const uint64_t shape[] = {3, 3, 3, 2};
    size_t at, layout;

    (void)state;
    forge f = seed("fixed.h5");
    at = find(&f, shape, sizeof shape, 0);
    layout = layout_of(&f, 0);
    forge_set_le(&f, at, 1000000000000, 8);
    assert_damaged(&f, layout, "a dataset of 216 bytes, but its shape takes 72000000000000");
    f = seed("fixed.h5");
    forge_set_le(&f, at, 1ull << 62, 8);
    assert_damaged(&f, layout, "a dataset whose");
    f = seed("fixed.h5");
    size_t type = FIND(&f, "\x11\x20\x1f\0\x04\0\0\0", 0);
    forge_set_le(&f, type + 4, 0, 4);
    assert_damaged(&f, type, "a datatype whose elements have 0 bytes");
    f = seed("fixed.h5");
    forge_set_le(&f, type + 4, 3,
                 4); /* an F32 of 3 bytes is no number of ours: the layer has no kernel then */
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    uint64_t decoded = 0;
    assert_ok(read_bytes(f.data, f.len, &index, &decoded, &err), &err);
    assert_null(model_index_find(index, "c/c/kernel:0"));
    model_index_free(index);
    forge_free(&f);
}

static void texts_lie_in_their_collection(void **state)
{
    (void)state;
    forge f = seed("variable.h5");
    size_t collection = FIND(&f, "GCOL", 0), names = FIND(&f, "layer_names", 0);
    uint64_t address = collection;
    size_t reference = names;
    while (memcmp(f.data + reference, &address, 8) != 0)
        reference++;
    forge_set_le(&f, reference + 8, 60000, 4);
    assert_damaged(&f, reference - 4, "object 60000 of a collection of the global heap that has none");
    f = seed("variable.h5");
    forge_set_le(&f, reference - 4, 4000000000, 4);
    assert_damaged(&f, reference - 4, "a text of 4000000000 bytes in an object of");
    f = seed("variable.h5");
    forge_set_le(&f, reference, f.len - 8, 8);
    assert_damaged(&f, f.len - 8, "a collection of the global heap at address");
    f = seed("variable.h5");
    forge_set_le(&f, reference, 0, 8);
    assert_damaged(&f, 0, "no collection of the global heap where a text should lie");
    f = seed("variable.h5");
    forge_set_le(&f, collection + 8, 1ull << 63, 8);
    assert_damaged(&f, collection, "no collection of the global heap");
}

/* A chunk's key: size, mask, offsets of 4 axes and the element's. */
static void chunks_are_checked(void **state)
{
    (void)state;
    forge f = seed("gzip.h5");
    size_t tree = FIND(&f, "TREE\x01", 0), key = tree + 24;
    uint64_t chunk = 0;
    memcpy(&chunk, f.data + key + 48, 8);
    forge_set_le(&f, key, f.len, 4);
    assert_damaged(&f, chunk, "a chunk of");
    f = seed("gzip.h5");
    f.data[chunk + 4] ^= 0xff;
    assert_damaged(&f, chunk, "a compressed chunk does not unpack to the");
    f = seed("gzip.h5");
    forge_set_le(&f, key + 4, 2, 4); /* filter 1, deflate, was left out */
    assert_damaged(&f, chunk, "bytes, 216 are needed");
    f = seed("gzip.h5");
    forge_set_le(&f, key + 8, 1, 8);
    assert_damaged(&f, key, "a chunk that begins at 1 of axis 0");
    f = seed("gzip.h5");
    forge_set_le(&f, key + 8, 3, 8);
    assert_damaged(&f, key, "a chunk that begins at 3 of axis 0, which has 3");
    f = seed("gzip.h5");
    forge_set_le(&f, tree + 6, 0, 2);
    assert_damaged(&f, tree, "chunk 0 of 1 is not there (unallocated), or there twice");
    f = seed("gzip.h5");
    forge_set_le(&f, tree + 5, 3, 1);
    forge_set_le(&f, key + 48, tree, 8);
    assert_damaged(&f, tree, "a B-tree node of chunks of level 3 where it should be 2: a loop?");
}

/* A root whose block is read again and again, 2 MiB each time. */
static void work_has_a_limit(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    uint64_t root = f.data[64];
    size_t end = f.len;
    forge_zeros(&f, 24 + (2 << 20));
    forge_set_le(&f, 40, f.len, 8);
    forge_set_le(&f, root + 16, 0x10, 2);
    forge_set_le(&f, root + 24, end, 8);
    forge_set_le(&f, root + 32, 24 + (2 << 20), 8);
    forge_set_le(&f, root + 2, 65535, 2);
    forge_set_le(&f, end, 0x10, 2);
    forge_set_le(&f, end + 2, 16, 2);
    forge_set_le(&f, end + 8, end, 8);
    forge_set_le(&f, end + 16, 24 + (2 << 20), 8);
    for (size_t at = end + 24; at + 65536 <= f.len; at += 65536)
        forge_set_le(&f, at + 2, 65528, 2); /* messages of no interest */
    assert_damaged(&f, end, "its structures go on for more than 268435456 bytes: do they form a loop?");
}

/* One symbol node of 65,535 members, twice in its tree. */
static void groups_have_a_limit(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    size_t tree = FIND(&f, "TREE", 0), node = f.len;
    uint64_t name = f.data[FIND(&f, "SNOD", 0) + 8];
    FORGE(&f, "SNOD\x01\x00\xff\xff");
    for (unsigned i = 0; i < 65535; i++) {
        forge_le(&f, name, 8);
        forge_zeros(&f, 32);
    }
    forge_set_le(&f, tree + 6, 2, 2);
    forge_set_le(&f, tree + 32, node, 8);
    forge_set_le(&f, tree + 48, node, 8);
    assert_damaged(&f, node + 8 + 40, "a group of more than 65536 members");
    f = seed("fixed.h5");
    forge_set_le(&f, tree + 4, 1, 1);
    assert_damaged(&f, tree, "no B-tree node where a group should have one");
}

static void layouts_are_checked(void **state)
{
    (void)state;
    forge f = seed("gzip.h5");
    size_t layout = FIND(&f, "\x03\x02\x05", 0); /* version, chunked, dimensions */
    forge_set_le(&f, layout + 2, 1, 1);
    assert_damaged(&f, layout, "chunks of 1 dimensions, 2 to 9 are read");
    f = seed("gzip.h5");
    forge_set_le(&f, layout + 2, 4, 1);
    assert_damaged(&f, layout, "chunks of 3 dimensions and 2 bytes per element for a dataset of 4 and 4");
    f = seed("gzip.h5");
    forge_set_le(&f, layout + 11, 0, 4);
    assert_damaged(&f, layout, "chunks of 0 elements");
    f = seed("gzip.h5");
    forge_set_le(&f, layout + 11, UINT32_MAX, 4);
    forge_set_le(&f, layout + 15, UINT32_MAX, 4);
    forge_set_le(&f, layout + 19, UINT32_MAX, 4);
    assert_damaged(&f, layout, "chunks of 18446744073709551615 elements");
    f = seed("gzip.h5");
    forge_set_le(&f, layout + 1, 1, 1); /* contiguous, with filters */
    assert_damaged(&f, layout, "a dataset with filters that is not in chunks");
    f = seed("compact.h5");
    layout = FIND(&f, "\x03\x00\xd8\x00", 0); /* version, compact, 216 bytes */
    forge_set_le(&f, layout + 2, 215, 2);
    assert_damaged(&f, layout, "a dataset of 215 bytes, but its shape takes 216");
    f = seed("compact.h5");
    forge_set_le(&f, layout + 2, 60000, 2);
    assert_damaged(&f, layout, "a dataset's layout message that is cut");
    f = seed("compact.h5");
    forge_set_le(&f, layout - 6, 4, 2); /* the message's own size */
    assert_damaged(&f, layout, "a dataset's layout message that is cut");
}

static void filter_pipelines_are_checked(void **state)
{
    (void)state;
    forge f = seed("gzip.h5");
    size_t filters = FIND(&f, "\x01\x02\0\0\0\0\0\0\x02\0", 0); /* version 1, two, the first is shuffle */
    forge_set_le(&f, filters, 3, 1);
    assert_damaged(&f, filters, "a filter pipeline of version 3, 1 and 2 are read");
    f = seed("gzip.h5");
    forge_set_le(&f, filters + 8, 1, 2); /* deflate twice */
    assert_damaged(&f, filters + 32, "filter 1 (deflate) at place 2; shuffle, then deflate are read");
    f = seed("gzip.h5");
    forge_set_le(&f, filters + 1, 9, 1);
    assert_damaged(&f, filters, "a filter pipeline that is cut");
}

static void attributes_are_checked(void **state)
{
    (void)state;
    forge f = seed("fixed.h5");
    size_t name = FIND(&f, "layer_names", 0), attribute = name - 8;
    forge_set_le(&f, attribute, 4, 1);
    assert_damaged(&f, attribute, "an attribute that is cut or of another version than 1 to 3");
    f = seed("fixed.h5");
    forge_set_le(&f, attribute + 2, 60000, 2);
    assert_damaged(&f, attribute, "an attribute whose parts reach beyond it");
    f = seed("fixed.h5");
    forge_set_le(&f, attribute - 4, 2, 1); /* the message's flags */
    assert_damaged(&f, attribute, "a shared attribute");
    f = seed("fixed.h5");
    size_t type = name + 16, space = type + 8;
    forge_set_le(&f, attribute + 4, 4, 2);
    assert_damaged(&f, type, "a datatype of 4 bytes, 8 are needed");
    f = seed("fixed.h5");
    forge_set_le(&f, space, 3, 1);
    assert_damaged(&f, space, "a dataspace that is cut or of another version than 1 and 2");
    f = seed("fixed.h5");
    forge_set_le(&f, space + 8, 1u << 30, 8);
    assert_damaged(&f, space + 24, "attribute 'layer_names' has 1073741824 texts of 1 bytes each");
    f = seed("fixed.h5");
    forge_set_le(&f, space + 1, 8, 1);
    assert_damaged(&f, space, "a dataspace of 8 dimensions that is cut");
}

static void link_messages_are_checked(void **state)
{
    (void)state;
    forge f = seed("latest.h5");
    size_t link = FIND(&f,
                       "\x06\x0c\0\0\x01\0\x01"
                       "c",
                       0),
           at = link + 4; /* type, size, flags; version … */
    forge_set_le(&f, at, 2, 1);
    assert_damaged(&f, at, "a link message that is cut or of another version than 1");
    f = seed("latest.h5");
    forge_set_le(&f, at + 2, 200, 1); /* its name's length */
    assert_damaged(&f, at, "a link message whose name reaches beyond it");
}

/* ---- whole files ---- */

static void what_h5py_can_write_but_no_vgg_has_is_refused(void **state)
{
    char line[512];
    size_t count = 0;
    base_map list = map_path(KERAS "refused/", "refused.txt");
    FILE *file = fmemopen((void *)(uintptr_t)list.data, list.size, "r");

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *bar = strstr(line, " | ");
        if (strncmp(line, "refuse ", 7) != 0 || !bar)
            continue;
        *bar = 0;
        bar[strcspn(bar + 3, "\n") + 3] = 0;
        base_map map = map_path(KERAS "refused/", line + 7);
        model_index *index = NULL;
        uint64_t decoded = 0;
        cistern_error err = CISTERN_ERROR_INIT;
        assert_says(read_bytes(map.data, map.size, &index, &decoded, &err), CISTERN_UNREADABLE, &err,
                    bar + 3);
        base_map_clear(&map);
        count++;
    }
    fclose(file);
    base_map_clear(&list);
    assert_int_equal(count, 27);
}

/* Cut at 200 places each: refused with a message, whatever the kind. */
static void cut_anywhere_is_refused(void **state)
{
    static const char *const names[] = {"keras1_theano.h5",      "keras2_gzip.h5", "keras2_odd_chunks.h5",
                                        "keras2_latest.h5",      "keras3.keras",   "keras3.weights.h5",
                                        "keras3_nested_model.h5"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        base_map map = map_path(KERAS, names[i]);
        for (size_t cut = 0; cut < CUTS; cut++) {
            model_index *index = NULL;
            uint64_t decoded = 0;
            cistern_error err = CISTERN_ERROR_INIT;
            assert_fails(read_bytes(map.data, map.size * cut / CUTS, &index, &decoded, &err),
                         CISTERN_UNREADABLE, &err);
            assert_string_not_equal(err.text, "");
        }
        base_map_clear(&map);
    }
}

/* Tensors that need decoding, and nobody to take them. */
static void without_a_sink_plain_files_only(void **state)
{
    cistern_error err = CISTERN_ERROR_INIT;
    model_index *index = NULL;

    (void)state;
    base_map map = map_path(SEEDS, "gzip.h5");
    assert_says(weight_read(map.data, map.size, &index, &err), CISTERN_UNREADABLE, &err,
                "tensor 'c/c/kernel:0' does not lie plain in the file");
    base_map_clear(&map);
    map = map_path(SEEDS, "fixed.h5");
    assert_ok(weight_read(map.data, map.size, &index, &err), &err);
    assert_int_equal(model_index_file_count(index), 1);
    model_index_free(index);
    base_map_clear(&map);
}

/* ---- values ---- */

/* A sink that keeps all. */
static cistern_status keep(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)err;
    forge_put(user, bytes, n);
    return CISTERN_OK;
}

static float element(const model_tensor *t, const uint8_t *bytes, const uint64_t *at)
{
    uint64_t place = 0;

    for (uint32_t i = 0; i < t->rank; i++)
        place += at[i] * t->stride[i];
    return (float)model_dtype_get(t->dtype, bytes + t->offset + place * model_dtype_bytes(t->dtype));
}

/* The seeds' kernels count 0, 1, 2 … as they lie; each kind must give the same element at the same place. */
static void check_kernel(const char *name, bool oihw, bool turned)
{
    base_map map = map_path(SEEDS, name);
    formats_file file = {.path = name, .data = map.data, .size = map.size};
    forge decoded = {0};
    formats_sink sink = {keep, &decoded};
    model_index *index = NULL;
    cistern_error err = CISTERN_ERROR_INIT;

    assert_ok(formats_read(&file, 1, &sink, &index, &err), &err);
    const model_tensor *t = model_index_find(index, "c/c/kernel:0");
    assert_non_null(t);
    for (uint64_t i = 0; i < 54; i++) {
        uint64_t at[4], rest = i;
        for (uint32_t d = 4; d-- > 0;) {
            at[d] = rest % t->shape[d];
            rest /= t->shape[d];
        }
        for (uint32_t d = oihw ? 2 : 0; turned && d < (oihw ? 4u : 2u); d++)
            at[d] = 2 - at[d];
        assert_true(element(t, t->file ? decoded.data : map.data, at) == (float)i);
    }
    if (t->file) /* 64-byte aligned, in a file that is safetensors itself */
        assert_int_equal(t->offset % 64, 0);
    model_index_free(index);
    forge_free(&decoded);
    base_map_clear(&map);
}

static void kernels_come_out_element_by_element(void **state)
{
    (void)state;
    check_kernel("fixed.h5", false, false);
    check_kernel("variable.h5", false, false);
    check_kernel("latest.h5", false, false);
    check_kernel("compact.h5", false, false);
    check_kernel("big_endian.h5", false, false);
    check_kernel("gzip.h5", false, false);
    check_kernel("chunks.h5", false, true);
    check_kernel("theano.h5", false, true);
    check_kernel("keras1.h5", true, true);
}

/* What was decoded is a safetensors file with the same tensors. */
static void the_decoded_file_is_safetensors(void **state)
{
    base_map map = map_path(KERAS, "keras2_odd_chunks.h5");
    formats_file file = {.path = "w", .data = map.data, .size = map.size};
    forge decoded = {0};
    formats_sink sink = {keep, &decoded};
    model_index *index = NULL, *again = NULL;
    cistern_error err = CISTERN_ERROR_INIT;
    size_t same = 0;

    (void)state;
    assert_ok(formats_read(&file, 1, &sink, &index, &err), &err);
    assert_int_equal(model_index_file_size(index, 1), decoded.len);
    assert_ok(weight_read(decoded.data, decoded.len, &again, &err), &err);
    for (size_t i = 0; i < model_index_count(index); i++) {
        const model_tensor *t = model_index_peek(index, i), *u = model_index_find(again, t->name);
        if (t->file == 0 || !u) /* a view */
            continue;
        assert_int_equal(t->offset, u->offset);
        assert_memory_equal(t->shape, u->shape, sizeof t->shape);
        same++;
    }
    assert_int_equal(same, 22);
    model_index_free(again);
    model_index_free(index);
    forge_free(&decoded);
    base_map_clear(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superblocks_are_checked),
        cmocka_unit_test(a_b_tree_that_is_its_own_child_ends),
        cmocka_unit_test(names_lie_in_their_heap),
        cmocka_unit_test(continuations_in_a_loop_end),
        cmocka_unit_test(places_of_datasets_are_checked),
        cmocka_unit_test(shapes_and_types_are_checked),
        cmocka_unit_test(texts_lie_in_their_collection),
        cmocka_unit_test(chunks_are_checked),
        cmocka_unit_test(groups_have_a_limit),
        cmocka_unit_test(layouts_are_checked),
        cmocka_unit_test(filter_pipelines_are_checked),
        cmocka_unit_test(attributes_are_checked),
        cmocka_unit_test(link_messages_are_checked),
        cmocka_unit_test(work_has_a_limit),
        cmocka_unit_test(what_h5py_can_write_but_no_vgg_has_is_refused),
        cmocka_unit_test(cut_anywhere_is_refused),
        cmocka_unit_test(without_a_sink_plain_files_only),
        cmocka_unit_test(kernels_come_out_element_by_element),
        cmocka_unit_test(the_decoded_file_is_safetensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
