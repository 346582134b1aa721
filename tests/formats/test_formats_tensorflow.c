/* TensorFlow graphs, checkpoints and descriptions made by hand: what is read, and what is refused. */
#include <math.h>
#include "foreign_read.h"
#include "formats_limits.h"

static const uint64_t dims[] = {2, 3};

/* ---- frozen graphs ---- */

static foreign graph_of(forge *tensor)
{
    foreign v = {0};
    forge graph = {0};

    tf_const(&graph, "w", tensor);
    foreign_add(&v, "g.pb", &graph);
    return v;
}

static void the_last_element_stands_for_those_that_are_missing(void **state)
{
    static const double want[] = {1, 2, 3, 3, 3, 3};
    forge t = tf_head(1, dims, 2);
    foreign v;

    (void)state;
    for (int i = 0; i < 3; i++)
        pb_float(&t, 5, (float)want[i]);
    v = graph_of(&t);
    assert_ok(foreign_read(&v), &v.err);
    for (uint64_t i = 0; i < 6; i++)
        assert_true(fabs(foreign_value(&v, "w", i) - want[i]) < 1e-9);
    foreign_free(&v);
}

static void one_element_for_all_is_used_in_place(void **state)
{
    forge t = tf_head(1, dims, 2);
    foreign v;

    (void)state;
    pb_float(&t, 5, 7);
    v = graph_of(&t);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(v.decoded.len, 0);
    assert_true(fabs(foreign_value(&v, "w", 5) - 7) < 1e-9);
    foreign_free(&v);
}

static void no_elements_are_zeros(void **state)
{
    forge t = tf_head(1, dims, 2), i = tf_head(9, dims, 2);
    foreign v;

    (void)state;
    v = graph_of(&t);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(fabs(foreign_value(&v, "w", 5)) < 1e-9);
    foreign_free(&v);
    v = graph_of(&i);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(fabs(foreign_value(&v, "w", 5)) < 1e-9);
    foreign_free(&v);
}

static void half_and_bfloat_are_numbers_in_half_val(void **state)
{
    forge t = tf_head(19, dims, 2), b = tf_head(14, dims, 2);
    foreign v;

    (void)state;
    pb_number(&t, 13, 0xc000);
    v = graph_of(&t);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(fabs(foreign_value(&v, "w", 5) + 2) < 1e-9);
    foreign_free(&v);
    pb_number(&b, 13, 0x3fc0);
    v = graph_of(&b);
    assert_ok(foreign_read(&v), &v.err);
    assert_true(fabs(foreign_value(&v, "w", 0) - 1.5) < 1e-9);
    foreign_free(&v);
}

/* 27: the repeat bomb */
static void an_element_repeated_as_often_as_allowed_and_once_more(void **state)
{
    (void)state;
    for (uint64_t more = 0; more < 2; more++) {
        uint64_t n = FORMATS_REPEAT_MAX + more;
        forge t = tf_head(1, &n, 1);
        pb_float(&t, 5, 1);
        foreign v = graph_of(&t);
        cistern_status st = foreign_read(&v);
        if (more)
            assert_says(st, CISTERN_UNREADABLE, &v.err,
                        "tensor 'w' is 134217729 elements said by 1, at most 134217728");
        else
            assert_ok(st, &v.err);
        foreign_free(&v);
    }
}

static void shapes_that_do_not_fit(void **state)
{
    static const uint64_t huge[] = {(uint64_t)1 << 40}, nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    forge t = tf_head(1, huge, 1), n = tf_head(1, nine, 9), raw = tf_head(1, dims, 2),
          many = tf_head(1, dims, 2);
    forge both = tf_head(1, dims, 2), unknown = {0}, shape = {0};
    foreign v;

    (void)state;
    v = graph_of(&t);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "1099511627776 elements said by 0",
                       __FILE__, __LINE__);
    foreign_free(&v);
    v = graph_of(&n);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "a shape of more than 8 dimensions",
                       __FILE__, __LINE__);
    foreign_free(&v);
    pb_text(&raw, 4, "abc");
    v = graph_of(&raw);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "3 raw bytes, but its shape takes 24",
                       __FILE__, __LINE__);
    foreign_free(&v);
    for (int i = 0; i < 7; i++)
        pb_float(&many, 5, 1);
    v = graph_of(&many);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "has 7 elements, its shape 6", __FILE__,
                       __LINE__);
    foreign_free(&v);
    pb_text(&both, 4, "abcdabcdabcdabcdabcdabcd");
    pb_float(&both, 5, 1);
    v = graph_of(&both);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "raw bytes and elements as well",
                       __FILE__, __LINE__);
    foreign_free(&v);
    pb_number(&shape, 3, 1);
    pb_number(&unknown, 1, 1);
    pb_message(&unknown, 2, &shape);
    v = graph_of(&unknown);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "a tensor whose rank is not known",
                       __FILE__, __LINE__);
    foreign_free(&v);
}

static void quantised_graphs_and_graphs_of_variables_are_refused(void **state)
{
    foreign v = {0};
    forge graph = {0}, node = {0}, variable = {0};

    (void)state;
    pb_text(&node, 1, "q");
    pb_text(&node, 2, "QuantizedConv2D");
    pb_message(&graph, 1, &node);
    foreign_add(&v, "g.pb", &graph);
    assert_foreign_refused(&v, 2, "a quantised TensorFlow graph (operator QuantizedConv2D)");
    pb_text(&variable, 1, "w");
    pb_text(&variable, 2, "VariableV2");
    pb_message(&graph, 1, &variable);
    foreign_add(&v, "g.pb", &graph);
    assert_foreign_refused(&v, NO_OFFSET, "a TensorFlow graph that holds no tensors");
}

/* ---- checkpoints ---- */

#define INDEX "v/variables.index"
#define DATA  "v/variables.data-00000-of-00001"

/* Six floats from 0 up. */
static forge six_floats(void)
{
    forge f = {0};

    for (int i = 0; i < 6; i++) {
        float x = (float)i;
        forge_put(&f, &x, sizeof x);
    }
    return f;
}

static foreign checkpoint(forge *header, forge *entry)
{
    foreign v = {0};
    forge index = bundle_make(header, entry), data = six_floats();

    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &index);
    return v;
}

static foreign plain_checkpoint(void)
{
    forge header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);

    return checkpoint(&header, &entry);
}

static void tensors_of_a_checkpoint_lie_in_its_data_file(void **state)
{
    foreign v = plain_checkpoint();

    (void)state;
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_count(v.index), 1);
    assert_int_equal(model_index_peek(v.index, 0)->file, 0);
    assert_true(fabs(foreign_value(&v, "w", 3) - 5) < 1e-9);
    assert_string_equal(model_index_kind(v.index), "TensorFlow checkpoint");
    foreign_free(&v);
}

/* 28: BundleHeaderProto and BundleEntryProto */
static void headers_and_entries_that_do_not_fit(void **state)
{
    static const struct {
        uint64_t shards, endianness, n, shard, offset, size;
        const char *part;
    } cases[] = {
        {1, 1, 4, 0, 8, 16, "byte order 1 (big-endian), only little-endian is read"},
        {0, 0, 4, 0, 8, 16, "0 data files, from 1 to 4096 allowed"},
        {FORMATS_SHARDS_MAX + 1, 0, 4, 0, 8, 16, "4097 data files, from 1 to 4096 allowed"},
        {1, 0, 4, 7, 8, 16, "tensor 'w' is in data file 7 of 1"},
        {1, 0, 4, 0, 9, 16, "tensor 'w' is at byte 9 of " DATA ", beyond the end of its 24 bytes"},
        {1, 0, 4, 0, UINT64_MAX, 16, "tensor 'w' is at byte 18446744073709551615 of"},
        {1, 0, 4, 0, 8, 15, "tensor 'w' has 15 bytes, but its shape takes 16"},
        {1, 0, (uint64_t)1 << 62, 0, 8, 16, "tensor 'w' has a shape whose size overflows"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge header = bundle_header(cases[i].shards, cases[i].endianness);
        forge entry = bundle_entry(cases[i].n, cases[i].shard, cases[i].offset, cases[i].size);
        foreign v = checkpoint(&header, &entry);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, cases[i].part, __FILE__, __LINE__);
        assert_true(v.err.has_offset);
        foreign_free(&v);
    }
}

static void checkpoints_whose_data_files_are_not_given(void **state)
{
    forge header = bundle_header(2, 0), entry = bundle_entry(4, 0, 8, 16);
    foreign v = checkpoint(&header, &entry);

    (void)state;
    assert_message_has(
        foreign_read(&v), CISTERN_UNREADABLE, &v.err,
        "its tensors are in 'v/variables.data-00000-of-00002', which is not here: give the whole directory",
        __FILE__, __LINE__);
    foreign_free(&v);
    header = bundle_header(FORMATS_SHARDS_MAX, 0); /* as many as allowed: one more is refused before */
    entry = bundle_entry(4, 0, 8, 16);
    v = checkpoint(&header, &entry);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err,
                       "its tensors are in 'v/variables.data-00000-of-04096', which is not here", __FILE__,
                       __LINE__);
    foreign_free(&v);
    v = plain_checkpoint();
    v.file[1].path = "renamed";
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "whose name does not end in .index",
                       __FILE__, __LINE__);
    foreign_free(&v);
}

static void slices_and_format_v1_are_refused_by_name(void **state)
{
    forge header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16), old = {0},
          none = bundle_entry(4, 0, 8, 16);
    foreign v;

    (void)state;
    pb_text(&entry, 7, "");
    v = checkpoint(&header, &entry);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, "tensor 'w' is stored in slices",
                       __FILE__, __LINE__);
    foreign_free(&v);
    pb_text(&old, 1, "meta");
    v = checkpoint(&old, &none);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err,
                       "a TensorFlow checkpoint of the old format V1", __FILE__, __LINE__);
    foreign_free(&v);
}

static void a_description_without_its_variables_is_refused(void **state)
{
    foreign v = {0};
    forge f = {0};

    (void)state;
    pb_number(&f, 1, 1);
    pb_text(&f, 2, "graph");
    foreign_add(&v, "saved_model.pb", &f);
    assert_foreign_refused(&v, NO_OFFSET, "a TensorFlow SavedModel's description, without its variables");
}

/* Weights are any bytes: these begin as an ONNX model does. */
static void a_data_file_is_not_looked_into(void **state)
{
    foreign v = {0};
    forge header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16),
          index = bundle_make(&header, &entry);
    forge data = {0};

    (void)state;
    pb_number(&data, 1, 7);
    pb_text(&data, 7, "no graph");
    forge_zeros(&data, 24 - data.len);
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &index);
    assert_ok(foreign_read(&v), &v.err);
    foreign_free(&v);
}

static void descriptions_lie_beside_variables(void **state)
{
    foreign v = plain_checkpoint();
    forge saved = {0}, print = {0}, text = {0};

    (void)state;
    pb_number(&saved, 1, 1);
    pb_text(&saved, 2, "");
    pb_number(&print, 1, (uint64_t)1 << 60);
    pb_number(&print, 2, 5);
    FORGE(&text, "labels\n");
    foreign_add(&v, "saved_model.pb", &saved);
    foreign_add(&v, "fingerprint.pb", &print);
    foreign_add(&v, "assets/labels.txt", &text);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_count(v.index), 1);
    foreign_free(&v);
}

/* ---- tables (28) ---- */

/* The plain index, changed at one place; its checksum is made right again where `heal`. */
static void damaged(size_t at, uint8_t value, bool heal, const char *part)
{
    foreign v = {0};
    forge header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);
    forge index = bundle_make(&header, &entry), data = six_floats();

    index.data[at] = value;
    if (heal) { /* the first block: it ends where the metaindex block begins */
        size_t size = index.data[index.len - 48] - 5u;
        uint32_t crc = crc32c(index.data, size + 1);
        forge_set_le(&index, size + 1, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
    }
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &index);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, part, __FILE__, __LINE__);
    foreign_free(&v);
}

static void damaged_tables(void **state)
{
    forge header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);
    forge f = bundle_make(&header, &entry);
    size_t block = f.data[f.len - 48] - 5u; /* bytes of the data block */

    (void)state;
    damaged(4, 'x', false, "the checksum of a block of");
    damaged(0, 1, true, "a key that shares 1 bytes with one of 0");
    damaged(1, 0x7f, true, "an entry that does not end inside its block");
    damaged(block - 4, 0xff, true, "restarts");
    damaged(block, 1, true, "a block packed by snappy does not unpack to the");
    damaged(block, 2, true, "a compressed block (kind 2)");
    forge_free(&f);
}

/* The block as one literal, behind its length. */
static forge packed_block(const forge *block)
{
    forge p = {0};
    const uint8_t tag[] = {60 << 2, (uint8_t)(block->len - 1)};

    pb_varint(&p, block->len);
    forge_put(&p, tag, sizeof tag);
    forge_put(&p, block->data, block->len);
    return p;
}

static void a_block_packed_by_snappy_is_unpacked(void **state)
{
    foreign v = {0};
    forge rows = {0}, f, data = six_floats(), header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);

    (void)state;
    table_entry(&rows, 0, "", header.data, header.len);
    table_entry(&rows, 0, "w", entry.data, entry.len);
    forge_le(&rows, 0, 4);
    forge_le(&rows, 1, 4);
    f = packed_block(&rows);
    size_t size = f.len;
    forge_put(&f, "\x01", 1);
    uint32_t crc = crc32c(f.data, size + 1);
    forge_le(&f, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
    table_finish(&f, 0, size);
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &f);
    assert_ok(foreign_read(&v), &v.err);
    assert_int_equal(model_index_count(v.index), 1);
    assert_non_null(model_index_find(v.index, "w"));
    foreign_free(&v);
    forge_free(&rows);
    forge_free(&header);
    forge_free(&entry);
}

static void keys_that_do_not_rise(void **state)
{
    foreign v = {0};
    forge f = {0}, data = six_floats(), header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);

    (void)state;
    table_entry(&f, 0, "", header.data, header.len);
    table_entry(&f, 0, "w", entry.data, entry.len);
    size_t at = f.len;
    table_entry(&f, 0, "w", entry.data, entry.len);
    size_t size = table_close(&f, 0, 1, 0);
    table_finish(&f, 0, size);
    forge_free(&header);
    forge_free(&entry);
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &f);
    assert_foreign_refused(&v, at, "keys that do not rise");
}

static void blocks_that_lie_elsewhere(void **state)
{
    static const struct {
        uint64_t offset, size;
        const char *part;
    } cases[] = {
        {UINT64_MAX, 10, "a block at byte 18446744073709551615 of 10 bytes"},
        {0, UINT64_MAX, "a block at byte 0 of 18446744073709551615 bytes"},
        {1u << 20, 10, "a block at byte 1048576 of 10 bytes, but the blocks end at byte"},
        {0, 2, "checksum"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        foreign v = {0};
        forge f = {0}, data = six_floats();
        table_entry(&f, 0, "", "", 0);
        (void)table_close(&f, 0, 1, 0);
        table_finish(&f, cases[i].offset, cases[i].size);
        foreign_add(&v, DATA, &data);
        foreign_add(&v, INDEX, &f);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, cases[i].part, __FILE__, __LINE__);
        foreign_free(&v);
    }
}

/* A table whose index has these entries: each a key of one byte and a value. */
static void index_refused(const char *const *values, const size_t *sizes, size_t count, const char *part,
                          int line)
{
    foreign v = {0};
    forge f = {0}, footer = {0}, data = six_floats(), header = bundle_header(1, 0);
    char key[2] = "a";

    table_entry(&f, 0, "", header.data, header.len);
    size_t size = table_close(&f, 0, 1, 0), index = f.len;
    for (size_t i = 0; i < count; i++, key[0]++) {
        if (sizes[i])
            table_entry(&f, 0, key, values[i], sizes[i]);
        else { /* the first block's place */
            forge handle = {0};
            pb_varint(&handle, 0);
            pb_varint(&handle, size);
            table_entry(&f, 0, key, handle.data, handle.len);
            forge_free(&handle);
        }
    }
    size_t index_size = table_close(&f, index, 1, 0);
    pb_varint(&footer, 0);
    pb_varint(&footer, size);
    pb_varint(&footer, index);
    pb_varint(&footer, index_size);
    forge_zeros(&footer, 40 - footer.len);
    FORGE(&footer, "\x57\xfb\x80\x8b\x24\x75\x47\xdb");
    forge_put(&f, footer.data, footer.len);
    forge_free(&footer);
    forge_free(&header);
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &f);
    assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err, part, __FILE__, line);
    foreign_free(&v);
}

static void an_index_of_a_table_that_leads_nowhere(void **state)
{
    static const char *const cut[] = {"\x80"}, *const twice[] = {"", ""};
    static const size_t one[] = {1}, none[] = {0, 0};
    foreign v = {0};
    forge data = six_floats(), f = {0};

    (void)state;
    index_refused(cut, one, 1, "the index names no block", __LINE__);
    index_refused(twice, none, 2, "a block at byte 0, inside the one before", __LINE__);
    memset(&f, 0, sizeof f);
    for (int i = 0; i < 40; i++)
        FORGE(&f, "\xff");
    FORGE(&f, "\x57\xfb\x80\x8b\x24\x75\x47\xdb");
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &f);
    assert_foreign_refused(&v, 0, "a footer without the places of its index");
}

static void names_as_long_as_allowed_and_one_byte_more(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        foreign v = {0};
        forge f = {0}, data = six_floats(), header = bundle_header(1, 0), entry = bundle_entry(4, 0, 8, 16);
        char key[MODEL_NAME_MAX + 2];
        memset(key, 'k', sizeof key);
        key[MODEL_NAME_MAX + more] = 0;
        table_entry(&f, 0, "", header.data, header.len);
        table_entry(&f, 0, key, entry.data, entry.len);
        size_t size = table_close(&f, 0, 1, 0);
        table_finish(&f, 0, size);
        forge_free(&header);
        forge_free(&entry);
        foreign_add(&v, DATA, &data);
        foreign_add(&v, INDEX, &f);
        cistern_status st = foreign_read(&v);
        if (more)
            assert_says(st, CISTERN_UNREADABLE, &v.err, "a tensor's name has 513 bytes");
        else
            assert_ok(st, &v.err);
        foreign_free(&v);
    }
}

static void keys_longer_than_allowed(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        foreign v = {0};
        forge f = {0}, data = six_floats();
        char key[FORMATS_KEY_MAX + 2];
        memset(key, 'k', sizeof key);
        key[FORMATS_KEY_MAX + more] = 0;
        table_entry(&f, 0, key, "", 0);
        size_t size = table_close(&f, 0, 1, 0);
        table_finish(&f, 0, size);
        foreign_add(&v, DATA, &data);
        foreign_add(&v, INDEX, &f);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err,
                           more ? "has 1025 more; 1024 allowed" : "tensors without a header before them",
                           __FILE__, __LINE__);
        foreign_free(&v);
    }
}

static void blocks_as_large_as_allowed_and_one_byte_more(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        foreign v = {0};
        forge f = {0}, header = bundle_header(1, 0), data = six_floats();
        /* one entry: 0, 0, a length of 4 bytes; behind it 8 bytes of restarts; the value is the header and more of it */
        size_t n = FORMATS_BLOCK_MAX + more - 2 - 4 - 8, fill = n - header.len - 5;
        char *value = calloc(n, 1);
        assert_non_null(value);
        memcpy(value, header.data, header.len);
        forge rest = {0};
        pb_tag(&rest, 15, 2);
        pb_varint(&rest, fill);
        assert_int_equal(rest.len, 5);
        memcpy(value + header.len, rest.data, rest.len);
        table_entry(&f, 0, "", value, n);
        size_t size = table_close(&f, 0, 1, 0);
        assert_int_equal(size, FORMATS_BLOCK_MAX + more);
        table_finish(&f, 0, size);
        free(value);
        forge_free(&rest);
        forge_free(&header);
        foreign_add(&v, DATA, &data);
        foreign_add(&v, INDEX, &f);
        assert_message_has(foreign_read(&v), CISTERN_UNREADABLE, &v.err,
                           more ? "a block of 16777217 bytes, at most 16777216 allowed"
                                : "a TensorFlow checkpoint that holds no tensors",
                           __FILE__, __LINE__);
        foreign_free(&v);
    }
}

static void tables_without_checkpoints_are_refused(void **state)
{
    foreign v = {0};
    forge f = {0}, header = bundle_header(1, 0), data = six_floats(), none = {0};

    (void)state;
    size_t size = table_close(&f, 0, 1, 0);
    table_finish(&f, 0, size);
    foreign_add(&v, INDEX, &f);
    assert_foreign_refused(&v, NO_OFFSET, "a table that is no TensorFlow checkpoint: it has no header");
    table_entry(&none, 0, "", header.data, header.len);
    size = table_close(&none, 0, 1, 0);
    table_finish(&none, 0, size);
    forge_free(&header);
    foreign_add(&v, DATA, &data);
    foreign_add(&v, INDEX, &none);
    assert_foreign_refused(&v, NO_OFFSET, "a TensorFlow checkpoint that holds no tensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_element_stands_for_those_that_are_missing),
        cmocka_unit_test(one_element_for_all_is_used_in_place),
        cmocka_unit_test(no_elements_are_zeros),
        cmocka_unit_test(half_and_bfloat_are_numbers_in_half_val),
        cmocka_unit_test(an_element_repeated_as_often_as_allowed_and_once_more),
        cmocka_unit_test(shapes_that_do_not_fit),
        cmocka_unit_test(quantised_graphs_and_graphs_of_variables_are_refused),
        cmocka_unit_test(tensors_of_a_checkpoint_lie_in_its_data_file),
        cmocka_unit_test(headers_and_entries_that_do_not_fit),
        cmocka_unit_test(checkpoints_whose_data_files_are_not_given),
        cmocka_unit_test(slices_and_format_v1_are_refused_by_name),
        cmocka_unit_test(a_description_without_its_variables_is_refused),
        cmocka_unit_test(a_data_file_is_not_looked_into),
        cmocka_unit_test(descriptions_lie_beside_variables),
        cmocka_unit_test(damaged_tables),
        cmocka_unit_test(a_block_packed_by_snappy_is_unpacked),
        cmocka_unit_test(keys_that_do_not_rise),
        cmocka_unit_test(blocks_that_lie_elsewhere),
        cmocka_unit_test(an_index_of_a_table_that_leads_nowhere),
        cmocka_unit_test(names_as_long_as_allowed_and_one_byte_more),
        cmocka_unit_test(keys_longer_than_allowed),
        cmocka_unit_test(tables_without_checkpoints_are_refused),
        cmocka_unit_test(blocks_as_large_as_allowed_and_one_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
