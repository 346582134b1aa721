/* HDF5 and Keras at their limits: as much as is allowed is read, one more is refused with its message and place. */
#include "formats_limits.h"
#include "hdf5_forge.h"
#include "priv/formats_hdf5.h"
#include "weight_read.h"

static const uint64_t two[] = {2};

static cistern_status count_bytes(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)bytes;
    (void)err;
    *(uint64_t *)user += n;
    return CISTERN_OK;
}

static cistern_status read_forge(forge *f, size_t *tensors, uint64_t *decoded, cistern_error *err)
{
    guard_page g = guard_page_of(f->data, f->len);
    formats_file file = {.path = "w", .data = g.data, .size = f->len};
    formats_sink sink = {count_bytes, decoded};
    model_index *index = NULL;
    cistern_status st = formats_read(&file, 1, &sink, &index, err);

    *tensors = st ? 0 : model_index_count(index);
    model_index_free(index);
    guard_page_free(&g);
    forge_free(f);
    return st;
}

/* As much as is allowed: so many tensors, and so many bytes decoded (0: none). */
static void at_limit(forge f, size_t tensors, uint64_t payload, int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    size_t count;
    uint64_t decoded = 0;
    cistern_status st = read_forge(&f, &count, &decoded, &err);

    assert_status_is(st, CISTERN_OK, &err, __FILE__, line);
    _assert_int_equal(count, tensors, __FILE__, line);
    if (payload) /* and the header, at most a few lines */
        assert_true(decoded > payload && decoded < payload + 1024);
    else
        assert_int_equal(decoded, 0);
}
#define assert_at_limit(f, tensors, payload) at_limit(f, tensors, payload, __LINE__)

static void above_limit(forge f, const char *part, int line)
{
    cistern_error err = CISTERN_ERROR_INIT;
    size_t count;
    uint64_t decoded = 0;

    assert_message_has(read_forge(&f, &count, &decoded, &err), CISTERN_UNREADABLE, &err, part, __FILE__,
                       line);
}
#define assert_above_limit(f, part) above_limit(f, part, __LINE__)

/* Finish a file whose layer "a" has the weight "w", the dataset at this address. */
static forge with_weight(forge f, uint64_t dataset)
{
    hdf5_object layer = {.count = 0}, root = {.count = 0};

    hdf5_link(&layer, "w", dataset);
    hdf5_texts(&layer, "weight_names", "w", 1, 1);
    uint64_t group = hdf5_put(&f, &layer);
    hdf5_link(&root, "a", group);
    hdf5_texts(&root, "layer_names", "a", 1, 1);
    hdf5_finish(&f, hdf5_put(&f, &root));
    return f;
}

/* ---- structures ---- */

/* A root that goes on and on, and has its members in the last of `blocks` blocks. */
static forge of_blocks(unsigned blocks)
{
    forge f = {0};
    hdf5_object layer = {.count = 0}, root = {.count = 0};
    uint64_t next[2] = {0, 24}; /* address and bytes of the continuation */

    hdf5_begin(&f);
    hdf5_link(&layer, "w", hdf5_dataset(&f, two, 1, 0));
    hdf5_texts(&layer, "weight_names", "w", 1, 1);
    hdf5_link(&root, "a", hdf5_put(&f, &layer));
    hdf5_texts(&root, "layer_names", "a", 1, 1);
    uint64_t at = f.len + 16 + 24; /* behind the root's own block, which has one message */
    hdf5_object first = {.count = 0};
    next[0] = at;
    next[1] = blocks == 2 ? root.messages.len : 24;
    hdf5_message(&first, 0x10, next, 16);
    uint64_t address = hdf5_put(&f, &first);
    forge_set_le(&f, address + 2, 65535, 2); /* messages, those of all blocks */
    for (unsigned i = 2; i < blocks; i++) {
        hdf5_object more = {.count = 0};
        at += 24;
        next[0] = at;
        next[1] = i + 1 == blocks ? root.messages.len : 24;
        hdf5_message(&more, 0x10, next, 16);
        forge_put(&f, more.messages.data, more.messages.len);
        forge_free(&more.messages);
    }
    forge_put(&f, root.messages.data, root.messages.len);
    forge_free(&root.messages);
    hdf5_finish(&f, address);
    return f;
}

static void headers_of_as_many_blocks_as_allowed_and_one_more(void **state)
{
    (void)state;
    assert_at_limit(of_blocks(FORMATS_HDF5_BLOCKS_MAX), 1, 0);
    assert_above_limit(of_blocks(FORMATS_HDF5_BLOCKS_MAX + 1), "goes on in more than 256 blocks");
}

/* An old group's names, and its symbol nodes, with `count` members called 000000, 000001 …; all but "a", the layer, are
 * nothing. Returns the address of a list of nodes' addresses, and how many there are. */
static uint64_t put_heap(forge *f, unsigned count)
{
    uint64_t heap = f->len, names = heap + 32;
    char name[8];

    FORGE(f, "HEAP");
    forge_zeros(f, 4);
    forge_le(f, (uint64_t)count * 8, 8);
    forge_zeros(f, 8);
    forge_le(f, names, 8);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%s%06u", i ? "" : "a", i);
        if (i == 0)
            memset(name + 1, 0, 6);
        forge_put(f, name, 8);
    }
    return heap;
}

static uint64_t put_symbols(forge *f, unsigned first, unsigned count, uint64_t object)
{
    uint64_t node = f->len;

    FORGE(f, "SNOD\x01\x00");
    forge_le(f, count, 2);
    for (unsigned i = first; i < first + count; i++) {
        forge_le(f, (uint64_t)i * 8, 8);
        forge_le(f, object, 8);
        forge_zeros(f, 24);
    }
    return node;
}

/* A root with an old group's tree of `levels` levels and `members` members. */
static forge of_old_group(unsigned levels, unsigned members)
{
    forge f = {0};
    hdf5_object layer = {.count = 0}, root = {.count = 0};
    uint64_t nodes[2], table[2];
    unsigned half = members / 2, count = members > 1 ? 2 : 1;

    hdf5_begin(&f);
    hdf5_link(&layer, "w", hdf5_dataset(&f, two, 1, 0));
    hdf5_texts(&layer, "weight_names", "w", 1, 1);
    uint64_t group = hdf5_put(&f, &layer);
    table[1] = put_heap(&f, members);
    nodes[0] = put_symbols(&f, 0, members - half, group);
    nodes[1] = half ? put_symbols(&f, members - half, half, group) : 0;
    for (unsigned level = 0; level < levels; level++) {
        uint64_t tree = hdf5_node(&f, 0, level, level ? 1 : count);
        for (unsigned i = 0; i < (level ? 1 : count); i++) {
            forge_zeros(&f, 8);
            forge_le(&f, nodes[i], 8);
        }
        forge_zeros(&f, 8);
        nodes[0] = tree;
    }
    table[0] = nodes[0];
    hdf5_message(&root, 0x11, table, 16);
    hdf5_texts(&root, "layer_names", "a", 1, 1);
    hdf5_finish(&f, hdf5_put(&f, &root));
    return f;
}

static void groups_of_as_many_members_as_allowed_and_one_more(void **state)
{
    (void)state;
    assert_at_limit(of_old_group(1, FORMATS_HDF5_LINKS_MAX), 1, 0);
    assert_above_limit(of_old_group(1, FORMATS_HDF5_LINKS_MAX + 1), "a group of more than 65536 members");
}

/* A chunk of two floats below a tree of so many levels. */
static forge of_chunk_tree(unsigned levels)
{
    forge f = {0};

    hdf5_begin(&f);
    uint64_t child = 0;
    for (unsigned level = 0; level < levels; level++) {
        uint64_t node = hdf5_node(&f, 1, level, 1);
        hdf5_chunk(&f, 8, NULL, 1, child);
        hdf5_last_key(&f, 1);
        child = node;
    }
    return with_weight(f, hdf5_chunked(&f, two, two, 1, child));
}

static void trees_as_deep_as_allowed_and_one_deeper(void **state)
{
    (void)state;
    assert_at_limit(of_old_group(FORMATS_HDF5_DEPTH_MAX, 2), 1, 0);
    assert_above_limit(of_old_group(FORMATS_HDF5_DEPTH_MAX + 1, 2),
                       "a B-tree node of level 16 where it should be below 16");
    assert_at_limit(of_chunk_tree(FORMATS_HDF5_DEPTH_MAX), 1, 8);
    assert_above_limit(of_chunk_tree(FORMATS_HDF5_DEPTH_MAX + 1),
                       "a B-tree node of chunks of level 16 where it should be below 16");
}

/* The list of layers in two parts; layer "a" over and over, which has no weights but the first time. */
static forge of_texts(size_t count)
{
    forge f = {0};
    hdf5_object none = {.count = 0}, layer = {.count = 0}, root = {.count = 0};
    char *names = malloc(count);

    assert_non_null(names);
    memset(names, 'b', count);
    names[0] = 'a';
    hdf5_begin(&f);
    uint64_t empty = hdf5_put(&f, &none);
    hdf5_link(&layer, "w", hdf5_dataset(&f, two, 1, 0));
    hdf5_texts(&layer, "weight_names", "w", 1, 1);
    hdf5_link(&root, "a", hdf5_put(&f, &layer));
    hdf5_link(&root, "b", empty);
    hdf5_texts(&root, "layer_names0", names, 40000, 1);
    hdf5_texts(&root, "layer_names1", names + 40000, count - 40000, 1);
    hdf5_finish(&f, hdf5_put(&f, &root));
    free(names);
    return f;
}

static void as_many_texts_as_allowed_and_one_more(void **state)
{
    (void)state;
    assert_at_limit(of_texts(FORMATS_HDF5_TEXTS_MAX), 1, 0);
    assert_above_limit(of_texts(FORMATS_HDF5_TEXTS_MAX + 1), "an attribute of more than 65536 texts");
}

/* Looked at until exactly nothing is left, and once more. */
static void as_much_work_as_allowed_and_one_byte_more(void **state)
{
    static uint8_t bytes[1u << 20];
    forge f = {0};
    formats_hdf5 h;
    cistern_error err = CISTERN_ERROR_INIT;
    const uint8_t *p;

    (void)state;
    hdf5_begin(&f);
    memcpy(bytes, f.data, f.len);
    forge_free(&f);
    assert_ok(formats_hdf5_open(bytes, sizeof bytes, 0, &h, &err), &err);
    assert_int_equal(h.work, FORMATS_HDF5_WORK_MAX - 96 - 16); /* the superblock */
    while (h.work > sizeof bytes + 16)
        assert_ok(formats_hdf5_take(&h, 0, sizeof bytes, "it", &p), &err);
    assert_says(formats_hdf5_take(&h, 0, h.work - 15, "it", &p), CISTERN_UNREADABLE, &err,
                "its structures go on for more than 268435456 bytes");
    assert_ok(formats_hdf5_take(&h, 0, h.work - 16, "it", &p), &err);
    assert_int_equal(h.work, 0);
    assert_fails(formats_hdf5_take(&h, 0, 0, "it", &p), CISTERN_UNREADABLE, &err);
}

/* ---- chunks ---- */

#define NODE_MAX 65535u /* chunks of one node */

/* A dataset of `count` chunks of one float, all of them the same four bytes. */
static forge of_chunks(uint64_t count)
{
    static const uint64_t one[] = {1};
    forge f = {0};
    uint64_t nodes[16];
    unsigned used = 0;

    hdf5_begin(&f);
    for (uint64_t i = 0; i < count; used++) {
        uint64_t n = count - i < NODE_MAX ? count - i : NODE_MAX;
        nodes[used] = hdf5_node(&f, 1, 0, (unsigned)n);
        for (uint64_t end = i + n; i < end; i++)
            hdf5_chunk(&f, 4, &i, 1, 0);
        hdf5_last_key(&f, 1);
    }
    uint64_t root = hdf5_node(&f, 1, 1, used);
    for (unsigned i = 0; i < used; i++)
        hdf5_chunk(&f, 0, NULL, 1, nodes[i]);
    hdf5_last_key(&f, 1);
    return with_weight(f, hdf5_chunked(&f, &count, one, 1, root));
}

static void as_many_chunks_as_allowed_and_one_more(void **state)
{
    (void)state;
    assert_at_limit(of_chunks(FORMATS_HDF5_CHUNKS_MAX), 1, FORMATS_HDF5_CHUNKS_MAX * (uint64_t)4);
    assert_above_limit(of_chunks(FORMATS_HDF5_CHUNKS_MAX + 1), "a dataset of more than 524288 chunks");
}

/* One row of `side` chunks, of which the first takes the file's first bytes, and so do all others. */
static forge of_row(uint64_t elements, uint64_t chunk)
{
    forge f = {0};
    uint64_t shape[] = {1, elements}, chunks[] = {1, chunk};
    unsigned side = (unsigned)((elements - 1) / chunk + 1);

    hdf5_begin(&f);
    uint64_t tree = hdf5_node(&f, 1, 0, side);
    for (unsigned i = 0; i < side; i++) {
        uint64_t offset[] = {0, i * chunk};
        hdf5_chunk(&f, (uint32_t)(chunk * 4), offset, 2, 0);
    }
    hdf5_last_key(&f, 2);
    f = with_weight(f, hdf5_chunked(&f, shape, chunks, 2, tree));
    if (f.len < chunk * 4) { /* so that a chunk's bytes are there */
        void *zeros = calloc(1, chunk * 4 - f.len);
        forge_put(&f, zeros, chunk * 4 - f.len);
        free(zeros);
    }
    return f;
}

static void chunks_as_large_as_allowed_and_one_element_more(void **state)
{
    uint64_t n = FORMATS_HDF5_CHUNK_MAX / 4;

    (void)state;
    assert_at_limit(of_row(n, n), 1, FORMATS_HDF5_CHUNK_MAX);
    assert_above_limit(of_row(n + 1, n + 1), "chunks of 4194305 elements, 1 to 16777216 bytes are allowed");
}

static void rows_of_chunks_as_large_as_allowed_and_one_element_more(void **state)
{
    uint64_t n = FORMATS_HDF5_BAND_MAX / 4, chunk = FORMATS_HDF5_CHUNK_MAX / 4;

    (void)state;
    assert_at_limit(of_row(n, chunk), 1, FORMATS_HDF5_BAND_MAX);
    assert_above_limit(of_row(n + 1, chunk),
                       "chunks side by side take 50331652 bytes, at most 50331648 allowed");
}

/* ---- Keras ---- */

/* So many layers, each with the same weight. */
static forge of_layers(unsigned count)
{
    forge f = {0}, names = {0};
    hdf5_object layer = {.count = 0}, root = {.count = 0};
    char name[8];

    hdf5_begin(&f);
    hdf5_link(&layer, "w", hdf5_dataset(&f, two, 1, 0));
    hdf5_texts(&layer, "weight_names", "w", 1, 1);
    uint64_t group = hdf5_put(&f, &layer);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%05u", i);
        hdf5_link(&root, name, group);
        forge_put(&names, name, 5);
    }
    hdf5_texts(&root, "layer_names", names.data, count, 5);
    hdf5_finish(&f, hdf5_put(&f, &root));
    forge_free(&names);
    return f;
}

static void as_many_layers_as_allowed_and_one_more(void **state)
{
    (void)state;
    assert_at_limit(of_layers(FORMATS_KERAS_LAYERS_MAX), FORMATS_KERAS_LAYERS_MAX, 0);
    assert_above_limit(of_layers(FORMATS_KERAS_LAYERS_MAX + 1), "more than 4096 layers with weights");
}

/* layers/m/layers/m/ … with one dense layer in the last. */
static forge of_models(unsigned depth)
{
    forge f = {0};
    hdf5_object vars = {.count = 0}, dense = {.count = 0}, layers = {.count = 0}, model = {.count = 0};

    hdf5_begin(&f);
    hdf5_link(&vars, "0", hdf5_dataset(&f, two, 1, 0));
    hdf5_link(&dense, "vars", hdf5_put(&f, &vars));
    hdf5_link(&layers, "dense", hdf5_put(&f, &dense));
    uint64_t group = hdf5_put(&f, &layers);
    for (unsigned i = 1; i < depth; i++) {
        hdf5_link(&model, "layers", group);
        hdf5_link(&layers, "m", hdf5_put(&f, &model));
        group = hdf5_put(&f, &layers);
    }
    hdf5_link(&model, "layers", group);
    hdf5_finish(&f, hdf5_put(&f, &model));
    return f;
}

static void models_as_deep_as_allowed_and_one_deeper(void **state)
{
    (void)state;
    assert_at_limit(of_models(FORMATS_KERAS_DEPTH_MAX), 1, 0);
    assert_above_limit(of_models(FORMATS_KERAS_DEPTH_MAX + 1), "models inside models, more than 4 deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_as_many_blocks_as_allowed_and_one_more),
        cmocka_unit_test(groups_of_as_many_members_as_allowed_and_one_more),
        cmocka_unit_test(trees_as_deep_as_allowed_and_one_deeper),
        cmocka_unit_test(as_many_texts_as_allowed_and_one_more),
        cmocka_unit_test(as_much_work_as_allowed_and_one_byte_more),
        cmocka_unit_test(as_many_chunks_as_allowed_and_one_more),
        cmocka_unit_test(chunks_as_large_as_allowed_and_one_element_more),
        cmocka_unit_test(rows_of_chunks_as_large_as_allowed_and_one_element_more),
        cmocka_unit_test(as_many_layers_as_allowed_and_one_more),
        cmocka_unit_test(models_as_deep_as_allowed_and_one_deeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
