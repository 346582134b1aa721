/* Memory that runs out: whichever allocation fails, reading ends with NO_MEMORY, nothing leaks, nothing crashes. */
#include <fcntl.h>
#include "base_map.h"
#include "formats_write.h"
#include "model_vgg.h"
#include "weight_read.h"

static long left;  /* allocations until one fails; negative: none does */
static long alive; /* blocks that were not freed */
static bool counting;

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *p);

static bool fails(void)
{
    return counting && left >= 0 && left-- == 0;
}

static void *counted(void *p)
{
    if (counting && p)
        alive++;
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_realloc(void *p, size_t size)
{
    void *q = fails() ? NULL : __real_realloc(p, size);

    if (counting && q && !p)
        alive++;
    return q;
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *p)
{
    if (counting && p)
        alive--;
    __real_free(p);
}

static cistern_status forget(void *user, const void *bytes, size_t n, cistern_error *err)
{
    (void)user;
    (void)bytes;
    (void)n;
    (void)err;
    return CISTERN_OK;
}

static cistern_status read_with(const formats_file *files, size_t count, long allocations, cistern_error *err)
{
    static const formats_sink sink = {forget, NULL};
    model_index *index = NULL;

    left = allocations;
    alive = 0;
    counting = true;
    cistern_status st = formats_read(files, count, &sink, &index, err);
    model_index_free(index);
    counting = false;
    return st;
}

#define FILES_MAX 3

/* Files of one version, in tests/formats/<dir>. */
static void sweep(const char *dir, const char *const *names, size_t count)
{
    formats_file files[FILES_MAX];
    base_map map[FILES_MAX];
    char path[1024];
    long n = 0;

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/formats/%s%s", CISTERN_TEST_DATA, dir, names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_ok(base_map_fd(fd, &map[i], NULL), NULL);
        close(fd);
        files[i] = (formats_file){.path = names[i], .data = map[i].data, .size = map[i].size};
    }
    for (;; n++) {
        cistern_error err = CISTERN_ERROR_INIT;
        cistern_status st = read_with(files, count, n, &err);
        assert_int_equal(alive, 0);
        if (st == CISTERN_OK)
            break;
        assert_fails(st, CISTERN_NO_MEMORY, &err);
    }
    assert_true(n > 4);
    for (size_t i = 0; i < count; i++)
        base_map_clear(&map[i]);
}

static void every_allocation_of_several_files_may_fail(void **state)
{
    static const char *const variables[] = {"variables.data-00000-of-00001", "variables.index"},
                             *const external[] = {"model.onnx", "model.onnx.data"},
                             *const shards[] = {"model-00001-of-00002.safetensors",
                                                "model-00002-of-00002.safetensors",
                                                "model.safetensors.index.json"},
                             *const saved[] = {"variables/variables.index",
                                               "variables/variables.data-00000-of-00001", "saved_model.pb"};

    (void)state;
    sweep("input/saved_export/", saved, 3);
    sweep("input/saved_call/", saved, 3);
    sweep("foreign/tf_keras2_bn/variables/", variables, 2);
    sweep("foreign/tf_export_bn/variables/", variables, 2);
    sweep("foreign/external/", external, 2);
    sweep("foreign/sharded/", shards, 3);
}

static void every_allocation_may_fail(void **state)
{
    static const char *const names[] = {"zip_checkpoint.pth",
                                        "legacy_many.pth",
                                        "legacy_protocol4.pth",
                                        "py2_views.pth",
                                        "plain.safetensors",
                                        "deflated.pth",
                                        "foreign/torch_old_bn.onnx",
                                        "foreign/keras_bn.onnx",
                                        "foreign/mxnet.onnx",
                                        "foreign/tf_frozen_bn.pb",
                                        "foreign/tf_slim.pb",
                                        "foreign/fields_half.onnx",
                                        "data/keras/keras1_theano.h5",
                                        "data/keras/keras2_latest.h5",
                                        "data/keras/keras2_shuffle.h5",
                                        "data/keras/keras2_odd_chunks.h5",
                                        "data/keras/keras3_bn_bare.h5",
                                        "data/keras/keras3_nested.keras",
                                        "input/keras_preprocess.keras",
                                        "input/keras2_preprocess.h5",
                                        "input/torch_symmetric_dynamo.onnx",
                                        "input/tf_reverse.pb"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        sweep(strchr(names[i], '/') ? "" : "data/", &names[i], 1);
}

/* What is written: names and graphs are put together in memory, weights pass through. */
static cistern_status write_with(bool onnx, uint32_t height, long allocations, cistern_error *err)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    static const formats_sink sink = {forget, NULL};
    model_tensor t = {.dtype = MODEL_F32, .rank = 1, .shape = {6}, .stride = {1}};
    formats_out out[] = {{.name = "features.0.bias", .rank = 1, .shape = {6}, .dtype = MODEL_F32},
                         {.name = "classifier.0.bias", .rank = 1, .shape = {6}, .dtype = MODEL_F32}};
    formats_onnx_out o = {.vgg = model_vgg_find("vgg11_bn"),
                          .tensors = out,
                          .count = 2,
                          .height = height,
                          .width = 224,
                          .producer_version = "0"};
    cistern_status st;

    for (size_t i = 0; i < 2; i++)
        model_values_init(&out[i].values, &t, (const uint8_t *)values);
    left = allocations;
    alive = 0;
    counting = true;
    st = onnx ? formats_write_onnx(&o, &sink, NULL, NULL, err)
              : formats_write_safetensors(out, 2, &sink, NULL, err);
    counting = false;
    return st;
}

static void every_allocation_of_a_writer_may_fail(void **state)
{
    static const uint32_t heights[] = {0, 224, 320}; /* 0: safetensors; 320: with matrices for the pooling */

    (void)state;
    for (size_t i = 0; i < sizeof heights / sizeof heights[0]; i++) {
        for (long n = 0;; n++) {
            cistern_error err = CISTERN_ERROR_INIT;
            cistern_status st = write_with(heights[i] != 0, heights[i], n, &err);
            assert_int_equal(alive, 0);
            if (st == CISTERN_OK) {
                assert_true(n > 2);
                break;
            }
            assert_fails(st, CISTERN_NO_MEMORY, &err);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_allocation_of_several_files_may_fail),
        cmocka_unit_test(every_allocation_of_a_writer_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
